"""The bytes and the string of a preview."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfrnnc.errors import (
    CorruptStreamError,
    ForeignStreamError,
    StreamError,
    TruncatedStreamError,
    UnsupportedVersionError,
)
from tfrnnc.preview.colour import CHROMA, colour_levels, quantise_colour, to_rgb
from tfrnnc.preview.layout import HEADER_BYTES, MAX_BYTES, MIN_BYTES
from tfrnnc.preview.text import PreviewData, from_text, picture_size, to_text


def some_preview(
    seed: int = 0, width: int = 32, height: int = 21, size: int = MAX_BYTES
) -> PreviewData:
    generator = np.random.default_rng(seed)
    colour = generator.integers(0, [32, 16, 16]).astype(np.int32)
    payload = generator.bytes(MAX_BYTES)[: size - HEADER_BYTES]
    return PreviewData(width, height, colour, seed % 8, payload)


@pytest.mark.parametrize("size", [MIN_BYTES, 8, 24, MAX_BYTES])
def test_round_trip(size):
    original = some_preview(5, size=size)
    found = from_text(to_text(original))
    assert (found.width, found.height, found.size) == (32, 21, size)
    np.testing.assert_array_equal(found.colour, original.colour)
    assert (found.step, found.payload) == (original.step, original.payload)


def test_bytes_by_hand():
    made = PreviewData(16, 32, np.array([31, 7, 15]), 2, b"\x80")
    # Version 1, tall, 15; 11111 0111 1111 010; 10000000.
    assert to_text(made) == "b_v6gA"


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [(1, 1, (32, 32)), (768, 512, (32, 21)), (512, 768, (21, 32)), (1, 9999, (1, 32))],
)
def test_picture_size(width, height, expected):
    assert picture_size(width, height) == expected
    found = from_text(to_text(some_preview(0, *expected)))
    assert (found.width, found.height) == expected


def test_a_cut_string_is_the_preview_of_fewer_bytes():
    text = to_text(some_preview(1))
    for length in range(4, len(text) + 1):
        expected = some_preview(1, size=length * 6 // 8)
        found = from_text(text[:length])
        assert (found.step, found.payload) == (expected.step, expected.payload)


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("", TruncatedStreamError, "0 bytes"),
        ("X", TruncatedStreamError, "0 bytes"),
        ("X__", TruncatedStreamError, "2 bytes"),
        ("AAAA", UnsupportedVersionError, "version 0"),
        ("____", UnsupportedVersionError, "version 3"),
        ("X+__", ForeignStreamError, "characters"),
        ("X___\n", ForeignStreamError, "characters"),
        ("X___==", ForeignStreamError, "characters"),
        ("X" * 10_000 + "!", ForeignStreamError, "characters"),
        ("X" * 87, CorruptStreamError, "65 bytes"),
        (None, ForeignStreamError, "None"),
        (b"X___", ForeignStreamError, "X___"),
    ],
)
def test_what_is_no_preview(text, error, words):
    with pytest.raises(error, match=words) as caught:
        from_text(text)
    assert len(str(caught.value)) < 200


@given(st.text(st.sampled_from("AXYZabz019-_+= \n\0é"), max_size=100))
def test_any_string_is_read_or_refused(text):
    try:
        found = from_text(text)
    except StreamError:
        return
    assert max(found.width, found.height) == 32
    assert MIN_BYTES <= found.size <= MAX_BYTES


def test_gray_is_gray_and_colours_are_close():
    levels = np.arange(256, dtype=np.uint8)
    gray = np.broadcast_to(levels[:, None, None, None], (256, 2, 2, 3))
    found = to_rgb(colour_levels(quantise_colour(gray)))
    assert (found == found[:, :1]).all()
    assert np.abs(found[:, 0] - levels).max() <= 4
    assert found[0, 0] == 0
    assert found[255, 0] == 255
    generator = np.random.default_rng(0)
    muted = generator.integers(100, 156, (500, 1, 1, 3)).astype(np.uint8)
    found = to_rgb(colour_levels(quantise_colour(muted)))
    assert np.abs(found - muted[:, 0, 0]).max() <= 15


def test_every_index_has_a_level():
    assert (np.diff(CHROMA) > 0).all()
    indices = np.stack(np.meshgrid(np.arange(32), np.arange(16), np.arange(16)), -1).reshape(-1, 3)
    rgb = to_rgb(colour_levels(indices))
    assert rgb.min() >= 0
    assert rgb.max() <= 255
