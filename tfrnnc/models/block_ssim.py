"""The paper's SSIM as a loss, for any Keras backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras import ops

from tfrnnc.images import SCALE
from tfrnnc.metrics.ssim import BLOCK

if TYPE_CHECKING:
    from tfrnnc.backend import Tensor

_C1 = (0.01 * 2 * SCALE) ** 2
_C2 = (0.03 * 2 * SCALE) ** 2
_BLOCK_AXES = (-4, -2)


def block_ssim(images: Tensor, pictures: Tensor, block_size: int = BLOCK) -> Tensor:
    """SSIM of each block and channel, as `tfrnnc.metrics.block_ssim` averages it (section 4.2).

    Args:
        images: floats (..., H, W, C) in [-0.9, 0.9]; H and W multiples of the block size.
        pictures: floats of a shape that goes with it.
        block_size: side of the blocks in pixels.

    Returns:
        floats (..., H / block_size, 1, W / block_size, 1, C).
    """
    # From -0.9 to 0.9 into 0 to 1.8: SSIM's luminance is a ratio, which black makes 0.
    x, y = (_blocks(values + SCALE, block_size) for values in (images, pictures))
    mean_x, mean_y = _mean(x), _mean(y)
    x, y = x - mean_x, y - mean_y
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    structure = (2 * _mean(x * y) + _C2) / (_mean(x * x) + _mean(y * y) + _C2)
    return luminance * structure


def _blocks(values: Tensor, size: int) -> Tensor:
    *batch, height, width, channels = ops.shape(values)
    return ops.reshape(values, (*batch, height // size, size, width // size, size, channels))


def _mean(blocks: Tensor) -> Tensor:
    return ops.mean(blocks, axis=_BLOCK_AXES, keepdims=True)
