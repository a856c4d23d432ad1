from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import tfrnnc
from tfrnnc.bitstream import read_header
from tfrnnc.data import FolderImages, PatchBatches
from tfrnnc.data.device_patches import DevicePatchBatches, table_bytes
from tfrnnc.errors import ConfigError, ModelError, TrainingError
from tfrnnc.images import to_float, to_uint8
from tfrnnc.metrics import block_ssim, psnr
from tfrnnc.model_folder.file_names import CHECKPOINT_FILE, LOG_FILE
from tfrnnc.model_folder.keras_model import load_model, model_from_config, model_id
from tfrnnc.training import Recipe, RunOptions, TrainingSet
from tfrnnc.training import train as train_on_sets
from tfrnnc.training.callbacks import Checkpoint, validate
from tfrnnc.training.schedule import WarmupHoldDecay
from tfrnnc.training.trainer import make_batches

RECIPE = Recipe(
    epochs=3,
    steps_per_epoch=4,
    batch_size=2,
    patch_size=16,
    learning_rate=1e-2,
    warmup_steps=2,
    seed=5,
)
CONFIG = {
    "arch": "conv_lstm",
    "encoder": ["conv_lstm 3x3/8 s4"],
    "bits": 4,
    "decoder": ["conv_lstm 3x3/8", "conv 3x3/48 linear", "depth_to_space 4"],
    "iterations": 2,
}


def train(model, images, validation_images, recipe, folder, **options):
    """Trains on one set of images, measured on another."""
    train_on_sets(
        model,
        [TrainingSet(images)],
        {"": TrainingSet(validation_images)},
        recipe,
        folder,
        RunOptions(quiet=True, **options),
    )


class Interrupt(keras.callbacks.Callback):
    """Presses Ctrl-C, or spoils a weight, after a number of batches."""

    def __init__(self, batches, spoil=False):
        super().__init__()
        self.left = batches
        self.spoil = spoil

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0 and not self.spoil:
            raise KeyboardInterrupt
        if self.left == 0:
            weight = self.model.trainable_variables[0]
            weight.assign(np.full(weight.shape, np.nan))


@pytest.fixture(scope="module")
def images(image_folder):
    return FolderImages(image_folder)


@pytest.fixture
def fresh():
    """Makes the model as a new run starts with it."""

    def make():
        keras.utils.set_random_seed(RECIPE.seed)
        return model_from_config(CONFIG, seed=RECIPE.seed)

    return make


def read_log(folder: Path) -> list[dict[str, float]]:
    with (folder / LOG_FILE).open(newline="") as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


def without_speed(log):
    return [{k: v for k, v in row.items() if k != "steps_per_second"} for row in log]


@pytest.fixture
def unbroken(fresh, images, tmp_path):
    """A whole run; returns its folder."""
    folder = tmp_path / "unbroken"
    train(fresh(), images, images, RECIPE, folder)
    return folder


def test_a_run_leaves_what_it_should(unbroken, fresh):
    log = read_log(unbroken)
    assert [row["step"] for row in log] == [4, 8, 12]
    assert {"loss", "val_loss", "val_psnr_1", "val_psnr_2", "val_ssim_2"} <= set(log[0])
    assert log[-1]["val_loss"] < log[0]["val_loss"]
    assert load_model(unbroken).arch == "conv_lstm"
    assert model_id(load_model(unbroken)) != model_id(fresh())
    assert list((unbroken / "tensorboard").rglob("events.out.*"))
    assert not [path for path in unbroken.iterdir() if path.name.startswith(".")]


def test_the_best_model_is_kept(unbroken, images):
    log = read_log(unbroken)
    best = min(row["val_loss"] for row in log)
    patches = np.stack([images[i][12:28, 16:32] for i in range(len(images))])
    assert validate(load_model(unbroken), patches)["val_loss"] == pytest.approx(best, rel=1e-5)


@pytest.mark.parametrize("batches", [3, 4, 6])
def test_interrupted_and_resumed_is_as_if_unbroken(unbroken, fresh, images, tmp_path, batches):
    folder = tmp_path / "interrupted"
    with pytest.raises(KeyboardInterrupt):
        train(fresh(), images, images, RECIPE, folder, callbacks=[Interrupt(batches)])
    resumed = fresh()
    train(resumed, images, images, RECIPE, folder, resume=True)
    assert int(resumed.optimizer.iterations) == RECIPE.total_steps
    logged = {row["step"]: row for row in without_speed(read_log(folder))}
    # Interrupted between an epoch's last batch and its validation, the log lacks that epoch.
    assert set(logged) == {4, 8, 12} - ({batches} & {4})
    for expected in without_speed(read_log(unbroken)):
        row = logged.get(expected["step"], expected)
        if row["step"] == math.ceil(batches / 4) * 4:
            # The training loss of a broken epoch is the mean of its second part only.
            row = {**row, "loss": expected["loss"]}
        assert row == pytest.approx(expected, rel=1e-4)


def test_killed_between_the_log_and_the_checkpoint(unbroken, fresh, images, tmp_path, monkeypatch):
    folder = tmp_path / "killed"
    save, saved = Checkpoint.save, []

    def save_once(checkpoint):
        if saved:
            raise SystemExit("killed")
        saved.append(save(checkpoint))

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "save", save_once)
        with pytest.raises(SystemExit):
            train(fresh(), images, images, RECIPE, folder)
    assert [row["step"] for row in read_log(folder)] == [4, 8]
    train(fresh(), images, images, RECIPE, folder, resume=True)
    for row, expected in zip(read_log(folder), read_log(unbroken), strict=True):
        for log in (row, expected):
            del log["steps_per_second"]
        assert row == pytest.approx(expected, rel=1e-4)


@pytest.fixture(scope="module")
def command(image_folder, tmp_path_factory):
    """The words of a training command without its output, and the log of a whole run of it."""
    folder = tmp_path_factory.mktemp("command")
    words = [
        Path(sys.executable).parent / "tfrnnc-train",
        "--config",
        write_config(folder),
        *("--data", image_folder, "--epochs", "40", "--steps-per-epoch", "5"),
        *("--batch-size", "2", "--patch-size", "16", "--seed", "5", "--quiet"),
    ]
    subprocess.run([*words, "--output", folder / "whole"], check=True)
    return words, read_log(folder / "whole")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stopped_from_outside_and_resumed(command, tmp_path, number):
    """Killed, interrupted or told to end, some time in the run, it ends as the unbroken one."""
    words, whole = command
    folder = tmp_path / "stopped"
    process = subprocess.Popen(
        [*words, "--output", folder], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    while not (folder / LOG_FILE).is_file() or len((folder / LOG_FILE).read_text()) < 2000:
        assert process.poll() is None
    process.send_signal(number)
    _, messages = process.communicate()
    assert process.returncode == -number
    if number != signal.SIGKILL:
        assert f"tfrnnc-train --resume {folder}" in messages
        assert "Traceback" not in messages
    assert len(read_log(folder)) < 40
    subprocess.run([words[0], "--resume", folder, "--quiet"], check=True)
    resumed = read_log(folder)
    assert [row["step"] for row in resumed] == [row["step"] for row in whole]
    assert resumed[-1]["val_loss"] == pytest.approx(whole[-1]["val_loss"], rel=1e-3)
    assert resumed[-1]["loss"] == pytest.approx(whole[-1]["loss"], rel=1e-3)


def write_config(folder: Path) -> Path:
    path = folder / "model.json"
    path.write_text(json.dumps(CONFIG))
    return path


def test_a_loss_that_is_not_finite_stops_the_run(fresh, images, tmp_path):
    spoil = Interrupt(6, spoil=True)
    with pytest.raises(TrainingError, match=r"loss became nan.*--learning-rate"):
        train(fresh(), images, images, RECIPE, tmp_path, callbacks=[spoil])
    kept = fresh()
    kept.load_weights(tmp_path / "model.weights.h5")
    assert all(np.isfinite(weight).all() for weight in kept.get_weights())
    assert [row["step"] for row in read_log(tmp_path)] == [4]


def test_resuming_nothing(fresh, images, tmp_path):
    with pytest.raises(ModelError, match=CHECKPOINT_FILE):
        train(fresh(), images, images, RECIPE, tmp_path, resume=True)


@pytest.mark.parametrize(
    "settings",
    [
        {"epochs": 0},
        {"batch_size": -1},
        {"batch_size": 10**6},
        {"learning_rate": 0.0},
        {"learning_rate": math.nan},
        {"clip_norm": math.inf},
        {"seed": -1},
        {"seed": 1 << 32},
        {"ssim_weight": -0.1},
        {"ssim_weight": math.nan},
        {"patch_size": 20, "ssim_weight": 0.1},
        {"optimizer": "sgd"},
        {"precision": "float16"},
        {"average": 1.0},
        {"decay_share": 1.5},
        {"target_bpp": (0.2, 0.1)},
        {"target_bpp": (0.0, 0.1)},
    ],
)
def test_recipe_out_of_range(settings):
    with pytest.raises(ConfigError, match=next(iter(settings))):
        Recipe(**settings)


def test_validation_measures_each_iteration(fresh, noise):
    model = fresh()
    patches = np.stack([noise(16, 16, seed) for seed in range(3)])
    logs = validate(model, patches, batch_size=2)
    pictures = np.asarray(model(to_float(patches)))
    assert logs["val_loss"] == pytest.approx(
        np.mean((pictures - to_float(patches)[:, None]) ** 2), rel=1e-5
    )
    second = [
        (psnr(patch, to_uint8(iterations[1])), block_ssim(patch, to_uint8(iterations[1])))
        for patch, iterations in zip(patches, pictures, strict=True)
    ]
    assert logs["val_psnr_2"] == pytest.approx(np.mean([p for p, _ in second]), rel=1e-6)
    assert logs["val_ssim_2"] == pytest.approx(np.mean([s for _, s in second]), rel=1e-6)


def test_a_run_that_diverges_ends_and_goes_on_from_its_last_checkpoint(
    fresh, images, tmp_path, unbroken
):
    class Explode(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                for weight in self.model.trainable_variables:
                    weight.assign(100 * weight)

    folder = tmp_path / "diverged"
    with pytest.raises(TrainingError, match=r"diverged: PSNR fell from \S+ to \S+ dB.*--weight-de"):
        train(fresh(), images, images, RECIPE, folder, callbacks=[Explode()])
    assert [row["epoch"] for row in read_log(folder)] == [1, 2]
    train(fresh(), images, images, RECIPE, folder, resume=True)
    assert without_speed(read_log(folder)) == without_speed(read_log(unbroken))


def test_an_accelerator_with_room_for_the_images_cuts_its_patches(fresh, noise, monkeypatch):
    sets = [TrainingSet([noise(24, 24, seed) for seed in range(2)]), TrainingSet([noise(40, 30)])]
    needed = sum(table_bytes(one.images) for one in sets)
    recipe = Recipe(batch_size=3, patch_size=16, max_downscale=2)
    host = make_batches(fresh(), sets, recipe)
    assert {type(one) for one in host.sets} == {PatchBatches}

    def batches(memory):
        monkeypatch.setattr("tfrnnc.training.trainer.jax_accelerator_bytes", lambda: memory)
        return make_batches(fresh(), sets, recipe)

    assert {type(one) for one in batches(2 * needed).sets} == {PatchBatches}
    device = batches(3 * needed)
    assert {type(one) for one in device.sets} == {DevicePatchBatches}
    for index in range(6):
        np.testing.assert_array_equal(device[index][0], host[index][0])


JAX_WITHOUT_TENSORFLOW = """
import sys
sys.modules["tensorflow"] = None
from pathlib import Path
import keras, numpy as np
assert keras.backend.backend() == "jax"
from tfrnnc.data import FolderImages
from tfrnnc.model_folder.keras_model import load_model, model_from_config
from tfrnnc.training.entropy_training import train_entropy_model
from tfrnnc.training import Recipe, RunOptions, TrainingSet, train, trainer
if {on_device}:
    trainer.jax_accelerator_bytes = lambda: 1 << 30
folder, images = Path(sys.argv[1]), FolderImages(sys.argv[2])
keras.utils.set_random_seed(5)
model = model_from_config({config!r}, seed=5)
recipe = Recipe(epochs=2, steps_per_epoch=3, batch_size=2, patch_size=16)
one = TrainingSet(images)
train(model, [one], {{"": one}}, recipe, folder, RunOptions(quiet=True))
train_entropy_model(load_model(folder), [one], {{"": one}}, recipe, folder, quiet=True)
patch = np.linspace(-0.9, 0.9, 2 * 16 * 24 * 3, dtype="float32").reshape(2, 16, 24, 3)
np.save(folder / "jax.npy", np.asarray(load_model(folder)(patch)))
"""


def train_on_jax(image_folder, folder, on_device=False):
    script = JAX_WITHOUT_TENSORFLOW.format(config=CONFIG, on_device=on_device)
    subprocess.run(
        [sys.executable, "-c", script, folder, image_folder],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        check=True,
    )


def test_trains_on_jax_without_tensorflow_and_loads_on_tensorflow(image_folder, tmp_path_factory):
    tmp_path = tmp_path_factory.mktemp("host")
    train_on_jax(image_folder, tmp_path)
    assert keras.backend.backend() == "tensorflow"
    patch = np.linspace(-0.9, 0.9, 2 * 16 * 24 * 3, dtype="float32").reshape(2, 16, 24, 3)
    on_tensorflow = np.asarray(load_model(tmp_path)(patch))
    np.testing.assert_allclose(np.load(tmp_path / "jax.npy"), on_tensorflow, atol=1e-5)
    assert [row["step"] for row in read_log(tmp_path)] == [3, 6]
    codec = tfrnnc.load(tmp_path)
    image = np.arange(20 * 20 * 3, dtype=np.uint8).reshape(20, 20, 3)
    data, picture, *_ = codec.encode_with_picture(image)
    assert read_header(data)[0].entropy_coded
    np.testing.assert_array_equal(codec.decode(data), picture)

    on_device = tmp_path_factory.mktemp("device")
    train_on_jax(image_folder, on_device, on_device=True)
    np.testing.assert_array_equal(np.load(on_device / "jax.npy"), np.load(tmp_path / "jax.npy"))


def test_command_line(image_folder, tmp_path):
    Image.new("RGB", (40, 40)).save(tmp_path / "tiny.png")
    train_command = Path(sys.executable).parent / "tfrnnc-train"

    def run(*words):
        return subprocess.run([train_command, *words], capture_output=True, text=True)

    folder = tmp_path / "run"
    words = (
        *("--config", write_config(tmp_path), "--data", image_folder),
        *("--epochs", "1", "--steps-per-epoch", "2", "--batch-size", "2", "--patch-size", "16"),
    )
    result = run(*words, "--output", folder)
    assert result.returncode == 0, result.stderr
    assert "epoch 1: " in result.stderr
    assert "batches/s, loss " in result.stderr
    assert "11 images to train on, 1 to measure on" in result.stderr

    again = run(*words, "--output", folder)
    assert again.returncode == 2
    assert "--resume" in again.stderr

    (tmp_path / "empty").mkdir()
    empty = run("--data", tmp_path / "empty", "--output", tmp_path / "other")
    assert empty.returncode == 1
    assert "no image that can be read" in empty.stderr
    assert "Traceback" not in empty.stderr
    assert not (tmp_path / "other").exists()

    assert run("--output", folder).returncode == 2
    assert run(*words, "--output", folder / "b", "--arch", "fc").returncode == 2
    ignored = run("--resume", folder, "--batch-size", "5")
    assert ignored.returncode == 2
    assert "leave out --batch-size" in ignored.stderr
    longer = run("--resume", folder, "--epochs", "2")
    assert longer.returncode == 0, longer.stderr
    assert [row["step"] for row in read_log(folder)] == [2, 4]

    finer = run(
        *words[2:], "--initial-model", folder, "--iterations", "3", "--output", folder / "finer"
    )
    assert finer.returncode == 0, finer.stderr
    assert load_model(folder / "finer").iterations == 3
    settings = json.loads((folder / "finer" / "training.json").read_text())
    started, resumed = settings["earlier_commands"]
    assert started == json.loads((folder / "training.json").read_text())["command"]
    assert resumed == f"tfrnnc-train --resume {folder} --epochs 2"
    first, before = read_log(folder / "finer")[-1], read_log(folder)[-1]
    assert first["val_loss"] < 2 * before["val_loss"]

    assert run("--data", image_folder, "--output", folder, "--layout", "huge").returncode == 2
    assert run("--resume", tmp_path / "nothing").returncode == 1


def test_broken_image_is_named_and_skipped(image_folder, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    for path in image_folder.glob("*.png"):
        (data / path.name).write_bytes(path.read_bytes())
    (data / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    result = subprocess.run(
        [
            Path(sys.executable).parent / "tfrnnc-train",
            *("--config", write_config(tmp_path), "--data", data, "--output", tmp_path / "run"),
            *("--epochs", "1", "--steps-per-epoch", "1", "--batch-size", "1"),
            *("--patch-size", "16", "--quiet"),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "skipped" in result.stderr
    assert "broken.jpg" in result.stderr
    assert "1 images skipped" in result.stderr


def test_patches_must_fit_the_model(fresh, images, tmp_path):
    with pytest.raises(ConfigError, match="multiple of the model's stride, 4"):
        train(fresh(), images, images, Recipe(patch_size=18), tmp_path / "run")
    with pytest.raises(ConfigError, match="stride 4"):
        fresh()(np.zeros((1, 16, 18, 3), np.float32))


def test_a_set_with_too_large_batches(fresh, images):
    with pytest.raises(ConfigError, match="batch_size must be smaller"):
        make_batches(fresh(), [TrainingSet(images, batch_size=10**6)], Recipe())


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def events(folder: Path, part: str, tag: str) -> list[tuple[int, np.ndarray]]:
    """Steps and values of what TensorBoard shows."""
    import tensorflow as tf

    accumulator = EventAccumulator(str(folder / "tensorboard" / part), {"tensors": 0})
    accumulator.Reload()
    return [(event.step, tf.make_ndarray(event.tensor_proto)) for event in accumulator.Tensors(tag)]


def test_epochs_are_counted_alike(unbroken, fresh, images, tmp_path, capsys):
    """From 1: in the log, on the terminal, in TensorBoard; of resumed runs too."""
    resumed = tmp_path / "resumed"
    with pytest.raises(KeyboardInterrupt):
        train(fresh(), images, images, RECIPE, resumed, callbacks=[Interrupt(6)])
    run = [TrainingSet(images)], {"": TrainingSet(images)}, RECIPE, resumed
    train_on_sets(fresh(), *run, RunOptions(resume=True))
    shown = capsys.readouterr().err
    assert re.findall(r"^epoch (\d+): ", shown, re.M) == ["2", "3"]
    for folder in (unbroken, resumed):
        assert [row["epoch"] for row in rows_of(folder)] == ["1", "2", "3"]
        for part, tag in (("validation", "epoch_loss"), ("samples", "validation")):
            assert [step for step, _ in events(folder, part, tag)] == [1, 2, 3]


def test_learning_rate_is_logged(unbroken):
    """After each epoch, that of the next batch: it falls to zero at the end."""
    rates = [float(row["learning_rate"]) for row in rows_of(unbroken)]
    schedule = WarmupHoldDecay(RECIPE.learning_rate, 2, 12, 10)
    assert rates == pytest.approx([float(schedule(step)) for step in (4, 8, 12)], abs=1e-7)
    assert rates[-1] < 1e-7 < rates[1] < rates[0]
    shown = [float(value) for _, value in events(unbroken, "train", "epoch_learning_rate")]
    assert shown == pytest.approx(rates, abs=1e-7)


def test_sample_pictures_are_what_the_model_makes(unbroken, images):
    """The last picture: the originals, and what the last weights make of them."""
    _, (_, _, picture) = events(unbroken, "samples", "validation")[-1]
    sheet = np.asarray(Image.open(io.BytesIO(picture)))
    patches = np.stack([images[i][12:28, 16:32] for i in range(len(images))])[:4]
    assert sheet.shape == (len(patches) * 64, 3 * 64, 3)
    np.testing.assert_array_equal(sheet[::4, :64:4], patches.reshape(-1, 16, 3))
    difference = sheet[::4, 64:128:4].astype(int) - patches.reshape(-1, 16, 3)
    assert 0 < np.abs(difference).mean() < 100


def test_a_log_without_the_learning_rate_goes_on(fresh, images, tmp_path):
    """One whose epochs were counted from 0, too: it gets the column and is counted from 1."""
    folder = tmp_path / "old"
    with pytest.raises(KeyboardInterrupt):
        train(fresh(), images, images, RECIPE, folder, callbacks=[Interrupt(6)])
    (row,) = rows_of(folder)
    del row["learning_rate"]
    row["epoch"] = "0"
    (folder / "log.csv").write_text(f"{','.join(row)}\n{','.join(row.values())}\n")
    train(fresh(), images, images, RECIPE, folder, resume=True)
    rows = rows_of(folder)
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert [row["step"] for row in rows] == ["4", "8", "12"]
    assert rows[0]["learning_rate"] == ""
    assert float(rows[1]["learning_rate"]) > 0
    assert rows[0]["val_loss"] == row["val_loss"]
