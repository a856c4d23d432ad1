"""Many images at once: the same streams and pictures as one by one, and errors in their places."""

from __future__ import annotations

import numpy as np
import pytest

from tfrnnc.errors import ConfigError, ImageError, StreamError, TooLargeError, TruncatedStreamError

SIZES = [(16, 24), (16, 24), (15, 23), (8, 8), (16, 24), (24, 16), (33, 17), (9, 17), (16, 24)]

SETTINGS = [
    {},
    {"iterations": 2},
    {"headerless": True},
    {"headerless": True, "iterations": 2},
    {"headerless": True, "max_bytes": 9},
    {"max_bytes": 17},
    {"max_bytes": 24},
    {"bpp": 0.6},
    {"psnr": 9.0},
    {"ssim": 0.02, "max_bytes": 30},
    {"entropy_coding": False, "max_bytes": 20},
    {"effort": 1, "max_bytes": 20},
    {"adaptive": True, "max_bytes": 24},
]


@pytest.fixture
def images(noise):
    """Images of several sizes, some of which are alike once they are padded."""
    return [noise(*size, seed) for seed, size in enumerate(SIZES)]


def one_by_one(function, items, **settings):
    """What a function gives for each item, or raises."""

    def call(item):
        try:
            return function(item, **settings)
        except (ConfigError, ImageError, StreamError) as error:
            return error

    return [call(item) for item in items]


def require_same(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert type(one) is type(other)
        if isinstance(one, Exception):
            assert str(one) == str(other)
        else:
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("settings", SETTINGS, ids=repr)
def test_streams_are_those_of_one_by_one(tiny_codec, images, settings):
    expected = one_by_one(tiny_codec.encode, images, **settings)
    assert tiny_codec.encode_batch(images, **settings) == expected or any(
        isinstance(each, Exception) for each in expected
    )
    require_same(tiny_codec.encode_batch(images, **settings), expected)


@pytest.mark.parametrize("settings", SETTINGS, ids=repr)
def test_pictures_are_those_of_one_by_one(tiny_codec, images, settings):
    found = tiny_codec.encode_batch_with_pictures(images, **settings)
    expected = one_by_one(tiny_codec.encode_with_picture, images, **settings)
    for one, other in zip(found, expected, strict=True):
        assert type(one) is type(other)
        if not isinstance(one, Exception):
            np.testing.assert_array_equal(one.picture, other.picture)
            assert (one.data, one.iterations) == (other.data, other.iterations)
            assert [each.name for each in one.missed] == [each.name for each in other.missed]


@pytest.mark.parametrize("settings", SETTINGS[:2] + SETTINGS[5:11], ids=repr)
@pytest.mark.parametrize("wanted", [{}, {"iterations": 1}, {"allow_truncated": True}], ids=repr)
def test_decoding_is_that_of_one_by_one(tiny_codec, images, settings, wanted):
    encoded = tiny_codec.encode_batch(images, **settings)
    streams = [each for each in encoded if isinstance(each, bytes)]
    assert streams
    streams += [streams[0][:-2], streams[0][:5], b"", b"no stream", streams[0] + b"x"]
    streams += [bytes([*streams[-6][:-3], streams[-6][-3] ^ 255, *streams[-6][-2:]])]
    expected = one_by_one(tiny_codec.decode, streams, **wanted)
    assert any(isinstance(each, StreamError) for each in expected)
    require_same(tiny_codec.decode_batch(streams, **wanted), expected)


def test_what_is_bad_stands_in_its_place(tiny_codec, noise):
    good = noise(16, 24)
    bad = [noise(16, 24).astype(float), "a.png", None, noise(400, 8)]
    found = tiny_codec.encode_batch([good, *bad, good], max_bytes=30, max_pixels=2000)
    kinds = [ImageError, ImageError, ImageError, TooLargeError]
    assert [type(each) for each in found[1:-1]] == kinds
    assert found[0] == found[-1] == tiny_codec.encode(good, max_bytes=30)
    large = tiny_codec.encode(noise(64, 64))
    small = tiny_codec.encode(good)
    limits = {"max_pixels": 2000, "max_work": 16 * 24 * 3}
    results = tiny_codec.decode_batch([small, large, small[:-1], small, "x"], **limits)
    assert [type(each) for each in results[1:3]] == [TooLargeError, TruncatedStreamError]
    assert type(results[4]) is ConfigError
    np.testing.assert_array_equal(results[0], results[3])
    few = tiny_codec.decode_batch([small], max_work=16 * 24 * 3 - 1)
    assert [type(each) for each in few] == [TooLargeError]


def test_options_that_suit_no_image_are_raised(tiny_codec, noise):
    with pytest.raises(ConfigError, match="max_bytes must be at least 1"):
        tiny_codec.encode_batch([], max_bytes=0)
    with pytest.raises(ConfigError, match="options must be an EncodeOptions"):
        tiny_codec.encode_batch([noise(8, 8)], 64)
    with pytest.raises(ConfigError, match="iterations must be at least 1"):
        tiny_codec.decode_batch([], 0)
    assert tiny_codec.encode_batch([]) == tiny_codec.decode_batch([]) == []
