"""Writes the golden streams of a preset: a photo's first iterations, and an adaptive stream.

    python tools/make_preset_streams.py NAME [FOLDER]

`tests/presets` holds them against the preset; they change with its weights only.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

import tfrnnc
from tfrnnc.images import read_image

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "golden"
ITERATIONS = 2
PSNR = 28.0  #: of the adaptive stream


def main(name: str, folder: Path = GOLDEN) -> None:
    """Writes `NAME_v2.rnnc` and `NAME_adaptive.rnnc` with the pictures they decode to."""
    codec = tfrnnc.load(name)
    photo = read_image(ROOT / "examples" / "photos" / "chelsea.png")
    small = read_image(GOLDEN / "photo.png")
    streams = {
        f"{name}_v2": codec.encode(photo, iterations=ITERATIONS),
        f"{name}_adaptive": codec.encode(small, psnr=PSNR, adaptive=True, downscale=1),
    }
    for file, data in streams.items():
        (folder / f"{file}.rnnc").write_bytes(data)
        picture = folder / f"{file.removesuffix('_v2')}.png"
        Image.fromarray(codec.decode(data)).save(picture, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1], *map(Path, sys.argv[2:3]))
