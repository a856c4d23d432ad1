"""Tables of a preview's coefficients from pictures."""

from __future__ import annotations

import numpy as np

from tfrnnc.preview.colour import colour_levels, quantise_colour
from tfrnnc.preview.layout import (
    BASES,
    CLASSES,
    COEFFICIENTS,
    CONTEXTS,
    LEVEL_LIMIT,
    STEPS,
)
from tfrnnc.preview.quantiser import CHANNEL_WEIGHTS, Quantiser, analyse
from tfrnnc.preview.tables import LEAST_PROBABILITY, Tables, integer_basis

RATE = 0.13  #: what a bit costs while tables are fitted, as a part of a step's square
ROUNDS = 4
_FINEST = 88.0  #: step, as error in red, green and blue together
_UNIT_BASE = 13  #: base of a coefficient whose deviation is its step


def fit_tables(pixels: np.ndarray) -> Tables:
    """The tables that pictures say.

    Args:
        pixels: uint8 (N, 32, 32, 3), some thousands.
    """
    analysed = analyse(pixels, colour_levels(quantise_colour(pixels)))
    variance = (analysed**2).mean(0) * np.tile(CHANNEL_WEIGHTS, analysed.shape[1] // 3) ** 2
    place = np.argsort(-variance, kind="stable")[:COEFFICIENTS]
    tables = _first_tables(place, np.sqrt(variance[place]))
    coefficients = np.ascontiguousarray(analysed[:, place].T)
    for _ in range(ROUNDS):
        tables = _refined(tables, coefficients)
    return tables


def _first_tables(place: np.ndarray, deviations: np.ndarray) -> Tables:
    sizes = _FINEST * 2.0 ** (np.arange(STEPS) / 3)
    scale = np.rint(3 * np.log2(deviations / _FINEST)) + _UNIT_BASE
    ratio = 2.0 ** ((np.arange(BASES) - _UNIT_BASE) / 3)
    shares = 1 / (1 + np.stack([1.2 * ratio, 0.7 * ratio, 0.8 * ratio], axis=-1))
    probability = np.broadcast_to(shares[:, None, None], (BASES, CLASSES, CONTEXTS, 3))
    return Tables(
        place.astype(np.uint16),
        scale.astype(np.int8),
        np.rint(sizes[:, None] / CHANNEL_WEIGHTS).astype(np.uint16),
        np.rint(64 * np.minimum(0.7 * ratio, 4)).astype(np.uint16),
        _probabilities(probability),
        np.full((BASES, CLASSES, 2), 128, np.uint8),
        integer_basis(),
    )


def _refined(tables: Tables, coefficients: np.ndarray) -> Tables:
    """The tables that levels say, which were chosen by other tables."""
    quantiser = Quantiser(tables)
    counts = np.zeros((BASES, CLASSES, CONTEXTS, LEVEL_LIMIT + 1))
    sums = np.zeros((BASES, CLASSES, 2, 2))
    for step in range(STEPS):
        steps = np.full(coefficients.shape[1], step)
        quantised = quantiser.quantise(coefficients, steps, np.full(len(steps), RATE, np.float32))
        magnitudes = np.abs(quantised.levels).astype(np.intp)
        for number, base in enumerate(tables.bases(step)):
            channel = tables.channel[number]
            which = (base, min(int(channel), 1))
            size = float(tables.step_size[step, channel])
            cells = (
                quantised.contexts[number].astype(np.intp) * (LEVEL_LIMIT + 1) + magnitudes[number]
            )
            counted = np.bincount(cells, minlength=counts[which].size)
            counts[which] += counted.reshape(counts[which].shape)
            rest = np.abs(coefficients[number]) / size
            ones, more = magnitudes[number] == 1, magnitudes[number] > 1
            sums[which][0] += rest[ones].sum(), ones.sum()
            sums[which][1] += (rest - magnitudes[number] + 1)[more].sum(), more.sum()
    return tables._replace(
        expected=_expected(counts),
        probability=_probabilities(_shares(counts)),
        reconstruction=_reconstruction(sums),
    )


def _expected(counts: np.ndarray) -> np.ndarray:
    by_base = counts.sum((1, 2))
    mean = (by_base @ np.minimum(np.arange(LEVEL_LIMIT + 1), 4)) / np.maximum(by_base.sum(1), 1)
    expected: np.ndarray = np.maximum(np.rint(64 * mean), 1).astype(np.uint16)
    return expected


def _shares(counts: np.ndarray) -> np.ndarray:
    """Shares of both outcomes, drawn towards those of all contexts where few were seen."""
    levels = np.arange(LEVEL_LIMIT + 1)
    more = counts[..., 2:].sum(-1)
    beyond = counts @ np.maximum(levels - 2, 0)
    taken = np.stack([counts[..., 0], counts[..., 1], more], axis=-1)
    refused = np.stack([counts[..., 1:].sum(-1), more, beyond], axis=-1)
    known = (taken + refused).sum(2, keepdims=True)
    overall = (taken.sum(2, keepdims=True) + 0.5) / (known + 1)
    shares: np.ndarray = (taken + 20 * overall) / (taken + refused + 20)
    return shares


def _probabilities(shares: np.ndarray) -> np.ndarray:
    whole = np.rint(shares * 65536)
    probabilities: np.ndarray = np.clip(whole, LEAST_PROBABILITY, 65536 - LEAST_PROBABILITY).astype(
        np.uint16
    )
    return probabilities


def _reconstruction(sums: np.ndarray) -> np.ndarray:
    mean = (sums[..., 0] + 20) / (sums[..., 1] + 20)
    reconstruction: np.ndarray = np.clip(np.rint(128 * mean), 0, 255).astype(np.uint8)
    return reconstruction
