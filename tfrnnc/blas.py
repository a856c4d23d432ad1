"""Whether NumPy's matrix products can be relied on: its BLAS library has code for each CPU."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from tfrnnc.errors import InstallationError

_SIDE, _COLUMNS = 64, 24  # Below a size BLAS libraries take other code.


@lru_cache(maxsize=1)
def require_right_products() -> None:
    """Multiplies a few integers in the ways that matrices lie in memory, once in a process.

    Raises:
        InstallationError: if a product is wrong.
    """
    values = (np.arange(_SIDE * _SIDE) * 37 % 256).reshape(_SIDE, _SIDE).astype(np.float32)
    kernel = values[::-1, :_COLUMNS].copy()
    pairs = (
        (values, kernel),
        (values[:2], kernel),
        (values.T, kernel),
        (values, kernel.T.copy().T),
        (values, values[:, :_COLUMNS]),
    )
    for left, right in pairs:
        # Products of integers are not left to a BLAS library.
        require_equal(_product(left, right), left.astype(np.int64) @ right.astype(np.int64))


def require_equal(product: np.ndarray, right: np.ndarray) -> None:
    """Refuses a product that is not the right one.

    Raises:
        InstallationError: says what to do.
    """
    if not np.array_equal(product, right):
        raise InstallationError(
            "NumPy's matrix products are wrong on this CPU, a fault of its BLAS library. Set "
            "OPENBLAS_CORETYPE=ARMV8 before Python starts, if it is OpenBLAS on ARM; or take "
            "another version of NumPy"
        )


def _product(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return np.asarray(left @ right)
