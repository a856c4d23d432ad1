"""Rate-distortion curves of mean points: interpolation, BD-rate, area.

One convention for every table and figure. A point of a curve is the mean bpp and the mean quality
of all images at one setting of the codec; MS-SSIM is then taken as -10 log10(1 - MS-SSIM). Between
points the curve is piecewise cubic and monotone (PCHIP) over the logarithm of the rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tfrnnc.errors import ConfigError, InstallationError

if TYPE_CHECKING:
    from scipy.interpolate import PchipInterpolator

AREA_FROM, AREA_TO = 0.125, 2.0  #: bpp, between which the area under a curve is taken
_AREA_SAMPLES = 4097
_DRAWN_SAMPLES = 201
_MAX_DECIBELS = 100.0  #: of MS-SSIM, for pictures that equal the image


class BDRate(NamedTuple):
    """Bjontegaard's delta rate.

    Attributes:
        percent: how many more bits a curve needs than the reference, on average; below zero it
            needs fewer.
        low, high: the qualities between which the average is taken, as `RateCurve` scales them.
    """

    percent: float
    low: float
    high: float


class RateCurve:
    """The curve of a codec through its mean points.

    Points that a cheaper point equals or beats are left out.

    Args:
        rates: of the points, in bpp, above 0; see `mean_points`.
        qualities: of the same points; larger is better.
        metric: "msssim" is scaled to decibels; other qualities are taken as they are.

    Attributes:
        log_rates: natural logarithms of the rates that are left, rising.
        qualities: those that are left, rising, scaled.

    Raises:
        ConfigError: if there are no points, or a rate is not above 0.

    Examples:
        >>> curve = RateCurve([0.5, 1, 2], [30, 33, 36])
        >>> curve.quality_at(1)
        33.0
    """

    def __init__(self, rates: Sequence[float], qualities: Sequence[float], metric: str = "psnr"):
        if not len(rates) or min(rates) <= 0:
            raise ConfigError("a rate-distortion curve needs points, all of them above 0 bpp")
        self._in_decibels = metric == "msssim"
        scaled = decibels(qualities) if self._in_decibels else np.asarray(qualities, np.float64)
        kept_rates, self.qualities = upper_curve(rates, scaled)
        self.log_rates = np.log(kept_rates)

    def quality_at(self, rate: float) -> float | None:
        """The quality at a rate, in the metric's own unit.

        Beyond the highest rate it is that of the last point, whose bytes fit as well.

        Returns:
            the quality; None below the lowest rate.

        Raises:
            InstallationError: if SciPy is missing.
        """
        if np.log(rate) < self.log_rates[0]:
            return None
        return float(self._qualities_at(np.array([rate]))[0])

    def bd_rate(self, reference: RateCurve) -> BDRate | None:
        """Bjontegaard's delta rate against another curve of the same metric.

        The logarithm of the rate, interpolated as a function of quality, is averaged over the
        qualities that both curves have.

        Returns:
            the difference, and the qualities that it is an average over; None if the curves share
            no qualities.

        Raises:
            InstallationError: if SciPy is missing.

        Examples:
            >>> half = RateCurve([0.5, 1, 2], [30, 33, 36])
            >>> delta = half.bd_rate(RateCurve([1, 2, 4], [30, 33, 36]))
            >>> round(delta.percent, 6), delta.low, delta.high
            (-50.0, 30.0, 36.0)
        """
        curves = (reference, self)
        if min(len(curve.qualities) for curve in curves) < 2:
            return None
        low = max(float(curve.qualities[0]) for curve in curves)
        high = min(float(curve.qualities[-1]) for curve in curves)
        if low >= high:
            return None
        means = [
            _pchip(curve.qualities, curve.log_rates).integrate(low, high) / (high - low)
            for curve in curves
        ]
        return BDRate(float(100 * np.expm1(means[1] - means[0])), low, high)

    def area(self) -> float:
        """The area under the curve from `AREA_FROM` to `AREA_TO`, quality times bpp.

        Below its lowest rate a curve is the straight line to zero at 0 bpp; beyond the highest it
        stays at its last quality.

        Raises:
            InstallationError: if SciPy is missing.
        """
        first = float(np.exp(self.log_rates[0]))
        low = float(np.clip(first, AREA_FROM, AREA_TO))
        slope = self._unscaled(self.qualities[:1])[0] / first
        below = 0.5 * slope * (low**2 - AREA_FROM**2)
        rates = np.geomspace(low, AREA_TO, _AREA_SAMPLES)
        heights = self._qualities_at(rates)
        return float(below + np.sum(np.diff(rates) * (heights[1:] + heights[:-1]) / 2))

    def samples(self) -> tuple[np.ndarray, np.ndarray]:
        """Rates and qualities along the whole curve, close enough together to draw it.

        Raises:
            InstallationError: if SciPy is missing.
        """
        logs = np.linspace(self.log_rates[0], self.log_rates[-1], _DRAWN_SAMPLES)
        rates = np.exp(logs)
        return rates, self._qualities_at(rates)

    def _qualities_at(self, rates: np.ndarray) -> np.ndarray:
        logs = np.clip(np.log(rates), self.log_rates[0], self.log_rates[-1])
        if len(self.log_rates) == 1:
            return self._unscaled(np.full(len(logs), self.qualities[0]))
        return self._unscaled(_pchip(self.log_rates, self.qualities)(logs))

    def _unscaled(self, qualities: np.ndarray) -> np.ndarray:
        return 1 - 10 ** (-qualities / 10) if self._in_decibels else qualities


def mean_points(
    sizes: np.ndarray, pixels: np.ndarray, qualities: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The points of a curve: mean bpp and mean quality of all images at each setting.

    Each image counts the same, whatever its size.

    Args:
        sizes: bytes, (images, settings).
        pixels: of each image, (images,).
        qualities: (images, settings).

    Returns:
        mean bpp and mean quality of each setting, (settings,) each.
    """
    bpp = 8 * np.asarray(sizes) / np.asarray(pixels)[:, None]
    return bpp.mean(axis=0), np.asarray(qualities).mean(axis=0)


def upper_curve(
    rates: Sequence[float] | np.ndarray, qualities: Sequence[float] | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The points that are better than every cheaper one, by rising rate.

    Args:
        rates: of the points, above 0.
        qualities: of the same points; larger is better.

    Returns:
        the rates and the qualities that are left, both strictly rising.

    Examples:
        >>> upper_curve([1.0, 2.0, 3.0], [30.0, 29.0, 33.0])
        (array([1., 3.]), array([30., 33.]))
    """
    kept: list[tuple[float, float]] = []
    for rate, quality in sorted(zip(rates, qualities, strict=True), key=lambda p: (p[0], -p[1])):
        if not kept or quality > kept[-1][1]:
            kept.append((rate, quality))
    points = np.array(kept, np.float64)
    return points[:, 0], points[:, 1]


def decibels(values: Sequence[float] | np.ndarray) -> np.ndarray:
    """MS-SSIM as -10 log10(1 - MS-SSIM), which is closer to linear in the bits; at most 100 dB."""
    distortions = np.maximum(1 - np.asarray(values, np.float64), 10 ** (-_MAX_DECIBELS / 10))
    return -10 * np.log10(distortions)


def require_scipy() -> None:
    """Raises InstallationError if SciPy is missing."""
    _interpolators()


def _pchip(x: np.ndarray, y: np.ndarray) -> PchipInterpolator:
    return _interpolators()(x, y)


def _interpolators() -> type[PchipInterpolator]:
    try:
        from scipy.interpolate import PchipInterpolator
    except ImportError as error:
        raise InstallationError(
            "curves are interpolated by SciPy, which is not installed; "
            "pip install 'tfrnnc[evaluate]', or take --protocol paper"
        ) from error
    interpolator: type[PchipInterpolator] = PchipInterpolator
    return interpolator
