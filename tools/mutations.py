"""Streams with something wrong, made of real ones."""

from __future__ import annotations

import random
import zlib

from tfrnnc.bitstream import StreamSpec, read_header
from tfrnnc.bitstream.constants import DOWNSCALE_VERSION, VERSION_BITS
from tfrnnc.bitstream.stream_writer import end_checksum, end_checksum_bytes
from tfrnnc.errors import StreamError


def mutate(stream: bytes, rng: random.Random, spec: StreamSpec | None = None) -> bytes:
    """Changes, removes, inserts and repeats bytes, and often mends the checksums.

    Args:
        stream: what to make it of, at least a byte.
        rng: decides what happens.
        spec: of the model that made it, to mend the checksum at an open end; None leaves it.
    """
    data = bytearray(stream)
    for _ in range(rng.randrange(1, 5)):
        place = rng.randrange(len(data) + 1)
        kind = rng.randrange(6)
        if kind == 0:
            data[place : place + 1] = rng.randbytes(1)
        elif kind == 1 and place < len(data):
            data[place] ^= 1 << rng.randrange(8)
        elif kind == 2:
            del data[place : place + rng.randrange(1, 9)]
        elif kind == 3:
            data[place:place] = rng.randbytes(rng.randrange(1, 9))
        elif kind == 4:
            data[place:place] = data[place : place + rng.randrange(1, 30)]
        else:
            del data[place:]
        if not data:
            break
    if rng.random() < 0.5:
        _mend_header_checksum(data)
    if spec is not None and rng.random() < 0.5:
        return _mend_end_checksum(bytes(data), spec)
    return bytes(data)


def _mend_header_checksum(data: bytearray) -> None:
    if data[:2] != b"RN" or len(data) <= 12:
        return
    end = 7
    for _ in range(2):
        while end < len(data) - 2 and data[end] & 0x80:
            end += 1
        end += 1
    if data[2] & VERSION_BITS == DOWNSCALE_VERSION:
        end += 1
    if end + 1 < len(data):
        data[end + 1] = zlib.crc32(data[: end + 1]) & 0xFF


def _mend_end_checksum(data: bytes, spec: StreamSpec) -> bytes:
    try:
        header, _ = read_header(data)
    except StreamError:
        return data
    size = end_checksum_bytes(header, spec) if header.open_end else 0
    return data[:-size] + end_checksum(data[:-size], size) if size else data
