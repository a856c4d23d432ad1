"""JPEG 2000, by OpenJPEG."""

from __future__ import annotations

import numpy as np

from tfrnnc.errors import EvaluationError
from tfrnnc.evaluation.classic_codec import ClassicCodec, pillow_library, save

_START_OF_TILE, _START_OF_DATA, _END = b"\xff\x90", b"\xff\x93", b"\xff\xd9"


class JPEG2000(ClassicCodec):
    """JPEG 2000: the 9/7 wavelet, the colour transform, one layer, one tile.

    A file is the bare codestream (.j2k), without the boxes of .jp2. The wavelet halves the image
    until its shorter side has about 8 pixels, five times at most: each further resolution has
    packets of its own, which at 64 bytes would take more than they save.

    Args:
        name: as in reports.
    """

    unit = "{:g} dB"
    qualities = tuple(np.arange(10, 60.01, 0.25).tolist())
    sweep_qualities = tuple(range(20, 53, 2))
    options = {"irreversible": True, "mct": 1, "quality_mode": "dB", "no_jp2": True}

    def __init__(self, name: str = "jpeg2000"):
        self.name = name

    def encode(self, pixels: np.ndarray, quality: float, headerless: bool = False) -> bytes:
        """A codestream of the image at a PSNR of `quality` dB; `headerless` changes nothing."""
        resolutions = min(max(int(np.log2(min(pixels.shape[:2]))) - 2, 1), 6)
        return save(
            pixels,
            "JPEG2000",
            quality_layers=[quality],
            num_resolutions=resolutions,
            **self.options,
        )

    def payload_bytes(self, data: bytes) -> int:
        """Bytes of the packets; the main header, tile headers and markers are off."""
        total, place = 0, 2
        while data[place : place + 2] != _END:
            marker = data[place : place + 2]
            if len(marker) < 2 or marker[0] != 0xFF:
                raise EvaluationError(f"not a codestream as expected: no marker at byte {place}")
            if marker == _START_OF_TILE:
                end = place + int.from_bytes(data[place + 6 : place + 10], "big")
                while data[place : place + 2] != _START_OF_DATA:
                    place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
                total += end - (place + 2)
                place = end
            else:
                place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        return total

    def library(self) -> str:
        """The names and versions of the libraries, as Pillow or the module tells them."""
        return pillow_library("jpg_2000", "OpenJPEG")
