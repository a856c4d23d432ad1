"""Codec and entropy model trained together."""

from __future__ import annotations

import csv
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

import tfrnnc
from tfrnnc.bitstream import read_header
from tfrnnc.data import FolderImages
from tfrnnc.errors import ConfigError, TrainingError
from tfrnnc.model_folder.file_names import LOG_FILE
from tfrnnc.model_folder.keras_model import model_from_config
from tfrnnc.models.entropy_network import EntropyNetwork
from tfrnnc.training import Recipe, RunOptions, TrainingSet, train
from tfrnnc.training.joint_model import MAX_RATE_WEIGHT, JointModel
from tfrnnc.training.trainer import compile_model, make_batches

CONFIG = {
    "arch": "conv_lstm",
    "encoder": ["conv 3x3/8 s2", "conv_lstm 3x3/40 s2"],
    "bits": 4,
    "decoder": ["conv_lstm 3x3/40", "conv 3x3/48 linear", "depth_to_space 4"],
    "iterations": 2,
}
RECIPE = Recipe(
    epochs=3,
    steps_per_epoch=4,
    batch_size=2,
    patch_size=16,
    warmup_steps=2,
    average=0.5,
    loss="rate-distortion",
    target_bpp=(0.1, 0.2),
    ssim_weight=0.1,
    cut_share=0.5,
    rate_delay=0,
    seed=5,
)


@pytest.fixture(scope="module")
def images(image_folder):
    return FolderImages(image_folder)


@pytest.fixture(scope="module")
def sets(images):
    """Two sets whose batches are of different shapes."""
    return [TrainingSet(images), TrainingSet(images, patch_size=8, batch_size=4, rate=2.0)]


def fresh():
    keras.utils.set_random_seed(RECIPE.seed)
    return model_from_config(CONFIG, seed=RECIPE.seed)


def compiled(recipe=RECIPE) -> JointModel:
    trained = compile_model(fresh(), recipe)
    assert isinstance(trained, JointModel)
    return trained


def read_log(folder: Path) -> list[dict[str, float]]:
    with (folder / LOG_FILE).open(newline="") as file:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    for row in rows:
        del row["steps_per_second"]
    return rows


def test_a_run_makes_a_codec_and_its_entropy_model(images, sets, tmp_path, noise):
    folder = tmp_path / "run"
    validation = {"large": TrainingSet(images), "small": TrainingSet(images, patch_size=8)}
    train(fresh(), sets, validation, RECIPE, folder, RunOptions(quiet=True))
    assert {"val_large_bpp_1", "val_large_psnr_2", "val_small_ssim_1"} <= set(read_log(folder)[0])
    codec = tfrnnc.load(folder)
    image = noise(20, 24, 1)
    data, picture, *_ = codec.encode_with_picture(image)
    assert read_header(data)[0].entropy_coded
    np.testing.assert_array_equal(codec.decode(data), picture)


@pytest.fixture(scope="module")
def unbroken(images, sets, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken")
    train(fresh(), sets, {"": TrainingSet(images)}, RECIPE, folder, RunOptions(quiet=True))
    return folder


@pytest.mark.parametrize("batches", [4, 6])
def test_interrupted_and_resumed_equals_an_unbroken_run(unbroken, images, sets, tmp_path, batches):
    class Interrupt(keras.callbacks.Callback):
        left = batches

        def on_train_batch_end(self, batch, logs=None):
            self.left -= 1
            if not self.left:
                raise KeyboardInterrupt

    measured = {"": TrainingSet(images)}
    broken = tmp_path / "broken"
    with pytest.raises(KeyboardInterrupt):
        train(
            fresh(), sets, measured, RECIPE, broken, RunOptions(quiet=True, callbacks=[Interrupt()])
        )
    train(fresh(), sets, measured, RECIPE, broken, RunOptions(resume=True, quiet=True))
    first, second = read_log(unbroken)[-1], read_log(broken)[-1]
    assert second == first
    weights = [model_from_config(CONFIG) for _ in range(2)]
    for model, folder in zip(weights, (unbroken, broken), strict=True):
        model.load_weights(folder / "model.weights.h5")
    for one, other in zip(*(model.get_weights() for model in weights), strict=True):
        np.testing.assert_array_equal(one, other)


def gradients(trained: JointModel, images, targets):
    """Of the codec's weights, and the loss."""
    import tensorflow as tf

    trained.codec.stochastic = False
    trained.cut_share = 0
    with tf.GradientTape() as tape:
        predicted = trained(images, training=True)
        loss = trained.compute_loss(images, targets, predicted, training=True)
    return tape.gradient(loss, [weight.value for weight in trained.codec.trainable_variables])


@pytest.fixture
def batch(noise):
    images = np.stack([noise(16, 16, seed) for seed in range(2)]).astype(np.float32)
    return ops.convert_to_tensor(images / 255 * 1.8 - 0.9)


def test_a_rate_below_its_target_costs_nothing(batch):
    """Nothing rewards fewer bits than intended, so that bits cannot vanish."""
    trained = compiled()
    plenty = np.full((2, 2), 100.0, np.float32)
    trained.rate_weights.assign([0.002, 0.002])
    gradients(trained, batch, plenty)  # moves the weights by 0.004 towards zero
    np.testing.assert_array_equal(trained.rate_weights.numpy(), 0)
    found = gradients(trained, batch, plenty)
    np.testing.assert_array_equal(trained.rate_weights.numpy(), 0)
    import tensorflow as tf

    with tf.GradientTape() as tape:
        pictures = [picture for _, picture in trained.codec.iterate(batch, training=True)]
        distortions = trained.codec.distortions(batch, ops.stack(pictures, axis=1))
        loss = ops.mean(ops.log(distortions))
    expected = tape.gradient(loss, [v.value for v in trained.codec.trainable_variables])
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-7)


def test_a_rate_above_its_target_is_pushed_down(batch):
    trained = compiled()
    targets = np.full((2, 2), 0.01, np.float32)
    free = gradients(trained, batch, targets)
    assert (trained.rate_weights.numpy() > 0).all()
    trained.rate_weights.assign([1.0, 1.0])
    pushed = gradients(trained, batch, targets)
    encoder = len(trained.codec.encoders[0].trainable_variables)
    assert any(np.abs(a - b).max() > 1e-4 for a, b in zip(free[:encoder], pushed, strict=False))
    for _ in range(1000):
        trained.compute_loss(batch, targets, trained(batch), training=True)
        if trained.rate_weights.numpy().min() == MAX_RATE_WEIGHT:
            break
    assert trained.rate_weights.numpy().max() <= MAX_RATE_WEIGHT


def test_the_rate_weights_of_an_earlier_phase():
    trained = compiled(replace(RECIPE, rate_weights=[0.5, 0.25]))
    np.testing.assert_array_equal(trained.rate_weights.numpy(), [0.5, 0.25])
    with pytest.raises(ConfigError, match="rate_weights has 1 values, but the model 2 iterations"):
        compiled(replace(RECIPE, rate_weights=[0.5]))
    with pytest.raises(ConfigError, match="rate_weights must be from 0 to 1.5, not 0.1, 2"):
        replace(RECIPE, rate_weights=[0.1, 2])


def test_the_rate_waits_for_its_delay(batch):
    trained = compiled(replace(RECIPE, rate_delay=2))
    targets = np.full((2, 2), 0.01, np.float32)
    for begun in (False, False, True):
        trained.compute_loss(batch, targets, trained(batch), training=True)
        assert bool((trained.rate_weights.numpy() > 0).all()) is begun


def test_rates_are_the_entropy_models_code_lengths(batch):
    trained = compiled()
    reconstructions, rates = trained(batch)
    bits = trained.codec.latent_bits(batch)
    logits = ops.convert_to_numpy(trained.entropy_network(bits))
    lengths = np.logaddexp(0, -logits * ops.convert_to_numpy(bits)) / np.log(2)
    expected = np.cumsum(lengths.sum(axis=(2, 3, 4)) / 256, axis=1)
    np.testing.assert_allclose(rates, expected, rtol=1e-4)
    assert reconstructions.shape == (2, 2, 16, 16, 3)


def test_cuts_take_the_last_bits_of_one_iteration(batch):
    trained = compiled(replace(RECIPE, cut_share=1.0))
    masks = ops.convert_to_numpy(trained._cuts(500))[:, :, 0, 0]
    assert masks.shape == (500, 2, 4)
    kept = masks.sum(axis=2)
    assert ((kept == 4).sum(axis=1) == 1).all()  # one of the two iterations is whole
    for mask in masks.reshape(-1, 4):
        np.testing.assert_array_equal(mask, np.sort(mask)[::-1])
    assert set(kept.ravel()) == {1, 2, 3, 4}
    assert not (ops.convert_to_numpy(compiled(replace(RECIPE, cut_share=0.0))._cuts(50)) == 0).any()


def test_bits_that_vanish_end_the_run(images, tmp_path):
    recipe = replace(RECIPE, target_bpp=(1e-4, 2e-4))

    class Vanish(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            for encoder in self.model.codec.encoders:
                for weight in encoder.stack[-1].weights:
                    weight.assign(np.zeros(weight.shape))
            for layer in self.model.entropy_network.outputs_:
                layer.kernel.assign(np.zeros(layer.kernel.shape))
                layer.bias.assign(np.full(layer.bias.shape, 100.0))

    with pytest.raises(TrainingError, match=r"bits vanish.*--target-bpp"):
        train(
            fresh(),
            [TrainingSet(images)],
            {"": TrainingSet(images)},
            replace(recipe, average=0.0, learning_rate=1e-9, adam_learning_rate=1e-9),
            tmp_path,
            RunOptions(quiet=True, callbacks=[Vanish()]),
        )


def test_a_frozen_entropy_model_stays(images, tmp_path):
    recipe = replace(RECIPE, epochs=1, average=0.0)
    one = TrainingSet(images)
    train(fresh(), [one], {"": one}, recipe, tmp_path / "first", RunOptions(quiet=True))
    entropy_weights = tmp_path / "first" / "entropy_network.weights.h5"
    train(
        fresh(),
        [one],
        {"": one},
        replace(recipe, freeze_entropy_model=True, stochastic=False),
        tmp_path / "second",
        RunOptions(quiet=True, entropy_weights=entropy_weights),
    )
    first, second = (
        tfrnnc.load(tmp_path / name).entropy_model.to_bytes() for name in ("first", "second")
    )
    assert first[20:-4] == second[20:-4]  # between the identity of the codec and the checksum
    assert first != second


def test_the_entropy_model_of_an_earlier_phase_in_more_groups(images, tmp_path):
    recipe = replace(RECIPE, epochs=1, steps_per_epoch=1, average=0.0, entropy_groups=2)
    one = TrainingSet(images)
    train(fresh(), [one], {"": one}, recipe, tmp_path / "first", RunOptions(quiet=True))
    options = RunOptions(
        quiet=True, entropy_weights=tmp_path / "first" / "entropy_network.weights.h5"
    )
    frozen = replace(recipe, freeze_entropy_model=True, entropy_groups=4)
    train(fresh(), [one], {"": one}, frozen, tmp_path / "second", options)
    first, second = (tfrnnc.load(tmp_path / name).entropy_model for name in ("first", "second"))
    assert (first.groups, second.groups) == (2, 4)
    split = EntropyNetwork.from_entropy_model(first).split(4).to_entropy_model(second.model_id)
    assert second.to_bytes() == split.to_bytes()
    with pytest.raises(ConfigError, match="entropy_groups must be a multiple of the 2 of"):
        train(
            fresh(), [one], {"": one}, replace(frozen, entropy_groups=3), tmp_path / "no", options
        )


def test_a_frozen_encoder_stays(images, tmp_path):
    recipe = replace(RECIPE, epochs=1, average=0.5, freeze_encoder=True, stochastic=False)
    one = TrainingSet(images)
    model = fresh()
    before = [variable.numpy() for variable in model.variables]
    train(model, [one], {"": one}, recipe, tmp_path, RunOptions(quiet=True))
    encoder = {variable.path for stage in model.encoders for variable in stage.variables}
    for variable, old in zip(model.variables, before, strict=True):
        if "seed_generator" not in variable.path:
            assert np.array_equal(variable.numpy(), old) == (variable.path in encoder)


def test_targets_fit_the_model(sets):
    with pytest.raises(ConfigError, match="target_bpp has 3 values"):
        compile_model(fresh(), replace(RECIPE, target_bpp=(0.1, 0.2, 0.3)))
    batches = make_batches(fresh(), sets, RECIPE)
    seen = {
        tuple(images.shape[:2]): targets for images, targets in map(batches.__getitem__, range(30))
    }
    np.testing.assert_allclose(seen[2, 16][0], [0.1, 0.2])
    np.testing.assert_allclose(seen[4, 8][0], [0.2, 0.4])
    defaults = Recipe().targets(4, 8, 8)
    assert list(defaults) == sorted(defaults)
    assert defaults[-1] < 4 * 8 / 64


def test_command(image_folder, tmp_path):
    import json

    (tmp_path / "model.json").write_text(json.dumps(CONFIG))
    words = [
        Path(sys.executable).parent / "tfrnnc-train",
        *("--config", tmp_path / "model.json", "--loss", "rate-distortion"),
        *("--data", f"{image_folder}?patch_size=16&batch_size=2", "--average", "0.5"),
        *("--data", f"{image_folder}?patch_size=8&batch_size=4&rate=2"),
        *("--epochs", "1", "--steps-per-epoch", "3", "--precision", "bfloat16"),
    ]
    run = tmp_path / "run"
    result = subprocess.run([*words, "--output", run], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert (run / "entropy_model.bin").is_file()
    wrong = subprocess.run(
        [*words, "--output", tmp_path / "b", "--data", f"{image_folder}?size=3"],
        capture_output=True,
        text=True,
    )
    assert wrong.returncode in (1, 2)
    assert "unknown setting 'size'" in wrong.stderr
    assert not (tmp_path / "b").exists()
    fine = subprocess.run(
        [*words, "--initial-model", run, "--deterministic", "--freeze-entropy-model"]
        + ["--output", tmp_path / "fine"],
        capture_output=True,
        text=True,
    )
    assert fine.returncode == 2
    words = [word for word in words if word not in ("--config", tmp_path / "model.json")]
    fine = subprocess.run(
        [*words, "--initial-model", run, "--deterministic", "--freeze-entropy-model"]
        + ["--output", tmp_path / "fine"],
        capture_output=True,
        text=True,
    )
    assert fine.returncode == 0, fine.stderr
    (run / "entropy_network.weights.h5").unlink()
    for start in (["--initial-model", run], ["--config", tmp_path / "model.json"]):
        kept = subprocess.run(
            [*words, *start, "--freeze-entropy-model", "--output", tmp_path / "kept"],
            capture_output=True,
            text=True,
        )
        assert kept.returncode == 2
        assert "--freeze-entropy-model keeps" in kept.stderr
        assert not (tmp_path / "kept").exists()
    anew = subprocess.run(
        [*words, "--initial-model", run, "--output", tmp_path / "anew"],
        capture_output=True,
        text=True,
    )
    assert anew.returncode == 0, anew.stderr
    assert "no entropy_network.weights.h5; the entropy network begins anew" in anew.stderr
