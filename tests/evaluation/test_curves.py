import math
import sys

import numpy as np
import pytest

from tfrnnc.errors import InstallationError
from tfrnnc.evaluation import area, bd_rate, quality_at
from tfrnnc.evaluation.curves import decibels, upper_curve


@pytest.mark.parametrize(("factor", "percent"), [(0.5, -50), (1, 0), (1.25, 25), (3, 200)])
def test_bd_rate_of_the_same_curve_at_other_rates(factor, percent):
    rates, qualities = np.array([0.1, 0.3, 0.7, 2]), [27, 31.5, 34, 40]
    assert bd_rate((rates, qualities), (factor * rates, qualities)) == pytest.approx(percent)


def test_bd_rate_by_hand():
    """Straight lines, which the interpolation keeps: log2 of the rate is q / 3 and q / 6.

    They share qualities from 0 to 6, where the difference is -q / 6, on the average -1 / 2.
    """
    anchor = [1, 2, 4], [0, 3, 6]
    curve = [1, 2, 4], [0, 6, 12]
    expected = 100 * (2**-0.5 - 1)
    assert bd_rate(anchor, curve) == pytest.approx(expected)
    assert bd_rate(curve, anchor) == pytest.approx(100 * (2**0.5 - 1))


def test_bd_rate_of_a_bend_by_hand():
    """PCHIP's slopes at (0, 0), (1, 1), (2, 3): 0.5, 4/3, 2.5, after Fritsch and Butland.

    A cubic's integral over a unit iteration is the mean of its ends plus a twelfth of the fall of
    its slope: 0.5 + (0.5 - 4/3) / 12, and 2 + (4/3 - 2.5) / 12; together 2.5 - 2 / 12.
    """
    logs = np.array([0.0, 1.0, 3.0])
    mean = (2.5 - 2 / 12) / 2
    flat = [1.0, 1.0 + 1e-12], [0.0, 2.0]
    assert bd_rate(flat, (np.exp(logs), [0, 1, 2])) == pytest.approx(100 * math.expm1(mean))


def test_bd_rate_is_near_to_the_cubic_of_its_inventor():
    rates = np.array([0.12, 0.25, 0.5, 1.0])
    anchor, curve = [28.1, 30.6, 33.4, 36.7], [29.0, 31.3, 34.3, 37.3]
    fits = [np.polynomial.Polynomial.fit(q, np.log(rates), 3).integ() for q in (anchor, curve)]
    low, high = 29.0, 36.7
    parts = [fit(high) - fit(low) for fit in fits]
    expected = 100 * math.expm1((parts[1] - parts[0]) / (high - low))
    assert bd_rate((rates, anchor), (rates, curve)) == pytest.approx(expected, abs=0.5)


def test_bd_rate_of_curves_without_common_qualities():
    assert bd_rate(([1, 2], [30, 31]), ([1, 2], [32, 33])) is None
    assert bd_rate(([1, 2], [30, 31]), ([1, 2], [31, 33])) is None
    assert bd_rate(([1], [30]), ([1, 2], [29, 33])) is None


def test_upper_curve_leaves_out_what_is_beaten():
    rates, qualities = upper_curve([2, 1, 3, 2, 5], [31, 30, 31, 32, 33])
    assert rates.tolist() == [1, 2, 5]
    assert qualities.tolist() == [30, 32, 33]


def test_quality_at():
    curve = [0.25, 0.5, 0.75], [30, 32, 34]
    assert quality_at(*curve, 0.375) == pytest.approx(31)
    assert quality_at(*curve, 0.25) == 30
    assert quality_at(*curve, 9) == 34
    assert quality_at(*curve, 0.2) is None


@pytest.mark.parametrize(
    ("rates", "qualities", "expected"),
    [
        ([0.125, 2], [0.5, 1], 1.875 * 0.75),
        # From 0.5 to 1 bpp on the curve, then level; before it the line from (0, 0).
        ([0.5, 1], [0.8, 1], 0.5 * 0.8 / 0.5 * (0.25 - 1 / 64) + 0.45 + 1),
        ([0.05, 4], [0.9, 0.9], 1.875 * 0.9),
        ([0.05], [0.9], 1.875 * 0.9),
        ([4, 8], [0.8, 0.9], 0.5 * 0.2 * (4 - 1 / 64)),
    ],
)
def test_area_by_hand(rates, qualities, expected):
    if qualities[0] == qualities[-1] and len(qualities) > 1:
        qualities = [qualities[0], qualities[0] + 1e-12]
    assert area(rates, qualities) == pytest.approx(expected)


def test_decibels():
    assert decibels([0.9, 0.99, 1.0]) == pytest.approx([10, 20, 100])


def test_without_scipy(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.interpolate", None)
    with pytest.raises(InstallationError, match=r"pip install 'tfrnnc\[evaluate\]'"):
        bd_rate(([1, 2], [30, 31]), ([1, 2], [30, 31]))
