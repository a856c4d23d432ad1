"""Planes to bytes and back: a range coder under an entropy model, with checksums in between."""

from __future__ import annotations

import copy
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tfrnnc.bitstream.bit_planes import as_plane, coded_locations, pack_plane
from tfrnnc.bitstream.constants import (
    CERTAIN,
    EVEN,
    LARGE_CHECKSUM_BYTES,
    MASK_SHIFT,
    PARTIAL_SHARE,
    PROBABILITY_BITS,
    RANGE_BYTES,
    SMALL_CHECKSUM_BYTES,
    SMALL_PLANE,
    STORED,
)
from tfrnnc.bitstream.entropy_model import EntropyModel, Pass, place_dtype
from tfrnnc.bitstream.header import PlaneShape
from tfrnnc.bitstream.mask_coder import MaskCoder
from tfrnnc.bitstream.probabilities import costs_of
from tfrnnc.bitstream.range_coder import CoderState, RangeDecoder, RangeEncoder
from tfrnnc.errors import CorruptStreamError

_EVEN = np.array(EVEN, np.uint16)

# What the least probable bits take, rounded up: a mark that the plane is stored, one of a mask.
_STORED_BITS = (CERTAIN // STORED - 1).bit_length()
_MASK_BITS = PROBABILITY_BITS - MASK_SHIFT + 1
_LOST_SHARE = 128  # Rounding in the range coder takes less than one in 128 bits.

_BITS_AT_ONCE = 1 << 16  # for the memory: Python's numbers take about 50 bytes for each


def checksum_bytes(plane_bits: int) -> int:
    """Bytes of the checksum that follows a plane of a number of bits."""
    return SMALL_CHECKSUM_BYTES if plane_bits <= SMALL_PLANE else LARGE_CHECKSUM_BYTES


@dataclass(frozen=True)
class WholePlane:
    """A plane that was read whole, with its checksum.

    Attributes:
        plane: int8 (h, w, bits) of -1 and +1, and 0 where locations stopped.
    """

    plane: np.ndarray


@dataclass(frozen=True)
class PartialPlane:
    """What is settled of a plane that the data ends within.

    Attributes:
        plane: int8 (h, w, bits), zero where the data ends too early to tell the bit, and at
            locations that stopped.
        settled: how many of its bits the data tells.
        size: how many there are.
    """

    plane: np.ndarray
    settled: int
    size: int

    @property
    def counts(self) -> bool:
        """Whether enough of it is there to make an iteration."""
        return self.settled * PARTIAL_SHARE >= self.size


@dataclass(frozen=True)
class EndOfStream:
    """A mask says that no location goes on, which ends the payload."""


class _CodedPlane(NamedTuple):
    """A plane that was written, and what tells how much of it a cut payload settles.

    Attributes:
        plane: int8 (h, w, bits).
        mask: bool (h, w), the locations that take it; None for all.
        stored: whether its bits are in the order of the grid.
        preamble: the probabilities of the bits before its own: its mask, and whether it is stored.
        probabilities: of its bits, uint16, in the order of coding; None where they are computed
            again when they are needed, as planes of large images are too many to keep them.
        start: what the range coder was before it.
        end: what it was after its checksum.
    """

    plane: np.ndarray
    mask: np.ndarray | None
    stored: bool
    preamble: list[int]
    probabilities: np.ndarray | None
    start: CoderState
    end: CoderState


class _PlaneCoder:
    """What encoder and decoder share.

    Args:
        shape: (h, w, bits) of the planes.
        model: of the bits; None takes all for equally probable.
        seed: what the checksums cover beside the planes; None leaves the checksums out.
        adaptive: whether locations may stop before the others; a mask before each plane but the
            first then tells which go on.
    """

    def __init__(
        self,
        shape: PlaneShape,
        model: EntropyModel | None = None,
        seed: bytes | None = None,
        adaptive: bool = False,
    ):
        self.shape = shape
        self.model = model
        self.planes: list[np.ndarray] = []
        self._size = shape[0] * shape[1] * shape[2]
        self._crc = None if seed is None else zlib.crc32(seed)
        self._masks = MaskCoder() if adaptive else None

    def _checksum(self, plane: np.ndarray, mask: np.ndarray | None) -> list[int]:
        """The bits of the checksum after a plane, which covers all planes and masks up to it."""
        if self._crc is None:
            return []
        if mask is not None:
            self._crc = zlib.crc32(np.packbits(mask, axis=None).tobytes(), self._crc)
        self._crc = zlib.crc32(pack_plane(plane), self._crc)
        count = 8 * checksum_bytes(self._size)
        return [self._crc >> i & 1 for i in reversed(range(count))]

    def _locations(self, mask: np.ndarray | None) -> np.ndarray:
        """The locations that take a plane, in the order of the grid."""
        height, width, _ = self.shape
        return np.arange(height * width) if mask is None else np.flatnonzero(mask)


class PlaneEncoder(_PlaneCoder):
    """Writes planes; see `_PlaneCoder` for the arguments.

    Attributes:
        planes: those written, int8 (h, w, bits).
    """

    def __init__(
        self,
        shape: PlaneShape,
        model: EntropyModel | None = None,
        seed: bytes | None = None,
        adaptive: bool = False,
    ):
        super().__init__(shape, model, seed, adaptive)
        self._coder = RangeEncoder()
        self._coded: list[_CodedPlane] = []

    def add(self, plane: np.ndarray, probabilities: np.ndarray | None = None) -> None:
        """Appends a plane.

        Args:
            plane: int8 (h, w, bits) of -1 and +1; if adaptive, 0 for all bits of the locations
                that stopped. A plane of zeros ends the payload, and does not count.
            probabilities: what the model gives for it after the planes before, uint16
                (h, w, bits), if that is known already.
        """
        start = self._coder.state
        preamble: list[int] = []
        mask = None
        if self._masks and self.planes:
            mask = coded_locations(plane)
            preamble += self._encode_mask(self._masks, mask)
            if not mask.any():
                return
        stored = self.model is None
        bits, order = self._in_order(plane, mask, stored)
        if self.model is not None:
            if probabilities is None:
                probabilities = self.model.probabilities(self.planes, plane)
            coded_with = _take(probabilities.ravel(), order)
            del probabilities, order
            stored = _cost(bits, coded_with) > bits.size
            self._coder.encode([int(stored)], [STORED])
            preamble.append(STORED)
            if stored:
                bits, _ = self._in_order(plane, mask, stored)
        if stored:
            coded_with = np.broadcast_to(_EVEN, bits.shape)
        for part in _parts(bits.size):
            self._coder.encode(bits[part].tolist(), coded_with[part].tolist())
        self.planes.append(plane)
        if checksum := self._checksum(plane, mask):
            self._coder.encode(checksum, [EVEN] * len(checksum))
        kept = coded_with if stored or plane.size <= _BITS_AT_ONCE else None
        self._coded.append(
            _CodedPlane(plane, mask, stored, preamble, kept, start, self._coder.state)
        )

    def ended(self) -> PlaneEncoder:
        """Another encoder, of the same planes and a mask that ends the payload after them."""
        other = copy.copy(self)
        other._coder = self._coder.copy()
        other._masks = self._masks and self._masks.copy()
        other.add(np.zeros(self.shape, np.int8))
        return other

    def finish(self, count: int | None = None) -> bytes:
        """The fewest bytes that hold planes; more can be added.

        Args:
            count: how many planes; None takes all, and the end if there is one.
        """
        return self._coder.finish(self._state(count))

    def size(self, count: int | None = None) -> int:
        """How many bytes `finish` gives.

        Args:
            count: as for `finish`.
        """
        state = self._state(count)
        return state.size + state.shortest_end()[1]

    def most_bytes(self, count: int) -> int:
        """Bytes that `size` does not exceed, whatever the planes are.

        Args:
            count: how many planes; they need not be there.
        """
        plane_bits = self._size
        if self.model is not None:
            plane_bits += _STORED_BITS
        if self._masks:
            plane_bits += _MASK_BITS * self.shape[0] * self.shape[1]
        if self._crc is not None:
            plane_bits += 8 * checksum_bytes(self._size)
        return RANGE_BYTES + count * (plane_bits + plane_bits // _LOST_SHARE + 1) // 8

    def end(self, payload: bytes, count: int) -> int:
        """How many bytes of a payload it takes to have the first planes whole.

        Args:
            payload: what `finish` gave for at least as many planes.
            count: how many planes, at least one.
        """
        return self._coded[count - 1].end.end_in(payload)

    def read_cut(self, payload: bytes) -> tuple[int, PartialPlane | None]:
        """What a decoder finds in a payload that was cut.

        Args:
            payload: the first bytes of what `finish` gave.

        Returns:
            how many planes are whole, and what is settled of the next; None if that one was not
            written.
        """
        whole = 0
        for coded in self._coded:
            if not coded.end.is_in(payload):
                return whole, self._partial(whole, payload)
            whole += 1
        return whole, None

    def _state(self, count: int | None) -> CoderState:
        if count is None or count == len(self.planes):
            return self._coder.state
        return self._coded[count - 1].end

    def _partial(self, number: int, payload: bytes) -> PartialPlane:
        """What is settled of a plane, counted from zero."""
        coded = self._coded[number]
        order = self._order(coded.mask, coded.stored)
        probabilities = coded.probabilities
        if probabilities is None:
            assert self.model is not None
            probabilities = _take(
                self.model.probabilities(self.planes[:number], coded.plane).ravel(), order
            )
        decoder = RangeDecoder(payload, coded.start)
        preamble = decoder.decode(coded.preamble)
        settled = 0
        if len(preamble) == len(coded.preamble):
            settled = _decode(decoder, probabilities).size
        plane = np.zeros(self.shape, np.int8)
        known = order[:settled]
        plane.ravel()[known] = coded.plane.ravel()[known]
        return PartialPlane(plane, settled, order.size)

    def _order(self, mask: np.ndarray | None, stored: bool) -> np.ndarray:
        """The places of a plane's bits in the plane, in the order of coding."""
        if self.model is not None and not stored:
            return self.model.order(self.shape, mask)
        bits = self.shape[2]
        dtype = place_dtype(self.shape)
        begins = (self._locations(mask) * bits).astype(dtype)
        places: np.ndarray = np.add.outer(begins, np.arange(bits, dtype=dtype)).ravel()
        return places

    def _in_order(
        self, plane: np.ndarray, mask: np.ndarray | None, stored: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """A plane's bits as bools, in the order of coding, and that order."""
        order = self._order(mask, stored)
        return _take(plane.ravel() > 0, order), order

    def _encode_mask(self, masks: MaskCoder, mask: np.ndarray) -> list[int]:
        """Writes a mask; returns the probabilities of its bits."""
        before = coded_locations(self.planes[-1])
        assert not (mask & ~before).any(), "a location that stopped cannot go on"
        goes_on = mask.tolist()
        bits: list[int] = []
        probabilities: list[int] = []

        def next_bit(row: int, column: int, probability: int) -> int:
            bits.append(int(goes_on[row][column]))
            probabilities.append(probability)
            return bits[-1]

        masks.code(before, next_bit)
        self._coder.encode(bits, probabilities)
        return probabilities


@dataclass
class _BegunPlane:
    """A plane that is being read.

    Attributes:
        plane: int8 (h, w, bits), zero where not read.
        mask: bool (h, w), the locations that take it; None for all.
        stored: whether its bits are in the order of the grid; None if the data ends before it says.
        size: how many bits there are to read.
        settled: how many were read.
    """

    plane: np.ndarray
    mask: np.ndarray | None
    stored: bool | None
    size: int
    settled: int = 0


class PlaneDecoder(_PlaneCoder):
    """Reads planes; see `_PlaneCoder` for the other arguments.

    Args:
        data: what `PlaneEncoder.finish` gave, or the first bytes of it.

    Attributes:
        planes: those read whole, int8 (h, w, bits) of -1 and +1, and 0 where locations stopped.
        ends: for each of them, how many bytes of the data it takes to have it whole.
    """

    def __init__(
        self,
        data: bytes,
        shape: PlaneShape,
        model: EntropyModel | None = None,
        seed: bytes | None = None,
        adaptive: bool = False,
    ):
        super().__init__(shape, model, seed, adaptive)
        self.ends: list[int] = []
        self._coder = RangeDecoder(data)

    def read(self) -> WholePlane | PartialPlane | EndOfStream:
        """Reads a plane.

        After one that is not whole, none can be read.

        Raises:
            CorruptStreamError: if the checksum after it fails.
        """
        begun = self._begin()
        return self._finish(begun) if isinstance(begun, _BegunPlane) else begun

    def _begin(self) -> _BegunPlane | PartialPlane | EndOfStream:
        """Reads what is before the bits of a plane."""
        mask, size = None, self._size
        if self._masks and self.planes:
            mask = self._read_mask(self._masks)
            if mask is None:
                return PartialPlane(np.zeros(self.shape, np.int8), 0, self._size)
            if not mask.any():
                return EndOfStream()
            size = int(np.count_nonzero(mask)) * self.shape[2]
        said = [1] if self.model is None else self._coder.decode([STORED])
        stored = bool(said[0]) if said else None
        return _BegunPlane(np.zeros(self.shape, np.int8), mask, stored, size)

    def _finish(self, begun: _BegunPlane) -> WholePlane | PartialPlane:
        """Reads the bits of a plane, those that were not, and its checksum."""
        if begun.stored is not None and not begun.settled:
            self._read_bits(begun)
        plane = begun.plane
        if begun.settled < begun.size or not self._read_checksum(plane, begun.mask):
            return PartialPlane(plane, begun.settled, begun.size)
        self.planes.append(plane)
        self.ends.append(self._coder.used)
        return WholePlane(plane)

    def _read_bits(self, begun: _BegunPlane) -> None:
        target = begun.plane.reshape(-1, self.shape[2])
        for part in self._passes(bool(begun.stored), begun.plane, begun.mask):
            wanted = part.probabilities.size
            bits = _decode(self._coder, part.probabilities.ravel())
            begun.settled += bits.size
            values = np.zeros(wanted, np.int8)
            values[: bits.size] = as_plane(bits)
            target[part.locations, part.channels] = values.reshape(part.probabilities.shape)
            if bits.size < wanted:
                break

    def _read_checksum(self, plane: np.ndarray, mask: np.ndarray | None) -> bool:
        """Whether the checksum after a plane is whole.

        Raises:
            CorruptStreamError: if a bit of it is wrong.
        """
        checksum = self._checksum(plane, mask)
        bits = self._coder.decode([EVEN] * len(checksum))
        if bits != checksum[: len(bits)]:
            raise CorruptStreamError(
                f"the stream is damaged: iteration {len(self.planes) + 1} is wrong"
            )
        return len(bits) == len(checksum)

    def _read_mask(self, masks: MaskCoder) -> np.ndarray | None:
        def next_bit(row: int, column: int, probability: int) -> int | None:
            bits = self._coder.decode((probability,))
            return bits[0] if bits else None

        return masks.code(coded_locations(self.planes[-1]), next_bit)

    def _passes(self, stored: bool, plane: np.ndarray, mask: np.ndarray | None) -> Iterator[Pass]:
        if self.model is not None and not stored:
            return self.model.passes(self.planes, plane, mask)
        locations, bits = self._locations(mask), self.shape[2]
        even = np.broadcast_to(EVEN, (locations.size, bits))
        return iter([Pass(locations, slice(0, bits), even)])


def _parts(size: int) -> Sequence[slice]:
    return [slice(first, first + _BITS_AT_ONCE) for first in range(0, size, _BITS_AT_ONCE)]


def _cost(bits: np.ndarray, probabilities: np.ndarray) -> float:
    """How many bits of the payload a plane's bits take."""
    return sum(float(costs_of(bits[part], probabilities[part]).sum()) for part in _parts(bits.size))


def _take(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Values at places, in parts, as NumPy makes 8 bytes of each place."""
    if places.size <= _BITS_AT_ONCE:
        return values.take(places)
    taken = np.empty(places.size, values.dtype)
    for part in _parts(places.size):
        taken[part] = values.take(places[part])
    return taken


def _decode(decoder: RangeDecoder, probabilities: np.ndarray) -> np.ndarray:
    """The bits with these probabilities, bool; fewer if the data ends before."""
    if probabilities.size <= _BITS_AT_ONCE:
        return np.array(decoder.decode(probabilities.tolist()), bool)
    bits = []
    for part in _parts(probabilities.size):
        read = decoder.decode(probabilities[part].tolist())
        bits.append(np.array(read, bool))
        if len(read) < probabilities[part].size:
            break
    return np.concatenate(bits)


def read_together(
    decoders: Sequence[PlaneDecoder],
) -> list[WholePlane | PartialPlane | EndOfStream | CorruptStreamError]:
    """Reads the next plane of several streams, with the entropy model's work done for all at once.

    Args:
        decoders: of the same shape and model, which have read as many planes.

    Returns:
        for each, what `PlaneDecoder.read` gives, or the error that it raises.
    """
    begun = [decoder._begin() for decoder in decoders]
    model = decoders[0].model
    if model is not None:
        together = [
            (decoder, each)
            for decoder, each in zip(decoders, begun, strict=True)
            if isinstance(each, _BegunPlane) and each.stored is False and each.mask is None
        ]
        if len(together) > 1:
            _read_bits_together(model, together)
    results: list[WholePlane | PartialPlane | EndOfStream | CorruptStreamError] = []
    for decoder, each in zip(decoders, begun, strict=True):
        try:
            results.append(decoder._finish(each) if isinstance(each, _BegunPlane) else each)
        except CorruptStreamError as error:
            results.append(error)
    return results


def _read_bits_together(
    model: EntropyModel, begun: Sequence[tuple[PlaneDecoder, _BegunPlane]]
) -> None:
    """Reads the bits of planes that all locations take."""
    coders = [decoder._coder for decoder, _ in begun]
    batch = np.stack([each.plane for _, each in begun])
    for (_, each), plane in zip(begun, batch, strict=True):
        each.plane = plane
    located = batch.reshape(-1, batch.shape[-1])
    going_on = [True] * len(begun)
    for part in model.passes_of_batch([decoder.planes for decoder, _ in begun], batch):
        probabilities = part.probabilities.reshape(len(begun), -1)
        wanted = probabilities.shape[1]
        rows, cut = [], []
        for number, row in enumerate(probabilities.tolist()):
            bits = coders[number].decode(row) if going_on[number] else []
            begun[number][1].settled += len(bits)
            if len(bits) < wanted:
                going_on[number] = False
                cut.append((number, len(bits)))
                bits += [0] * (wanted - len(bits))
            rows.append(bits)
        values = as_plane(np.array(rows, bool))
        for number, settled in cut:
            values[number, settled:] = 0
        located[part.locations, part.channels] = values.reshape(part.probabilities.shape)
        if not any(going_on):
            break


def payload_sizes(planes: Sequence[np.ndarray], model: EntropyModel | None) -> list[int]:
    """Bytes of the payload after each of the planes, without header and checksums.

    Args:
        planes: int8 (h, w, bits) of -1 and +1.
        model: of the bits; None takes all for equally probable.
    """
    encoder = PlaneEncoder(planes[0].shape, model)
    for plane in planes:
        encoder.add(plane)
    return [encoder.size(count) for count in range(1, len(planes) + 1)]
