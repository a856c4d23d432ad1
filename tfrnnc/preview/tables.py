"""The tables of a preview's coefficients: scan order, probabilities and reconstruction."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from tfrnnc.preview.layout import (
    BASES,
    BASIS_BITS,
    CLASSES,
    COEFFICIENT_LIMIT,
    COEFFICIENTS,
    CONTEXTS,
    LEVEL_LIMIT,
    LOW,
    SIDE,
    STEPS,
)

#: Neighbours by rows, columns and weight; all of the coefficient's own channel.
_AROUND = ((-1, 0, 2), (0, -1, 2), (-1, -1, 1), (-2, 0, 1), (0, -2, 1), (1, -1, 1), (-1, 1, 1))
_OTHER_CHANNEL = 2  #: weight of the same frequency in a channel before
LEAST_PROBABILITY = 64  #: of 65536; a decision has at least so much of both outcomes


class Tables(NamedTuple):
    """What the coefficients of a preview are read with, all in whole numbers.

    Attributes:
        place: index of each coefficient in scan order, (COEFFICIENTS,): 48 row + 3 column +
            channel, of the LOW x LOW frequencies in Y, Cb, Cr.
        scale: of each coefficient in thirds of an octave, (COEFFICIENTS,).
        step_size: of each step in each channel, (STEPS, 3).
        expected: mean magnitude times 64 by base, (BASES,).
        probability: that a coefficient is 0, its magnitude 1 if not 0, and that it is no greater
            if above 1, of 65536, (BASES, CLASSES, CONTEXTS, 3).
        reconstruction: in 128ths of a step, of magnitude 1 and beyond the magnitude less 1 of the
            others, (BASES, CLASSES, 2).
        basis: of the inverse DCT, (LOW, SIDE): frequency and place.
    """

    place: np.ndarray
    scale: np.ndarray
    step_size: np.ndarray
    expected: np.ndarray
    probability: np.ndarray
    reconstruction: np.ndarray
    basis: np.ndarray

    @property
    def channel(self) -> np.ndarray:
        """Y, Cb or Cr of each coefficient, 0 to 2."""
        return self.place % 3

    def bases(self, step: int | np.ndarray) -> np.ndarray:
        """Each coefficient's base at a step, (..., COEFFICIENTS)."""
        bases: np.ndarray = np.clip(self.scale - np.asarray(step)[..., None], 0, BASES - 1)
        return bases

    def values(self) -> np.ndarray:
        """What quantised coefficients mean, int64 (STEPS, COEFFICIENTS, LEVEL_LIMIT + 1)."""
        classes = np.minimum(self.channel, 1)
        levels = np.arange(LEVEL_LIMIT + 1)
        offset = self.reconstruction.astype(np.int64)[self.bases(np.arange(STEPS)), classes]
        parts = 128 * (levels - 1) + np.where(levels == 1, offset[..., :1], offset[..., 1:])
        sizes = self.step_size.astype(np.int64)[:, self.channel, None]
        values = (sizes * parts + 64) >> 7
        return np.where(levels == 0, 0, np.minimum(values, COEFFICIENT_LIMIT))


#: Types of the tables in the decoder's file, and their shapes.
FIELDS = {
    "place": ("<u2", (COEFFICIENTS,)),
    "scale": ("i1", (COEFFICIENTS,)),
    "step_size": ("<u2", (STEPS, 3)),
    "expected": ("<u2", (BASES,)),
    "probability": ("<u2", (BASES, CLASSES, CONTEXTS, 3)),
    "reconstruction": ("u1", (BASES, CLASSES, 2)),
    "basis": ("<i2", (LOW, SIDE)),
}


def neighbours(place: np.ndarray) -> list[list[tuple[int, int]]]:
    """For each coefficient, the indices and weights of its neighbours that come before it."""
    index = {int(each): number for number, each in enumerate(place)}
    earlier = []
    for number, each in enumerate(place):
        row, column, channel = int(each) // (3 * LOW), int(each) // 3 % LOW, int(each) % 3
        around = [
            (row + down, column + right, channel, weight)
            for down, right, weight in _AROUND
            if 0 <= row + down < LOW and 0 <= column + right < LOW
        ]
        around += [(row, column, other, _OTHER_CHANNEL) for other in range(channel)]
        places = [(index.get(3 * (LOW * r + c) + k, number), weight) for r, c, k, weight in around]
        earlier.append([(other, weight) for other, weight in places if other < number])
    return earlier


@functools.cache
def dct() -> np.ndarray:
    """The orthonormal DCT of SIDE values, its LOW lowest frequencies, float64 (LOW, SIDE)."""
    frequency, place = np.arange(LOW)[:, None], np.arange(SIDE)[None]
    matrix = np.cos(np.pi * (place + 0.5) * frequency / SIDE) / 4
    matrix[0] /= np.sqrt(2)
    return matrix


def integer_basis() -> np.ndarray:
    """`dct` in whole numbers, int16 (LOW, SIDE)."""
    whole: np.ndarray = np.rint(dct() * (1 << BASIS_BITS))
    return whole.astype(np.int16)
