"""WebP, by libwebp."""

from __future__ import annotations

import numpy as np

from tfrnnc.errors import EvaluationError
from tfrnnc.evaluation.classic_codec import ClassicCodec, pillow_library, save

_FRAME_HEADER = 10  # VP8's frame tag, start code and size, which are not entropy-coded.


class WebP(ClassicCodec):
    """Lossy WebP at its slowest.

    Args:
        name: as in reports.
    """

    unit = "quality {}"
    qualities = range(101)
    sweep_qualities = (0, 5, 10, 20, 30, 40, 50, 60, 70, 75, 80, 85, 90, 95, 98, 100)
    options = {"method": 6}

    def __init__(self, name: str = "webp"):
        self.name = name

    def encode(self, pixels: np.ndarray, quality: float, headerless: bool = False) -> bytes:
        """A WebP file of the image at a quality from 0 to 100; `headerless` changes nothing."""
        return save(pixels, "WEBP", quality=quality, **self.options)

    def payload_bytes(self, data: bytes) -> int:
        """Bytes of the VP8 chunk after the frame header that is not entropy-coded."""
        place = 12
        while place + 8 <= len(data):
            size = int.from_bytes(data[place + 4 : place + 8], "little")
            if data[place : place + 4] == b"VP8 ":
                return size - _FRAME_HEADER
            place += 8 + size + size % 2
        raise EvaluationError("not a WebP file as expected: it has no VP8 chunk")

    def library(self) -> str:
        """The names and versions of the libraries, as Pillow or the module tells them."""
        return pillow_library("webp", "libwebp")
