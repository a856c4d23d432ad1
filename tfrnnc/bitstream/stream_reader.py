"""Streams to planes. docs/FORMAT.md describes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tfrnnc.arguments import require_int
from tfrnnc.bitstream.bit_planes import coded_locations
from tfrnnc.bitstream.constants import PARTIAL_SHARE, RANGE_BYTES
from tfrnnc.bitstream.header import Header, read_header
from tfrnnc.bitstream.limits import WorkLimits
from tfrnnc.bitstream.plane_coder import (
    EndOfStream,
    PartialPlane,
    PlaneDecoder,
    WholePlane,
    read_together,
)
from tfrnnc.bitstream.probabilities import MIN_COST
from tfrnnc.bitstream.stream_spec import StreamSpec
from tfrnnc.bitstream.stream_writer import end_checksum, end_checksum_bytes
from tfrnnc.errors import CorruptStreamError, StreamError, TruncatedStreamError


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
        iterations: read at most this many; None reads all.
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
    reader = _StreamReader(data, spec, options or ReadOptions())
    while reader.goes_on:
        reader.read_plane()
    return reader.result()


def read_planes_of_batch(
    streams: Sequence[bytes], spec: StreamSpec, options: ReadOptions
) -> list[Planes | StreamError]:
    """Reads the bit planes of several streams, in less time than one by one.

    Args:
        streams: of images of any sizes; those of the same size are read together.
        spec: of the model that made them.
        options: what to read of each.

    Returns:
        for each stream, what `read_planes` gives, or the error that it raises.
    """
    results: list[Planes | StreamError] = []
    readers: dict[int, _StreamReader] = {}
    for number, data in enumerate(streams):
        try:
            readers[number] = _StreamReader(data, spec, options)
            results.append(_NOT_READ)
        except StreamError as error:
            results.append(error)
    going_on = dict(readers)
    while going_on:
        groups: dict[tuple[Any, ...], list[_StreamReader]] = {}
        for number, reader in list(going_on.items()):
            try:
                if reader.goes_on:
                    groups.setdefault(reader.kind, []).append(reader)
                    continue
                results[number] = reader.result()
            except StreamError as error:
                results[number] = error
            del going_on[number]
        for group in groups.values():
            for reader, read in zip(
                group, read_together([reader.decoder for reader in group]), strict=True
            ):
                reader.take(read)
    return results


_NOT_READ = StreamError("the stream was not read")


class _StreamReader:
    """Reads a stream; see `read_planes`."""

    def __init__(self, data: bytes, spec: StreamSpec, options: ReadOptions):
        self._data, self._options = data, options
        self._header, self._offset = read_header(data)
        header = self._header
        options.limits.require_pixels(header.padded_pixels(spec.stride))
        self._coded_pixels = header.coded_pixels(spec.stride)
        self._wanted = min(options.iterations or header.iterations, header.iterations)
        if not header.open_end:
            options.limits.require_work(self._coded_pixels, self._wanted)
        self._model = spec.entropy_model_of(header, self._wanted)
        self._shape = header.plane_shape(spec.stride, spec.bits)
        self._payload, self._end_is_wrong = self._without_end_checksum(spec)
        self._partial: PartialPlane | None = None
        self._damage: CorruptStreamError | None = None
        self._ended = False
        self._decoder = self._new_decoder()

    @property
    def goes_on(self) -> bool:
        """Whether there is a plane to read.

        Raises:
            TooLargeError: if it would take too much work.
        """
        if self._ended or self._decoder is None or len(self._decoder.planes) >= self._wanted:
            return False
        self._options.limits.require_work(self._coded_pixels, len(self._decoder.planes) + 1)
        return True

    @property
    def decoder(self) -> PlaneDecoder:
        """What reads the planes, while it goes on."""
        assert self._decoder is not None
        return self._decoder

    @property
    def kind(self) -> tuple[Any, ...]:
        """What is the same for streams that can be read together."""
        return self._shape, self._model is None, len(self.decoder.planes)

    def read_plane(self) -> None:
        """Reads a plane."""
        try:
            self.take(self.decoder.read())
        except CorruptStreamError as error:
            self.take(error)

    def take(self, read: WholePlane | PartialPlane | EndOfStream | CorruptStreamError) -> None:
        """Takes what the decoder has read."""
        self._ended = not isinstance(read, WholePlane)
        if isinstance(read, PartialPlane):
            self._partial = read
        elif isinstance(read, CorruptStreamError):
            self._damage = read
        elif isinstance(read, EndOfStream) and not self._header.open_end:
            whole = len(self.decoder.planes)
            self._damage = CorruptStreamError(
                f"the stream is damaged: no location takes iteration {whole + 1}"
            )

    def result(self) -> Planes:
        """Everything that was asked for, and is there."""
        planes = list(self._decoder.planes) if self._decoder else []
        whole = len(planes)
        if self._partial is not None and self._partial.counts:
            planes.append(self._partial.plane)
        if not (planes and (self._is_complete(whole) or self._options.allow_truncated)):
            raise self._incomplete(whole, has_picture=bool(planes))
        ends = self.decoder.ends
        self._require_end(whole, ends)
        return Planes(self._header, planes, whole, [self._offset + end for end in ends])

    def _new_decoder(self) -> PlaneDecoder | None:
        """What reads the planes; None if there is not enough of them for a picture."""
        # Before memory is taken for planes, they are held against the bytes that there are: no bit
        # takes less than MIN_COST.
        plane_bits = self._shape[0] * self._shape[1] * self._shape[2]
        if 8 * (len(self._payload) + RANGE_BYTES) / MIN_COST < plane_bits / PARTIAL_SHARE:
            return None
        header = self._header
        seed = header.checksum_seed()
        try:
            return PlaneDecoder(self._payload, self._shape, self._model, seed, header.adaptive)
        except CorruptStreamError as error:
            self._damage = error
            return None

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

    def _is_complete(self, whole: int) -> bool:
        may_end = self._header.open_end and not (self._end_is_wrong or self._damage)
        return whole >= self._wanted or may_end

    def _incomplete(
        self, whole: int, has_picture: bool
    ) -> CorruptStreamError | TruncatedStreamError:
        """What to raise of a stream that is not all there."""
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

    def _require_end(self, whole: int, ends: list[int]) -> None:
        """Refuses bytes after the end of a stream that was read to its end."""
        header = self._header
        may_go_on = header.open_end or whole < header.iterations
        if may_go_on or self._options.allow_truncated:
            return
        if spare := len(self._payload) - ends[-1]:
            raise CorruptStreamError(f"the stream has {spare} bytes after its end")
