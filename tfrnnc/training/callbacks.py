"""What happens during training: progress, validation, checkpoints."""

from __future__ import annotations

import math
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import ops
from tqdm import tqdm

from tfrnnc.backend import undistributed
from tfrnnc.data import centre_patches
from tfrnnc.errors import Terminated, TrainingError
from tfrnnc.files import replacing
from tfrnnc.images import to_float, to_uint8
from tfrnnc.metrics import block_ssim, psnr
from tfrnnc.model_folder.file_names import (
    CHECKPOINT_FILE,
    ENTROPY_MODEL_FILE,
    ENTROPY_WEIGHTS_FILE,
)
from tfrnnc.model_folder.keras_model import model_id, save_model, weights_content
from tfrnnc.models import ResidualCodec
from tfrnnc.models.entropy_network import EntropyNetwork
from tfrnnc.training.checkpoint import write_checkpoint
from tfrnnc.training.joint_model import JointModel
from tfrnnc.training.recipe import Recipe
from tfrnnc.training.training_set import TrainingSet
from tfrnnc.training.workers import ALONE, STOP_CHECK_BATCHES, AgreedStop, Workers

if TYPE_CHECKING:
    from types import FrameType, TracebackType

    from tfrnnc.training.log import Logs

PIXELS_AT_ONCE = 100 * 32 * 32  #: pixels that validation codes in one call
SAMPLES = 4  #: patches of each validation set that are shown in pictures
MAX_LOSS_DB = 6.0  #: of PSNR, since the best epoch, above which a run has diverged
MIN_BPP = 0.002  #: bits per pixel in the first iteration under which a codec has collapsed
_HANGUP = getattr(signal, "SIGHUP", None)  # Which Windows does not have.
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, *([_HANGUP] if _HANGUP else []))


class Progress(keras.callbacks.Callback):
    """A progress bar over the whole run, and a line for each epoch.

    The bar, with the loss and the batches per second, is shown on terminals only; the line, only
    where `Validation` has measured something.

    It also stops the run at a loss that is not a finite number; reading the loss waits for the
    device, so both happen every few batches only.

    Args:
        first: training steps done before.
        total: training steps of the whole run.
        quiet: show nothing.
        every: batches between two looks at the loss.
    """

    def __init__(self, first: int, total: int, quiet: bool, every: int = 10) -> None:
        super().__init__()
        self.every = every
        self.quiet = quiet
        self.bar = tqdm(
            total=total, initial=first, unit="step", disable=True if quiet else None, smoothing=0.02
        )
        self._since, self._batches = time.monotonic(), 0

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        self._batches += 1
        if self._batches % self.every:
            return
        loss = float(logs["loss"])
        require_finite(loss)
        now = time.monotonic()
        rate = self.every / (now - self._since)
        self._since = now
        self.bar.set_postfix_str(f"loss {loss:.5f}, {rate:.2f} batches/s", refresh=False)
        self.bar.update(self.every)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        self.bar.update(self._batches % self.every)
        self._batches = 0
        self._since = time.monotonic()
        if self.quiet or "val_loss" not in logs:
            return
        tqdm.write(
            f"epoch {epoch + 1}: {logs['steps_per_second']:.2f} batches/s, "
            f"loss {logs['loss']:.5f}, val_loss {logs['val_loss']:.5f}, SSIM / PSNR "
            f"{_shown_measures(logs)}",
            file=sys.stderr,
        )

    def close(self) -> None:
        """Ends the bar's line."""
        self.bar.close()


@dataclass(frozen=True)
class ValidationSet:
    """Patches to measure on.

    Attributes:
        name: what the log puts before the measures; empty for the only set.
        patches: uint8 (number, P, P, 3).
        targets: bits per pixel after each iteration; None where the rate is not trained.
        batch_size: patches coded at a time.
    """

    name: str
    patches: np.ndarray
    targets: np.ndarray | None = None
    batch_size: int = 100

    @classmethod
    def cut(
        cls, name: str, images: TrainingSet, recipe: Recipe, model: ResidualCodec
    ) -> ValidationSet:
        """Cuts the middle out of each image.

        Raises:
            DataError: if no image is large enough.
        """
        side = images.size("patch_size", recipe)
        targets = None
        if recipe.loss == "rate-distortion":
            base = recipe.targets(model.iterations, model.bits, model.stride)
            targets = images.rate * np.array(base)
        shown = f"the validation set {name!r}" if name else "the images to measure on"
        patches = centre_patches(images.images, side, name=shown)
        return cls(name, patches, targets, max(1, PIXELS_AT_ONCE // side**2))


def _shown_measures(logs: Mapping[str, float]) -> str:
    """SSIM and PSNR of some iterations, from an epoch's logs."""
    shown = []
    for key, ssim in logs.items():
        name, _, iteration = key.partition("ssim_")
        if not iteration.isdigit() or int(iteration) not in (1, 2, 4, 8, 16, 32, 64, 128):
            continue
        rate = logs.get(f"{name}bpp_{iteration}")
        at = f"{name.removeprefix('val_')}{iteration}" + (f" ({rate:.3f} bpp)" if rate else "")
        shown.append(f"{at}: {ssim:.3f} / {logs[f'{name}psnr_{iteration}']:.2f} dB")
    return ", ".join(shown)


class Validation(keras.callbacks.Callback):
    """Adds what `validate` measures to an epoch's logs, with training steps and learning rate.

    The loss `val_loss` is the mean over the sets. What is measured are the averaged weights, if
    the optimiser keeps an average. A run that has diverged ends with a `TrainingError`, before its
    weights are saved.

    Args:
        sets: what to measure on.
        workers: that train together. All measure, and go by the loss of the first.

    Attributes:
        samples: of each set, by its name, the first patches and what they were last coded to:
            uint8 (number, P, P, 3) and float (number, iterations, P, P, 3).
    """

    def __init__(self, sets: Sequence[ValidationSet], workers: Workers = ALONE) -> None:
        super().__init__()
        self.sets = sets
        self.workers = workers
        self.samples: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._best_psnrs: dict[str, float] = {}

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._since = time.monotonic()
        self._batches = 0

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._batches += 1

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        require_finite(float(logs["loss"]))
        seconds = time.monotonic() - self._since
        logs["step"] = int(ops.convert_to_numpy(self.model.optimizer.iterations))
        logs["steps_per_second"] = round(self._batches / seconds, 3)
        logs["learning_rate"] = float(ops.convert_to_numpy(self.model.optimizer.learning_rate))
        losses = []
        with averaged_weights(self.model):
            for one in self.sets:
                samples: list[np.ndarray] = []
                measured = validate(self.model, one.patches, one.batch_size, one.targets, samples)
                self.samples[one.name] = one.patches[: len(samples)], np.stack(samples)
                losses.append(measured.pop("val_loss"))
                prefix = f"val_{one.name}_" if one.name else "val_"
                logs.update(
                    {prefix + key.removeprefix("val_"): value for key, value in measured.items()}
                )
                require_bits(measured)
                self._require_convergence(one.name, measured)
        logs["val_loss"] = self.workers.value_of_first(float(np.mean(losses)))
        require_finite(logs["val_loss"])

    def _require_convergence(self, name: str, measured: Mapping[str, float]) -> None:
        """Raises TrainingError if most of what was learned is lost again."""
        psnr = max(value for key, value in measured.items() if key.startswith("val_psnr_"))
        best = self._best_psnrs[name] = max(psnr, self._best_psnrs.get(name, psnr))
        if psnr < best - MAX_LOSS_DB:
            raise TrainingError(
                f"the run has diverged: PSNR fell from {best:.2f} to {psnr:.2f} dB. Resume it from "
                "the last checkpoint, which is kept, with a lower --learning-rate or a higher "
                "--weight-decay"
            )


class Checkpoint(keras.callbacks.Callback):
    """Saves the whole training state after each epoch, and the model where it is the best yet.

    Args:
        folder: of the run.
        best: the least `val_loss` so far.
        writes: whether this worker is the one that writes; the others go along in what they
            compute, as weights are assigned on all workers or none.
    """

    def __init__(self, folder: Path, best: float = math.inf, writes: bool = True) -> None:
        super().__init__()
        self.folder = folder
        self.best = best
        self.writes = writes

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        if logs["val_loss"] < self.best:
            self.best = logs["val_loss"]
            with averaged_weights(self.model):
                if self.writes:
                    save_trained(self.model, self.folder)
        self.save()

    def save(self) -> None:
        """Saves weights, optimiser and random state, replacing what was saved before."""
        if self.writes:
            write_checkpoint(self.model, self.folder / CHECKPOINT_FILE)


def save_trained(trained: ResidualCodec | JointModel, folder: Path) -> None:
    """Writes the codec that `fit` trains into a folder, and its entropy model if it has one."""
    if not isinstance(trained, JointModel):
        with undistributed():  # The copy that is saved is this process's alone.
            save_model(trained, folder)
        return
    with undistributed():
        save_model(trained.codec, folder)
        save_entropy_network(trained.entropy_network, model_id(trained.codec), folder)


def save_entropy_network(network: EntropyNetwork, codec_id: bytes, folder: Path) -> None:
    """Writes a network's entropy model into a folder, and the weights that it was made from.

    Args:
        network: what was trained.
        codec_id: identity of the codec whose bits it predicts.
        folder: where both files go.
    """
    own = EntropyNetwork(
        network.iterations, network.bits, network.groups, network.hidden, network.width
    )
    own.set_weights(network.get_weights())
    content = own.to_entropy_model(codec_id).to_bytes()
    weights = weights_content(own)  # Without the state of an optimiser.
    with (
        replacing(folder / ENTROPY_MODEL_FILE) as model_file,
        replacing(folder / ENTROPY_WEIGHTS_FILE) as weights_file,
    ):
        model_file.write_bytes(content)
        weights_file.write_bytes(weights)


@contextmanager
def averaged_weights(trained: keras.Model) -> Iterator[None]:
    """Puts the optimiser's averages in the weights' place while the block runs."""
    optimizer = trained.optimizer
    if not optimizer.use_ema or not int(ops.convert_to_numpy(optimizer.iterations)):
        yield
        return
    weights = trained.trainable_variables
    # Copies, as on JAX a prediction gives the buffers of the weights away; on the devices, as from
    # elsewhere several workers would have to assign them together.
    kept = [ops.copy(weight.value) for weight in weights]
    for weight, average in zip(weights, optimizer._model_variables_moving_average, strict=True):
        weight.assign(ops.copy(average.value))
    try:
        yield
    finally:
        for weight, value in zip(weights, kept, strict=True):
            weight.assign(value)


class DeferredInterrupt(keras.callbacks.Callback):
    """Lets Ctrl-C, SIGTERM and SIGHUP take effect at the end of a batch, when the state is whole.

    A context manager around `fit` as well as a callback of it. A second signal takes effect at
    once, but for SIGHUP, which comes twice where shell and terminal both send it. Where nohup has
    SIGHUP ignored, it stays so.

    Args:
        workers: that train together. They agree every few batches, and at the end of an epoch,
            whether one of them was asked to stop, and stop after the same batch.

    Attributes:
        requested: the number of the signal that came; 0 for none.
    """

    def __init__(self, workers: Workers = ALONE) -> None:
        super().__init__()
        self.workers = workers
        self.requested = 0

    def __enter__(self) -> DeferredInterrupt:
        self._in_main_thread = threading.current_thread() is threading.main_thread()
        if self._in_main_thread:
            self._previous = {
                number: signal.signal(number, self._request)
                for number in _STOP_SIGNALS
                if number != _HANGUP or signal.getsignal(number) is not signal.SIG_IGN
            }
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._in_main_thread:
            for number, handler in self._previous.items():
                signal.signal(number, handler)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if self.workers.count == 1:
            if self.requested:
                raise _interruption(self.requested)
        elif (batch + 1) % STOP_CHECK_BATCHES == 0:
            self._stop_together()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.workers.count > 1:
            self._stop_together()

    def _stop_together(self) -> None:
        if number := self.workers.max(self.requested):
            raise AgreedStop(number=number)

    def _request(self, number: int, frame: FrameType | None) -> None:
        if self.requested and number != _HANGUP:
            raise _interruption(number)
        self.requested = number


def _interruption(number: int) -> KeyboardInterrupt:
    """What a signal raises."""
    return KeyboardInterrupt() if number == signal.SIGINT else Terminated(number=number)


def validate(
    trained: ResidualCodec | JointModel,
    patches: np.ndarray,
    batch_size: int = 100,
    targets: np.ndarray | None = None,
    samples: list[np.ndarray] | None = None,
) -> dict[str, float]:
    """Codes patches with deterministic bits and measures every iteration.

    Args:
        trained: a codec model, or one with its entropy model.
        patches: uint8 (number, P, P, 3).
        batch_size: patches coded at a time.
        targets: bits per pixel after each iteration, which a `JointModel` needs.
        samples: gets what the first `SAMPLES` patches are coded to, (iterations, P, P, 3) each.

    Returns:
        `val_loss`, as in training, and the means over the patches `val_psnr_T` in decibels and
        `val_ssim_T` (the paper's) for each iteration T from 1; of a `JointModel` also `val_bpp_T`.
    """
    loss = 0.0
    psnrs, ssims, rates = [], [], []
    for start in range(0, len(patches), batch_size):
        batch = patches[start : start + batch_size]
        images = to_float(batch)
        predicted = trained.predict_on_batch(images)
        wanted = None
        reconstructions = predicted
        if isinstance(trained, JointModel):
            reconstructions, bits_per_pixel = predicted
            wanted = np.broadcast_to(np.float32(targets), bits_per_pixel.shape)
            rates.extend(bits_per_pixel)
        loss += len(batch) * float(
            trained.compute_loss(x=images, y=wanted, y_pred=predicted, training=False)
        )
        if samples is not None:
            samples.extend(np.asarray(reconstructions[: SAMPLES - len(samples)], np.float32))
        for image, pictures in zip(batch, to_uint8(reconstructions), strict=True):
            psnrs.append([psnr(image, picture) for picture in pictures])
            ssims.append([block_ssim(image, picture) for picture in pictures])
    logs = {"val_loss": loss / len(patches)}
    for name, values in (("psnr", psnrs), ("ssim", ssims), ("bpp", rates)):
        for iteration, value in enumerate(np.mean(values, axis=0) if values else (), start=1):
            logs[f"val_{name}_{iteration}"] = float(value)
    return logs


def require_bits(measured: Mapping[str, float]) -> None:
    """Raises TrainingError if the first iteration has next to no bits left.

    Args:
        measured: what `validate` returned.
    """
    rate = measured.get("val_bpp_1", math.inf)
    if rate < MIN_BPP:
        raise TrainingError(
            f"the bits vanish: the first iteration takes {rate:.5f} bits per pixel. Resume the "
            "last good checkpoint with higher --target-bpp"
        )


def require_finite(loss: float) -> None:
    """Raises TrainingError unless the loss is a finite number."""
    if not math.isfinite(loss):
        raise TrainingError(
            f"the loss became {loss}; start again with a lower --learning-rate, or resume so from "
            "the last good checkpoint"
        )
