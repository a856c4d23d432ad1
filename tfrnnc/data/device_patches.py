"""Patches that JAX's device cuts from images of its own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from tfrnnc.data.image_source import image_sizes
from tfrnnc.data.patch_batches import PatchBatches
from tfrnnc.images import to_float

if TYPE_CHECKING:
    from tfrnnc.backend import Tensor

_CHANNELS = 3
_BYTES_PER_SUM = 4
_MAX_LOCATIONS = (1 << 31) - 1  #: of all tables, that a 32-bit index reaches


class DevicePatchBatches(PatchBatches):
    """The batches of `PatchBatches`, to the bit, cut by JAX's device.

    A GPU trains on patches faster than one thread of the host cuts them. The device keeps each
    image as a summed-area table: the sum over all pixels above and to the left of each location,
    modulo 2**32. A reduced pixel is then made of four sums, whatever the factor.

    Args:
        *args, **kwargs: as for `PatchBatches`.

    Raises:
        DataError: as `PatchBatches` does.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        import jax

        heights, self._widths = (self._image_sizes + 1).T
        ends = np.cumsum(heights * self._widths)
        self._starts = ends - heights * self._widths
        sums = np.zeros((ends[-1], _CHANNELS), np.uint32)
        for index, start in enumerate(self._starts):
            image = self.images[index]
            table = sums[start : ends[index]].reshape(heights[index], -1, _CHANNELS)
            np.cumsum(image, axis=0, dtype=np.uint32, out=table[1:, 1:])
            np.cumsum(table[1:, 1:], axis=1, out=table[1:, 1:])
        self._sums = jax.device_put(sums)
        self._cut_patches = jax.jit(partial(_cut, patch_size=self.patch_size))

    def batch(self, number: int, part: slice = slice(None)) -> Tensor:
        """The batch of this number, floats (B, P, P, 3) on the device.

        Args:
            number: of the batch.
            part: the patches of it that are wanted, which are the same whatever the part.
        """
        image, factor, top, left, mirrored = self.windows(number, part).T
        width = self._widths[image]
        corner = self._starts[image] + top * width + left
        places = np.stack([corner, width, factor, mirrored]).astype(np.int32)
        return self._cut_patches(self._sums, places)


def table_bytes(images: Sequence[np.ndarray]) -> int | None:
    """Memory that images take on the device; None if they are too many for its indices."""
    locations = int((image_sizes(images) + 1).prod(axis=1, dtype=np.int64).sum())
    return None if locations > _MAX_LOCATIONS else locations * _CHANNELS * _BYTES_PER_SUM


def _cut(sums: Tensor, places: Tensor, patch_size: int) -> Tensor:
    """Cuts patches out of summed-area tables.

    Args:
        sums: uint32 (locations, 3), the tables one after the other.
        places: int32 (4, B): each patch's first location, its table's width, the factor, and
            whether it is mirrored.
        patch_size: side P of a patch in pixels.

    Returns:
        floats (B, P, P, 3).
    """
    import jax.numpy as jnp

    corner, width, factor, mirrored = (each[:, None, None] for each in places)
    steps = jnp.arange(patch_size + 1)
    rows, columns = steps[:, None], steps
    corners = sums[corner + factor * (rows * width + columns)]
    blocks = corners[:, 1:, 1:] + corners[:, :-1, :-1] - corners[:, 1:, :-1] - corners[:, :-1, 1:]
    # Whole numbers: floats would round halves one way or the other.
    count = (factor**2).astype(jnp.uint32)[..., None]
    levels, rest = blocks // count, blocks % count
    is_above = (2 * rest > count) | ((2 * rest == count) & (levels % 2 == 1))
    levels = levels + is_above
    levels = jnp.where(mirrored[..., None] > 0, levels[:, :, ::-1], levels)
    return jnp.asarray(to_float(np.arange(256, dtype=np.uint8)))[levels]
