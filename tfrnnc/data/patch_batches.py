"""Random patches for training and fixed ones for validation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from tfrnnc.data.image_source import image_sizes
from tfrnnc.errors import DataError
from tfrnnc.images import to_float


class PatchBatches(keras.utils.PyDataset):
    """An endless stream of batches of random patches, each a pure function of its number.

    For each patch an image is drawn, with a chance that grows with the square root of its
    area (between equal chances for images and equal chances for pixels). A window is cut out
    at random, reduced by a whole factor by averaging, and mirrored half of the time. The
    factor is drawn from `min_downscale` up to as much as the image allows, at most `max_downscale`:
    reducing sheds the artefacts of JPEG files, and large images then serve as thumbnails too.

    Batch i depends on (images, seed, first_batch + i) alone, so that an interrupted training
    goes on with exactly the data that it would have seen.

    Args:
        images: uint8 arrays (H, W, 3).
        batch_size: patches B in a batch.
        patch_size: side P of a patch in pixels.
        min_downscale: least factor of the reduction.
        max_downscale: greatest factor of the reduction.
        seed: of the stream.
        **kwargs: as for every `keras.utils.PyDataset`.

    Attributes:
        first_batch: the number of the batch that the stream starts with.

    Raises:
        DataError: if no image is large enough for a patch at the least reduction.

    Examples:
        >>> batches = PatchBatches([np.zeros((64, 80, 3), np.uint8)], batch_size=2, patch_size=32)
        >>> batches[0][0].shape
        (2, 32, 32, 3)
    """

    def __init__(
        self,
        images: Sequence[np.ndarray],
        batch_size: int = 32,
        patch_size: int = 32,
        min_downscale: int = 1,
        max_downscale: int = 8,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.images = images
        self.batch_size = batch_size
        self.patch_size = patch_size
        self.min_downscale = min_downscale
        self.max_downscale = max(min_downscale, max_downscale)
        self.seed = seed
        self.first_batch = 0
        self._image_sizes = sizes = image_sizes(images)
        usable = sizes.min(axis=1) >= patch_size * min_downscale
        if not usable.any():
            raise DataError(
                f"none of the {len(images)} images is at least {patch_size * min_downscale} "
                f"pixels high "
                f"and wide, as patches of {patch_size} reduced by {min_downscale} need; give "
                "larger images, or a smaller --patch-size or --min-downscale"
            )
        weights = np.sqrt(sizes.prod(axis=1, dtype=np.float64)) * usable
        self._chances = np.cumsum(weights / weights.sum())

    @property
    def num_batches(self) -> None:
        return None

    def __getitem__(self, index: int) -> tuple[np.ndarray]:
        return (self.batch(self.first_batch + index),)

    def batch(self, number: int, part: slice = slice(None)) -> np.ndarray:
        """The batch of this number, floats (B, P, P, 3).

        Args:
            number: of the batch.
            part: the patches of it that are wanted, which are the same whatever the part.
        """
        return to_float(np.stack([self._cut(*window) for window in self.windows(number, part)]))

    def windows(self, number: int, part: slice = slice(None)) -> np.ndarray:
        """Where the patches of a batch come from: windows of images, to be reduced and mirrored.

        Args:
            number: of the batch.
            part: the patches of it that are wanted, which are the same whatever the part.

        Returns:
            ints (B, 5): the image's number, the factor, the window's top and left, and 1 if it is
            mirrored.
        """
        rng = np.random.default_rng([self.seed, number])
        drawn, reduced, down, right, turned = rng.random((5, self.batch_size))
        images = np.searchsorted(self._chances, drawn, side="right")
        images = np.minimum(images, len(self.images) - 1)
        sizes = self._image_sizes[images]
        most = np.minimum(sizes.min(axis=1) // self.patch_size, self.max_downscale)
        factors = _share(reduced, most + 1 - self.min_downscale) + self.min_downscale
        room = sizes + 1 - self.patch_size * factors[:, None]
        tops, lefts = _share(down, room[:, 0]), _share(right, room[:, 1])
        windows: np.ndarray = np.stack([images, factors, tops, lefts, turned < 0.5], axis=1)
        return windows[part]

    def _cut(self, image: int, factor: int, top: int, left: int, mirrored: int) -> np.ndarray:
        side = self.patch_size * factor
        pixels = self.images[image][top : top + side, left : left + side]
        if mirrored:
            pixels = pixels[:, ::-1]
        return _reduced(pixels, factor)


def _share(drawn: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Whole numbers from 0 to below each count, from numbers from 0 to below 1."""
    whole: np.ndarray = np.floor(drawn * counts)
    return whole.astype(np.int64)


def _reduced(pixels: np.ndarray, factor: int) -> np.ndarray:
    """Pixels (H, W, 3) averaged over blocks of this side, uint8 (H / factor, W / factor, 3)."""
    if factor == 1:
        return pixels
    height, width, channels = pixels.shape
    rows = pixels.reshape(height // factor, factor, width, channels)
    sums = rows.sum(axis=1, dtype=np.uint32)
    # A loop over the columns of a block: several times as fast as a sum over so short an axis.
    for column in range(1, factor):
        sums[:, ::factor] += sums[:, column::factor]
    levels: np.ndarray = np.rint(sums[:, ::factor] / factor**2)
    return levels.astype(np.uint8)


def centre_patches(
    images: Sequence[np.ndarray],
    patch_size: int,
    limit: int = 500,
    name: str = "the images to measure on",
) -> np.ndarray:
    """Cuts the middle out of each image, for validation.

    Args:
        images: uint8 arrays (H, W, 3); those smaller than a patch are left out.
        patch_size: side P of a patch in pixels.
        limit: most patches to take, evenly spread over the images.
        name: of the images, for messages.

    Returns:
        uint8 (number, P, P, 3).

    Raises:
        DataError: if no image is large enough.
    """
    usable = np.flatnonzero(image_sizes(images).min(axis=1) >= patch_size)
    if not len(usable):
        raise DataError(
            f"none of {name}, {len(images)} in all, is at least {patch_size} pixels high and "
            "wide, as a patch is; give --validation a folder of larger images, or a smaller "
            "--patch-size"
        )
    patches = []
    for index in usable[:: -(-len(usable) // limit)]:
        image = images[int(index)]
        top, left = ((side - patch_size) // 2 for side in image.shape[:2])
        patches.append(image[top : top + patch_size, left : left + patch_size])
    return np.stack(patches)
