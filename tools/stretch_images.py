"""Stretches the images of a folder to squares, as PNG files.

python tools/stretch_images.py FOLDER SIDE OUTPUT
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

from tfrnnc.images import find_images, read_image


def stretch_images(folder: Path, side: int, output: Path) -> None:
    """Writes every image of a folder, this many pixels wide and high, into another folder."""
    output.mkdir(parents=True, exist_ok=True)
    for path in find_images(folder):
        image = Image.fromarray(read_image(path))
        stretched = image.resize((side, side), Image.Resampling.LANCZOS)
        stretched.save(output / f"{path.stem}.png")


if __name__ == "__main__":
    stretch_images(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
