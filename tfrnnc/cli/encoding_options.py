"""The options of commands that encode images, and what is checked of them before the first one."""

from __future__ import annotations

import math
from typing import Any

import click

from tfrnnc.cli.common import work_limit_options
from tfrnnc.cli.options import FunctionOrCommand, option_group
from tfrnnc.codec import Codec
from tfrnnc.codec.effort import AIMS, MAX_EFFORT, needs_keras
from tfrnnc.errors import ImageError
from tfrnnc.images import parse_colour

_limits_of_size = option_group("Size and quality")
_how = option_group("Effort")
_files = option_group("Files")

_OPTIONS = (
    _limits_of_size("--iterations", type=click.IntRange(1), help="Encode this many iterations."),
    _limits_of_size("--bpp", type=float, help="Most bits per pixel, all counted."),
    _limits_of_size("--max-bytes", type=click.IntRange(1), help="Most bytes, all counted."),
    _limits_of_size(
        "--psnr", type=float, help="Stop at the first iteration that reaches this PSNR in dB."
    ),
    _limits_of_size(
        "--ssim", type=float, help="Stop at the first iteration that reaches this SSIM."
    ),
    _how(
        "--entropy-coding/--no-entropy-coding",
        default=True,
        show_default=True,
        help="Compress the bits by the model's entropy model, if it has one.",
    ),
    _how(
        "--effort",
        type=click.IntRange(0, MAX_EFFORT),
        default=0,
        show_default=True,
        help="How hard to search for a better picture at the same bytes. 1 to 4 try this many bits "
        "of each 8x8 pixels and iteration the other way. 5 follows the gradient of rate and "
        "distortion, and 6 to 8 then try 1, 2 or 4 bits: in Keras, for images of up to a "
        "megapixel.",
    ),
    _how(
        "--tune",
        type=click.Choice(list(AIMS)),
        default="psnr",
        show_default=True,
        help="What --effort looks for: a smaller squared error, or a higher SSIM (the paper's).",
    ),
    _how(
        "--adaptive",
        is_flag=True,
        help="Give each 8x8 patch its own number of iterations, for fewer bytes at the same "
        "quality. Models other than fc and fc_lstm need a limit with it and take about seven times "
        "as long.",
    ),
    _how(
        "--downscale",
        type=click.Choice(["1", "2", "auto"]),
        default="auto",
        show_default=True,
        callback=lambda _, __, word: word if word == "auto" else int(word),
        help="2 encodes photos at half their width and height, which is better at few bits per "
        "pixel. auto keeps the better of both where the limits leave at most 0.5 bits per pixel, "
        "and is 1 in shards.",
    ),
    _files("--background", help="The colour behind transparent images (white, #rrggbb)."),
)


def encoding_options(function: FunctionOrCommand) -> FunctionOrCommand:
    """Adds the fields of `EncodeOptions` to a command, but for `headerless`."""
    for option in reversed((*_OPTIONS, *work_limit_options("Files"))):
        function = option(function)
    return function


def check_limits(limits: dict[str, Any], background: str | None) -> None:
    """Raises click.UsageError for values that no image can be encoded with."""
    for name in ("bpp", "psnr", "ssim"):
        value = limits[name]
        if value is not None and not (math.isfinite(value) and value > 0):
            raise click.UsageError(f"--{name} must be a finite number above 0, not {value}")
    if limits["ssim"] is not None and limits["ssim"] > 1:
        raise click.UsageError(f"--ssim is 1 at most, not {limits['ssim']}")
    if limits["tune"] == "ssim" and not limits["effort"]:
        raise click.UsageError("--tune is what --effort looks for: give --effort 1 or more, too")
    try:
        parse_colour(background)
    except ImageError as error:
        raise click.UsageError(f"--{error}") from error


def runtime_for(limits: dict[str, Any], runtime: str | None) -> str | None:
    """The runtime that the options ask for; None for the one that suits the model.

    Raises:
        click.UsageError: if the effort cannot have the runtime that was asked for.
    """
    if not needs_keras(limits["effort"]):
        return runtime
    if runtime == "litert":
        raise click.UsageError(
            f"--effort {limits['effort']} follows gradients, which takes --runtime keras"
        )
    return "keras"


def needs_model(limits: dict[str, Any]) -> bool:
    """Whether `check_for_model` has something to check."""
    return limits["adaptive"] or limits["iterations"] is not None


def check_for_model(limits: dict[str, Any], codec: Codec) -> None:
    """Raises click.UsageError for values that this model cannot encode any image with."""
    iterations = limits["iterations"]
    if iterations is not None and iterations > codec.max_iterations:
        raise click.UsageError(
            f"--iterations must be from 1 to {codec.max_iterations} for this model, "
            f"not {iterations}"
        )
    limited = any(limits[name] is not None for name in ("psnr", "ssim", "bpp", "max_bytes"))
    if limits["adaptive"] and not (limited or codec.runtime.independent):
        raise click.UsageError(
            "where locations stop follows from a limit: with --adaptive give --psnr, --ssim, --bpp "
            "or --max-bytes, too"
        )
