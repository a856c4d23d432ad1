"""The images that exported files are calibrated with and compared with Keras on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tfrnnc.data import FolderImages
from tfrnnc.errors import DataError

CALIBRATION_IMAGES = 50  #: at most
CALIBRATION_SIZE = (64, 64)  #: in pixels, for files that take any size
_NOISE_IMAGES = 4


def images_of_size(folder: Path, size: tuple[int, int] | None) -> Sequence[np.ndarray]:
    """The images in a folder; those that are large enough, cut to the size, if one is given.

    Args:
        folder: of image files.
        size: (H, W) in pixels; None for the images as they are.

    Returns:
        uint8 arrays (H, W, 3).

    Raises:
        DataError: if the folder has no image that is large enough.
    """
    images = FolderImages(folder)
    if size is None:
        return images
    height, width = size
    cut = [
        image[(image.shape[0] - height) // 2 :, (image.shape[1] - width) // 2 :][:height, :width]
        for image in images
        if image.shape[0] >= height and image.shape[1] >= width
    ]
    if not cut:
        raise DataError(f"{folder} has no image of {height}x{width} pixels or more")
    return cut


def calibration_images(folder: Path, size: tuple[int, int] | None) -> Sequence[np.ndarray]:
    """Images to calibrate a quantisation with, `CALIBRATION_IMAGES` of a folder at most.

    Args:
        folder: of image files.
        size: (H, W) in pixels; None takes `CALIBRATION_SIZE`.

    Returns:
        uint8 arrays (H, W, 3).

    Raises:
        DataError: if the folder has no image that is large enough.
    """
    usable = images_of_size(folder, size or CALIBRATION_SIZE)
    return usable[:: -(-len(usable) // CALIBRATION_IMAGES)]


def noise(size: tuple[int, int] | None, stride: int) -> list[np.ndarray]:
    """Random images, always the same.

    Args:
        size: (H, W) in pixels; None takes 4 x 6 locations.
        stride: of the model, in pixels.

    Returns:
        uint8 arrays (H, W, 3).
    """
    height, width = size or (4 * stride, 6 * stride)
    random = np.random.default_rng(0)
    return list(random.integers(0, 256, (_NOISE_IMAGES, height, width, 3), np.uint8))
