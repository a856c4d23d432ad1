"""How a command ends that a signal interrupts: by that signal, once everything is put away."""

from __future__ import annotations

import atexit
import os
import signal
import sys
from contextlib import suppress
from typing import NoReturn

_signals: list[signal.Signals] = []  # by which the process is to end


def end_by(number: signal.Signals) -> NoReturn:
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
