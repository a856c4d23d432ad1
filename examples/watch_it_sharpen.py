"""Compresses a photo and shows the picture after every iteration.

    python examples/watch_it_sharpen.py PHOTO FOLDER

Writes FOLDER/photo.rnnc and FOLDER/strip.png, the pictures with their bytes and PSNR below them and
the original last, and prints bytes, bpp, PSNR and SSIM for each iteration.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import tfrnnc
from tfrnnc.images import read_image
from tfrnnc.metrics import block_ssim, psnr

MIN_WIDTH = 240  # pixels; smaller pictures are enlarged, so that their captions fit
GAP = 12
MARK = "#D55E00"  # the original's frame


class Cell(NamedTuple):
    """A picture in a strip, uint8 (H, W, 3), and the words below it."""

    picture: np.ndarray
    caption: str
    is_original: bool = False


def main(photo: str, folder: str) -> None:
    """Runs the example."""
    image = read_image(photo)
    height, width, _ = image.shape
    codec = tfrnnc.load()
    data = codec.encode(image)
    ends = codec.read_planes(data).ends

    print(f"{photo}: {width}x{height}, {Path(photo).stat().st_size:,} bytes")
    print(f"{'iteration':>9} {'bytes':>9} {'bpp':>6} {'PSNR':>9} {'SSIM':>6}")
    cells = []
    pictures = list(codec.decode_progressive(data))
    for iteration, (size, picture) in enumerate(zip(ends, pictures, strict=True), start=1):
        print(
            f"{iteration:>9} {size:>9,} {8 * size / (width * height):>6.3f} "
            f"{psnr(image, picture):>6.2f} dB {block_ssim(image, picture):>6.3f}"
        )
        cells.append(Cell(picture, caption(image, picture, size)))
    cells.append(Cell(image, f"original, {image.nbytes:,} bytes of pixels", is_original=True))

    output = Path(folder)
    output.mkdir(parents=True, exist_ok=True)
    (output / "photo.rnnc").write_bytes(data)
    strip(cells).save(output / "strip.png")
    print(f"wrote {output / 'photo.rnnc'} ({len(data):,} bytes) and {output / 'strip.png'}: the")
    print("picture after each iteration, and last the original, framed")


def caption(image: np.ndarray, picture: np.ndarray, size: int) -> str:
    """Bytes and PSNR of a picture of an image."""
    return f"{size:,} bytes, {psnr(image, picture):.1f} dB"


def strip(cells: Sequence[Cell], columns: int = 3) -> Image.Image:
    """Puts pictures of one size in rows on white, with their captions; the original is framed."""
    height, width, _ = cells[0].picture.shape
    factor = max(1, -(-MIN_WIDTH // width))
    width, height = factor * width, factor * height
    font_size = max(15, width // 22)
    row = height + font_size + 2 * GAP
    columns = min(columns, len(cells))
    rows = -(-len(cells) // columns)
    sheet = Image.new("RGB", (columns * (width + GAP) + GAP, rows * row + GAP), "white")
    draw = ImageDraw.Draw(sheet)
    for number, cell in enumerate(cells):
        left, top = GAP + number % columns * (width + GAP), GAP + number // columns * row
        picture = Image.fromarray(cell.picture).resize((width, height), Image.Resampling.BICUBIC)
        sheet.paste(picture, (left, top))
        if cell.is_original:
            box = (left - 5, top - 5, left + width + 4, top + height + 4)
            draw.rectangle(box, outline=MARK, width=4)
        font = fitting_font(cell.caption, font_size, width)
        middle = left + width // 2, top + height + GAP // 2 + font_size // 2 + 2
        draw.text(middle, cell.caption, MARK if cell.is_original else "black", font, anchor="mm")
    return sheet


def fitting_font(text: str, size: int, width: int):
    """The default font in that size, or in the largest smaller one in which the text fits."""
    while size > 10 and ImageFont.load_default(size).getlength(text) > width:
        size -= 1
    return ImageFont.load_default(size)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
