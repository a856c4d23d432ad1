"""Commands that tests start and signal."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def running(command: Sequence[object], folder: Path) -> Iterator[subprocess.Popen]:
    """A command with pipes, in a folder; at the end nothing is left of it and its processes."""
    with subprocess.Popen(
        [str(word) for word in command],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def wait_for_end_of_group(group: int, seconds: float = 100) -> None:
    """Waits for the processes that a killed command has left."""
    deadline = time.monotonic() + seconds
    while any_of_group(group):
        assert time.monotonic() < deadline, "its processes outlive it"
        time.sleep(0.01)


def any_of_group(group: int) -> bool:
    """Whether a process of the group is alive."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
