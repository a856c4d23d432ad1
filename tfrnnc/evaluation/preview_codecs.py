"""Previews and their rivals, as an evaluation needs them: an image's size is what they show."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfrnnc.evaluation import blurhash, thumbhash
from tfrnnc.evaluation.evaluated_codec import Coded
from tfrnnc.evaluation.measurement import enlarge
from tfrnnc.preview import preview, preview_image
from tfrnnc.preview.codec import FOLDER
from tfrnnc.preview.layout import DECODER_FILE, MAX_BYTES, MIN_BYTES


class PreviewCodec(ABC):
    """A codec of strings; an `EvaluatedCodec` in which all bytes count, the header too.

    What it shows is enlarged to the image, by bicubic interpolation. So images of 32 pixels
    measure the preview itself, and larger ones what a page shows.

    Attributes:
        name, version: see `EvaluatedCodec`.
        sizes: bytes of a sweep; what a codec of one size is asked for does not matter.
    """

    name: str
    version: int = 1
    sizes: Sequence[int] = (0,)

    def __init__(self, name: str):
        self.name = name

    @abstractmethod
    def encode(self, pixels: np.ndarray, size: int) -> tuple[str, int, int]:
        """A string of at most this many bytes if the codec can, its characters and its bytes."""

    @abstractmethod
    def decode(self, text: str) -> np.ndarray:
        """What the string shows, uint8 (H, W, 3)."""

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """What the results depend on, as JSON takes it."""

    def sweep(self, pixels: np.ndarray) -> list[Coded]:
        """A preview of each of `sizes`."""
        return [self.within(pixels, size) for size in self.sizes]

    def at_sizes(self, pixels: np.ndarray, targets: Sequence[int]) -> list[Coded]:
        """A preview of each target, all bytes counted."""
        return [self.within(pixels, target) for target in targets]

    def within(self, pixels: np.ndarray, max_bytes: int) -> Coded:
        """The preview of this many bytes, or the codec's only one."""
        start = time.perf_counter()
        text, characters, size = self.encode(pixels, max_bytes)
        encoded = time.perf_counter()
        shown = self.decode(text)
        decoded = time.perf_counter()
        setting = f"{characters} characters"
        shown = enlarge(shown, pixels.shape)
        return Coded(setting, size, shown, encoded - start, decoded - encoded)


class Preview(PreviewCodec):
    """The `preview` preset."""

    version = 4
    sizes = (8, 12, 16, 24, 32, 48, 64)

    def encode(self, pixels: np.ndarray, size: int) -> tuple[str, int, int]:
        """See `PreviewCodec`."""
        size = min(max(size, MIN_BYTES), MAX_BYTES)
        text = preview(pixels, bytes=size)
        return text, len(text), size

    def decode(self, text: str) -> np.ndarray:
        """See `PreviewCodec`."""
        return np.asarray(preview_image(text))

    def settings(self) -> dict[str, Any]:
        """The checksum of the decoder's weights, and the sizes."""
        checksum = (FOLDER / DECODER_FILE).read_bytes()[-4:][::-1].hex()
        return {"weights_crc32": checksum, "sizes": list(self.sizes)}


class BlurHash(PreviewCodec):
    """BlurHash with 4x3 terms: 28 characters."""

    def encode(self, pixels: np.ndarray, size: int) -> tuple[str, int, int]:
        """See `PreviewCodec`; bytes are those that hold as many states."""
        height, width, _ = pixels.shape
        text = blurhash.encode(pixels, *((4, 3) if width >= height else (3, 4)))
        self._shape = height, width
        return text, len(text), blurhash.information_bytes(text)

    def decode(self, text: str) -> np.ndarray:
        """See `PreviewCodec`; the hash does not know its shape, which the page tells."""
        height, width = self._shape
        scale = 32 / max(height, width)
        return blurhash.decode(text, max(1, round(width * scale)), max(1, round(height * scale)))

    def settings(self) -> dict[str, Any]:
        """The number of terms."""
        return {"terms": [4, 3]}


class ThumbHash(PreviewCodec):
    """ThumbHash: 21 to 25 bytes by the aspect ratio."""

    def encode(self, pixels: np.ndarray, size: int) -> tuple[str, int, int]:
        """See `PreviewCodec`."""
        data = thumbhash.encode(pixels)
        return data.hex(), -(-4 * len(data) // 3), len(data)

    def decode(self, text: str) -> np.ndarray:
        """See `PreviewCodec`."""
        return thumbhash.decode(bytes.fromhex(text))

    def settings(self) -> dict[str, Any]:
        """Nothing can be set."""
        return {}


PREVIEW_CODECS: dict[str, type[PreviewCodec]] = {
    "preview": Preview,
    "blurhash": BlurHash,
    "thumbhash": ThumbHash,
}
