"""What the commands share."""

from __future__ import annotations

import functools
import json
import re
import signal
import sys
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NoReturn, TypeVar, overload

import click
import numpy as np
from tqdm import tqdm

from tfrnnc.bitstream.constants import MAX_PIXELS, MAX_WORK
from tfrnnc.cli.endings import end_by, interruption_behind, interruptions
from tfrnnc.cli.file_pairs import STANDARD, STANDARD_OUTPUTS, Selection
from tfrnnc.cli.file_tasks import (
    Fact,
    FileTask,
    describe_os_error,
    run_files,
    start_logging,
)
from tfrnnc.cli.options import (
    Decorator,
    FileName,
    FunctionOrCommand,
    GroupedCommand,
    ModelName,
    gathered,
    option_group,
)
from tfrnnc.cli.standard_streams import (
    OutputError,
    echo,
    read_standard_input,
    write_standard_output,
)
from tfrnnc.codec.strips import progress
from tfrnnc.errors import Terminated, TfrnncError
from tfrnnc.files import replacing
from tfrnnc.image_rows import save_rows
from tfrnnc.model_folder.model_folder import ARITHMETICS
from tfrnnc.model_folder.presets import DEFAULT_PRESET

JSON_HELP = "Report as JSON Lines: an object for each input, as soon as it is done."

# A parameter of the library and, behind it, the option: allow_truncated=True (--partial).
_PARAMETER = re.compile(r"\w+=\w*(?:, (--[\w-]+)| \((--[\w-]+)\))")
_OWN_OPTION = re.compile(r"(?<!\S)\(?(--[a-z][\w-]*)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # They could change what a terminal shows.
_OTHER_COMMAND = re.compile(r"tfrnnc-\w+ --[\w-]+")

_Command = TypeVar("_Command", bound=click.Command)


@overload
def command(*, name: str | None = None) -> Callable[[Callable[..., None]], GroupedCommand]: ...


@overload
def command(
    *, cls: type[_Command], name: str | None = None
) -> Callable[[Callable[..., None]], _Command]: ...


def command(**settings: Any) -> Callable[[Callable[..., None]], click.Command]:
    """A click command that logs to standard error, with -h and --version.

    Failures that are expected are one line on standard error and exit code 1; usage errors are
    click's, with exit code 2. Interrupted, the process dies by the signal, so that a loop in a
    shell stops, too.
    """

    def decorate(function: Callable[..., None]) -> click.Command:
        @click.command(
            **{"cls": GroupedCommand, **settings},
            context_settings={"help_option_names": ["-h", "--help"]},
        )
        @click.version_option(package_name="tfrnnc", prog_name="tfrnnc")
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> None:
            start_logging()
            try:
                with interruptions():
                    function(*args, **kwargs)
            except KeyboardInterrupt as interruption:
                if str(interruption):
                    echo(f"error: {interruption}", err=True)
                end_by(
                    interruption.number if isinstance(interruption, Terminated) else signal.SIGINT
                )
            except TfrnncError as error:
                fail(in_words_of_the_command(str(error)))
            except BrokenPipeError:
                raise  # Click ends the command quietly, as `| head` wants it.
            except OSError as error:
                fail(in_words_of_the_command(describe_os_error(error)))

        made: click.Command = wrapper
        return made

    return decorate


@dataclass(frozen=True)
class ModelOptions:
    """Which model runs, and what runs it.

    Attributes:
        model, runtime, threads, arithmetic: as for `tfrnnc.load`.

    Raises:
        click.UsageError: if the runtime does not have the arithmetic.
    """

    model: str | None
    runtime: str | None
    threads: int | None
    arithmetic: str

    def __post_init__(self) -> None:
        if self.arithmetic == "int8" and self.runtime == "keras":
            raise click.UsageError(
                "--arithmetic int8 is LiteRT's; --runtime keras and an --effort of 5 and more "
                "compute in float32"
            )

    def settings(self, jobs: int) -> dict[str, Any]:
        """Attributes of a `FileTask`.

        Args:
            jobs: processes, which get one thread each if there are several.
        """
        return {**asdict(self), "threads": self.threads or (1 if jobs > 1 else None)}


_model_group = option_group("Model")
#: Adds --model to a command that encodes.
model_option = _model_group(
    "--model",
    type=ModelName(),
    default=DEFAULT_PRESET,
    show_default=True,
    help="A preset, a folder that tfrnnc-train wrote, or hf://OWNER/NAME.",
)
#: Adds --runtime to a command.
runtime_option = _model_group(
    "--runtime",
    type=click.Choice(["litert", "keras"]),
    help="What runs the model (default: LiteRT if it was exported, Keras if not).",
)


_threads_option = _model_group(
    "--threads", type=click.IntRange(1), help="LiteRT threads (default: one per CPU)."
)
#: Adds --arithmetic to a command.
_arithmetic_option = _model_group(
    "--arithmetic",
    type=click.Choice(ARITHMETICS),
    default="float32",
    show_default=True,
    help="int8 is two to three times as fast, at a slightly lower quality. The default preset has "
    "it. Either decodes the other's files.",
)


def model_options(
    model: Decorator = model_option, threads: Decorator = _threads_option
) -> Decorator:
    """Adds --model, --runtime, --threads and --arithmetic to a command, which gets `models`.

    Args:
        model: adds --model.
        threads: adds --threads.
    """
    return gathered(ModelOptions, "models", model, runtime_option, threads, _arithmetic_option)


def fail(error: Exception | str) -> NoReturn:
    """Ends the command with a message and exit code 1."""
    echo(f"error: {_on_one_line(str(error))}", err=True)
    sys.exit(1)


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


def read_input(path: str) -> bytes:
    """Reads an input whole.

    Raises:
        OSError: if it cannot be read.
        TfrnncError: if it is empty.
    """
    data = read_standard_input() if path == STANDARD else Path(path).read_bytes()
    if not data:
        raise TfrnncError("there is nothing in it; get the file again")
    return data


def input_paths(function: FunctionOrCommand) -> FunctionOrCommand:
    """Adds the paths of a command's files."""

    def require_some(
        context: click.Context, _: click.Parameter, paths: tuple[str, ...]
    ) -> tuple[str, ...]:
        # Options are read before: a list of files will do as well.
        if not (paths or context.params.get("files_from") or context.resilient_parsing):
            raise click.UsageError("Missing argument 'INPUT'; give files, or --files-from", context)
        return paths

    argument = click.argument(
        "paths", nargs=-1, metavar="INPUT [OUTPUT]", type=FileName(), callback=require_some
    )
    return argument(function)


def work_limit_options(group: str) -> tuple[Decorator, Decorator]:
    """What adds --max-pixels and --max-work to a command, under a heading."""
    option = option_group(group)
    return (
        option(
            "--max-pixels",
            type=click.IntRange(1),
            default=MAX_PIXELS,
            show_default=True,
            help="Refuse larger images, padded to the model's stride.",
        ),
        option(
            "--max-work",
            type=click.IntRange(1),
            default=MAX_WORK,
            show_default=True,
            help="Refuse more pixels times iterations.",
        ),
    )


@dataclass(frozen=True)
class FileOptions:
    """Which files a command reads and writes, and in how many processes.

    Attributes:
        output_dir, recursive, files_from: see `Selection`.
        overwrite: whether outputs that are there are written over.
        skip_existing: whether their inputs are skipped.
        jobs: processes.
    """

    output_dir: Path | None
    recursive: bool
    files_from: str | None
    overwrite: bool
    skip_existing: bool
    jobs: int

    def select(
        self, paths: tuple[str, ...], kinds: Collection[str], formats: Sequence[str]
    ) -> Selection:
        """The files, from the command's words; see `Selection`.

        Raises:
            click.UsageError: if the options contradict each other, or an output has no place.
        """
        if self.overwrite and self.skip_existing:
            raise click.UsageError(
                "--overwrite and --skip-existing contradict each other; give one"
            )
        files = Selection(paths, self.files_from, self.recursive, self.output_dir, kinds, formats)
        files.pairs  # noqa: B018  (says what is wrong with them before anything is started)
        return files

    def settings(self, files: Selection) -> dict[str, Any]:
        """Attributes of a `FileTask` for the files."""
        return {
            "output_is_named": files.output_is_named,
            "overwrite": self.overwrite,
            "skip_existing": self.skip_existing,
        }


def file_options(action: str) -> Decorator:
    """Adds the options of `FileOptions` to a command, which gets them as `files`.

    Args:
        action: what it does with them, in one word.
    """
    option = option_group("Files")
    return gathered(
        FileOptions,
        "files",
        option(
            "-o",
            "--output-dir",
            type=click.Path(file_okay=False, path_type=Path),
            help=f"{action} all inputs into this folder.",
        ),
        option(
            "-r",
            "--recursive",
            is_flag=True,
            help="Also take folders: all files of the command's kinds in them and in their "
            "subfolders, which --output-dir repeats.",
        ),
        option(
            "--files-from",
            type=FileName(),
            metavar="FILE",
            help="Also take the paths in this file, or - for standard input: one per line, or each "
            "followed by a zero byte (find -print0). Outputs have the same paths below "
            "--output-dir.",
        ),
        option(
            "--overwrite",
            is_flag=True,
            help="Overwrite existing files that were not named as OUTPUT.",
        ),
        option("--skip-existing", is_flag=True, help="Skip inputs whose output exists."),
        option(
            "-j",
            "--jobs",
            type=click.IntRange(1),
            default=1,
            show_default=True,
            help="Processes, each with one thread unless --threads is given.",
        ),
    )


def run_task(
    task: FileTask, files: Selection, jobs: int, report: Report, describe: Callable[[Fact], str]
) -> None:
    """Does a task for the files of a command, and reports.

    Args:
        task: what to do.
        files: which files.
        jobs: how many processes.
        report: how to report; if an output is standard output, it goes to standard error.
        describe: puts the facts of a file in a line.
    """
    pairs = files.pairs
    to_stderr = any(output in STANDARD_OUTPUTS for _, output in pairs)

    def described(fact: Fact) -> str:
        if fact.get("skipped"):
            return f"{fact['input']}: skipped, as {fact['output']} is there already"
        return describe(fact)

    facts = run_files(task, pairs, jobs)
    replace(report, to_stderr=to_stderr).tell(facts, described, len(pairs))


def write_output(path: str, data: bytes) -> None:
    """Writes a whole output, or none of it.

    Raises:
        OutputError: if it cannot be written.
        BrokenPipeError: if it is standard output and nobody reads it any more.
    """
    if path == STANDARD or (path in STANDARD_OUTPUTS and sys.stdout is None):
        write_standard_output(data)
        return
    with _making_output(path), replacing(path) as temporary:
        temporary.write_bytes(data)


def write_rows(path: str, rows: Iterable[np.ndarray], width: int, height: int) -> None:
    """Writes a picture row by row, whole or not at all.

    Args:
        path: of a file, not standard output.
        rows: as for `save_rows`, like the others.
        width: of the picture in pixels.
        height: of the picture in pixels.

    Raises:
        OutputError: if it cannot be written.
    """
    with _making_output(path):
        save_rows(path, rows, width, height)


@contextmanager
def _making_output(path: str) -> Iterator[None]:
    """Makes the folder of an output, and turns what the system says into an OutputError."""
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        # The system names the temporary file, which tells the user nothing.
        raise OutputError(
            f"{path}: cannot be written ({error.strerror}); give another OUTPUT or --output-dir"
        ) from error


@dataclass(frozen=True)
class Report:
    """How a command tells what it did.

    Attributes:
        as_json: as JSON Lines, an object for each input as soon as it is done; what failed has
            "input" and "error".
        quiet: errors only.
        to_stderr: whether standard output carries the data.
    """

    as_json: bool
    quiet: bool = False
    to_stderr: bool = False

    def tell(
        self, facts: Generator[Fact, None, None], describe: Callable[[Fact], str], total: int
    ) -> None:
        """Reports facts as they come. The command fails if an input did.

        Args:
            facts: of inputs; closed at the end, whatever happens, which ends other processes.
            describe: puts those of one in a line.
            total: how many there will be.
        """
        failures = 0
        with (
            closing(facts),
            _progress_bar(total, self.quiet) as bar,
            _strip_bars(self.quiet),
        ):
            fact = next(facts, None)
            while fact is not None:
                try:
                    bar.update()
                    failures += "error" in fact
                    self._tell_one(fact, describe)
                    fact = next(facts, None)
                except (KeyboardInterrupt, RuntimeError) as error:
                    interruption = interruption_behind(error)
                    if interruption is None:
                        raise
                    # Other processes may have finished files, which come before it is raised.
                    fact = facts.throw(interruption)
        if failures:
            sys.exit(1)

    def _tell_one(self, fact: Fact, describe: Callable[[Fact], str]) -> None:
        if "error" in fact:
            fact["error"] = in_words_of_the_command(fact["error"])
            _print(f"error: {fact['error']}", to_stderr=True)
        if self.as_json:
            _print(json.dumps(fact), self.to_stderr)
        elif not (self.quiet or "error" in fact):
            _print(describe(fact), self.to_stderr)


def report_options(json_help: str = JSON_HELP) -> Decorator:
    """Adds --json and --quiet to a command, which gets them as `report`.

    Args:
        json_help: what --json does.
    """
    return gathered(
        Report,
        "report",
        click.option("--json", "as_json", is_flag=True, help=json_help),
        click.option("-q", "--quiet", is_flag=True, help="Report errors only."),
    )


def _progress_bar(total: int, quiet: bool) -> tqdm:
    """A bar with images per second and the time left; on terminals only."""
    return tqdm(total=total, unit="image", disable=total == 1 or quiet or not sys.stderr.isatty())


@contextmanager
def _strip_bars(quiet: bool) -> Iterator[None]:
    """A bar for each image that is computed in strips; on terminals only."""
    bars: list[tqdm] = []

    def close() -> None:
        while bars:
            bars.pop().close()

    def report(done: int, total: int) -> None:
        if not done:
            close()  # What failed in the middle.
            bars.append(tqdm(total=total, unit="strip", leave=False))
        bars[0].update(done - bars[0].n)
        if done == total:
            close()

    if quiet or not sys.stderr.isatty():
        yield
        return
    token = progress.set(report)
    try:
        yield
    finally:
        progress.reset(token)
        close()


def _print(line: str, to_stderr: bool) -> None:
    with tqdm.external_write_mode():
        echo(_on_one_line(line), err=to_stderr)


def _on_one_line(text: str) -> str:
    r"""Text with its control characters spelled out: names of files may hold any.

    Examples:
        >>> print(_on_one_line("a\nb.png"))
        a\nb.png
    """
    return _CONTROL.sub(lambda match: repr(match[0])[1:-1], text)
