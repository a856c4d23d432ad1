"""Structural similarity as the paper measures it."""

from __future__ import annotations

import numpy as np

C1 = (0.01 * 255) ** 2  #: keeps the luminance term from dividing by nothing
C2 = (0.03 * 255) ** 2  #: and the contrast-structure term


def block_ssim(reference: np.ndarray, picture: np.ndarray, block_size: int = 8) -> float:
    """SSIM without smoothing, on blocks that do not overlap (section 4.2).

    The image is cut into blocks from its top left corner; SSIM is computed of each block and
    channel with the block's own (population) mean, variance and covariance, and averaged.
    Blocks cut off by the right or lower edge are measured as far as they go.

    Args:
        reference: uint8 (H, W, C), the original.
        picture: uint8, the same shape.
        block_size: side of the blocks in pixels.

    Returns:
        the mean SSIM, at most 1.

    Raises:
        ValueError: if the shapes differ.

    Example:
    >>> image = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
    >>> block_ssim(image, image)
    1.0
    """
    if reference.shape != picture.shape:
        raise ValueError(f"shapes differ: {reference.shape} and {picture.shape}")
    x, y = reference.astype(np.float64), picture.astype(np.float64)
    count = _block_sums(np.ones_like(x), block_size)
    mean_x, mean_y = _block_sums(x, block_size) / count, _block_sums(y, block_size) / count
    variance_x = _block_sums(x * x, block_size) / count - mean_x**2
    variance_y = _block_sums(y * y, block_size) / count - mean_y**2
    covariance = _block_sums(x * y, block_size) / count - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1)
    structure = (2 * covariance + C2) / (variance_x + variance_y + C2)
    return float(np.mean(luminance * structure))


def _block_sums(values: np.ndarray, block_size: int) -> np.ndarray:
    rows = np.add.reduceat(values, range(0, values.shape[0], block_size), axis=0)
    return np.add.reduceat(rows, range(0, values.shape[1], block_size), axis=1)
