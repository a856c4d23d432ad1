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
    row, column = tables.place // (3 * LOW), tables.place // 3 % LOW
    # float32 holds these sums exactly, and multiplies matrices faster than whole numbers.
    spectrum = np.zeros((number, LOW, 3, LOW), np.float32)
    spectrum[:, row, tables.channel, column] = coefficients
    basis = tables.basis.astype(np.float32).T
    columns = _shifted(basis @ spectrum.reshape(number, LOW, 3 * LOW), COLUMN_SHIFT)
    np.clip(columns, -COLUMN_LIMIT, COLUMN_LIMIT, out=columns)
    rows = _shifted(columns.reshape(-1, LOW) @ basis.T, ROW_SHIFT)
    channels = rows.reshape(number, SIDE, 3, SIDE).transpose(0, 1, 3, 2).astype(np.int32)
    return to_rgb(channels + levels[:, None, None]).astype(np.uint8)


def _shifted(sums: np.ndarray, shift: int) -> np.ndarray:
    """The sums shifted to the right, in their own place."""
    sums += 1 << shift >> 1
    sums *= np.float32(2.0**-shift)
    whole: np.ndarray = np.floor(sums, out=sums)
    return whole
