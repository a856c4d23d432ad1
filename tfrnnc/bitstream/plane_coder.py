"""Planes to bytes and back: a range coder under an entropy model, with checks in between."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

import numpy as np

from tfrnnc.bitstream.bit_planes import as_plane, pack_plane
from tfrnnc.bitstream.entropy_model import EntropyModel, Pass
from tfrnnc.bitstream.probabilities import COST_OF_ONE, LARGEST
from tfrnnc.bitstream.range_coder import EVEN, RangeDecoder, RangeEncoder
from tfrnnc.errors import CorruptStreamError

#: 65536 times the chance that a plane is stored as it is, because the model would make it grow.
STORED = 1024
SMALL_PLANE = 2048  #: bits; planes of more are followed by a check of four bytes instead of one
MIN_COST = float(COST_OF_ONE[LARGEST])  #: bits that a bit takes at least


def check_bytes(plane_bits: int) -> int:
    """Bytes of the check that follows a plane of so many bits."""
    return 1 if plane_bits <= SMALL_PLANE else 4


class _PlaneCoder:
    """What encoder and decoder share.

    Args:
        shape: (h, w, bits) of the planes.
        model: of the bits; None takes all for equally probable.
        seed: what the checks cover beside the planes; None leaves the checks out.
    """

    def __init__(self, shape: tuple[int, int, int], model: EntropyModel | None, seed: bytes | None):
        self.shape = shape
        self.model = model
        self.planes: list[np.ndarray] = []
        self._size = shape[0] * shape[1] * shape[2]
        self._crc = None if seed is None else zlib.crc32(seed)

    def _check(self, plane: np.ndarray) -> list[int]:
        """The bits of the check after a plane, which covers all planes up to it."""
        if self._crc is None:
            return []
        self._crc = zlib.crc32(pack_plane(plane), self._crc)
        count = 8 * check_bytes(self._size)
        return [self._crc >> i & 1 for i in reversed(range(count))]


class PlaneEncoder(_PlaneCoder):
    """Writes planes; see `_PlaneCoder` for the arguments.

    Attributes:
        planes: those written, int8 (h, w, bits).
    """

    def __init__(self, shape, model=None, seed=None):
        super().__init__(shape, model, seed)
        self._coder = RangeEncoder()

    def add(self, plane: np.ndarray) -> None:
        """Appends a plane, int8 (h, w, bits) of -1 and +1."""
        bits, probabilities = self._ordered(plane, stored=False)
        if self.model is not None:
            cost = COST_OF_ONE[np.where(bits, probabilities, 65536 - probabilities)].sum()
            stored = bool(cost > bits.size)
            self._coder.encode([int(stored)], [STORED])
            if stored:
                bits, probabilities = self._ordered(plane, stored)
        self._coder.encode(bits.tolist(), probabilities.tolist())
        self.planes.append(plane)
        check = self._check(plane)
        self._coder.encode(check, [EVEN] * len(check))

    def finish(self) -> bytes:
        """The fewest bytes that hold all planes so far; more can be added."""
        return self._coder.finish()

    def _ordered(self, plane: np.ndarray, stored: bool) -> tuple[np.ndarray, np.ndarray]:
        """The bits in the order of coding, and the probabilities that they are 1."""
        if self.model is None or stored:
            return plane.ravel() > 0, np.full(plane.size, EVEN)
        bits, probabilities = [], []
        for part, values in self.model.passes_of(self.planes, plane):
            bits.append(values.ravel() > 0)
            probabilities.append(part.probabilities.ravel())
        return np.concatenate(bits), np.concatenate(probabilities)


class PlaneDecoder(_PlaneCoder):
    """Reads planes; see `_PlaneCoder` for the other arguments.

    Args:
        data: what `PlaneEncoder.finish` gave, or the first bytes of it.

    Attributes:
        planes: those read whole, int8 (h, w, bits) of -1 and +1.
        ends: for each of them, how many bytes of the data it takes to have it whole.
    """

    def __init__(self, data: bytes, shape, model=None, seed=None):
        super().__init__(shape, model, seed)
        self.ends: list[int] = []
        self._coder = RangeDecoder(data)

    def read(self) -> tuple[np.ndarray, int]:
        """Reads a plane.

        Returns:
            the pair (plane, settled): int8 (h, w, bits), zero where the data ends too early to
            tell the bit, and how many bits are not. A plane that is whole counts as read; after
            one that is not, none can be.

        Raises:
            CorruptStreamError: if the check after it fails.
        """
        plane = np.zeros(self.shape, np.int8)
        target = plane.reshape(-1, self.shape[2])
        settled = 0
        stored = [0] if self.model is None else self._coder.decode([STORED])
        if not stored:
            return plane, 0
        for part in self._passes(bool(stored[0]), plane):
            wanted = part.probabilities.size
            bits = self._coder.decode(part.probabilities.ravel().tolist())
            settled += len(bits)
            values = np.zeros(wanted, np.int8)
            values[: len(bits)] = as_plane(np.array(bits, bool))
            target[part.cells, part.channels] = values.reshape(part.probabilities.shape)
            if len(bits) < wanted:
                return plane, settled
        check = self._check(plane)
        found = self._coder.decode([EVEN] * len(check))
        if found != check[: len(found)]:
            raise CorruptStreamError(f"the stream is damaged: step {len(self.planes) + 1} is wrong")
        if len(found) == len(check):
            self.planes.append(plane)
            self.ends.append(self._coder.used)
        return plane, settled

    def _passes(self, stored: bool, plane: np.ndarray) -> Iterator[Pass]:
        if self.model is not None and not stored:
            return self.model.passes(self.planes, plane)
        height, width, bits = self.shape
        even = np.broadcast_to(EVEN, (height * width, bits))
        return iter([Pass(np.arange(height * width), slice(0, bits), even)])


def code_sizes(planes: Sequence[np.ndarray], model: EntropyModel | None) -> list[int]:
    """Bytes of the code after each of the planes, without header and checks.

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
