"""Cuts the images of a folder into squares and reduces these to thumbnails, as PNG files.

python tools/cut_squares.py FOLDER SIDE OUTPUT

The largest square at the left or the top is cut off again and again, until less than SIDE is left:
a photo of 768x512 pixels gives one square of 512 and two of 256.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from tfrnnc.images import find_images, read_image

Box = tuple[int, int, int, int]  #: left, top, right, bottom


def cut_squares(folder: Path, side: int, output: Path) -> None:
    """Writes the squares of all images of a folder into another, this many pixels wide and high."""
    output.mkdir(parents=True, exist_ok=True)
    for path in find_images(folder):
        image = Image.fromarray(read_image(path))
        for number, box in enumerate(squares(*image.size, least=side), start=1):
            small = image.resize((side, side), Image.Resampling.LANCZOS, box=box)
            small.save(output / f"{path.stem}_{number}.png")


def squares(width: int, height: int, least: int) -> Iterator[Box]:
    """Where the squares are: left, top, right and bottom.

    Args:
        width: of the image in pixels.
        height: of the image in pixels.
        least: their least side.

    Examples:
        >>> list(squares(768, 512, least=32))
        [(0, 0, 512, 512), (512, 0, 768, 256), (512, 256, 768, 512)]
    """
    left = top = 0
    while (side := min(width - left, height - top)) >= least:
        yield left, top, left + side, top + side
        if width - left > height - top:
            left += side
        else:
            top += side


if __name__ == "__main__":
    cut_squares(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
