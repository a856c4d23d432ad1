"""What the codec needs of whatever runs a model."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from tfrnnc.bitstream import as_plane


def binarize(logits: np.ndarray) -> np.ndarray:
    """B in use (section 3.2): int8 -1 and +1, the sign of each logit. Zero is +1, everywhere."""
    return as_plane(logits >= 0)


class Runtime(Protocol):
    """The steps of a trained model, on NumPy arrays.

    Attributes:
        model_id: identity of its weights, as streams carry it.
        stride: pixels between two locations of the code.
        bits: bits at each location, for each step.
        steps: most steps that it can encode.
        one_shot: whether a step's reconstruction is its prediction, whatever those before it were;
            see `decode_states`.
        independent: whether what a location of the code shows depends on its own bits alone, as
            it does with `fc` and `fc_lstm`; such models can stop each location where it is best.
    """

    model_id: bytes
    stride: int
    bits: int
    steps: int
    one_shot: bool
    independent: bool

    def encode_step(self, residual: np.ndarray, states: Any, step: int) -> tuple[np.ndarray, Any]:
        """E_t: the residual float32 (H, W, 3) to logits, float32 (h, w, bits).

        Args:
            residual: H and W are multiples of the stride.
            states: None at first, then what the step before returned.
            step: t - 1, counted from zero.

        Returns:
            the pair (logits, new states); see `binarize`.
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

    def decode_states(self, plane: np.ndarray, states: Any, step: int) -> Any:
        """D_t without its picture, which the later steps of a one-shot model do not need.

        Args:
            plane: as for `decode_step`, like the others.
            states: None at first, then what the step before returned.
            step: t - 1, counted from zero.

        Returns:
            the new states.
        """
        return self.decode_step(plane, states, None, step)[1]
