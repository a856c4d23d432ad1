"""Codecs as the command line names them."""

from __future__ import annotations

import re
from typing import Any

import click
from click.shell_completion import CompletionItem

from tfrnnc.cli.options import Words, beginning
from tfrnnc.evaluation.codecs import CodecSpec, codec_names


class CodecNames(Words):
    """Codecs with commas between them, each with `@EFFORT` if it asks for one.

    Values are tuples of `CodecSpec`.
    """

    name = "codecs"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The codecs, each once.

        Raises:
            click.BadParameter: if there is none.
        """
        if isinstance(value, tuple):
            return value
        return tuple(map(split_effort, super().convert(value, param, ctx)))

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Presets and classic codecs after the last comma; folders where there is no comma."""
        before, comma, last = incomplete.rpartition(",")
        items = beginning(codec_names(), last, before + comma)
        return items if comma else [*items, CompletionItem(incomplete, type="dir")]


def split_effort(word: str) -> CodecSpec:
    """The codec that a word of the command line means, with the effort that it asks for.

    Examples:
        >>> split_effort("conv_lstm_small@2")
        CodecSpec(name='conv_lstm_small', effort=2)
        >>> split_effort("runs/mine")
        CodecSpec(name='runs/mine', effort=None)
    """
    name, mark, effort = word.rpartition("@")
    if mark and name and re.fullmatch(r"[0-9]+", effort):
        return CodecSpec(name, int(effort))
    return CodecSpec(word)
