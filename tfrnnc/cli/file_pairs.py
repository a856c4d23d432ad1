"""Which files a command reads, and where it writes what it makes of them."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import click

from tfrnnc.cli.standard_streams import read_standard_input

STANDARD = "-"  #: stands for standard input or output
STANDARD_OUTPUTS = (STANDARD, "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")

Pair = tuple[str, str]  #: an input and its output


@dataclass(frozen=True)
class Selection:
    """Which files a command reads and writes, as its user said it.

    Attributes:
        paths: the command's words: "INPUT OUTPUT" or "INPUT"; with an output folder all are inputs.
        files_from: a file that lists more inputs; None for none.
        recursive: whether inputs may be folders, of which all files are taken.
        output_dir: the folder for the outputs; None if there is none.
        kinds: extensions of the files that are taken from folders.
        formats: extensions that outputs may have; the first is that of outputs named after their
            input.
    """

    paths: tuple[str, ...]
    files_from: str | None
    recursive: bool
    output_dir: Path | None
    kinds: Collection[str]
    formats: Sequence[str]

    @property
    def output_is_named(self) -> bool:
        """Whether the user has named the output, which then may be written over."""
        return self.output_dir is None and len(self.paths) == 2

    @cached_property
    def pairs(self) -> list[Pair]:
        """Inputs and their outputs.

        Raises:
            click.UsageError: if an output is missing, not of the command's kind, or is an input
                too.
        """
        pairs = self._pair()
        _require_apart(pairs)
        return pairs

    def _pair(self) -> list[Pair]:
        if self.output_dir is not None:
            if STANDARD in self.paths:
                raise click.UsageError("--output-dir takes files, not standard input")
            inputs = list(self._inputs())
            outputs = name_outputs([place for _, place in inputs], self.formats[0])
            _require_different(inputs, outputs)
            folder = str(self.output_dir)
            return [
                (path, os.path.join(folder, name))
                for (path, _), name in zip(inputs, outputs, strict=True)
            ]
        if self.recursive or self.files_from is not None:
            option = "--recursive" if self.recursive else "--files-from"
            raise click.UsageError(f"with {option} give --output-dir FOLDER")
        if len(self.paths) == 1:
            (path,) = self.paths
            return [(path, path if path == STANDARD else with_suffix(path, self.formats[0]))]
        if len(self.paths) > 2:
            raise click.UsageError("for several inputs give --output-dir FOLDER")
        if not _can_be_output(self.paths[1], self.formats):
            raise click.UsageError(
                f"the output {self.paths[1]!r} should end in {_listed(self.formats)}; for several "
                "inputs, or for a folder, give --output-dir FOLDER"
            )
        return [(self.paths[0], self.paths[1])]

    def _inputs(self) -> Iterator[Pair]:
        """Inputs, and the place of each in a folder of outputs, before it has its extension."""
        for path in self.paths:
            if self.recursive and os.path.isdir(path):
                yield from self._files_in(path, "")
            else:
                yield path, os.path.basename(path) or path
        for path in [] if self.files_from is None else read_list(self.files_from):
            place = _place(path)
            if self.recursive and os.path.isdir(path):
                yield from self._files_in(path, place)
            else:
                yield path, place

    def _files_in(self, folder: str, place: str) -> Iterator[Pair]:
        """The files in a folder and the folders below it, sorted; hidden ones are left out."""
        for path, folders, names in os.walk(folder):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            below = os.path.normpath(os.path.join(place, os.path.relpath(path, folder)))
            for name in sorted(names):
                if not name.startswith(".") and os.path.splitext(name)[1].lower() in self.kinds:
                    yield os.path.join(path, name), os.path.normpath(os.path.join(below, name))


def read_list(path: str) -> list[str]:
    """The paths that a file lists: one in a line, or with zero bytes after them.

    Args:
        path: of the file; `-` is standard input.

    Raises:
        OSError: if it cannot be read.
        TfrnncError: if it is standard input, and closed.
    """
    content = read_standard_input() if path == STANDARD else Path(path).read_bytes()
    ends = b"\0" if b"\0" in content else b"\n"
    return [os.fsdecode(line.rstrip(b"\r")) for line in content.split(ends) if line.strip()]


def name_outputs(places: Sequence[str], suffix: str) -> list[str]:
    """Paths for the outputs of several inputs, below their folder: x/a.png gives x/a.rnnc.

    Where two would be the same, both keep their input's extension: a.png.rnnc and a.jpg.rnnc.

    Two whose inputs have the same place are the same nevertheless.
    """
    names = [with_suffix(place, suffix) for place in places]
    longer = [place + suffix for place in places]
    while True:
        counts = Counter(names)
        # A longer name may be that of another output.
        clashing = [
            index for index, name in enumerate(names) if counts[name] > 1 and name != longer[index]
        ]
        if not clashing:
            break
        for index in clashing:
            names[index] = longer[index]
    return names


def _require_different(inputs: Sequence[Pair], outputs: Sequence[str]) -> None:
    """Raises click.UsageError if two inputs, each with its place, have the same output."""
    sources: dict[str, str] = {}
    for (path, _), output in zip(inputs, outputs, strict=True):
        if output not in sources:
            sources[output] = path
        elif sources[output] == path:
            raise click.UsageError(f"{path} is among the inputs twice; name each of them once")
        else:
            raise click.UsageError(
                f"{sources[output]} and {path} would both be written to {output}; name them in a "
                "list for --files-from, which keeps their folders, or give one at a time"
            )


def with_suffix(path: str, suffix: str) -> str:
    """A path with another suffix."""
    if os.path.basename(path) in ("", ".", ".."):
        raise click.UsageError(
            f"{path!r} is a folder, not a file; name the files in it, or give --recursive"
        )
    return os.path.splitext(path)[0] + suffix


def _place(path: str) -> str:
    """Where the output of a listed input belongs: the same path, below the folder of outputs."""
    parts = os.path.normpath(os.path.splitdrive(path)[1]).split(os.sep)
    inner = [part for part in parts if part not in ("", "..")]
    return os.path.join(*inner) if inner else path


def _require_apart(pairs: Sequence[Pair]) -> None:
    """Refuses an output that is an input too. Asks the system once about each folder."""
    folders: dict[str, str] = {}

    def resolve(path: str) -> str:
        if os.path.islink(path):
            return os.path.realpath(path)
        folder, name = os.path.split(path)
        if folder not in folders:
            folders[folder] = os.path.realpath(folder)
        return os.path.normpath(os.path.join(folders[folder], name))

    inputs = {resolve(path) for path, _ in pairs if path != STANDARD}
    for _, output in pairs:
        if output != STANDARD and resolve(output) in inputs:
            raise click.UsageError(f"{output} is both input and output; give another OUTPUT")


def _can_be_output(path: str, formats: Sequence[str]) -> bool:
    """Whether a path is of a command's kind: by its extension, or a pipe or a device."""
    if path in STANDARD_OUTPUTS or os.path.splitext(path)[1].lower() in formats:
        return True
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _listed(words: Sequence[str]) -> str:
    """Words as in "a, b or c"."""
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
