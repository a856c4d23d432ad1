"""What happens during training: progress, validation, checkpoints."""

from __future__ import annotations

import math
import signal
import sys
import threading
import time
from pathlib import Path

import keras
import numpy as np
from keras import ops
from tqdm import tqdm

from tfrnnc.errors import TrainingError
from tfrnnc.files import replacing
from tfrnnc.images import to_float, to_uint8
from tfrnnc.metrics import block_ssim, psnr
from tfrnnc.model_folder.file_names import CHECKPOINT_FILE
from tfrnnc.model_folder.keras_model import save_model
from tfrnnc.models import ResidualCodec


class Progress(keras.callbacks.Callback):
    """A progress bar over the whole run, and a line for each epoch.

    The bar, with the loss and the patches a second, is shown on terminals only; the line, only
    where `Validation` has measured something.

    It also stops the run at a loss that is not a finite number; reading the loss waits for the
    device, so both happen every few batches only.

    Args:
        first: training steps done before.
        total: training steps of the whole run.
        batch_size: patches in a batch.
        quiet: show nothing.
        every: batches between two looks at the loss.
    """

    def __init__(self, first: int, total: int, batch_size: int, quiet: bool, every: int = 10):
        super().__init__()
        self.batch_size = batch_size
        self.every = every
        self.quiet = quiet
        self.bar = tqdm(
            total=total, initial=first, unit="step", disable=True if quiet else None, smoothing=0.02
        )
        self._since, self._batches = time.monotonic(), 0

    def on_train_batch_end(self, batch, logs=None):
        self._batches += 1
        if self._batches % self.every:
            return
        loss = float(logs["loss"])
        require_finite(loss)
        now = time.monotonic()
        rate = self.every * self.batch_size / (now - self._since)
        self._since = now
        self.bar.set_postfix_str(f"loss {loss:.5f}, {rate:.0f} patches/s", refresh=False)
        self.bar.update(self.every)

    def on_epoch_end(self, epoch, logs=None):
        self.bar.update(self._batches % self.every)
        self._batches = 0
        self._since = time.monotonic()
        if self.quiet or "val_loss" not in logs:
            return
        iterations = [key.removeprefix("val_ssim_") for key in logs if key.startswith("val_ssim_")]
        shown = ", ".join(
            f"{iteration}: {logs[f'val_ssim_{iteration}']:.3f} / "
            f"{logs[f'val_psnr_{iteration}']:.2f} dB"
            for iteration in iterations
            if int(iteration) & (int(iteration) - 1) == 0
        )
        tqdm.write(
            f"epoch {epoch + 1}: {logs['steps_per_second'] * self.batch_size:.0f} patches/s, "
            f"loss {logs['loss']:.5f}, val_loss {logs['val_loss']:.5f}, SSIM / PSNR {shown}",
            file=sys.stderr,
        )

    def close(self):
        """Ends the bar's line."""
        self.bar.close()


class Validation(keras.callbacks.Callback):
    """Adds what `validate` measures to an epoch's logs, and the training steps so far.

    Args:
        patches: uint8 (number, P, P, 3).
        batch_size: patches coded at a time.
    """

    def __init__(self, patches: np.ndarray, batch_size: int = 100):
        super().__init__()
        self.patches = patches
        self.batch_size = batch_size

    def on_epoch_begin(self, epoch, logs=None):
        self._since = time.monotonic()
        self._batches = 0

    def on_train_batch_end(self, batch, logs=None):
        self._batches += 1

    def on_epoch_end(self, epoch, logs=None):
        require_finite(float(logs["loss"]))
        seconds = time.monotonic() - self._since
        logs["step"] = int(ops.convert_to_numpy(self.model.optimizer.iterations))
        logs["steps_per_second"] = round(self._batches / seconds, 3)
        logs.update(validate(self.model, self.patches, self.batch_size))
        require_finite(logs["val_loss"])


class Checkpoint(keras.callbacks.Callback):
    """Saves the whole training state after each epoch, and the model where it is the best yet.

    Args:
        folder: of the run.
        best: the least `val_loss` so far.
    """

    def __init__(self, folder: Path, best: float = math.inf):
        super().__init__()
        self.folder = folder
        self.best = best

    def on_epoch_end(self, epoch, logs=None):
        if logs["val_loss"] < self.best:
            self.best = logs["val_loss"]
            save_model(self.model, self.folder)
        self.save()

    def save(self):
        """Saves weights, optimiser and random state, replacing what was saved before."""
        with replacing(self.folder / CHECKPOINT_FILE) as temporary:
            self.model.save_weights(temporary)


class DeferredInterrupt(keras.callbacks.Callback):
    """Lets Ctrl-C take effect at the end of a batch, when the state is whole.

    A context manager around `fit` as well as a callback of it. A second Ctrl-C takes effect at
    once.
    """

    def __init__(self):
        super().__init__()
        self.requested = False

    def __enter__(self):
        self._in_main_thread = threading.current_thread() is threading.main_thread()
        if self._in_main_thread:
            self._previous = signal.signal(signal.SIGINT, self._request)
        return self

    def __exit__(self, *exception):
        if self._in_main_thread:
            signal.signal(signal.SIGINT, self._previous)

    def on_train_batch_end(self, batch, logs=None):
        if self.requested:
            raise KeyboardInterrupt

    def _request(self, number, frame):
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True


def validate(model: ResidualCodec, patches: np.ndarray, batch_size: int = 100) -> dict[str, float]:
    """Codes patches with deterministic bits and measures every iteration.

    Args:
        model: any codec model.
        patches: uint8 (number, P, P, 3).
        batch_size: patches coded at a time.

    Returns:
        `val_loss`, as in training, and the means over the patches `val_psnr_T` in decibels and
        `val_ssim_T` (the paper's) for each iteration T from 1.
    """
    loss = 0.0
    psnrs, ssims = [], []
    for start in range(0, len(patches), batch_size):
        batch = patches[start : start + batch_size]
        images = to_float(batch)
        reconstructions = model.predict_on_batch(images)
        loss += len(batch) * float(model.compute_loss(x=images, y_pred=reconstructions))
        for image, pictures in zip(batch, to_uint8(reconstructions), strict=True):
            psnrs.append([psnr(image, picture) for picture in pictures])
            ssims.append([block_ssim(image, picture) for picture in pictures])
    logs = {"val_loss": loss / len(patches)}
    for name, values in (("psnr", psnrs), ("ssim", ssims)):
        for iteration, value in enumerate(np.mean(values, axis=0), start=1):
            logs[f"val_{name}_{iteration}"] = float(value)
    return logs


def require_finite(loss: float) -> None:
    """Raises TrainingError unless the loss is a finite number."""
    if not math.isfinite(loss):
        raise TrainingError(
            f"the loss became {loss}; the last good checkpoint is kept. Resume with a lower "
            "--learning-rate"
        )
