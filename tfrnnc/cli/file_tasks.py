"""The work of a command on many files: in batches, in several processes, one failure at a time."""

from __future__ import annotations

import itertools
import json
import logging
import os
import signal
import stat
import tempfile
import warnings
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NoReturn

import click

from tfrnnc.cli.file_pairs import STANDARD, Pair
from tfrnnc.cli.standard_streams import OutputError
from tfrnnc.cli.start import start_runtime
from tfrnnc.errors import ForeignStreamError, ModelError, TfrnncError
from tfrnnc.files import remove_temporary_files
from tfrnnc.processes import process_pool

#: Files that are read before any of them is computed: as many as this, or with as many pixels.
WINDOW_FILES, WINDOW_PIXELS = 64, 1 << 16
CHUNK = 64  #: most files that a process is given at once
MOST_BREAKS = 5  #: processes that may end one after the other with nothing done in between

Fact = dict[str, Any]  #: what is reported of a file; what failed has "input" and "error"


@dataclass
class Loaded:
    """A file that was read.

    Attributes:
        source: its path.
        output: the path of its output.
        content: what is computed.
        pixels: of its image.
        size_bytes: of the file.
    """

    source: str
    output: str
    content: Any
    pixels: int
    size_bytes: int


@dataclass(kw_only=True)
class FileTask(ABC):
    """What a command does with each of its files; goes to other processes as a pickle.

    Attributes:
        model, runtime, threads, arithmetic: as for `tfrnnc.load`.
        output_is_named: whether the user has named the output.
        overwrite: whether outputs that are there are written over.
        skip_existing: whether their inputs are skipped.
    """

    model: str | None
    runtime: str | None
    threads: int | None
    arithmetic: str
    output_is_named: bool
    overwrite: bool
    skip_existing: bool

    @abstractmethod
    def load(self, source: str, output: str) -> Loaded:
        """Reads a file."""

    @abstractmethod
    def compute(self, batch: Sequence[Loaded]) -> Sequence[Any]:
        """What comes of files, or the error in its place."""

    @abstractmethod
    def save(self, loaded: Loaded, result: Any) -> Fact:
        """Writes what came of a file; returns what to report."""

    def __getstate__(self) -> dict[str, Any]:
        """What goes to other processes, which load their models themselves."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def start(self) -> None:
        """Makes a process ready, so that it prints nothing later.

        Raises:
            ModelError: if there is no such model.
            InstallationError: if Keras is needed and not installed.
        """
        start_runtime(self.model, self.runtime, self.arithmetic)

    def skip(self, source: str, output: str) -> Fact | None:
        """What to report of a file with which nothing is to be done; None for others."""
        if self.skip_existing and output != STANDARD and os.path.lexists(output):
            return {"input": source, "output": output, "skipped": True}
        return None

    def _refuse(self, source: str, output: str) -> Fact | None:
        may_be_there = self.overwrite or self.output_is_named or output == STANDARD
        if may_be_there or not os.path.lexists(output):
            return None
        reason = "is there already, and may be the original; give --overwrite to write over it"
        return {"input": source, "error": f"{output}: {reason}"}

    def run(self, pairs: Iterable[Pair], settled: bool = False) -> Generator[Fact, None, None]:
        """Does the work for files, and yields what to report of each, in their order.

        Small images are computed together. A file that fails does not keep the others from being
        done.

        Args:
            pairs: inputs and outputs.
            settled: whether `skip` was asked about them.

        Raises:
            ModelError: if the model that the user has named is broken, which is nothing of a file.
        """
        window: list[Loaded | Fact] = []
        pixels = 0
        for source, output in pairs:
            if window and not _is_regular(source):  # Whoever writes it may take any time.
                yield from self._finish(window)
                window, pixels = [], 0
            entry = (not settled and self.skip(source, output)) or self._load(source, output)
            if isinstance(entry, Loaded):  # What is wrong with an input is told first.
                entry = self._refuse(source, output) or entry
            window.append(entry)
            pixels += entry.pixels if isinstance(entry, Loaded) else 0
            if len(window) >= WINDOW_FILES or pixels >= WINDOW_PIXELS:
                yield from self._finish(window)
                window, pixels = [], 0
        yield from self._finish(window)

    def _load(self, source: str, output: str) -> Loaded | Fact:
        try:
            return self.load(source, output)
        except (BrokenPipeError, click.ClickException):
            raise
        except Exception as error:
            return self._failure(source, error)

    def _failure(self, source: str, error: Exception) -> Fact:
        if isinstance(error, ModelError) and self.model is not None:
            raise error
        return failure(source, error)

    def _finish(self, window: Sequence[Loaded | Fact]) -> Iterator[Fact]:
        loaded = [entry for entry in window if isinstance(entry, Loaded)]
        results = iter(self._compute(loaded))
        for entry in window:
            if not isinstance(entry, Loaded):
                yield entry
                continue
            result = next(results)
            try:
                if isinstance(result, Exception):
                    raise result
                fact = self.save(entry, result)
            except (BrokenPipeError, click.ClickException):
                raise
            except Exception as error:
                fact = self._failure(entry.source, error)
            entry.content = None  # Its memory is free before the next is written.
            yield fact

    def _compute(self, batch: Sequence[Loaded]) -> Sequence[Any]:
        try:
            return self.compute(batch) if batch else []
        except Exception as error:  # Of any of them, or a lack of memory.
            if len(batch) == 1:
                return [error]
        return [result for each in batch for result in self._compute([each])]


def run_files(task: FileTask, pairs: Sequence[Pair], jobs: int) -> Generator[Fact, None, None]:
    """Does a task for files, and yields what to report of each as it is done.

    Args:
        task: what to do.
        pairs: inputs and outputs.
        jobs: how many processes; 1 stays in this one, and in order.
    """
    if jobs == 1 or len(pairs) == 1:
        return task.run(pairs)
    return _Processes(task, pairs, jobs).run()


@dataclass
class _Chunk:
    """Files that a process is given at once.

    Attributes:
        pairs: inputs and outputs.
        journal: the file to which the process adds what it reports of each, as soon as it is
            done, for when it does not come to its end.
        there: outputs that were there before.
    """

    pairs: Sequence[Pair]
    journal: Path
    there: frozenset[str]

    def done(self) -> list[Fact]:
        """What the journal holds, in the order of the files."""
        try:
            lines = self.journal.read_text("utf-8").splitlines(keepends=True)
        except OSError:  # Not even begun.
            return []
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def left(self, done: int) -> Sequence[Pair]:
        """What is still to be done after this many files.

        The process may have written the next one, and not said so: it is not the user's.
        """
        pairs = self.pairs[done:]
        if pairs and pairs[0][1] not in self.there:
            with suppress(OSError):
                os.unlink(pairs[0][1])
        return pairs


class _Processes:
    """Does a task in several processes.

    A process that is killed takes with it what it was doing. Those files are tried again, one at a
    time, so that the one at fault is found and the others are done. What was finished in chunks
    that were not is reported all the same, after Ctrl-C as well.
    """

    def __init__(self, task: FileTask, pairs: Sequence[Pair], jobs: int):
        self._task, self._pairs, self._jobs = task, pairs, jobs
        self._settled: deque[Fact] = deque()

    def run(self) -> Generator[Fact, None, None]:
        """Yields what to report of each file, in any order."""
        chunks = self._chunks()
        while (lost := (yield from self._run_chunks(chunks, self._jobs))) is not None:
            yield from self._run_one_by_one([[pair] for pairs in lost for pair in pairs])

    def _run_one_by_one(self, singles: Sequence[Sequence[Pair]]) -> Iterator[Fact]:
        waiting, breaks = iter(singles), 0
        while (lost := (yield from self._run_chunks(waiting, 1))) is not None:
            for ((source, _),) in lost:
                yield {"input": source, "error": f"{source}: {_KILLED}"}
            breaks += 1
            if breaks == MOST_BREAKS:
                raise TfrnncError(
                    f"{breaks} processes ended before they were done; free memory, or take fewer "
                    "--jobs"
                )

    def _chunks(self) -> Iterator[Sequence[Pair]]:
        """The files that there is something to do with; the others are settled."""
        size = max(min(CHUNK, len(self._pairs) // (4 * self._jobs)), 1)
        for first in range(0, len(self._pairs), size):
            chunk = []
            for pair in self._pairs[first : first + size]:
                fact = self._task.skip(*pair)
                if fact is None:
                    chunk.append(pair)
                else:
                    self._settled.append(fact)
            if chunk:
                yield chunk

    def _run_chunks(
        self, chunks: Iterator[Sequence[Pair]], jobs: int
    ) -> Generator[Fact, None, list[Sequence[Pair]] | None]:
        """Runs chunks until none is left, or a process ends before its time.

        Args:
            chunks: taken as there are processes for them.
            jobs: how many processes.

        Yields:
            what to report of each file.

        Returns:
            what was begun and not done, by chunks; None if all was done.
        """
        begun: dict[Future[list[Fact]], _Chunk] = {}
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as journals:
            try:
                with process_pool(jobs, _start_worker, self._task) as pool:
                    yield from self._run_in(pool, chunks, jobs, begun, Path(journals))
                return None
            except (BrokenExecutor, KeyboardInterrupt) as end:
                lost = []
                for chunk in begun.values():
                    facts = chunk.done()
                    self._settled.extend(facts)
                    if isinstance(end, BrokenExecutor):
                        lost.append(chunk.left(len(facts)))
                yield from self._report_settled()
                if isinstance(end, KeyboardInterrupt):
                    raise
                return [pairs for pairs in lost if pairs]

    def _run_in(
        self,
        pool: ProcessPoolExecutor,
        chunks: Iterator[Sequence[Pair]],
        jobs: int,
        begun: dict[Future[list[Fact]], _Chunk],
        journals: Path,
    ) -> Iterator[Fact]:
        """Runs chunks until none is left; `begun` holds those that are not reported."""
        numbers = itertools.count()
        while True:
            while len(begun) < (jobs + 1 if jobs > 1 else 1):
                pairs = next(chunks, None)
                if pairs is None:
                    break
                there = frozenset(output for _, output in pairs if os.path.lexists(output))
                chunk = _Chunk(pairs, journals / str(next(numbers)), there)
                begun[_submit(pool, self._task, chunk)] = chunk
            yield from self._report_settled()
            if not begun:
                pool.shutdown()
                return
            for future in wait(begun, return_when=FIRST_COMPLETED).done:
                self._settled.extend(future.result())
                del begun[future]

    def _report_settled(self) -> Iterator[Fact]:
        while self._settled:
            yield self._settled.popleft()


def _submit(pool: ProcessPoolExecutor, task: FileTask, chunk: _Chunk) -> Future[list[Fact]]:
    """Gives a chunk to a pool; of one that is broken, a future that says so."""
    try:
        return pool.submit(_run_chunk, task, chunk)
    except BrokenExecutor as error:
        future: Future[list[Fact]] = Future()
        future.set_exception(error)
        return future


_KILLED = (
    "a process ended while it was at it, perhaps for want of memory; take fewer --jobs, or leave "
    "this file out"
)


def _start_worker(task: FileTask) -> None:
    """Makes a process ready."""
    signal.signal(signal.SIGTERM, _end)
    start_logging()
    task.start()


_ended_by: list[int] = []  # the signal that ends this process


def _end(number: int, _: Any) -> NoReturn:
    """Ends a process; on the way out nothing half-written is left."""
    _ended_by.append(number)
    raise SystemExit(128 + number)


def _run_chunk(task: FileTask, chunk: _Chunk) -> list[Fact]:
    facts = []
    try:
        if _ended_by:  # The signal came while the pool had the word.
            raise SystemExit(128 + _ended_by[0])
        for fact in task.run(chunk.pairs, settled=True):
            facts.append(fact)
            with suppress(OSError), chunk.journal.open("a", encoding="utf-8") as journal:
                journal.write(json.dumps(fact) + "\n")
        return facts
    except SystemExit as end:
        remove_temporary_files()
        os._exit(int(end.code or 0))  # The pool would take it for a result, and go on.


def start_logging() -> None:
    """Lets warnings go to standard error as they are."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING, force=True)
    warnings.filterwarnings("ignore", module=r"PIL\.")  # Of metadata that is not used.
    for library in ("PIL", "pyvips"):  # They log what they also raise.
        logging.getLogger(library).setLevel(logging.CRITICAL)


def failure(source: str, error: Exception) -> Fact:
    """What to report of a file that failed."""
    name = display(source)
    return {"input": source, "error": explain_failure(error, name)}


def display(path: str, standard: str = "standard input") -> str:
    """A path as people read it."""
    return standard if path == STANDARD else path


def _is_regular(path: str) -> bool:
    """Whether reading a file takes no longer than its disk needs."""
    try:
        return path != STANDARD and stat.S_ISREG(os.stat(path).st_mode)
    except (OSError, ValueError):
        return True  # Reading it fails at once.


def explain_failure(error: Exception, name: str) -> str:
    """What to tell of an input that failed."""
    if isinstance(error, MemoryError):
        return f"{name}: it does not fit in memory; give a smaller one, or more memory"
    if isinstance(error, OSError):
        return describe_os_error(error, name)
    reason = str(error)
    if not isinstance(error, TfrnncError):
        kind = type(error).__name__
        return f"{name}: {kind}: {reason}; this is a fault of tfrnnc, please report it"
    if isinstance(error, ForeignStreamError):
        reason += "; tfrnnc-encode makes streams of images"
    if isinstance(error, OutputError) or reason.startswith(f"{name}: "):
        return reason
    return f"{name}: {reason}"


def describe_os_error(error: OSError, name: str | None = None) -> str:
    """What went wrong with a file, and what to do.

    Args:
        error: as the system raised it.
        name: of the file; None takes the error's own.
    """
    name = name or error.filename or "a file"
    if isinstance(error, FileNotFoundError):
        return f"{name}: no such file; check the path"
    if isinstance(error, IsADirectoryError):
        return f"{name}: a folder, not a file; name the files in it; --recursive takes them all"
    if isinstance(error, NotADirectoryError | FileExistsError):
        return f"{name}: a part of this path is a file, not a folder; give another path"
    return f"{name}: {error.strerror or error}; check the path, its permissions and the disk"
