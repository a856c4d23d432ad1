"""The learned model of the bit planes: how probable each bit is, from what was decoded before it.

Every number is an integer held in float32, small enough that all sums stay below 2^24. Such sums
are exact, in whatever order they are made, so that every machine finds the same probabilities.
docs/FORMAT.md describes the network and its file.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from tfrnnc.bitstream.constants import (
    ACTIVATION_MAX,
    ACTIVATION_SCALE,
    ENTROPY_MODEL_MAGIC,
    ENTROPY_MODEL_VERSION,
    EXACT,
    ID_BYTES,
    LOGIT_MIN,
    WEIGHT_SCALE,
)
from tfrnnc.bitstream.probabilities import PROBABILITIES
from tfrnnc.blas import require_equal
from tfrnnc.errors import ModelError

_HEADER = struct.Struct(f"<{len(ENTROPY_MODEL_MAGIC)}sB{ID_BYTES}sBBBHH")
_CRC_BYTES = 4
_LOCATIONS_AT_ONCE = 1 << 14  # for the memory: each takes 9 values a channel
# For the memory, neighbours of more locations than this are computed as they are needed, and the
# context in strips of rows.
_SMALL_GRID = 1 << 16
_HALO = 2  # rows above and below a strip: one for each layer of the context
# Kernels and biases are kept with what follows their sums in them. All are powers of two, so that
# sums stay exact: where 1/128 is the unit, they are the integers below 2^24 of docs/FORMAT.md.
_OF_BITS = np.float32(ACTIVATION_SCALE / WEIGHT_SCALE)
_OF_ACTIVATIONS = np.float32(1 / WEIGHT_SCALE)
_LEAST, _MOST = np.float32(0), np.float32(ACTIVATION_MAX)
_SMALL_PRODUCT = 1 << 18  # multiplications for which no BLAS library starts threads
_ROWS = 8  # of products, a multiple: those of two rows come out wrong on ARM with SME (NumPy 2.5.5)


@dataclass(frozen=True)
class Pass:
    """Bits of a plane that are coded at once, as none depends on another.

    Attributes:
        locations: int (n,), locations, counted row by row.
        channels: which bits of these locations.
        probabilities: int (n, channels), that the bit is 1, of `CERTAIN`.
    """

    locations: np.ndarray
    channels: slice
    probabilities: np.ndarray


@dataclass(frozen=True)
class Head:
    """What predicts a group of bits, in one iteration. All arrays are float32 and hold integers.

    Attributes:
        context: (hidden, width), from the context; no rows in the first iteration.
        plane: (9 * channels, width), from the bits of this iteration that are known, 3x3 locations,
            for the channels of the groups up to this one.
        bias: (2, width), for even and odd locations.
        output: (width, bits of the group).
        output_bias: (bits of the group,).
    """

    context: np.ndarray
    plane: np.ndarray
    bias: np.ndarray
    output: np.ndarray
    output_bias: np.ndarray


class _Layer(NamedTuple):
    """A layer whose sums need no division any more.

    Attributes:
        kernel: (inputs, outputs).
        bias: (outputs,).
    """

    kernel: np.ndarray
    bias: np.ndarray


@dataclass(frozen=True)
class _Scaled:
    """The network of an iteration, made ready.

    The heads of all groups are one, for planes whose bits are known: `plane` and `output`.

    Attributes:
        context: the layers of the context.
        from_context: what the context gives to the heads, a kernel (hidden, groups * width).
        from_contexts: its parts, (hidden, width) for each group.
        heads: for each group, for even and for odd locations, from the plane's bits: a kernel
            (9 * channels, width) and the bias.
        outputs: for each group, its output layer.
        plane: for even and for odd locations, a kernel (9 * bits, groups * width) and the bias.
        output: the output layers, (groups * width, bits).
    """

    context: list[_Layer]
    from_context: np.ndarray
    from_contexts: list[np.ndarray]
    heads: list[tuple[_Layer, _Layer]]
    outputs: list[_Layer]
    plane: tuple[_Layer, _Layer]
    output: _Layer


@dataclass(frozen=True)
class IterationModel:
    """The network of one iteration. All arrays are float32 and hold integers.

    Attributes:
        context: two layers, each a kernel (9 * channels, hidden) over 3x3 locations and a bias
            (hidden,), from the planes of the iterations before; none in the first iteration.
        heads: one for each group of bits.
    """

    context: list[tuple[np.ndarray, np.ndarray]]
    heads: list[Head]

    @cached_property
    def scaled(self) -> _Scaled:
        """The network, made ready.

        Raises:
            InstallationError: if NumPy's products are wrong on this CPU.
        """
        scales = (_OF_BITS, _OF_ACTIVATIONS)
        outputs = [
            _Layer(
                head.output * _OF_ACTIVATIONS,
                # Probabilities are counted from that of the least logit.
                head.output_bias * _OF_ACTIVATIONS - np.float32(LOGIT_MIN),
            )
            for head in self.heads
        ]
        # Parts of one array would not be contiguous: products with such kernels are wrong on ARM
        # with SME (NumPy 2.5.5).
        from_contexts = [head.context * _OF_ACTIVATIONS for head in self.heads]
        scaled = _Scaled(
            [
                _Layer(kernel * scale, bias * _OF_ACTIVATIONS)
                for (kernel, bias), scale in zip(self.context, scales, strict=False)
            ],
            np.concatenate(from_contexts, axis=1),
            from_contexts,
            [self._head(head) for head in self.heads],
            outputs,
            self._merged_heads(),
            self._merged_outputs(outputs),
        )
        _require_right_products(scaled)
        return scaled

    def _head(self, head: Head) -> tuple[_Layer, _Layer]:
        even, odd = head.bias * _OF_ACTIVATIONS
        kernel = head.plane * _OF_BITS
        return _Layer(kernel, even), _Layer(kernel, odd)

    def _merged_heads(self) -> tuple[_Layer, _Layer]:
        bits = sum(head.output_bias.size for head in self.heads)
        width = self.heads[0].bias.shape[1]
        even = np.zeros((9, bits, len(self.heads), width), np.float32)
        odd = np.zeros_like(even)
        first = 0
        for group, head in enumerate(self.heads):
            end = first + head.output_bias.size
            kernel = head.plane.reshape(9, end, width)
            even[:, :first, group] = odd[:, :first, group] = kernel[:, :first]
            # Of the group's own bits, odd locations know those at even ones: their neighbours.
            odd[1::2, first:end, group] = kernel[1::2, first:]
            first = end
        biases = np.concatenate([head.bias for head in self.heads], axis=1) * _OF_ACTIVATIONS
        return (
            _Layer(even.reshape(9 * bits, -1) * _OF_BITS, biases[0]),
            _Layer(odd.reshape(9 * bits, -1) * _OF_BITS, biases[1]),
        )

    def _merged_outputs(self, outputs: Sequence[_Layer]) -> _Layer:
        bias = np.concatenate([layer.bias for layer in outputs])
        width = len(outputs[0].kernel)
        kernel = np.zeros((len(outputs), width, bias.size), np.float32)
        first = 0
        for group, layer in enumerate(outputs):
            end = first + layer.bias.size
            kernel[group, :, first:end] = layer.kernel
            first = end
        return _Layer(kernel.reshape(-1, bias.size), bias)


class EntropyModel:
    """Probabilities for the bits of a codec model.

    An iteration is coded in two passes for each group of bits: first the even locations of a
    checkerboard, then the odd ones. A head sees the planes of all earlier iterations, through two
    layers, and the bits of this iteration that are known by then, each around the location.

    Args:
        model_id: identity of the codec model whose bits these are.
        bits: at each location, for each iteration.
        iterations: the network of each iteration.
    """

    def __init__(self, model_id: bytes, bits: int, iterations: list[IterationModel]):
        self.model_id = model_id
        self.bits = bits
        self.iterations = iterations
        self._edges = group_edges(bits, len(iterations[0].heads))
        for number, iteration in enumerate(iterations, start=1):
            _require_exact(iteration, number)

    @property
    def groups(self) -> int:
        """That the bits of a location are divided into."""
        return len(self._edges) - 1

    @cached_property
    def entropy_coded_id(self) -> bytes:
        """Identity of the codec model and this one together, as entropy-coded streams carry it."""
        return entropy_coded_id(self.to_bytes())

    def order(self, shape: tuple[int, int, int], mask: np.ndarray | None = None) -> np.ndarray:
        """The order in which the passes code a plane's bits: int (n,), their places in the plane.

        Args:
            shape: (h, w, bits) of the plane.
            mask: bool (h, w), the locations that take the iteration; None for all.
        """
        height, width, bits = shape
        # That of a large plane would take more memory than the plane.
        make = _order if height * width <= _SMALL_GRID else _new_order
        order = make(height, width, self._edges)
        return order if mask is None else order[mask.ravel()[order // bits]]

    def probabilities(self, planes: Sequence[np.ndarray], plane: np.ndarray) -> np.ndarray:
        """The probabilities that `passes` gives to a plane's bits, all at once: they are known.

        Args:
            planes: int8 (h, w, bits), of the iterations before, as for `passes`.
            plane: int8 (h, w, bits) of -1 and +1, and 0 where locations stopped.

        Returns:
            uint16 (h, w, bits), that each bit is 1, of `CERTAIN`; of locations that stopped,
            anything.
        """
        alone: np.ndarray = self.probabilities_of_batch([planes], [plane])[0]
        return alone

    def probabilities_of_batch(
        self, planes: Sequence[Sequence[np.ndarray]], batch: Sequence[np.ndarray]
    ) -> np.ndarray:
        """The probabilities of the same iteration of several images, in fewer products.

        Args:
            planes: for each image, int8 (h, w, bits), of the iterations before, as for `passes`.
            batch: for each image, its plane, int8 (h, w, bits), all of one shape.

        Returns:
            uint16 (images, h, w, bits): what `probabilities` gives for each image.
        """
        height, width, bits = batch[0].shape
        iteration = self.iterations[len(planes[0])].scaled
        grid = _grid_of(height, width, len(batch))
        context = _context(iteration, planes, grid)
        known = grid.with_border(np.array(batch))
        even, odd = iteration.plane
        result = np.empty((grid.locations.size, bits), np.uint16)
        for part in _parts(grid.locations.size):
            around = _around(known, grid.neighbours(part))
            evens = max(grid.evens - part.start, 0)
            sums = np.concatenate([_sums(around[:evens], even), _sums(around[evens:], odd)])
            if context is not None:
                sums += _product(_floats(context[part]), iteration.from_context)
            result[grid.locations[part]] = _to_probabilities(
                _sums(_activate(sums), iteration.output)
            )
        return result.reshape(len(batch), height, width, bits)

    def passes(
        self, planes: Sequence[np.ndarray], plane: np.ndarray, mask: np.ndarray | None = None
    ) -> Iterator[Pass]:
        """The passes of the iteration after `planes`, in order.

        Args:
            planes: int8 (h, w, bits) of -1 and +1, and 0 where locations stopped, of the iterations
                before.
            plane: int8 (h, w, bits), zero where not known. The caller fills in the bits of each
                pass before asking for the next.
            mask: bool (h, w), the locations that take the iteration; None for all.

        Yields:
            each pass, with its probabilities.
        """
        grid = _grid(*plane.shape[:2])
        parities: Sequence[_Numbers] = grid.parities
        if mask is not None:
            numbers = np.flatnonzero(mask.ravel()[grid.locations])
            parities = np.split(numbers, [np.count_nonzero(numbers < grid.evens)])
        yield from self._passes([planes], plane[None], grid, parities)

    def passes_of_batch(
        self, planes: Sequence[Sequence[np.ndarray]], batch: np.ndarray
    ) -> Iterator[Pass]:
        """The passes of the same iteration of several images, of which all locations take it.

        Args:
            planes: for each image, as for `passes`.
            batch: int8 (images, h, w, bits), as `plane` is for `passes`.

        Yields:
            each pass, with its locations in the order of the images: location `i` of image `n` is
            `n * h * w + i`.
        """
        grid = _grid_of(batch.shape[1], batch.shape[2], len(batch))
        yield from self._passes(planes, batch, grid, grid.parities)

    def _passes(
        self,
        planes: Sequence[Sequence[np.ndarray]],
        batch: np.ndarray,
        grid: _Grid,
        parities: Sequence[_Numbers],
    ) -> Iterator[Pass]:
        """The passes at these places in the order of the grid."""
        bits = batch.shape[-1]
        iteration = self.iterations[len(planes[0])].scaled
        context = _context(iteration, planes, grid)
        known = np.zeros((grid.places, bits), np.float32)
        located = batch.reshape(-1, bits)
        for group, (first, end) in enumerate(itertools.pairwise(self._edges)):
            channels = slice(first, end)
            from_context = iteration.from_contexts[group]
            for parity, numbers in enumerate(parities):
                locations = grid.locations[numbers]
                probabilities = np.empty((locations.size, end - first), np.int64)
                for part in _parts(locations.size):
                    places = _part_of(numbers, part)
                    around = _around(known, grid.neighbours(places), end)
                    sums = _sums(around, iteration.heads[group][parity])
                    if context is not None:
                        sums += _product(_floats(context[places]), from_context)
                    probabilities[part] = _to_probabilities(
                        _sums(_activate(sums), iteration.outputs[group])
                    )
                yield Pass(locations, channels, probabilities)
                known[grid.inside[numbers], channels] = located[locations, channels]

    def to_bytes(self) -> bytes:
        """The model as it stands in its file."""
        first = self.iterations[0].heads
        widths = (len(first), first[0].bias.shape[1])
        hidden = self.iterations[-1].context[0][1].size if len(self.iterations) > 1 else 0
        parts = [
            _HEADER.pack(
                ENTROPY_MODEL_MAGIC, ENTROPY_MODEL_VERSION, self.model_id, len(self.iterations),
                self.bits, widths[0], hidden, widths[1],
            )
        ]  # fmt: skip
        for iteration in self.iterations:
            for kernel, bias in iteration.context:
                parts += [_int8(kernel), _int32(bias)]
            for head in iteration.heads:
                parts += [_int8(head.context), _int8(head.plane), _int32(head.bias)]
                parts += [_int8(head.output), _int32(head.output_bias)]
        content = b"".join(parts)
        return content + zlib.crc32(content).to_bytes(_CRC_BYTES, "little")

    @classmethod
    def from_bytes(cls, content: bytes) -> EntropyModel:
        """Reads what `to_bytes` wrote.

        Raises:
            ModelError: if it is damaged, cut, or of an unknown version.
        """
        if len(content) < _HEADER.size + _CRC_BYTES or not content.startswith(ENTROPY_MODEL_MAGIC):
            raise ModelError("not an entropy model")
        checksum = int.from_bytes(content[-_CRC_BYTES:], "little")
        if zlib.crc32(content[:-_CRC_BYTES]) != checksum:
            raise ModelError("the entropy model is damaged or cut")
        _, version, model_id, iterations, bits, groups, hidden, width = _HEADER.unpack_from(content)
        if version != ENTROPY_MODEL_VERSION:
            raise ModelError(
                f"the entropy model is of version {version}, not {ENTROPY_MODEL_VERSION}"
            )
        if not (iterations and 0 < groups <= bits and width and (hidden or iterations == 1)):
            raise ModelError("the entropy model is damaged")
        reader = _Reader(content[:-_CRC_BYTES], _HEADER.size)
        edges = group_edges(bits, groups)
        networks = []
        for iteration in range(iterations):
            context = []
            for channels in (iteration * bits, hidden) if iteration else ():
                kernel = reader.int8(9 * channels, hidden)
                context.append((kernel, reader.int32(hidden)))
            heads = []
            for first, end in itertools.pairwise(edges):
                heads.append(
                    Head(
                        reader.int8(hidden if iteration else 0, width),
                        reader.int8(9 * end, width),
                        reader.int32(2, width),
                        reader.int8(width, end - first),
                        reader.int32(end - first),
                    )
                )
            networks.append(IterationModel(context, heads))
        if reader.offset != len(reader.content):
            raise ModelError("the entropy model is damaged")
        return cls(model_id, bits, networks)


def entropy_coded_id(content: bytes) -> bytes:
    """The identity that streams carry which are coded with the entropy model of this file."""
    return hashlib.sha256(content).digest()[:ID_BYTES]


def group_edges(bits: int, groups: int) -> tuple[int, ...]:
    """Where groups of bits begin, and the last one ends.

    Examples:
        >>> group_edges(8, 3)
        (0, 2, 5, 8)
    """
    return tuple(bits * group // groups for group in range(groups + 1))


#: Some of the locations of a grid, by their places in its order.
_Numbers: TypeAlias = slice | np.ndarray


@dataclass(frozen=True)
class _Grid:
    """Where things are in the planes of a batch, and in those with borders of zeros around them.

    Attributes:
        shape: (images, h, w).
        locations: the even locations of the checkerboards and then the odd ones, counted row by row
            and image by image.
        evens: how many even ones there are.
        inside: of each of these locations, its place in the planes with borders.
        stored: (images * h * w, 9), the neighbours of all of them; None where there are too many.
    """

    shape: tuple[int, int, int]
    locations: np.ndarray
    evens: int
    inside: np.ndarray
    stored: np.ndarray | None

    @property
    def places(self) -> int:
        """How many places there are in the planes with borders."""
        images, height, width = self.shape
        return images * (height + 2) * (width + 2)

    @property
    def parities(self) -> list[slice]:
        """The even locations and the odd ones."""
        return [slice(0, self.evens), slice(self.evens, self.locations.size)]

    def rows(self, first: int, last: int) -> list[slice]:
        """The even and the odd locations of some rows of one plane."""
        before, up_to = first * self.shape[2], last * self.shape[2]
        return [
            slice((before + 1) // 2, (up_to + 1) // 2),
            slice(self.evens + before // 2, self.evens + up_to // 2),
        ]

    def neighbours(self, numbers: _Numbers) -> np.ndarray:
        """The 3x3 places around locations in the planes with borders, row by row, (n, 9)."""
        if self.stored is not None:
            return self.stored[numbers]
        return _neighbours(self.inside[numbers], self.shape[2])

    def with_border(self, planes: np.ndarray) -> np.ndarray:
        """Planes (images, h, w, ...) with a border of zeros: float32 (places, channels)."""
        images, height, width = self.shape
        padded = np.zeros((images, height + 2, width + 2, *planes.shape[3:]), np.float32)
        padded[:, 1:-1, 1:-1] = planes
        return padded.reshape(self.places, -1)


def _grid_of(height: int, width: int, images: int) -> _Grid:
    """The grid of a batch."""
    return _grid(height, width) if images == 1 else _batch_grid(height, width, images)


@lru_cache(maxsize=1)
def _grid(height: int, width: int) -> _Grid:
    """The grid of one plane. The last one is kept: 16 bytes per location, 88 where it is small."""
    return _new_grid(height, width)


def _new_grid(height: int, width: int) -> _Grid:
    rows, columns = np.divmod(np.arange(height * width), width)
    odd = (rows + columns) % 2 == 1
    locations = np.concatenate([np.flatnonzero(~odd), np.flatnonzero(odd)])
    inside = ((rows + 1) * (width + 2) + columns + 1)[locations]
    evens = int(np.count_nonzero(~odd))
    return _Grid((1, height, width), locations, evens, inside, _stored(inside, width))


@lru_cache(maxsize=4)
def _batch_grid(height: int, width: int, images: int) -> _Grid:
    """The grid of several planes. The last ones are kept: batches are of small planes."""
    one = _grid(height, width)
    number = np.arange(images)[:, None]
    locations = [number * (height * width) + one.locations[parity] for parity in one.parities]
    inside = [number * one.places + one.inside[parity] for parity in one.parities]
    places = np.concatenate([parity.ravel() for parity in inside])
    return _Grid(
        (images, height, width),
        np.concatenate([parity.ravel() for parity in locations]),
        images * one.evens,
        places,
        _stored(places, width),
    )


def _stored(inside: np.ndarray, width: int) -> np.ndarray | None:
    return _neighbours(inside, width) if inside.size <= _SMALL_GRID else None


def _neighbours(inside: np.ndarray, width: int) -> np.ndarray:
    around = np.arange(-1, 2)
    return np.asarray(inside[:, None] + (around[:, None] * (width + 2) + around).ravel())


@lru_cache(maxsize=1)
def _order(height: int, width: int, edges: tuple[int, ...]) -> np.ndarray:
    """The order of a plane's bits; the last one is kept, like the grid."""
    return _new_order(height, width, edges)


def _new_order(height: int, width: int, edges: tuple[int, ...]) -> np.ndarray:
    bits = edges[-1]
    dtype = place_dtype((height, width, bits))
    begins = (_grid(height, width).locations[:, None] * bits).astype(dtype)
    order = np.empty(begins.size * bits, dtype)
    for first, end in itertools.pairwise(edges):
        part = order[begins.size * first : begins.size * end]
        np.add(begins, np.arange(first, end, dtype=dtype), out=part.reshape(begins.size, -1))
    return order


def place_dtype(shape: tuple[int, int, int]) -> np.dtype[Any]:
    """Of places in a plane (h, w, bits): half the memory, where that is enough."""
    return np.dtype(np.int32 if math.prod(shape) < 1 << 31 else np.int64)


def _parts(size: int) -> Sequence[slice]:
    starts = range(0, size, _LOCATIONS_AT_ONCE)
    return [slice(start, min(start + _LOCATIONS_AT_ONCE, size)) for start in starts]


def _part_of(numbers: _Numbers, part: slice) -> _Numbers:
    if isinstance(numbers, slice):
        return slice(numbers.start + part.start, numbers.start + part.stop)
    return numbers[part]


def _around(values: np.ndarray, neighbours: np.ndarray, channels: int | None = None) -> np.ndarray:
    """What is around locations, (n, 9 * channels), of values with borders, (places, channels)."""
    around = values.take(neighbours, axis=0)
    if channels is not None and channels < values.shape[1]:
        around = around[:, :, :channels]
    return np.ascontiguousarray(around.reshape(len(neighbours), -1))


def _context(
    iteration: _Scaled, planes: Sequence[Sequence[np.ndarray]], grid: _Grid
) -> np.ndarray | None:
    """What the planes of the iterations before give, (images * h * w, hidden), as the grid orders.

    float32, or uint8 for large images; None in the first iteration.
    """
    if not iteration.context:
        return None
    if grid.stored is None and len(planes) == 1:
        return _context_in_strips(iteration, planes[0], grid)
    return _context_at_once(iteration, planes, grid)


def _context_in_strips(iteration: _Scaled, planes: Sequence[np.ndarray], grid: _Grid) -> np.ndarray:
    """The context of one image, in strips of rows, as it takes floats for all planes."""
    _, height, width = grid.shape
    # An even number, so that even locations of a strip are even ones of the image.
    step = max(_SMALL_GRID // width // 2 * 2, 2)
    context = np.empty((height * width, iteration.context[-1].bias.size), np.uint8)
    for first in range(0, height, step):
        last = min(first + step, height)
        start, stop = max(first - _HALO, 0), min(last + _HALO, height)
        strip = _new_grid(stop - start, width)
        values = _context_at_once(iteration, [[plane[start:stop] for plane in planes]], strip)
        for target, source in zip(
            grid.rows(first, last), strip.rows(first - start, last - start), strict=True
        ):
            context[target] = values[source]
    return context


def _context_at_once(
    iteration: _Scaled, planes: Sequence[Sequence[np.ndarray]], grid: _Grid
) -> np.ndarray:
    """The context of whole planes, float32 (images * h * w, hidden)."""
    first, second = iteration.context
    # (images, iterations, h, w, bits) to (images, h, w, iterations, bits)
    before = np.array(planes).transpose(0, 2, 3, 1, 4)
    hidden = np.zeros((grid.places, first.bias.size), np.float32)
    hidden[grid.inside] = _convolve(grid.with_border(before), grid, first)
    return _convolve(hidden, grid, second)


def _convolve(padded: np.ndarray, grid: _Grid, layer: _Layer) -> np.ndarray:
    """A 3x3 layer: (places, channels) to (images * h * w, filters)."""
    outputs = [
        _activate(_sums(_around(padded, grid.neighbours(part)), layer))
        for part in _parts(grid.locations.size)
    ]
    return outputs[0] if len(outputs) == 1 else np.concatenate(outputs)


def _floats(context: np.ndarray) -> np.ndarray:
    return context.astype(np.float32, copy=False)


def _sums(values: np.ndarray, layer: _Layer) -> np.ndarray:
    """What a layer makes of values, (n, inputs), before the activation."""
    sums = _product(values, layer.kernel)
    sums += layer.bias
    return sums


def _product(values: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Their matrix product, (n, inputs) by (inputs, outputs), on one thread.

    The threads of a BLAS library gain nothing at these sizes, and OpenBLAS's go on spinning for
    about 25 ms after each product, on the CPUs that the codec's next iteration needs. A stack
    of small products takes none.
    """
    size = len(values)
    rows = _SMALL_PRODUCT // (kernel.size or 1) // _ROWS * _ROWS or _ROWS
    if size <= rows and not size % _ROWS:
        product: np.ndarray = values @ kernel
        return product
    height, width = kernel.shape
    whole = size // rows * rows
    rest = values[whole:]
    if len(rest) % _ROWS:
        padded = np.zeros((-(-len(rest) // _ROWS) * _ROWS, height), np.float32)
        padded[: len(rest)] = rest
        last = (padded @ kernel)[: len(rest)]
    else:
        last = rest @ kernel
    if not whole:
        return np.asarray(last)
    if not len(rest):
        products: np.ndarray = (values.reshape(whole // rows, rows, height) @ kernel).reshape(
            whole, width
        )
        return products
    stack = values[:whole].reshape(whole // rows, rows, height) @ kernel
    return np.concatenate([stack.reshape(whole, width), last])


def _require_right_products(scaled: _Scaled) -> None:
    """Multiplies each kernel once, and compares with integers.

    A stream that was coded with wrong products can be decoded nowhere else, and nobody would know.
    """
    layers = [*scaled.context, *itertools.chain(*scaled.heads), *scaled.outputs, *scaled.plane]
    kernels = [layer.kernel for layer in (*layers, scaled.output)]
    for kernel in (*kernels, *scaled.from_contexts, scaled.from_context):
        values = np.arange(_ROWS * len(kernel)).reshape(_ROWS, -1) * 37 % (ACTIVATION_MAX + 1)
        right = values @ (kernel * WEIGHT_SCALE).astype(np.int64)  # not by a BLAS library
        require_equal(_product(values.astype(np.float32), kernel) * WEIGHT_SCALE, right)


def _to_probabilities(sums: np.ndarray) -> np.ndarray:
    """What the output layer's sums mean; they count from the least logit."""
    # What is cut off makes whole numbers of those above 0; the others are the least either way.
    probabilities: np.ndarray = PROBABILITIES.take(sums.astype(np.intp), mode="clip")
    return probabilities


def _activate(sums: np.ndarray) -> np.ndarray:
    """What a layer's sums give to the next one. They are overwritten."""
    np.floor(sums, out=sums)
    np.maximum(sums, _LEAST, out=sums)
    activations: np.ndarray = np.minimum(sums, _MOST, out=sums)
    return activations


def _require_exact(iteration: IterationModel, number: int) -> None:
    """Refuses weights with which a sum could reach 2^24."""
    layers = [(kernel, bias, ACTIVATION_MAX) for kernel, bias in iteration.context]
    for head in iteration.heads:
        stacked = np.concatenate([head.context, head.plane])
        layers += [(stacked, bias, ACTIVATION_MAX) for bias in head.bias]
        layers.append((head.output, head.output_bias, ACTIVATION_MAX))
    for kernel, bias, largest in layers:
        if (np.abs(kernel).sum(0, dtype=np.float64) * largest + np.abs(bias)).max() >= EXACT:
            raise ModelError(
                f"the weights of iteration {number} are too large to be summed exactly"
            )


def _int8(values: np.ndarray) -> bytes:
    return values.astype(np.int8).tobytes()


def _int32(values: np.ndarray) -> bytes:
    return values.astype("<i4").tobytes()


class _Reader:
    """Takes arrays from a model file's content."""

    def __init__(self, content: bytes, offset: int):
        self.content, self.offset = content, offset

    def int8(self, *shape: int) -> np.ndarray:
        return self._take(np.dtype(np.int8), shape)

    def int32(self, *shape: int) -> np.ndarray:
        return self._take(np.dtype("<i4"), shape)

    def _take(self, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
        count = int(np.prod(shape))
        if self.offset + count * dtype.itemsize > len(self.content):
            raise ModelError("the entropy model is cut")
        values = np.frombuffer(self.content, dtype, count, self.offset)
        self.offset += count * dtype.itemsize
        return values.astype(np.float32).reshape(shape)
