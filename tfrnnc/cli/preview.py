"""`tfrnnc-preview`."""

from __future__ import annotations

import io
import json
import sys

import click

from tfrnnc.bitstream.constants import MAX_PIXELS
from tfrnnc.cli.common import (
    command,
    in_words_of_the_command,
    read_input,
)
from tfrnnc.cli.file_tasks import Fact, display, explain_failure
from tfrnnc.cli.options import FileName, option_group
from tfrnnc.cli.standard_streams import echo
from tfrnnc.images import parse_colour, read_image
from tfrnnc.preview import preview
from tfrnnc.preview.layout import MAX_BYTES, MIN_BYTES

files = option_group("Files")


@command()
@click.argument("paths", nargs=-1, required=True, metavar="INPUT...", type=FileName())
@click.option(
    "--bytes",
    "size",
    type=click.IntRange(MIN_BYTES, MAX_BYTES),
    default=24,
    show_default=True,
    help="Bytes of each preview; the string has a third more characters.",
)
@files("--background", help="The colour behind transparent images (white, #rrggbb).")
@files(
    "--max-pixels",
    type=click.IntRange(1),
    default=MAX_PIXELS,
    show_default=True,
    help="Refuse larger images.",
)
def main(paths: tuple[str, ...], size: int, background: str | None, max_pixels: int) -> None:
    """Print previews of images, one JSON object on each line.

    INPUT is an image file, or - for standard input. Each line has "path", "preview" (the string),
    "width" and "height" of the image, and "bytes"; if the image cannot be read, "path" and "error".

    Exit codes: 0, success; 1, failure; 2, wrong usage.
    """
    parse_colour(background)
    failed = False
    for path in paths:
        try:
            facts = _preview_of(path, size, background, max_pixels)
        except (BrokenPipeError, click.ClickException):
            raise
        except Exception as error:
            failed = True
            reason = in_words_of_the_command(explain_failure(error, display(path)))
            facts = {"path": path, "error": reason}
            echo(f"error: {reason}", err=True)
        echo(json.dumps(facts))
    if failed:
        sys.exit(1)


def _preview_of(path: str, size: int, background: str | None, max_pixels: int) -> Fact:
    pixels = read_image(io.BytesIO(read_input(path)), background, display(path), max_pixels)
    height, width, _ = pixels.shape
    return {
        "path": path,
        "preview": preview(pixels, bytes=size),
        "width": width,
        "height": height,
        "bytes": size,
    }
