"""What must hold of any bytes: they are decoded, or refused with a `TfrnncError`.

Used by `fuzz.py`, which looks for bytes for which it does not, and by the tests, which go through
the corpus and mutations of real streams.
"""

from __future__ import annotations

import json
import zlib
from itertools import pairwise
from pathlib import Path

import numpy as np

from tfrnnc.bitstream import (
    EntropyModel,
    Planes,
    ReadOptions,
    StreamSpec,
    StreamWriter,
    WorkLimits,
    read_header,
    read_planes,
)
from tfrnnc.bitstream.constants import (
    DOWNSCALE,
    DOWNSCALE_VERSION,
    MAGIC,
    VERSION,
    VERSION_BITS,
)
from tfrnnc.errors import ModelError, StreamError

GOLDEN = json.loads(
    (Path(__file__).parents[1] / "tests" / "golden" / "v2_container.json").read_text()
)
MODEL = EntropyModel.from_bytes(bytes.fromhex(GOLDEN["entropy_model"]))
SPEC = StreamSpec(MODEL.model_id, GOLDEN["stride"], MODEL.bits, entropy_model=MODEL)
LIMITS = WorkLimits(max_pixels=1 << 14, max_work=1 << 16)  # so that an input takes milliseconds

# The first byte of an input says what the others are.
RAW, WITH_HEADER, ENTROPY_MODEL, WITH_CHECK = range(4)


def one_input(data: bytes) -> None:
    """Checks an input.

    Raises:
        AssertionError: or any other exception, if something is wrong.
    """
    if not data:
        return
    kind, rest = data[0] % 4, data[1:]
    if kind == RAW:
        check_stream(rest)
    elif kind == WITH_HEADER:
        check_stream(mend_header(rest))
    elif kind == ENTROPY_MODEL:
        check_entropy_model(rest)
    else:
        check_entropy_model(rest + zlib.crc32(rest).to_bytes(4, "little"))


def check_stream(data: bytes) -> None:
    """What is read of a stream must be the beginning of what it would be written as."""
    try:
        partial = _read(data, allow_truncated=True)
    except StreamError:
        partial = None
    try:
        whole = _read(data)
    except StreamError:
        whole = None
    if partial is None:
        assert whole is None
        return
    _check_planes(partial, data)
    if whole is not None:
        assert len(whole.planes) <= len(partial.planes)
        for plane, other in zip(whole.planes, partial.planes, strict=False):
            np.testing.assert_array_equal(plane, other)
    if partial.whole_iterations:
        writer = StreamWriter(partial.header, SPEC)
        for plane in partial.planes[: partial.whole_iterations]:
            writer.add(plane)
        again = _read(writer.stream())
        assert again.whole_iterations == partial.whole_iterations
        np.testing.assert_array_equal(again.planes, partial.planes[: partial.whole_iterations])


def check_entropy_model(content: bytes) -> None:
    """A model file is refused, or gives usable probabilities."""
    try:
        model = EntropyModel.from_bytes(content)
    except ModelError:
        return
    assert model.to_bytes() == content
    plane = np.zeros((2, 3, model.bits), np.int8)
    for part in model.passes([], plane):
        assert ((part.probabilities > 0) & (part.probabilities < 65536)).all()


def mend_header(data: bytes) -> bytes:
    """A stream whose header has the right letters, model and checksum: its payload is read."""
    version = VERSION
    if data and data[0] & VERSION_BITS == DOWNSCALE_VERSION:
        version = DOWNSCALE_VERSION
    first = version | (data[0] & ~VERSION_BITS if data else 0)
    model_id = MODEL.entropy_coded_id if first & 0x10 else MODEL.model_id
    sides = bytes(byte & 0x7F for byte in data[1:3].ljust(2, b"\1"))
    downscale = bytes([DOWNSCALE]) if version == DOWNSCALE_VERSION else b""
    content = MAGIC + bytes([first]) + model_id + sides + downscale + (data[3:4] or b"\2")
    return content + bytes([zlib.crc32(content) & 0xFF]) + data[4:]


def _read(data: bytes, **settings) -> Planes:
    return read_planes(data, SPEC, ReadOptions(limits=LIMITS, **settings))


def _check_planes(read: Planes, data: bytes) -> None:
    header, offset = read_header(data)
    assert header == read.header
    assert 1 <= len(read.planes) <= header.iterations
    assert read.whole_iterations in (len(read.planes), len(read.planes) - 1)
    assert len(read.ends) == read.whole_iterations
    assert all(offset < end <= len(data) for end in read.ends)
    assert read.ends == sorted(read.ends)
    for number, plane in enumerate(read.planes, start=1):
        assert plane.shape == header.plane_shape(SPEC.stride, SPEC.bits)
        whole = number <= read.whole_iterations and not header.adaptive
        assert set(np.unique(plane)) <= ({-1, 1} if whole else {-1, 0, 1})
    if header.adaptive:
        taken = [plane.any(axis=2) for plane in read.planes]
        assert all(not (after & ~before).any() for before, after in pairwise(taken))
        for plane in read.planes[: read.whole_iterations]:
            assert (plane.any(axis=2) == plane.all(axis=2)).all()
