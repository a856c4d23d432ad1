"""Runs a codec model's steps in Keras."""

from __future__ import annotations

import os
from functools import partial

import numpy as np

from tfrnnc.environment import compiled, prepare_environment


class KerasRuntime:
    """The steps of a trained Keras model, on NumPy arrays.

    Args:
        model: a `tfrnnc.models.ResidualCodec`.

    Attributes:
        model: the same.
        model_id: identity of its weights, as streams carry it.
        stride: pixels between two locations of the code.
        bits: bits at each location, for each step.
        steps: most steps that it can encode.
    """

    def __init__(self, model):
        from tfrnnc.models.model_files import model_id

        self.model = model
        self.model_id = model_id(model)
        self.stride, self.bits, self.steps = self.model.stride, self.model.bits, self.model.steps
        # One graph for all steps that share their weights, else one for each.
        stages = range(len(model.encoders))
        self._encode_steps = [compiled(partial(model.encode_step, step=i)) for i in stages]
        self._decode_steps = [compiled(partial(model.decode_step, step=i)) for i in stages]

    @classmethod
    def load(cls, folder: str | os.PathLike) -> KerasRuntime:
        """Reads the model in a folder, as `tfrnnc-train` writes it.

        Raises:
            ModelError: as for `tfrnnc.models.model_files.load_model`.
        """
        prepare_environment()
        # Imported late: TensorFlow takes seconds, which only those who need it should wait for.
        from tfrnnc.models.model_files import load_model

        return cls(load_model(folder))

    def encode_step(self, residual: np.ndarray, states: list | None, step: int):
        """E_t: the residual float32 (H, W, 3) to a plane of bits, bool (h, w, bits).

        Args:
            residual: H and W are multiples of the stride.
            states: None at first, then what the step before returned.
            step: t - 1, counted from zero.

        Returns:
            the pair (plane, new states); the plane is true where the bit is +1.
        """
        if states is None:
            states = self.model.initial_encoder_states(1, *residual.shape[:2])
        encode_step = self._encode_steps[min(step, len(self._encode_steps) - 1)]
        logits, states = encode_step(residual[None], states)
        return np.asarray(logits)[0] >= 0, states

    def decode_step(
        self, plane: np.ndarray, states: list | None, reconstruction: np.ndarray | None, step: int
    ):
        """D_t: a plane of bits to the reconstruction, float32 (H, W, 3).

        Args:
            plane: bool (h, w, bits).
            states: None at first, then what the step before returned.
            reconstruction: None at first, then what the step before returned.
            step: t - 1, counted from zero.

        Returns:
            the pair (reconstruction, new states).
        """
        if states is None:
            height, width, _ = plane.shape
            states = self.model.initial_decoder_states(1, height * self.stride, width * self.stride)
        bits = np.where(plane, np.float32(1), np.float32(-1))
        decode_step = self._decode_steps[min(step, len(self._decode_steps) - 1)]
        prediction, states = decode_step(bits[None], states)
        before = 0.0 if reconstruction is None else reconstruction
        return np.asarray(self.model.reconstruct(before, np.asarray(prediction)[0])), states
