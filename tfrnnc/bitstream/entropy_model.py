"""The learned model of the bit planes: how probable each bit is, from what was decoded before it.

Every number is an integer held in float32, small enough that all sums stay below 2^24. Such sums
are exact, in whatever order they are made, so that every machine finds the same probabilities.
docs/FORMAT.md describes the network and its file.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise

import numpy as np

from tfrnnc.bitstream.constants import (
    ACTIVATION_MAX,
    ACTIVATION_SCALE,
    ENTROPY_MODEL_MAGIC,
    ENTROPY_MODEL_VERSION,
    EXACT,
    ID_BYTES,
    LOGIT_MAX,
    LOGIT_MIN,
    WEIGHT_SCALE,
)
from tfrnnc.bitstream.probabilities import PROBABILITIES
from tfrnnc.errors import ModelError

_HEADER = struct.Struct(f"<{len(ENTROPY_MODEL_MAGIC)}sB{ID_BYTES}sBBBHH")
_CRC_BYTES = 4
_LOCATIONS_AT_ONCE = 1 << 14  # for the memory: each takes 9 values a channel
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


@dataclass(frozen=True)
class _MergedHeads:
    """The heads of all groups as one, for planes whose bits are known.

    Attributes:
        context: (hidden, groups * width), from the context.
        earlier: (9 * bits, groups * width), from the groups before each group's own.
        own: (9 * bits, groups * width), from its own bits at even locations, for odd ones.
        bias: (2, groups * width), for even and odd locations.
        output: (groups * width, bits).
        output_bias: (bits,).
    """

    context: np.ndarray
    earlier: np.ndarray
    own: np.ndarray
    bias: np.ndarray
    output: np.ndarray
    output_bias: np.ndarray


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
    def merged(self) -> _MergedHeads:
        """All heads as one."""
        bits = sum(head.output_bias.size for head in self.heads)
        width = self.heads[0].bias.shape[1]
        earlier = np.zeros((9, bits, len(self.heads), width), np.float32)
        own = np.zeros_like(earlier)
        output = np.zeros((len(self.heads), width, bits), np.float32)
        first = 0
        for group, head in enumerate(self.heads):
            end = first + head.output_bias.size
            kernel = head.plane.reshape(9, end, width)
            earlier[:, :first, group] = kernel[:, :first]
            own[:, first:end, group] = kernel[:, first:]
            output[group, :, first:end] = head.output
            first = end
        return _MergedHeads(
            np.concatenate([head.context for head in self.heads], axis=1),
            earlier.reshape(9 * bits, -1),
            own.reshape(9 * bits, -1),
            np.concatenate([head.bias for head in self.heads], axis=1),
            output.reshape(-1, bits),
            np.concatenate([head.output_bias for head in self.heads]),
        )


class EntropyModel:
    """Probabilities for the bits of a codec model.

    An iteration is coded in two passes for each group of bits: first the even locations of a
    checkerboard, then the odd ones. A head sees the planes of all earlier iterations, through two
    layers, and the bits of this iteration that are known by then, each around the location.

    Args:
        codec_id: identity of the codec model whose bits these are.
        bits: at each location, for each iteration.
        iterations: the network of each iteration.
    """

    def __init__(self, codec_id: bytes, bits: int, iterations: list[IterationModel]):
        self.codec_id = codec_id
        self.bits = bits
        self.iterations = iterations
        for number, iteration in enumerate(iterations, start=1):
            _require_exact(iteration, number)

    @cached_property
    def stream_id(self) -> bytes:
        """Identity of the codec model and this one together, as entropy-coded streams carry it."""
        return stream_id(self.to_bytes())

    def order(self, shape: tuple[int, int, int], mask: np.ndarray | None = None) -> np.ndarray:
        """The order in which the passes code a plane's bits: int (n,), their places in the plane.

        Args:
            shape: (h, w, bits) of the plane.
            mask: bool (h, w), the locations that take the iteration; None for all.
        """
        height, width, bits = shape
        order = _order(height, width, group_edges(bits, len(self.iterations[0].heads)))
        return order if mask is None else order[mask.ravel()[order // bits]]

    def probabilities(self, planes: Sequence[np.ndarray], plane: np.ndarray) -> np.ndarray:
        """The probabilities that `passes` gives to a plane's bits, all at once: they are known.

        Args:
            planes: int8 (h, w, bits), of the iterations before, as for `passes`.
            plane: int8 (h, w, bits) of -1 and +1, and 0 where locations stopped.

        Returns:
            int (h, w, bits), that each bit is 1, of `CERTAIN`; of locations that stopped, anything.
        """
        return self.probabilities_of_batch([planes], [plane])[0]

    def probabilities_of_batch(
        self, planes: Sequence[Sequence[np.ndarray]], batch: Sequence[np.ndarray]
    ) -> np.ndarray:
        """The probabilities of the same iteration of several images, in fewer products.

        Args:
            planes: for each image, int8 (h, w, bits), of the iterations before, as for `passes`.
            batch: for each image, its plane, int8 (h, w, bits), all of one shape.

        Returns:
            int (images, h, w, bits): what `probabilities` gives for each image.
        """
        height, width, bits = batch[0].shape
        iteration = self.iterations[len(planes[0])]
        grid = _grid_of(height, width, len(batch))
        heads = iteration.merged
        context = _context(iteration, planes, grid)
        values = np.array(batch, np.float32).reshape(-1, bits)
        values *= ACTIVATION_SCALE
        known = _with_border(values, grid)
        evens = known.copy()
        evens[grid.inside[grid.parities[1]]] = 0
        result = np.empty((len(values), bits), np.int64)
        for parity, locations in enumerate(grid.parities):
            for part in _parts(locations.size):
                places = locations[part]
                around = grid.neighbours[places]
                sums = _product(known[around].reshape(places.size, -1), heads.earlier)
                if parity:
                    sums += _product(evens[around].reshape(places.size, -1), heads.own)
                if iteration.context:
                    sums += _product(context[places], heads.context)
                sums += heads.bias[parity]
                logits = _product(_activate(sums), heads.output)
                logits += heads.output_bias
                result[places] = _to_probabilities(logits)
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
        parities: Sequence[np.ndarray] = grid.parities
        if mask is not None:
            parities = [parity[mask.ravel()[parity]] for parity in parities]
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
        parities: Sequence[np.ndarray],
    ) -> Iterator[Pass]:
        """The passes at these locations of the images' grid."""
        bits = batch.shape[-1]
        iteration = self.iterations[len(planes[0])]
        context = _context(iteration, planes, grid)
        known = np.zeros((grid.places, bits), np.float32)
        located = batch.reshape(-1, bits)
        edges = group_edges(bits, len(iteration.heads))
        for head, (first, end) in zip(iteration.heads, pairwise(edges), strict=True):
            channels = slice(first, end)
            for parity, locations in enumerate(parities):
                probabilities = np.empty((locations.size, end - first), np.int64)
                for part in _parts(locations.size):
                    places = locations[part]
                    values = known[grid.neighbours[places], :end].reshape(places.size, -1)
                    sums = _product(values, head.plane)
                    if iteration.context:
                        sums += _product(context[places], head.context)
                    sums += head.bias[parity]
                    logits = _product(_activate(sums), head.output)
                    logits += head.output_bias
                    probabilities[part] = _to_probabilities(logits)
                yield Pass(locations, channels, probabilities)
                known[grid.inside[locations], channels] = ACTIVATION_SCALE * located[
                    locations, channels
                ].astype(np.float32)

    def to_bytes(self) -> bytes:
        """The model as it stands in its file."""
        first = self.iterations[0].heads
        widths = (len(first), first[0].bias.shape[1])
        hidden = self.iterations[-1].context[0][1].size if len(self.iterations) > 1 else 0
        parts = [
            _HEADER.pack(
                ENTROPY_MODEL_MAGIC, ENTROPY_MODEL_VERSION, self.codec_id, len(self.iterations),
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
        _, version, codec_id, iterations, bits, groups, hidden, width = _HEADER.unpack_from(content)
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
            for first, end in pairwise(edges):
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
        return cls(codec_id, bits, networks)


def stream_id(content: bytes) -> bytes:
    """The identity that streams carry which are coded with the entropy model of this file."""
    return hashlib.sha256(content).digest()[:ID_BYTES]


def group_edges(bits: int, groups: int) -> tuple[int, ...]:
    """Where groups of bits begin, and the last one ends.

    Examples:
        >>> group_edges(8, 3)
        (0, 2, 5, 8)
    """
    return tuple(bits * group // groups for group in range(groups + 1))


@dataclass(frozen=True)
class _Grid:
    """Where things are in the planes of a batch, and in those with borders of zeros around them.

    Attributes:
        parities: the even and the odd locations of the checkerboards, counted row by row and image
            by image.
        inside: of each location, its place in the planes with borders.
        neighbours: (images * h * w, 9), of each location the 3x3 places around it, row by row.
        places: how many there are in the planes with borders.
    """

    parities: tuple[np.ndarray, np.ndarray]
    inside: np.ndarray
    neighbours: np.ndarray
    places: int


@lru_cache(maxsize=1)
def _grid(height: int, width: int) -> _Grid:
    """The grid of one plane. The last one is kept, which takes some 100 bytes per location."""
    rows, columns = np.divmod(np.arange(height * width), width)
    odd = (rows + columns) % 2 == 1
    corner = rows * (width + 2) + columns
    around = (np.arange(3)[:, None] * (width + 2) + np.arange(3)).ravel()
    neighbours = corner[:, None] + around
    places = (height + 2) * (width + 2)
    return _Grid((np.flatnonzero(~odd), np.flatnonzero(odd)), neighbours[:, 4], neighbours, places)


def _grid_of(height: int, width: int, images: int) -> _Grid:
    """The grid of a batch."""
    return _grid(height, width) if images == 1 else _batch_grid(height, width, images)


@lru_cache(maxsize=4)
def _batch_grid(height: int, width: int, images: int) -> _Grid:
    """The grid of several planes. The last ones are kept: batches are of small planes."""
    one = _grid(height, width)
    number = np.arange(images)[:, None]
    even, odd = ((number * (height * width) + parity).ravel() for parity in one.parities)
    neighbours = (number[..., None] * one.places + one.neighbours).reshape(-1, 9)
    return _Grid((even, odd), neighbours[:, 4], neighbours, images * one.places)


@lru_cache(maxsize=1)
def _order(height: int, width: int, edges: tuple[int, ...]) -> np.ndarray:
    """The order of a plane's bits; the last one is kept, like the grid."""
    bits = edges[-1]
    return np.concatenate(
        [
            (locations[:, None] * bits + np.arange(first, end)).ravel()
            for first, end in pairwise(edges)
            for locations in _grid(height, width).parities
        ]
    )


def _parts(size: int) -> Iterator[slice]:
    for start in range(0, size, _LOCATIONS_AT_ONCE):
        yield slice(start, min(start + _LOCATIONS_AT_ONCE, size))


def _with_border(values: np.ndarray, grid: _Grid) -> np.ndarray:
    """Values of all locations, (h * w, channels), with a border of zeros around them."""
    padded = np.zeros((grid.places, values.shape[1]), np.float32)
    padded[grid.inside] = values
    return padded


def _context(
    iteration: IterationModel, planes: Sequence[Sequence[np.ndarray]], grid: _Grid
) -> np.ndarray:
    """What the planes of the iterations before give, (images * h * w, hidden).

    There are no channels in the first iteration.
    """
    if not iteration.context:
        return np.zeros((len(grid.inside), 0), np.float32)
    # (images, iterations, h, w, bits) to (images, h, w, iterations, bits)
    values = np.array(planes, np.float32).transpose(0, 2, 3, 1, 4).reshape(len(grid.inside), -1)
    values *= ACTIVATION_SCALE
    for kernel, bias in iteration.context:
        values = _convolve(values, grid, kernel, bias)
    return values


def _convolve(values: np.ndarray, grid: _Grid, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """A 3x3 layer: (h * w, channels) to (h * w, filters)."""
    padded = _with_border(values, grid)
    outputs = np.empty((len(values), bias.size), np.float32)
    for part in _parts(len(values)):
        patches = padded[grid.neighbours[part]].reshape(part.stop - part.start, -1)
        sums = _product(patches, kernel)
        sums += bias
        outputs[part] = _activate(sums)
    return outputs


def _product(values: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Their matrix product, (n, inputs) by (inputs, outputs), on one thread.

    The threads of a BLAS library gain nothing at these sizes, and OpenBLAS's go on spinning for
    some 25 ms after each product, on the CPUs that the codec's next iteration needs. A stack
    of small products takes none.
    """
    height, width = kernel.shape
    rows = max(_SMALL_PRODUCT // max(kernel.size, 1) // _ROWS * _ROWS, _ROWS)
    whole = len(values) // rows * rows
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
        return (values.reshape(whole // rows, rows, height) @ kernel).reshape(whole, width)
    stack = values[:whole].reshape(whole // rows, rows, height) @ kernel
    return np.concatenate([stack.reshape(whole, width), last])


def _to_probabilities(sums: np.ndarray) -> np.ndarray:
    """What the output layer's sums mean. They are overwritten."""
    logits = _rescale(sums, LOGIT_MIN, LOGIT_MAX)
    return np.asarray(PROBABILITIES[logits.astype(np.int64) - LOGIT_MIN])


def _activate(sums: np.ndarray) -> np.ndarray:
    """What a layer's sums give to the next one. They are overwritten."""
    return _rescale(sums, 0, ACTIVATION_MAX)


def _rescale(sums: np.ndarray, least: int, most: int) -> np.ndarray:
    np.multiply(sums, np.float32(1 / WEIGHT_SCALE), out=sums)  # A power of two, so exact.
    np.floor(sums, out=sums)
    np.maximum(sums, np.float32(least), out=sums)
    return np.minimum(sums, np.float32(most), out=sums)


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
