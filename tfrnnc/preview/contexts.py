"""The contexts of a preview's coefficients, by whole numbers alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tfrnnc.preview.layout import COEFFICIENTS, GLOBAL_CONTEXTS, STEPS
from tfrnnc.preview.tables import Tables, neighbours

MAGNITUDE_LIMIT = 4  #: of a coefficient, where it counts as a neighbour
UNIT = 64  #: a magnitude of 1
LOCAL_START, GLOBAL_START = 10, 128  #: of both sums of a context
#: Contexts begin where the sum of magnitudes is so much of what is expected.
LOCAL_RATIOS = ((1, 4), (7, 10), (7, 5), (5, 2))
GLOBAL_RATIOS = ((3, 4), (5, 4))


class Contexts(NamedTuple):
    """Where contexts begin, by step.

    Attributes:
        neighbours: indices of each coefficient's neighbours, and their weights.
        local: sums of the neighbours' magnitudes, int64 (STEPS, COEFFICIENTS, 4).
        all_before: sums of all magnitudes before, int64 (STEPS, COEFFICIENTS, 2).
    """

    neighbours: list[tuple[np.ndarray, np.ndarray]]
    local: np.ndarray
    all_before: np.ndarray


def context_limits(tables: Tables) -> Contexts:
    """The limits that the tables say."""
    expected = tables.expected.astype(np.int64)[tables.bases(np.arange(STEPS))]
    around = neighbours(tables.place)
    weights = np.zeros((COEFFICIENTS, COEFFICIENTS), np.int64)
    for number, pairs in enumerate(around):
        for other, weight in pairs:
            weights[number, other] = weight
    local = expected @ weights.T + LOCAL_START
    before = np.cumsum(expected, axis=1) - expected + GLOBAL_START
    return Contexts(
        [
            (
                np.array([other for other, _ in pairs], np.intp),
                np.array([weight for _, weight in pairs], np.float32),
            )
            for pairs in around
        ],
        _limits(local, LOCAL_RATIOS) - LOCAL_START,
        _limits(before, GLOBAL_RATIOS) - GLOBAL_START,
    )


def _limits(expected: np.ndarray, ratios: Sequence[tuple[int, int]]) -> np.ndarray:
    """The least whole sums that reach the ratios."""
    return np.stack([-(-above * expected // below) for above, below in ratios], axis=-1)


class ContextTracker:
    """The contexts of many previews at once, coefficient after coefficient.

    Args:
        contexts: the limits.
        steps: index of the step of each preview, (N,).
    """

    def __init__(self, contexts: Contexts, steps: np.ndarray):
        self._neighbours = contexts.neighbours
        self._local = _by_coefficient(contexts.local, steps)
        self._before = _by_coefficient(contexts.all_before, steps)
        self._magnitudes = np.zeros((COEFFICIENTS, len(steps)), np.float32)
        self._sum = np.zeros(len(steps), np.float32)

    def context(self, number: int) -> np.ndarray:
        """The contexts of a coefficient, those before it being known, int64 (N,)."""
        others, weights = self._neighbours[number]
        around = weights @ self._magnitudes[others] if len(others) else np.float32(0)
        local = (self._local[number] <= around).sum(0)
        contexts: np.ndarray = GLOBAL_CONTEXTS * local + (self._before[number] <= self._sum).sum(0)
        return contexts

    def add(self, number: int, magnitudes: np.ndarray) -> None:
        """Says what a coefficient is."""
        limited = np.minimum(magnitudes, MAGNITUDE_LIMIT)
        self._magnitudes[number] = limited
        self._sum += limited


def _by_coefficient(limits: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Limits in magnitudes, which float32 holds exactly: (COEFFICIENTS, number, N)."""
    return np.ascontiguousarray(limits[steps].transpose(1, 2, 0), np.float32) / np.float32(UNIT)
