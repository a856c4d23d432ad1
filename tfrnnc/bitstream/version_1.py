"""Streams of version 1, which are still read: planes as they are, eight bits to a byte."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfrnnc.bitstream.bit_planes import unpack_plane
from tfrnnc.bitstream.fields import FieldReader
from tfrnnc.errors import CorruptStreamError, TruncatedStreamError, WrongModelError

_START = b"RNNC\x01"
_MAX_SIDE = 2**31 - 1


@dataclass(frozen=True)
class Header:
    """What a stream says of itself; as `tfrnnc.bitstream.Header`, and the code's grid."""

    model_id: bytes
    width: int
    height: int
    stride: int
    bits: int
    iterations: int

    @property
    def plane_shape(self) -> tuple[int, int, int]:
        """(h, w, bits) of one iteration."""
        return -(-self.height // self.stride), -(-self.width // self.stride), self.bits


def recognises(data: bytes) -> bool:
    """Whether a stream, whole or cut, is of version 1."""
    return len(data) > 2 and data[: len(_START)] == _START[: len(data)]


def plane_bytes(shape: tuple[int, int, int]) -> int:
    """Bytes of one iteration."""
    return -(-shape[0] * shape[1] * shape[2] // 8)


def read_header(data: bytes) -> tuple[Header, int]:
    """Reads the header: the pair (header, its length).

    Raises:
        TruncatedStreamError: if the stream ends within it.
        CorruptStreamError: if it makes no sense.
    """
    reader = FieldReader(data, 0)
    reader.take(len(_START))
    model_id = reader.take(4)
    width, height = reader.varint(), reader.varint()
    stride, bits, iterations = reader.take(3)
    if not (0 < width <= _MAX_SIDE and 0 < height <= _MAX_SIDE and stride and bits and iterations):
        raise CorruptStreamError(
            f"the header is damaged: {width}x{height} pixels, {bits} bits at stride {stride}, "
            f"{iterations} iterations"
        )
    return Header(model_id, width, height, stride, bits, iterations), reader.offset


def read_planes(
    data: bytes, stride: int, bits: int, wanted: int, allow_truncated: bool
) -> list[np.ndarray]:
    """Reads the planes, int8 (h, w, bits) of -1 and +1; as for `tfrnnc.bitstream.read_planes`."""
    header, offset = read_header(data)
    if (header.stride, header.bits) != (stride, bits):
        raise WrongModelError(
            f"the stream has {header.bits} bits at stride {header.stride}, but the model has "
            f"{bits} at stride {stride}"
        )
    size = plane_bytes(header.plane_shape)
    whole = offset + header.iterations * size
    available = (len(data) - offset) // size
    if len(data) > whole:
        raise CorruptStreamError(f"the stream has {len(data)} bytes, but its header says {whole}")
    if available < wanted and not (allow_truncated and available):
        remedy = "decode those with allow_truncated=True (--partial)" if available else "get more"
        raise TruncatedStreamError(
            f"the stream is cut: {len(data)} of {whole} bytes, "
            f"{available} of {header.iterations} iterations whole; {remedy}",
            available,
        )
    planes = []
    for _ in range(min(wanted, available)):
        planes.append(unpack_plane(data[offset : offset + size], header.plane_shape))
        offset += size
    return planes
