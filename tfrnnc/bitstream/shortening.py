"""Cuts streams without the picture."""

from __future__ import annotations

from tfrnnc.bitstream.header import read_header
from tfrnnc.bitstream.stream_spec import StreamSpec
from tfrnnc.bitstream.stream_writer import close_cut, end_checksum_bytes


def shorten(data: bytes, spec: StreamSpec, max_bytes: int) -> bytes | None:
    """A stream with an open end that holds what fits of another.

    Args:
        data: a stream, whole or cut.
        spec: of the model that made it.
        max_bytes: most bytes of the result.

    Returns:
        the stream, which may hold too little for a picture; None if no payload fits.

    Raises:
        StreamError: one of its subclasses, if the header cannot be read.
    """
    header, offset = read_header(data)
    checksum_size = end_checksum_bytes(header, spec)
    end = len(data) - checksum_size if header.open_end else len(data)
    return close_cut(header, data[offset:end], max_bytes, checksum_size)
