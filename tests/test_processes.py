"""Processes that share the work of one end with it."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from helpers.commands import running, wait_for_end_of_group
from tfrnnc.processes import process_pool

IDLE = """
import time
from tfrnnc.processes import process_pool

if __name__ == "__main__":
    with process_pool(2) as pool:
        print(sum(pool.map(abs, range(4))), flush=True)
        time.sleep(1000)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_they_do_not_outlive_it(tmp_path):
    """Idle ones wait for work that nobody can give them any more."""
    program = tmp_path / "program.py"
    program.write_text(IDLE)
    with running([sys.executable, program], tmp_path) as process:
        assert process.stdout.readline() == "6\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
        wait_for_end_of_group(process.pid)


def test_what_is_begun_is_dropped_with_the_block():
    with pytest.raises(KeyError), process_pool(1) as pool:
        never_done = pool.submit(pow, 7, 10**10)
        raise KeyError
    with pytest.raises(BaseException):  # noqa: B017  (broken or cancelled, as it comes)
        never_done.result(timeout=100)
