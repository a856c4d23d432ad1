"""The encoder of previews: levels by rate and distortion, chosen through the exact decoder."""

from __future__ import annotations

import numpy as np

from tfrnnc.metrics.ssim import BLOCK, C1, C2
from tfrnnc.preview.colour import colour_levels, quantise_colour
from tfrnnc.preview.decoder import PreviewDecoder
from tfrnnc.preview.layout import HEADER_BYTES, SIDE, STEPS
from tfrnnc.preview.quantiser import analyse
from tfrnnc.preview.text import PreviewData

RATES = (0.07, 0.12, 0.19)  #: what a bit costs, as a part of a step's square
MOVE_RATE = 0.12  #: likewise, of the search
FINALISTS = 2  #: candidates that are coded
ENDING_BITS = 1.0  #: that it takes to settle the last coefficient, about
SSIM_WEIGHT = 0.02  #: of 1 - SSIM beside the mean squared error
ROUNDS = 2  #: of the search
MOVES = 48  #: levels that a round changes one at a time
TOGETHER = (1, 2, 3, 5, 8, 12, 18, 27)  #: of the best of them, that it changes at once
BIT_WORTH = 0.003  #: of the objective, that a bit is worth where moves are compared
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
        for levels, step in search.finalists():
            payload = self._decoder.coder.encode(levels, step, size - HEADER_BYTES)
            preview = PreviewData(width, height, colour, step, payload)
            cost = search.objective.costs(self._decoder.decode(preview)[None])[0]
            if cost < least:
                best, least = preview, cost
        return best


class _Search:
    """The search for the levels of one picture.

    Args:
        decoder: that candidates are compared through.
        pixels: uint8 (32, 32, 3).
        average: levels of the average colour, (1, 3).
        size: bytes of the preview.
    """

    def __init__(self, decoder: PreviewDecoder, pixels: np.ndarray, average: np.ndarray, size: int):
        self.objective = Objective(pixels)
        self._decoder = decoder
        self._quantiser = decoder.quantiser
        self._coefficients = analyse(pixels[None], average)[0, decoder.tables.place]
        self._average = average
        self._size = size

    def finalists(self) -> list[tuple[np.ndarray, int]]:
        """Levels (COEFFICIENTS,) and their step: the best found, and the best begun with."""
        steps = np.repeat(np.arange(STEPS), len(RATES))
        rates = np.tile(np.array(RATES, np.float32), STEPS)
        columns = np.repeat(self._coefficients[:, None], len(steps), axis=1)
        levels = self._quantiser.quantise(columns, steps, rates).levels.T
        levels, costs = self._evaluate(levels, steps)
        order = np.argsort(costs, kind="stable")[:FINALISTS]
        best, step, least = levels[order[0]], int(steps[order[0]]), costs[order[0]]
        found = []
        for _ in range(ROUNDS):
            better, cost = self._improved(best, step, least)
            if cost >= least:
                break
            best, least = better, cost
            found.append((best, step))
        begun = [(levels[index], int(steps[index])) for index in order]
        return (found[::-1] + begun)[:FINALISTS]

    def _evaluate(self, levels: np.ndarray, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As many of the levels (N, COEFFICIENTS) as fit, and what they cost, (N,)."""
        spent = np.cumsum(self._quantiser.bits(levels, steps), axis=1)
        room = 8 * (self._size - HEADER_BYTES) - ENDING_BITS
        fitting = np.where(spent <= room, levels, 0)
        average = np.broadcast_to(self._average, (len(levels), 3))
        shown = self._decoder.decode_levels(fitting, steps, average, self._size)
        return fitting, self.objective.costs(shown)

    def _improved(self, levels: np.ndarray, step: int, cost: float) -> tuple[np.ndarray, float]:
        """The best of some changes together, after all have been tried by themselves."""
        others, penalties = self._quantiser.moves(self._coefficients, levels, step, MOVE_RATE)
        places = np.argsort(penalties, kind="stable")[:MOVES]
        steps = np.full(MOVES, step)
        alone = np.repeat(levels[None], MOVES, axis=0)
        alone[np.arange(MOVES), places] = others[places]
        bits = self._quantiser.bits(alone, steps).sum(1)
        bits -= self._quantiser.bits(levels[None], steps[:1]).sum()
        worth = cost - self._evaluate(alone, steps)[1] - BIT_WORTH * bits
        places = places[np.argsort(-worth, kind="stable")]
        together = np.repeat(levels[None], len(TOGETHER), axis=0)
        for row, count in zip(together, TOGETHER, strict=True):
            row[places[:count]] = others[places[:count]]
        together, costs = self._evaluate(together, steps[: len(TOGETHER)])
        best = int(costs.argmin())
        return together[best], costs[best]


class Objective:
    """How far pictures are from one original: ln(mean squared error + weight * (1 - SSIM)).

    Args:
        pixels: the original, uint8 (32, 32, 3).
    """

    def __init__(self, pixels: np.ndarray):
        self._blocks = _blocks(pixels[None])
        self._mean = self._blocks.mean((2, 4), keepdims=True)
        self._centred = self._blocks - self._mean
        self._variance = (self._centred**2).mean((2, 4), keepdims=True)

    def costs(self, pictures: np.ndarray) -> np.ndarray:
        """The cost of each picture, uint8 (N, 32, 32, 3) to floats (N,)."""
        blocks = _blocks(pictures)
        error = ((blocks - self._blocks) ** 2).mean((1, 2, 3, 4, 5)) / 255**2
        mean = blocks.mean((2, 4), keepdims=True)
        centred = blocks - mean
        variance = (centred**2).mean((2, 4), keepdims=True)
        covariance = (centred * self._centred).mean((2, 4), keepdims=True)
        luminance = (2 * mean * self._mean + C1) / (mean**2 + self._mean**2 + C1)
        structure = (2 * covariance + C2) / (variance + self._variance + C2)
        similarity = (luminance * structure).mean((1, 2, 3, 4, 5))
        return np.log(error + SSIM_WEIGHT * (1 - similarity) + 1e-9)


def _blocks(pictures: np.ndarray) -> np.ndarray:
    return pictures.reshape(-1, _BLOCKS, BLOCK, _BLOCKS, BLOCK, 3).astype(np.float32)
