"""Multi-scale structural similarity."""

from __future__ import annotations

import numpy as np

from tfrnnc.metrics.ssim import C1, C2

#: Exponents of the five scales, the finest first (Wang et al. 2003, section 3.2).
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)

_WINDOW, _SIGMA = 11, 1.5
_KERNEL = np.exp(-0.5 * ((np.arange(_WINDOW) - _WINDOW // 2) / _SIGMA) ** 2)
_KERNEL /= _KERNEL.sum()

#: The least height and width: halved four times, rounded up, they still hold a window.
MIN_SIDE = 2 ** (len(SCALE_WEIGHTS) - 1) * (_WINDOW - 1) + 1


def ms_ssim(reference: np.ndarray, picture: np.ndarray) -> float:
    """MS-SSIM of an 8-bit picture (Wang, Simoncelli and Bovik 2003).

    Five scales with the paper's weights, each the one before it averaged over 2x2 pixels; a
    Gaussian window of 11x11 pixels and standard deviation 1.5, used where it lies within the
    image; K1 = 0.01, K2 = 0.03. Computed of each channel by itself, and averaged over them, as
    the follow-up papers on the Kodak photos do it and as `tf.image.ssim_multiscale` does. (Of
    luma alone the figures are higher, and cannot be compared.) A contrast-structure term below
    zero counts as zero.

    Args:
        reference: uint8 (H, W, C), the original; H and W are at least 161.
        picture: uint8, the same shape.

    Returns:
        the MS-SSIM, from 0 to 1.

    Raises:
        ValueError: if the shapes differ, or the image is too small.

    Examples:
        >>> image = np.arange(176 * 176 * 3).reshape(176, 176, 3).astype(np.uint8)
        >>> ms_ssim(image, image)
        1.0
    """
    if reference.shape != picture.shape:
        raise ValueError(f"shapes differ: {reference.shape} and {picture.shape}")
    height, width, _ = reference.shape
    if min(height, width) < MIN_SIDE:
        raise ValueError(
            f"MS-SSIM needs {MIN_SIDE} pixels in each direction, and the image has {width}x{height}"
        )
    x, y = (np.moveaxis(image, 2, 0).astype(np.float64) for image in (reference, picture))
    similarity = np.ones(len(x))
    for scale, weight in enumerate(SCALE_WEIGHTS):
        if scale:
            x, y = _halve(x), _halve(y)
        luminance, structure = _terms(x, y)
        last = scale == len(SCALE_WEIGHTS) - 1
        term = np.mean(luminance * structure if last else structure, axis=(1, 2))
        similarity *= np.maximum(term, 0) ** weight
    return float(np.mean(similarity))


def _terms(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Luminance and contrast-structure at each position of the window, both (C, h, w)."""
    mean_x, mean_y = _blur(x), _blur(y)
    squares = mean_x**2 + mean_y**2
    product = mean_x * mean_y
    variances = _blur(x * x + y * y) - squares
    covariance = _blur(x * y) - product
    return (2 * product + C1) / (squares + C1), (2 * covariance + C2) / (variances + C2)


def _blur(planes: np.ndarray) -> np.ndarray:
    """Convolves (C, H, W) with the window, where it fits."""
    size = planes.shape[1] - _WINDOW + 1
    planes = _weighted_sum([planes[:, start : start + size] for start in range(_WINDOW)])
    size = planes.shape[2] - _WINDOW + 1
    return _weighted_sum([planes[:, :, start : start + size] for start in range(_WINDOW)])


def _weighted_sum(shifted: list[np.ndarray]) -> np.ndarray:
    """Sums by the window's weights, which are the same from both ends."""
    middle = _WINDOW // 2
    total: np.ndarray = _KERNEL[middle] * shifted[middle]
    for index in range(middle):
        pair = shifted[index] + shifted[-1 - index]
        pair *= _KERNEL[index]
        total += pair
    return total


def _halve(planes: np.ndarray) -> np.ndarray:
    """Averages 2x2 pixels of (C, H, W); an odd last row or column is repeated."""
    _, height, width = planes.shape
    padded = np.pad(planes, ((0, 0), (0, height % 2), (0, width % 2)), mode="edge")
    rows = padded[:, ::2] + padded[:, 1::2]
    halved: np.ndarray = 0.25 * (rows[:, :, ::2] + rows[:, :, 1::2])
    return halved
