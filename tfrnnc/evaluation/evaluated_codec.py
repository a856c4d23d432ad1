"""What an evaluation needs of a codec."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

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
        packages: of tfrnnc, without which it would not work.
    """

    name: str
    packages: tuple[str, ...]

    def settings(self) -> dict:
        """All that its results depend on beside the image, as JSON takes it."""

    def sweep(self, pixels: np.ndarray) -> list[Coded]:
        """Whole files from the lowest to the highest quality, the same settings for all images."""

    def at_sizes(self, pixels: np.ndarray, targets: Sequence[int]) -> list[Coded]:
        """For each target the code that the paper compares at it, headers not counted."""

    def within(self, pixels: np.ndarray, max_bytes: int) -> Coded:
        """The best whole file of at most so many bytes, or the smallest there is."""


def split_effort(name: str) -> tuple[str, int | None]:
    """A codec and the effort that its name asks for, if any.

    Example:
    >>> split_effort("conv_lstm_small@2"), split_effort("runs/mine")
    (('conv_lstm_small', 2), ('runs/mine', None))
    """
    codec, mark, effort = name.rpartition("@")
    return (codec, int(effort)) if mark and effort.isdecimal() else (name, None)
