"""The header of a stream. docs/FORMAT.md describes it."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace

from tfrnnc.bitstream.constants import (
    DOWNSCALE,
    DOWNSCALE_VERSION,
    ID_BYTES,
    MAGIC,
    MAX_SIDE,
    VERSION,
    VERSION_BITS,
    VERSIONS,
    Flag,
)
from tfrnnc.bitstream.fields import FieldReader, varint
from tfrnnc.errors import (
    CorruptStreamError,
    ForeignStreamError,
    TruncatedStreamError,
    UnsupportedVersionError,
)

PlaneShape = tuple[int, int, int]  #: (h, w, bits)


@dataclass(frozen=True)
class Header:
    """What a stream says of itself.

    Attributes:
        model_id: identity of the model; of the codec model and its entropy model together where
            the stream is entropy-coded.
        width, height: of the picture that is shown, in pixels.
        iterations: how many iterations follow; the last one, or more, may be cut if the end is
            open.
        entropy_coded: whether an entropy model gave the probabilities of the bits.
        checked: whether a checksum follows each iteration.
        open_end: whether the payload may end anywhere.
        adaptive: whether each location takes its own number of iterations.
        downscale: 1, or 2 if the planes are of the image at half its width and height, and the
            picture is enlarged after decoding.
    """

    model_id: bytes
    width: int
    height: int
    iterations: int
    entropy_coded: bool = False
    checked: bool = True
    open_end: bool = False
    adaptive: bool = False
    downscale: int = 1

    @property
    def version(self) -> int:
        """Of the stream format."""
        return VERSION if self.downscale == 1 else DOWNSCALE_VERSION

    @property
    def coded_size(self) -> tuple[int, int]:
        """Height and width in pixels of the image that the planes are of."""
        return -(-self.height // self.downscale), -(-self.width // self.downscale)

    def to_bytes(self) -> bytes:
        """The header as it stands in a stream."""
        content = self._identity() + bytes([self.iterations])
        return content + bytes([zlib.crc32(content) & 0xFF])

    def checksum_seed(self) -> bytes | None:
        """What the checksums after the planes cover beside the planes; None if there are none."""
        return replace(self, open_end=False)._identity() if self.checked else None

    def plane_shape(self, stride: int, bits: int) -> PlaneShape:
        """(h, w, bits) of one iteration.

        Args:
            stride: of the model.
            bits: of the model, at each location.
        """
        height, width = self.coded_size
        return -(-height // stride), -(-width // stride), bits

    def padded_pixels(self, stride: int) -> int:
        """How many pixels the picture that is shown has, padded to multiples of the stride."""
        return -(-self.height // stride) * -(-self.width // stride) * stride**2

    def coded_pixels(self, stride: int) -> int:
        """How many pixels the image that the planes are of has, padded the same way."""
        height, width, _ = self.plane_shape(stride, 0)
        return height * width * stride**2

    def _identity(self) -> bytes:
        flags = (
            self.entropy_coded * Flag.ENTROPY_CODED
            | self.checked * Flag.CHECKED
            | self.open_end * Flag.OPEN_END
            | self.adaptive * Flag.ADAPTIVE
        )
        first = MAGIC + bytes([self.version | flags]) + self.model_id
        downscale = b"" if self.downscale == 1 else bytes([self.downscale])
        return first + varint(self.width) + varint(self.height) + downscale


def read_header(data: bytes) -> tuple[Header, int]:
    """Reads the header of a stream.

    Args:
        data: a stream, whole or cut.

    Returns:
        the pair (header, its length in bytes).

    Raises:
        ForeignStreamError: if this is no tfrnnc stream.
        UnsupportedVersionError: if it is of an unknown version, or its downscale is not known.
        TruncatedStreamError: if it ends within the header.
        CorruptStreamError: if the header is damaged.
    """
    if not data:
        raise TruncatedStreamError("the stream is empty")
    if data[: len(MAGIC)] != MAGIC[: len(data)]:
        raise ForeignStreamError("not a tfrnnc stream: it does not begin with 'RN'")
    reader = FieldReader(data, len(MAGIC))
    first = reader.take(1)[0]
    version, flags = first & VERSION_BITS, Flag(first & ~VERSION_BITS)
    if version not in VERSIONS:
        raise _unsupported(f"format version {version}", "versions 2 and 3")
    model_id = reader.take(ID_BYTES)
    width, height = reader.varint(), reader.varint()
    downscale = reader.take(1)[0] if version == DOWNSCALE_VERSION else 1
    iterations, checksum = reader.take(2)
    if zlib.crc32(data[: reader.offset - 1]) & 0xFF != checksum:
        raise CorruptStreamError("the stream is damaged: its header is wrong")
    if version == DOWNSCALE_VERSION and downscale != DOWNSCALE:
        raise _unsupported(f"a downscale of {downscale}", f"only that of {DOWNSCALE}")
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE and iterations):
        raise CorruptStreamError(
            f"the header makes no sense: {width}x{height} pixels, {iterations} iterations"
        )
    header = Header(
        model_id,
        width,
        height,
        iterations,
        entropy_coded=Flag.ENTROPY_CODED in flags,
        checked=Flag.CHECKED in flags,
        open_end=Flag.OPEN_END in flags,
        adaptive=Flag.ADAPTIVE in flags,
        downscale=downscale,
    )
    return header, reader.offset


def _unsupported(what: str, known: str) -> UnsupportedVersionError:
    return UnsupportedVersionError(
        f"{what} is not known to this release, which reads {known}; a newer tfrnnc may read it"
    )
