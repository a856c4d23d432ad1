"""An encoder that searches: bits the other way, where the picture gains from it.

The model's own encoder takes the sign of each logit. Of the bits whose logits are nearest to zero
many do better the other way: the search tries them and keeps those that help. Any decoder reads the
result.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tfrnnc.bitstream import EntropyModel
from tfrnnc.bitstream.constants import CERTAIN
from tfrnnc.bitstream.probabilities import COST_OF_ONE
from tfrnnc.images import SCALE, to_float
from tfrnnc.metrics.ssim import BLOCK, block_ssim_map, block_sums
from tfrnnc.runtimes.residual_loop import Decoded, DecodePlane

#: Blocks at this distance, in both directions, are tried at once: what a bit does fades with it.
SPACING = 3
NO_BIT = -1  #: in place of a bit, where a block at the edge has fewer of them

_LEVELS_PER_UNIT = 255 / (2 * SCALE)


@dataclass(frozen=True)
class Aim:
    """What a search looks for.

    Attributes:
        ssim_weight: of 1 - SSIM beside the squared error.
        rate_weight: a bit of payload is worth this share of what the picture lacks in a block, in
            the mean.
    """

    ssim_weight: float
    rate_weight: float


class BitSearch:
    """Improves the planes of an image.

    The image is divided into blocks of 8x8 pixels, or more if the model's stride asks for it. In
    each block the bits with the least certain logits are tried. Blocks far enough from each other
    are tried at once, so that large images take no more trials than small ones.

    Args:
        pixels: the image, uint8 (H, W, 3).
        stride: of the model.
        effort: how many bits of each block are tried, in each iteration.
        aim: what is better.
        entropy_model: if the bits will be coded with one, so that what they cost counts too.
    """

    def __init__(
        self,
        pixels: np.ndarray,
        stride: int,
        effort: int,
        aim: Aim,
        entropy_model: EntropyModel | None = None,
    ):
        self._pixels, self._image = pixels, to_float(pixels)
        self._stride, self._effort, self._aim = stride, effort, aim
        self._block = math.lcm(stride, BLOCK)
        self._entropy_model = entropy_model
        self._planes: list[np.ndarray] = []

    def improve(
        self, plane: np.ndarray, logits: np.ndarray, decode: DecodePlane
    ) -> tuple[np.ndarray, Decoded]:
        """Improves the plane of the next iteration.

        Args:
            plane: int8 (h, w, bits), the signs of the logits.
            logits: float32 (h, w, bits).
            decode: takes a plane and returns the reconstruction, float32 (H', W', 3) with H' and
                W' of at least the image's size, and the decoder's new states.

        Returns:
            the pair (plane, decoded), where decoded is what `decode` returns for it.
        """
        decoded = decode(plane)
        costs = self._costs(decoded[0])
        candidates = self._candidates(logits)
        prices = self._aim.rate_weight * costs.mean() * self._bits_more(plane)
        rows, columns, ranks = candidates.shape
        for rank in range(ranks):
            for row in range(min(SPACING, rows)):
                for column in range(min(SPACING, columns)):
                    sites = np.s_[row::SPACING, column::SPACING]
                    tried = candidates[sites][..., rank]
                    trial = self._try(plane, costs, tried, sites, prices, decode)
                    if trial is not None:
                        plane, decoded, costs = trial
        self._planes.append(plane)
        return plane, decoded

    def _try(
        self,
        plane: np.ndarray,
        costs: np.ndarray,
        tried: np.ndarray,
        sites: tuple[slice, slice],
        prices: np.ndarray,
        decode: DecodePlane,
    ) -> tuple[np.ndarray, Decoded, np.ndarray] | None:
        """Flips bits where that helps.

        Args:
            plane: the best so far, int8 (h, w, bits).
            costs: of its picture, for each block.
            tried: places of bits in the plane, one in each block of `sites`.
            sites: some of the blocks.
            prices: of the bits that each bit of the plane takes more the other way.
            decode: as for `improve`.

        Returns:
            the better plane, what it decodes to, and its costs; None if there is none.
        """
        there = tried != NO_BIT
        trial = _flipped(plane, tried[there])
        decoded = decode(trial)
        trial_costs = self._costs(decoded[0])
        gains = -_around(trial_costs - costs)[sites][there] > prices.ravel()[tried[there]]
        if not gains.any():
            return None
        turned = tried[there][gains]
        if not gains.all():
            trial = _flipped(plane, turned)
            decoded = decode(trial)
            trial_costs = self._costs(decoded[0])
        change = trial_costs.sum() - costs.sum() + prices.ravel()[turned].sum()
        return (trial, decoded, trial_costs) if change < 0 else None

    def _bits_more(self, plane: np.ndarray) -> np.ndarray:
        """How many more bits of payload each bit of a plane would take the other way, (h, w, bits).

        What it does to the cost of the bits after it is left out.
        """
        if self._entropy_model is None:
            return np.zeros(plane.shape)
        probabilities = self._entropy_model.probabilities(self._planes, plane).astype(np.int32)
        return np.asarray(
            plane * (COST_OF_ONE[CERTAIN - probabilities] - COST_OF_ONE[probabilities])
        )

    def _candidates(self, logits: np.ndarray) -> np.ndarray:
        """For each block the places of its least certain bits in the plane, or `NO_BIT`."""
        height, width, bits = logits.shape
        ratio = self._block // self._stride
        rows, columns = -(-height // ratio), -(-width // ratio)
        padding = ((0, rows * ratio - height), (0, columns * ratio - width), (0, 0))
        certainty = np.pad(np.abs(logits), padding, constant_values=np.inf)
        places = np.pad(
            np.arange(logits.size).reshape(logits.shape), padding, constant_values=NO_BIT
        )

        def by_block(values: np.ndarray) -> np.ndarray:
            blocks = values.reshape(rows, ratio, columns, ratio, bits).swapaxes(1, 2)
            return blocks.reshape(rows, columns, -1)

        order = np.argsort(by_block(certainty), axis=2, kind="stable")[..., : self._effort]
        return np.take_along_axis(by_block(places), order, axis=2)

    def _costs(self, reconstruction: np.ndarray) -> np.ndarray:
        """What the picture lacks in each block, floats (rows, columns)."""
        height, width, _ = self._image.shape
        picture = np.clip(reconstruction[:height, :width], -SCALE, SCALE)
        error = block_sums(np.square(self._image - picture), BLOCK).sum(axis=2) / (3 * BLOCK**2)
        levels = (picture + SCALE) * _LEVELS_PER_UNIT
        dissimilarity = 1 - block_ssim_map(self._pixels, levels).mean(axis=2)
        return block_sums(error + self._aim.ssim_weight * dissimilarity, self._block // BLOCK)


def _flipped(plane: np.ndarray, places: np.ndarray) -> np.ndarray:
    flipped = plane.copy()
    flipped.ravel()[places] *= -1
    return flipped


def _around(values: np.ndarray) -> np.ndarray:
    """The sum of each block and the eight around it."""
    padded = np.pad(values, 1)
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    return np.asarray(rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:])
