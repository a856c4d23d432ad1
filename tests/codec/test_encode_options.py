from __future__ import annotations

from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest

from tfrnnc.codec.encode_options import (
    EncodeKeywords,
    EncodeOptions,
    SizeKeywords,
    SizeLimits,
    with_keywords,
)
from tfrnnc.errors import ConfigError, TfrnncError


def test_keywords_are_the_fields():
    for options, keywords in ((SizeLimits, SizeKeywords), (EncodeOptions, EncodeKeywords)):
        assert {each.name for each in fields(options)} == set(keywords.__annotations__) | (
            set(SizeKeywords.__annotations__)
        )


@pytest.mark.parametrize("name", ["iterations", "max_bytes", "effort", "max_pixels", "max_work"])
@pytest.mark.parametrize("value", [2.5, 2.0, True, "2", -1, float("nan"), [2], np.float64(3)])
def test_whole_numbers(name, value):
    with pytest.raises(ConfigError, match=f"{name} must be"):
        EncodeOptions(**{name: value})


@pytest.mark.parametrize("name", ["bpp", "psnr", "ssim"])
@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), -1, True, "2", [2], 2j, 10**400, np.array([1.0, 2.0])]
)
def test_numbers(name, value):
    with pytest.raises(ConfigError, match=f"{name} must be"):
        EncodeOptions(**{name: value})


@pytest.mark.parametrize("name", ["headerless", "entropy_coding", "adaptive"])
@pytest.mark.parametrize("value", [0, 1, "yes", None, 1.0])
def test_yes_or_no(name, value):
    with pytest.raises(ConfigError, match=f"{name} must be True or False"):
        EncodeOptions(**{name: value})


def test_ranges():
    with pytest.raises(ConfigError, match="1 at most"):
        EncodeOptions(ssim=1.01)
    with pytest.raises(ConfigError, match="iterations must be from 1 to 255"):
        EncodeOptions(iterations=256)
    with pytest.raises(ConfigError, match="background"):
        EncodeOptions(background=7)


@pytest.mark.parametrize("value", ["msssim", "", None, 2, ["ssim"], True])
def test_what_a_search_looks_for(value):
    assert EncodeOptions(effort=1, tune="ssim").tune == "ssim"
    with pytest.raises(ConfigError, match="tune must be 'psnr' or 'ssim'"):
        EncodeOptions(effort=1, tune=value)
    with pytest.raises(ConfigError, match="give an effort of at least 1"):
        EncodeOptions(tune="ssim")


def test_numbers_of_numpy_are_numbers():
    options = EncodeOptions(
        iterations=np.int64(3), bpp=np.float32(0.5), effort=np.uint8(1), adaptive=np.bool_(True)
    )
    assert options == EncodeOptions(iterations=3, bpp=0.5, effort=1, adaptive=True)
    assert type(options.iterations) is int
    assert type(options.bpp) is float
    with pytest.raises(FrozenInstanceError):
        options.bpp = 1.0


def test_keywords_replace_options():
    options = EncodeOptions(max_bytes=64, headerless=True)
    assert with_keywords(options, {"max_bytes": 32}) == EncodeOptions(max_bytes=32, headerless=True)
    assert options.size_limits == SizeLimits(max_bytes=64)
    with pytest.raises(ConfigError, match="max_bytes=64"):
        with_keywords(64, {})
    with pytest.raises(TypeError, match="unexpected keyword"):
        with_keywords(options, {"quality": 3})


@pytest.mark.parametrize(
    "call",
    [
        lambda codec, image: codec.encode(image, 4),
        lambda codec, image: codec.encode(image, max_bytes=40.5),
        lambda codec, image: codec.encoder(image).fit(psnr=float("nan")),
        lambda codec, image: codec.encoder(image).fit(iterations=99),
        lambda codec, image: codec.decode("picture.rnnc"),
        lambda codec, image: codec.decode(None),
        lambda codec, image: codec.decode(codec.encode(image), 1.5),
        lambda codec, image: codec.decode(codec.encode(image), allow_truncated="yes"),
        lambda codec, image: codec.decode(codec.encode(image), max_pixels=-1),
        lambda codec, image: codec.shorten(codec.encode(image), 20.0),
        lambda codec, image: codec.shorten(b"", 20),
    ],
)
def test_whatever_is_passed_wrongly_is_our_error(tiny_codec, noise, call):
    with pytest.raises(TfrnncError):
        call(tiny_codec, noise(9, 12))


def test_streams_in_any_buffer(tiny_codec, noise):
    data = tiny_codec.encode(noise(9, 12))
    picture = tiny_codec.decode(data)
    for buffer in (bytearray(data), memoryview(data)):
        np.testing.assert_array_equal(tiny_codec.decode(buffer), picture)
