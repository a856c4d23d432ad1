"""Quantised files against Keras, for every architecture."""

from __future__ import annotations

import functools
import sys

import keras
import numpy as np
import pytest

import tfrnnc
from helpers.models import TINY_LAYOUTS, tiny_config
from tfrnnc.errors import ConfigError, InstallationError
from tfrnnc.export.parity import record_parity
from tfrnnc.export.quantization import QUANTIZATIONS, roll_out
from tfrnnc.export.tflite import export_tflite
from tfrnnc.images import read_image
from tfrnnc.model_folder.keras_model import model_from_config
from tfrnnc.model_folder.manifest import Manifest
from tfrnnc.model_folder.presets import DEFAULT_PRESET, PRESETS_FOLDER

# Wide enough that the converters find the kernels worth quantising.
LAYOUTS = {
    "fc": {
        "encoder": ["space_to_depth 8", "dense 64"],
        "bits": 8,
        "decoder": ["dense 64", "dense 192", "depth_to_space 8"],
    },
    "fc_lstm": {
        "encoder": ["space_to_depth 8", "lstm 32"],
        "bits": 8,
        "decoder": ["lstm 32", "dense 192", "depth_to_space 8"],
    },
    "conv": {
        "encoder": ["conv 3x3/16 s2", "conv 3x3/24 s2"],
        "bits": 2,
        "decoder": ["deconv 2x2/24 s2", "deconv 2x2/16 s2", "conv 3x3/3"],
    },
    "conv_lstm": {
        "encoder": ["conv 3x3/16 s2", "conv_lstm 3x3/16 s2", "conv_lstm 3x3/16 s2"],
        "bits": 8,
        "decoder": [
            "deconv_lstm 2x2/16 s2",
            "conv_lstm 3x3/16",
            "conv 3x3/48 linear",
            "depth_to_space 4",
        ],
    },
}


@pytest.fixture(scope="module", params=LAYOUTS)
def model(request):
    keras.utils.set_random_seed(5)
    return model_from_config({"arch": request.param, **LAYOUTS[request.param], "iterations": 2})


@pytest.fixture(scope="module")
def pieces(image_folder):
    return [read_image(path) for path in sorted(image_folder.glob("*.png"))[::4]]


@pytest.fixture(scope="module")
def exported(model, pieces, tmp_path_factory):
    """The model's files by quantisation and size, each made once."""

    @functools.cache
    def export(quantize, size=None):
        folder = tmp_path_factory.mktemp(quantize)
        return folder, export_tflite(model, folder, size, quantize, pieces)

    return export


@pytest.mark.parametrize("size", [None, (40, 48)], ids=["dynamic", "fixed"])
@pytest.mark.parametrize("quantize", [name for name in QUANTIZATIONS if name != "none"])
def test_close_to_keras_and_smaller(model, pieces, exported, quantize, size):
    _, float32 = exported("none", size)
    folder, manifest = exported(quantize, size)
    manifest = record_parity(manifest, model, folder, pieces)
    assert manifest == Manifest.read(folder)
    assert manifest.quantization == quantize
    assert manifest.model_id == float32.model_id

    def total(described):
        return sum(file.size_bytes for file in (*described.encoders, *described.decoders))

    saved = total(float32) - total(manifest)
    kernels = sum(
        4 * variable.numpy().size for variable in model.weights if variable.numpy().size >= 1024
    )
    # What describes the quantised tensors takes some bytes of its own, for each signature.
    assert saved > 0.9 * kernels * (1 - QUANTIZATIONS[quantize].weight_bits / 32) - 20_000

    parity = manifest.parity
    bits = parity["bits_per_iteration"]
    float_arithmetic = QUANTIZATIONS[quantize].arithmetic == "float32"
    assert manifest.arithmetic == ("float32" if float_arithmetic else "int8")
    # Logits of random weights lie near zero: more bits differ than with a trained model.
    assert max(parity["bits_differing"]) <= bits * (0.03 if float_arithmetic else 0.25)
    assert 0 < parity["max_difference"] < (0.05 if float_arithmetic else 0.3)
    assert max(map(abs, parity["psnr_lost"])) < (0.1 if float_arithmetic else 0.5)
    assert len(parity["psnr_lost_decoding"]) == 2


@pytest.mark.parametrize("quantize", QUANTIZATIONS)
def test_the_same_files_each_time(model, pieces, exported, tmp_path, quantize):
    _, first = exported(quantize)
    second = export_tflite(model, tmp_path, None, quantize, pieces)
    assert first == second


def test_streams_are_exchanged_between_quantisations(pieces, exported):
    exact, fast = (tfrnnc.load(exported(name)[0]) for name in ("none", "dynamic"))
    data = fast.encode(pieces[0])
    difference = exact.decode(data).astype(int) - fast.decode(data)
    assert np.abs(difference).mean() < 2


@pytest.mark.parametrize("arch", TINY_LAYOUTS)
def test_roll_out_is_what_encoding_does(arch, pieces):
    model = model_from_config(tiny_config(arch))
    encoders, decoders = roll_out(model, pieces[:2])
    assert len(encoders) == len(model.encoders)
    assert sum(map(len, encoders)) == sum(map(len, decoders)) == 2 * model.iterations
    codec = tfrnnc.Codec(tfrnnc.runtimes.keras_runtime.KerasRuntime(model))
    planes = [plane for plane, _ in codec.encode_iterations(pieces[0])]
    for iteration, plane in enumerate(planes):
        bits = decoders[iteration if len(decoders) > 1 else 0][
            iteration if len(decoders) == 1 else 0
        ]["bits"]
        np.testing.assert_array_equal(bits[0], plane)


def test_errors(model, tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="'int4'; there are none, float16"):
        export_tflite(model, tmp_path / "out", quantize="int4")
    with pytest.raises(ConfigError, match="needs images to calibrate"):
        export_tflite(model, tmp_path / "out", quantize="int8")
    monkeypatch.setitem(sys.modules, "ai_edge_quantizer", None)
    with pytest.raises(InstallationError, match=r"pip install 'tfrnnc\[export\]'"):
        export_tflite(model, tmp_path / "out", quantize="weights")
    assert not (tmp_path / "out").exists()


def test_int8_keeps_small_memories_beside_one_that_counts(pieces, tmp_path):
    keras.utils.set_random_seed(6)
    model = model_from_config({"arch": "conv_lstm", **LAYOUTS["conv_lstm"], "iterations": 4})
    _, cell, last, _ = model.decoders[0].stack
    i, f, o, g = np.split(cell.bias.numpy(), 4)
    i[:], i[0], f[0], g[0] = -6, 9, 9, 9  # the first channel's memory is the iteration's number
    o[0] = -9
    cell.bias.assign(np.concatenate([i, f, o, g]))
    last.kernel.assign(200 * last.kernel)

    manifest = export_tflite(model, tmp_path, quantize="int8", calibration_images=pieces)
    manifest = record_parity(manifest, model, tmp_path, pieces)
    assert manifest.parity["max_difference"] < 0.05


def test_the_shipped_preset_is_what_phones_and_pages_have():
    """So that all clients show the same picture of a stream."""
    preset = Manifest.read(PRESETS_FOLDER / DEFAULT_PRESET)
    of_phones = Manifest.read(
        PRESETS_FOLDER.parents[1] / "export" / DEFAULT_PRESET / "small_256x256"
    )
    assert preset.quantization == of_phones.quantization == "weights"
