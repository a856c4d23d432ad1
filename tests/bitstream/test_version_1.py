"""Streams of version 1 read as ever, though nothing writes them any more."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfrnnc.bitstream import pack_plane, read_header, read_planes
from tfrnnc.bitstream.fields import varint
from tfrnnc.errors import (
    ConfigError,
    CorruptStreamError,
    StreamError,
    TfrnncError,
    TooLargeError,
    TruncatedStreamError,
    UnsupportedVersionError,
    WrongModelError,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "v1_container.json"
MODEL_ID = b"\x01\x23\x45\x67"
STRIDE, BITS, ITERATIONS = 8, 3, 4
PLANE_BYTES = 6  # 3 x 5 locations of 3 bits


def header_of(width=33, height=20, stride=STRIDE, bits=BITS, iterations=ITERATIONS) -> bytes:
    fields = varint(width) + varint(height) + bytes([stride, bits, iterations])
    return b"RNNC\x01" + MODEL_ID + fields


@pytest.fixture(scope="module")
def planes():
    rng = np.random.default_rng(0)
    return rng.choice(np.array([-1, 1], np.int8), (ITERATIONS, 3, 5, BITS))


@pytest.fixture(scope="module")
def stream(planes):
    return header_of() + b"".join(map(pack_plane, planes))


def test_golden_stream():
    expected = json.loads(GOLDEN.read_text())
    stream = bytes.fromhex(expected["stream"])
    found = read_planes(stream, expected["stride"], expected["bits"])
    header = found.header
    for name in ("width", "height", "iterations"):
        assert getattr(header, name) == expected[name]
    assert header.model_id.hex() == expected["model_id"]
    assert (header.version, header.entropy_coded, header.open_end) == (1, False, False)
    assert [np.flatnonzero(plane > 0).tolist() for plane in found.planes] == (
        expected["positive_bits"]
    )
    assert found.ends[-1] == len(stream)


def test_cut_at_every_byte(stream, planes):
    start = len(header_of())
    for length in range(len(stream)):
        cut = stream[:length]
        with pytest.raises(TruncatedStreamError) as caught:
            read_planes(cut, STRIDE, BITS)
        whole = max(0, length - start) // PLANE_BYTES
        assert caught.value.whole_iterations == whole
        if whole:
            assert f"{whole} of 4 iterations whole" in str(caught.value)
            partial = read_planes(cut, STRIDE, BITS, allow_truncated=True).planes
            np.testing.assert_array_equal(partial, planes[:whole])
            asked = read_planes(cut, STRIDE, BITS, iterations=whole).planes
            np.testing.assert_array_equal(asked, planes[:whole])
        else:
            with pytest.raises(TruncatedStreamError):
                read_planes(cut, STRIDE, BITS, allow_truncated=True)


@pytest.mark.parametrize("iterations", [0, -1, 5])
def test_iterations_out_of_range(stream, iterations):
    with pytest.raises(ConfigError, match="from 1 to 4"):
        read_planes(stream, STRIDE, BITS, iterations=iterations)


def test_another_models_stride_or_bits(stream):
    with pytest.raises(WrongModelError, match="3 bits at stride 8, but the model has 4"):
        read_planes(stream, STRIDE, 4)
    with pytest.raises(WrongModelError):
        read_planes(stream, 4, BITS)


def test_its_letters_with_another_version():
    with pytest.raises(UnsupportedVersionError):
        read_header(b"RNNC\x09" + header_of()[5:])


def test_bytes_after_the_end(stream):
    with pytest.raises(CorruptStreamError, match="header says"):
        read_planes(stream + b"\0", STRIDE, BITS)


def test_padding_bits(stream):
    """A plane of 45 bits leaves three in its last byte."""
    damaged = stream[:-1] + bytes([stream[-1] | 1])
    with pytest.raises(CorruptStreamError, match="padding"):
        read_planes(damaged, STRIDE, BITS)


@pytest.mark.parametrize("field", ["width", "height", "stride", "bits", "iterations"])
def test_zero_in_the_header(field):
    with pytest.raises(CorruptStreamError, match="header is damaged"):
        read_header(header_of(**{field: 0}))


@pytest.mark.parametrize("number", [b"\xff" * 8, b"\x80\x00"])
def test_a_number_that_is_too_long(number):
    with pytest.raises(CorruptStreamError, match="header is damaged: a number"):
        read_header(b"RNNC\x01" + MODEL_ID + number)


def test_size_is_checked_before_anything_is_allocated():
    huge = header_of(2**31 - 1, 2**31 - 1, 1, 255, 255)
    with pytest.raises(TooLargeError, match="limit"):
        read_planes(huge, 1, 255, allow_truncated=True)
    with pytest.raises(TruncatedStreamError, match="0 of 255 iterations"):
        read_planes(huge, 1, 255, allow_truncated=True, max_pixels=2**62)


@given(st.binary(max_size=80))
def test_any_bytes_after_the_magic_read_or_raise_a_stream_error(tail):
    try:
        found = read_planes(b"RNNC\x01" + tail, STRIDE, BITS, allow_truncated=True)
    except StreamError:
        return
    assert len(found.planes) <= found.header.iterations


@given(st.data())
def test_mutated_streams_read_or_raise_our_error(stream, data):
    mutated = bytearray(stream)
    for _ in range(data.draw(st.integers(1, 4))):
        mutated[data.draw(st.integers(0, len(mutated) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(TfrnncError):
        read_planes(bytes(mutated), STRIDE, BITS, allow_truncated=True)
