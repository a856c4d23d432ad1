"""What the codec needs of whatever runs a model."""

from __future__ import annotations

from typing import Any, Literal, Protocol

import numpy as np

from tfrnnc.bitstream import as_plane


def binarize(logits: np.ndarray) -> np.ndarray:
    """B in use (section 3.2): int8 -1 and +1, the sign of each logit. Zero is +1, everywhere."""
    return as_plane(logits >= 0)


class Runtime(Protocol):
    """The iterations of a trained model, on NumPy arrays.

    Attributes:
        model_id: identity of its weights, as streams carry it.
        stride: pixels between two locations of the latent bits.
        bits: bits at each location, for each iteration.
        iterations: most iterations that it can encode.
        reconstruction: "one_shot" if an iteration's reconstruction is its prediction, whatever
            those before it were (see `decode_states`); "additive" if it is the sum of the
            predictions.
        independent: whether what a location of the latent bits shows depends on its own bits alone,
            as it does with `fc` and `fc_lstm`; such models can stop each location where it is best.
    """

    model_id: bytes
    stride: int
    bits: int
    iterations: int
    reconstruction: Literal["additive", "one_shot"]
    independent: bool

    def encode_iteration(
        self, residual: np.ndarray, states: Any, iteration: int
    ) -> tuple[np.ndarray, Any]:
        """E_t: the residual float32 (H, W, 3) to logits, float32 (h, w, bits).

        Args:
            residual: H and W are multiples of the stride.
            states: None at first, then what the iteration before returned.
            iteration: t - 1, counted from zero.

        Returns:
            the pair (logits, new states); see `binarize`.
        """

    def decode_iteration(
        self, plane: np.ndarray, states: Any, reconstruction: np.ndarray | None, iteration: int
    ) -> tuple[np.ndarray, Any]:
        """D_t: a plane of bits to the reconstruction, float32 (H, W, 3).

        Args:
            plane: int8 (h, w, bits) of -1 and +1, and 0 for bits that are not known.
            states: None at first, then what the iteration before returned.
            reconstruction: None at first, then what the iteration before returned.
            iteration: t - 1, counted from zero.

        Returns:
            the pair (reconstruction, new states).
        """

    def decode_states(self, plane: np.ndarray, states: Any, iteration: int) -> Any:
        """D_t without its picture, which the later iterations of a one-shot model do not need.

        Args:
            plane: as for `decode_iteration`, like the others.
            states: None at first, then what the iteration before returned.
            iteration: t - 1, counted from zero.

        Returns:
            the new states.
        """
        return self.decode_iteration(plane, states, None, iteration)[1]
