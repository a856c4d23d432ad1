"""Processes that share the work of one."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any

from tfrnnc.files import remove_temporary_files

#: Seconds that a process has to put away what is half-written, once its parent is gone.
GRACE = 10


@contextmanager
def process_pool(
    jobs: int, start: Callable[..., None] | None = None, *arguments: Any
) -> Iterator[ProcessPoolExecutor]:
    """Processes that end with the block, and with this process however it ends.

    Args:
        jobs: how many.
        start: makes each of them ready. Ctrl-C and SIGHUP are left to this process.
        *arguments: of `start`; they and it are pickled.

    Yields:
        the pool. What was not begun at the end of the block is dropped, and what was is ended by
        SIGTERM and waited for; `shutdown` lets it come to its end.
    """
    context = multiprocessing.get_context("spawn")  # A fork would have LiteRT's threads dead.
    before = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(jobs, context, _start, (start, arguments))
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        children = set(multiprocessing.active_children()) - before
        for child in children:
            child.terminate()
        for child in children:
            child.join(GRACE)


def _start(start: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    for name in ("SIGINT", "SIGHUP"):  # A terminal sends them to all its processes.
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    # It holds both ends of the pipe that work comes through, so that waiting for work has no end.
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if start is not None:
        start(*arguments)


def _end_with_parent() -> None:
    """Ends this process when the one that started it is gone, killed perhaps."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    remove_temporary_files()
    os._exit(1)


def available_cpus() -> int:
    """How many CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
