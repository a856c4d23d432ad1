"""What the classic codecs share: one picture, one quality, one file."""

from __future__ import annotations

import io
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, features

from tfrnnc.evaluation.evaluated_codec import Coded

#: Qualities are tried in rising order, up to a file this many times the largest target.
_ENOUGH = 2


class ClassicCodec(ABC):
    """A codec that makes one file for one quality; an `EvaluatedCodec`.

    Attributes:
        name, version: see `EvaluatedCodec`.
        unit: of the qualities, for people: "{} dB".
        qualities: every quality that is tried to meet a size, the lowest first.
        sweep_qualities: those of a sweep, the lowest first.
        options: what else the encoder is told.
    """

    name: str
    version: int = 1
    unit: str
    qualities: Sequence[float]
    sweep_qualities: Sequence[float]
    options: dict[str, Any]

    @abstractmethod
    def encode(self, pixels: np.ndarray, quality: float, headerless: bool = False) -> bytes:
        """A file of the image; `headerless` if only its `payload_bytes` will count."""

    @abstractmethod
    def payload_bytes(self, data: bytes) -> int:
        """Bytes of a file without its headers, as the paper counts them."""

    @abstractmethod
    def library(self) -> str:
        """The library that does the work, and its version, for people."""

    def decode(self, data: bytes) -> np.ndarray:
        """The picture in a file, uint8 (H, W, 3)."""
        with Image.open(io.BytesIO(data)) as picture:
            return np.asarray(picture.convert("RGB"))

    def settings(self) -> dict[str, Any]:
        """The library, its options and the qualities, as JSON takes them."""
        return {
            "library": self.library(),
            "options": self.options,
            "qualities": list(self.qualities),
            "sweep": list(self.sweep_qualities),
        }

    def sweep(self, pixels: np.ndarray) -> list[Coded]:
        """Whole files of `sweep_qualities`, from the lowest to the highest."""
        return [
            self._coded(quality, data, len(data), seconds)
            for quality in self.sweep_qualities
            for data, seconds in [self._timed(pixels, quality)]
        ]

    def at_sizes(self, pixels: np.ndarray, targets: Sequence[int]) -> list[Coded]:
        """The smallest file not under each target, headers not counted (section 4.2).

        Where no quality gives as many bytes, the largest file.
        """
        tried = []
        for quality in self.qualities:
            data, seconds = self._timed(pixels, quality, headerless=True)
            tried.append((self.payload_bytes(data), quality, data, seconds))
            if tried[-1][0] >= _ENOUGH * max(targets):
                break
        chosen = []
        for target in targets:
            fitting = [each for each in tried if each[0] >= target] or [max(tried, key=_size)]
            size, quality, data, seconds = min(fitting, key=_size)
            chosen.append(self._coded(quality, data, size, seconds))
        return chosen

    def within(self, pixels: np.ndarray, max_bytes: int) -> Coded:
        """The highest quality whose file has at most a number of bytes, or else the lowest."""
        data, seconds = self._timed(pixels, self.qualities[0])
        best = self.qualities[0], data, seconds
        low, high = 0, len(self.qualities)
        while high - low > 1:
            middle = (low + high) // 2
            data, seconds = self._timed(pixels, self.qualities[middle])
            if len(data) <= max_bytes:
                best, low = (self.qualities[middle], data, seconds), middle
            else:
                high = middle
        quality, data, seconds = best
        return self._coded(quality, data, len(data), seconds)

    def _timed(
        self, pixels: np.ndarray, quality: float, headerless: bool = False
    ) -> tuple[bytes, float]:
        start = time.perf_counter()
        data = self.encode(pixels, quality, headerless)
        return data, time.perf_counter() - start

    def _coded(self, quality: float, data: bytes, size: int, seconds: float) -> Coded:
        start = time.perf_counter()
        picture = self.decode(data)
        decoding = time.perf_counter() - start
        return Coded(self.unit.format(quality), size, picture, seconds, decoding)


def save(pixels: np.ndarray, kind: str, **options: Any) -> bytes:
    """A file as Pillow writes it."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def pillow_library(feature: str, name: str) -> str:
    """The version of a library within Pillow, and Pillow's own."""
    return f"{name} {features.version(feature)}, Pillow {features.version('pil')}"


def _size(entry: tuple[int, float, bytes, float]) -> int:
    return entry[0]
