"""The files in export/ and in the presets: right, and what their manifests say."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import check
from golden_vectors import LEAST_LOGIT, golden_images, write_golden_vectors
from tfrnnc.export.parity import measure_parity, record_parity
from tfrnnc.export.tflite import converter_versions, export_tflite
from tfrnnc.model_folder.keras_model import load_model
from tfrnnc.model_folder.manifest import Manifest
from tfrnnc.model_folder.presets import DEFAULT_PRESET, PRESETS_FOLDER, find_model, list_presets

EXPORT = Path(__file__).parents[2] / "export"
SHIPPED = sorted(path.parent for path in EXPORT.glob("*/*/manifest.json"))
PRESETS = [find_model(name).path for name in list_presets()]
WITH_WEIGHTS = [find_model(name).path for name in list_presets() if find_model(name).has_weights]
INT8 = find_model(DEFAULT_PRESET).int8_path
FROM_KERAS = [*SHIPPED, *WITH_WEIGHTS, INT8]


def keras_model(folder):
    """The model whose files are in a folder."""
    return load_model(find_model(folder.name if folder in PRESETS else DEFAULT_PRESET))


@pytest.fixture(scope="module")
def model():
    return load_model(find_model(DEFAULT_PRESET))


def test_what_is_shipped():
    # Where `make export` was run, the float32 files are there as well.
    kept = [folder.name for folder in SHIPPED if not folder.name.startswith("float32_")]
    assert kept == ["small_256x256", "small_32x32"]
    identity = Manifest.read(PRESETS_FOLDER / DEFAULT_PRESET).model_id
    for folder in SHIPPED:
        manifest = Manifest.read(folder)
        assert manifest.model_id == identity
        assert folder.name.endswith("{}x{}".format(*manifest.size))
        for file in (*manifest.encoders, *manifest.decoders):
            file.read(folder)


def test_the_default_preset_has_files_with_8_bit_arithmetic():
    manifest = Manifest.read(INT8)
    assert manifest.quantization == "dynamic"
    assert manifest.size is None
    assert manifest.model_id == find_model(DEFAULT_PRESET).read_manifest().model_id
    for file in (*manifest.encoders, *manifest.decoders):
        file.read(INT8)
    assert manifest.parity["images"] == 500
    assert max(manifest.parity["psnr_lost"]) < 0.1


@pytest.mark.parametrize("folder", PRESETS, ids=lambda folder: folder.name)
def test_a_preset_is_what_its_manifest_says(folder):
    manifest = Manifest.read(folder)
    assert manifest.model_id == json.loads((folder / "config.json").read_text())["model_id"]
    for file in (*manifest.encoders, *manifest.decoders):
        file.read(folder)
    assert manifest.parity["images"] == 500
    assert max(manifest.parity["psnr_lost"]) < 0.05


def test_the_small_one_fits_a_phone():
    for name in ("small_32x32", "small_256x256"):
        manifest = Manifest.read(EXPORT / DEFAULT_PRESET / name)
        files = (*manifest.encoders, *manifest.decoders)
        assert sum(file.size_bytes for file in files) <= 2_500_000
        assert max(manifest.parity["psnr_lost"]) <= 0.3


def test_golden_vectors_are_right(capsys):
    assert check.main() == 0
    assert " golden vectors are right" in capsys.readouterr().out


def test_wrong_golden_vectors_are_found(tmp_path, monkeypatch, capsys):
    copied = shutil.copytree(EXPORT / DEFAULT_PRESET / "small_32x32", tmp_path / "a" / "small")
    monkeypatch.setattr(check, "HERE", tmp_path)
    path = copied / "golden" / "golden.json"
    entries = json.loads(path.read_text())
    entries[0]["bits"][2] = f"{int(entries[0]['bits'][2], 16) ^ 5:032x}"
    path.write_text(json.dumps(entries))
    assert check.main() == 1
    assert "2 bits differ" in capsys.readouterr().out
    path.unlink()
    assert check.main() == 1
    assert "no golden vectors in *;" in capsys.readouterr().err


def test_float32_files_of_one_size(model, tmp_path, monkeypatch, capsys):
    """What `make export` makes beside what is kept."""
    folder = tmp_path / DEFAULT_PRESET / "float32_32x32"
    images = [next(pieces) for pieces in golden_images((32, 32)).values()]
    manifest = record_parity(export_tflite(model, folder, (32, 32)), model, folder, images)
    assert max(manifest.parity["bits_differing"]) == 0
    assert manifest.parity["max_difference"] <= 1e-5
    write_golden_vectors(folder, manifest, golden_images((32, 32)))
    monkeypatch.setattr(check, "HERE", tmp_path)
    assert check.main() == 0
    assert "3 of 3 golden vectors are right" in capsys.readouterr().out


def test_golden_vectors_cover_each_folder():
    for folder in SHIPPED:
        entries = json.loads((folder / "golden" / "golden.json").read_text())
        assert len(entries) == (1 if folder.name.endswith("_256x256") else 3)
        assert all(entry["least_logit"] >= LEAST_LOGIT for entry in entries)


@pytest.mark.parametrize("folder", FROM_KERAS, ids=lambda folder: folder.name)
def test_no_further_from_keras_than_the_manifest_says(folder):
    manifest = Manifest.read(folder)
    images = [next(pieces) for pieces in golden_images(manifest.size or (64, 96)).values()]
    parity = measure_parity(keras_model(folder), folder, images)
    said = manifest.parity
    bits = parity["bits_per_iteration"]
    # A share measured on a few images scatters around that of many.
    for found, expected in zip(parity["bits_differing"], said["bits_differing"], strict=True):
        assert found / bits <= 2 * expected / said["bits_per_iteration"] + (
            0.01 if expected else 2e-4
        )
    assert parity["max_difference"] <= 1.5 * said["max_difference"]
    for found, expected in zip(
        parity["psnr_lost_decoding"], said["psnr_lost_decoding"], strict=True
    ):
        assert found <= 2 * expected + 0.02  # Of three images; a mean of hundreds is expected.
    # Encoding on its own takes other ways with single images, some better and some worse.
    assert np.mean(parity["psnr_lost"]) <= np.mean(said["psnr_lost"]) + 0.1
    if manifest.quantization == "none":
        assert parity["max_difference"] <= 1e-5


@pytest.mark.parametrize("folder", FROM_KERAS, ids=lambda folder: folder.name)
def test_made_again_the_same_to_the_byte(folder, tmp_path):
    manifest = Manifest.read(folder)
    if manifest.versions != converter_versions():
        pytest.skip(f"made with {manifest.versions}")
    again = export_tflite(keras_model(folder), tmp_path, manifest.size, manifest.quantization)
    assert again.encoders == manifest.encoders
    assert again.decoders == manifest.decoders
