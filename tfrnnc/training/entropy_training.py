"""Trains the entropy model of a finished codec: the second, short stage."""

from __future__ import annotations

import csv
import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypeAlias

import keras
import numpy as np
from keras import ops
from tqdm import tqdm

from tfrnnc.backend import compiled, jit_compile
from tfrnnc.data import PatchBatches, centre_patches
from tfrnnc.errors import DataError
from tfrnnc.images import to_float
from tfrnnc.model_folder.file_names import ENTROPY_LOG_FILE
from tfrnnc.model_folder.keras_model import model_id
from tfrnnc.models import ResidualCodec
from tfrnnc.models.entropy_network import EntropyNetwork
from tfrnnc.training.callbacks import require_finite, save_entropy_network
from tfrnnc.training.entropy_start import fresh_network, load_network
from tfrnnc.training.failures import ENTROPY_FILES, explained_failures, require_places
from tfrnnc.training.recipe import Recipe
from tfrnnc.training.training_set import TrainingSet

#: Half of the batches have patches this many times as wide, in which borders matter less; they are
#: as large images are, not reduced unless they can be.
LARGE = 3
REUSE = 4  #: times that a coded patch is shown
MEASURED_PIXELS = 100 << 10  #: of a batch of patches to measure on

Coder: TypeAlias = Callable[[np.ndarray], np.ndarray]

logger = logging.getLogger("tfrnnc")


def train_entropy_model(
    model: ResidualCodec,
    training_sets: Sequence[TrainingSet],
    validation_sets: Mapping[str, TrainingSet],
    recipe: Recipe,
    folder: Path,
    quiet: bool = False,
    initial_weights: Path | None = None,
) -> EntropyNetwork:
    """Trains an entropy model, leaving the best one in a folder.

    The codec first codes all patches that will be needed; its weights do not change. After each
    epoch the folder's `entropy_log.csv` gets a line, and `entropy_model.bin` is replaced, with the
    weights that it was made from, if it is the best so far: if a bit of the validation sets costs
    the least, in the mean of the sets.

    Args:
        model: the finished codec.
        training_sets: what to train on; `rate` plays no part.
        validation_sets: what to measure on.
        recipe: how to train; `ssim_weight` plays no part.
        folder: where the entropy model is kept; made if missing.
        quiet: no progress bars.
        initial_weights: the file of an entropy network's weights to start from; None starts anew.

    Returns:
        the network after the last batch.

    Raises:
        ConfigError: if the network to start from does not fit the recipe.
        DataError: if no image is large enough.
        ModelError: if the weights to start from cannot be used.
        TrainingError: if the loss is not finite, the disk is full, a batch does not fit into
            memory, or something else is in the place of a file.
    """
    require_places(folder, ENTROPY_FILES)
    with explained_failures(folder):
        network = _compiled_network(model, recipe)
        if initial_weights is not None:
            load_network(network, initial_weights)
        code = _coder(model)
        pools = list(_pools(code, training_sets, recipe, quiet))
        validation = [_coded_centres(code, one, recipe) for one in validation_sets.values()]
        return _train(network, model_id(model), pools, validation, recipe, folder, quiet)


class _Pool(NamedTuple):
    """Coded patches.

    Attributes:
        codes: int8 (number, iterations, h, w, bits).
        batch_size: how many make a batch.
        share: of the batches.
    """

    codes: np.ndarray
    batch_size: int
    share: float


def _train(
    network: EntropyNetwork,
    codec_id: bytes,
    pools: Sequence[_Pool],
    validation: Sequence[Sequence[np.ndarray]],
    recipe: Recipe,
    folder: Path,
    quiet: bool,
) -> EntropyNetwork:
    """Trains on coded patches, and measures on sets of them."""
    chances = np.array([pool.share for pool in pools])
    rng = np.random.default_rng(recipe.seed)
    folder.mkdir(parents=True, exist_ok=True)
    best = math.inf
    with (
        (folder / ENTROPY_LOG_FILE).open("w", newline="") as log,
        tqdm(total=recipe.total_steps, unit="step", disable=True if quiet else None) as bar,
    ):
        writer = csv.writer(log)
        iterations = range(1, network.iterations + 1)
        writer.writerow(
            ["epoch", "loss", "val_loss", *(f"val_loss_{iteration}" for iteration in iterations)]
        )
        for epoch in range(1, recipe.epochs + 1):
            losses = []
            for _ in range(recipe.steps_per_epoch):
                pool = pools[rng.choice(len(pools), p=chances)]
                chosen = pool.codes[rng.integers(0, len(pool.codes), pool.batch_size)]
                losses.append(network.train_on_batch(chosen.astype(np.float32)))
                bar.update()
            loss = float(np.mean([float(value) for value in losses]))
            require_finite(loss)
            iteration_losses = np.mean([_mean_lengths(network, codes) for codes in validation], 0)
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
                save_entropy_network(network, codec_id, folder)
    return network


def _compiled_network(model: ResidualCodec, recipe: Recipe) -> EntropyNetwork:
    """A fresh network for the model's bits, with the recipe's optimiser."""
    network = fresh_network(model, recipe)
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


def _coder(model: ResidualCodec) -> Coder:
    """A function from images (B, H, W, 3), of one size, to int8 (B, iterations, h, w, bits)."""
    graph = compiled(model.latent_bits)

    def code(images: np.ndarray) -> np.ndarray:
        bits: np.ndarray = ops.convert_to_numpy(graph(images))
        return bits.astype(np.int8)

    return code


def _mean_lengths(network: EntropyNetwork, batches: Sequence[np.ndarray]) -> np.ndarray:
    """`code_lengths` of several batches, floats (iterations,)."""
    lengths = [code_lengths(network, codes) for codes in batches]
    mean: np.ndarray = np.average(lengths, axis=0, weights=[len(codes) for codes in batches])
    return mean


def _coded_centres(code: Coder, one: TrainingSet, recipe: Recipe) -> list[np.ndarray]:
    """The centres of a set's images, coded in batches."""
    patches = centre_patches(one.images, one.size("patch_size", recipe))
    count = max(1, MEASURED_PIXELS // patches[0, ..., 0].size)
    return [
        code(to_float(patches[start : start + count])) for start in range(0, len(patches), count)
    ]


def _pools(
    code: Coder, training_sets: Sequence[TrainingSet], recipe: Recipe, quiet: bool
) -> Iterator[_Pool]:
    """The coded patches of each set, of its size; those without one take larger ones, too."""
    shares = np.array([one.share for one in training_sets])
    for number, (one, share) in enumerate(zip(training_sets, shares / shares.sum(), strict=True)):
        own = replace(
            recipe,
            patch_size=one.size("patch_size", recipe),
            batch_size=one.size("batch_size", recipe),
            min_downscale=one.size("min_downscale", recipe),
            max_downscale=one.size("max_downscale", recipe),
            seed=recipe.seed + number,
        )
        if one.patch_size is not None:
            yield _pool(code, one.images, own, share, quiet)
            continue
        pools = [_pool(code, one.images, own, share / 2, quiet)]
        side, count = LARGE * own.patch_size, max(1, own.batch_size // LARGE**2)
        large = replace(own, patch_size=side, batch_size=count, min_downscale=1)
        try:
            pools.append(_pool(code, one.images, large, share / 2, quiet))
        except DataError:
            logger.warning(
                "no image has %d pixels in both directions: the entropy model is trained on "
                "patches of %d pixels only, and compresses large images less well",
                side,
                own.patch_size,
            )
            pools = [pools[0]._replace(share=share)]
        yield from pools


def _pool(
    code: Coder, images: Sequence[np.ndarray], recipe: Recipe, share: float, quiet: bool
) -> _Pool:
    """Codes patches of the recipe's size for a share of the batches."""
    side, count = recipe.patch_size, recipe.batch_size
    batches = PatchBatches(
        images, count, side, recipe.min_downscale, recipe.max_downscale, recipe.seed
    )
    number = math.ceil(recipe.total_steps * share / REUSE)
    bar = tqdm(range(number), f"coding {side}x{side}", disable=True if quiet else None)
    return _Pool(np.concatenate([code(batches[index][0]) for index in bar]), count, share)
