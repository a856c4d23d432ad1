"""The container: a header, then the planes' payload. docs/FORMAT.md describes it."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace

import numpy as np

from tfrnnc.bitstream import version_1
from tfrnnc.bitstream.bit_planes import coded_locations
from tfrnnc.bitstream.entropy_model import EntropyModel
from tfrnnc.bitstream.fields import FieldReader, varint
from tfrnnc.bitstream.plane_coder import (
    MIN_COST,
    PlaneDecoder,
    PlaneEncoder,
    checksum_bytes,
)
from tfrnnc.errors import (
    ConfigError,
    CorruptStreamError,
    ForeignStreamError,
    TooLargeError,
    TruncatedStreamError,
    UnsupportedVersionError,
    WrongModelError,
)

MAGIC = b"RN"
VERSION = 2
MODEL_ID_BYTES = 4
MAX_PIXELS = 89_478_485  #: most pixels that are decoded unless the caller allows more (Pillow's)
MAX_SIDE = 2**31 - 1
PARTIAL_SHARE = 8  #: a last iteration that is not whole counts from one in so many of its bits
_ENTROPY_CODED, _CHECKED, _OPEN_END, _ADAPTIVE = 0x10, 0x20, 0x40, 0x80


@dataclass(frozen=True)
class Header:
    """What a stream says of itself.

    Attributes:
        model_id: identity of the model; of the codec model and its entropy model together where
            the stream is entropy-coded.
        width, height: of the image in pixels.
        iterations: how many iterations follow; the last one, or more, may be cut if the end is
            open.
        entropy_coded: whether an entropy model gave the probabilities of the bits.
        checked: whether a checksum follows each iteration.
        open_end: whether the payload may end anywhere.
        adaptive: whether each location takes its own number of iterations.
        version: of the format.
    """

    model_id: bytes
    width: int
    height: int
    iterations: int
    entropy_coded: bool = False
    checked: bool = True
    open_end: bool = False
    adaptive: bool = False
    version: int = VERSION

    def to_bytes(self) -> bytes:
        """The header as it stands in a stream of the newest version."""
        content = self.identity + bytes([self.iterations])
        return content + bytes([zlib.crc32(content) & 0xFF])

    @property
    def identity(self) -> bytes:
        """The part of the header that the checksums after the iterations cover."""
        flags = (
            self.entropy_coded * _ENTROPY_CODED
            | self.checked * _CHECKED
            | self.open_end * _OPEN_END
            | self.adaptive * _ADAPTIVE
        )
        return b"".join(
            (
                MAGIC,
                bytes([VERSION | flags]),
                self.model_id,
                varint(self.width),
                varint(self.height),
            )
        )

    def plane_shape(self, stride: int, bits: int) -> tuple[int, int, int]:
        """(h, w, bits) of one iteration, for a model of this stride and so many bits."""
        return -(-self.height // stride), -(-self.width // stride), bits


@dataclass(frozen=True)
class Planes:
    """What `read_planes` found.

    Attributes:
        header: of the stream.
        planes: int8 (h, w, bits) of -1 and +1, one for each iteration; the last one has zeros for
            bits that the stream ends before, and in adaptive streams all have for locations that
            stopped.
        whole_iterations: how many of the planes are whole.
        ends: for each whole iteration, how many bytes of the stream it takes to have it.
    """

    header: Header
    planes: list[np.ndarray]
    whole_iterations: int
    ends: list[int]

    @property
    def iterations_taken(self) -> np.ndarray:
        """How many of the planes have bits of each location, int (h, w)."""
        return np.count_nonzero([coded_locations(plane) for plane in self.planes], axis=0)


class StreamWriter:
    """Makes streams, plane by plane.

    Args:
        header: of the streams; its number of iterations and open end are set as they turn out.
        stride, bits: of the model.
        entropy_model: if the header says that there is one.
    """

    def __init__(
        self, header: Header, stride: int, bits: int, entropy_model: EntropyModel | None = None
    ):
        self.header = header
        shape = header.plane_shape(stride, bits)
        self._checksum_bytes = (
            checksum_bytes(shape[0] * shape[1] * shape[2]) if header.checked else 0
        )
        self._encoder = PlaneEncoder(shape, entropy_model, _seed(header), header.adaptive)

    def add(self, plane: np.ndarray) -> None:
        """Appends an iteration's plane.

        Args:
            plane: int8 (h, w, bits) of -1 and +1; in adaptive streams 0 for all bits of the
                locations that stopped, in this iteration or before. A plane of zeros ends the
                payload and is no iteration.
        """
        self._encoder.add(plane)

    @property
    def iterations(self) -> int:
        """How many planes there are so far."""
        return len(self._encoder.planes)

    def payload(self) -> bytes:
        """The payload of all planes so far."""
        return self._encoder.finish()

    def whole(self) -> bytes:
        """The stream of all planes so far."""
        return (
            replace(self.header, iterations=self.iterations, open_end=False).to_bytes()
            + self.payload()
        )

    def cut(self, size: int) -> bytes | None:
        """The stream of `size` bytes with an open end; None if they are too few for a payload."""
        header = replace(self.header, iterations=self.iterations, open_end=True).to_bytes()
        payload = self.payload()[: max(0, size - len(header) - self._checksum_bytes)]
        if not payload:
            return None
        return header + payload + _end_checksum(header + payload, self._checksum_bytes)


def read_header(data: bytes) -> tuple[Header, int]:
    """Reads the header of a stream.

    Args:
        data: a stream, whole or cut.

    Returns:
        the pair (header, its length in bytes).

    Raises:
        ForeignStreamError: if this is no tfrnnc stream.
        UnsupportedVersionError: if it is of an unknown version.
        TruncatedStreamError: if it ends within the header.
        CorruptStreamError: if the header is damaged.
    """
    if version_1.recognises(data):
        old, offset = version_1.read_header(data)
        header = Header(
            old.model_id, old.width, old.height, old.iterations, checked=False, version=1
        )
        return header, offset
    if not data:
        raise TruncatedStreamError("the stream is empty")
    if data[: len(MAGIC)] != MAGIC[: len(data)]:
        raise ForeignStreamError("not a tfrnnc stream: it does not begin with 'RN'")
    reader = FieldReader(data, len(MAGIC))
    first = reader.take(1)[0]
    version, flags = first & 0x0F, first & 0xF0
    if version != VERSION:
        raise UnsupportedVersionError(
            f"format version {version} is not known to this release, which reads versions 1 and "
            f"{VERSION}; a newer tfrnnc may read it"
        )
    model_id = reader.take(MODEL_ID_BYTES)
    width, height = reader.varint(), reader.varint()
    iterations, check = reader.take(2)
    if zlib.crc32(data[: reader.offset - 1]) & 0xFF != check:
        raise CorruptStreamError("the stream is damaged: its header is wrong")
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE and iterations):
        raise CorruptStreamError(
            f"the header makes no sense: {width}x{height} pixels, {iterations} iterations"
        )
    header = Header(
        model_id,
        width,
        height,
        iterations,
        bool(flags & _ENTROPY_CODED),
        bool(flags & _CHECKED),
        bool(flags & _OPEN_END),
        bool(flags & _ADAPTIVE),
    )
    return header, reader.offset


def read_planes(
    data: bytes,
    stride: int,
    bits: int,
    entropy_model: EntropyModel | None = None,
    iterations: int | None = None,
    allow_truncated: bool = False,
    max_pixels: int = MAX_PIXELS,
) -> Planes:
    """Reads a stream's bit planes.

    Args:
        data: a stream.
        stride: of the model that made it.
        bits: of that model, at each location.
        entropy_model: the one that it was coded with; not used if it was coded without.
        iterations: take these many only; None takes all.
        allow_truncated: take what is there of a stream that was cut, or is damaged from some
            place on.
        max_pixels: refuse images of more pixels.

    Returns:
        the planes, at least one.

    Raises:
        TruncatedStreamError: if the stream ends before the iterations asked for, and
            `allow_truncated` is not set or not even an eighth of the first iteration is there.
        ConfigError: if it never had as many iterations as asked for.
        CorruptStreamError: if it is damaged, and `allow_truncated` is not set or the first
            iteration is.
        TooLargeError: if the image has more than `max_pixels`.
        WrongModelError: if a stream of version 1 is of another stride or number of bits, or the
            entropy model is missing or has fewer iterations.
        ForeignStreamError, UnsupportedVersionError: as for `read_header`.
    """
    header, offset = read_header(data)
    if header.width * header.height > max_pixels:
        raise TooLargeError(
            f"the image has {header.width}x{header.height} pixels, more than the limit of "
            f"{max_pixels:,}; raise the limit (max_pixels=, --max-pixels) if you trust it"
        )
    wanted = header.iterations if iterations is None else iterations
    if not 1 <= wanted <= header.iterations:
        raise ConfigError(
            f"iterations must be from 1 to {header.iterations} for this stream, not {wanted}"
        )
    if header.version == 1:
        planes = version_1.read_planes(data, stride, bits, wanted, allow_truncated)
        size = version_1.plane_bytes(header.plane_shape(stride, bits))
        ends = [offset + size * (iteration + 1) for iteration in range(len(planes))]
        return Planes(header, planes, len(planes), ends)
    if not header.entropy_coded:
        entropy_model = None
    elif entropy_model is None:
        raise WrongModelError("the stream is entropy-coded, but there is no entropy model")
    elif wanted > len(entropy_model.iterations):
        raise WrongModelError(
            f"the stream has {header.iterations} iterations, but the entropy model "
            f"{len(entropy_model.iterations)}"
        )
    shape = header.plane_shape(stride, bits)
    plane_bits = shape[0] * shape[1] * shape[2]
    payload = data[offset:]
    end_is_wrong = False
    if header.open_end and header.checked:
        count = checksum_bytes(plane_bits)
        if len(payload) > count and _end_checksum(data[:-count], count) == data[-count:]:
            payload = payload[:-count]
        else:
            end_is_wrong = True
    decoder = PlaneDecoder(payload, shape, entropy_model, _seed(header), header.adaptive)
    partial, damage = None, None
    # Before memory is taken for planes, they are held against the bytes that there are: no bit
    # takes less than MIN_COST.
    if (8 * len(payload) + 32) / MIN_COST >= plane_bits / PARTIAL_SHARE:
        try:
            while len(decoder.planes) < wanted and partial is None:
                whole = len(decoder.planes)
                read = decoder.read()
                if read is None:
                    if not header.open_end:
                        raise CorruptStreamError(
                            f"the stream is damaged: no location takes iteration {whole + 1}"
                        )
                    break
                if len(decoder.planes) == whole:
                    partial = read
        except CorruptStreamError as error:
            damage = error
    whole = len(decoder.planes)
    planes = list(decoder.planes)
    if partial is not None and partial.settled * PARTIAL_SHARE >= partial.size:
        planes.append(partial.plane)
    may_end = header.open_end and iterations is None and not end_is_wrong
    complete = whole >= wanted or (may_end and not damage)
    if not planes or not (complete or allow_truncated):
        found = f"{whole} of {header.iterations} iterations are whole"
        remedy = "decode those with allow_truncated=True (--partial)" if planes else "get more"
        if damage:
            raise CorruptStreamError(f"{damage}; {found}; {remedy if planes else 'get another'}")
        what = "cut or damaged" if end_is_wrong else "cut"
        raise TruncatedStreamError(
            f"the stream is {what} after {len(data)} bytes, {found}; {remedy}", whole
        )
    may_go_on = header.open_end or allow_truncated or whole < header.iterations
    if not may_go_on and (spare := len(payload) - decoder.ends[-1]):
        raise CorruptStreamError(f"the stream has {spare} bytes after its end")
    return Planes(header, planes, whole, [offset + end for end in decoder.ends])


def _seed(header: Header) -> bytes | None:
    """What the checksums cover beside the planes."""
    return replace(header, open_end=False).identity if header.checked else None


def _end_checksum(data: bytes, count: int) -> bytes:
    return zlib.crc32(data).to_bytes(4, "big")[4 - count :]
