"""Interpreters of one file, each lent to one caller at a time."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tfrnnc.runtimes.interpreter import Interpreter, Size

KEPT_INTERPRETERS = 16  #: most that are kept for later, of one file

#: Interpreters that a forked process has from its parent. Their threads are not there, so that
#: neither computing with them nor destroying them ever ends.
_left_alone: list[Interpreter] = []


class InterpreterPool:
    """Interpreters of one file, each lent to one caller at a time.

    Those for small images are kept for later. Those for large images, whose memory counts, live for
    as long as somebody else refers to them, or somebody holds the pool.

    Args:
        make: makes an interpreter with a number of threads.
        kept_pixels: most pixels, of the images of all kept interpreters together.
    """

    def __init__(self, make: Callable[[int], Interpreter], kept_pixels: int):
        self._make = make
        self._kept_pixels = kept_pixels
        self._start()

    def _start(self) -> None:
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._kept: list[Interpreter] = []  # the last used comes last
        self._large: list[weakref.ref[Interpreter]] = []
        self._holders = 0
        self._held: list[Interpreter] = []  # large ones, while there are holders

    @contextmanager
    def hold(self) -> Iterator[None]:
        """While it lasts, interpreters of large images are kept, whatever their size is."""
        self._leave_parent()
        with self._lock:
            self._holders += 1
        try:
            yield
        finally:
            dropped: list[Interpreter] = []  # Destroyed when the lock is free again.
            with self._lock:
                self._holders = max(self._holders - 1, 0)
                if not self._holders:
                    dropped, self._held = self._held, []
            del dropped

    def _leave_parent(self) -> None:
        """Begins anew in a forked process."""
        if self._process != os.getpid():
            _left_alone.extend([*self._kept, *self._held])
            self._start()

    def lend(self, threads: int, size: Size, images: int = 1) -> Interpreter:
        """Lends an interpreter that is ready for images of a size.

        Args:
            threads: that it computes with.
            size: of the images.
            images: how many are computed at once.

        Returns:
            the interpreter, for `take_back` once it has run. One that fails is not to be given
            back, as nothing is certain of it.

        Raises:
            ModelError: if the file cannot be run, or is not as described.
            RuntimeError, MemoryError: if there is too little memory.
        """
        self._leave_parent()
        interpreter = self._take(threads, size) or self._make(threads)
        interpreter.resize(size, images)
        return interpreter

    def _take(self, threads: int, size: Size) -> Interpreter | None:
        """Takes an interpreter out, one of the size if there is one."""
        with self._lock:
            for number, held in enumerate(self._held):
                if held.threads == threads:
                    return self._held.pop(number)
            for reference in self._large:
                interpreter = reference()
                if interpreter and (interpreter.threads, interpreter.size) == (threads, size):
                    self._large.remove(reference)
                    return interpreter
            usable = None
            for number, each in enumerate(self._kept):
                if each.threads == threads and (usable is None or each.size == size):
                    usable = number
                    if each.size == size:
                        break
            return None if usable is None else self._kept.pop(usable)

    def take_back(self, interpreter: Interpreter) -> None:
        """Keeps an interpreter for later.

        Args:
            interpreter: that `lend` gave, and that did not fail.
        """
        dropped = []  # Destroyed when the lock is free again.
        with self._lock:
            if self._large:
                self._large = [reference for reference in self._large if reference() is not None]
            if self._holders:
                self._held.append(interpreter)
                return
            if interpreter.largest_pixels > self._kept_pixels:
                self._large.append(weakref.ref(interpreter))
                return
            self._kept.append(interpreter)
            if len(self._kept) == 1:
                return
            while (
                len(self._kept) > KEPT_INTERPRETERS
                or sum(each.largest_pixels for each in self._kept) > self._kept_pixels
            ):
                dropped.append(self._kept.pop(0))
