from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from click.testing import CliRunner

import tfrnnc
from tfrnnc.cli.export import main
from tfrnnc.export.quantization import QUANTIZATIONS
from tfrnnc.model_folder.keras_model import load_model, model_from_config, model_id, save_model
from tfrnnc.model_folder.manifest import Manifest

FC_LAYOUT = {
    "encoder": ["space_to_depth 8", "dense 16"],
    "bits": 4,
    "decoder": ["dense 192", "depth_to_space 8"],
}


def test_command(tiny_model_folder, tmp_path, image_folder):
    def run(*words, code=0):
        result = CliRunner().invoke(main, list(map(str, words)))
        assert result.exit_code == code, result.output
        return result

    result = run(tiny_model_folder, tmp_path / "out", "--images", image_folder)
    assert "encoder_1.tflite" in result.stdout
    assert "12 images: 0 bits" in result.stdout
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["parity"]["images"] == 12
    assert tfrnnc.load(tmp_path / "out").max_iterations == 3

    run(tiny_model_folder, tmp_path / "saved", "--target", "savedmodel")
    assert (tmp_path / "saved" / "decoder_1" / "saved_model.pb").is_file()
    result = run(tiny_model_folder, tmp_path / "fixed", "--size", "32x40", "--quiet")
    assert result.output == ""
    assert json.loads((tmp_path / "fixed" / "manifest.json").read_text())["size"] == [32, 40]

    assert "multiple" in run(tiny_model_folder, tmp_path / "a", "--size", "3x3", code=1).stderr
    run(tiny_model_folder, tmp_path / "a", "--size", "big", code=2)
    run(tiny_model_folder, tmp_path / "a", "--size", "80x80", "--images", image_folder, code=1)
    assert "neither a preset" in run("nothing", tmp_path / "a", code=1).stderr


@pytest.mark.parametrize(
    ("words", "report"),
    [
        (("prune", "--sparsity", "0.5", "--fine-tune-steps", "2"), "sparsity"),
        (("cluster", "--clusters", "4", "--fine-tune-steps", "0"), "clusters"),
    ],
)
def test_an_optimised_model(words, report, image_folder, tmp_path, noise):
    keras.utils.set_random_seed(3)
    trained = model_from_config({"arch": "fc", **FC_LAYOUT, "iterations": 1})
    save_model(trained, tmp_path / "trained")
    words = [words[0], tmp_path / "trained", tmp_path / "out", *words[1:], "--data", image_folder]
    result = CliRunner().invoke(main, list(map(str, words)))
    assert result.exit_code == 0, result.output
    assert "model.weights.h5" in result.stdout
    assert report in result.stdout

    optimized = load_model(tmp_path / "out")
    kernel = optimized.get_weights()[0]
    if report == "sparsity":
        assert np.mean(kernel == 0) == 0.5
    else:
        assert len(np.unique(kernel)) == 4
    assert model_id(optimized) != model_id(trained)
    manifest = Manifest.read(tmp_path / "out")
    assert manifest.model_id == model_id(optimized).hex()
    assert manifest.optimization["method"] == words[0]
    assert manifest.optimization["fine_tune_steps"] == int(words[-3])
    stream = tfrnnc.load(tmp_path / "out").encode(noise(16, 16))
    keras_codec = tfrnnc.load(tmp_path / "out", runtime="keras")
    assert keras_codec.decode(stream).shape == (16, 16, 3)


def test_optimising_is_refused_before_it_starts(tiny_model_folder, image_folder, tmp_path):
    def refused(code, *words):
        result = CliRunner().invoke(main, list(map(str, words)))
        assert result.exit_code == code, result.output
        return result.stderr

    output = tmp_path / "out"
    prune = ("prune", tiny_model_folder, output, "--data", image_folder)
    assert "No such option" in refused(2, tiny_model_folder, output, *prune[3:])
    assert "No such option" in refused(2, *prune, "--clusters", "4")
    assert "give --data" in refused(2, *prune[:3])
    assert "trained model" in refused(2, "prune", tiny_model_folder, tiny_model_folder, *prune[3:])
    assert "multiple" in refused(1, *prune, "--size", "3x3")
    assert "no such folder" in refused(1, *prune, "--data", "none")
    assert "no such folder" in refused(1, *prune, "--images", "none")
    assert not output.exists()
    (tmp_path / "training.json").write_text("{}")
    assert "trained model" in refused(2, "prune", tiny_model_folder, tmp_path, *prune[3:])


def test_export_says_that_it_needs_tensorflow(tiny_model_folder, tmp_path):
    script = Path(sys.executable).parent / "tfrnnc-export"
    result = subprocess.run(
        [script, tiny_model_folder, tmp_path / "out"],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    assert result.stderr.startswith("error: this needs TensorFlow")
    assert not (tmp_path / "out").exists()


def test_quantizing(tiny_model_folder, image_folder, tmp_path):
    def run(*words, code=0):
        result = CliRunner().invoke(main, list(map(str, words)))
        assert result.exit_code == code, result.output
        return result

    calibrated = ("--quantize", "int8", "--calibration", image_folder, "--size", "32x32")
    result = run(tiny_model_folder, tmp_path / "a", *calibrated, "--images", image_folder)
    assert "dB lost at the worst iteration" in result.stdout
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    assert (manifest["quantization"], manifest["size"]) == ("int8", [32, 32])
    assert manifest["parity"]["images"] == 12

    run(tiny_model_folder, tmp_path / "b", "--quantize", "int8", code=2)
    run(tiny_model_folder, tmp_path / "b", "--calibration", image_folder, code=2)
    run(tiny_model_folder, tmp_path / "b", "--target", "savedmodel", "--quantize", "int8", code=2)
    result = run(tiny_model_folder, tmp_path / "b", *calibrated[:4], "--size", "64x64", code=1)
    assert "has no image of 64x64 pixels or more" in result.stderr
    assert not (tmp_path / "b").exists()


def test_the_names_in_the_command_are_all_there_are():
    (option,) = (option for option in main.params if option.name == "quantize")
    assert list(option.type.choices) == list(QUANTIZATIONS)
