"""Compresses a photo and shows the picture after every iteration.

    python examples/watch_it_sharpen.py PHOTO FOLDER

Writes FOLDER/photo.rnnc, a strip of pictures FOLDER/strip.png, and prints bytes, bpp, PSNR and
SSIM for each iteration.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

import tfrnnc
from tfrnnc.images import read_image
from tfrnnc.metrics import block_ssim, psnr


def main(photo: str, folder: str) -> None:
    """Runs the example."""
    image = read_image(photo)
    height, width, _ = image.shape
    codec = tfrnnc.load()
    data = codec.encode(image)
    ends = codec.read_planes(data).ends

    print(f"{photo}: {width}x{height}, {Path(photo).stat().st_size:,} bytes")
    print(f"{'iteration':>4} {'bytes':>9} {'bpp':>6} {'PSNR':>9} {'SSIM':>6}")
    pictures = list(codec.decode_progressive(data))
    for iteration, (size, picture) in enumerate(zip(ends, pictures, strict=True), start=1):
        print(
            f"{iteration:>4} {size:>9,} {8 * size / (width * height):>6.3f} "
            f"{psnr(image, picture):>6.2f} dB {block_ssim(image, picture):>6.3f}"
        )

    output = Path(folder)
    output.mkdir(parents=True, exist_ok=True)
    (output / "photo.rnnc").write_bytes(data)
    Image.fromarray(strip([*pictures, image])).save(output / "strip.png")
    print(f"wrote {output / 'photo.rnnc'} ({len(data):,} bytes) and {output / 'strip.png'}: the")
    print("picture after each iteration, and last the original")


def strip(pictures: list[np.ndarray], columns: int = 3, gap: int = 4) -> np.ndarray:
    """Puts pictures of one size in rows, on white."""
    height, width, _ = pictures[0].shape
    rows = -(-len(pictures) // columns)
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), 255, np.uint8)
    for index, picture in enumerate(pictures):
        top, left = index // columns * (height + gap), index % columns * (width + gap)
        sheet[top : top + height, left : left + width] = picture
    return sheet


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
