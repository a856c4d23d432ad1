"""Peak signal-to-noise ratio."""

from __future__ import annotations

import numpy as np


def psnr(reference: np.ndarray, picture: np.ndarray) -> float:
    """PSNR of an 8-bit picture in decibels, over all pixels and channels.

    Args:
        reference: uint8 (H, W, 3), the original.
        picture: uint8, the same shape.

    Returns:
        10 log10(255 ** 2 / mean squared error); infinity for equal pictures.

    Raises:
        ValueError: if the shapes differ.

    Examples:
        >>> psnr(np.full((8, 8, 3), 10, np.uint8), np.full((8, 8, 3), 11, np.uint8))
        48.13...
    """
    if reference.shape != picture.shape:
        raise ValueError(f"shapes differ: {reference.shape} and {picture.shape}")
    error = np.mean(np.square(reference.astype(np.float64) - picture.astype(np.float64)))
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))
