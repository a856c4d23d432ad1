"""From whole coefficients to pixels, in whole numbers."""

from __future__ import annotations

import numpy as np

from tfrnnc.preview.colour import to_rgb
from tfrnnc.preview.layout import COLUMN_LIMIT, COLUMN_SHIFT, LOW, ROW_SHIFT, SIDE
from tfrnnc.preview.tables import Tables


def pictures(coefficients: np.ndarray, levels: np.ndarray, tables: Tables) -> np.ndarray:
    """The pictures of coefficients and average colours, before the network.

    Args:
        coefficients: dequantised, whole numbers (N, COEFFICIENTS).
        levels: int32 (N, 3), luma and both chromas, from `colour_levels`.
        tables: of the decoder.

    Returns:
        uint8 (N, 32, 32, 3).
    """
    number = len(coefficients)
    # float64 holds these sums exactly, and multiplies matrices faster than whole numbers.
    spectrum = np.zeros((number, 3 * LOW * LOW))
    spectrum[:, tables.place] = coefficients
    basis = tables.basis.astype(np.float64).T
    columns = basis @ spectrum.reshape(number, LOW, 3 * LOW)
    columns = np.clip(_shifted(columns, COLUMN_SHIFT), -COLUMN_LIMIT, COLUMN_LIMIT)
    rows = basis @ columns.reshape(number * SIDE, LOW, 3)
    channels = _shifted(rows, ROW_SHIFT).reshape(number, SIDE * SIDE, 3).astype(np.int32)
    rgb = to_rgb(channels + levels[:, None])
    return rgb.reshape(number, SIDE, SIDE, 3).astype(np.uint8)


def _shifted(values: np.ndarray, shift: int) -> np.ndarray:
    return np.floor((values + (1 << shift >> 1)) * 2.0**-shift)
