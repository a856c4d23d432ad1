"""Spatially adaptive bit rate (section 3.7): each location takes the iterations it is worth."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from tfrnnc.bitstream import EntropyModel, Header, StreamWriter
from tfrnnc.bitstream.probabilities import COST_OF_ONE
from tfrnnc.codec.encoding import (
    Encoded,
    ResidualLoop,
    Target,
    encode,
    headerless_payload,
    location_errors,
    missed_targets,
    per_pixel,
)
from tfrnnc.codec.search import BitSearch
from tfrnnc.metrics import psnr
from tfrnnc.runtimes.runtime import Runtime

CLOSE = 1000  #: bytes are filled but for one in so many, and to the byte where they are fewer
#: Decibels above the PSNR without stops at which locations are first tried to stop.
FIRST_THRESHOLDS = (0.0, 2.0, 4.0, 6.0)
FINER = 1.0  #: decibels from the best of these to the last that are tried


class IterationAssignment:
    """How many iterations each location takes, from the least decodable to the best picture.

    A location first takes one iteration. It goes on to a later one where this gains; what gains
    most for its bits comes first, over all locations. (Of the points rate and error of each
    location after each iteration, those on the lower convex hull are used: for any price of a bit,
        the sum of
    errors and priced bits is then the least.)

    Args:
        errors: floats (iterations, h, w), each location's squared error after each iteration.
        bits: floats (iterations, h, w), the bits that each location takes for each iteration, above
            0.

    Attributes:
        size: how many times a location goes on until the picture is best.
    """

    def __init__(self, errors: np.ndarray, bits: np.ndarray):
        iterations, *self._grid = errors.shape
        errors = errors.reshape(iterations, -1).astype(float)
        rates = np.cumsum(bits.reshape(iterations, -1), axis=0)
        iteration_numbers = np.arange(iterations)[:, None]
        places = np.arange(errors.shape[1])
        last_taken = np.zeros_like(places)
        slopes, where, until, spent = [], [], [], []
        while places.size:
            at = last_taken[places], places
            gains, costs = errors[at] - errors[:, places], rates[:, places] - rates[at]
            slope = np.divide(
                gains, costs, out=np.zeros_like(gains), where=iteration_numbers > last_taken[places]
            )
            best = slope.argmax(axis=0)
            picked = best, np.arange(places.size)
            worth = slope[picked] > 0
            slopes.append(slope[picked][worth])
            spent.append(costs[picked][worth])
            places, best = places[worth], best[worth]
            where.append(places)
            until.append(best + 1)
            last_taken[places] = best
        order = np.argsort(-np.concatenate(slopes), kind="stable")
        self._where, self._until = np.concatenate(where)[order], np.concatenate(until)[order]
        self._spent = np.cumsum(np.concatenate(spent)[order])
        self.size = order.size

    def iterations(self, count: int) -> np.ndarray:
        """How many iterations each location takes after so many have gone on, int (h, w)."""
        iterations = np.ones(int(np.prod(self._grid)), int)
        np.maximum.at(iterations, self._where[:count], self._until[:count])
        return iterations.reshape(self._grid)

    def bits(self, count: int) -> float:
        """Bits that so many of them take beyond the first iteration."""
        return float(self._spent[count - 1]) if count else 0.0

    def count(self, bits: float) -> int:
        """How many can go on for so many bits."""
        return int(np.searchsorted(self._spent, bits, side="right"))


class AdaptiveEncoder:
    """Encodes an image with a number of iterations for each location.

    All iterations are taken once, for all locations. As no location's picture depends on another's
    bits, this tells what any assignment looks like.

    Args:
        runtime: of a model whose locations are independent.
        entropy_model: the model's, if it is to be used.
        header: of the stream.
        pixels: uint8 (H, W, 3).
        iterations: most iterations of a location.
        headerless: make the payload only.
        make_search: makes what improves the bits; see `ResidualLoop`.
    """

    def __init__(
        self,
        runtime: Runtime,
        entropy_model: EntropyModel | None,
        header: Header,
        pixels: np.ndarray,
        iterations: int,
        headerless: bool,
        make_search: Callable[[], BitSearch | None],
    ):
        self._runtime, self._entropy_model, self._header = runtime, entropy_model, header
        self._pixels, self._headerless, self._make_search = pixels, headerless, make_search
        self._planes: list[np.ndarray] = []
        self._pictures: list[np.ndarray] = []
        loop = ResidualLoop(runtime, pixels, search=make_search())
        for _ in range(iterations):
            plane, picture = loop.iterate()
            self._planes.append(plane)
            self._pictures.append(picture)
        errors = [location_errors(pixels, each, runtime.stride) for each in self._pictures]
        self._assignment = IterationAssignment(
            np.array(errors), location_bits(self._planes, entropy_model)
        )

    def encode(self, max_bytes: int | None, targets: list[Target]) -> Encoded:
        """The stream of the fewest bits that reach the targets, within `max_bytes`.

        Raises:
            ConfigError: if nothing that can be decoded fits in `max_bytes`.
        """
        count = self._assignment.size
        if targets:
            count = _least(
                count,
                lambda count: not missed_targets(targets, self._pixels, self._picture(count)),
            )
        data = self._stream(count)
        if max_bytes is not None and len(data) > max_bytes:
            count, data = self._fit(max_bytes, count, len(data))
        if max_bytes is not None and len(data) > max_bytes:
            return encode(
                self._runtime,
                self._entropy_model,
                self._header,
                self._pixels,
                iterations=1,
                max_bytes=max_bytes,
                targets=targets,
                headerless=self._headerless,
                search=self._make_search(),
            )
        picture = self._picture(count)
        return Encoded(data, picture, missed_targets(targets, self._pixels, picture))

    def _picture(self, count: int) -> np.ndarray:
        iterations = self._assignment.iterations(count)
        picture = self._pictures[0].copy()
        for iteration in range(1, int(iterations.max())):
            shown = per_pixel(iterations > iteration, self._runtime.stride, picture.shape)
            np.copyto(picture, self._pictures[iteration], where=shown)
        return picture

    def _stream(self, count: int) -> bytes:
        iterations = self._assignment.iterations(count)
        writer = StreamWriter(
            self._header, self._runtime.stride, self._runtime.bits, self._entropy_model
        )
        for iteration in range(int(iterations.max())):
            writer.add(self._planes[iteration] * (iterations > iteration)[..., None])
        if not self._headerless:
            return writer.whole()
        if writer.iterations < self._header.iterations:
            writer.add(np.zeros_like(self._planes[0]))
        return headerless_payload(writer, writer.iterations, self._runtime, self._entropy_model)

    def _fit(self, max_bytes: int, high: int, high_size: int) -> tuple[int, bytes]:
        """The largest assignment found whose stream fits, and the stream; or the least one.

        Args:
            max_bytes: that the stream may take.
            high: an assignment whose stream takes more.
            high_size: how many bytes it takes.
        """
        low, data = 0, self._stream(0)
        tries = 0
        while high - low > 1 and len(data) <= max_bytes - max_bytes // CLOSE:
            # Bytes go nearly as the bits that were counted; where they do not, halving helps.
            share = (max_bytes - len(data)) / (high_size - len(data)) if tries % 3 < 2 else 0.5
            bits = [self._assignment.bits(count) for count in (low, high)]
            count = self._assignment.count(bits[0] + share * (bits[1] - bits[0]))
            count = min(max(count, low + 1), high - 1)
            tried = self._stream(count)
            if len(tried) <= max_bytes:
                low, data = count, tried
            else:
                high, high_size = count, len(tried)
            tries += 1
        return low, data


def encode_stopping(
    attempt: Callable[[float], Encoded], pixels: np.ndarray, targets: Sequence[Target]
) -> Encoded:
    """The best of several encodings, in each of which locations stop at another PSNR.

    For models whose locations depend on each other: what a stop does to the neighbours is only
    known once it is tried.

    Args:
        attempt: encodes within the limits, so that locations stop at this PSNR in decibels.
        pixels: the image, uint8 (H, W, 3).
        targets: of `attempt`. If the best reaches them, it does so with the fewest bytes; else it
            has the least error.
    """

    def rank(encoded: Encoded) -> tuple[int, float]:
        reached = targets and not encoded.missed
        return len(encoded.missed), (
            len(encoded.data) if reached else -psnr(pixels, encoded.picture)
        )

    plain = attempt(math.inf)
    start = psnr(pixels, plain.picture)
    tried = {math.inf: (rank(plain), plain)}

    def consider(threshold: float) -> None:
        if threshold not in tried:
            encoded = attempt(threshold)
            tried[threshold] = rank(encoded), encoded

    def best() -> float:
        return min(tried, key=lambda threshold: tried[threshold][0])

    if math.isfinite(start):
        for offset in FIRST_THRESHOLDS:
            consider(start + offset)
        if math.isfinite(middle := best()):
            for threshold in (middle - FINER, middle + FINER):
                consider(threshold)
    return tried[best()][1]


def location_bits(planes: Sequence[np.ndarray], model: EntropyModel | None) -> np.ndarray:
    """The bits that each location takes in each plane, floats (iterations, h, w).

    Args:
        planes: int8 (h, w, bits) of -1 and +1.
        model: of the bits; None takes all for equally probable.
    """
    result = []
    for iteration, plane in enumerate(planes):
        height, width, bits = plane.shape
        costs = np.full(height * width, float(bits))
        if model is not None:
            costs[:] = 0
            for part, values in model.passes_of(planes[:iteration], plane):
                bit_probabilities = np.where(
                    values > 0, part.probabilities, 65536 - part.probabilities
                )
                costs[part.locations] += COST_OF_ONE[bit_probabilities].sum(axis=1)
        result.append(costs.reshape(height, width))
    return np.array(result)


def _least(most: int, is_enough: Callable[[int], bool]) -> int:
    """The least number up to `most` that is enough, if all larger ones are; else `most`."""
    low, high = -1, most
    while high - low > 1:
        middle = (low + high) // 2
        if is_enough(middle):
            high = middle
        else:
            low = middle
    return high
