from __future__ import annotations

import hashlib

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

import tfrnnc
from helpers.models import tiny_config
from tfrnnc.errors import ConfigError, ModelError
from tfrnnc.export.quantization import QUANTIZATIONS
from tfrnnc.export.saved_model import export_saved_models
from tfrnnc.export.tflite import check_tflite, export_tflite
from tfrnnc.model_folder.keras_model import load_model, model_from_config
from tfrnnc.model_folder.manifest import Manifest
from tfrnnc.models import ConvLSTM


def test_saved_models_are_the_iterations(tiny_folder, tmp_path):
    model = load_model(tiny_folder)
    iterations = export_saved_models(model, tmp_path)
    stages = [*model.encoders, *model.decoders]
    assert len(iterations) == len(stages)
    assert iterations[0].folder.name == "encoder_1"
    rng = np.random.default_rng(0)
    for iteration, stage in zip(iterations, stages, strict=True):
        size = (3 * model.stride, 2 * model.stride)
        inputs = {
            tensor.name: rng.normal(size=(1, *tensor.spatial_shape(size), tensor.channels)).astype(
                np.float32
            )
            for tensor in iteration.inputs
        }
        function = tf.saved_model.load(str(iteration.folder)).signatures["serving_default"]
        outputs = function(**{name: tf.constant(value) for name, value in inputs.items()})
        first, *states = inputs.values()
        expected, new_states = stage(first, states)
        assert next(iter(inputs)) == ("residual" if iteration.kind == "encoder" else "bits")
        assert set(outputs) == {tensor.name for tensor in iteration.outputs}
        for tensor, value in zip(iteration.outputs, [expected, *new_states], strict=True):
            assert outputs[tensor.name].shape == (
                1,
                *tensor.spatial_shape(size),
                tensor.channels,
            )
            np.testing.assert_allclose(outputs[tensor.name], value, atol=1e-5)


def test_manifest_describes_the_files(tiny_folder):
    manifest = Manifest.read(tiny_folder)
    model = load_model(tiny_folder)
    stages = 3 if model.stage_weights == "distinct" else 1
    assert [file.name for file in manifest.encoders] == [
        f"encoder_{number}.tflite" for number in range(1, stages + 1)
    ]
    assert (manifest.stride, manifest.bits, manifest.iterations) == (model.stride, model.bits, 3)
    assert manifest.reconstruction == model.reconstruction
    for file in (*manifest.encoders, *manifest.decoders):
        content = (tiny_folder / file.name).read_bytes()
        assert file.size_bytes == len(content)
        assert file.sha256 == hashlib.sha256(content).hexdigest()
        interpreter = Interpreter(model_content=content)
        signatures = interpreter.get_signature_list()
        whole = signatures.pop("serving_default")
        assert sorted(whole["inputs"]) == sorted(tensor.name for tensor in file.inputs)
        assert sorted(whole["outputs"]) == sorted(tensor.name for tensor in file.outputs)
        # What clients get that do not ask for a signature.
        assert len(interpreter.get_output_details()) == len(file.outputs)
        if file in manifest.decoders and manifest.reconstruction == "one_shot":
            states = signatures.pop("states_only")
            assert sorted(states["inputs"]) == sorted(whole["inputs"])
            assert sorted(states["outputs"]) == sorted(set(whole["outputs"]) - {"prediction"})
        assert not signatures


def test_states_alone_are_those_of_the_whole_iteration(tmp_path):
    model = model_from_config(tiny_config("conv_lstm"))
    (*_, iteration) = export_saved_models(model, tmp_path / "saved", size=(16, 24))
    signatures = tf.saved_model.load(str(iteration.folder)).signatures
    export_tflite(model, tmp_path, size=(16, 24))
    interpreter = Interpreter(str(tmp_path / "decoder_1.tflite"))
    rng = np.random.default_rng(0)
    inputs = {
        tensor.name: rng.normal(size=(1, *tensor.spatial_shape((16, 24)), tensor.channels))
        for tensor in iteration.inputs
    }
    inputs = {name: value.astype(np.float32) for name, value in inputs.items()}
    for run in (interpreter.get_signature_runner, lambda name: signatures[name]):
        whole, states = run("serving_default")(**inputs), run("states_only")(**inputs)
        assert sorted(states) == sorted(set(whole) - {"prediction"})
        for name, value in states.items():
            np.testing.assert_array_equal(value, whole[name])


@pytest.mark.parametrize("quantize", ["none", "float16", "weights", "dynamic"])
def test_both_signatures_share_their_weights(tmp_path, quantize, capfd):
    decoder = list(ConvLSTM.layouts["small"].decoder)
    model = model_from_config(tiny_config("conv_lstm", decoder=decoder))
    manifest = export_tflite(model, tmp_path, quantize=quantize)
    assert not capfd.readouterr().err  # as ai-edge-quantizer's progress
    weights = model.decoders[0].count_params() * QUANTIZATIONS[quantize].weight_bits // 8
    assert manifest.decoders[0].size_bytes < 1.2 * weights + 30_000


@pytest.mark.parametrize("size", [None, (16, 24)])
def test_rearranging_is_one_built_in_operator(tmp_path, size):
    """A transposition of six dimensions, which delegates for GPUs refuse, does the same."""
    export_tflite(model_from_config(tiny_config("conv_lstm")), tmp_path, size)
    interpreter = Interpreter(str(tmp_path / "decoder_1.tflite"))
    operators = {operator["op_name"] for operator in interpreter._get_ops_details()}
    assert "DEPTH_TO_SPACE" in operators
    assert not operators & {"TRANSPOSE", "RESHAPE"}


def test_files_are_the_same_each_time(tiny_folder, tmp_path):
    export_tflite(load_model(tiny_folder), tmp_path)
    for path in tiny_folder.glob("*.tflite"):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_one_size(tmp_path, noise):
    model = model_from_config(tiny_config("conv_lstm"))
    manifest = export_tflite(model, tmp_path, size=(16, 24))
    assert manifest.size == (16, 24)
    assert Manifest.read(tmp_path) == manifest
    codec = tfrnnc.load(tmp_path)
    assert codec.decode(codec.encode(noise(15, 20))).shape == (15, 20, 3)
    with pytest.raises(ConfigError, match="of 16x24 pixels"):
        codec.encode(noise(24, 24))


def test_size_must_fit_the_stride(tmp_path):
    with pytest.raises(ConfigError, match="multiple of the model's stride, 8"):
        export_tflite(model_from_config(tiny_config("conv_lstm")), tmp_path, size=(16, 20))


def test_a_file_that_lost_its_weights_is_refused(tmp_path):
    """Without its list of variables a module is saved empty, and no error is raised."""
    stage = model_from_config(tiny_config("conv_lstm")).encoders[0]

    class Forgetful(tf.Module):
        def __init__(self):
            super().__init__()
            self.stage = stage

        @tf.function(input_signature=[tf.TensorSpec((1, 16, 16, 3))])
        def iteration(self, residual):
            return {"logits": self.stage(residual, self.stage.initial_states(1, 16, 16))[0]}

    module = Forgetful()
    tf.saved_model.save(
        module,
        str(tmp_path),
        signatures={"serving_default": module.iteration.get_concrete_function()},
    )
    content = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path)).convert()
    with pytest.raises(ModelError, match=r"x\.tflite: .*lost on the way"):
        check_tflite(content, 4 * stage.count_params(), "x.tflite")


@pytest.mark.parametrize("operator", [b"VAR_HANDLE", b"FlexConv2D"])
def test_a_file_with_operators_that_are_not_built_in_is_refused(tiny_folder, operator):
    content = (tiny_folder / "encoder_1.tflite").read_bytes()
    check_tflite(content, 1000, "x.tflite")
    with pytest.raises(ModelError, match="not built in"):
        check_tflite(content + operator, 1000, "x.tflite")
    with pytest.raises(ModelError, match="lost on the way"):
        check_tflite(content[:999], 1000, "x.tflite")
