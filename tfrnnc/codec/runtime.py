"""What the codec needs of whatever runs a model."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np


class Runtime(Protocol):
    """The steps of a trained model, on NumPy arrays.

    Attributes:
        model_id: identity of its weights, as streams carry it.
        stride: pixels between two locations of the code.
        bits: bits at each location, for each step.
        steps: most steps that it can encode.
    """

    model_id: bytes
    stride: int
    bits: int
    steps: int

    def encode_step(self, residual: np.ndarray, states: Any, step: int) -> tuple[np.ndarray, Any]:
        """E_t: the residual float32 (H, W, 3) to a plane, int8 (h, w, bits).

        Args:
            residual: H and W are multiples of the stride.
            states: None at first, then what the step before returned.
            step: t - 1, counted from zero.

        Returns:
            the pair (plane, new states); the plane holds -1 and +1.
        """

    def decode_step(
        self, plane: np.ndarray, states: Any, reconstruction: np.ndarray | None, step: int
    ) -> tuple[np.ndarray, Any]:
        """D_t: a plane of bits to the reconstruction, float32 (H, W, 3).

        Args:
            plane: int8 (h, w, bits) of -1 and +1, and 0 for bits that are not known.
            states: None at first, then what the step before returned.
            reconstruction: None at first, then what the step before returned.
            step: t - 1, counted from zero.

        Returns:
            the pair (reconstruction, new states).
        """
