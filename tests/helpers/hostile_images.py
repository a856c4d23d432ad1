"""Image files that cost more than they should, or that libtiff complains about."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

#: What libtiff says of `damaged_tiff`.
FAULT = "ZIPDecode: Decoding error at scanline 0"
#: Of pixels in `bomb`, which is above the default limit.
PIXELS = "117,000,000 pixels, more than the limit of 33,554,432; make it smaller first"

reaches_libtiff = pytest.mark.skipif(
    os.name == "nt", reason="Pillow's wheels for Windows hide libtiff"
)


def damaged_tiff(path: Path) -> None:
    """A TIFF whose compressed pixels are overwritten in the middle."""
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "TIFF", compression="tiff_adobe_deflate")
    content = file.getvalue()
    path.write_bytes(content[:200] + bytes(100) + content[300:])


def bomb(path: Path) -> None:
    """A PNG of 117 megapixels, cut so that whoever reads its pixels finds nothing."""
    file = io.BytesIO()
    Image.new("1", (9000, 13000)).save(file, "PNG")
    path.write_bytes(file.getvalue()[:200])


def many_scans(path: Path, scans: int) -> None:
    """A JPEG of 184x184 pixels, whose scans of 12 bytes each tell nothing of any of them."""

    def segment(marker: int, *content: int) -> bytes:
        return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + bytes(content)

    def code(number: int, symbol: int) -> bytes:
        """A code that has one symbol, of one bit."""
        return segment(0xC4, number, 1, *(15 * [0]), symbol)

    blocks = 23**2
    frame = segment(0xC2, 8, 0, 184, 0, 184, 1, 1, 0x11, 0)
    run = (blocks - 512 << 6 | 0x3F).to_bytes(2, "big")  # 512 blocks and nine bits of more are 0.
    first = segment(0xDA, 1, 1, 0, 0, 0, 0) + bytes(-(-blocks // 8))
    other = segment(0xDA, 1, 1, 0, 1, 63, 0) + run
    start = segment(0xDB, 0, *(64 * [1])) + frame + code(0, 0) + code(0x10, 0x90)
    path.write_bytes(b"\xff\xd8" + start + first + (scans - 1) * other + b"\xff\xd9")


def large_tile(path: Path, *sides: int, kind: int = 4) -> None:
    """A TIFF of one pixel in a square tile.

    Args:
        path: to write to.
        *sides: of the tile; of several, libtiff takes the first and Pillow the last.
        kind: TIFF's type of their numbers.
    """
    data = zlib.compress(bytes(sides[0] ** 2))
    long, short = 4, 3
    tags = [
        *((256, long, 1), (257, long, 1), (258, short, 8), (259, short, 8), (262, short, 1)),
        (277, short, 1),
        *((tag, kind, side) for tag in (322, 323) for side in sides),
    ]
    start = 8 + 2 + 12 * (len(tags) + 2) + 4
    tags += [(324, long, start), (325, long, len(data))]
    entries = b"".join(struct.pack("<HHII", tag, of, 1, value) for tag, of, value in tags)
    path.write_bytes(b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + data)
