from __future__ import annotations

import logging
import shutil
from dataclasses import replace

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
from tfrnnc.images import read_image, to_float, to_uint8
from tfrnnc.metrics import block_ssim, psnr
from tfrnnc.model_folder.file_names import ENTROPY_MODEL_FILE
from tfrnnc.model_folder.keras_model import load_model

SIZES = [(1, 1), (1, 9), (8, 8), (7, 5), (33, 17), (16, 40)]


@pytest.fixture(scope="module")
def codec(tiny_model_folder):
    return tfrnnc.load(tiny_model_folder)


@pytest.fixture(scope="module")
def photo_codec():
    return tfrnnc.load()


@pytest.fixture
def photo(request):
    return read_image(request.config.rootpath / "examples" / "photos" / "coffee.png")[:96, :128]


@pytest.mark.parametrize("size", SIZES)
def test_every_size_comes_back(tiny_codec, noise, size):
    image = noise(*size)
    data, picture, _, missed = tiny_codec.encode_with_picture(image)
    assert picture.shape == image.shape
    assert picture.dtype == np.uint8
    np.testing.assert_array_equal(tiny_codec.decode(data), picture)
    header, _ = read_header(data)
    assert (header.height, header.width, header.iterations) == (*size, 3)
    assert header.entropy_coded
    assert missed == []
    plain = tiny_codec.encode(image, entropy_coding=False)
    assert not read_header(plain)[0].entropy_coded
    np.testing.assert_array_equal(tiny_codec.decode(plain), picture)
    # A model that knows nothing costs at most a byte an iteration.
    assert len(data) <= len(plain) + header.iterations


def test_decoding_a_prefix_equals_encoding_fewer_iterations(tiny_codec, noise):
    image = noise(19, 26)
    data = tiny_codec.encode(image)
    ends = tiny_codec.read_planes(data).ends
    progressive = list(tiny_codec.decode_progressive(data))
    assert len(progressive) == len(ends) == 3
    for iterations in (1, 2, 3):
        picture = tiny_codec.encode_with_picture(image, iterations=iterations).picture
        cut = data[: ends[iterations - 1]]
        np.testing.assert_array_equal(progressive[iterations - 1], picture)
        np.testing.assert_array_equal(tiny_codec.decode(data, iterations=iterations), picture)
        np.testing.assert_array_equal(tiny_codec.decode(cut, iterations=iterations), picture)
        whole = tiny_codec.read_planes(cut, allow_truncated=True).planes[:iterations]
        np.testing.assert_array_equal(whole, tiny_codec.read_planes(data).planes[:iterations])


def test_every_byte_counts(codec, noise):
    """Cut at every byte, a stream decodes to what its bits say: more bits with every byte."""
    data = codec.encode(noise(24, 32))
    _, start = read_header(data)
    whole = np.stack(codec.read_planes(data).planes)
    known = []
    for size in range(len(data)):
        if size < start + 2:  # An eighth of the first iteration's 96 bits takes two bytes.
            with pytest.raises(TruncatedStreamError) as caught:
                codec.decode(data[:size], allow_truncated=True)
            assert caught.value.whole_iterations == 0
            continue
        found = codec.read_planes(data[:size], allow_truncated=True)
        planes = np.stack(found.planes)
        assert ((planes == 0) | (planes == whole[: len(planes)])).all()
        known.append(np.count_nonzero(planes))
        with pytest.raises(TruncatedStreamError) as caught:
            codec.decode(data[:size])
        assert caught.value.whole_iterations == found.whole_iterations
        assert np.all(planes[: found.whole_iterations])
    assert known == sorted(known)
    assert len(set(known)) > 0.8 * len(known)
    picture = codec.decode(data[:-1], allow_truncated=True)
    assert picture.shape == (24, 32, 3)


def test_codec_equals_the_training_loop(tiny_codec, tiny_folder, noise):
    """The loop over single iterations and the loop that is trained give the same pictures."""
    image = noise(16, 24)
    trained = np.asarray(load_model(tiny_folder)(to_float(image)[None]))[0]
    stepwise = [picture for _, picture in tiny_codec.encode_iterations(image)]
    assert np.abs(to_uint8(trained).astype(int) - np.stack(stepwise)).max() <= 1


def test_padding_repeats_the_edge(codec, noise):
    image = noise(13, 10)
    padded = np.pad(image, ((0, 3), (0, 6), (0, 0)), mode="edge")
    whole = codec.decode(codec.encode(padded))
    np.testing.assert_array_equal(codec.decode(codec.encode(image)), whole[:13, :10])


@pytest.mark.parametrize("header", [True, False])
def test_max_bytes_is_never_exceeded_and_used_up(tiny_codec, noise, header):
    image = noise(20, 30)
    shared = b"" if header else tiny_codec.shared_header(30, 20)
    whole = len(tiny_codec.encode(image, headerless=not header))
    sizes, errors = [], []
    for allowed in range(11, whole + 3):
        try:
            code, picture, *_ = tiny_codec.encode_with_picture(
                image, max_bytes=allowed, headerless=not header
            )
        except ConfigError:
            assert not sizes
            continue
        assert len(code) <= allowed
        np.testing.assert_array_equal(tiny_codec.decode(shared + code), picture)
        sizes.append(len(code))
        errors.append(np.square(image - picture.astype(float)).sum())
    assert sizes[-1] == whole
    assert sizes[0] < whole / 2


def test_a_last_iteration_is_cut_only_where_the_picture_gains(photo_codec, photo):
    """With a trained model, more bytes are never worse than the whole iterations that fit."""
    ends = photo_codec.read_planes(photo_codec.encode(photo)).ends
    whole = [psnr(photo, picture) for _, picture in photo_codec.encode_iterations(photo)]
    gained = 0
    for allowed in range(ends[0] + 40, ends[3], 61):
        data, picture, *_ = photo_codec.encode_with_picture(photo, max_bytes=allowed, downscale=1)
        fitting = max(iteration for iteration, end in enumerate(ends) if end <= allowed)
        quality = psnr(photo, picture)
        assert quality >= whole[fitting]
        gained += quality > whole[fitting]
        np.testing.assert_array_equal(photo_codec.decode(data), picture)
        assert read_header(data)[0].open_end == (quality > whole[fitting])
    assert gained > 5


def test_bpp_counts_all_bytes(codec, noise):
    image = noise(32, 32)
    two_iterations = codec.encode(image, iterations=2)
    assert codec.encode(image, bpp=len(two_iterations) * 8 / 1024) == two_iterations
    assert len(codec.encode(image, bpp=(len(two_iterations) - 1) * 8 / 1024)) < len(two_iterations)
    assert codec.encode(image, bpp=1e300) == codec.encode(image)


def test_headerless_code_and_the_shared_header(tiny_codec, noise):
    images = [noise(16, 24, seed) for seed in range(3)]
    header = tiny_codec.shared_header(24, 16)
    for image in images:
        for iterations in (1, 2, 3):
            code, picture, *_ = tiny_codec.encode_with_picture(
                image, iterations=iterations, headerless=True
            )
            stream = header + code
            found = tiny_codec.read_planes(stream)
            assert found.whole_iterations == iterations
            np.testing.assert_array_equal(tiny_codec.decode(stream, iterations=iterations), picture)
            if len(found.planes) == iterations:
                np.testing.assert_array_equal(tiny_codec.decode(stream), picture)
            # What is beyond the iterations asked for is what a longer code has there.
            longer = tiny_codec.read_planes(header + tiny_codec.encode(image, headerless=True))
            for plane, other in zip(found.planes, longer.planes, strict=False):
                assert ((plane == other) | (plane == 0)).all()
        whole = tiny_codec.encode(image)
        assert len(tiny_codec.encode(image, headerless=True)) < len(whole) - len(header)


def test_limits_combine_to_the_tightest(codec, noise):
    image = noise(32, 32)
    assert len(codec.encode(image, iterations=3, max_bytes=50, bpp=1.0)) <= 50
    assert read_header(codec.encode(image, iterations=1, max_bytes=1000))[0].iterations == 1


@pytest.mark.parametrize(("name", "measure"), [("psnr", psnr), ("ssim", block_ssim)])
def test_quality_stops_at_the_first_iteration_that_reaches_it(codec, noise, name, measure):
    image = noise(24, 24)
    qualities = [measure(image, picture) for _, picture in codec.encode_iterations(image)]
    for target in qualities:
        first = next(i for i, quality in enumerate(qualities, 1) if quality >= target)
        assert read_header(codec.encode(image, **{name: target}))[0].iterations == first


@pytest.mark.parametrize(("name", "value"), [("psnr", 70), ("ssim", 0.99)])
def test_quality_out_of_reach_takes_all_iterations_and_says_so(codec, noise, caplog, name, value):
    with caplog.at_level(logging.WARNING, "tfrnnc"):
        data = codec.encode(noise(24, 24), **{name: value})
    encoded = codec.encode_with_picture(noise(24, 24), **{name: value})
    assert (encoded.data, encoded.iterations) == (data, 3)
    assert read_header(data)[0].iterations == 3
    assert [target.name for target in encoded.missed] == [name.upper()]
    assert f"{name.upper()} of {value:g}" in caplog.text


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"iterations": 0}, "iterations must be from 1 to 255"),
        ({"iterations": 4}, "from 1 to 3"),
        ({"max_bytes": 11}, "11 bytes are too few for 32x32 pixels"),
        ({"max_bytes": 0}, "at least 1"),
        ({"bpp": 0.05}, "the first iteration takes 2[89]"),
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
    header, start = read_header(bytes(data))
    other = replace(header, model_id=b"\1\2\3\4").to_bytes()
    with pytest.raises(WrongModelError, match=codec.runtime.model_id.hex()):
        codec.decode(other + data[start:])


def test_more_steps_than_the_model_has(codec, noise):
    data = codec.encode(noise(8, 8))
    header, start = read_header(data)
    with pytest.raises(WrongModelError, match="4 iterations"):
        codec.decode(replace(header, iterations=4).to_bytes() + data[start:])


def test_entropy_model_of_another_model(tiny_folder, tiny_model_folder, tmp_path, noise):
    shutil.copytree(tiny_model_folder, tmp_path / "mixed")
    shutil.copyfile(tiny_folder / ENTROPY_MODEL_FILE, tmp_path / "mixed" / ENTROPY_MODEL_FILE)
    with pytest.raises(tfrnnc.ModelError, match="entropy model is of model"):
        tfrnnc.load(tmp_path / "mixed")


def test_stream_whose_entropy_model_is_missing(tiny_folder, tmp_path, noise):
    data = tfrnnc.load(tiny_folder).encode(noise(8, 8))
    shutil.copytree(tiny_folder, tmp_path / "without")
    (tmp_path / "without" / ENTROPY_MODEL_FILE).unlink()
    codec = tfrnnc.load(tmp_path / "without")
    with pytest.raises(WrongModelError, match="made by model"):
        codec.decode(data)


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
