"""The container: a header, then the bit planes, step by step. docs/FORMAT.md describes it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tfrnnc.bitstream.bit_planes import pack_plane, unpack_plane
from tfrnnc.errors import (
    ConfigError,
    CorruptStreamError,
    ForeignStreamError,
    TooLargeError,
    TruncatedStreamError,
)

MAGIC = b"RNNC"
VERSION = 1
MODEL_ID_BYTES = 4
MAX_PIXELS = 89_478_485  #: most pixels that are decoded unless the caller allows more (Pillow's)
_MAX_SIDE = 2**31 - 1


@dataclass(frozen=True)
class Header:
    """What a stream says of itself.

    Attributes:
        model_id: first bytes of the hash of the model, see `tfrnnc.models.model_files.model_id`.
        width, height: of the image in pixels.
        stride: pixels between two locations of the code; the image is padded to a multiple.
        bits: bits at each location, for each step.
        steps: how many steps follow.
    """

    model_id: bytes
    width: int
    height: int
    stride: int
    bits: int
    steps: int

    @property
    def plane_shape(self) -> tuple[int, int, int]:
        """(h, w, bits) of one step."""
        return -(-self.height // self.stride), -(-self.width // self.stride), self.bits

    @property
    def plane_bytes(self) -> int:
        """Bytes of one step."""
        height, width, bits = self.plane_shape
        return -(-height * width * bits // 8)

    def to_bytes(self) -> bytes:
        """The header as it stands in the stream."""
        return b"".join(
            (
                MAGIC,
                bytes([VERSION]),
                self.model_id,
                _varint(self.width),
                _varint(self.height),
                bytes([self.stride, self.bits, self.steps]),
            )
        )

    @property
    def stream_bytes(self) -> int:
        """Bytes of the whole stream."""
        return len(self.to_bytes()) + self.steps * self.plane_bytes


def write_stream(header: Header, planes: Iterable[np.ndarray]) -> bytes:
    """Makes a stream.

    Args:
        header: with the number of the planes as its steps.
        planes: bool (h, w, bits) for each step, true for +1.

    Returns:
        the stream; cut after any plane, it still decodes that far.
    """
    return header.to_bytes() + b"".join(map(pack_plane, planes))


def read_header(data: bytes) -> tuple[Header, int]:
    """Reads the header of a stream.

    Args:
        data: a stream, whole or cut.

    Returns:
        the pair (header, its length in bytes).

    Raises:
        ForeignStreamError: if this is no tfrnnc stream, or one of an unknown version.
        TruncatedStreamError: if it ends within the header.
        CorruptStreamError: if the header makes no sense.
    """
    if not data:
        raise TruncatedStreamError("the stream is empty")
    if data[: len(MAGIC)] != MAGIC[: len(data)]:
        raise ForeignStreamError("not a tfrnnc stream: it does not begin with 'RNNC'")
    reader = _Reader(data, len(MAGIC))
    version = reader.take(1)[0]
    if version != VERSION:
        raise ForeignStreamError(
            f"format version {version} is not known to this release, which reads version "
            f"{VERSION}; a newer tfrnnc may read it"
        )
    model_id = reader.take(MODEL_ID_BYTES)
    width, height = reader.varint(), reader.varint()
    stride, bits, steps = reader.take(3)
    if not (0 < width <= _MAX_SIDE and 0 < height <= _MAX_SIDE and stride and bits and steps):
        raise CorruptStreamError(
            f"the header is damaged: {width}x{height} pixels, {bits} bits at stride {stride}, "
            f"{steps} steps"
        )
    return Header(model_id, width, height, stride, bits, steps), reader.offset


def read_planes(
    data: bytes,
    steps: int | None = None,
    allow_truncated: bool = False,
    max_pixels: int = MAX_PIXELS,
) -> tuple[Header, list[np.ndarray]]:
    """Reads a stream's bit planes.

    Args:
        data: a stream.
        steps: take these many only; None takes all.
        allow_truncated: take what is there of a stream that was cut.
        max_pixels: refuse images of more pixels.

    Returns:
        the pair (header, planes), each plane bool (h, w, bits).

    Raises:
        TruncatedStreamError: if the stream ends before the steps asked for, and
            `allow_truncated` is not set or not even one step is whole.
        ConfigError: if it never had as many steps as asked for.
        CorruptStreamError: if it has bytes after its end, or is damaged.
        TooLargeError: if the image has more than `max_pixels`.
        ForeignStreamError: as for `read_header`.
    """
    header, offset = read_header(data)
    if header.width * header.height > max_pixels:
        raise TooLargeError(
            f"the image has {header.width}x{header.height} pixels, more than the limit of "
            f"{max_pixels:,}; raise the limit (max_pixels=, --max-pixels) if you trust it"
        )
    available = (len(data) - offset) // header.plane_bytes
    if available >= header.steps and len(data) != offset + header.steps * header.plane_bytes:
        raise CorruptStreamError(
            f"the stream has {len(data)} bytes, but its header says {header.stream_bytes}"
        )
    wanted = header.steps if steps is None else steps
    if not 1 <= wanted <= header.steps:
        raise ConfigError(f"steps must be from 1 to {header.steps} for this stream, not {wanted}")
    if available < wanted and not (allow_truncated and available):
        remedy = "decode those with allow_truncated=True (--partial)" if available else "get more"
        raise TruncatedStreamError(
            f"the stream is cut: {len(data)} of {header.stream_bytes} bytes, "
            f"{available} of {header.steps} steps whole; {remedy}",
            available,
        )
    planes = []
    for _ in range(min(wanted, available)):
        planes.append(unpack_plane(data[offset : offset + header.plane_bytes], header.plane_shape))
        offset += header.plane_bytes
    return header, planes


class _Reader:
    """Takes bytes from the front of a header."""

    def __init__(self, data: bytes, offset: int):
        self.data = data
        self.offset = offset

    def take(self, count: int) -> bytes:
        taken = self.data[self.offset : self.offset + count]
        if len(taken) < count:
            raise TruncatedStreamError(
                f"the stream is cut within its header, after {len(self.data)} bytes"
            )
        self.offset += count
        return bytes(taken)

    def varint(self) -> int:
        value = 0
        for shift in range(0, 35, 7):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise CorruptStreamError("the header is damaged: a number is too long")


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
