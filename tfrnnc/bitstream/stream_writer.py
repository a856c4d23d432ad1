"""Planes to streams. docs/FORMAT.md describes them."""

from __future__ import annotations

import copy
import zlib
from dataclasses import dataclass, replace

import numpy as np

from tfrnnc.bitstream.constants import LARGE_CHECKSUM_BYTES
from tfrnnc.bitstream.header import Header
from tfrnnc.bitstream.plane_coder import PlaneEncoder, checksum_bytes
from tfrnnc.bitstream.stream_spec import StreamSpec


@dataclass(frozen=True)
class CutStream:
    """A stream that was cut to a number of bytes, and what a decoder finds in it.

    Attributes:
        data: the stream, or its payload without header.
        whole_iterations: how many of its iterations are whole.
        partial: the part of the next one that is left; None if that is too little to count.
    """

    data: bytes
    whole_iterations: int
    partial: np.ndarray | None

    @property
    def iterations(self) -> int:
        """How many iterations a decoder shows."""
        return self.whole_iterations + (self.partial is not None)


class StreamWriter:
    """Makes streams of an image, plane by plane.

    It knows where planes end and what a cut stream holds, as it keeps the range coder's state after
    each plane: nothing is read back.

    Args:
        header: of the streams; its number of iterations and open end are set as they turn out.
        spec: of the model.
    """

    def __init__(self, header: Header, spec: StreamSpec):
        self.header = header
        self._header_size = len(header.to_bytes())
        shape = header.plane_shape(spec.stride, spec.bits)
        self._end_checksum_bytes = end_checksum_bytes(header, spec)
        model = spec.entropy_model if header.entropy_coded else None
        self._encoder = PlaneEncoder(shape, model, header.checksum_seed(), header.adaptive)

    def add(self, plane: np.ndarray, probabilities: np.ndarray | None = None) -> None:
        """Appends an iteration's plane.

        Args:
            plane: int8 (h, w, bits) of -1 and +1; in adaptive streams 0 for all bits of the
                locations that stopped, in this iteration or before. A plane of zeros ends the
                payload and is no iteration.
            probabilities: what the entropy model gives for it, uint16 (h, w, bits), if that is
                known already.
        """
        self._encoder.add(plane, probabilities)

    def ended(self) -> StreamWriter:
        """Another writer, of the same planes and an end after which no location goes on.

        Of an adaptive header with an open end.
        """
        other = copy.copy(self)
        other._encoder = self._encoder.ended()
        return other

    @property
    def planes(self) -> list[np.ndarray]:
        """The planes so far, int8 (h, w, bits)."""
        return self._encoder.planes

    @property
    def iterations(self) -> int:
        """How many planes there are so far."""
        return len(self._encoder.planes)

    def payload(self, iterations: int | None = None) -> bytes:
        """The payload of planes, from the first one on.

        Args:
            iterations: how many planes; None takes all, and the end if there is one.
        """
        return self._encoder.finish(iterations)

    def size(self, iterations: int | None = None) -> int:
        """Bytes of `stream`.

        Args:
            iterations: as for `payload`.
        """
        return self._encoder.size(iterations) + self._header_size

    def most_bytes(self, iterations: int) -> int:
        """Bytes that `size` does not exceed, whatever the planes are.

        Args:
            iterations: how many planes; they need not be there.
        """
        return self._encoder.most_bytes(iterations) + self._header_size

    def stream(self, iterations: int | None = None) -> bytes:
        """The stream of planes, from the first one on.

        Args:
            iterations: as for `payload`.
        """
        count = self.iterations if iterations is None else iterations
        header = replace(self.header, iterations=count, open_end=False)
        return header.to_bytes() + self.payload(iterations)

    def ends(self, iterations: int | None = None) -> list[int]:
        """For each iteration, how many bytes of `stream` it takes to have it whole.

        Args:
            iterations: as for `payload`.
        """
        count = self.iterations if iterations is None else iterations
        return [self._header_size + end for end in self._ends(self.payload(iterations), count)]

    def cut(self, max_bytes: int, iterations: int | None = None) -> CutStream | None:
        """The stream of planes, cut to a number of bytes, with an open end.

        Args:
            max_bytes: that it takes, unless it has less.
            iterations: of how many planes; None takes all.

        Returns:
            the stream; None if not enough is left of it for a picture.
        """
        count = self.iterations if iterations is None else iterations
        header = replace(self.header, iterations=count)
        data = close_cut(header, self.payload(iterations), max_bytes, self._end_checksum_bytes)
        if data is None:
            return None
        start = len(header.to_bytes())
        payload = data[start : len(data) - self._end_checksum_bytes]
        return self._describe(data, payload, count)

    def _ends(self, payload: bytes, count: int) -> list[int]:
        return [self._encoder.end(payload, each) for each in range(1, count + 1)]

    def _describe(self, data: bytes, payload: bytes, most: int) -> CutStream | None:
        """A stream with this payload; None if it holds no picture."""
        whole, partial = self._encoder.read_cut(payload)
        if whole >= most:
            whole, partial = most, None
        cut = CutStream(data, whole, partial.plane if partial and partial.counts else None)
        return cut if cut.iterations else None


class HeaderlessWriter(StreamWriter):
    """Makes payloads that one header, kept elsewhere, makes streams of.

    That header has an open end, so that what fills an iteration's last byte is read too. It has to
    be the next iteration's: a payload of all but the last iterations needs one more in the writer,
    or the end.
    """

    def size(self, iterations: int | None = None) -> int:
        """Bytes that settle the planes, whatever follows them; `stream` may take one more.

        Args:
            iterations: as for `payload`.
        """
        return self._encoder.size(iterations)

    def stream(self, iterations: int | None = None) -> bytes:
        """The payload of planes, cut out of that of one more.

        Args:
            iterations: how many planes; None takes all.
        """
        count = self.iterations if iterations is None else iterations
        payload = self._longer_payload(count)
        return payload[: self._encoder.end(payload, count)]

    def ends(self, iterations: int | None = None) -> list[int]:
        """For each iteration, how many bytes of `stream` it takes to have it whole.

        Args:
            iterations: as for `stream`.
        """
        count = self.iterations if iterations is None else iterations
        return self._ends(self._longer_payload(count), count)

    def cut(self, max_bytes: int, iterations: int | None = None) -> CutStream | None:
        """The payload of planes, cut to a number of bytes.

        Args:
            max_bytes: that it takes, unless it has less.
            iterations: of how many planes; None takes all, and the end if there is one.

        Returns:
            the payload; None if not enough is left of it for a picture.
        """
        count = self.iterations if iterations is None else iterations
        payload = self.payload(iterations)[:max_bytes]
        return self._describe(payload, payload, count) if payload else None

    def _longer_payload(self, iterations: int) -> bytes:
        return self.payload(min(iterations + 1, self.iterations))


def close_cut(
    header: Header, payload: bytes, max_bytes: int, end_checksum_bytes: int
) -> bytes | None:
    """A stream with an open end that holds what fits of a payload; None if nothing does.

    Args:
        header: of the stream; gets its open end here.
        payload: with or without what comes after the bytes that fit.
        max_bytes: that the stream may take.
        end_checksum_bytes: see `end_checksum_bytes`.
    """
    start = replace(header, open_end=True).to_bytes()
    kept = payload[: max(0, max_bytes - len(start) - end_checksum_bytes)]
    if not kept:
        return None
    return start + kept + end_checksum(start + kept, end_checksum_bytes)


def end_checksum_bytes(header: Header, spec: StreamSpec) -> int:
    """Bytes of the checksum at the end of a stream with an open end."""
    height, width, bits = header.plane_shape(spec.stride, spec.bits)
    return checksum_bytes(height * width * bits) if header.checked else 0


def end_checksum(content: bytes, size: int) -> bytes:
    """The checksum of a stream with an open end.

    Args:
        content: the stream before it.
        size: of the checksum in bytes.
    """
    crc = zlib.crc32(content).to_bytes(LARGE_CHECKSUM_BYTES, "big")
    return crc[len(crc) - size :]
