"""What the commands share."""

from __future__ import annotations

import functools
import json
import logging
import os
import re
import signal
import stat
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import click
from tqdm import tqdm

from tfrnnc.cli.options import GroupedCommand, option_group
from tfrnnc.errors import ForeignStreamError, TfrnncError
from tfrnnc.files import replacing

STANDARD = "-"  #: stands for standard input or output
STANDARD_OUTPUTS = (STANDARD, "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")

# A parameter of the library and, behind it, the option: allow_truncated=True (--partial).
_PARAMETER = re.compile(r"\w+=\w*(?:, (--[\w-]+)| \((--[\w-]+)\))")
_OWN_OPTION = re.compile(r"(?<!\S)\(?(--[a-z][\w-]*)")
_OTHER_COMMAND = re.compile(r"tfrnnc-\w+ --[\w-]+")


def command(**settings):
    """A click command that logs to standard error, with -h and --version.

    Failures that are expected are one line on standard error and exit code 1; usage errors are
    click's, with exit code 2. Interrupted, the process dies by the signal, so that a loop in a
    shell stops, too.
    """

    def decorate(function):
        @click.command(
            **{"cls": GroupedCommand, **settings},
            context_settings={"help_option_names": ["-h", "--help"]},
        )
        @click.version_option(package_name="tfrnnc", prog_name="tfrnnc")
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            logging.basicConfig(format="%(message)s", level=logging.WARNING, force=True)
            warnings.filterwarnings("ignore", module=r"PIL\.")  # Of metadata that is not used.
            try:
                return function(*args, **kwargs)
            except KeyboardInterrupt as interruption:
                if str(interruption):
                    click.echo(f"error: {interruption}", err=True)
                _die_by(signal.SIGINT)
            except TfrnncError as error:
                fail(in_words_of_the_command(str(error)))
            except BrokenPipeError:
                raise  # Click ends the command quietly, as `| head` wants it.
            except OSError as error:
                fail(describe_os_error(error))

        return wrapper

    return decorate


def runtime_options(function):
    """Adds --runtime and --threads to a command."""
    model_option = option_group("Model")
    for option in (
        model_option(
            "--threads", type=click.IntRange(1), help="LiteRT threads (default: one per CPU)."
        ),
        model_option(
            "--runtime",
            type=click.Choice(["litert", "keras"]),
            help="What runs the model (default: LiteRT if it was exported, Keras if not).",
        ),
    ):
        function = option(function)
    return function


def fail(error: Exception | str) -> NoReturn:
    """Ends the command with a message and exit code 1."""
    click.echo(f"error: {error}", err=True)
    sys.exit(1)


def _die_by(number: signal.Signals) -> NoReturn:
    """Ends the process as the signal would have without Python."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    if os.name != "nt":
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    sys.exit(128 + number)


def in_words_of_the_command(message: str) -> str:
    """An error of the library as the user of a command should read it.

    Parameters of Python functions become the options that stand behind them. Advice, which
    follows a semicolon, is left out if it names an option that the command does not have.

    Examples:
        >>> in_words_of_the_command("it is cut; decode it with allow_truncated=True (--partial)")
        'it is cut; decode it with --partial'
    """
    message = _PARAMETER.sub(lambda match: match[1] or match[2], message)
    context = click.get_current_context(silent=True)
    if context is None:
        return message
    known = {
        option
        for parameter in context.command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    clauses = message.split("; ")
    fitting = [
        clause
        for clause in clauses
        if known.issuperset(_OWN_OPTION.findall(_OTHER_COMMAND.sub("", clause)))
    ]
    return "; ".join(fitting) or message


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
    paths: tuple[str, ...], output_dir: Path | None, formats: Sequence[str]
) -> list[tuple[str, str]]:
    """Pairs inputs with outputs, from a command's words.

    Args:
        paths: "INPUT OUTPUT" or "INPUT"; with an output folder, all are inputs.
        output_dir: the folder for the outputs, if given.
        formats: extensions that outputs may have; the first is that of outputs named after their
            input.

    Raises:
        click.UsageError: if an output is missing, not of the command's kind, or is an input too.
    """
    if output_dir is not None:
        if STANDARD in paths:
            raise click.UsageError("--output-dir takes files, not standard input")
        outputs = _name_outputs(paths, formats[0])
        pairs = [(path, str(output_dir / name)) for path, name in zip(paths, outputs, strict=True)]
    elif len(paths) == 1:
        path = paths[0]
        pairs = [(path, path if path == STANDARD else str(_with_suffix(path, formats[0])))]
    elif len(paths) == 2 and _can_be_output(paths[1], formats):
        pairs = [(paths[0], paths[1])]
    elif len(paths) == 2:
        raise click.UsageError(
            f"the output {paths[1]!r} should end in {_listed(formats)}; for several inputs, or for "
            "a folder, give --output-dir FOLDER"
        )
    else:
        raise click.UsageError("for several inputs give --output-dir FOLDER")
    resolved = {Path(path).resolve() for path, _ in pairs if path != STANDARD}
    for _, output in pairs:
        if output != STANDARD and Path(output).resolve() in resolved:
            raise click.UsageError(f"{output} is both input and output; give another OUTPUT")
    return pairs


def _name_outputs(paths: Sequence[str], suffix: str) -> list[str]:
    """Names for the outputs of several inputs: a.png gives a.rnnc.

    Where two would be the same, both keep their input's extension: a.png.rnnc and a.jpg.rnnc.

    Raises:
        click.UsageError: if two are the same nevertheless, as their inputs have the same name.
    """
    names = [_with_suffix(path, suffix).name for path in paths]
    longer = [Path(path).name + suffix for path in paths]
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
    if twice := sorted(name for name, count in counts.items() if count > 1):
        raise click.UsageError(f"several inputs would be written to {', '.join(twice)}")
    return names


def _with_suffix(path: str, suffix: str) -> Path:
    """A path with another suffix."""
    if Path(path).name in ("", ".."):
        raise click.UsageError(f"{path!r} is a folder, not a file; name the files in it")
    return Path(path).with_suffix(suffix)


def _can_be_output(path: str, formats: Sequence[str]) -> bool:
    """Whether a path is of a command's kind: by its extension, or a pipe or a device."""
    if path in STANDARD_OUTPUTS or Path(path).suffix.lower() in formats:
        return True
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _listed(words: Sequence[str]) -> str:
    """Words as in "a, b or c"."""
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


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


def overwrite_option(function):
    """Adds --overwrite to a command."""
    text = "Write over files that are there already and were not named as OUTPUT."
    return option_group("Files")("--overwrite", is_flag=True, help=text)(function)


def require_new(path: str) -> None:
    """Refuses an output that is there already, for where nobody has named it.

    Raises:
        OutputError: if there is such a file.
    """
    if path != STANDARD and os.path.lexists(path):
        raise OutputError(
            f"{path}: is there already, and may be the original; give --overwrite to write over it"
        )


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

    An input that fails, whatever the reason, is reported, and the others are still done; the exit
    code is then 1. Reports go to standard output, or to standard error where that carries the
    data.

    Args:
        pairs: inputs and outputs.
        work: takes both and returns the facts to report.
        describe: puts the facts in a line.
        as_json: print one JSON list of facts instead of lines; what failed has "input" and
            "error". Interrupted, it holds what was done until then.
        quiet: print nothing but errors.
    """
    to_stderr = any(output in STANDARD_OUTPUTS for _, output in pairs)
    facts, failures = [], 0
    interruption = None
    try:
        for source, output in _progress(pairs, quiet):
            try:
                fact = work(source, output)
            except (BrokenPipeError, click.ClickException):
                raise
            except Exception as error:
                failures += 1
                reason = in_words_of_the_command(_reason(error, display(source)))
                facts.append({"input": source, "error": reason})
                _print(f"error: {reason}", to_stderr=True)
                continue
            facts.append(fact)
            if not (as_json or quiet):
                _print(describe(fact), to_stderr)
    except KeyboardInterrupt as error:
        interruption = error
    if as_json:
        _print(json.dumps(facts, indent=2), to_stderr)
    if interruption:
        raise interruption
    if failures:
        sys.exit(1)


def _reason(error: Exception, name: str) -> str:
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


def _progress(pairs: list[tuple[str, str]], quiet: bool) -> Iterable[tuple[str, str]]:
    if len(pairs) == 1 or quiet or not sys.stderr.isatty():
        return pairs
    return tqdm(pairs, unit="image")


def _print(line: str, to_stderr: bool) -> None:
    with tqdm.external_write_mode():
        click.echo(line, err=to_stderr)
