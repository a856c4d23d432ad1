from __future__ import annotations

import logging

import numpy as np
import pytest
from PIL import Image

import tfrnnc
from tfrnnc.bitstream import read_header
from tfrnnc.errors import (
    ConfigError,
    CorruptStreamError,
    ForeignStreamError,
    ImageError,
    TooLargeError,
    TruncatedStreamError,
    WrongModelError,
)
from tfrnnc.images import to_float, to_uint8
from tfrnnc.metrics import psnr
from tfrnnc.models.model_files import load_model

SIZES = [(1, 1), (1, 9), (8, 8), (7, 5), (33, 17), (16, 40)]


@pytest.fixture(scope="module")
def codec(tiny_model_folder):
    return tfrnnc.load(tiny_model_folder)


@pytest.mark.parametrize("size", SIZES)
def test_every_size_comes_back(tiny_codec, noise, size):
    image = noise(*size)
    data, picture = tiny_codec.encode_with_picture(image)
    assert picture.shape == image.shape
    assert picture.dtype == np.uint8
    np.testing.assert_array_equal(tiny_codec.decode(data), picture)
    header, _ = read_header(data)
    assert (header.height, header.width, header.steps) == (*size, 3)
    assert len(data) == header.stream_bytes


def test_decoding_a_prefix_equals_encoding_fewer_steps(tiny_codec, noise):
    image = noise(19, 26)
    data = tiny_codec.encode(image)
    header, start = read_header(data)
    progressive = list(tiny_codec.decode_progressive(data))
    assert len(progressive) == 3
    for steps in (1, 2, 3):
        short, picture = tiny_codec.encode_with_picture(image, steps=steps)
        cut = data[: start + steps * header.plane_bytes]
        assert short[start:] == cut[start:]
        np.testing.assert_array_equal(progressive[steps - 1], picture)
        np.testing.assert_array_equal(tiny_codec.decode(data, steps=steps), picture)
        np.testing.assert_array_equal(tiny_codec.decode(cut, allow_truncated=True), picture)
        np.testing.assert_array_equal(tiny_codec.decode(cut, steps=steps), picture)


def test_codec_equals_the_training_loop(tiny_codec, tiny_folder, noise):
    """The loop over single steps and the loop that is trained give the same pictures."""
    image = noise(16, 24)
    trained = np.asarray(load_model(tiny_folder)(to_float(image)[None]))[0]
    stepwise = [picture for _, picture in tiny_codec.encode_steps(image)]
    assert np.abs(to_uint8(trained).astype(int) - np.stack(stepwise)).max() <= 1


def test_padding_repeats_the_edge(codec, noise):
    image = noise(13, 10)
    padded = np.pad(image, ((0, 3), (0, 6), (0, 0)), mode="edge")
    whole = codec.decode(codec.encode(padded))
    np.testing.assert_array_equal(codec.decode(codec.encode(image)), whole[:13, :10])


def test_max_bytes_is_never_exceeded_and_used_up(codec, noise):
    image = noise(20, 30)
    header, start = read_header(codec.encode(image))
    for allowed in range(start + header.plane_bytes, start + 3 * header.plane_bytes + 20):
        size = len(codec.encode(image, max_bytes=allowed))
        assert size <= allowed
        assert size + header.plane_bytes > allowed or size == start + 3 * header.plane_bytes


def test_bpp_counts_the_header(codec, noise):
    image = noise(32, 32)
    header, start = read_header(codec.encode(image))
    assert header.plane_bytes == 16
    two_steps = start + 32
    assert len(codec.encode(image, bpp=two_steps * 8 / 1024)) == two_steps
    assert len(codec.encode(image, bpp=(two_steps - 1) * 8 / 1024)) == two_steps - 16
    assert len(codec.encode(image, bpp=1e300)) == start + 48


def test_limits_combine_to_the_tightest(codec, noise):
    image = noise(32, 32)
    assert len(codec.encode(image, steps=3, max_bytes=50, bpp=1.0)) <= 50
    assert read_header(codec.encode(image, steps=1, max_bytes=1000))[0].steps == 1


def test_psnr_stops_at_the_first_step_that_reaches_it(codec, noise):
    image = noise(24, 24)
    qualities = [psnr(image, picture) for _, picture in codec.encode_steps(image)]
    for target in qualities:
        first = next(i for i, quality in enumerate(qualities, 1) if quality >= target)
        assert read_header(codec.encode(image, psnr=target))[0].steps == first


def test_psnr_out_of_reach_takes_all_steps_and_says_so(codec, noise, caplog):
    with caplog.at_level(logging.WARNING, "tfrnnc"):
        data = codec.encode(noise(24, 24), psnr=70)
    assert read_header(data)[0].steps == 3
    assert "70 dB is not reached in 3 steps" in caplog.text


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"steps": 0}, "from 1 to 3"),
        ({"steps": 4}, "from 1 to 3"),
        ({"max_bytes": 20}, "smallest stream of this model has 30"),
        ({"bpp": 0.1}, "smallest stream of this model has 30"),
        ({"bpp": 0}, "above 0"),
        ({"bpp": float("nan")}, "above 0"),
    ],
)
def test_limits_out_of_range(codec, noise, limits, message):
    with pytest.raises(ConfigError, match=message):
        codec.encode(noise(32, 32), **limits)


def test_grayscale_palette_and_pillow_images(codec, noise):
    gray = noise(12, 14)[:, :, 0]
    as_rgb = np.repeat(gray[:, :, None], 3, axis=2)
    expected = codec.encode(as_rgb)
    assert codec.encode(gray) == expected
    assert codec.encode(gray[:, :, None]) == expected
    assert codec.encode(Image.fromarray(gray)) == expected
    assert codec.encode(Image.fromarray(gray).convert("P")) == expected


def test_transparency_needs_a_background(codec, noise):
    rgba = np.dstack([noise(9, 9), np.zeros((9, 9), np.uint8)])
    with pytest.raises(ImageError, match="--background"):
        codec.encode(rgba)
    white = np.full((9, 9, 3), 255, np.uint8)
    assert codec.encode(rgba, background="white") == codec.encode(white)


def test_exif_orientation_is_applied(codec, noise):
    image = Image.fromarray(noise(10, 20))
    image.getexif()[0x0112] = 6  # rotate by 90 degrees to view
    header, _ = read_header(codec.encode(image))
    assert (header.width, header.height) == (10, 20)


def test_another_model_is_refused(codec, noise):
    data = bytearray(codec.encode(noise(8, 8)))
    data[5] ^= 1
    with pytest.raises(WrongModelError, match=codec.runtime.model_id.hex()):
        codec.decode(bytes(data))


@pytest.mark.parametrize("offset", [-3, -2])
def test_header_that_contradicts_the_model(codec, noise, offset):
    _, start = read_header(codec.encode(noise(8, 8)))
    data = bytearray(codec.encode(noise(8, 8)) + bytes(3000))
    data[start + offset] = 255
    with pytest.raises((WrongModelError, CorruptStreamError)):
        codec.decode(bytes(data), steps=1)


def test_more_steps_than_the_model_has(codec, noise):
    data = codec.encode(noise(8, 8))
    header, start = read_header(data)
    longer = bytearray(data) + data[start:][: header.plane_bytes]
    longer[start - 1] = 4
    with pytest.raises(WrongModelError, match="4 steps"):
        codec.decode(bytes(longer))


def test_each_bad_stream_has_its_own_error(codec, noise):
    data = codec.encode(noise(8, 8))
    with pytest.raises(ForeignStreamError):
        codec.decode(b"GIF89a" + data)
    with pytest.raises(TruncatedStreamError):
        codec.decode(data[:-1])
    with pytest.raises(CorruptStreamError):
        codec.decode(data + b"\0")
    with pytest.raises(TooLargeError):
        codec.decode(data, max_pixels=63)


def test_loading_nothing(tmp_path):
    with pytest.raises(tfrnnc.ModelError, match="neither a preset"):
        tfrnnc.load("no_such_preset")
    with pytest.raises(tfrnnc.ModelError, match="holds no"):
        tfrnnc.load(tmp_path)
