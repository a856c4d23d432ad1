from __future__ import annotations

import re

import keras
import numpy as np
import pytest

import tfrnnc
from tfrnnc.codec.effort import AIMS, MAX_EFFORT
from tfrnnc.codec.gradient_search import MAX_SEARCH_PIXELS
from tfrnnc.errors import ConfigError, TooLargeError
from tfrnnc.images import read_image, to_float
from tfrnnc.metrics import block_ssim, psnr
from tfrnnc.runtimes.rate_distortion import RATE_WEIGHT
from tfrnnc.runtimes.residual_loop import Decoded

WEIGHT = AIMS["psnr"].ssim_weight


@pytest.fixture(scope="module")
def keras_codec(tiny_folder):
    return tfrnnc.load(tiny_folder, runtime="keras")


@pytest.fixture(scope="module")
def photo(request):
    return read_image(request.config.rootpath / "examples" / "photos" / "chelsea.png")


@pytest.mark.parametrize(
    ("size", "options"),
    [
        ((5, 9), {}),
        ((16, 24), {"entropy_coding": False}),
        ((16, 24), {"adaptive": True, "psnr": 11}),
    ],
)
def test_streams_decode_to_the_picture_of_the_search(keras_codec, noise, size, options):
    image = noise(*size)
    encoded = keras_codec.encode_with_picture(image, effort=5, **options)
    np.testing.assert_array_equal(keras_codec.decode(encoded.data), encoded.picture)


def objective(codec, image, planes) -> float:
    """What the search lowers in the last of these iterations, but for the constant R, in NumPy."""
    model, before = codec.runtime, Decoded()
    for iteration, plane in enumerate(planes):
        before = Decoded(*model.decode_iteration(plane, before.states, before[0], iteration))
    error = np.mean(np.square(to_float(image) - before.reconstruction))
    if model.stride % 8 == 0:
        levels = (np.clip(before.reconstruction, -0.9, 0.9) + 0.9) * 255 / 1.8
        error += WEIGHT * (1 - block_ssim(image, levels))
    return float(np.log(error))


def test_the_objective_is_that_of_the_decoder_and_the_entropy_model(keras_codec, noise):
    """For planes as decoders get them: the distortion, and the bits of the integers."""
    image = noise(16, 24)
    planes = [plane for plane, _ in keras_codec.encode_iterations(image)]
    rate_distortion = keras_codec.runtime.rate_distortion(keras_codec.entropy_model, WEIGHT)
    before, bits = Decoded(), 0.0
    for iteration, plane in enumerate(planes):
        context = rate_distortion.context(to_float(image), planes[: iteration + 1], before, bits)
        value, gradient = rate_distortion.value_and_gradient(plane.astype(np.float32), context)
        assert value == pytest.approx(
            objective(keras_codec, image, planes[: iteration + 1]) + RATE_WEIGHT, abs=1e-2
        )
        assert gradient.shape == plane.shape
        assert np.abs(gradient).max() > 0
        bits += rate_distortion.count_bits(planes[: iteration + 1])
        before = Decoded(
            *keras_codec.runtime.decode_iteration(plane, before.states, before[0], iteration)
        )


def test_no_iteration_is_worse_for_a_search(keras_codec, noise):
    """In the first iteration: the later ones start elsewhere."""
    image = noise(32, 24)
    planes = [
        next(iter(keras_codec.encode_iterations(image, 1, effort=effort)))[0] for effort in (0, 7)
    ]
    rate_distortion = keras_codec.runtime.rate_distortion(keras_codec.entropy_model, WEIGHT)
    context = rate_distortion.context(to_float(image), planes[:1], Decoded(), 0.0)
    values = [
        rate_distortion.value_and_gradient(plane.astype(np.float32), context)[0] for plane in planes
    ]
    assert values[1] <= values[0]
    assert (planes[0] != planes[1]).any()


@pytest.mark.parametrize(("effort", "least"), [(5, (0.2, 0)), (6, (0.5, 0.005))])
def test_a_trained_model_gains_in_both_measures(photo, effort, least):
    """In as many bytes; most where bits are tried afterwards."""
    codec = tfrnnc.load(runtime="keras")
    piece = photo[100:196, 200:328]
    plain = codec.encode_with_picture(piece, iterations=1)
    searched = codec.encode_with_picture(piece, effort=effort, max_bytes=len(plain.data))
    decibels, similarity = (
        measure(piece, searched.picture) - measure(piece, plain.picture)
        for measure in (psnr, block_ssim)
    )
    assert decibels > least[0]
    assert similarity > least[1]


def test_needs_keras(photo):
    codec = tfrnnc.load(runtime="litert")
    with pytest.raises(ConfigError, match=re.escape('load it with runtime="keras"')):
        codec.encode(photo[:16, :16], effort=5)


def test_levels_end(keras_codec, noise):
    with pytest.raises(ConfigError, match=f"effort must be from 0 to {MAX_EFFORT}"):
        keras_codec.encode(noise(8, 8), effort=MAX_EFFORT + 1)


def test_large_images_are_refused(keras_codec):
    wide = np.zeros((8, MAX_SEARCH_PIXELS // 8 + 8, 3), np.uint8)
    with pytest.raises(TooLargeError, match="take less effort, or a smaller image"):
        keras_codec.encode(wide, effort=5)


def test_codecs_share_a_search_for_each_entropy_model(keras_codec):
    runtime = keras_codec.runtime
    assert runtime.rate_distortion(None, WEIGHT) is runtime.rate_distortion(None, WEIGHT)
    assert runtime.rate_distortion(None, WEIGHT) is not runtime.rate_distortion(
        keras_codec.entropy_model, WEIGHT
    )
    assert keras.backend.backend() == "tensorflow"
