"""ONNX files in onnxruntime: against Keras, the golden vectors and the golden streams."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from click.testing import CliRunner

import check
from helpers.models import TINY_LAYOUTS, tiny_config
from tfrnnc.bitstream import pack_plane
from tfrnnc.cli.export import main
from tfrnnc.codec import Codec
from tfrnnc.errors import ConfigError, InstallationError, ModelError
from tfrnnc.export.onnx_files import export_onnx
from tfrnnc.export.parity import compare_with_keras
from tfrnnc.export.saved_model import describe_iteration
from tfrnnc.images import read_image
from tfrnnc.model_folder.keras_model import load_model, model_from_config
from tfrnnc.model_folder.manifest import Manifest
from tfrnnc.model_folder.model_folder import ModelFolder
from tfrnnc.model_folder.presets import DEFAULT_PRESET, find_model
from tfrnnc.runtimes.litert_runtime import LiteRTRuntime
from tfrnnc.runtimes.onnx_runtime import OnnxRuntime
from tfrnnc.runtimes.residual_loop import iterate
from tfrnnc.runtimes.runtime import binarize

pytest.importorskip("onnx", reason="the extra onnx is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")

ROOT = Path(__file__).parents[2]
#: What the tiny models leave out: odd paddings, strides above kernels, wider hidden kernels.
UNUSUAL = {
    "encoder": ["conv 5x5/6 s2", "conv 1x1/4 s2", "conv_lstm 4x4/6 s2 h3"],
    "bits": 5,
    "decoder": [
        "deconv_lstm 3x3/6 s2",
        "depth_to_space 1",
        "deconv 1x1/8 s2",
        "deconv 5x5/8 s2",
        "dense 3 linear",
    ],
}
LAYOUTS = {**TINY_LAYOUTS, "unusual": UNUSUAL}


@pytest.fixture(scope="module")
def preset():
    return load_model(find_model(DEFAULT_PRESET))


@pytest.fixture(scope="module")
def preset_runtime(preset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("onnx")
    export_onnx(preset, folder)
    return OnnxRuntime(folder)


@pytest.mark.parametrize("size", [None, (16, 24)], ids=["any", "one"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_iterations_are_those_of_keras(layout, size, tmp_path, noise):
    keras.utils.set_random_seed(7)
    arch = "conv_lstm" if layout == "unusual" else layout
    model = model_from_config({**tiny_config(arch), **LAYOUTS[layout]})
    for weight in model.trainable_variables:  # biases too, which begin as zeros
        weight.assign(weight + keras.random.normal(weight.shape, stddev=0.1, seed=1))
    paths = export_onnx(model, tmp_path, size)
    assert [path.name for path in paths] == [
        f"{kind}_{number}.onnx"
        for kind in ("encoder", "decoder")
        for number in range(1, len(model.encoders) + 1)
    ]
    images = [noise(16, 24), noise(16, 24, 1)] if size else [noise(16, 24), noise(9, 40)]
    parity = compare_with_keras(model, OnnxRuntime(tmp_path, threads=1), images)
    assert parity["max_difference"] < 1e-5
    assert parity["bits_differing"] == [0] * model.iterations


@pytest.mark.parametrize("size", [None, (16, 24)])
def test_tensors_have_the_names_and_shapes_of_the_other_files(size, tmp_path):
    model = model_from_config(tiny_config("conv_lstm"))
    paths = export_onnx(model, tmp_path, size)
    stages = zip(("encoder", "decoder"), (*model.encoders, *model.decoders), strict=True)
    for path, (kind, stage) in zip(paths, stages, strict=True):
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        _, _, inputs, outputs = describe_iteration(model, stage, kind)
        for found, tensors in ((session.get_inputs(), inputs), (session.get_outputs(), outputs)):
            assert [value.name for value in found] == [tensor.name for tensor in tensors]
            for value, tensor in zip(found, tensors, strict=True):
                sides = tensor.spatial_shape(size) if size else value.shape[1:3]
                assert value.shape == [1, *sides, tensor.channels]
                assert all(isinstance(side, int if size else str) for side in sides)


def test_files_are_the_same_each_time(tmp_path):
    model = model_from_config(tiny_config("conv_lstm"))
    first, second = (export_onnx(model, tmp_path / name) for name in "ab")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_golden_streams_decode(preset_runtime):
    """The golden pictures are those of 8-bit weights, as far away as their manifest says."""
    lost = find_model(DEFAULT_PRESET).read_manifest().parity
    codec = Codec(preset_runtime, find_model(DEFAULT_PRESET).read_entropy_model())
    for name in (f"{DEFAULT_PRESET}_v2", f"{DEFAULT_PRESET}_adaptive"):
        golden = ROOT / "tests" / "golden" / name.removesuffix("_v2")
        stream = golden.with_name(f"{name}.rnnc").read_bytes()
        expected = read_image(golden.with_suffix(".png"))
        differences = np.abs(codec.decode(stream).astype(int) - expected)
        assert differences.max() <= lost["max_level_difference"]
        assert differences.mean() < 1


def test_golden_vectors(preset_runtime):
    """On the residuals of the 8-bit weights that made them, the float32 weights give their bits."""
    folder = ROOT / "export" / DEFAULT_PRESET / "small_32x32"
    codec = Codec(preset_runtime, ModelFolder(folder).read_entropy_model())
    entries = json.loads((folder / "golden" / "golden.json").read_text())
    assert entries
    for entry in entries:
        image = read_image(folder / "golden" / f"{entry['name']}.png")
        differing, bits, states = 0, 0, None
        for number, golden in enumerate(iterate(LiteRTRuntime(folder), image)):
            assert pack_plane(golden.plane).hex() == entry["bits"][number]
            logits, states = preset_runtime.encode_iteration(golden.residual, states, number)
            differing += np.count_nonzero(binarize(logits) != golden.plane)
            bits += golden.plane.size
        assert differing <= 0.02 * bits
        _, levels, _ = check.compare(codec, folder / "golden", entry)
        assert levels <= Manifest.read(folder).parity["max_level_difference"]


def test_command(tiny_model_folder, tmp_path, image_folder):
    def run(*words, code=0):
        result = CliRunner().invoke(main, [*map(str, words), "--target", "onnx"])
        assert result.exit_code == code, result.output
        return result

    result = run(tiny_model_folder, tmp_path / "out", "--images", image_folder)
    assert "decoder_1.onnx: " in result.stdout
    assert "12 images: 0 bits" in result.stdout
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "decoder_1.onnx",
        "encoder_1.onnx",
    ]
    message = run(tiny_model_folder, tmp_path / "a", "--quantize", "float16", code=2).stderr
    assert "onnx files stay float32" in message
    assert "multiple" in run(tiny_model_folder, tmp_path / "a", "--size", "3x3", code=1).stderr
    assert not (tmp_path / "a").exists()


def test_the_example_in_the_document(tmp_path, monkeypatch):
    document = (ROOT / "docs" / "DEPLOYMENT.md").read_text()
    (example,) = re.findall(r"```py\n(import json.*?)```", document, re.DOTALL)
    model = model_from_config(tiny_config("conv_lstm"))
    export_onnx(model, tmp_path / "exported")
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(compile(example, "docs/DEPLOYMENT.md", "exec"), names)
    runtime = OnnxRuntime(tmp_path / "exported")
    image = residual = names["image"][0]
    encoder_states = decoder_states = picture = None
    for number in range(model.iterations):
        logits, encoder_states = runtime.encode_iteration(residual, encoder_states, number)
        picture, decoder_states = runtime.decode_iteration(
            binarize(logits), decoder_states, picture, number
        )
        residual = image - picture
    np.testing.assert_array_equal(names["picture"][0], picture)


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_the_extra_is_named_where_it_is_missing(package, tmp_path, monkeypatch):
    model = model_from_config(tiny_config("fc"))
    if package == "onnxruntime":
        export_onnx(model, tmp_path)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InstallationError, match=r"tfrnnc\[onnx\]"):
        export_onnx(model, tmp_path) if package == "onnx" else OnnxRuntime(tmp_path)


def test_an_activation_without_an_operator_is_refused(tmp_path):
    model = model_from_config(tiny_config("conv"))
    model.encoders[0].stack[0].activation = keras.activations.relu
    with pytest.raises(ConfigError, match="relu of layer_1"):
        export_onnx(model, tmp_path)
    assert not list(tmp_path.iterdir())


def test_files_that_are_missing_or_broken(tmp_path):
    with pytest.raises(ModelError, match=r"encoder_1\.onnx: No such file"):
        OnnxRuntime(tmp_path)
    export_onnx(model_from_config(tiny_config("fc_lstm")), tmp_path)
    whole = (tmp_path / "decoder_1.onnx").read_bytes()
    (tmp_path / "decoder_1.onnx").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match=r"decoder_1\.onnx: not an ONNX file that tfrnnc-export"):
        OnnxRuntime(tmp_path)
