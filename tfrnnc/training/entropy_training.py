"""Trains the entropy model of a finished codec: the second, short stage."""

from __future__ import annotations

import csv
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
from keras import ops
from tqdm import tqdm

from tfrnnc.backend import compiled, jit_compile
from tfrnnc.data import PatchBatches, centre_patches
from tfrnnc.errors import DataError
from tfrnnc.files import replacing
from tfrnnc.images import to_float
from tfrnnc.model_folder.file_names import ENTROPY_LOG_FILE, ENTROPY_MODEL_FILE
from tfrnnc.model_folder.keras_model import model_id
from tfrnnc.models import ResidualCodec
from tfrnnc.models.entropy_network import EntropyNetwork
from tfrnnc.training.callbacks import require_finite
from tfrnnc.training.failures import ENTROPY_FILES, explained_failures, require_places
from tfrnnc.training.recipe import Recipe

#: Half of the batches have patches this many times as wide, in which borders matter less; they are
#: as large images are, not reduced unless they can be.
LARGE = 3
REUSE = 8  #: times that a coded patch is shown

logger = logging.getLogger("tfrnnc")


def train_entropy_model(
    model: ResidualCodec,
    images: Sequence[np.ndarray],
    validation_images: Sequence[np.ndarray],
    recipe: Recipe,
    folder: Path,
    quiet: bool = False,
) -> EntropyNetwork:
    """Trains an entropy model, leaving the best one in a folder.

    The codec first codes all patches that will be needed; its weights do not change. After each
    epoch the folder's `entropy_log.csv` gets a line, and `entropy_model.bin` is replaced if it
    is the best so far by the length of the validation patches' payload.

    Args:
        model: the finished codec.
        images: uint8 arrays (H, W, 3) to train on.
        validation_images: uint8 arrays (H, W, 3) to measure on.
        recipe: how to train; `ssim_weight` plays no part.
        folder: where the entropy model is kept; made if missing.
        quiet: no progress bars.

    Returns:
        the network after the last batch.

    Raises:
        DataError: if no image is large enough.
        TrainingError: if the loss is not finite, the disk is full, a batch does not fit into
            memory, or something else is in the place of a file.
    """
    require_places(folder, ENTROPY_FILES)
    with explained_failures(folder):
        return _train(model, images, validation_images, recipe, folder, quiet)


def _train(
    model: ResidualCodec,
    images: Sequence[np.ndarray],
    validation_images: Sequence[np.ndarray],
    recipe: Recipe,
    folder: Path,
    quiet: bool,
) -> EntropyNetwork:
    """Does what `train_entropy_model` promises."""
    pools = _pools(model, images, recipe, quiet)
    patches = centre_patches(validation_images, recipe.patch_size)
    code = _coder(model)
    validation = [
        code(to_float(patches[start : start + 100])) for start in range(0, len(patches), 100)
    ]
    network = _compiled_network(model, recipe)
    rng = np.random.default_rng(recipe.seed)
    folder.mkdir(parents=True, exist_ok=True)
    best = math.inf
    with (
        (folder / ENTROPY_LOG_FILE).open("w", newline="") as log,
        tqdm(total=recipe.total_steps, unit="step", disable=True if quiet else None) as bar,
    ):
        writer = csv.writer(log)
        iterations = range(1, model.iterations + 1)
        writer.writerow(
            ["epoch", "loss", "val_loss", *(f"val_loss_{iteration}" for iteration in iterations)]
        )
        for epoch in range(1, recipe.epochs + 1):
            losses = []
            for _ in range(recipe.steps_per_epoch):
                codes, count = pools[rng.integers(len(pools))]
                chosen = codes[rng.integers(0, len(codes), count)]
                losses.append(network.train_on_batch(chosen.astype(np.float32)))
                bar.update()
            loss = float(np.mean([float(value) for value in losses]))
            require_finite(loss)
            iteration_losses = np.average(
                [code_lengths(network, codes) for codes in validation],
                axis=0,
                weights=[len(codes) for codes in validation],
            )
            val_loss = float(np.mean(iteration_losses))
            writer.writerow([epoch, *(f"{v:.5f}" for v in (loss, val_loss, *iteration_losses))])
            log.flush()
            if not quiet:
                tqdm.write(
                    f"epoch {epoch}: a bit costs {loss:.4f} bits, {val_loss:.4f} in validation "
                    f"({iteration_losses[0]:.4f} in the first iteration)"
                )
            if val_loss < best:
                best = val_loss
                content = network.to_entropy_model(model_id(model)).to_bytes()
                with replacing(folder / ENTROPY_MODEL_FILE) as temporary:
                    temporary.write_bytes(content)
    return network


def _compiled_network(model: ResidualCodec, recipe: Recipe) -> EntropyNetwork:
    """A fresh network for the model's bits, with the recipe's optimiser."""
    network = EntropyNetwork(model.iterations, model.bits, groups=min(4, model.bits))
    schedule = keras.optimizers.schedules.CosineDecay(recipe.peak_learning_rate, recipe.total_steps)
    optimizer = keras.optimizers.Adam(schedule, global_clipnorm=recipe.clip_norm)
    network.compile(optimizer=optimizer, jit_compile=jit_compile())
    return network


def code_lengths(network: EntropyNetwork, codes: np.ndarray) -> np.ndarray:
    """Bits that each bit's code takes, for each iteration.

    Args:
        network: the entropy model.
        codes: -1 and +1, (number, iterations, h, w, bits).

    Returns:
        floats (iterations,).
    """
    codes = codes.astype(np.float32)
    logits = ops.convert_to_numpy(network.predict_on_batch(codes))
    lengths: np.ndarray = np.logaddexp(0, -logits * codes).mean(axis=(0, 2, 3, 4)) / math.log(2)
    return lengths


def _coder(model: ResidualCodec) -> Callable[[np.ndarray], np.ndarray]:
    """A function from images (B, H, W, 3), of one size, to int8 (B, iterations, h, w, bits)."""
    graph = compiled(model.latent_bits)

    def code(images: np.ndarray) -> np.ndarray:
        bits: np.ndarray = ops.convert_to_numpy(graph(images))
        return bits.astype(np.int8)

    return code


def _pools(
    model: ResidualCodec, images: Sequence[np.ndarray], recipe: Recipe, quiet: bool
) -> list[tuple[np.ndarray, int]]:
    """Coded patches of the recipe's size, and of larger ones if images allow."""
    pools = [_pool(model, images, recipe, recipe.patch_size, recipe.batch_size, quiet)]
    try:
        side, count = LARGE * recipe.patch_size, max(1, recipe.batch_size // LARGE**2)
        pools.append(_pool(model, images, replace(recipe, min_downscale=1), side, count, quiet))
    except DataError:
        logger.warning(
            "no image has %d pixels in both directions: the entropy model is trained on patches "
            "of %d pixels only, and compresses large images less well",
            side,
            recipe.patch_size,
        )
    return pools


def _pool(
    model: ResidualCodec,
    images: Sequence[np.ndarray],
    recipe: Recipe,
    side: int,
    count: int,
    quiet: bool,
) -> tuple[np.ndarray, int]:
    """Codes patches: int8 (number, iterations, h, w, bits), and how many make a batch."""
    batches = PatchBatches(
        images, count, side, recipe.min_downscale, recipe.max_downscale, recipe.seed
    )
    code = _coder(model)
    number = -(-recipe.total_steps // REUSE)
    bar = tqdm(range(number), f"coding {side}x{side}", disable=True if quiet else None)
    return np.concatenate([code(batches[index][0]) for index in bar]), count
