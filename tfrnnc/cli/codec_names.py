"""Codecs as the command line names them."""

from __future__ import annotations

import re
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
        return tuple(map(parse_codec, super().convert(value, param, ctx)))

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Presets and classic codecs after the last comma; folders where there is no comma."""
        before, comma, last = incomplete.rpartition(",")
        items = beginning(codec_names(), last, before + comma)
        return items if comma else [*items, CompletionItem(incomplete, type="dir")]


def parse_codec(word: str) -> CodecSpec:
    """The codec that a word of the command line means, with what it asks for.

    Examples:
        >>> parse_codec("conv_lstm_small@2")
        CodecSpec(name='conv_lstm_small', effort=2, half=False, tune='psnr', arithmetic='float32')
        >>> parse_codec("runs/mine@half@int8")
        CodecSpec(name='runs/mine', effort=None, half=True, tune='psnr', arithmetic='int8')
    """
    found = re.fullmatch(r"(.+?)(?:@([0-9]+))?(@half)?(@ssim)?(?:@(int8))?", word)
    if not found:
        return CodecSpec(word)
    name, effort, half, ssim, arithmetic = found.groups()
    return CodecSpec(
        name,
        int(effort) if effort else None,
        bool(half),
        "ssim" if ssim else "psnr",
        arithmetic or "float32",
    )
