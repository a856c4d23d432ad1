"""Planes to bytes and back: a range coder under an entropy model, with checksums in between."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from tfrnnc.bitstream.bit_planes import as_plane, coded_locations, pack_plane
from tfrnnc.bitstream.entropy_model import EntropyModel, Pass
from tfrnnc.bitstream.mask_coder import MaskCoder
from tfrnnc.bitstream.probabilities import COST_OF_ONE, LARGEST
from tfrnnc.bitstream.range_coder import EVEN, RangeDecoder, RangeEncoder
from tfrnnc.errors import CorruptStreamError

#: 65536 times the chance that a plane is stored as it is, because the model would make it grow.
STORED = 1024
SMALL_PLANE = 2048  #: bits; planes of more are followed by a checksum of four bytes instead of one
MIN_COST = float(COST_OF_ONE[LARGEST])  #: bits that a bit takes at least


def checksum_bytes(plane_bits: int) -> int:
    """Bytes of the checksum that follows a plane of so many bits."""
    return 1 if plane_bits <= SMALL_PLANE else 4


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
        shape: tuple[int, int, int],
        model: EntropyModel | None,
        seed: bytes | None,
        adaptive: bool,
    ):
        self.shape = shape
        self.model = model
        self.planes: list[np.ndarray] = []
        self._size = shape[0] * shape[1] * shape[2]
        self._crc = None if seed is None else zlib.crc32(seed)
        self._masks = MaskCoder() if adaptive else None

    @property
    def _has_mask(self) -> bool:
        return self._masks is not None and bool(self.planes)

    def _checksum(self, plane: np.ndarray, mask: np.ndarray | None) -> list[int]:
        """The bits of the checksumsum after a plane, which covers all planes and masks up to it."""
        if self._crc is None:
            return []
        if mask is not None:
            self._crc = zlib.crc32(np.packbits(mask, axis=None).tobytes(), self._crc)
        self._crc = zlib.crc32(pack_plane(plane), self._crc)
        count = 8 * checksum_bytes(self._size)
        return [self._crc >> i & 1 for i in reversed(range(count))]


class PlaneEncoder(_PlaneCoder):
    """Writes planes; see `_PlaneCoder` for the arguments.

    Attributes:
        planes: those written, int8 (h, w, bits).
    """

    def __init__(self, shape, model=None, seed=None, adaptive=False):
        super().__init__(shape, model, seed, adaptive)
        self._coder = RangeEncoder()

    def add(self, plane: np.ndarray) -> None:
        """Appends a plane.

        Args:
            plane: int8 (h, w, bits) of -1 and +1; if adaptive, 0 for all bits of the locations
                that stopped. A plane of zeros ends the code, and does not count.
        """
        mask = self._add_mask(coded_locations(plane)) if self._has_mask else None
        if mask is not None and not mask.any():
            return
        bits, probabilities = self._ordered(plane, mask, stored=False)
        if self.model is not None:
            cost = COST_OF_ONE[np.where(bits, probabilities, 65536 - probabilities)].sum()
            stored = bool(cost > bits.size)
            self._coder.encode([int(stored)], [STORED])
            if stored:
                bits, probabilities = self._ordered(plane, mask, stored)
        self._coder.encode(bits.tolist(), probabilities.tolist())
        self.planes.append(plane)
        checksum = self._checksum(plane, mask)
        self._coder.encode(checksum, [EVEN] * len(checksum))

    def finish(self) -> bytes:
        """The fewest bytes that hold all planes so far; more can be added."""
        return self._coder.finish()

    def _add_mask(self, mask: np.ndarray) -> np.ndarray:
        assert self._masks is not None
        before = coded_locations(self.planes[-1])
        assert not (mask & ~before).any(), "a location that stopped cannot go on"
        goes_on = mask.tolist()

        def next_bit(row: int, column: int, probability: int) -> int:
            bit = int(goes_on[row][column])
            self._coder.encode((bit,), (probability,))
            return bit

        self._masks.code(before, next_bit)
        return mask

    def _ordered(
        self, plane: np.ndarray, mask: np.ndarray | None, stored: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """The bits in the order of coding, and the probabilities that they are 1."""
        if self.model is None or stored:
            there = plane if mask is None else plane[mask]
            return there.ravel() > 0, np.full(there.size, EVEN)
        bits, probabilities = [], []
        for part, values in self.model.passes_of(self.planes, plane, mask):
            bits.append(values.ravel() > 0)
            probabilities.append(part.probabilities.ravel())
        return np.concatenate(bits), np.concatenate(probabilities)


class Read(NamedTuple):
    """What was read of a plane.

    Attributes:
        plane: int8 (h, w, bits), zero where the data ends too early to tell the bit, and at
            locations that stopped.
        settled: how many of its bits the data tells.
        size: how many there are.
    """

    plane: np.ndarray
    settled: int
    size: int


class PlaneDecoder(_PlaneCoder):
    """Reads planes; see `_PlaneCoder` for the other arguments.

    Args:
        data: what `PlaneEncoder.finish` gave, or the first bytes of it.

    Attributes:
        planes: those read whole, int8 (h, w, bits) of -1 and +1, and 0 where locations stopped.
        ends: for each of them, how many bytes of the data it takes to have it whole.
    """

    def __init__(self, data: bytes, shape, model=None, seed=None, adaptive=False):
        super().__init__(shape, model, seed, adaptive)
        self.ends: list[int] = []
        self._coder = RangeDecoder(data)

    def read(self) -> Read | None:
        """Reads a plane; None where a mask ends the code.

        A plane that is whole counts as read; after one that is not, none can be.

        Raises:
            CorruptStreamError: if the checksum after it fails.
        """
        plane = np.zeros(self.shape, np.int8)
        mask, size = None, self._size
        if self._has_mask:
            mask = self._read_mask()
            if mask is None:
                return Read(plane, 0, size)
            size = int(np.count_nonzero(mask)) * self.shape[2]
            if not size:
                return None
        target = plane.reshape(-1, self.shape[2])
        settled = 0
        stored = [0] if self.model is None else self._coder.decode([STORED])
        if not stored:
            return Read(plane, 0, size)
        for part in self._passes(bool(stored[0]), plane, mask):
            wanted = part.probabilities.size
            bits = self._coder.decode(part.probabilities.ravel().tolist())
            settled += len(bits)
            values = np.zeros(wanted, np.int8)
            values[: len(bits)] = as_plane(np.array(bits, bool))
            target[part.locations, part.channels] = values.reshape(part.probabilities.shape)
            if len(bits) < wanted:
                return Read(plane, settled, size)
        checksum = self._checksum(plane, mask)
        found = self._coder.decode([EVEN] * len(checksum))
        if found != checksum[: len(found)]:
            raise CorruptStreamError(
                f"the stream is damaged: iteration {len(self.planes) + 1} is wrong"
            )
        if len(found) == len(checksum):
            self.planes.append(plane)
            self.ends.append(self._coder.used)
        return Read(plane, settled, size)

    def _read_mask(self) -> np.ndarray | None:
        assert self._masks is not None

        def next_bit(row: int, column: int, probability: int) -> int | None:
            bits = self._coder.decode((probability,))
            return bits[0] if bits else None

        return self._masks.code(coded_locations(self.planes[-1]), next_bit)

    def _passes(self, stored: bool, plane: np.ndarray, mask: np.ndarray | None) -> Iterator[Pass]:
        if self.model is not None and not stored:
            return self.model.passes(self.planes, plane, mask)
        height, width, bits = self.shape
        locations = np.arange(height * width) if mask is None else np.flatnonzero(mask)
        return iter(
            [Pass(locations, slice(0, bits), np.broadcast_to(EVEN, (locations.size, bits)))]
        )


def payload_sizes(planes: Sequence[np.ndarray], model: EntropyModel | None) -> list[int]:
    """Bytes of the code after each of the planes, without header and checksums.

    Args:
        planes: int8 (h, w, bits) of -1 and +1.
        model: of the bits; None takes all for equally probable.
    """
    encoder = PlaneEncoder(planes[0].shape, model)
    sizes = []
    for plane in planes:
        encoder.add(plane)
        sizes.append(len(encoder.finish()))
    return sizes
