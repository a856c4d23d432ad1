"""Trains a codec: the paper's residual loop under Keras's `fit`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from tfrnnc.backend import jax_accelerator_bytes, jit_compile
from tfrnnc.data import MixedBatches, PatchBatches
from tfrnnc.data.device_patches import DevicePatchBatches, table_bytes
from tfrnnc.errors import ConfigError
from tfrnnc.layers.convolution import bfloat16_products
from tfrnnc.layers.winograd import Winograd
from tfrnnc.model_folder.file_names import CHECKPOINT_FILE, LOG_FILE
from tfrnnc.models import ResidualCodec
from tfrnnc.training.callbacks import (
    Checkpoint,
    DeferredInterrupt,
    Progress,
    Validation,
    ValidationSet,
)
from tfrnnc.training.checkpoint import read_checkpoint
from tfrnnc.training.entropy_start import fresh_network, load_network
from tfrnnc.training.failures import TENSORBOARD_FOLDER, explained_failures, require_places
from tfrnnc.training.joint_model import CUT_DRAWS, JointModel
from tfrnnc.training.log import Log, read_log
from tfrnnc.training.optimizers import Adam, Muon, matrix_forms
from tfrnnc.training.recipe import Recipe, check_batch
from tfrnnc.training.schedule import WarmupHoldDecay
from tfrnnc.training.tensorboard import EpochTensorBoard, SamplePictures
from tfrnnc.training.training_set import TrainingSet
from tfrnnc.training.workers import ALONE, Workers

IMAGES_SHARE = 0.4  #: of an accelerator's memory that the images to train on may take


def compile_model(model: ResidualCodec, recipe: Recipe) -> ResidualCodec | JointModel:
    """Gives a model the recipe's loss and its optimiser, with its state built.

    Returns:
        what `fit` trains: the model, or for "rate-distortion" a `JointModel` around it.

    Raises:
        ConfigError: if the recipe does not fit the model.
    """
    if recipe.patch_size % model.stride:
        raise ConfigError(
            f"patch_size must be a multiple of the model's stride, {model.stride}, "
            f"not {recipe.patch_size}"
        )
    model.ssim_weight = recipe.ssim_weight
    model.balanced = recipe.loss != "paper"
    model.stochastic = recipe.stochastic
    for encoder in model.encoders:
        encoder.trainable = not recipe.freeze_encoder
    model.training_convolution = (
        Winograd if recipe.precision == "float32" else (lambda: bfloat16_products)
    )
    trained: ResidualCodec | JointModel = model
    if recipe.loss == "rate-distortion":
        recipe.targets(model.iterations, model.bits, model.stride)
        network = fresh_network(model, recipe)
        network.trainable = not recipe.freeze_entropy_model
        trained = JointModel(model, network, recipe.cut_share, recipe.rate_delay, recipe.seed)
        trained.rate_weights.assign(recipe.initial_rate_weights(model.iterations))
    optimizer = _optimizer(model, recipe)
    trained.compile(optimizer=optimizer, jit_compile=jit_compile())
    optimizer.build(trained.trainable_variables)
    return trained


def _optimizer(model: ResidualCodec, recipe: Recipe) -> keras.optimizers.Optimizer:
    peak, total = recipe.peak_learning_rate, recipe.total_steps
    decay_steps = max(1, round(recipe.decay_share * (total - recipe.warmup_steps)))
    schedule = WarmupHoldDecay(peak, recipe.warmup_steps, total, decay_steps)
    settings: dict[str, Any] = {
        "global_clipnorm": recipe.clip_norm,
        "use_ema": bool(recipe.average),
    }
    if recipe.average:
        settings["ema_momentum"] = recipe.average
    if recipe.optimizer == "adam":
        return Adam(schedule, **settings)
    forms = matrix_forms([*model.encoders, *model.decoders])
    return Muon(schedule, recipe.adam_learning_rate, forms, peak, recipe.weight_decay, **settings)


def make_batches(
    model: ResidualCodec,
    training_sets: Sequence[TrainingSet],
    recipe: Recipe,
    workers: Workers = ALONE,
) -> MixedBatches:
    """The batches that a recipe makes of sets of images, or a worker's slice of each.

    Raises:
        ConfigError: if a patch size is no multiple of the model's stride, or a batch has too many
            values or cannot be divided among the devices.
        DataError: if a set has no image that is large enough.
    """
    sets = []
    kind = _kind_of_batches(training_sets)
    for number, one in enumerate(training_sets):
        patch_size = one.size("patch_size", recipe)
        if patch_size % model.stride:
            raise ConfigError(
                f"patch_size must be a multiple of the model's stride, {model.stride}, "
                f"not {patch_size}"
            )
        batch_size = one.size("batch_size", recipe)
        check_batch(batch_size, patch_size)
        sets.append(
            kind(
                one.images,
                batch_size,
                patch_size,
                one.size("min_downscale", recipe),
                one.size("max_downscale", recipe),
                recipe.seed + number,
            )
        )
    targets = None
    if recipe.loss == "rate-distortion":
        base = np.array(recipe.targets(model.iterations, model.bits, model.stride))
        targets = [one.rate * base for one in training_sets]
    shares = [one.share for one in training_sets]
    return MixedBatches(sets, shares, targets, recipe.seed, workers.part)


def _kind_of_batches(training_sets: Sequence[TrainingSet]) -> type[PatchBatches]:
    """Who cuts the patches: an accelerator that has room for all images, or else the host."""
    memory = jax_accelerator_bytes()
    if memory is None:
        return PatchBatches
    sizes = [table_bytes(one.images) for one in training_sets]
    is_room = None not in sizes and sum(size or 0 for size in sizes) <= IMAGES_SHARE * memory
    return DevicePatchBatches if is_room else PatchBatches


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How a run goes, beside its recipe.

    Attributes:
        resume: go on from the folder's checkpoint.
        quiet: no progress bar.
        entropy_weights: for "rate-distortion", the file of the entropy network's weights to start
            from; None starts anew.
        callbacks: more of Keras's callbacks.
        workers: the processes that train together; see `tfrnnc.training.workers`.
    """

    resume: bool = False
    quiet: bool = False
    entropy_weights: Path | None = None
    callbacks: Sequence[keras.callbacks.Callback] = ()
    workers: Workers = ALONE


def train(
    model: ResidualCodec,
    training_sets: Sequence[TrainingSet],
    validation_sets: Mapping[str, TrainingSet],
    recipe: Recipe,
    folder: Path,
    options: RunOptions = RunOptions(),
) -> None:
    """Trains a model, leaving the best one and the state to resume from in a folder.

    After each epoch the folder holds `config.json` and `model.weights.h5` (the best model so
    far by validation loss, what `tfrnnc.load` takes), `checkpoint.weights.h5` (the whole state),
    `log.csv` and, where TensorFlow trains, `tensorboard/` with curves and sample pictures; for
    "rate-distortion" also the model's `entropy_model.bin` and the weights it was made from.
    Interrupted by Ctrl-C, SIGTERM or SIGHUP, it saves the state first. Of several workers only the
    first one writes; the folder of the others is where they find its checkpoint and log.

    Args:
        model: a codec model. Its weights are the starting point unless the run is resumed.
        training_sets: what to train on.
        validation_sets: what to measure on, by the names that the log gives them.
        recipe: how to train.
        folder: where the run is kept; made if missing.
        options: how the run goes.

    Raises:
        ConfigError: as `make_batches` does.
        DataError: if no image is large enough.
        ModelError: if the checkpoint of a resumed run is missing, damaged or of another model.
        TrainingError: if the loss is not finite, the bits vanish, the disk is full, a batch does
            not fit into memory, the log of a resumed run is damaged, something else is in the place
            of a file, or a worker is lost.
        KeyboardInterrupt: after the state was saved.
    """
    workers = options.workers
    if workers.is_first:
        require_places(folder)
    trained = compile_model(model, recipe)
    if options.entropy_weights is not None and isinstance(trained, JointModel):
        load_network(trained.entropy_network, options.entropy_weights)
    first, rows = _resumed(trained, folder) if options.resume else (0, [])
    batches = make_batches(model, training_sets, recipe, workers)
    measured = [ValidationSet.cut(*named, recipe, model) for named in validation_sets.items()]
    progress = Progress(first, recipe.total_steps, options.quiet or not workers.is_first)
    checkpoint = Checkpoint(folder, _best_loss(rows), writes=workers.is_first)
    measuring = Validation(measured, workers)
    all_callbacks = [
        measuring,
        # Logged before it is saved: what is logged after the last checkpoint is logged again.
        *([Log(folder / LOG_FILE, rows)] if workers.is_first else []),
        progress,
        checkpoint,
        *_tensorboard(folder, measuring),
        *options.callbacks,
    ]
    with explained_failures(folder), closing(progress):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with DeferredInterrupt(workers) as interrupt:
                _fit(trained, batches, recipe, first, [*all_callbacks, interrupt])
        except KeyboardInterrupt:
            checkpoint.save()
            raise


def _best_loss(rows: Sequence[Mapping[str, str]]) -> float:
    return min((float(row["val_loss"]) for row in rows), default=math.inf)


def _fit(
    trained: ResidualCodec | JointModel,
    batches: MixedBatches,
    recipe: Recipe,
    first: int,
    callbacks: Sequence[keras.callbacks.Callback],
) -> None:
    """Trains from one training step on to the end of the run."""
    # A run that was stopped within an epoch first finishes that one.
    epoch, done = divmod(first, recipe.steps_per_epoch)
    spans = [(epoch, epoch + 1, recipe.steps_per_epoch - done)] if done else []
    spans.append((epoch + len(spans), recipe.epochs, recipe.steps_per_epoch))
    for start, end, steps_per_epoch in spans:
        batches.first_batch = int(ops.convert_to_numpy(trained.optimizer.iterations))
        trained.fit(
            batches.for_fit(),
            initial_epoch=start,
            epochs=end,
            steps_per_epoch=steps_per_epoch,
            callbacks=list(callbacks),
            shuffle=False,
            verbose=0,
        )


def _resumed(trained: ResidualCodec | JointModel, folder: Path) -> tuple[int, list[dict[str, str]]]:
    """Reads the folder's checkpoint; returns the training steps done and what was logged of them.

    What was logged after the checkpoint will be logged again.
    """
    read_checkpoint(trained, folder / CHECKPOINT_FILE)
    first = int(ops.convert_to_numpy(trained.optimizer.iterations))
    _restore_random_state(trained, first)
    return first, read_log(folder / LOG_FILE, first)


def _restore_random_state(trained: ResidualCodec | JointModel, first: int) -> None:
    """Winds the random generators on, which Keras does not save: each counts its draws."""
    codec = trained.codec if isinstance(trained, JointModel) else trained
    draws = {codec.binarizer.seed_generator: codec.iterations if codec.stochastic else 0}
    if isinstance(trained, JointModel):
        draws[trained.seed_generator] = CUT_DRAWS if trained.cut_share else 0
    for generator, per_batch in draws.items():
        seed, _ = ops.convert_to_numpy(generator.state)
        generator.state.assign([seed, first * per_batch])


def _tensorboard(folder: Path, validation: Validation) -> list[keras.callbacks.Callback]:
    """What writes TensorBoard's files, where TensorFlow is installed and trains."""
    if keras.backend.backend() != "tensorflow":
        return []
    files = folder / TENSORBOARD_FOLDER
    return [EpochTensorBoard(files, write_graph=False), SamplePictures(files, validation)]
