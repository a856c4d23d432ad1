"""Writes the golden vectors of the enlargement, which every decoder computes to the same bytes.

python tools/make_golden_enlargement.py FILE
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

import numpy as np

from tfrnnc.codec.downscaling import enlarged

SIZES = ((1, 1), (2, 1), (1, 2), (3, 5), (17, 9), (64, 48))  #: width, height


def small_pictures(height: int, width: int) -> dict[str, np.ndarray]:
    """Pictures of a size by name, uint8 (height, width, 3)."""
    rows, columns = np.mgrid[:height, :width]
    channels = np.arange(3)
    noise = np.random.default_rng(height * 1000 + width).integers(0, 256, (height, width, 3))
    checkers = 255 * ((rows + columns)[..., None] + channels & 1)
    gradient = rows[..., None] * 255 // max(height - 1, 1)
    gradient = (gradient + columns[..., None] * channels * 255 // max(width - 1, 1)) // 3
    pictures = {"noise": noise, "checkers": checkers, "gradient": gradient}
    return {name: picture.astype(np.uint8) for name, picture in pictures.items()}


def vectors() -> list[dict[str, str | int]]:
    """All of them."""
    result: list[dict[str, str | int]] = []
    for width, height in SIZES:
        for name, picture in small_pictures(-(-height // 2), -(-width // 2)).items():
            result.append(
                {
                    "name": f"{name}, {width}x{height}",
                    "width": width,
                    "height": height,
                    "coded": base64.b64encode(picture.tobytes()).decode(),
                    "enlarged": base64.b64encode(
                        enlarged(picture, (height, width)).tobytes()
                    ).decode(),
                }
            )
    return result


def main(path: str) -> None:
    """Writes the file."""
    Path(path).write_text(json.dumps(vectors(), indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
