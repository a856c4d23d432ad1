import math
import sys

import numpy as np
import pytest

from tfrnnc.errors import ConfigError, InstallationError
from tfrnnc.evaluation import RateCurve, mean_points
from tfrnnc.evaluation.curves import decibels, upper_curve


def percent(reference, curve):
    return RateCurve(*curve).bd_rate(RateCurve(*reference)).percent


@pytest.mark.parametrize(("factor", "expected"), [(0.5, -50), (1, 0), (1.25, 25), (3, 200)])
def test_bd_rate_of_the_same_curve_at_other_rates(factor, expected):
    rates, qualities = np.array([0.1, 0.3, 0.7, 2]), [27, 31.5, 34, 40]
    assert percent((rates, qualities), (factor * rates, qualities)) == pytest.approx(expected)


def test_bd_rate_by_hand():
    """Straight lines, which the interpolation keeps: log2 of the rate is q / 3 and q / 6.

    They share qualities from 0 to 6, where the difference is -q / 6, on average -1 / 2.
    """
    reference, curve = RateCurve([1, 2, 4], [0, 3, 6]), RateCurve([1, 2, 4], [0, 6, 12])
    delta = curve.bd_rate(reference)
    assert delta.percent == pytest.approx(100 * (2**-0.5 - 1))
    assert (delta.low, delta.high) == (0, 6)
    assert reference.bd_rate(curve).percent == pytest.approx(100 * (2**0.5 - 1))


def test_bd_rate_of_a_bend_by_hand():
    """PCHIP's slopes at (0, 0), (1, 1), (2, 3): 0.5, 4/3, 2.5, after Fritsch and Butland.

    A cubic's integral over a unit iteration is the mean of its ends plus a twelfth of the fall of
    its slope: 0.5 + (0.5 - 4/3) / 12, and 2 + (4/3 - 2.5) / 12; together 2.5 - 2 / 12.
    """
    logs = np.array([0.0, 1.0, 3.0])
    mean = (2.5 - 2 / 12) / 2
    flat = [1.0, 1.0 + 1e-12], [0.0, 2.0]
    assert percent(flat, (np.exp(logs), [0, 1, 2])) == pytest.approx(100 * math.expm1(mean))


def test_bd_rate_is_near_to_the_cubic_of_its_inventor():
    rates = np.array([0.12, 0.25, 0.5, 1.0])
    reference, curve = [28.1, 30.6, 33.4, 36.7], [29.0, 31.3, 34.3, 37.3]
    fits = [np.polynomial.Polynomial.fit(q, np.log(rates), 3).integ() for q in (reference, curve)]
    low, high = 29.0, 36.7
    parts = [fit(high) - fit(low) for fit in fits]
    expected = 100 * math.expm1((parts[1] - parts[0]) / (high - low))
    assert percent((rates, reference), (rates, curve)) == pytest.approx(expected, abs=0.5)


def test_bd_rate_of_two_images_by_hand():
    """Means first, then one curve: of images of 8 and 16 pixels, at three settings.

    Bytes 0.5, 1, 3 of 8 pixels are 0.5, 1, 3 bpp; 3, 6, 10 of 16 are 1.5, 3, 5: means 1, 2, 4. The
    MS-SSIM means 0.9, 0.99, 0.999 are 10, 20, 30 dB, log2 of the rate (q - 10) / 10. The reference
    has twice the rates and 5 dB more, so that at each quality it has log2 of the rate
    1 + (q - 15) / 10, half an octave above, between 15 and 30 dB.
    """
    sizes = np.array([[0.5, 1, 3], [3, 6, 10]])
    quality = np.array([[0.85, 0.985, 0.9985], [0.95, 0.995, 0.9995]])
    points = mean_points(sizes, np.array([8, 16]), quality)
    np.testing.assert_allclose(points, [[1, 2, 4], [0.9, 0.99, 0.999]])
    reference = 1 - 10 ** (-np.array([15, 25, 35]) / 10)
    delta = RateCurve(*points, "msssim").bd_rate(RateCurve([2, 4, 8], reference, "msssim"))
    assert delta.percent == pytest.approx(100 * (2**-0.5 - 1))
    assert (delta.low, delta.high) == pytest.approx((15, 30))


def test_curves_of_other_images_average_to_another_number():
    """The mean of the images' own BD-rates is not the BD-rate of the mean points."""
    reference = np.array([[1.0, 2, 4], [4, 8, 16]])
    rates = reference * [[0.5], [1.5]]
    quality = np.array([[0.0, 3, 6], [0, 3, 6]])
    pixels = np.array([8, 8])
    mean = RateCurve(*mean_points(rates, pixels, quality)).bd_rate(
        RateCurve(*mean_points(reference, pixels, quality))
    )
    assert mean.percent == pytest.approx(100 * ((0.5 + 6) / 5 - 1))
    assert mean.percent != pytest.approx((-50 + 50) / 2)


def test_bd_rate_of_curves_without_common_qualities():
    for reference, curve in (
        (([1, 2], [30, 31]), ([1, 2], [32, 33])),
        (([1, 2], [30, 31]), ([1, 2], [31, 33])),
        (([1], [30]), ([1, 2], [29, 33])),
    ):
        assert RateCurve(*curve).bd_rate(RateCurve(*reference)) is None


def test_upper_curve_leaves_out_what_is_beaten():
    rates, qualities = upper_curve([2, 1, 3, 2, 5], [31, 30, 31, 32, 33])
    assert rates.tolist() == [1, 2, 5]
    assert qualities.tolist() == [30, 32, 33]


def test_quality_at():
    """Straight over the logarithm of the rate: the middle of 1 and 4 is 2."""
    curve = RateCurve([1, 4, 16], [30, 32, 34])
    assert curve.quality_at(2) == pytest.approx(31)
    assert curve.quality_at(1) == pytest.approx(30)
    assert curve.quality_at(99) == pytest.approx(34)
    assert curve.quality_at(0.9) is None


def test_ms_ssim_is_interpolated_in_decibels():
    curve = RateCurve([1, 4], [0.9, 0.99], "msssim")
    assert curve.quality_at(2) == pytest.approx(1 - 10**-1.5)


def test_samples_are_the_curve():
    curve = RateCurve([0.25, 0.5, 2], [0.8, 0.9, 0.97], "msssim")
    rates, qualities = curve.samples()
    assert (rates[0], rates[-1]) == pytest.approx((0.25, 2))
    for rate, quality in zip(rates[1:-1:20], qualities[1:-1:20], strict=True):
        assert curve.quality_at(rate) == pytest.approx(quality)


#: The mean of log(r / 0.125) / log(16) over r from 0.125 to 2.
RISE = 2 / 1.875 - 1 / math.log(16)


@pytest.mark.parametrize(
    ("rates", "qualities", "expected"),
    [
        # 0.5 + 0.5 log(r / 0.125) / log(16)
        ([0.125, 2], [0.5, 1], 1.875 * (0.5 + 0.5 * RISE)),
        # The line from (0, 0) to 0.5 bpp; 0.8 + 0.2 log2(r / 0.5) to 1 bpp; then level.
        (
            [0.5, 1],
            [0.8, 1],
            0.5 * 0.8 / 0.5 * (0.25 - 1 / 64) + 0.4 + 0.2 * (1 - 0.5 / math.log(2)) + 1,
        ),
        ([0.05], [0.9], 1.875 * 0.9),
        ([4, 8], [0.8, 0.9], 0.5 * 0.2 * (4 - 1 / 64)),
    ],
)
def test_area_by_hand(rates, qualities, expected):
    assert RateCurve(rates, qualities).area() == pytest.approx(expected, rel=1e-6)


def test_decibels():
    assert decibels([0.9, 0.99, 1.0]) == pytest.approx([10, 20, 100])


@pytest.mark.parametrize("rates", [[], [0, 1], [-1, 2]])
def test_curves_need_points(rates):
    with pytest.raises(ConfigError, match="above 0 bpp"):
        RateCurve(rates, [30] * len(rates))


def test_without_scipy(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.interpolate", None)
    curve = RateCurve([1, 2], [30, 31])
    with pytest.raises(InstallationError, match=r"pip install 'tfrnnc\[evaluate\]'"):
        curve.bd_rate(curve)
