"""Runs exported steps in LiteRT, without TensorFlow or Keras."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from tfrnnc.codec.runtime import Runtime
from tfrnnc.environment import silenced_stderr
from tfrnnc.errors import ConfigError, ModelError
from tfrnnc.export.manifest import Manifest, StepFile


class LiteRTRuntime(Runtime):
    """A `Runtime` for exported models.

    Args:
        folder: with TFLite files and their manifest, as presets and `tfrnnc-export` have them.
        threads: that LiteRT uses; None leaves it to one for each processor.

    Raises:
        ModelError: if a file is missing or not the one that the manifest describes.
    """

    def __init__(self, folder: str | os.PathLike, threads: int | None = None):
        folder = Path(folder)
        manifest = Manifest.read(folder)
        self.model_id = bytes.fromhex(manifest.model_id)
        self.stride, self.bits, self.steps = manifest.stride, manifest.bits, manifest.steps
        self._additive = manifest.reconstruction == "additive"
        threads = threads or os.cpu_count() or 1
        self._encoders = [_Step(folder, file, threads) for file in manifest.encoders]
        self._decoders = [_Step(folder, file, threads) for file in manifest.decoders]

    def encode_step(self, residual: np.ndarray, states: list | None, step: int):
        """E_t: see `Runtime.encode_step`."""
        encoder = self._encoders[min(step, len(self._encoders) - 1)]
        logits, states = encoder(residual, states, residual.shape[:2])
        return logits >= 0, states

    def decode_step(
        self, plane: np.ndarray, states: list | None, reconstruction: np.ndarray | None, step: int
    ):
        """D_t: see `Runtime.decode_step`."""
        decoder = self._decoders[min(step, len(self._decoders) - 1)]
        bits = np.where(plane, np.float32(1), np.float32(-1))
        size = (plane.shape[0] * self.stride, plane.shape[1] * self.stride)
        prediction, states = decoder(bits, states, size)
        if self._additive and reconstruction is not None:
            prediction = reconstruction + prediction
        return prediction, states


class _Step:
    """One TFLite file, resized to the image at hand."""

    def __init__(self, folder: Path, file: StepFile, threads: int):
        self._folder, self._file, self._threads = folder, file, threads
        self._interpreter: Any = None
        self._size: tuple[int, int] | None = None

    def __call__(self, inputs: np.ndarray, states: list | None, size: tuple[int, int]):
        """Runs the step for an image of `size` pixels; returns its output and new states."""
        if self._interpreter is None:
            self._load()
        if size != self._size:
            self._resize(size)
        if states is None:
            states = [
                np.zeros((1, *state.spatial_shape(size), state.channels), np.float32)
                for state in self._file.inputs[1:]
            ]
        for index, value in zip(self._inputs, (inputs[None], *states), strict=True):
            self._interpreter.set_tensor(index, value)
        self._interpreter.invoke()
        outputs, *new_states = (self._interpreter.get_tensor(index) for index in self._outputs)
        return outputs[0], new_states

    def _load(self) -> None:
        from ai_edge_litert.interpreter import Interpreter

        content = self._file.read(self._folder)
        try:
            self._interpreter = Interpreter(model_content=content, num_threads=self._threads)
            runner = self._interpreter.get_signature_runner()
            inputs, outputs = runner.get_input_details(), runner.get_output_details()
            self._inputs = [inputs[tensor.name]["index"] for tensor in self._file.inputs]
            self._outputs = [outputs[tensor.name]["index"] for tensor in self._file.outputs]
        except (ValueError, RuntimeError, KeyError) as error:
            raise ModelError(
                f"{self._folder / self._file.name}: cannot be run ({error}); export it again"
            ) from error

    def _resize(self, size: tuple[int, int]) -> None:
        for index, tensor in zip(self._inputs, self._file.inputs, strict=True):
            shape = (1, *tensor.spatial_shape(size), tensor.channels)
            try:
                self._interpreter.resize_tensor_input(index, shape, strict=True)
            except (RuntimeError, ValueError) as error:
                raise ConfigError(
                    f"{self._folder / self._file.name}: takes images of one size only, not of "
                    f"{size[0]}x{size[1]}; export the model with --size dynamic"
                ) from error
        if self._size is None:
            with silenced_stderr():
                self._interpreter.allocate_tensors()
        else:
            self._interpreter.allocate_tensors()
        self._size = size
