"""What the contenders of `benchmarks/training.py` have in common; nothing but Python.

A contender is a process that is given its settings as JSON. Its first line of output, unasked,
says that it is ready; then it reads one question a line, `["name", argument]`, and answers each
with one line of JSON.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROUND_SECONDS = 1.0
LEAST_BATCHES = 2
MATRIX_SIDE = 2048  #: of the matrices whose product is the peak


def answer_questions(make_contender: Callable) -> None:
    """Answers until there are no more questions."""
    # Libraries that print must not disturb the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(words: dict) -> None:
        answers.write(json.dumps(words) + "\n")
        answers.flush()

    try:
        contender = make_contender()
        answer(contender.facts)
        for line in sys.stdin:
            name, argument = json.loads(line)
            answer(getattr(contender, name)(argument))
    except Exception as error:
        lines = str(error).strip().splitlines()
        answer({"error": ": ".join([type(error).__name__, *lines[:1]])[:200]})
        raise


def time_batches(train_batch: Callable[[], float]) -> dict:
    """Seconds of a batch by the clock and of the CPUs, over a second of batches or more.

    CPU time is that of all threads together; other programs hardly lengthen it.
    """
    batches = 0
    began, cpu_began = time.perf_counter(), time.process_time()
    while batches < LEAST_BATCHES or time.perf_counter() - began < ROUND_SECONDS:
        train_batch()
        batches += 1
    return {
        "seconds": (time.perf_counter() - began) / batches,
        "cpu_seconds": (time.process_time() - cpu_began) / batches,
        "memory_mb": peak_memory(),
    }


def peak_memory() -> float:
    """The most memory that this process has had resident so far, in MB (Linux)."""
    (kilobytes,) = re.findall(r"^VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.M)
    return 1024 * int(kilobytes) / 1e6
