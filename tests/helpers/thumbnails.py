"""Folders of thumbnails, with broken files among them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

BROKEN = ("broken.png", "empty.jpg", "sub/cut.png")


def write_thumbnails(folder: Path, number: int) -> None:
    """Thumbnails of 16x16 in a folder and one below it, and the files of `BROKEN`."""
    (folder / "sub").mkdir(parents=True)
    random = np.random.default_rng(5)
    for index in range(number):
        pixels = random.integers(0, 256, (16, 16, 3), np.uint8)
        path = folder / ("sub" if index % 2 else "") / f"{index:05d}.png"
        Image.fromarray(pixels).save(path, compress_level=1)
    (folder / BROKEN[0]).write_bytes(b"not an image")
    (folder / BROKEN[1]).write_bytes(b"")
    whole = (folder / "00000.png").read_bytes()
    (folder / BROKEN[2]).write_bytes(whole[: len(whole) // 2])
