"""What a run can fail of: one line with a remedy, nothing lost, nothing left in the way."""

from __future__ import annotations

import errno
import json
import os
import re
import resource
import shutil
import subprocess
import sys
from dataclasses import fields
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from tfrnnc.cli.train import main as train_command
from tfrnnc.data import FolderImages
from tfrnnc.errors import DataError, ModelError, TrainingError
from tfrnnc.model_folder.file_names import (
    CHECKPOINT_FILE,
    ENTROPY_LOG_FILE,
    ENTROPY_MODEL_FILE,
    LOG_FILE,
    SETTINGS_FILE,
)
from tfrnnc.model_folder.keras_model import load_model, model_from_config, weights_content
from tfrnnc.preview.layout import DECODER_FILE
from tfrnnc.training import Recipe, RunOptions, TrainingSet, train
from tfrnnc.training.checkpoint import read_checkpoint
from tfrnnc.training.failures import RUN_FILES, TENSORBOARD_FOLDER, explained_failures
from tfrnnc.training.log import read_log
from tfrnnc.training.settings import ADDED_LATER, read_settings, write_settings
from tfrnnc.training.trainer import compile_model

CONFIG = {
    "arch": "fc",
    "encoder": ["space_to_depth 8", "dense 16"],
    "bits": 4,
    "decoder": ["dense 16", "dense 192", "depth_to_space 8"],
    "iterations": 2,
}
RECIPE = Recipe(epochs=1, steps_per_epoch=2, batch_size=2, patch_size=16, warmup_steps=1)


def fresh():
    keras.utils.set_random_seed(5)
    return model_from_config(CONFIG, seed=5)


@pytest.fixture(scope="module")
def run_words(image_folder, tmp_path_factory):
    """The words of a training command without its output."""
    config = tmp_path_factory.mktemp("config") / "model.json"
    config.write_text(json.dumps(CONFIG))
    return [
        *("--config", str(config), "--data", str(image_folder), "--epochs", "1"),
        *("--steps-per-epoch", "2", "--batch-size", "2", "--patch-size", "16", "--quiet"),
    ]


@pytest.fixture(scope="module")
def whole_run(run_words, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "run"
    result = CliRunner().invoke(train_command, [*run_words, "--output", str(folder)])
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def run(whole_run, tmp_path):
    """A copy of a finished run's folder."""
    return Path(shutil.copytree(whole_run, tmp_path / "run"))


def resume(folder, *words):
    return CliRunner().invoke(train_command, ["--resume", str(folder), "--quiet", *words])


def assert_one_line(result, *parts):
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit)
    lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert "Traceback" not in result.stderr
    for part in parts:
        assert part in lines[0]


def damaged(content: bytes, kind: str) -> bytes:
    half = len(content) // 2
    return {
        "cut": content[:half],
        "empty": b"",
        "flipped": content[:half] + bytes([content[half] ^ 1]) + content[half + 1 :],
        "text": b"not a checkpoint\n" * 100,
    }[kind]


@pytest.mark.parametrize("kind", ["cut", "empty", "flipped", "text"])
def test_a_damaged_checkpoint_is_refused(run, kind):
    path = run / CHECKPOINT_FILE
    path.write_bytes(damaged(path.read_bytes(), kind))
    assert_one_line(resume(run, "--epochs", "2"), str(path), "--initial-model")


def test_every_flipped_byte_of_the_weights_shows(run):
    path = run / CHECKPOINT_FILE
    content = path.read_bytes()
    model = compile_model(fresh(), RECIPE)
    for place in range(0, len(content), len(content) // 23):
        path.write_bytes(content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :])
        with pytest.raises(ModelError, match=CHECKPOINT_FILE):
            read_checkpoint(model, path)
    path.write_bytes(content)
    read_checkpoint(model, path)
    assert int(model.optimizer.iterations) == 2


def test_a_checkpoint_that_keras_wrote_is_taken(tmp_path):
    model = compile_model(fresh(), RECIPE)
    model.save_weights(tmp_path / CHECKPOINT_FILE)
    read_checkpoint(model, tmp_path / CHECKPOINT_FILE)


@pytest.mark.parametrize("kind", ["weights alone", "other layout"])
def test_what_is_no_checkpoint_is_refused(tmp_path, kind):
    path = tmp_path / CHECKPOINT_FILE
    path.write_bytes(weights_content(fresh()))
    if kind == "other layout":
        with h5py.File(path, "w") as file:
            file["layers"] = np.zeros(3)
    with pytest.raises(ModelError, match=CHECKPOINT_FILE):
        read_checkpoint(compile_model(fresh(), RECIPE), path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "epoch,step,val_loss\n",
        "epoch,loss\n0,0.1\n",
        "epoch,step,val_loss\n0,2\n",
        "epoch,step,val_loss\n0,2,0.1\n1,4",
        "epoch,step,val_loss\n0,2,0.1,7\n",
        "epoch,step,val_loss\n0,two,0.1\n",
        "epoch,step,val_loss\n0,2,nan\n",
        'epoch,step,val_loss\n0,2,"0.1\n',
        "epoch,step,val_loss\n0,2,\udcff\n",
        "epoch,step,val_loss\n0,2,0.1\n1,4,0.07",  # Of 0.0734, perhaps.
    ],
)
def test_a_strange_log_is_refused(run, text):
    (run / LOG_FILE).write_bytes(text.encode(errors="surrogateescape"))
    assert_one_line(resume(run, "--epochs", "2"), str(run / LOG_FILE), "remove it and resume")


def test_without_its_log_a_run_goes_on(run):
    (run / LOG_FILE).unlink()
    result = resume(run, "--epochs", "2")
    assert result.exit_code == 0, result.output
    assert [row["step"] for row in read_log(run / LOG_FILE, 9)] == ["4"]


def test_a_cut_settings_file_is_refused(run):
    path = run / SETTINGS_FILE
    path.write_bytes(damaged(path.read_bytes(), "cut"))
    assert_one_line(resume(run), str(path), "--initial-model")


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ((), []),
        (("command",), 3),
        (("initial_model",), {}),
        (("model",), None),
        (("model", "bits"), "four"),
        (("model", "bits"), 10**12),
        (("model", "encoder"), ["space_to_depth 8", "dense 16 of gold"]),
        (("data",), []),
        (("data", "data"), "photos"),
        (("data", "data"), [3]),
        (("data", "tfds_split"), None),
        (("data", "max_pixels"), 0),
        (("data", "max_pixels"), "all"),
        (("recipe",), 3),
        (("recipe", "epochs"), 1.5),
        (("recipe", "batch_size"), "2"),
        (("recipe", "stochastic"), 1),
        (("recipe", "epochs"), 10**30),
        (("recipe", "learning_rate"), "fast"),
        (("recipe", "learning_rate"), [0.1]),
        (("recipe", "learning_rate"), 10**400),
        (("recipe", "target_bpp"), ["a"]),
        (("recipe", "colour"), 1),
        (("recipe", "seed"), -1),
    ],
)
def test_strange_settings_are_refused(run, place, value):
    path = run / SETTINGS_FILE
    settings = json.loads(path.read_text())
    if place:
        *outer, last = place
        part = settings
        for name in outer:
            part = part[name]
        part[last] = value
    else:
        settings = value
    path.write_text(json.dumps(settings))
    assert_one_line(resume(run), str(path), "--initial-model")


@pytest.mark.parametrize(
    "names", [["seed"], ["loss", "average"], [field.name for field in fields(Recipe)]]
)
def test_a_recipe_that_lacks_something_is_refused(run, names):
    settings = read_settings(run)
    settings["recipe"] = {k: v for k, v in settings["recipe"].items() if k not in names}
    write_settings(run, settings)
    listed = ", ".join(sorted(set(names) - ADDED_LATER))
    assert_one_line(resume(run), str(run / SETTINGS_FILE), f"(recipe lacks {listed})")


def test_the_settings_of_a_run_are_read(run):
    settings = read_settings(run)
    assert settings["model"]["arch"] == "fc"
    # As in runs of before them.
    del settings["data"]["max_pixels"]
    for name in ADDED_LATER:
        del settings["recipe"][name]
    write_settings(run, settings)
    assert read_settings(run) == settings
    result = resume(run, "--epochs", "2")
    assert result.exit_code == 0, result.output


FILES = [name for name in RUN_FILES if name != SETTINGS_FILE]


@pytest.mark.parametrize("kind", ["folder", "pipe"])
@pytest.mark.parametrize("name", FILES)
def test_what_is_in_a_files_place_is_found_before_training(
    whole_run, run_words, tmp_path, monkeypatch, name, kind
):
    monkeypatch.setattr("tfrnnc.training.trainer.compile_model", None)  # It would not get that far.
    run = tmp_path / "run"
    run.mkdir()
    if kind == "pipe":
        os.mkfifo(run / name)
    elif name == TENSORBOARD_FOLDER:
        (run / name).touch()
    else:
        (run / name).mkdir()
    expected = f"{run / name}: not a {'folder' if name == TENSORBOARD_FOLDER else 'file'}"
    result = CliRunner().invoke(train_command, [*run_words, "--output", str(run)])
    assert_one_line(result, expected, "move it away")
    assert [path.name for path in run.iterdir()] == [name]
    shutil.copy(whole_run / SETTINGS_FILE, run)
    assert_one_line(resume(run, "--epochs", "2"), expected)


def test_a_folder_in_the_place_of_the_settings(run, run_words):
    (run / SETTINGS_FILE).unlink()
    (run / SETTINGS_FILE).mkdir()
    assert_one_line(resume(run), str(run / SETTINGS_FILE))


@pytest.mark.parametrize("name", [ENTROPY_LOG_FILE, ENTROPY_MODEL_FILE])
def test_what_is_in_the_place_of_an_entropy_models_file(
    run, image_folder, tmp_path, monkeypatch, name
):
    monkeypatch.setattr("tfrnnc.training.entropy_training._compiled_network", None)
    output = tmp_path / "entropy"
    (output / name).mkdir(parents=True)
    words = ["entropy-model", str(run), "--data", str(image_folder), "--output", str(output)]
    words += ["--epochs", "1", "--steps-per-epoch", "1", "--batch-size", "2", "--patch-size", "16"]
    result = CliRunner().invoke(train_command, [*words, "--quiet"])
    assert_one_line(result, f"{output / name}: not a file")
    assert [path.name for path in output.iterdir()] == [name]


@pytest.mark.parametrize("name", [LOG_FILE, DECODER_FILE])
def test_what_is_in_the_place_of_a_files_of_previews(image_folder, tmp_path, monkeypatch, name):
    monkeypatch.setattr("tfrnnc.preview.training.read_crops", None)
    output = tmp_path / "preview"
    (output / name).mkdir(parents=True)
    words = ["preview", "--data", str(image_folder), "--validation", str(image_folder), "--quiet"]
    result = CliRunner().invoke(train_command, [*words, "--output", str(output)])
    assert_one_line(result, f"{output / name}: not a file")
    assert [path.name for path in output.iterdir()] == [name]


class Fail(keras.callbacks.Callback):
    """Raises an error after the first batch."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def on_train_batch_end(self, batch, logs=None):
        raise self.error


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (MemoryError("Unable to allocate 40 GiB"), "--batch-size or --patch-size"),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory"), "--batch-size or --patch-size"),
        (RuntimeError("{{function_node f}} MemoryError: Unable"), "--batch-size or --patch-size"),
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "the disk is full"),
        (RuntimeError("log; No space left on device"), "the disk is full"),
    ],
)
def test_what_the_machine_lacks_is_said(image_folder, tmp_path, error, message):
    images = TrainingSet(FolderImages(image_folder))
    with pytest.raises(TrainingError, match=message):
        train(
            fresh(),
            [images],
            {"": images},
            RECIPE,
            tmp_path,
            RunOptions(quiet=True, callbacks=[Fail(error)]),
        )


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("ResourceExhaustedError", "OOM when allocating tensor"),
        ("InvalidArgumentError", "Cannot parse tensor from proto: dtype: DT_FLOAT"),
    ],
)
def test_tensorflow_and_its_lack_of_memory(kind, message):
    import tensorflow as tf

    with (
        pytest.raises(TrainingError, match="--batch-size"),
        explained_failures(Path("run")),
    ):
        raise getattr(tf.errors, kind)(None, None, message)


def test_other_errors_stay_what_they_are():
    with pytest.raises(ZeroDivisionError), explained_failures(Path("run")):
        raise ZeroDivisionError


def test_a_start_that_failed_leaves_nothing(run_words, tmp_path, monkeypatch):
    import tfrnnc.training.trainer as trainer

    output = ["--output", str(tmp_path / "deep" / "run")]
    with monkeypatch.context() as patch:
        patch.setattr(trainer, "Progress", lambda *_: Fail(MemoryError()))
        patch.setattr(Fail, "close", lambda _: None, raising=False)
        result = CliRunner().invoke(train_command, [*run_words, *output])
    assert_one_line(result, "--batch-size")
    assert not (tmp_path / "deep").exists()
    result = CliRunner().invoke(train_command, [*run_words, *output])
    assert result.exit_code == 0, result.output


def test_an_entropy_model_that_failed_leaves_nothing(whole_run, image_folder, tmp_path):
    """Images large enough to train on, none to measure on: it fails after the codec is copied."""
    small = tmp_path / "small"
    small.mkdir()
    Image.new("RGB", (9, 9)).save(small / "small.png")
    words = ["entropy-model", str(whole_run), "--data", str(image_folder), "--quiet"]
    words += ["--epochs", "1", "--steps-per-epoch", "1", "--batch-size", "2", "--patch-size", "16"]
    words += ["--output", str(tmp_path / "run")]
    result = CliRunner().invoke(train_command, [*words, "--validation", str(small)])
    assert_one_line(result, "none of the images to measure on, 1 in all,", "--validation")
    assert not (tmp_path / "run").exists()
    result = CliRunner().invoke(train_command, words)
    assert result.exit_code == 0, result.output


def test_images_smaller_than_a_patch(run_words, image_folder, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    Image.new("RGB", (9, 9)).save(small / "small.png")
    words = [*run_words, "--output", str(tmp_path / "run")]
    result = CliRunner().invoke(train_command, [*words, "--validation", str(small)])
    assert_one_line(result, "none of the images to measure on, 1 in all,", "--validation")
    assert not (tmp_path / "run").exists()


def test_small_validation_images_are_named_by_their_set(image_folder, tmp_path):
    images = TrainingSet(FolderImages(image_folder))
    small = TrainingSet([np.zeros((9, 9, 3), np.uint8)])
    with pytest.raises(DataError, match="'kodak', 1 in all, is at least 16 pixels.*--validation"):
        train(fresh(), [images], {"": images, "kodak": small}, RECIPE, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("share", [0.02, 0.5, 0.999])
def test_a_full_disk_ends_in_one_line(run, share):
    """Where the system limits the size of files, as a full disk would, within the checkpoint."""
    path = run / CHECKPOINT_FILE
    before = path.read_bytes()
    limit = int(share * len(before))
    result = subprocess.run(
        [
            *(Path(sys.executable).parent / "tfrnnc-train", "--resume", run),
            *("--epochs", "2", "--quiet"),
        ],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert result.returncode == 1, result.stderr
    assert "the disk is full" in result.stderr
    assert "Traceback" not in result.stderr
    assert path.read_bytes() == before
    assert not [each for each in run.iterdir() if each.name.startswith(".")]
    load_model(run)
    result = resume(run, "--epochs", "2")
    assert result.exit_code == 0, result.output
    assert [row["step"] for row in read_log(run / LOG_FILE, 9)] == ["2", "4"]


def test_a_checkout_that_is_not_installed(run_words, tmp_path, monkeypatch):
    def version(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("tfrnnc.cli.train.version", version)
    result = CliRunner().invoke(train_command, [*run_words, "--output", str(tmp_path / "run")])
    assert result.exit_code == 1
    assert re.fullmatch(r"error: tfrnnc is not installed, .*pip install.*\n", result.stderr)
    assert not (tmp_path / "run").exists()
