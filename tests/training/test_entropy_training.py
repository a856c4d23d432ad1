from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

import tfrnnc
from tfrnnc.bitstream import read_header
from tfrnnc.cli.train import main as train
from tfrnnc.model_folder.file_names import ENTROPY_MODEL_FILE, ENTROPY_WEIGHTS_FILE
from tfrnnc.model_folder.keras_model import load_model
from tfrnnc.model_folder.model_folder import ModelFolder
from tfrnnc.models.entropy_network import EntropyNetwork
from tfrnnc.training import entropy_training

SETTINGS = ["--epochs", 2, "--steps-per-epoch", 3, "--batch-size", 9, "--patch-size", 16, "--quiet"]


@pytest.fixture(scope="module")
def trained(tiny_model_folder, image_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("entropy") / "run"
    words = ["entropy-model", tiny_model_folder, "--output", folder, "--data", image_folder]
    result = CliRunner().invoke(train, [*map(str, [*words, *SETTINGS])])
    assert result.exit_code == 0, result.output
    return folder


def test_it_leaves_a_model_that_codes(trained, tiny_model_folder, noise):
    codec = tfrnnc.load(trained)
    assert codec.runtime.model_id == tfrnnc.load(tiny_model_folder).runtime.model_id
    assert codec.entropy_model.model_id == codec.runtime.model_id
    image = noise(20, 20)
    data = codec.encode(image)
    assert read_header(data)[0].entropy_coded
    plain = tfrnnc.load(tiny_model_folder).encode(image)
    np.testing.assert_array_equal(codec.decode(data), codec.decode(plain))


def test_its_log_and_settings(trained):
    with (trained / "entropy_log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    iteration_losses = [float(rows[0][f"val_loss_{iteration}"]) for iteration in (1, 2, 3)]
    assert float(rows[0]["val_loss"]) == pytest.approx(np.mean(iteration_losses), abs=1e-4)
    settings = json.loads((trained / "entropy_training.json").read_text())
    assert "entropy-model" in settings["command"] or settings["recipe"]["batch_size"] == 9


def test_the_codec_is_not_changed(trained, tiny_model_folder):
    before, after = load_model(tiny_model_folder), load_model(trained)
    for old, new in zip(before.get_weights(), after.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_it_is_repeatable(trained, tiny_model_folder, image_folder, tmp_path):
    words = ["entropy-model", tiny_model_folder, "--output", tmp_path / "again"]
    words += ["--data", image_folder, *SETTINGS]
    assert CliRunner().invoke(train, [*map(str, words)]).exit_code == 0
    models = [ModelFolder(folder).read_entropy_model() for folder in (trained, tmp_path / "again")]
    first, second = (np.frombuffer(model.to_bytes(), np.uint8) for model in models)
    assert np.mean(first != second) < 0.01


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--data", "x", "--arch", "conv"], "No such option"),
        (["--data", "x", "--resume", "y"], "No such option"),
        ([], "give --data"),
    ],
)
def test_usage_errors(trained, words, message):
    result = CliRunner().invoke(train, ["entropy-model", str(trained), *words])
    assert result.exit_code == 2
    assert message in result.output


def test_a_model_that_has_one_is_refused(trained, image_folder):
    before = (trained / ENTROPY_MODEL_FILE).read_bytes()
    words = ["entropy-model", str(trained), "--data", str(image_folder)]
    result = CliRunner().invoke(train, words)
    assert result.exit_code == 2
    assert "has an entropy model" in result.output
    assert (trained / ENTROPY_MODEL_FILE).read_bytes() == before


def test_small_images_only_are_said(tiny_model_folder, image_folder, tmp_path):
    words = ["entropy-model", tiny_model_folder, "--output", tmp_path / "run"]
    words += ["--data", image_folder, "--epochs", 1, "--steps-per-epoch", 1, "--quiet"]
    result = CliRunner().invoke(train, [*map(str, words)])
    assert result.exit_code == 0, result.output
    assert "96 pixels in both directions" in result.output


def test_it_goes_on_in_more_groups(trained, image_folder, tmp_path):
    """The model's own network is the start; a rate of next to nothing leaves it as it was."""
    first = ModelFolder(trained).read_entropy_model()
    words = ["entropy-model", trained, "--output", tmp_path / "run", "--data", image_folder]
    words += ["--epochs", 1, "--steps-per-epoch", 1, "--learning-rate", 1e-12, "--batch-size", 1]
    words += ["--patch-size", 16, "--quiet"]
    assert CliRunner().invoke(train, [*map(str, words)]).exit_code == 0
    again = ModelFolder(tmp_path / "run").read_entropy_model()
    assert again.to_bytes() == first.to_bytes()
    assert first.groups < first.bits
    words += ["--entropy-groups", first.bits]
    words[3] = tmp_path / "split"
    assert CliRunner().invoke(train, [*map(str, words)]).exit_code == 0
    split = ModelFolder(tmp_path / "split").read_entropy_model()
    expected = EntropyNetwork.from_entropy_model(first).split(first.bits)
    assert split.to_bytes() == expected.to_entropy_model(first.model_id).to_bytes()
    words[3] = tmp_path / "other"
    words[-1] = first.groups + 1
    result = CliRunner().invoke(train, [*map(str, words)])
    assert result.exit_code == 1
    assert f"entropy_groups must be a multiple of the {first.groups} of" in result.output
    assert not (tmp_path / "other").exists()


def test_sets_with_patches_of_their_own(tiny_model_folder, image_folder, tmp_path):
    words = ["entropy-model", tiny_model_folder, "--output", tmp_path / "run"]
    words += ["--data", f"{image_folder}?patch_size=8&batch_size=4&share=3", "--data"]
    words += [f"{image_folder}?patch_size=16&batch_size=2", "--epochs", 1, "--steps-per-epoch", 8]
    words += ["--validation", f"{image_folder}?patch_size=24", "--quiet"]
    shapes = []

    def pool(model, images, recipe, share, quiet):
        shapes.append((recipe.patch_size, recipe.batch_size, share))
        return make_pool(model, images, recipe, share, quiet)

    make_pool = entropy_training._pool
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(entropy_training, "_pool", pool)
        result = CliRunner().invoke(train, [*map(str, words)])
    assert result.exit_code == 0, result.output
    assert shapes == [(8, 4, 0.75), (16, 2, 0.25)]


def test_a_network_that_is_missing_is_said(trained, image_folder, tmp_path):
    source = shutil.copytree(trained, tmp_path / "source")
    (source / ENTROPY_WEIGHTS_FILE).unlink()
    words = ["entropy-model", source, "--output", tmp_path / "run", "--data", image_folder]
    words += ["--epochs", 1, "--steps-per-epoch", 1, "--patch-size", 16]
    result = CliRunner().invoke(train, [*map(str, words)])
    assert result.exit_code == 0, result.output
    assert f"no {ENTROPY_WEIGHTS_FILE}; the entropy network begins anew" in result.output
