"""Where an iteration is taken: a bit for each location, coded by what its neighbours do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tfrnnc.bitstream.range_coder import EVEN

SHIFT = 5  #: a probability goes this part of the way, 1 in 2^SHIFT, to what was seen


class MaskCoder:
    """Probabilities that locations go on, which learn from the masks of one stream.

    A location's probability is that of how many of its neighbours to the left and above go on.
    """

    def __init__(self):
        self._probabilities = [EVEN] * 3

    def code(
        self, before: np.ndarray, next_bit: Callable[[int, int, int], int | None]
    ) -> np.ndarray | None:
        """Codes a mask, location by location, row by row.

        Args:
            before: bool (h, w), which locations took the iteration before; the others have no bit.
            next_bit: takes row, column and the probability of a 1, times 65536; returns the bit,
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
                    found = next_bit(row, column, probability)
                    if found is None:
                        return None
                    bit = found
                    if bit:
                        probabilities[context] += (65536 - probability) >> SHIFT
                    else:
                        probabilities[context] -= probability >> SHIFT
                left = above[column] = bit
            mask[row] = above
        return mask
