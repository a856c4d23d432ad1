"""Streams to planes. docs/FORMAT.md describes them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tfrnnc.arguments import require_int
from tfrnnc.bitstream.bit_planes import coded_locations
from tfrnnc.bitstream.constants import PARTIAL_SHARE, RANGE_BYTES
from tfrnnc.bitstream.header import Header, read_header
from tfrnnc.bitstream.limits import WorkLimits
from tfrnnc.bitstream.plane_coder import EndOfStream, PartialPlane, PlaneDecoder
from tfrnnc.bitstream.probabilities import MIN_COST
from tfrnnc.bitstream.stream_spec import StreamSpec
from tfrnnc.bitstream.stream_writer import end_checksum, end_checksum_bytes
from tfrnnc.errors import CorruptStreamError, TruncatedStreamError


@dataclass(frozen=True)
class Planes:
    """What `read_planes` read.

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
        taken = [coded_locations(plane) for plane in self.planes]
        return np.asarray(np.count_nonzero(taken, axis=0))


@dataclass(frozen=True)
class ReadOptions:
    """What to read of a stream.

    Attributes:
        iterations: read these many at most; None reads all.
        allow_truncated: take whatever has arrived of a stream that was cut, or what is before the
            damage of one that is damaged.
        limits: on pixels and work.

    Raises:
        ConfigError: if the iterations are no whole number above 0.
    """

    iterations: int | None = None
    allow_truncated: bool = False
    limits: WorkLimits = field(default_factory=WorkLimits)

    def __post_init__(self) -> None:
        if self.iterations is not None:
            require_int("iterations", self.iterations, 1)


def read_planes(data: bytes, spec: StreamSpec, options: ReadOptions | None = None) -> Planes:
    """Reads a stream's bit planes.

    Args:
        data: a stream.
        spec: of the model that made it.
        options: what to read; None reads all within the default limits.

    Returns:
        the planes, at least one.

    Raises:
        TruncatedStreamError: if the stream ends before the iterations asked for, and
            `allow_truncated` is not set or not even an eighth of the first iteration is there.
        CorruptStreamError: if it is damaged, and `allow_truncated` is not set or the first
            iteration is.
        TooLargeError: if it has more pixels, or causes more work, than the limits allow.
        WrongModelError: if the entropy model is missing or the model has fewer iterations.
        ForeignStreamError, UnsupportedVersionError: as for `read_header`.
    """
    return _StreamReader(data, spec, options or ReadOptions()).read()


class _StreamReader:
    """Reads a stream; see `read_planes`."""

    def __init__(self, data: bytes, spec: StreamSpec, options: ReadOptions):
        self._data, self._options = data, options
        self._header, self._offset = read_header(data)
        header = self._header
        self._pixels = header.padded_pixels(spec.stride)
        options.limits.require(self._pixels)
        self._wanted = min(options.iterations or header.iterations, header.iterations)
        if not header.open_end:
            options.limits.require(self._pixels, self._wanted)
        self._model = spec.entropy_model_of(header, self._wanted)
        self._shape = header.plane_shape(spec.stride, spec.bits)
        self._payload, self._end_is_wrong = self._without_end_checksum(spec)
        self._planes: list[np.ndarray] = []
        self._ends: list[int] = []
        self._partial: PartialPlane | None = None
        self._damage: CorruptStreamError | None = None

    def read(self) -> Planes:
        """Everything that was asked for, and is there."""
        # Before memory is taken for planes, they are held against the bytes that there are: no bit
        # takes less than MIN_COST.
        plane_bits = self._shape[0] * self._shape[1] * self._shape[2]
        if 8 * (len(self._payload) + RANGE_BYTES) / MIN_COST >= plane_bits / PARTIAL_SHARE:
            try:
                self._read_planes()
            except CorruptStreamError as error:
                self._damage = error
        whole = len(self._planes)
        planes = list(self._planes)
        if self._partial is not None and self._partial.counts:
            planes.append(self._partial.plane)
        if not (planes and (self._is_complete() or self._options.allow_truncated)):
            raise self._incomplete(has_picture=bool(planes))
        self._require_end()
        return Planes(self._header, planes, whole, [self._offset + end for end in self._ends])

    def _without_end_checksum(self, spec: StreamSpec) -> tuple[bytes, bool]:
        """The payload, and whether the checksum at the stream's end is wrong."""
        payload = self._data[self._offset :]
        size = end_checksum_bytes(self._header, spec) if self._header.open_end else 0
        if not size:
            return payload, False
        content = self._data[:-size]
        if len(payload) > size and end_checksum(content, size) == self._data[-size:]:
            return payload[:-size], False
        return payload, True

    def _read_planes(self) -> None:
        decoder = PlaneDecoder(
            self._payload,
            self._shape,
            self._model,
            self._header.checksum_seed(),
            self._header.adaptive,
        )
        self._planes, self._ends = decoder.planes, decoder.ends
        while len(self._planes) < self._wanted:
            self._options.limits.require(self._pixels, len(self._planes) + 1)
            read = decoder.read()
            if isinstance(read, PartialPlane):
                self._partial = read
                return
            if isinstance(read, EndOfStream):
                if not self._header.open_end:
                    raise CorruptStreamError(
                        "the stream is damaged: no location takes iteration "
                        f"{len(self._planes) + 1}"
                    )
                return

    def _is_complete(self) -> bool:
        may_end = self._header.open_end and not (self._end_is_wrong or self._damage)
        return len(self._planes) >= self._wanted or may_end

    def _incomplete(self, has_picture: bool) -> CorruptStreamError | TruncatedStreamError:
        """What to raise of a stream that is not all there."""
        whole = len(self._planes)
        state = f"{whole} of {self._header.iterations} iterations are whole"
        remedy = "decode those with allow_truncated=True (--partial)"
        if self._damage:
            return CorruptStreamError(
                f"{self._damage}; {state}; {remedy if has_picture else 'get another'}"
            )
        what = "cut or damaged" if self._end_is_wrong else "cut"
        return TruncatedStreamError(
            f"the stream is {what} after {len(self._data)} bytes, {state}; "
            f"{remedy if has_picture else 'get more'}",
            whole,
        )

    def _require_end(self) -> None:
        """Refuses bytes after the end of a stream that was read to its end."""
        header = self._header
        may_go_on = header.open_end or len(self._planes) < header.iterations
        if may_go_on or self._options.allow_truncated:
            return
        if spare := len(self._payload) - self._ends[-1]:
            raise CorruptStreamError(f"the stream has {spare} bytes after its end")
