"""Squared error at each location of the latent bits."""

from __future__ import annotations

import numpy as np


def location_errors(reference: np.ndarray, picture: np.ndarray, stride: int) -> np.ndarray:
    """The sum of squared differences in each square of pixels, int64 (h, w).

    Args:
        reference: uint8 (H, W, 3), the original.
        picture: uint8, the same shape.
        stride: side of the squares in pixels; those at the right and at the bottom may be cut.

    Examples:
        >>> location_errors(np.zeros((4, 8, 3), np.uint8), np.ones((4, 8, 3), np.uint8), 4).tolist()
        [[48, 48]]
    """
    squares = np.square(reference.astype(np.int64) - picture).sum(axis=2)
    height, width = squares.shape
    squares = np.pad(squares, ((0, -height % stride), (0, -width % stride)))
    blocks = squares.reshape(squares.shape[0] // stride, stride, -1, stride)
    return np.asarray(blocks.sum(axis=(1, 3)))
