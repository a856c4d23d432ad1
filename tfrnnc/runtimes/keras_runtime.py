"""Runs a codec model's iterations in Keras."""

from __future__ import annotations

import os
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from tfrnnc.backend import compiled, memory_failures, prepare_environment
from tfrnnc.bitstream import StreamSpec
from tfrnnc.runtimes.runtime import Runtime, stage_of

if TYPE_CHECKING:
    from tfrnnc.bitstream import EntropyModel
    from tfrnnc.models import ResidualCodec
    from tfrnnc.runtimes.rate_distortion import RateDistortion


class KerasRuntime(Runtime):
    """A `Runtime` for Keras models.

    Threads take turns: Keras promises nothing of models that several threads call at once, and its
    backend already computes one call on all CPUs. A pickle holds the model's settings and
    weights, so that it needs no folder.

    Args:
        model: the model to run. Its weights must not change afterwards.

    Attributes:
        model: the same.
    """

    def __init__(self, model: ResidualCodec):
        from tfrnnc.model_folder.keras_model import model_id

        super().__init__(
            StreamSpec(model_id(model), model.stride, model.bits, model.iterations),
            reconstruction=model.reconstruction,
            encoder_margin=max(stage.margin(1) for stage in model.encoders),
            decoder_margin=max(stage.margin(model.stride) for stage in model.decoders),
        )
        self.model = model
        self._turn = threading.Lock()
        self._objectives: dict[tuple[bytes | None, float], RateDistortion] = {}
        # One graph for all iterations that share their weights, else one for each.
        stages = range(len(model.encoders))
        self._encoders = [compiled(partial(model.encode_iteration, iteration=i)) for i in stages]
        self._decoders = [compiled(partial(model.decode_iteration, iteration=i)) for i in stages]

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> KerasRuntime:
        """Reads the model in a folder, as `tfrnnc-train` writes it.

        Raises:
            InstallationError: if Keras or its backend is not installed.
            ModelError: if a file is missing, broken, or does not fit the other.
        """
        prepare_environment()
        # Imported late: TensorFlow takes seconds, which only those who need it should wait for.
        from tfrnnc.model_folder.keras_model import load_model

        return cls(load_model(folder))

    def rate_distortion(
        self, entropy_model: EntropyModel | None, ssim_weight: float
    ) -> RateDistortion:
        """The objective of a search for bits; made once for each entropy model and weight.

        Args:
            entropy_model: that the bits will be coded with; None if with none.
            ssim_weight: of 1 - SSIM beside the squared error.
        """
        from tfrnnc.runtimes.rate_distortion import RateDistortion

        key = None if entropy_model is None else entropy_model.entropy_coded_id, ssim_weight
        with self._turn:
            if key not in self._objectives:
                self._objectives[key] = RateDistortion(self.model, entropy_model, ssim_weight)
            return self._objectives[key]

    def __reduce__(self) -> tuple[Any, ...]:
        from tfrnnc.model_folder.keras_model import model_config

        return _restore, (model_config(self.model), self.model.get_weights())

    def encode_iteration(
        self, residual: np.ndarray, states: Any, iteration: int
    ) -> tuple[np.ndarray, Any]:
        """E_t; see `Runtime.encode_iteration`."""
        with self._turn, memory_failures(residual.shape):
            if states is None:
                states = self.model.initial_encoder_states(1, *residual.shape[:2])
            logits, states = stage_of(self._encoders, iteration)(residual[None], states)
            return np.asarray(logits)[0], states

    def decode_iteration(
        self, plane: np.ndarray, states: Any, reconstruction: np.ndarray | None, iteration: int
    ) -> tuple[np.ndarray, Any]:
        """D_t; see `Runtime.decode_iteration`."""
        height, width, _ = plane.shape
        bits = plane.astype(np.float32)
        with self._turn, memory_failures((height * self.stride, width * self.stride)):
            if states is None:
                size = height * self.stride, width * self.stride
                states = self.model.initial_decoder_states(1, *size)
            prediction, states = stage_of(self._decoders, iteration)(bits[None], states)
            prediction = np.asarray(prediction)[0]
        if self.reconstruction == "additive" and reconstruction is not None:
            prediction = reconstruction + prediction
        return prediction, states


def _restore(config: dict[str, Any], weights: list[np.ndarray]) -> KerasRuntime:
    """A runtime from what a pickle holds."""
    prepare_environment()
    from tfrnnc.model_folder.keras_model import model_from_config

    model = model_from_config(config)
    model.set_weights(weights)
    return KerasRuntime(model)
