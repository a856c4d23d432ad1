"""Trains previews: tables from pictures, and then the network that restores what they decode to."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
from keras import ops
from PIL import Image

from tfrnnc.backend import jit_compile
from tfrnnc.errors import DataError, TrainingError
from tfrnnc.files import replacing
from tfrnnc.images import find_images, read_image
from tfrnnc.metrics import block_ssim, psnr
from tfrnnc.model_folder.file_names import LOG_FILE
from tfrnnc.preview.colour import colour_levels, quantise_colour
from tfrnnc.preview.fitting import fit_tables
from tfrnnc.preview.layout import (
    DECODER_FILE,
    HEADER_BYTES,
    LAYERS,
    SIDE,
    STEPS,
    network_hints,
)
from tfrnnc.preview.network import PreviewNetwork
from tfrnnc.preview.quantiser import CHANNEL_WEIGHTS, Quantiser, analyse
from tfrnnc.preview.recipe import PreviewRecipe
from tfrnnc.preview.tables import Tables
from tfrnnc.preview.transform import pictures
from tfrnnc.preview.weights import DecoderFile, write_decoder
from tfrnnc.training.callbacks import Progress
from tfrnnc.training.failures import explained_failures, require_places
from tfrnnc.training.log import Log, Logs
from tfrnnc.training.optimizers import MatrixForm, Muon
from tfrnnc.training.schedule import WarmupHoldDecay

MEASURED_BYTES = (12, 16, 24, 32, 48, 64)
_TRAINED_BYTES = (8, 12, 16, 20, 24, 32, 40, 48, 64)
_RATES = np.array([0.08, 0.13, 0.2], np.float32)  #: what a bit costs, drawn for each picture
_ENDING_BITS = 2  #: that it takes to settle the last coefficient
_KEPT_SIDE = 128  #: images are reduced to about this before crops are taken
_FITTED = 4000  #: pictures that the tables are fitted to
_CHUNK = 1000  #: pictures that are quantised at once
_FILTERS = (Image.Resampling.BOX, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)


def read_crops(folders: Sequence[Path], recipe: PreviewRecipe) -> np.ndarray:
    """Random crops of images, reduced to 32x32, uint8 (N, 32, 32, 3).

    Each folder gives as many; the images of a folder take turns.

    Raises:
        DataError: if a folder has no images, or an image is smaller than 32 pixels.
        ImageError: if one cannot be read.
    """
    generator = np.random.default_rng(recipe.seed)
    crops = []
    for folder in folders:
        paths = _images_of(folder)
        wanted = -(-recipe.pictures // len(folders))
        for index, path in enumerate(paths):
            image = _reduced(path)
            crops += [_crop(image, generator) for _ in range(index, wanted, len(paths))]
    return generator.permutation(np.stack(crops))


class DecodedPictures(NamedTuple):
    """What the network is trained or measured on.

    Attributes:
        pixels: the originals, uint8 (N, 32, 32, 3).
        decoded: as decoded from each number of bytes, uint8 (sizes, N, 32, 32, 3).
        hints: see `network_hints`, int16 (sizes, N, 2).
    """

    pixels: np.ndarray
    decoded: np.ndarray
    hints: np.ndarray


def decode_at_sizes(
    pixels: np.ndarray, tables: Tables, sizes: Sequence[int], seed: int
) -> DecodedPictures:
    """Pictures as they are decoded before the network, from the best step for each size."""
    quantiser = Quantiser(tables)
    generator = np.random.default_rng(seed)
    decoded = np.empty((len(sizes), *pixels.shape), np.uint8)
    hints = np.empty((len(sizes), len(pixels), 2), np.int16)
    for start in range(0, len(pixels), _CHUNK):
        part = slice(start, start + _CHUNK)
        average = colour_levels(quantise_colour(pixels[part]))
        coefficients = analyse(pixels[part], average)[:, tables.place]
        rates = generator.choice(_RATES, len(average))
        steps, levels = _best_steps(quantiser, coefficients, rates, sizes)
        for index, size in enumerate(sizes):
            values = quantiser.dequantise(levels[index], steps[index])
            decoded[index, part] = pictures(values, average, tables)
            hints[index, part] = network_hints(steps[index], size)
    return DecodedPictures(pixels, decoded, hints)


def _best_steps(
    quantiser: Quantiser, coefficients: np.ndarray, rates: np.ndarray, sizes: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """The steps with the least error at each size, (sizes, N), and levels (sizes, N, K)."""
    number = len(coefficients)
    weights = CHANNEL_WEIGHTS[quantiser.tables.channel]
    columns = np.ascontiguousarray(coefficients.T)
    best = np.full((len(sizes), number), np.inf)
    steps = np.zeros((len(sizes), number), np.intp)
    levels = np.zeros((len(sizes), *coefficients.shape), np.int16)
    for step in range(STEPS):
        quantised = quantiser.quantise(columns, np.full(number, step), rates)
        spent = np.cumsum(quantised.bits, axis=0).T
        values = quantiser.dequantise(quantised.levels.T, np.full(number, step))
        gain = ((coefficients**2 - (coefficients - values) ** 2) * weights**2).astype(np.float32)
        for index, size in enumerate(sizes):
            kept = spent <= 8 * (size - HEADER_BYTES) - _ENDING_BITS
            error = -(gain * kept).sum(1)
            better = error < best[index]
            best[index][better], steps[index][better] = error[better], step
            levels[index][better] = np.where(kept, quantised.levels.T, 0)[better]
    return steps, levels


def make_network(recipe: PreviewRecipe) -> PreviewNetwork:
    """A network that is not trained yet, compiled."""
    network = PreviewNetwork(recipe.ssim_weight)
    forms = {part.kernel.path: MatrixForm() for part in network.parts}
    decay_steps = max(1, round(recipe.decay_share * (recipe.total_steps - recipe.warmup_steps)))
    schedule = WarmupHoldDecay(
        recipe.learning_rate, recipe.warmup_steps, recipe.total_steps, decay_steps
    )
    optimizer = Muon(
        schedule,
        recipe.adam_learning_rate,
        forms,
        recipe.learning_rate,
        global_clipnorm=1.0,
    )
    network.compile(optimizer=optimizer, jit_compile=jit_compile())
    optimizer.build(network.trainable_variables)
    return network


def train_preview(
    folders: Sequence[Path],
    validation: Path,
    recipe: PreviewRecipe,
    folder: Path,
    quiet: bool = False,
) -> None:
    """Trains, leaving the decoder's file and the log in a folder after each epoch.

    Args:
        folders: of images to train on.
        validation: a folder of images to measure on.
        recipe: how to train.
        folder: of the run; made if missing.
        quiet: no progress bar.

    Raises:
        DataError: if a folder has no images, or small ones.
        ImageError: if an image cannot be read.
        TrainingError: if the loss is not finite, the disk is full, memory is short, or something
            else is in the place of a file.
    """
    require_places(folder, (DECODER_FILE, LOG_FILE))
    keras.utils.set_random_seed(recipe.seed)
    crops = read_crops(folders, recipe)
    tables = fit_tables(crops[:_FITTED])
    measured = np.stack([_whole(path) for path in _images_of(validation)])
    data = decode_at_sizes(crops, tables, _TRAINED_BYTES, recipe.seed)
    network = make_network(recipe)
    progress = Progress(0, recipe.total_steps, quiet)
    callbacks = [
        _Validation(decode_at_sizes(measured, tables, MEASURED_BYTES, recipe.seed)),
        Log(folder / LOG_FILE, []),
        _Saving(folder, tables),
        progress,
    ]
    with explained_failures(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            network.fit(
                _batches(data, recipe),
                epochs=recipe.epochs,
                steps_per_epoch=recipe.steps_per_epoch,
                callbacks=callbacks,
                shuffle=False,
                verbose=0,
            )
        finally:
            progress.close()


def decoder_of(network: PreviewNetwork, tables: Tables) -> DecoderFile:
    """What the decoder's file holds of a network and the tables that it was trained with."""
    return DecoderFile(
        tables, {name: part.export() for name, part in zip(LAYERS, network.parts, strict=True)}
    )


def _batches(
    data: DecodedPictures, recipe: PreviewRecipe
) -> Iterator[tuple[dict[str, np.ndarray]]]:
    generator = np.random.default_rng((recipe.seed, 1))
    while True:
        size = generator.integers(len(data.decoded), size=recipe.batch_size)
        index = generator.integers(len(data.pixels), size=recipe.batch_size)
        batch = {"pixels": data.pixels[index], "decoded": data.decoded[size, index]}
        mirrored = generator.random(recipe.batch_size) < 0.5
        for values in batch.values():
            values[mirrored] = values[mirrored][:, :, ::-1]
        yield ({**batch, "hints": data.hints[size, index]},)


class _Validation(keras.callbacks.Callback):
    """Measures pictures and the loss after each epoch, without the search of the encoder."""

    def __init__(self, data: DecodedPictures):
        super().__init__()
        self.data = data

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._start = time.monotonic(), self._step()

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        start, first = self._start
        logs["step"] = self._step()
        logs["steps_per_second"] = (logs["step"] - first) / (time.monotonic() - start)
        losses = []
        for index, size in enumerate(MEASURED_BYTES):
            inputs = {
                "pixels": self.data.pixels,
                "decoded": self.data.decoded[index],
                "hints": self.data.hints[index],
            }
            restored = self.model.predict_on_batch(inputs)
            losses.append(float(self.model.compute_loss(inputs, y_pred=restored)))
            shown = np.clip(restored, 0, 255).astype(np.uint8)
            pairs = list(zip(self.data.pixels, shown, strict=True))
            logs[f"val_psnr_{size:02}"] = float(np.mean([psnr(*pair) for pair in pairs]))
            logs[f"val_ssim_{size:02}"] = float(np.mean([block_ssim(*pair) for pair in pairs]))
        logs["val_loss"] = float(np.mean(losses))
        if not math.isfinite(logs["val_loss"]):
            raise TrainingError("the validation loss is not finite; lower the learning rate")

    def _step(self) -> int:
        return int(ops.convert_to_numpy(self.model.optimizer.iterations))


class _Saving(keras.callbacks.Callback):
    """Saves the decoder after each epoch."""

    def __init__(self, folder: Path, tables: Tables):
        super().__init__()
        self.folder = folder
        self.tables = tables

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        with replacing(self.folder / DECODER_FILE) as file:
            file.write_bytes(write_decoder(decoder_of(self.model, self.tables)))


def _crop(image: Image.Image, generator: np.random.Generator) -> np.ndarray:
    side = min(image.size) * (1 if generator.random() < 0.6 else generator.uniform(0.6, 1))
    width = height = side
    if generator.random() < 0.4:  # Pictures that are not square are stretched.
        ratio = generator.uniform(0.5, 1)
        width, height = (side * ratio, side) if generator.random() < 0.5 else (side, side * ratio)
    left = generator.uniform(0, image.width - width)
    top = generator.uniform(0, image.height - height)
    resampling = _FILTERS[generator.integers(len(_FILTERS))]
    box = (left, top, left + width, top + height)
    return np.asarray(image.resize((SIDE, SIDE), resampling, box))


def _images_of(folder: Path) -> list[Path]:
    if not (paths := find_images(folder)):
        raise DataError(f"{folder}: no images in it; give a folder of images")
    return paths


def _reduced(path: Path) -> Image.Image:
    image = Image.fromarray(read_image(path))
    if min(image.size) < SIDE:
        raise DataError(f"{path}: {image.width}x{image.height}; images need {SIDE} pixels a side")
    return image.reduce(max(1, min(image.size) // _KEPT_SIDE))


def _whole(path: Path) -> np.ndarray:
    image = Image.fromarray(read_image(path))
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.LANCZOS))
