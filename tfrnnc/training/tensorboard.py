"""What TensorBoard shows of a run: measures, the learning rate and sample pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from tfrnnc.images import to_uint8
from tfrnnc.training.callbacks import Validation

if TYPE_CHECKING:
    from tfrnnc.training.log import Logs

SAMPLES_FOLDER = "samples"  #: below the folder of TensorBoard's files
SHOWN_ITERATIONS = 5  #: of sample pictures, from the first to the last
_MIN_SIDE = 64  # pixels; smaller patches are enlarged


class EpochTensorBoard(keras.callbacks.TensorBoard):
    """Keras's callback, with epochs counted from 1 as in the log and on the terminal.

    It writes the learning rate as `epoch_learning_rate`.
    """

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        super().on_epoch_end(epoch + 1, logs)


class SamplePictures(keras.callbacks.Callback):
    """Shows some validation patches as the model codes them, after each epoch.

    A row for each patch: the original, then the picture after some iterations.

    Args:
        folder: for TensorBoard's files.
        validation: that measured before; see `Validation.samples`.
    """

    def __init__(self, folder: Path, validation: Validation) -> None:
        super().__init__()
        self._folder = folder / SAMPLES_FOLDER
        self._validation = validation
        self._writer: Any = None

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        import tensorflow as tf

        if self._writer is None:
            self._writer = tf.summary.create_file_writer(str(self._folder))
        with self._writer.as_default():
            for name, (patches, reconstructions) in self._validation.samples.items():
                shown = shown_iterations(reconstructions.shape[1])
                tf.summary.image(
                    name or "validation",
                    sample_sheet(patches, reconstructions, shown)[None],
                    step=epoch + 1,
                    description=f"the original, then after iterations {', '.join(map(str, shown))}",
                )
        self._writer.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def shown_iterations(iterations: int) -> list[int]:
    """The iterations of sample pictures.

    Examples:
        >>> shown_iterations(16), shown_iterations(3)
        ([1, 2, 4, 8, 16], [1, 2, 3])
    """
    places = np.geomspace(1, iterations, min(SHOWN_ITERATIONS, iterations))
    return sorted({round(float(place)) for place in places})


def sample_sheet(
    patches: np.ndarray, reconstructions: np.ndarray, iterations: list[int]
) -> np.ndarray:
    """Patches in rows, each beside its pictures after some iterations.

    Args:
        patches: uint8 (number, P, P, 3).
        reconstructions: float (number, iterations, P, P, 3).
        iterations: that are shown, counted from 1.

    Returns:
        uint8 (height, width, 3).
    """
    chosen = to_uint8(reconstructions[:, [iteration - 1 for iteration in iterations]])
    pictures = np.concatenate([patches[:, None], chosen], axis=1)
    number, columns, side, _, channels = pictures.shape
    sheet = pictures.transpose(0, 2, 1, 3, 4).reshape(number * side, columns * side, channels)
    factor = -(-_MIN_SIDE // side)
    return sheet.repeat(factor, axis=0).repeat(factor, axis=1)
