"""LiteRT against Keras, and what it needs."""

from __future__ import annotations

import shutil
import subprocess
import sys

import numpy as np
import pytest

import tfrnnc
from tfrnnc.export.parity import measure_parity
from tfrnnc.export.tflite import export_tflite
from tfrnnc.model_folder.keras_model import load_model, save_model
from tfrnnc.runtimes.keras_runtime import KerasRuntime
from tfrnnc.runtimes.litert_runtime import LiteRTRuntime


def test_both_runtimes_write_the_same_stream(tiny_folder, noise):
    """Float32: no bit differs."""
    litert = tfrnnc.load(tiny_folder, runtime="litert")
    keras = tfrnnc.load(tiny_folder, runtime="keras")
    assert litert.runtime.model_id == keras.runtime.model_id
    for seed, size in enumerate([(32, 32), (5, 9), (40, 24)]):
        data = litert.encode(noise(*size, seed))
        assert data == keras.encode(noise(*size, seed))
        difference = litert.decode(data).astype(int) - keras.decode(data)
        assert np.abs(difference).max() <= 1


def test_parity_is_measured(tiny_folder, noise):
    model = load_model(tiny_folder)
    parity = measure_parity(model, tiny_folder, [noise(16, 16), noise(9, 24)])
    assert parity["images"] == 2
    assert parity["bits_differing"] == [0, 0, 0]
    locations = (256 + (12 if model.stride == 4 else 16) * 24) // model.stride**2
    assert parity["bits_per_iteration"] == locations * model.bits
    assert parity["max_difference"] < 1e-5
    assert parity["max_level_difference"] <= 1

    weight = model.decoders[0].trainable_variables[0]
    weight.assign(weight + 0.01)
    assert measure_parity(model, tiny_folder, [noise(16, 16)])["max_difference"] > 1e-4


def test_threads_and_sizes_in_turn_change_nothing(tiny_folder, noise):
    one, two = (tfrnnc.load(tiny_folder, threads=count) for count in (1, 2))
    large, small = noise(40, 56), noise(8, 8)
    expected = one.encode(large)
    assert two.encode(large) == expected
    two.encode(small)
    assert two.encode(large) == expected


def test_decoding_leaves_out_the_pictures_before_the_last(tiny_folder, noise, monkeypatch):
    codec = tfrnnc.load(tiny_folder)
    data = codec.encode(noise(16, 24))
    *_, expected = codec.decode_progressive(data)
    calls = []
    for name in ("decode_iteration", "decode_states"):
        function = getattr(codec.runtime, name)
        monkeypatch.setattr(
            codec.runtime, name, lambda *args, f=function, n=name: calls.append(n) or f(*args)
        )
    np.testing.assert_array_equal(codec.decode(data), expected)
    if codec.runtime.reconstruction == "one_shot":
        assert calls == ["decode_states", "decode_states", "decode_iteration"]
    else:
        assert calls == ["decode_iteration"] * 3


@pytest.mark.parametrize("size", [(16, 24), (1200, 1000)])
def test_states_without_the_picture_are_the_same(tiny_folder, noise, size):
    """Of images that are computed as a whole, and in windows."""
    keras, litert = (tfrnnc.load(tiny_folder, runtime=name).runtime for name in ("keras", "litert"))
    shape = (size[0] // litert.stride, size[1] // litert.stride, litert.bits)
    plane = np.random.default_rng(0).choice(np.array([-1, 1], np.int8), shape)
    for runtime in (litert, keras) if size == (16, 24) else (litert,):
        states = expected = None
        for iteration in range(2):
            states = runtime.decode_states(plane, states, iteration)
            _, expected = runtime.decode_iteration(plane, expected, None, iteration)
            for found, wanted in zip(states, expected, strict=True):
                np.testing.assert_array_equal(found, wanted)


def test_files_without_the_second_signature(tiny_model_folder, noise, tmp_path, monkeypatch):
    model = load_model(tiny_model_folder)
    export_tflite(model, tmp_path / "two")
    monkeypatch.setattr("tfrnnc.export.saved_model.STATES_ONLY", "unknown")
    export_tflite(model, tmp_path / "one")
    two, one = tfrnnc.load(tmp_path / "two"), tfrnnc.load(tmp_path / "one")
    for size in [(16, 24), (1200, 1000)]:
        data = two.encode(noise(*size), iterations=2)
        np.testing.assert_array_equal(one.decode(data), two.decode(data))


def test_which_runtime_is_chosen(tiny_folder, tiny_model_folder):
    assert isinstance(tfrnnc.load(tiny_folder).runtime, LiteRTRuntime)
    assert isinstance(tfrnnc.load(tiny_folder, runtime="keras").runtime, KerasRuntime)
    assert isinstance(tfrnnc.load(tiny_model_folder).runtime, KerasRuntime)
    with pytest.raises(tfrnnc.ConfigError, match="'litert' and 'keras'"):
        tfrnnc.load(tiny_folder, runtime="onnx")
    with pytest.raises(tfrnnc.ModelError, match="export the model first"):
        tfrnnc.load(tiny_model_folder, runtime="litert")


@pytest.fixture
def copied(tiny_folder, tmp_path):
    return shutil.copytree(tiny_folder, tmp_path / "model")


def test_retrained_but_not_exported_again(copied):
    model = load_model(copied)
    weight = model.decoders[0].trainable_variables[0]
    weight.assign(weight + 1)
    save_model(model, copied)
    with pytest.raises(tfrnnc.ModelError, match="export it again"):
        tfrnnc.load(copied)


@pytest.mark.parametrize("name", ["encoder_1.tflite", "decoder_1.tflite"])
def test_damaged_and_missing_files_are_named(copied, noise, name):
    content = bytearray((copied / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copied / name).write_bytes(content)
    with pytest.raises(tfrnnc.ModelError, match=f"{name}: damaged"):
        tfrnnc.load(copied).encode(noise(8, 8))
    (copied / name).unlink()
    with pytest.raises(tfrnnc.ModelError, match=name):
        tfrnnc.load(copied).encode(noise(8, 8))


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"encoders": [], "decoders": []}'])
def test_broken_manifest_is_named(copied, text):
    (copied / "manifest.json").write_text(text)
    with pytest.raises(tfrnnc.ModelError, match=r"manifest\.json: not a manifest"):
        tfrnnc.load(copied)


WITHOUT_KERAS = """
import sys
for name in ("keras", "tensorflow", "jax", "torch"):
    sys.modules[name] = None
import numpy as np, tfrnnc
codec = tfrnnc.load(sys.argv[1])
image = np.arange(20 * 30 * 3).reshape(20, 30, 3).astype(np.uint8)
data, picture, *_ = codec.encode_with_picture(image)
assert (codec.decode(data) == picture).all()
try:
    tfrnnc.load(sys.argv[1], runtime="keras")
except tfrnnc.InstallationError as error:
    assert "pip install 'tfrnnc[train]'" in str(error)
else:
    raise AssertionError
"""


def test_litert_needs_neither_keras_nor_tensorflow(tiny_folder):
    subprocess.run([sys.executable, "-c", WITHOUT_KERAS, tiny_folder], check=True)
