from __future__ import annotations

import shutil

import numpy as np
from click.testing import CliRunner

import tfrnnc
from make_int8 import main
from tfrnnc.images import find_images
from tfrnnc.model_folder.manifest import Manifest


def test_files_are_added_beside_those_of_the_model(
    tiny_model_folder, image_folder, tmp_path, noise
):
    folder = shutil.copytree(tiny_model_folder, tmp_path / "model")
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    words = [str(folder), "--images", str(image_folder)]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    assert "dB lost at the worst iteration" in result.stdout
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before

    manifest = Manifest.read(folder / "int8")
    assert manifest.quantization == "dynamic"
    assert manifest.parity["images"] == len(list(find_images(image_folder)))
    keras, int8 = tfrnnc.load(folder, runtime="keras"), tfrnnc.load(folder, arithmetic="int8")
    assert int8.identity == keras.identity
    data = int8.encode(noise(16, 24))
    differences = int8.decode(data).astype(int) - keras.decode(data)
    assert np.abs(differences).max() <= 12

    made = {path.name: path.read_bytes() for path in (folder / "int8").iterdir()}
    assert sorted(made) == ["decoder_1.tflite", "encoder_1.tflite", "manifest.json"]
    assert CliRunner().invoke(main, words).exit_code == 0
    assert {path.name: path.read_bytes() for path in (folder / "int8").iterdir()} == made
