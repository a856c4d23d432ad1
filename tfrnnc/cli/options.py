"""Options in groups, and words that the shell completes."""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

import click
from click.shell_completion import CompletionItem

from tfrnnc.cli.standard_streams import echo, full_output
from tfrnnc.model_folder.presets import list_presets

GENERAL = "General"  #: the group of options that have no other

#: A function that will be a command, or is one already: what options are added to.
FunctionOrCommand = TypeVar("FunctionOrCommand", bound=Callable[..., Any] | click.Command)
_Value = TypeVar("_Value")


class Decorator(Protocol):
    """What adds options to a command; see `click.option`."""

    def __call__(self, function: FunctionOrCommand, /) -> FunctionOrCommand:
        """The same function, with the options."""


class GroupedOption(click.Option):
    """An option that `GroupedCommand` shows under a heading."""

    def __init__(self, *names: Any, group: str = GENERAL, **settings: Any):
        super().__init__(*names, **settings)
        self.group = group


class GroupedCommand(click.Command):
    """A command whose help has its options in groups, in the order in which they are declared."""

    def main(self, *args: Any, **settings: Any) -> Any:
        """Runs the command as a program; help that cannot be written is one line, too."""
        try:
            return super().main(*args, **settings)
        except OSError as error:  # What the command itself does is caught there.
            echo(f"error: {full_output(error)}", err=True)
            sys.exit(1)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Reads the command's words, of which none may be empty: "" would be this folder.

        Raises:
            click.BadParameter: if one is.
        """
        if "" in args or any(word.endswith("=") for word in args):
            values, _, order = self.make_parser(ctx).parse_args(list(args))
            for parameter in order:
                value = values[str(parameter.name)]
                if "" in (value if isinstance(value, list | tuple) else [value]):
                    raise click.BadParameter(
                        "it is empty; leave it out, or give it", ctx, parameter
                    )
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes a section for each group, those without a group last."""
        for title, options in grouped_options(self, ctx).items():
            with formatter.section(title):
                formatter.write_dl(
                    [record for each in options if (record := each.get_help_record(ctx))]
                )


class CommandWithModes(GroupedCommand):
    """A command that does something else if its first word names a mode.

    A mode is a command of its own, with the options that it needs and no others.
    """

    def __init__(self, *arguments: Any, **settings: Any):
        super().__init__(*arguments, **settings)
        self.modes: dict[str, click.Command] = {}

    def add_mode(self, mode: click.Command) -> click.Command:
        """Adds a command as a mode; a decorator."""
        assert mode.name is not None
        self.modes[mode.name] = mode
        return mode

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """The context of the mode that the first word names, or of the command itself."""
        if args and args[0] in self.modes:
            name = f"{info_name} {args[0]}"
            return self.modes[args[0]].make_context(name, args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the mode whose context it is, or the command itself."""
        return super().invoke(ctx) if ctx.command is self else ctx.command.invoke(ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the options, and then the modes."""
        super().format_options(ctx, formatter)
        with formatter.section("Modes"):
            formatter.write_dl(
                [
                    (f"{ctx.command_path} {name} ...", mode.get_short_help_str(limit=80))
                    for name, mode in self.modes.items()
                ]
            )


def grouped_options(command: click.Command, ctx: click.Context) -> dict[str, list[click.Option]]:
    """The visible options of a command by their headings, general ones last."""
    groups: dict[str, list[click.Option]] = {}
    for parameter in command.get_params(ctx):
        if isinstance(parameter, click.Option) and parameter.get_help_record(ctx):
            groups.setdefault(getattr(parameter, "group", GENERAL), []).append(parameter)
    general = groups.pop(GENERAL, [])
    return {**groups, **({GENERAL: general} if general else {})}


def option_group(title: str) -> Callable[..., Decorator]:
    """Makes the decorator for the options under a heading; it takes what `click.option` takes.

    Args:
        title: of the group, as help shows it.
    """

    def option(*names: str, **settings: Any) -> Decorator:
        return click.option(*names, cls=GroupedOption, group=title, **settings)

    return option


def gathered(kind: type[Any], name: str, *options: Decorator) -> Decorator:
    """Makes the decorator that adds options and hands their values over as one object.

    Args:
        kind: a dataclass with a field of the name of each option, and no others without a default.
        name: of the parameter that the command takes it by.
        options: what `click.option` returns.
    """
    names = {field.name for field in fields(kind)}

    def decorate(function: FunctionOrCommand) -> FunctionOrCommand:
        @functools.wraps(function)
        def gather(**values: Any) -> Any:
            own = {key: values.pop(key) for key in names & values.keys()}
            return function(**values, **{name: kind(**own)})

        decorated: Any = gather
        for option in reversed(options):
            decorated = option(decorated)
        return cast("FunctionOrCommand", decorated)

    return decorate


class ModelName(click.ParamType):
    """A preset's name or the path of a model's folder; the shell completes both."""

    name = "model"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Presets that begin so, and folders; the command's modes, where its first word stands."""
        modes = tuple(getattr(ctx.command, "modes", ()))
        words = (*modes, *list_presets()) if isinstance(param, click.Argument) else list_presets()
        return [*beginning(words, incomplete), CompletionItem(incomplete, type="dir")]


class FileName(click.ParamType):
    """A path that the shell completes, or `-` for standard input or output."""

    name = "file"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Files, by the shell itself."""
        return [CompletionItem(incomplete, type="file")]


class Words(click.ParamType):
    """Words with commas between them.

    Args:
        known: all that there are; None takes any.
    """

    name = "words"

    def __init__(self, known: Sequence[str] | None = None):
        self.known = known

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The words, each once.

        Raises:
            click.BadParameter: if there is none, or one is not known.
        """
        if isinstance(value, tuple):
            return value
        words = tuple(dict.fromkeys(word.strip() for word in value.split(",") if word.strip()))
        if not words:
            self.fail("nothing is named", param, ctx)
        if self.known and (unknown := [word for word in words if word not in self.known]):
            self.fail(f"{unknown[0]}: none of {', '.join(self.known)}", param, ctx)
        return words

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The words that may follow the last comma."""
        before, comma, last = incomplete.rpartition(",")
        return beginning(self.known or (), last, before + comma)


class ByteSizes(Words):
    """Numbers of bytes with commas between them; values are tuples, rising."""

    name = "bytes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The numbers, each once.

        Raises:
            click.BadParameter: if there is none, or a word is not a number above 0.
        """
        words = super().convert(value, param, ctx)
        if not all(re.fullmatch(r"[0-9]+", str(word)) and int(word) > 0 for word in words):
            self.fail(f"{value!r} is not numbers of bytes with commas between them", param, ctx)
        return tuple(sorted({int(word) for word in words}))


def joined(groups: Sequence[tuple[_Value, ...]]) -> tuple[_Value, ...]:
    """The values of an option that was given several times, each once."""
    return tuple(dict.fromkeys(value for group in groups for value in group))


def folder_path() -> click.Path:
    """The type of an option for a folder."""
    return click.Path(file_okay=False, path_type=Path)


def beginning(words: Sequence[str], incomplete: str, before: str = "") -> list[CompletionItem]:
    """Completions: the words that begin so, each after what is before the word on the line."""
    return [CompletionItem(before + word) for word in words if word.startswith(incomplete)]
