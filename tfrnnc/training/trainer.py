"""Trains a codec: the paper's residual loop under Keras's `fit`."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import numpy as np
from keras import ops

from tfrnnc.backend import jit_compile
from tfrnnc.data import PatchBatches, centre_patches
from tfrnnc.errors import ConfigError, TrainingError
from tfrnnc.files import replacing
from tfrnnc.model_folder.file_names import CHECKPOINT_FILE, LOG_FILE, SETTINGS_FILE
from tfrnnc.model_folder.keras_model import load_weights
from tfrnnc.models import ResidualCodec
from tfrnnc.models.block_ssim import SSIM_BLOCK
from tfrnnc.training.callbacks import Checkpoint, DeferredInterrupt, Progress, Validation


@dataclass(frozen=True)
class Recipe:
    """How to train (section 4.1, which leaves most of it open).

    Attributes:
        epochs: how many; the learning rate falls to zero at the end of the last one.
        steps_per_epoch: training steps (batches) from one validation and checkpoint to the next.
        batch_size: patches in a batch.
        patch_size: side of a patch in pixels.
        min_downscale, max_downscale: see `tfrnnc.data.PatchBatches`.
        learning_rate: Adam's, at its peak.
        warmup_steps: training steps over which the learning rate rises from zero.
        clip_norm: the gradient's global norm is clipped to this.
        ssim_weight: of the dissimilarity that is added to the paper's loss; see
            `ResidualCodec.compute_loss`. Patches are then multiples of 8 pixels.
        seed: of the weights, the patches and the random rounding.

    Raises:
        ConfigError: if a number is out of range.
    """

    epochs: int = 20
    steps_per_epoch: int = 500
    batch_size: int = 32
    patch_size: int = 32
    min_downscale: int = 1
    max_downscale: int = 8
    learning_rate: float = 2e-3
    warmup_steps: int = 100
    clip_norm: float = 1.0
    ssim_weight: float = 0.0
    seed: int = 0

    def __post_init__(self):
        for name, value in asdict(self).items():
            least = 0 if name in ("warmup_steps", "seed") else 1
            if name == "ssim_weight":
                if not (math.isfinite(value) and value >= 0):
                    raise ConfigError(f"{name} must be a finite number of at least 0, not {value}")
            elif isinstance(value, float):
                if not (math.isfinite(value) and value > 0):
                    raise ConfigError(f"{name} must be a finite number above 0, not {value}")
            elif value < least:
                raise ConfigError(f"{name} must be at least {least}, not {value}")
        if self.ssim_weight and self.patch_size % SSIM_BLOCK:
            raise ConfigError(
                f"patch_size must be a multiple of {SSIM_BLOCK} where ssim_weight is above 0, "
                f"not {self.patch_size}"
            )

    @property
    def total_steps(self) -> int:
        """Training steps of the whole run."""
        return self.epochs * self.steps_per_epoch


def compile_model(model: ResidualCodec, recipe: Recipe) -> None:
    """Gives the model the recipe's optimiser, with its state built.

    Raises:
        ConfigError: if the patch size is no multiple of the model's stride.
    """
    if recipe.patch_size % model.stride:
        raise ConfigError(
            f"patch_size must be a multiple of the model's stride, {model.stride}, "
            f"not {recipe.patch_size}"
        )
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        decay_steps=max(1, recipe.total_steps - recipe.warmup_steps),
        warmup_target=recipe.learning_rate,
        warmup_steps=recipe.warmup_steps,
    )
    optimizer = keras.optimizers.Adam(schedule, global_clipnorm=recipe.clip_norm)
    model.ssim_weight = recipe.ssim_weight
    model.compile(optimizer=optimizer, jit_compile=jit_compile())
    optimizer.build(model.trainable_variables)


def patch_batches(images: Sequence[np.ndarray], recipe: Recipe) -> PatchBatches:
    """The batches that a recipe makes of images."""
    return PatchBatches(
        images,
        recipe.batch_size,
        recipe.patch_size,
        recipe.min_downscale,
        recipe.max_downscale,
        recipe.seed,
    )


def train(
    model: ResidualCodec,
    images: Sequence[np.ndarray],
    validation_images: Sequence[np.ndarray],
    recipe: Recipe,
    folder: Path,
    resume: bool = False,
    quiet: bool = False,
) -> None:
    """Trains a model, leaving the best one and the state to resume from in a folder.

    After each epoch the folder holds `config.json` and `model.weights.h5` (the best model so
    far by validation loss, what `tfrnnc.load` takes), `checkpoint.weights.h5` (the whole state),
    `log.csv` and, where TensorFlow is installed, `tensorboard/`. Interrupted by Ctrl-C, it
    saves the state first.

    Args:
        model: a codec model. Its weights are the starting point unless `resume`.
        images: uint8 arrays (H, W, 3) to train on.
        validation_images: uint8 arrays (H, W, 3) to measure on.
        recipe: how to train.
        folder: where the run is kept; made if missing.
        resume: go on from the folder's checkpoint.
        quiet: no progress bar.

    Raises:
        ConfigError: if the patch size is no multiple of the model's stride.
        DataError: if no image is large enough.
        ModelError: on `resume`, if the checkpoint is missing or of another model.
        TrainingError: if the loss is not finite.
        KeyboardInterrupt: after the state was saved.
    """
    compile_model(model, recipe)
    best = math.inf
    first = 0
    if resume:
        load_weights(model, folder / CHECKPOINT_FILE)
        first = int(ops.convert_to_numpy(model.optimizer.iterations))
        best = _rewind_log(folder / LOG_FILE, first)
        # Keras saves no random state. The binarizer's counts the calls: one for each iteration.
        random_state = model.binarizer.seed_generator.state
        random_state.assign([random_state[0], first * model.iterations])
    batches = patch_batches(images, recipe)
    patches = centre_patches(validation_images, recipe.patch_size)
    folder.mkdir(parents=True, exist_ok=True)
    progress = Progress(first, recipe.total_steps, recipe.batch_size, quiet)
    checkpoint = Checkpoint(folder, best)
    interrupt = DeferredInterrupt()
    callbacks = [
        Validation(patches),
        # Logged before it is saved: what is logged after the last checkpoint is logged again.
        keras.callbacks.CSVLogger(folder / LOG_FILE, append=resume),
        progress,
        checkpoint,
        *_tensorboard(folder),
        interrupt,
    ]
    try:
        # A run that was stopped within an epoch first finishes that one.
        epoch, done = divmod(first, recipe.steps_per_epoch)
        spans = [(epoch, epoch + 1, recipe.steps_per_epoch - done)] if done else []
        spans.append((epoch + len(spans), recipe.epochs, recipe.steps_per_epoch))
        with interrupt:
            for start, end, steps_per_epoch in spans:
                batches.first_batch = int(ops.convert_to_numpy(model.optimizer.iterations))
                model.fit(
                    batches,
                    initial_epoch=start,
                    epochs=end,
                    steps_per_epoch=steps_per_epoch,
                    callbacks=callbacks,
                    shuffle=False,
                    verbose=0,
                )
    except KeyboardInterrupt:
        checkpoint.save()
        raise
    finally:
        progress.close()


def _tensorboard(folder: Path) -> list:
    if keras.backend.backend() != "tensorflow":
        return []
    return [keras.callbacks.TensorBoard(folder / "tensorboard", write_graph=False)]


def _rewind_log(path: Path, step: int) -> float:
    """Drops what was logged after the checkpoint; returns the least loss before."""
    if not path.is_file():
        return math.inf
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        fields = reader.fieldnames
        rows = [row for row in reader if row["step"] and int(row["step"]) <= step]
    if not fields:
        return math.inf
    with replacing(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, fields)
        writer.writeheader()
        writer.writerows(rows)
    return min((float(row["val_loss"]) for row in rows), default=math.inf)


def write_settings(folder: Path, settings: dict) -> None:
    """Writes `training.json`, all that a run needs to be repeated or resumed."""
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / SETTINGS_FILE) as temporary:
        temporary.write_text(json.dumps(settings, indent=2) + "\n")


def read_settings(folder: Path) -> dict:
    """Reads `training.json`.

    Raises:
        TrainingError: if it is missing or not what `write_settings` wrote.
    """
    path = folder / SETTINGS_FILE
    try:
        settings = json.loads(path.read_text())
        Recipe(**settings["recipe"])
        if not {"command", "model", "initial_model", "data"} <= set(settings):
            raise ValueError("settings are missing")
    except FileNotFoundError as error:
        raise TrainingError(
            f"{folder}: holds no {SETTINGS_FILE}, so nothing to resume; give the --output of a run"
        ) from error
    except (ValueError, TypeError, KeyError) as error:
        raise TrainingError(f"{path}: not the settings of a run ({error})") from error
    return settings
