"""Images in strips against the same images at once: the same streams and pictures."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import tfrnnc
from tfrnnc.codec import strip_encoder, strips
from tfrnnc.codec.strip_encoder import StripEncoder
from tfrnnc.codec.strips import Rows
from tfrnnc.export.tflite import export_tflite
from tfrnnc.metrics import psnr
from tfrnnc.model_folder.keras_model import model_from_config, save_model
from tfrnnc.runtimes import litert_runtime

SIZES = [(104, 40), (83, 33), (24, 56), (9, 17)]

# Kernels that are even, greater than needed, and recurrent in space.
WIDE = {
    "arch": "conv_lstm",
    "encoder": ["conv 5x5/4 s2", "conv_lstm 4x4/4 s2 h3", "conv_lstm 3x3/4 s1 h5"],
    "bits": 4,
    "decoder": ["deconv_lstm 4x4/4 s2 h3", "deconv 3x3/4 s2", "conv 3x3/3"],
    "iterations": 3,
}


@pytest.fixture(scope="module", params=["litert", "keras"])
def wide_codec(request, tmp_path_factory):
    keras.utils.set_random_seed(11)
    folder = tmp_path_factory.mktemp("wide")
    model = model_from_config(WIDE)
    save_model(model, folder)
    export_tflite(model, folder)
    return tfrnnc.load(folder, runtime=request.param)


@pytest.fixture
def in_strips(monkeypatch):
    """Calls a function with everything in strips of these many pixels."""

    def call(function, *arguments, height=1, **keywords):
        with monkeypatch.context() as patch:
            patch.setattr(strips, "MAX_PIXELS_AT_ONCE", 0)
            patch.setattr(strips, "STRIP_HEIGHT", height)
            patch.setattr(strip_encoder, "SAMPLE_SIDE", 24)
            return function(*arguments, **keywords)

    return call


def assert_same_picture(first, second):
    """Equal, but for the last bit of floats that are computed in other places of a window."""
    assert np.abs(first.astype(int) - second).max() <= 1
    assert np.mean(first != second) < 1e-3


def assert_same(codec, image, in_strips, height, **limits):
    expected = codec.encode_with_picture(image, **limits)
    found = in_strips(codec.encode_with_picture, image, height=height, **limits)
    assert found.data == expected.data
    assert found.iterations == expected.iterations
    assert_same_picture(found.picture, expected.picture)
    if not limits.get("headerless"):
        picture = in_strips(codec.decode, expected.data, height=height)
        assert_same_picture(picture, codec.decode(expected.data))
        np.testing.assert_array_equal(picture, found.picture)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("height", [1, 72])
def test_strips_give_the_same(tiny_codec, noise, in_strips, size, height):
    image = noise(*size)
    assert isinstance(in_strips(tiny_codec.encoder, image, downscale=1), StripEncoder)
    assert_same(tiny_codec, image, in_strips, height)
    assert_same(tiny_codec, image, in_strips, height, iterations=1)


@pytest.mark.parametrize("height", [1, 40])
def test_strips_give_the_same_with_wide_kernels(wide_codec, noise, in_strips, height):
    assert wide_codec.runtime.decoder_margin == 4
    assert_same(wide_codec, noise(136, 24), in_strips, height)


@pytest.mark.parametrize("limits", [{}, {"max_bytes": 60}, {"bpp": 1.0}, {"iterations": 2}])
@pytest.mark.parametrize("headerless", [False, True])
def test_limits(tiny_codec, noise, in_strips, limits, headerless):
    assert_same(tiny_codec, noise(83, 33), in_strips, 40, headerless=headerless, **limits)


def test_without_entropy_coding(tiny_codec, noise, in_strips):
    assert_same(tiny_codec, noise(83, 33), in_strips, 40, entropy_coding=False)


def test_one_encoder_fits_any_limits(tiny_codec, noise, in_strips):
    image = noise(83, 33)
    encoder = in_strips(tiny_codec.encoder, image)
    quality = psnr(image, tiny_codec.encode_with_picture(image, iterations=2).picture)
    for limits in (
        {"iterations": 2}, {"max_bytes": 70}, {}, {"iterations": 1}, {"max_bytes": 50},
        {"psnr": quality}, {"psnr": quality, "max_bytes": 60}, {"iterations": 3},
    ):  # fmt: skip
        fitted = in_strips(encoder.fit, height=40, **limits)
        expected = tiny_codec.encode_with_picture(image, **limits)
        assert fitted.data == expected.data
        assert_same_picture(fitted.picture, expected.picture)


def test_an_estimate_that_is_too_low(tiny_codec, noise, in_strips, monkeypatch):
    """The middle of the image says little of the rest."""
    image = np.full((120, 40, 3), 128, np.uint8)
    image[48:72] = noise(24, 40)
    sizes = [len(tiny_codec.encode(image, iterations=count)) for count in (1, 2, 3)]
    for estimate in (1, 2, 3):

        def too_low(encoder, max_bytes, most, estimate=estimate):
            return min(estimate, most)
            yield

        monkeypatch.setattr(StripEncoder, "_estimate", too_low)
        assert_same(tiny_codec, image, in_strips, 40, max_bytes=sizes[1])
        assert_same(tiny_codec, image, in_strips, 40, max_bytes=sizes[2] - 1)


@pytest.mark.parametrize("runtime", ["litert", "keras"])
def test_adaptive_streams(independent_folder, noise, in_strips, runtime):
    """They are encoded at once; what stopped keeps its look in strips, too."""
    codec = tfrnnc.load(independent_folder, runtime=runtime)
    image = noise(120, 33)
    image[:40] = 128
    for limits in ({"adaptive": True}, {"adaptive": True, "max_bytes": 120}):
        expected = codec.encode(image, **limits)
        assert in_strips(codec.encode, image, **limits) == expected
        assert_same_picture(in_strips(codec.decode, expected, height=40), codec.decode(expected))


def test_adaptive_streams_of_dependent_locations(tiny_codec, noise, in_strips):
    if tiny_codec.runtime.independent:
        return
    image = noise(72, 33)
    image[:40] = 128
    data = tiny_codec.encode(image, adaptive=True, max_bytes=400)
    assert_same_picture(in_strips(tiny_codec.decode, data, height=40), tiny_codec.decode(data))


def test_cut_streams(tiny_codec, noise, in_strips):
    data = tiny_codec.encode(noise(83, 33))
    cut = data[: len(data) * 3 // 5]
    found = in_strips(tiny_codec.decode, cut, allow_truncated=True, height=40)
    assert_same_picture(found, tiny_codec.decode(cut, allow_truncated=True))


def test_batches_hold_large_images(tiny_codec, noise, in_strips):
    images = [noise(83, 33, 1), noise(83, 33, 2)]
    streams = in_strips(tiny_codec.encode_batch, images, height=40)
    assert streams == tiny_codec.encode_batch(images)
    pictures = in_strips(tiny_codec.decode_batch, streams, height=40)
    for picture, expected in zip(pictures, tiny_codec.decode_batch(streams), strict=True):
        assert_same_picture(picture, expected)


def test_strips_of_windows(tiny_folder, noise, in_strips, monkeypatch):
    """A strip that is too long for one call of LiteRT."""
    codec = tfrnnc.load(tiny_folder, threads=2)
    image = noise(83, 150)
    expected = codec.encode(image)
    monkeypatch.setattr(litert_runtime, "MAX_SIDE_AT_ONCE", 64)
    monkeypatch.setattr(litert_runtime, "WINDOW_SIDE", 64)
    assert in_strips(codec.encode, image, height=40) == expected
    assert_same_picture(in_strips(codec.decode, expected, height=40), codec.decode(expected))


def test_narrow_images_take_taller_strips(tiny_codec, noise, in_strips, monkeypatch):
    """To the same bits and pictures."""
    image = noise(300, 24)
    totals = []
    token = strips.progress.set(lambda done, total: totals.append(total))
    try:
        low = in_strips(tiny_codec.encode_with_picture, image, height=40)
        low_strips = totals[-1]
        monkeypatch.setattr(strips, "STRIP_HEIGHT", 40)
        monkeypatch.setattr(strips, "MAX_PIXELS_AT_ONCE", int(24 * 96 / strips.ENCODED_PART))
        tall = tiny_codec.encode_with_picture(image)
        encoded_strips = totals[-1]
        monkeypatch.setattr(strips, "MAX_PIXELS_AT_ONCE", int(24 * 96 / strips.DECODED_PART))
        picture = tiny_codec.decode(tall.data)
        decoded_strips = totals[-1]
    finally:
        strips.progress.reset(token)
    assert tall.data == low.data
    assert 1 < encoded_strips == decoded_strips < low_strips
    assert_same_picture(tall.picture, low.picture)
    assert_same_picture(picture, low.picture)


def test_work_limits_hold_in_strips(tiny_codec, noise, in_strips):
    stride = tiny_codec.spec.stride
    padded = 40 // stride * stride * 40
    image = noise(40, 40)
    with pytest.raises(tfrnnc.ImageError, match="2 iterations .*--max-work"):
        in_strips(tiny_codec.encode, image, max_bytes=10**6, max_work=padded)
    with pytest.raises(tfrnnc.ImageError, match="--max-pixels"):
        in_strips(tiny_codec.encode, image, max_pixels=padded - 1)


def test_files_of_one_size_run_at_once(tiny_model_folder, noise, in_strips, tmp_path):
    from tfrnnc.model_folder.keras_model import load_model

    export_tflite(load_model(tiny_model_folder), tmp_path, size=(64, 48))
    codec = tfrnnc.load(tmp_path)
    image = noise(104, 72)
    assert not isinstance(in_strips(codec.encoder, image), StripEncoder)
    assert in_strips(codec.encode, image) == codec.encode(image)


def test_rows():
    rows = Rows()
    image = np.arange(24, dtype=np.float32).reshape(12, 2, 1)
    rows.add([image[:4], image[None, :2]], 8)  # a stride of 2, and one of 4
    rows.add([image[4:6], image[None, 2:3]], 12)
    rows.drop(4)
    fine, coarse = rows.window(4, 12)
    np.testing.assert_array_equal(fine, image[2:6])
    np.testing.assert_array_equal(coarse, image[None, 1:3])
    rows.drop(100)
    assert (rows.start, rows.stop) == (12, 12)
    rows.add([image[:1]], 14)
    np.testing.assert_array_equal(rows.window(12, 14)[0], image[:1])


def test_memory_does_not_grow_with_the_height(tiny_folder, noise, in_strips, monkeypatch):
    """Of no iteration's states are more rows kept than a strip and the margins take."""
    codec = tfrnnc.load(tiny_folder)
    most: dict[int, int] = {}
    add = Rows.add

    def measured(rows, arrays, stop):
        add(rows, arrays, stop)
        most[len(most)] = rows.stop - rows.start

    monkeypatch.setattr(Rows, "add", measured)
    tallest = []
    for height in (160, 640):
        most.clear()
        data = in_strips(codec.encode, noise(height, 24), height=40)
        in_strips(codec.decode, data, height=40)
        tallest.append(max(most.values(), default=0))
    assert tallest[0] == tallest[1] < 160
