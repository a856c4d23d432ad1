"""The encoder of previews: levels by rate and distortion, chosen through the exact decoder."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tfrnnc.metrics.ssim import BLOCK, C1, C2
from tfrnnc.preview.colour import colour_levels, quantise_colour
from tfrnnc.preview.decoder import PreviewDecoder
from tfrnnc.preview.layout import HEADER_BYTES, SIDE, STEPS
from tfrnnc.preview.quantiser import analyse
from tfrnnc.preview.text import PreviewData
from tfrnnc.preview.transform import pictures

RATES = (0.07, 0.12, 0.19)  #: what a bit costs, as a part of a step's square
MOVE_RATE = 0.12  #: likewise, of the search
FINALISTS = 2  #: candidates that are coded, at most
ENDING_BITS = 1.0  #: that it takes to settle the last coefficient, about
SSIM_WEIGHT = 0.041  #: of 1 - SSIM beside the mean squared error
#: The same for previews of at most `TINY_BYTES`, which have the structure to lose first.
TINY_SSIM_WEIGHT = 0.08
TINY_BYTES = 16
ROUNDS = 6  #: of the search, at most
MOVES = 96  #: levels that a round changes one at a time, without the network
SHORTLIST = 32  #: of them, that are tried with the network
TOGETHER = (1, 2, 3, 5, 8, 12, 18, 27)  #: of the best of them, that it changes at once
BIT_WORTH = 0.001  #: of the objective, that a bit is worth where moves are compared
_BLOCKS = SIDE // BLOCK


class PreviewEncoder:
    """Pixels to previews; threads may share it.

    Args:
        decoder: that candidates are compared through.
    """

    def __init__(self, decoder: PreviewDecoder):
        self._decoder = decoder

    def encode(self, pixels: np.ndarray, width: int, height: int, size: int) -> PreviewData:
        """The preview of a picture.

        Args:
            pixels: uint8 (32, 32, 3).
            width: of the preview's picture.
            height: likewise; one of the two is 32.
            size: bytes of the preview.
        """
        colour = quantise_colour(pixels[None])[0]
        empty = PreviewData(width, height, colour, 0, bytes(size - HEADER_BYTES))
        if size == HEADER_BYTES:
            return empty
        search = _Search(self._decoder, pixels, colour_levels(colour[None]), size)
        best, least = empty, np.inf
        for finalist in search.finalists():
            payload = self._decoder.coder.encode(
                finalist.levels, finalist.step, size - HEADER_BYTES
            )
            preview = PreviewData(width, height, colour, finalist.step, payload)
            cost = search.objective.costs(self._decoder.decode(preview)[None])[0]
            if cost < least:
                best, least = preview, cost
            if cost <= finalist.cost:
                break  # All levels have found room.
        return best


class _Candidate(NamedTuple):
    """Levels that a search has tried.

    Attributes:
        levels: whole numbers (COEFFICIENTS,).
        step: index of their step.
        shown: what they decode to, uint8 (32, 32, 3).
        cost: by the objective.
    """

    levels: np.ndarray
    step: int
    shown: np.ndarray
    cost: float


class _Search:
    """The search for the levels of one picture.

    Args:
        decoder: that candidates are compared through.
        pixels: uint8 (32, 32, 3).
        average: levels of the average colour, (1, 3).
        size: bytes of the preview.
    """

    def __init__(self, decoder: PreviewDecoder, pixels: np.ndarray, average: np.ndarray, size: int):
        self.objective = Objective(pixels, ssim_weight(size))
        self._decoder = decoder
        self._quantiser = decoder.quantiser
        self._coefficients = analyse(pixels[None], average)[0, decoder.tables.place]
        self._average = average
        self._size = size

    def finalists(self) -> list[_Candidate]:
        """The best found, and the best begun with."""
        steps = np.repeat(np.arange(STEPS), len(RATES))
        rates = np.tile(np.array(RATES, np.float32), STEPS)
        columns = np.repeat(self._coefficients[:, None], len(steps), axis=1)
        levels = self._quantiser.quantise(columns, steps, rates).levels.T
        begun = self._evaluate(levels, steps)
        order = np.argsort([candidate.cost for candidate in begun], kind="stable")[:FINALISTS]
        best, improved = begun[order[0]], []
        for _ in range(ROUNDS):
            better = self._improved(best)
            if better.cost >= best.cost:
                break
            best = better
            improved.append(best)
        return (improved[::-1] + [begun[index] for index in order])[:FINALISTS]

    def _evaluate(self, levels: np.ndarray, steps: np.ndarray) -> list[_Candidate]:
        """As many of the levels (N, COEFFICIENTS) as fit, decoded."""
        fitting = self._fitting(levels, steps)
        average = np.broadcast_to(self._average, (len(levels), 3))
        shown = self._decoder.decode_levels(fitting, steps, average, self._size)
        costs = self.objective.costs(shown)
        return list(map(_Candidate, fitting, steps.tolist(), shown, costs.tolist()))

    def _fitting(self, levels: np.ndarray, steps: np.ndarray) -> np.ndarray:
        spent = np.cumsum(self._quantiser.bits(levels, steps), axis=1)
        return np.where(spent <= 8 * (self._size - HEADER_BYTES) - ENDING_BITS, levels, 0)

    def _improved(self, best: _Candidate) -> _Candidate:
        """The best of some changes together, after all have been tried by themselves."""
        others, penalties = self._quantiser.moves(
            self._coefficients, best.levels, best.step, MOVE_RATE
        )
        places = np.argsort(penalties, kind="stable")[:MOVES]
        alone = _changed(best.levels, places, others)
        worth = self._worth(alone, self._estimated_costs(alone, best), best)
        shortlist = np.argsort(-worth, kind="stable")[:SHORTLIST]
        places, alone = places[shortlist], alone[shortlist]
        costs = [candidate.cost for candidate in self._evaluate(alone, _steps(alone, best))]
        places = places[np.argsort(-self._worth(alone, np.array(costs), best), kind="stable")]
        together = np.repeat(best.levels[None], len(TOGETHER), axis=0)
        for row, count in zip(together, TOGETHER, strict=True):
            row[places[:count]] = others[places[:count]]
        return min(self._evaluate(together, _steps(together, best)), key=lambda tried: tried.cost)

    def _worth(self, levels: np.ndarray, costs: np.ndarray, best: _Candidate) -> np.ndarray:
        """How much better levels (N, COEFFICIENTS) are than the best so far, bits included."""
        before = self._quantiser.bits(best.levels[None], np.array([best.step])).sum()
        bits = self._quantiser.bits(levels, _steps(levels, best)).sum(1) - before
        worth: np.ndarray = best.cost - costs - BIT_WORTH * bits
        return worth

    def _estimated_costs(self, levels: np.ndarray, best: _Candidate) -> np.ndarray:
        """What levels cost that are near the best ones, if the network adds what it adds there.

        That spares running the network, which takes long.
        """
        fitting = self._fitting(levels, _steps(levels, best))
        both = np.concatenate([best.levels[None], fitting])
        values = self._quantiser.dequantise(both, _steps(both, best))
        average = np.broadcast_to(self._average, (len(both), 3))
        decoded = pictures(values, average, self._decoder.tables).astype(np.int16)
        return self.objective.costs(np.clip(decoded[1:] - decoded[0] + best.shown, 0, 255))


def _steps(levels: np.ndarray, best: _Candidate) -> np.ndarray:
    return np.full(len(levels), best.step)


def _changed(levels: np.ndarray, places: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Levels with one of them changed, at each place in turn, (places, COEFFICIENTS)."""
    changed = np.repeat(levels[None], len(places), axis=0)
    changed[np.arange(len(places)), places] = others[places]
    return changed


def ssim_weight(size: int) -> float:
    """The weight of 1 - SSIM in the objective, for a preview of this many bytes."""
    return TINY_SSIM_WEIGHT if size <= TINY_BYTES else SSIM_WEIGHT


class Objective:
    """How far pictures are from one original: ln(mean squared error + weight * (1 - SSIM)).

    Args:
        pixels: the original, uint8 (32, 32, 3).
        weight: see `ssim_weight`.
    """

    def __init__(self, pixels: np.ndarray, weight: float):
        self._weight = weight
        blocks = _blocks(pixels[None])[0]
        self._mean = blocks.mean(1)
        self._centred = blocks - self._mean[:, None]
        self._variance = (self._centred**2).mean(1)

    def costs(self, shown: np.ndarray) -> np.ndarray:
        """The cost of each picture, levels (N, 32, 32, 3) to floats (N,)."""
        # Less the original's means, so that float32 holds the squares.
        blocks = _blocks(shown) - self._mean[:, None]
        mean = blocks.mean(2)
        variance = np.einsum("nbk,nbk->nb", blocks, blocks) / BLOCK**2 - mean**2
        covariance = np.einsum("nbk,bk->nb", blocks, self._centred) / BLOCK**2
        error = variance + self._variance - 2 * covariance + mean**2
        mean += self._mean
        luminance = (2 * mean * self._mean + C1) / (mean**2 + self._mean**2 + C1)
        structure = (2 * covariance + C2) / (variance + self._variance + C2)
        similarity = (luminance * structure).mean(1)
        error = error.mean(1) / 255**2 + self._weight * (1 - similarity)
        costs: np.ndarray = np.log(error + 1e-9)
        return costs


def _blocks(shown: np.ndarray) -> np.ndarray:
    """Pictures as float32 (N, blocks and channels, pixels of a block)."""
    blocks = shown.reshape(-1, _BLOCKS, BLOCK, _BLOCKS, BLOCK, 3).transpose(0, 1, 3, 5, 2, 4)
    return blocks.astype(np.float32).reshape(len(shown), -1, BLOCK * BLOCK)
