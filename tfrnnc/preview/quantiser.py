"""Rate-distortion optimised quantisation of a preview's coefficients."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tfrnnc.preview.contexts import MAGNITUDE_LIMIT, UNIT, ContextTracker, context_limits
from tfrnnc.preview.layout import (
    CLASSES,
    COEFFICIENTS,
    CONTEXTS,
    GLOBAL_CONTEXTS,
    LEVEL_LIMIT,
    LOW,
    STEPS,
)
from tfrnnc.preview.tables import Tables, dct

_LUMA = np.array([0.299, 0.587, 0.114])
FROM_RGB = np.stack([_LUMA, ([0, 0, 1] - _LUMA) / 1.772, ([1, 0, 0] - _LUMA) / 1.402])
TO_RGB = np.linalg.inv(FROM_RGB)
#: A unit of a channel is so much error in red, green and blue together.
CHANNEL_WEIGHTS = np.sqrt((TO_RGB**2).sum(0))


def analyse(pixels: np.ndarray, average: np.ndarray) -> np.ndarray:
    """The lowest frequencies of pictures less their average colours, in Y, Cb and Cr.

    Args:
        pixels: uint8 (N, 32, 32, 3).
        average: int32 (N, 3) from `colour_levels`.

    Returns:
        float32 (N, LOW * LOW * 3).
    """
    channels = pixels.astype(np.float32) @ FROM_RGB.T.astype(np.float32)
    channels -= average[:, None, None].astype(np.float32)
    matrix = dct().astype(np.float32)
    columns = np.einsum("ri,nijc->nrjc", matrix, channels, optimize=True)
    both: np.ndarray = np.einsum("nrjc,kj->nrkc", columns, matrix, optimize=True)
    return both.reshape(len(pixels), 3 * LOW * LOW)


class Quantised(NamedTuple):
    """Quantised coefficients, in scan order.

    Attributes:
        levels: int16 (COEFFICIENTS, N).
        bits: what each costs, float32 (COEFFICIENTS, N).
        contexts: each one's, int8 (COEFFICIENTS, N).
    """

    levels: np.ndarray
    bits: np.ndarray
    contexts: np.ndarray


class Quantiser:
    """Chooses levels by their error and their cost in bits; threads may share it.

    Args:
        tables: of the decoder.
    """

    def __init__(self, tables: Tables):
        self.tables = tables
        self.contexts = context_limits(tables)
        weights = CHANNEL_WEIGHTS[tables.channel]
        self.weights = weights.astype(np.float32)
        self.values = tables.values()
        self._weighted_values = (self.values * weights[:, None]).astype(np.float32)
        self._sizes = (tables.step_size[:, tables.channel] * weights).astype(np.float32)
        self._bases = tables.bases(np.arange(STEPS))
        self._rows = self._bases * CLASSES + np.minimum(tables.channel, 1)
        self._costs = _level_costs(tables)
        self._around = np.zeros((COEFFICIENTS, COEFFICIENTS), np.float32)
        for number, (others, weights) in enumerate(self.contexts.neighbours):
            self._around[others, number] = weights

    def quantise(self, coefficients: np.ndarray, steps: np.ndarray, rates: np.ndarray) -> Quantised:
        """The levels of coefficients.

        Args:
            coefficients: in scan order, float32 (COEFFICIENTS, N).
            steps: index of each one's step, (N,).
            rates: what a bit costs, as a part of a step's square, float32 (N,).
        """
        targets = np.abs(coefficients) * self.weights[:, None]
        shape = targets.shape
        quantised = Quantised(
            np.zeros(shape, np.int16), np.zeros(shape, np.float32), np.zeros(shape, np.int8)
        )
        tracker = ContextTracker(self.contexts, steps)
        columns = np.arange(shape[1])
        for number in range(COEFFICIENTS):
            target, size = targets[number], self._sizes[steps, number]
            price = rates * size * size
            contexts = tracker.context(number)
            nearest = np.minimum(np.rint(target / size), LEVEL_LIMIT).astype(np.intp)
            levels = np.stack([np.zeros_like(nearest), np.maximum(nearest - 1, 0), nearest])
            bits = self._costs[self._rows[steps, number] * CONTEXTS + contexts, levels]
            error = target - self._weighted_values[steps, number, levels]
            best = np.argmin(error * error + price * bits, axis=0)
            chosen = levels[best, columns]
            quantised.levels[number], quantised.bits[number] = chosen, bits[best, columns]
            quantised.contexts[number] = contexts
            tracker.add(number, chosen)
        quantised.levels[:] *= np.sign(coefficients).astype(np.int16)
        return quantised

    def cost_rows(self, levels: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """Where each coefficient's costs stand in `costs`, (N, COEFFICIENTS).

        Args:
            levels: whole numbers (N, COEFFICIENTS).
            steps: indices of their steps, (N,).
        """
        magnitudes = np.minimum(np.abs(levels), MAGNITUDE_LIMIT).astype(np.float32)
        near = magnitudes @ self._around
        before = np.cumsum(magnitudes, axis=1) - magnitudes
        limits = self.contexts
        local = (limits.local[steps] <= UNIT * near[..., None]).sum(-1)
        all_before = (limits.all_before[steps] <= UNIT * before[..., None]).sum(-1)
        rows: np.ndarray = self._rows[steps] * CONTEXTS + GLOBAL_CONTEXTS * local + all_before
        return rows

    def bits(self, levels: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """What each coefficient costs, float32 (N, COEFFICIENTS); arguments as before."""
        bits: np.ndarray = self._costs[self.cost_rows(levels, steps), np.abs(levels)]
        return bits

    def moves(
        self, coefficients: np.ndarray, levels: np.ndarray, step: int, rate: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """The second best level of each coefficient, all others being as they are.

        Args:
            coefficients: float32 (COEFFICIENTS,).
            levels: int16 (COEFFICIENTS,).
            step: index of the step.
            rate: what a bit costs, as a part of a step's square.

        Returns:
            levels, int16 (COEFFICIENTS,), and how much worse they are, in squared steps.
        """
        rows = self.cost_rows(levels[None], np.array([step]))[0]
        signs = np.where(levels == 0, np.where(coefficients < 0, -1, 1), np.sign(levels))
        magnitudes = np.abs(levels).astype(np.intp)
        tried = np.clip(magnitudes + np.array([[-1], [0], [1]]), 0, LEVEL_LIMIT)
        numbers = np.arange(COEFFICIENTS)
        sizes = self._sizes[step]
        error = self.weights * coefficients - signs * self._weighted_values[step, numbers, tried]
        costs = (error / sizes) ** 2 + rate * self._costs[rows, tried]
        costs[(tried == magnitudes) & (np.arange(3) != 1)[:, None]] = np.inf
        best = np.where(costs[0] < costs[2], 0, 2)
        penalty = costs[best, numbers] - costs[1]
        return (signs * tried[best, numbers]).astype(np.int16), penalty

    def dequantise(self, levels: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """Whole coefficients, int64 (N, COEFFICIENTS), of levels (N, COEFFICIENTS)."""
        magnitudes = np.abs(levels).astype(np.intp)
        values = self.values[steps[:, None], np.arange(COEFFICIENTS)[None], magnitudes]
        coefficients: np.ndarray = np.sign(levels) * values
        return coefficients


def _level_costs(tables: Tables) -> np.ndarray:
    """Bits of each magnitude, float32 (BASES * CLASSES * CONTEXTS, LEVEL_LIMIT + 1)."""
    share = tables.probability.reshape(-1, 3) / 65536
    taken, refused = -np.log2(share), -np.log2(1 - share)
    costs = np.empty((len(share), LEVEL_LIMIT + 1))
    costs[:, 0] = taken[:, 0]
    costs[:, 1] = refused[:, 0] + 1 + taken[:, 1]
    more = refused[:, 0] + 1 + refused[:, 1]
    costs[:, 2:] = more[:, None] + np.arange(LEVEL_LIMIT - 1) * refused[:, 2:]
    costs[:, 2:LEVEL_LIMIT] += taken[:, 2:]
    return costs.astype(np.float32)
