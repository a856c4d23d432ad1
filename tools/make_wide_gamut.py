"""Writes a PNG with a wide-gamut ICC profile, and the sRGB that Python reads from it.

    python tools/make_wide_gamut.py tests/golden

The page must read the same: its tests hold it against the second file.
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from tfrnnc.cicp import D50, icc_profile, xyz_tag
from tfrnnc.images import read_image


def gamma_tag(gamma: float) -> bytes:
    """A curve."""
    return b"curv\0\0\0\0" + struct.pack(">IHH", 1, round(256 * gamma), 0)


def text_tag(text: str) -> bytes:
    """A description, which browsers ask for."""
    content = text.encode("ascii") + b"\0"
    return b"desc\0\0\0\0" + struct.pack(">I", len(content)) + content + bytes(78)


def wide_gamut_profile() -> bytes:
    """Display P3's primaries with a gamma of 2.2."""
    return icc_profile(
        b"RGB ",
        {
            b"desc": text_tag("wide gamut"),
            b"cprt": b"text\0\0\0\0none\0",
            b"wtpt": xyz_tag(D50),
            b"rXYZ": xyz_tag((0.51512, 0.2412, -0.00105)),
            b"gXYZ": xyz_tag((0.29198, 0.69225, 0.04189)),
            b"bXYZ": xyz_tag((0.1571, 0.06657, 0.78407)),
            **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), gamma_tag(2.2)),
        },
    )


def colours() -> np.ndarray:
    """Saturated and dull colours of all brightnesses, uint8 (48, 64, 3)."""
    ramp = np.linspace(0, 255, 64).round().astype(np.uint8)
    rows = np.zeros((8, 64, 3), np.uint8)
    for row, channels in enumerate([(0,), (1,), (2,), (0, 1), (1, 2), (0, 2), (0, 1, 2)]):
        rows[row, :, channels] = ramp
    rows[7] = np.stack([ramp, ramp[::-1], np.roll(ramp, 21)], axis=1)
    return rows.repeat(6, axis=0)


def main(folder: str) -> None:
    """Writes both files."""
    path = Path(folder) / "wide_gamut.png"
    Image.fromarray(colours()).save(path, icc_profile=wide_gamut_profile(), optimize=True)
    Image.fromarray(read_image(path)).save(Path(folder) / "wide_gamut_srgb.png", optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
