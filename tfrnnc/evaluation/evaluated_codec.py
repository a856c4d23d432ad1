"""What an evaluation needs of a codec."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np


class Coded(NamedTuple):
    """An image at one rate.

    Attributes:
        setting: what the codec was told, for people.
        size: bytes that count.
        picture: what they decode to, uint8 (H, W, 3).
        encode_seconds, decode_seconds: on one thread.
    """

    setting: str
    size: int
    picture: np.ndarray
    encode_seconds: float
    decode_seconds: float


class EvaluatedCodec(Protocol):
    """A codec in its three roles; images are uint8 (H, W, 3).

    Attributes:
        name: short, for tables and files.
        version: of the code that encodes and decodes; results of another version are not taken
            again. Raise it with every change of the codec's bytes or pictures that `settings` does
            not tell.
    """

    name: str
    version: int

    def settings(self) -> dict[str, Any]:
        """All that its results depend on beside the image, as JSON takes it."""

    def sweep(self, pixels: np.ndarray) -> list[Coded]:
        """Whole files from the lowest to the highest quality, the same settings for all images."""

    def at_sizes(self, pixels: np.ndarray, targets: Sequence[int]) -> list[Coded]:
        """For each target the payload that the paper compares at it, headers not counted."""

    def within(self, pixels: np.ndarray, max_bytes: int) -> Coded:
        """The best whole file of at most a number of bytes, or the smallest there is."""
