from __future__ import annotations

import numpy as np
import pytest

import tfrnnc
from tfrnnc import blas
from tfrnnc.errors import InstallationError


@pytest.fixture(autouse=True)
def unchecked():
    """The check is made once in a process."""
    blas.require_right_products.cache_clear()
    yield
    blas.require_right_products.cache_clear()


def test_products_are_right_here():
    blas.require_right_products()


@pytest.mark.parametrize(
    "fails",
    [
        lambda left, _: len(left) == 2,
        lambda left, _: not left.flags.c_contiguous,
        lambda _, right: not right.flags.c_contiguous,
        lambda left, right: left.flags.c_contiguous and right.flags.c_contiguous,
    ],
)
def test_previews_are_not_made_of_wrong_products(monkeypatch, fails):
    right = blas._product
    monkeypatch.setattr(blas, "_product", lambda a, b: right(a, b) * (np.nan if fails(a, b) else 1))
    with pytest.raises(InstallationError, match="OPENBLAS_CORETYPE=ARMV8"):
        tfrnnc.preview(np.zeros((8, 8, 3), np.uint8))
