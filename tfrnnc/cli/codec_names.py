"""Codecs as the command line names them."""

from __future__ import annotations

from typing import Any

import click
from click.shell_completion import CompletionItem

from tfrnnc.cli.options import Words, beginning
from tfrnnc.evaluation.codecs import CodecSpec, codec_names


class CodecNames(Words):
    """Codecs with commas between them, each with marks if asked for.

    Marks are `@EFFORT`, `@half`, `@ssim` and `@int8`, in this order. Values are tuples of
    `CodecSpec`.
    """

    name = "codecs"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The codecs, each once.

        Raises:
            click.BadParameter: if there is none.
        """
        if isinstance(value, tuple):
            return value
        return tuple(map(CodecSpec.parse, super().convert(value, param, ctx)))

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Presets and classic codecs after the last comma; folders where there is no comma."""
        before, comma, last = incomplete.rpartition(",")
        items = beginning(codec_names(), last, before + comma)
        return items if comma else [*items, CompletionItem(incomplete, type="dir")]
