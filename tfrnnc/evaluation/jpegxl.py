"""JPEG XL, by libjxl."""

from __future__ import annotations

import numpy as np

from tfrnnc.errors import EvaluationError, InstallationError
from tfrnnc.evaluation.classic_codec import ClassicCodec


class JPEGXL(ClassicCodec):
    """Lossy JPEG XL.

    A file is the bare codestream, without the boxes of the container.

    Args:
        name: as in reports.
        effort: of the encoder, 1 to 10 (best).

    Raises:
        InstallationError: if imagecodecs is not installed.
    """

    unit = "distance {:g}"
    # The lowest quality is the greatest distance; each is 0.94 times the one before it.
    qualities = tuple(round(25 * 0.94**index, 3) for index in range(100))
    sweep_qualities = (25, 18, 13, 10, 8, 6, 4.5, 3.5, 2.7, 2, 1.5, 1.1, 0.8, 0.5, 0.3, 0.15)

    def __init__(self, name: str = "jpegxl", effort: int = 10):
        self.name = name
        self.options = {"effort": effort, "usecontainer": False, "numthreads": 1}
        try:
            import imagecodecs
        except ImportError as error:
            raise InstallationError(
                "JPEG XL needs imagecodecs, which is not installed; pip install 'tfrnnc[evaluate]'"
            ) from error
        self._imagecodecs = imagecodecs

    def encode(self, pixels: np.ndarray, quality: float, headerless: bool = False) -> bytes:
        """A codestream of the image at a distance of `quality`; `headerless` changes nothing."""
        return bytes(self._imagecodecs.jpegxl_encode(pixels, distance=quality, **self.options))

    def decode(self, data: bytes) -> np.ndarray:
        """The picture in a codestream, uint8 (H, W, 3)."""
        return self._imagecodecs.jpegxl_decode(data, numthreads=1)

    def payload_bytes(self, data: bytes) -> int:
        """Bytes after the image's header: signature, size and metadata are off."""
        if data[:2] != b"\xff\x0a":
            raise EvaluationError("not a bare JPEG XL codestream as expected")
        bits = _Bits(data[2:])
        small = bits.read(1)
        _read_side(bits, small)
        if bits.read(3) == 0:  # No named ratio of the sides, so the width is written too.
            _read_side(bits, small)
        if not (bits.read(1) and bits.read(1)):
            raise EvaluationError("the JPEG XL file has metadata, whose size is not known")
        return len(data) - 2 - -(-bits.place // 8)

    def library(self) -> str:
        """The names and versions of the libraries, as Pillow or the module tells them."""
        return f"{self._imagecodecs.jpegxl_version()}, imagecodecs {self._imagecodecs.__version__}"


class _Bits:
    """Reads numbers, the lowest bit of a byte first."""

    def __init__(self, data: bytes):
        self._value = int.from_bytes(data[:16], "little")
        self.place = 0

    def read(self, count: int) -> int:
        value = self._value >> self.place & (1 << count) - 1
        self.place += count
        return value


def _read_side(bits: _Bits, small: int) -> None:
    bits.read(5 if small else (9, 13, 18, 30)[bits.read(2)])
