"""Where an iteration is taken: a bit for each location, coded by what its neighbours do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tfrnnc.bitstream.constants import CERTAIN, EVEN, MASK_SHIFT


class MaskCoder:
    """Probabilities that locations go on, which learn from the masks of one stream.

    A location's probability is that of how many of its neighbours to the left and above go on.
    """

    def __init__(self) -> None:
        self._probabilities = [EVEN] * 3

    def copy(self) -> MaskCoder:
        """Another one, which goes on from here by itself."""
        copied = MaskCoder()
        copied._probabilities = list(self._probabilities)
        return copied

    def code(
        self, before: np.ndarray, next_bit: Callable[[int, int, int], int | None]
    ) -> np.ndarray | None:
        """Codes a mask, location by location, row by row.

        Args:
            before: bool (h, w), which locations took the iteration before; the others have no bit.
            next_bit: takes row, column and the probability of a 1, of `CERTAIN`; returns the bit,
                or None if there is no more.

        Returns:
            bool (h, w), which locations go on; None if `next_bit` gave None.
        """
        height, width = before.shape
        probabilities = self._probabilities
        mask = np.zeros((height, width), bool)
        above = [0] * width
        for row in range(height):
            left = 0
            for column, took in enumerate(before[row].tolist()):
                bit = 0
                if took:
                    context = left + above[column]
                    probability = probabilities[context]
                    decoded = next_bit(row, column, probability)
                    if decoded is None:
                        return None
                    bit = decoded
                    if bit:
                        probabilities[context] += (CERTAIN - probability) >> MASK_SHIFT
                    else:
                        probabilities[context] -= probability >> MASK_SHIFT
                left = above[column] = bit
            mask[row] = above
        return mask
