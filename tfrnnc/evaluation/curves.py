"""Rate-distortion curves: interpolation, BD-rate, area."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfrnnc.errors import InstallationError

AREA_FROM, AREA_TO = 0.125, 2.0  #: bpp, between which the area under a curve is taken


def upper_curve(
    rates: Sequence[float], qualities: Sequence[float]
) -> tuple[np.ndarray, np.ndarray]:
    """The points that are better than every cheaper one, by rising rate.

    Args:
        rates: of the points, above 0.
        qualities: of the same points; larger is better.

    Returns:
        the rates and the qualities that are left, both strictly rising.

    Example:
    >>> upper_curve([1.0, 2.0, 3.0], [30.0, 29.0, 33.0])
    (array([1., 3.]), array([30., 33.]))
    """
    kept: list[tuple[float, float]] = []
    for rate, quality in sorted(zip(rates, qualities, strict=True), key=lambda p: (p[0], -p[1])):
        if not kept or quality > kept[-1][1]:
            kept.append((rate, quality))
    points = np.array(kept, np.float64)
    return points[:, 0], points[:, 1]


def bd_rate(
    anchor: tuple[Sequence[float], Sequence[float]], curve: tuple[Sequence[float], Sequence[float]]
) -> float | None:
    """Bjontegaard's delta rate: how many more bits a curve needs than the anchor, on the average.

    The logarithm of the rate is interpolated as a function of quality, piecewise cubic and
    monotone (PCHIP), and averaged over the qualities that both curves have.

    Args:
        anchor: rates and qualities of the points.
        curve: the same of what is compared.

    Returns:
        per cent; below zero the curve needs fewer bits. None if the curves share no qualities.

    Raises:
        InstallationError: if SciPy is missing.

    Example:
    >>> round(bd_rate(([1, 2, 4], [30, 33, 36]), ([0.5, 1, 2], [30, 33, 36])), 6)
    -50.0
    """
    curves = [upper_curve(*points) for points in (anchor, curve)]
    if min(len(rates) for rates, _ in curves) < 2:
        return None
    low = max(qualities[0] for _, qualities in curves)
    high = min(qualities[-1] for _, qualities in curves)
    if low >= high:
        return None
    integrals = [
        _pchip(qualities, np.log(rates)).integrate(low, high) for rates, qualities in curves
    ]
    return float(100 * np.expm1((integrals[1] - integrals[0]) / (high - low)))


def quality_at(rates: Sequence[float], qualities: Sequence[float], rate: float) -> float | None:
    """The quality that a curve has at a rate.

    Beyond the highest rate it is that of the last point, whose bytes fit as well.

    Returns:
        the quality; None below the lowest rate.

    Raises:
        InstallationError: if SciPy is missing.
    """
    x, y = upper_curve(rates, qualities)
    if rate < x[0]:
        return None
    if rate >= x[-1]:
        return float(y[-1])
    return float(_pchip(x, y)(rate))


def area(rates: Sequence[float], qualities: Sequence[float]) -> float:
    """The area under a curve from `AREA_FROM` to `AREA_TO`.

    Below its lowest rate a curve is the straight line to zero at no bits; beyond the highest it
    stays at its last quality.

    Args:
        rates: of the points, in bpp.
        qualities: of the same points.

    Raises:
        InstallationError: if SciPy is missing.

    Example:
    >>> round(area([0.1, 1.0], [0.8, 0.8 + 1e-9]), 6)
    1.5
    """
    x, y = upper_curve(rates, qualities)
    low, high = (float(np.clip(x[end], AREA_FROM, AREA_TO)) for end in (0, -1))
    below = 0.5 * y[0] / x[0] * (low**2 - AREA_FROM**2)
    above = y[-1] * (AREA_TO - high)
    within = _pchip(x, y).integrate(low, high) if low < high else 0.0
    return float(below + within + above)


def decibels(values: Sequence[float]) -> list[float]:
    """MS-SSIM as -10 log10(1 - MS-SSIM), which is nearer to linear in the bits.

    Pictures that equal the image count as 100 dB.
    """
    return [-10 * float(np.log10(max(1 - value, 1e-10))) for value in values]


def require_scipy() -> None:
    """Raises InstallationError if SciPy is missing."""
    _interpolators()


def _pchip(x: np.ndarray, y: np.ndarray):
    return _interpolators()(x, y)


def _interpolators():
    try:
        from scipy.interpolate import PchipInterpolator
    except ImportError as error:
        raise InstallationError(
            "curves are interpolated by SciPy, which is not installed; "
            "pip install 'tfrnnc[evaluate]', or take --protocol paper"
        ) from error
    return PchipInterpolator
