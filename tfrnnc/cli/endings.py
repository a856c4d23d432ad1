"""How a command ends that a signal interrupts: by that signal, once everything is put away."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

from tfrnnc.errors import Terminated

#: What ends a process from outside, beside Ctrl-C; of which Windows has the first only.
SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))

_signals: list[int] = []  # by which the process is to end


@contextmanager
def interruptions() -> Iterator[None]:
    """Lets what ends the process interrupt the block, as Ctrl-C does: nothing half-written is left.

    A signal that is ignored, as nohup has it, stays so.

    Raises:
        Terminated: in the block, with the signal's number.
    """

    def stop(number: int, _: Any) -> NoReturn:
        raise Terminated(number=number)

    replaced = []
    if threading.current_thread() is threading.main_thread():
        replaced = [number for number in SIGNALS if signal.getsignal(number) is signal.SIG_DFL]
    try:
        for number in replaced:
            signal.signal(number, stop)
        yield
    finally:
        for number in replaced:
            signal.signal(number, signal.SIG_DFL)


def interruption_behind(error: BaseException) -> KeyboardInterrupt | None:
    """The interruption that an error is, or that it came of; None where there is none.

    A library that is interrupted while it takes a lock may fail to give it back, and raise that.
    """
    behind: BaseException | None = error
    while behind is not None and not isinstance(behind, KeyboardInterrupt):
        behind = behind.__context__
    return behind


def end_by(number: int) -> NoReturn:
    """Ends the process as the signal would have, so that a loop in a shell stops, too.

    What Python and libraries do at the end comes first: the semaphores of other processes, for
    one, would stay.
    """
    _signals.append(number)
    sys.exit(128 + number)


@atexit.register  # What is registered first is run last: `tfrnnc.cli` imports this before all else.
def _end() -> None:
    if not _signals or os.name == "nt":
        return
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    signal.signal(_signals[-1], signal.SIG_DFL)
    os.kill(os.getpid(), _signals[-1])
