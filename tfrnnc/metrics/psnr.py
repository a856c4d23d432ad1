"""Peak signal-to-noise ratio."""

from __future__ import annotations

import numpy as np

_VALUES_AT_ONCE = 1 << 20


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
    error = squared_error(reference, picture) / reference.size
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def squared_error(reference: np.ndarray, picture: np.ndarray) -> int:
    """The sum of squared differences of two pictures, in parts, so that it takes little memory.

    Args:
        reference: uint8 (H, W, 3).
        picture: uint8, the same shape.

    Examples:
        >>> squared_error(np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 3, np.uint8))
        108
    """
    total = 0
    rows = max(_VALUES_AT_ONCE // max(reference[:1].size, 1), 1)
    for first in range(0, len(reference), rows):
        part = slice(first, first + rows)
        difference = reference[part].astype(np.int32) - picture[part]
        total += int(np.square(difference, out=difference).sum(dtype=np.int64))
    return total
