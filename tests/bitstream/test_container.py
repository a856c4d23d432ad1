from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfrnnc.bitstream import Header, read_header, read_planes, write_stream
from tfrnnc.errors import (
    ConfigError,
    CorruptStreamError,
    ForeignStreamError,
    StreamError,
    TfrnncError,
    TooLargeError,
    TruncatedStreamError,
)

GOLDEN = Path(__file__).parents[1] / "golden"
MODEL_ID = b"\x01\x23\x45\x67"


def make_stream(width=33, height=20, stride=8, bits=3, steps=4, seed=0):
    header = Header(MODEL_ID, width, height, stride, bits, steps)
    rng = np.random.default_rng(seed)
    planes = [rng.random(header.plane_shape) < 0.5 for _ in range(steps)]
    return header, planes, write_stream(header, planes)


@given(
    st.integers(1, 1000),
    st.integers(1, 20),
    st.integers(1, 32),
    st.integers(1, 16),
    st.integers(1, 5),
)
def test_round_trip(width, height, stride, bits, steps):
    header, planes, data = make_stream(width, height, stride, bits, steps)
    assert len(data) == header.stream_bytes
    read, read_back = read_planes(data)
    assert read == header
    np.testing.assert_array_equal(read_back, planes)


def test_layout_of_the_header():
    header = Header(MODEL_ID, 300, 32, 8, 5, 7)
    assert header.to_bytes() == b"RNNC\x01" + MODEL_ID + b"\xac\x02" + b"\x20" + b"\x08\x05\x07"
    assert header.plane_shape == (4, 38, 5)
    assert header.plane_bytes == 95


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_golden_streams_read_as_ever(path):
    expected = json.loads(path.read_text())
    header, planes = read_planes(bytes.fromhex(expected["stream"]))
    fields = {
        name: getattr(header, name) for name in ("width", "height", "stride", "bits", "steps")
    }
    assert fields == {name: expected[name] for name in fields}
    assert header.model_id.hex() == expected["model_id"]
    assert [np.flatnonzero(plane).tolist() for plane in planes] == expected["positive_bits"]


def test_there_are_golden_streams():
    assert len(list(GOLDEN.glob("*.json"))) >= 1


def test_cut_at_every_byte():
    header, planes, data = make_stream()
    start = len(header.to_bytes())
    for length in range(len(data)):
        cut = data[:length]
        with pytest.raises(TruncatedStreamError) as caught:
            read_planes(cut)
        whole = max(0, length - start) // header.plane_bytes
        assert caught.value.whole_steps == whole
        if whole:
            assert f"{whole} of 4 steps whole" in str(caught.value)
            _, partial = read_planes(cut, allow_truncated=True)
            np.testing.assert_array_equal(partial, planes[:whole])
            _, asked = read_planes(cut, steps=whole)
            np.testing.assert_array_equal(asked, planes[:whole])
        else:
            with pytest.raises(TruncatedStreamError):
                read_planes(cut, allow_truncated=True)


def test_fewer_steps_are_the_first_ones():
    _, planes, data = make_stream()
    np.testing.assert_array_equal(read_planes(data, steps=2)[1], planes[:2])


@pytest.mark.parametrize("steps", [0, -1, 5])
def test_steps_out_of_range(steps):
    with pytest.raises(ConfigError, match="from 1 to 4"):
        read_planes(make_stream()[2], steps=steps)


@pytest.mark.parametrize(
    "data", [b"\x89PNG\r\n\x1a\n", b"RNN", b"RNNX\x01", b"\xff\xd8\xff\xe0", b"rnnc\x01aaaa"]
)
def test_foreign_files(data):
    with pytest.raises((ForeignStreamError, TruncatedStreamError)):
        read_header(data)


def test_a_foreign_file_is_called_so():
    with pytest.raises(ForeignStreamError, match="not a tfrnnc stream"):
        read_header(b"\x89PNG\r\n\x1a\n")


def test_unknown_version_is_named():
    data = make_stream()[2]
    with pytest.raises(ForeignStreamError, match="version 9"):
        read_header(data[:4] + b"\x09" + data[5:])


def test_bytes_after_the_end():
    with pytest.raises(CorruptStreamError, match="header says"):
        read_planes(make_stream()[2] + b"\0")


@pytest.mark.parametrize("field", ["width", "height", "stride", "bits", "steps"])
def test_zero_in_the_header(field):
    values = {"width": 9, "height": 9, "stride": 8, "bits": 1, "steps": 1, field: 0}
    with pytest.raises(CorruptStreamError, match="header is damaged"):
        read_header(Header(MODEL_ID, **values).to_bytes())


def test_too_long_a_number():
    with pytest.raises(CorruptStreamError, match="too long"):
        read_header(b"RNNC\x01" + MODEL_ID + b"\xff" * 8)


def test_size_is_checked_before_anything_is_allocated():
    huge = Header(MODEL_ID, 2**31 - 1, 2**31 - 1, 1, 255, 255).to_bytes()
    with pytest.raises(TooLargeError, match="limit"):
        read_planes(huge, allow_truncated=True)
    with pytest.raises(TruncatedStreamError, match="0 of 255 steps"):
        read_planes(huge, allow_truncated=True, max_pixels=2**62)


def test_limit_on_pixels_can_be_raised():
    _, _, data = make_stream(width=40, height=30)
    with pytest.raises(TooLargeError, match="40x30"):
        read_planes(data, max_pixels=1199)
    assert read_planes(data, max_pixels=1200)[0].width == 40


@given(st.binary(max_size=80))
def test_any_bytes_after_the_magic_read_or_raise_a_stream_error(tail):
    try:
        header, planes = read_planes(b"RNNC\x01" + tail, allow_truncated=True)
    except StreamError:
        return
    assert len(planes) <= header.steps


@given(st.data())
def test_mutated_streams_read_or_raise_our_error(data):
    stream = bytearray(make_stream()[2])
    for _ in range(data.draw(st.integers(1, 4))):
        stream[data.draw(st.integers(0, len(stream) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(TfrnncError):
        read_planes(bytes(stream), allow_truncated=True)


def test_bitstream_and_metrics_need_neither_keras_nor_tensorflow():
    script = (
        "import sys, tfrnnc, tfrnnc.bitstream, tfrnnc.metrics, tfrnnc.presets\n"
        "import tfrnnc.cli.info, tfrnnc.cli.encode, tfrnnc.cli.decode, tfrnnc.cli.train\n"
        "assert not {'keras', 'tensorflow', 'jax'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
