"""Large images in windows against the same images at once."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tfrnnc
from tfrnnc.errors import ConfigError
from tfrnnc.export.tflite import export_tflite
from tfrnnc.model_folder.keras_model import model_from_config
from tfrnnc.model_folder.manifest import Manifest
from tfrnnc.models import Stage
from tfrnnc.runtimes import litert_runtime
from tfrnnc.runtimes.windows import count, cut, even, shared


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 8))
def test_windows_make_up_the_axis(length, window, margin):
    window = min(window, length)
    if window < length and window <= 2 * margin:
        window = 2 * margin + 1
        length = max(length, window)
    windows = cut(length, window, margin)
    kept = [place for w in windows for place in range(w.first, w.last)]
    assert kept == list(range(length))
    for w in windows:
        assert 0 <= w.start <= w.first < w.last <= w.stop <= length
        assert w.stop - w.start == window
        assert w.start == 0 or w.first - w.start >= margin
        assert w.stop == length or w.stop - w.last >= margin


@given(st.integers(1, 300), st.integers(1, 20), st.integers(0, 3), st.sampled_from([1, 4, 8]))
def test_even_windows_cover_the_axis_with_as_few(length, most, margin, stride):
    length, most, margin = length * stride, (most + 2 * margin) * stride, margin * stride
    window = even(length, count(length, most, margin), margin, stride)
    assert window % stride == 0
    assert window <= most
    assert window == length or window > 2 * margin
    largest = cut(length, min(length, most), margin)
    assert len(cut(length, window, margin)) <= len(largest)


def test_threads_share_windows():
    for windows in range(3, 100):
        assert shared(windows) % 4 == 0
        assert abs(shared(windows) - windows) <= 2


@pytest.mark.parametrize(
    ("layout", "location", "margin"),
    [
        (["conv 3x3/8 s2", "conv_lstm 3x3/8 s2", "conv_lstm 3x3/8 s2"], 1, 8),
        (["conv 1x1/8", "conv_lstm 3x3/8", "depth_to_space 2", "conv 3x3/48"], 8, 12),
        (["conv_lstm 1x1/192 h3", "depth_to_space 8"], 8, 8),
        (["conv_lstm 3x3/8 h5"], 4, 8),
        (["deconv 2x2/8 s2", "deconv_lstm 2x2/8 s2", "conv 1x1/3"], 4, 0),
        (["deconv 4x4/8 s2", "conv 3x3/3"], 4, 4),
        (["space_to_depth 8", "dense 8", "lstm 8"], 1, 0),
    ],
)
def test_margin(layout, location, margin):
    assert Stage(layout).margin(location) == margin


# Kernels that are even, greater than needed, and recurrent in space.
WIDE = {
    "arch": "conv_lstm",
    "encoder": ["conv 5x5/4 s2", "conv_lstm 4x4/4 s2 h3", "conv_lstm 3x3/4 s1 h5"],
    "bits": 4,
    "decoder": ["deconv_lstm 4x4/4 s2 h3", "deconv 3x3/4 s2", "conv 3x3/3"],
    "iterations": 3,
}


@pytest.fixture(scope="module")
def wide_folder(tmp_path_factory):
    keras.utils.set_random_seed(11)
    folder = tmp_path_factory.mktemp("wide")
    export_tflite(model_from_config(WIDE), folder)
    return folder


def assert_same(folder, other_folder, image):
    at_once, windows = tfrnnc.load(folder), tfrnnc.load(other_folder, threads=3)
    expected = list(at_once.encode_iterations(image))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(litert_runtime, "MAX_PIXELS_AT_ONCE", 1)
        patch.setattr(litert_runtime, "WINDOW_SIDE", 40)
        found = list(windows.encode_iterations(image))
    for (plane, picture), (other_plane, other_picture) in zip(expected, found, strict=True):
        np.testing.assert_array_equal(plane, other_plane)
        assert np.abs(picture.astype(int) - other_picture).max() <= 1


@pytest.mark.parametrize("size", [(104, 72), (33, 160), (17, 9)])
def test_windows_give_the_same(tiny_folder, noise, size):
    assert_same(tiny_folder, tiny_folder, noise(*size))


@pytest.mark.parametrize("size", [(136, 104), (33, 200)])
def test_windows_give_the_same_with_wide_kernels(wide_folder, noise, size):
    manifest = Manifest.read(wide_folder)
    assert (manifest.encoders[0].margin, manifest.decoders[0].margin) == (8, 4)
    assert_same(wide_folder, wide_folder, noise(*size))


def test_files_of_one_size_take_larger_images_in_windows(tiny_model_folder, noise, tmp_path):
    from tfrnnc.model_folder.keras_model import load_model

    model = load_model(tiny_model_folder)
    export_tflite(model, tmp_path / "any")
    export_tflite(model, tmp_path / "fixed", size=(64, 48))
    assert_same(tmp_path / "any", tmp_path / "fixed", noise(150, 131))
    with pytest.raises(ConfigError, match="64x48 pixels or more, not of 64x40"):
        tfrnnc.load(tmp_path / "fixed").encode(noise(64, 40))


def test_an_image_too_small_for_windows_is_refused(tiny_model_folder, noise, tmp_path):
    from tfrnnc.model_folder.keras_model import load_model

    export_tflite(load_model(tiny_model_folder), tmp_path, size=(16, 16))
    codec = tfrnnc.load(tmp_path)
    assert codec.decode(codec.encode(noise(15, 16))).shape == (15, 16, 3)
    with pytest.raises(ConfigError, match="of 16x16 pixels only, not of 24x16"):
        codec.encode(noise(24, 16))
