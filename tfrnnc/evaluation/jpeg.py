"""JPEG, by libjpeg-turbo."""

from __future__ import annotations

import numpy as np

from tfrnnc.errors import EvaluationError
from tfrnnc.evaluation.classic_codec import ClassicCodec, pillow_library, save


class JPEG(ClassicCodec):
    """JPEG with optimised Huffman tables.

    A whole file is baseline or progressive, whichever is smaller; both decode to the same
    picture. Where headers do not count it is baseline, with one scan and one set of tables: a
    progressive file has tables for each of its scans, which would then be had for nothing.

    Args:
        name: as in reports.
        subsampling: of the chroma, "4:2:0" or "4:4:4".
    """

    unit = "quality {}"
    qualities = range(1, 101)
    sweep_qualities = (1, 4, 8, 12, 16, 20, 25, 30, 40, 50, 60, 70, 80, 87, 92, 95, 97, 99)

    def __init__(self, name: str, subsampling: str):
        self.name = name
        self.options = {"subsampling": subsampling, "optimize": True}

    def encode(self, pixels: np.ndarray, quality: float, headerless: bool = False) -> bytes:
        """A JPEG file of the image at a quality from 1 to 100."""
        files = [
            save(pixels, "JPEG", quality=quality, progressive=progressive, **self.options)
            for progressive in ((False,) if headerless else (False, True))
        ]
        return min(files, key=len)

    def payload_bytes(self, data: bytes) -> int:
        """Bytes of the entropy-coded scans; all markers, tables and headers are off."""
        total, place = 0, 2
        while (marker := data[place : place + 2]) != b"\xff\xd9":
            if len(marker) < 2 or marker[0] != 0xFF:
                raise EvaluationError(f"not a JPEG file as expected: no marker at byte {place}")
            place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
            if marker == b"\xff\xda":
                end = _end_of_scan(data, place)
                total += end - place
                place = end
        return total

    def library(self) -> str:
        """The names and versions of the libraries, as Pillow or the module tells them."""
        return pillow_library("libjpeg_turbo", "libjpeg-turbo")


def _end_of_scan(data: bytes, start: int) -> int:
    """Where the next marker begins that is neither a stuffed byte nor a restart."""
    place = data.index(b"\xff", start)
    while data[place + 1] == 0 or 0xD0 <= data[place + 1] <= 0xD7:
        place = data.index(b"\xff", place + 2)
    return place
