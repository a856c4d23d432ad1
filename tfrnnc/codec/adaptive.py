"""Spatially adaptive bit rate (section 3.7): each location takes the iterations it is worth."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from tfrnnc.bitstream import EntropyModel, StreamSpec, coded_locations
from tfrnnc.bitstream.probabilities import costs_of
from tfrnnc.codec.calls import Calls
from tfrnnc.codec.encode_options import EncodeOptions
from tfrnnc.codec.progressive_encoder import Encoded, ProgressiveEncoder, Request, Target
from tfrnnc.codec.strips import per_pixel
from tfrnnc.errors import ConfigError
from tfrnnc.metrics import location_errors, psnr
from tfrnnc.runtimes.residual_loop import Decoded, Refine, ResidualLoop
from tfrnnc.runtimes.runtime import Runtime

CLOSE = 1000  #: bytes are filled but for one in this many, and to the byte where they are fewer
FINE = 128  #: the last iteration's locations are counted to one in this many
#: Decibels above the PSNR without stops at which locations are first tried to stop.
FIRST_THRESHOLDS = (0.0, 2.0, 4.0, 6.0)
FINER = 1.0  #: decibels from the best of these to the last that are tried


class IterationAssignment:
    """How many iterations each location takes, from the least decodable to the best picture.

    A location first takes one iteration. It goes on to a later one where this gains; what gains
    most for its bits comes first, over all locations. (Of the points rate and error of each
    location after each iteration, those on the lower convex hull are used: for any price of a bit,
    the sum of errors and priced bits is then the least.)

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
        """How many iterations each location takes once a number have gone on, int (h, w)."""
        iterations = np.ones(int(np.prod(self._grid)), int)
        np.maximum.at(iterations, self._where[:count], self._until[:count])
        return iterations.reshape(self._grid)

    def bits(self, count: int) -> float:
        """Bits that a number of them take beyond the first iteration."""
        return float(self._spent[count - 1]) if count else 0.0

    def count(self, bits: float) -> int:
        """How many can go on for a number of bits."""
        return int(np.searchsorted(self._spent, bits, side="right"))


class AdaptiveEncoder(ProgressiveEncoder):
    """Encodes an image with a number of iterations for each location.

    Of a model whose locations are independent. All iterations are taken once, for all locations.
    As no location's picture depends on another's bits, this tells what any assignment looks like.
    See `ProgressiveEncoder` for the arguments.
    """

    def __init__(
        self, runtime: Runtime, spec: StreamSpec, image: np.ndarray, options: EncodeOptions
    ):
        super().__init__(runtime, spec, image, options)
        self._assignments: dict[int, IterationAssignment] = {}
        self._pictures: list[np.ndarray] = []  # after each iteration

    def _encode(self, request: Request) -> Calls[Encoded]:
        """The stream of the fewest bits that reach the targets, within the bytes."""
        self._options.work_limits.require_work(self._padded, request.iterations)
        assignment = yield from self._assign(request.iterations)
        count = assignment.size
        if request.targets:
            count = _least(
                count,
                lambda count: (
                    not self._missed(request.targets, self._assigned_picture(assignment, count))
                ),
            )
        data = self._assigned_stream(assignment, count)
        max_bytes = request.max_bytes
        if max_bytes is not None and len(data) > max_bytes:
            count, data = self._fill(assignment, max_bytes, count, len(data))
            if len(data) > max_bytes:
                return (yield from super()._encode(request._replace(iterations=1)))
        picture = self._assigned_picture(assignment, count)
        iterations = int(assignment.iterations(count).max())
        return self._encoded(data, picture, iterations, request.targets)

    def _assign(self, iterations: int) -> Calls[IterationAssignment]:
        if iterations not in self._assignments:
            for count in range(len(self._pictures) + 1, iterations + 1):
                yield from self._take(count)
                self._pictures.append((yield from self._picture(count)))
            errors = [
                location_errors(self._pixels, picture, self._spec.stride)
                for picture in self._pictures[:iterations]
            ]
            bits = location_bits(self._planes[:iterations], self._spec.entropy_model)
            self._assignments[iterations] = IterationAssignment(np.array(errors), bits)
        return self._assignments[iterations]

    @property
    def _planes_to_write(self) -> list[np.ndarray]:
        return self._planes[:1]  # Assignments have writers of their own.

    def _assigned_picture(self, assignment: IterationAssignment, count: int) -> np.ndarray:
        iterations = assignment.iterations(count)
        picture = self._pictures[0].copy()
        for iteration in range(1, int(iterations.max())):
            shown = per_pixel(iterations > iteration, self._spec.stride, picture.shape)
            np.copyto(picture, self._pictures[iteration], where=shown)
        return picture

    def _assigned_stream(self, assignment: IterationAssignment, count: int) -> bytes:
        iterations = assignment.iterations(count)
        writer = self._new_writer()
        for iteration in range(int(iterations.max())):
            writer.add(self._planes[iteration] * (iterations > iteration)[..., None])
        if self._options.headerless and writer.iterations < self._spec.iterations:
            writer = writer.ended()
        return writer.stream()

    def _fill(
        self, assignment: IterationAssignment, max_bytes: int, high: int, high_size: int
    ) -> tuple[int, bytes]:
        """The largest assignment found whose stream fits, and the stream; or the least one.

        Args:
            assignment: to choose from.
            max_bytes: that the stream may take.
            high: an assignment whose stream takes more.
            high_size: how many bytes it takes.
        """
        low, data = 0, self._assigned_stream(assignment, 0)
        tries = 0
        while high - low > 1 and len(data) <= max_bytes - max_bytes // CLOSE:
            # Bytes go nearly as the bits that were counted; where they do not, halving helps.
            share = (max_bytes - len(data)) / (high_size - len(data)) if tries % 3 < 2 else 0.5
            bits = [assignment.bits(count) for count in (low, high)]
            count = assignment.count(bits[0] + share * (bits[1] - bits[0]))
            count = min(max(count, low + 1), high - 1)
            tried = self._assigned_stream(assignment, count)
            if len(tried) <= max_bytes:
                low, data = count, tried
            else:
                high, high_size = count, len(tried)
            tries += 1
        return low, data


class StoppingEncoder(ProgressiveEncoder):
    """Encodes an image several times; in each of them, locations stop at another PSNR.

    For models whose locations depend on each other: what a stop does to the neighbours is only
    known once it is tried. See `ProgressiveEncoder` for the arguments.
    """

    def _encode(self, request: Request) -> Calls[Encoded]:
        """The best of several attempts.

        If it reaches the targets, it does so with the fewest bytes; else it has the least error.
        """
        if request.max_bytes is None and not request.targets:
            raise ConfigError(
                "where locations stop follows from a limit: with adaptive give psnr, ssim, bpp or "
                "max_bytes, too"
            )
        plain = self._attempt(math.inf, request)
        encoded = yield from plain._encode(request)
        tried = {math.inf: (self._rank(encoded, request), encoded)}

        def consider(threshold: float) -> Calls[None]:
            if threshold not in tried:
                encoded = yield from self._attempt(threshold, request)._encode(request)
                tried[threshold] = self._rank(encoded, request), encoded

        def best() -> float:
            return min(tried, key=lambda threshold: tried[threshold][0])

        if math.isfinite(plain.coded_psnr):
            for offset in FIRST_THRESHOLDS:
                yield from consider(plain.coded_psnr + offset)
            if math.isfinite(middle := best()):
                for threshold in (middle - FINER, middle + FINER):
                    yield from consider(threshold)
        return tried[best()][1]

    def _attempt(self, stop_psnr: float, request: Request) -> _Attempt:
        return _Attempt(self._runtime, self._spec, self._image, self._options, stop_psnr, request)

    def _rank(self, encoded: Encoded, request: Request) -> tuple[int, float]:
        reached = request.targets and not encoded.missed
        return len(encoded.missed), (
            len(encoded.data) if reached else -psnr(self._image, encoded.picture)
        )


class StoppingLoop(ResidualLoop):
    """A residual loop in which locations stop. Their bits are zeros from then on.

    Args:
        runtime: of the model.
        pixels: uint8 (H, W, 3).
        refine: as for `ResidualLoop`.
        stop_psnr: the PSNR in decibels at which a location stops.
    """

    def __init__(
        self, runtime: Runtime, pixels: np.ndarray, refine: Refine | None, stop_psnr: float
    ):
        super().__init__(runtime, pixels, refine)
        self._stride = runtime.stride
        self._stop_error = 3 * runtime.stride**2 * 255**2 / 10 ** (stop_psnr / 10)  # squared error
        self._goes_on: np.ndarray | None = None

    def bits(self, logits: np.ndarray) -> np.ndarray:
        """The plane of some logits; zeros where locations stopped."""
        plane = super().bits(logits)
        return plane if self._goes_on is None else plane * self._goes_on[..., None]

    def decode(self, plane: np.ndarray, decoded: Decoded | None = None) -> None:
        """What a plane shows, which tells which locations go on."""
        super().decode(plane, decoded)
        if self._stop_error:
            wrong = location_errors(self._pixels, self.picture, self._stride) > self._stop_error
            self._goes_on = wrong if self._goes_on is None else self._goes_on & wrong


class _Attempt(ProgressiveEncoder):
    """One encoding of a `StoppingEncoder`.

    Args:
        stop_psnr: see `StoppingLoop`.
        request: what it is for. Of the iteration that reaches its targets, only the locations are
            taken that are needed for that.

    Attributes:
        coded_psnr: of the picture that it came to, in decibels, before that is enlarged.
    """

    coded_psnr = math.nan

    def __init__(
        self,
        runtime: Runtime,
        spec: StreamSpec,
        image: np.ndarray,
        options: EncodeOptions,
        stop_psnr: float,
        request: Request,
    ):
        self._stop_psnr, self._targets = stop_psnr, request.targets
        super().__init__(runtime, spec, image, options)

    def _new_loop(self) -> ResidualLoop:
        return StoppingLoop(self._runtime, self._pixels, self._refine, self._stop_psnr)

    def _next_plane(self) -> Calls[np.ndarray]:
        plane = yield from super()._next_plane()
        if not (self._targets and self._planes and plane.any()):
            return plane
        self._loop.decode(plane)
        shown = self._loop.picture
        if self._missed(self._targets, shown):
            return plane
        before = yield from self._picture(len(self._planes))
        errors = [
            location_errors(self._pixels, picture, self._spec.stride) for picture in (before, shown)
        ]
        return self._thinned(plane, errors[0] - errors[1])

    def _encoded(
        self, data: bytes, picture: np.ndarray, iterations: int, targets: Sequence[Target]
    ) -> Encoded:
        self.coded_psnr = psnr(self._pixels, picture)
        return super()._encoded(data, picture, iterations, targets)

    def _thinned(self, plane: np.ndarray, gains: np.ndarray) -> np.ndarray:
        """The last plane with the bits of fewer locations, whose picture reaches the targets.

        Args:
            plane: as the loop gave it, int8 (h, w, bits).
            gains: ints (h, w); locations of the greatest gains keep their bits.
        """
        places = np.flatnonzero(coded_locations(plane))
        places = places[np.argsort(-gains.ravel()[places], kind="stable")]
        best = plane
        low, high = 0, places.size
        while high - low > 1 + places.size // FINE:
            middle = (low + high) // 2
            trial = np.zeros_like(plane)
            kept = np.unravel_index(places[:middle], gains.shape)
            trial[kept] = plane[kept]
            if self._missed(self._targets, self._show(trial)):
                low = middle
            else:
                high, best = middle, trial
        return best

    def _show(self, plane: np.ndarray) -> np.ndarray:
        return self._loop.crop(self._loop.decode_alternative(plane).reconstruction)


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
            probabilities = model.probabilities(planes[:iteration], plane)
            costs[:] = costs_of(plane, probabilities).sum(axis=2).ravel()
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
