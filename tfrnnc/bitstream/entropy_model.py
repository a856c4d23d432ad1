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

from tfrnnc.bitstream.probabilities import PROBABILITIES
from tfrnnc.errors import ModelError

ACTIVATION_SCALE = 64  #: an activation or bit of 1.0 is this integer
ACTIVATION_MAX = 255
WEIGHT_SCALE = 128  #: a weight of 1.0 is this integer
WEIGHT_MAX = 127
EXACT = 1 << 24  #: sums of integers below this are exact in float32
ID_BYTES = 4
_MAGIC = b"RNNE"
_VERSION = 1
_HEADER = struct.Struct("<4sB4sBBBHH")
_CELLS_AT_ONCE = 1 << 14  # for the memory: each takes 9 values a channel
_SMALL_PRODUCT = 1 << 18  # multiplications for which no BLAS library starts threads
_ROWS = 8  # of products, a multiple: those of two rows come out wrong on ARM with SME (NumPy 2.5.5)


@dataclass(frozen=True)
class Pass:
    """Bits of a plane that are coded at once, as none depends on another.

    Attributes:
        locations: int (n,), locations, counted row by row.
        channels: which bits of these locations.
        probabilities: int (n, channels), 65536 times the chance that the bit is 1.
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
class IterationModel:
    """The network of one iteration. All arrays are float32 and hold integers.

    Attributes:
        context: two layers, each a kernel (9 * channels, hidden) over 3x3 locations and a bias
            (hidden,), from the planes of the iterations before; none in the first iteration.
        heads: one for each group of bits.
    """

    context: list[tuple[np.ndarray, np.ndarray]]
    heads: list[Head]


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
        height, width, bits = plane.shape
        iteration = self.iterations[len(planes)]
        grid = _grid(height, width)
        context = np.zeros((height * width, 0), np.float32)
        if iteration.context:
            context = np.concatenate(planes, axis=2).reshape(height * width, -1)
            context = ACTIVATION_SCALE * context.astype(np.float32)
            for kernel, bias in iteration.context:
                context = _convolve(context, grid, kernel, bias)
        known = np.zeros(((height + 2) * (width + 2), bits), np.float32)
        first = 0
        for head in iteration.heads:
            end = first + head.output_bias.size
            for parity, bias in zip(grid.parities, head.bias, strict=True):
                locations = parity if mask is None else parity[mask.ravel()[parity]]
                probabilities = np.empty((locations.size, end - first), np.int64)
                for part in _parts(locations.size):
                    places = locations[part]
                    values = known[grid.neighbours[places], :end].reshape(places.size, -1)
                    sums = _product(values, head.plane) + _product(context[places], head.context)
                    values = _activate(sums + bias)
                    sums = _product(values, head.output) + head.output_bias
                    logits = np.floor(sums / WEIGHT_SCALE)
                    index = np.minimum(np.maximum(logits, -128), 127).astype(np.int64) + 128
                    probabilities[part] = PROBABILITIES[index]
                yield Pass(locations, slice(first, end), probabilities)
                filled = plane.reshape(-1, bits)[locations, first:end]
                known[grid.inside[locations], first:end] = ACTIVATION_SCALE * filled.astype(
                    np.float32
                )
            first = end

    def passes_of(
        self, planes: Sequence[np.ndarray], plane: np.ndarray, mask: np.ndarray | None = None
    ) -> Iterator[tuple[Pass, np.ndarray]]:
        """The passes of an iteration whose bits are all there, as an encoder has them.

        Args:
            planes: int8 (h, w, bits), of the iterations before, as for `passes`.
            plane: int8 (h, w, bits) of -1 and +1, where the iteration is taken.
            mask: as for `passes`.

        Yields:
            each pass and its bits, int8 (n, channels) of -1 and +1.
        """
        known = np.zeros_like(plane)
        source, target = (values.reshape(-1, plane.shape[2]) for values in (plane, known))
        for part in self.passes(planes, known, mask):
            bits = target[part.locations, part.channels] = source[part.locations, part.channels]
            yield part, bits

    def to_bytes(self) -> bytes:
        """The model as it stands in its file."""
        first = self.iterations[0].heads
        widths = (len(first), first[0].bias.shape[1])
        hidden = self.iterations[-1].context[0][1].size if len(self.iterations) > 1 else 0
        parts = [
            _HEADER.pack(
                _MAGIC, _VERSION, self.codec_id, len(self.iterations), self.bits, widths[0], hidden,
                widths[1],
            )
        ]  # fmt: skip
        for iteration in self.iterations:
            for kernel, bias in iteration.context:
                parts += [_int8(kernel), _int32(bias)]
            for head in iteration.heads:
                parts += [_int8(head.context), _int8(head.plane), _int32(head.bias)]
                parts += [_int8(head.output), _int32(head.output_bias)]
        content = b"".join(parts)
        return content + zlib.crc32(content).to_bytes(4, "little")

    @classmethod
    def from_bytes(cls, content: bytes) -> EntropyModel:
        """Reads what `to_bytes` wrote.

        Raises:
            ModelError: if it is damaged, cut, or of an unknown version.
        """
        if len(content) < _HEADER.size + 4 or content[:4] != _MAGIC:
            raise ModelError("not an entropy model")
        if zlib.crc32(content[:-4]) != int.from_bytes(content[-4:], "little"):
            raise ModelError("the entropy model is damaged or cut")
        _, version, codec_id, iterations, bits, groups, hidden, width = _HEADER.unpack_from(content)
        if version != _VERSION:
            raise ModelError(f"the entropy model is of version {version}, not {_VERSION}")
        if not (iterations and 0 < groups <= bits and width and (hidden or iterations == 1)):
            raise ModelError("the entropy model is damaged")
        reader = _Reader(content[:-4], _HEADER.size)
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


def group_edges(bits: int, groups: int) -> list[int]:
    """Where groups of bits begin, and the last one ends.

    Examples:
        >>> group_edges(8, 3)
        [0, 2, 5, 8]
    """
    return [bits * group // groups for group in range(groups + 1)]


@dataclass(frozen=True)
class _Grid:
    """Where things are in a plane, and in one with a border of zeros around it.

    Attributes:
        parities: the even and the odd locations of the checkerboard, counted row by row.
        inside: of each location, its place in the plane with the border.
        neighbours: (h * w, 9), of each location the 3x3 places around it, row by row.
    """

    parities: tuple[np.ndarray, np.ndarray]
    inside: np.ndarray
    neighbours: np.ndarray


@lru_cache(maxsize=1)
def _grid(height: int, width: int) -> _Grid:
    rows, columns = np.divmod(np.arange(height * width), width)
    odd = (rows + columns) % 2 == 1
    corner = rows * (width + 2) + columns
    around = (np.arange(3)[:, None] * (width + 2) + np.arange(3)).ravel()
    neighbours = corner[:, None] + around
    return _Grid((np.flatnonzero(~odd), np.flatnonzero(odd)), neighbours[:, 4], neighbours)


def _parts(size: int) -> Iterator[slice]:
    for start in range(0, size, _CELLS_AT_ONCE):
        yield slice(start, min(start + _CELLS_AT_ONCE, size))


def _convolve(values: np.ndarray, grid: _Grid, kernel, bias) -> np.ndarray:
    """A 3x3 layer: (h * w, channels) to (h * w, filters)."""
    padded = np.zeros((int(grid.neighbours[-1, -1]) + 1, values.shape[1]), np.float32)
    padded[grid.inside] = values
    outputs = np.empty((len(values), bias.size), np.float32)
    for part in _parts(len(values)):
        patches = padded[grid.neighbours[part]].reshape(part.stop - part.start, -1)
        outputs[part] = _activate(_product(patches, kernel) + bias)
    return outputs


def _product(values: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Their matrix product, (n, inputs) by (inputs, outputs), on one thread.

    The threads of a BLAS library gain nothing at these sizes, and OpenBLAS's go on spinning for
    some 25 ms after each product, on the processors that the codec's next iteration needs. A stack
    of small products takes none.
    """
    height, width = kernel.shape
    rows = max(_SMALL_PRODUCT // max(kernel.size, 1) // _ROWS * _ROWS, _ROWS)
    whole = len(values) // rows * rows
    rest = values[whole:]
    padded = np.zeros((-(-len(rest) // _ROWS) * _ROWS, height), np.float32)
    padded[: len(rest)] = rest
    last = (padded @ kernel)[: len(rest)]
    if not whole:
        return last
    stack = values[:whole].reshape(whole // rows, rows, height) @ kernel
    return np.concatenate([stack.reshape(whole, width), last])


def _activate(sums: np.ndarray) -> np.ndarray:
    return np.minimum(np.maximum(np.floor(sums / WEIGHT_SCALE), 0), ACTIVATION_MAX)


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
