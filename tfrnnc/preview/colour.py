"""The average colour of a preview: 13 bits, and whole numbers only."""

from __future__ import annotations

import numpy as np

#: Chroma by its 4 bits: fine near gray, where most averages are.
CHROMA = np.array([-112, -80, -56, -38, -25, -15, -7, 0, 7, 15, 25, 38, 56, 80, 112, 127], np.int32)


def quantise_colour(pixels: np.ndarray) -> np.ndarray:
    """The indices of luma, blue and red chroma that are closest to the average of the pixels.

    Args:
        pixels: uint8 (N, H, W, 3).

    Returns:
        int32 (N, 3): 0 to 31, 0 to 15 and 0 to 15.
    """
    red, green, blue = np.moveaxis(pixels.mean((1, 2), dtype=np.float64), -1, 0)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    chroma = (0.564 * (blue - luma), 0.713 * (red - luma))
    closest = [np.abs(each[:, None] - CHROMA).argmin(1) for each in chroma]
    luma_levels = _luma(np.arange(32))
    return np.stack([np.abs(luma[:, None] - luma_levels).argmin(1), *closest], axis=1).astype(
        np.int32
    )


def colour_levels(indices: np.ndarray) -> np.ndarray:
    """Luma from 0 to 255 and both chromas around 0, int32 (N, 3), from their indices (N, 3)."""
    luma, blue, red = np.moveaxis(np.asarray(indices, np.int32), -1, 0)
    return np.stack([_luma(luma), CHROMA[blue], CHROMA[red]], axis=-1)


def to_rgb(levels: np.ndarray) -> np.ndarray:
    """Red, green and blue, int32 from 0 to 255, of luma and both chromas (..., 3)."""
    luma, blue, red = np.moveaxis(levels, -1, 0)
    rgb = (
        luma + ((359 * red + 128) >> 8),
        luma - ((88 * blue + 183 * red + 128) >> 8),
        luma + ((454 * blue + 128) >> 8),
    )
    limited: np.ndarray = np.clip(np.stack(rgb, axis=-1), 0, 255)
    return limited


def _luma(index: np.ndarray) -> np.ndarray:
    return (index << 3) | (index >> 2)
