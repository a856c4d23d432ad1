"""Structural similarity as the paper measures it."""

from __future__ import annotations

import numpy as np

BLOCK = 8  #: side of the paper's blocks in pixels
_ROWS_AT_ONCE = 32  # of blocks
C1 = (0.01 * 255) ** 2  #: keeps the luminance term from dividing by nothing
C2 = (0.03 * 255) ** 2  #: and the contrast-structure term


def block_ssim(reference: np.ndarray, picture: np.ndarray, block_size: int = BLOCK) -> float:
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

    Examples:
        >>> image = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
        >>> block_ssim(image, image)
        1.0
    """
    if reference.shape != picture.shape:
        raise ValueError(f"shapes differ: {reference.shape} and {picture.shape}")
    return float(np.mean(block_ssim_map(reference, picture, block_size)))


def block_ssim_map(
    reference: np.ndarray, picture: np.ndarray, block_size: int = BLOCK
) -> np.ndarray:
    """SSIM of each block and channel; see `block_ssim`.

    Args:
        reference: (H, W, C), levels from 0 to 255.
        picture: the same; not necessarily whole numbers.
        block_size: side of the blocks in pixels.

    Returns:
        floats (ceil(H / block_size), ceil(W / block_size), C).
    """
    step = _ROWS_AT_ONCE * block_size  # In parts, as each pixel takes ten floats.
    return np.concatenate(
        [
            _block_ssim_map(
                reference[first : first + step], picture[first : first + step], block_size
            )
            for first in range(0, len(reference), step)
        ]
    )


def _block_ssim_map(reference: np.ndarray, picture: np.ndarray, block_size: int) -> np.ndarray:
    x, y = reference.astype(np.float64), picture.astype(np.float64)
    count = block_sums(np.ones_like(x), block_size)
    mean_x, mean_y = block_sums(x, block_size) / count, block_sums(y, block_size) / count
    variance_x = block_sums(x * x, block_size) / count - mean_x**2
    variance_y = block_sums(y * y, block_size) / count - mean_y**2
    covariance = block_sums(x * y, block_size) / count - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1)
    structure = (2 * covariance + C2) / (variance_x + variance_y + C2)
    similarity: np.ndarray = luminance * structure
    return similarity


def block_sums(values: np.ndarray, block_size: int) -> np.ndarray:
    """Sums over blocks, from the top left corner: (H, W, ...) to (ceil(H / s), ceil(W / s), ...).

    Args:
        values: at least two-dimensional.
        block_size: side s of the blocks.
    """
    rows = np.add.reduceat(values, range(0, values.shape[0], block_size), axis=0)
    return np.add.reduceat(rows, range(0, values.shape[1], block_size), axis=1)
