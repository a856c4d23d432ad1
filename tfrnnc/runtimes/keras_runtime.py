"""Runs a codec model's iterations in Keras."""

from __future__ import annotations

import os
from functools import partial

import numpy as np

from tfrnnc.backend import compiled, prepare_environment
from tfrnnc.runtimes.runtime import Runtime


class KerasRuntime(Runtime):
    """A `Runtime` for Keras models.

    Args:
        model: a `tfrnnc.models.ResidualCodec`.

    Attributes:
        model: the same.
    """

    def __init__(self, model):
        from tfrnnc.model_folder.keras_model import model_id

        self.model = model
        self.model_id = model_id(model)
        self.stride, self.bits, self.iterations = (
            self.model.stride,
            self.model.bits,
            self.model.iterations,
        )
        self.reconstruction = model.reconstruction
        self.independent = not any(stage.margin(self.stride) for stage in model.decoders)
        # One graph for all iterations that share their weights, else one for each.
        stages = range(len(model.encoders))
        self._encode_iterations = [
            compiled(partial(model.encode_iteration, iteration=i)) for i in stages
        ]
        self._decode_iterations = [
            compiled(partial(model.decode_iteration, iteration=i)) for i in stages
        ]

    @classmethod
    def load(cls, folder: str | os.PathLike) -> KerasRuntime:
        """Reads the model in a folder, as `tfrnnc-train` writes it.

        Raises:
            ModelError: as for `tfrnnc.model_folder.keras_model.load_model`.
        """
        prepare_environment()
        # Imported late: TensorFlow takes seconds, which only those who need it should wait for.
        from tfrnnc.model_folder.keras_model import load_model

        return cls(load_model(folder))

    def encode_iteration(self, residual: np.ndarray, states: list | None, iteration: int):
        """E_t: see `Runtime.encode_iteration`."""
        if states is None:
            states = self.model.initial_encoder_states(1, *residual.shape[:2])
        encode_iteration = self._encode_iterations[min(iteration, len(self._encode_iterations) - 1)]
        logits, states = encode_iteration(residual[None], states)
        return np.asarray(logits)[0], states

    def decode_iteration(
        self,
        plane: np.ndarray,
        states: list | None,
        reconstruction: np.ndarray | None,
        iteration: int,
    ):
        """D_t: see `Runtime.decode_iteration`."""
        if states is None:
            height, width, _ = plane.shape
            states = self.model.initial_decoder_states(1, height * self.stride, width * self.stride)
        bits = plane.astype(np.float32)
        decode_iteration = self._decode_iterations[min(iteration, len(self._decode_iterations) - 1)]
        prediction, states = decode_iteration(bits[None], states)
        before = 0.0 if reconstruction is None else reconstruction
        return np.asarray(self.model.reconstruct(before, np.asarray(prediction)[0])), states
