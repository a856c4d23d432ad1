"""AVIF, by libavif and libaom."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import features

from tfrnnc.errors import EvaluationError, InstallationError
from tfrnnc.evaluation.classic_codec import ClassicCodec, pillow_library, save

_FRAME_OBUS = (3, 4, 6)  # frame header, tile group, and both in one


def _distinct(qualities: Sequence[int]) -> tuple[int, ...]:
    """The lowest quality for each of AV1's 64 quantizers, as libavif maps them."""
    by_quantizer = {((100 - each) * 63 + 50) // 100: each for each in reversed(qualities)}
    return tuple(sorted(by_quantizer.values()))


class AVIF(ClassicCodec):
    """AVIF in one tile.

    Args:
        name: as in reports.
        subsampling: of the chroma, "4:2:0" or "4:4:4".
        speed: of the encoder, 0 (best) to 10.

    Raises:
        InstallationError: if Pillow has no AVIF.
    """

    unit = "quality {}"
    qualities = _distinct(range(101))
    sweep_qualities = (0, 10, 20, 30, 40, 50, 60, 70, 80, 88, 94)

    def __init__(self, name: str, subsampling: str, speed: int = 0):
        if not features.check("avif"):
            raise InstallationError(
                "this Pillow was built without AVIF; "
                "pip install --force-reinstall --only-binary :all: pillow"
            )
        self.name = name
        self.options = {
            "codec": "aom",
            "speed": speed,
            "subsampling": subsampling,
            "max_threads": 1,
            "autotiling": False,
        }

    def encode(self, pixels: np.ndarray, quality: float, headerless: bool = False) -> bytes:
        """An AVIF file of the image at a quality from 0 to 100; `headerless` changes nothing."""
        return save(pixels, "AVIF", quality=quality, **self.options)

    def payload_bytes(self, data: bytes) -> int:
        """Bytes of AV1's frames; boxes, the sequence header and headers of OBUs are off.

        The frame's own header, about ten bytes, is counted: it is not aligned to bytes.
        """
        place = 0
        while data[place + 4 : place + 8] != b"mdat":
            size = int.from_bytes(data[place : place + 4], "big")
            if size < 8:
                raise EvaluationError("not an AVIF file as expected: it has no mdat box")
            place += size
        end = place + int.from_bytes(data[place : place + 4], "big")
        total, place = 0, place + 8
        while place < end:
            header = data[place]
            kind, has_extension, has_size = header >> 3 & 15, header >> 2 & 1, header >> 1 & 1
            place += 1 + has_extension
            size = end - place
            if has_size:
                size, place = _leb128(data, place)
            total += size * (kind in _FRAME_OBUS)
            place += size
        return total

    def library(self) -> str:
        """The names and versions of the libraries, as Pillow or the module tells them."""
        return pillow_library("avif", "libavif")


def _leb128(data: bytes, place: int) -> tuple[int, int]:
    """A number in groups of 7 bits, the lowest first, and where it ends."""
    value = shift = 0
    while True:
        value |= (data[place] & 0x7F) << shift
        shift += 7
        place += 1
        if not data[place - 1] & 0x80:
            return value, place
