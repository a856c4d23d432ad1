"""What the commands share."""

from __future__ import annotations

import functools
import json
import logging
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import click
from tqdm import tqdm

from tfrnnc.errors import ForeignStreamError, TfrnncError
from tfrnnc.files import replacing

STANDARD = "-"  #: stands for standard input or output


def command(**settings):
    """A click command that logs to standard error, with -h and --version.

    Failures that are expected are one line on standard error and exit code 1; usage errors are
    click's, with exit code 2.
    """

    def decorate(function):
        @click.command(context_settings={"help_option_names": ["-h", "--help"]}, **settings)
        @click.version_option(package_name="tfrnnc", prog_name="tfrnnc")
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            logging.basicConfig(format="%(message)s", level=logging.WARNING, force=True)
            try:
                return function(*args, **kwargs)
            except TfrnncError as error:
                fail(error)
            except BrokenPipeError:
                raise  # Click ends the command quietly, as `| head` wants it.
            except OSError as error:
                fail(describe_os_error(error))

        return wrapper

    return decorate


def runtime_options(function):
    """Adds --runtime and --threads to a command."""
    for option in (
        click.option("--threads", type=click.IntRange(1), help="For LiteRT; else one a processor."),
        click.option(
            "--runtime",
            type=click.Choice(["litert", "keras"]),
            help="What runs the model; else LiteRT if it was exported, Keras if not.",
        ),
    ):
        function = option(function)
    return function


def fail(error: Exception | str) -> None:
    """Ends the command with a message and exit code 1."""
    click.echo(f"error: {error}", err=True)
    sys.exit(1)


class OutputError(TfrnncError):
    """An output cannot be written. The message begins with its path."""


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
        return f"{name}: a folder, not a file; name the files in it"
    if isinstance(error, NotADirectoryError | FileExistsError):
        return f"{name}: a part of this path is a file, not a folder; give another path"
    return f"{name}: {error.strerror or error}; check the path, its permissions and the disk"


def pair_paths(
    paths: tuple[str, ...], output_dir: Path | None, suffix: str, is_output: Callable[[str], bool]
) -> list[tuple[str, str]]:
    """Pairs inputs with outputs, from a command's words.

    Args:
        paths: "INPUT OUTPUT" or "INPUT"; with an output folder, all are inputs.
        output_dir: the folder for the outputs, if given.
        suffix: of outputs that are named after their input.
        is_output: whether a path looks like an output of this command.

    Raises:
        click.UsageError: if an output is missing, not of the command's kind, or is an input too.
    """
    if output_dir is not None:
        if STANDARD in paths:
            raise click.UsageError("--output-dir takes files, not standard input")
        pairs = [(path, str(output_dir / _with_suffix(path, suffix).name)) for path in paths]
    elif len(paths) == 1:
        path = paths[0]
        pairs = [(path, path if path == STANDARD else str(_with_suffix(path, suffix)))]
    elif len(paths) == 2 and is_output(paths[1]):
        pairs = [(paths[0], paths[1])]
    elif len(paths) == 2:
        raise click.UsageError(
            f"the output {paths[1]!r} should end in {suffix}; for several inputs, or for a folder, "
            "give --output-dir FOLDER"
        )
    else:
        raise click.UsageError("for several inputs give --output-dir FOLDER")
    outputs = [output for _, output in pairs if output != STANDARD]
    if twice := {output for output in outputs if outputs.count(output) > 1}:
        raise click.UsageError(f"several inputs would be written to {', '.join(sorted(twice))}")
    resolved = {Path(path).resolve() for path in paths[: len(pairs)] if path != STANDARD}
    for output in outputs:
        if Path(output).resolve() in resolved:
            raise click.UsageError(f"{output} is both input and output; give another OUTPUT")
    return pairs


def _with_suffix(path: str, suffix: str) -> Path:
    """A path with another suffix."""
    if Path(path).name in ("", ".."):
        raise click.UsageError(f"{path!r} is a folder, not a file; name the files in it")
    return Path(path).with_suffix(suffix)


def display(path: str, standard: str = "standard input") -> str:
    """A path as people read it."""
    return standard if path == STANDARD else path


def read_input(path: str) -> bytes:
    """Reads an input whole.

    Raises:
        OSError: if it cannot be read.
        TfrnncError: if it is empty.
    """
    data = sys.stdin.buffer.read() if path == STANDARD else Path(path).read_bytes()
    if not data:
        raise TfrnncError("there is nothing in it; get the file again")
    return data


def write_output(path: str, data: bytes) -> None:
    """Writes a whole output, or none of it.

    Raises:
        OutputError: if it cannot be written.
        BrokenPipeError: if it is standard output and nobody reads it any more.
    """
    if path == STANDARD:
        try:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(f"standard output: cannot be written ({error.strerror})") from error
        return
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        # The system names the temporary file, which tells the user nothing.
        raise OutputError(
            f"{path}: cannot be written ({error.strerror}); give another OUTPUT or --output-dir"
        ) from error


def run_all(
    pairs: list[tuple[str, str]],
    work: Callable[[str, str], dict],
    describe: Callable[[dict], str],
    as_json: bool,
    quiet: bool,
) -> None:
    """Does the work of a command for each input, and reports.

    An input that fails is reported, and the others are still done; the exit code is then 1.
    Reports go to standard output, or to standard error where that carries the data.

    Args:
        pairs: inputs and outputs.
        work: takes both and returns the facts to report.
        describe: puts the facts in a line.
        as_json: print one JSON list of facts instead of lines.
        quiet: print nothing but errors.
    """
    to_stderr = any(output == STANDARD for _, output in pairs)
    facts, failures = [], 0
    for source, output in _progress(pairs, quiet):
        name = display(source)
        try:
            fact = work(source, output)
        except BrokenPipeError:
            raise
        except (TfrnncError, OSError) as error:
            failures += 1
            _print(f"error: {_reason(error, name)}", to_stderr=True)
            continue
        facts.append(fact)
        if not (as_json or quiet):
            _print(describe(fact), to_stderr)
    if as_json:
        _print(json.dumps(facts, indent=2), to_stderr)
    if failures:
        sys.exit(1)


def _reason(error: TfrnncError | OSError, name: str) -> str:
    """What to tell of an input that failed."""
    if isinstance(error, OSError):
        return describe_os_error(error, name)
    reason = str(error)
    if isinstance(error, ForeignStreamError):
        reason += "; tfrnnc-encode makes streams of images"
    if isinstance(error, OutputError) or reason.startswith(f"{name}: "):
        return reason
    return f"{name}: {reason}"


def _progress(pairs: list[tuple[str, str]], quiet: bool) -> Iterable[tuple[str, str]]:
    if len(pairs) == 1 or quiet or not sys.stderr.isatty():
        return pairs
    return tqdm(pairs, unit="image")


def _print(line: str, to_stderr: bool) -> None:
    with tqdm.external_write_mode():
        click.echo(line, err=to_stderr)
