"""Standard input, output and error, of which each may be closed, and each output full."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TextIO

import click

from tfrnnc.errors import TfrnncError


class OutputError(TfrnncError):
    """An output cannot be written. The message begins with its path."""


def fill_closed_streams() -> None:
    """Opens the null device where a standard stream is closed; for programs, at their start.

    A file that is opened later would else get the stream's number, and what libraries print would
    be written into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # The least number is free.
    if sys.stderr is None:  # Python never restores it, and many look at it without asking.
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


def echo(text: str, err: bool = False, nl: bool = True) -> None:
    """Prints a line to standard output, or a message to standard error.

    A message that cannot be written is dropped: what counts is told by the exit code.

    Args:
        text: to print.
        err: whether it goes to standard error.
        nl: whether a line's end follows.

    Raises:
        OutputError: if standard output cannot be written.
        BrokenPipeError: if nobody reads it any more.
    """
    try:
        click.echo(text, err=err, nl=nl)
    except BrokenPipeError:
        raise
    except OSError as error:
        if not err:
            raise full_output(error) from error
        _give_up(sys.stderr)


def write_standard_output(data: bytes) -> None:
    """Writes bytes to standard output; raises as `echo` does, and where it is closed."""
    if sys.stdout is None:
        raise OutputError("standard output: it is closed; give an OUTPUT")
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise full_output(error) from error


def full_output(error: OSError) -> OutputError:
    """What to raise where standard output cannot be written, which is given up."""
    _give_up(sys.stdout)
    return OutputError(
        f"standard output: cannot be written ({error.strerror}); make room, or write elsewhere"
    )


def _give_up(stream: TextIO | None) -> None:
    """Sends a full output to the null device.

    At its end Python writes what the stream still holds. If that failed, it would say so in words
    of its own and end with code 120.
    """
    if stream is None:
        return
    with suppress(OSError, ValueError):  # A stream may be no file.
        number = stream.fileno()
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, number)
        os.close(null)


def read_standard_input() -> bytes:
    """All that comes from standard input.

    Raises:
        TfrnncError: if it is closed.
        OSError: if it cannot be read.
    """
    if sys.stdin is None:
        raise TfrnncError("standard input: it is closed; give a file")
    return sys.stdin.buffer.read()
