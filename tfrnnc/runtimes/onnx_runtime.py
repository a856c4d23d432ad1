"""Runs a model's ONNX files in onnxruntime, to compare them with Keras."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from tfrnnc.bitstream import StreamSpec
from tfrnnc.errors import InstallationError, ModelError
from tfrnnc.model_folder.manifest import Tensor
from tfrnnc.runtimes.runtime import Runtime, stage_of


class OnnxRuntime(Runtime):
    """A `Runtime` for the files that `tfrnnc-export --target onnx` writes.

    Args:
        folder: that holds them.
        threads: that onnxruntime uses; None takes one for each CPU.

    Raises:
        InstallationError: if onnxruntime is not installed.
        ModelError: if a file is missing, or not one of these.
    """

    def __init__(self, folder: Path, threads: int | None = None):
        self._folder, self._threads = folder, threads
        first = _Session.open(folder / "encoder_1.onnx", threads)
        reconstruction: Literal["additive", "one_shot"] = "additive"
        try:
            if first.metadata["reconstruction"] == "one_shot":
                reconstruction = "one_shot"
            numbers = range(1, int(first.metadata["files"]) + 1)
            stride, bits, iterations = (
                int(first.metadata[name]) for name in ("stride", "bits", "iterations")
            )
            model_id = bytes.fromhex(first.metadata["model_id"])
            spec = StreamSpec(model_id, stride, bits, iterations)
        except (KeyError, ValueError) as error:
            raise _not_ours(folder / "encoder_1.onnx", error) from error
        self._encoders = [first]
        self._encoders += [
            _Session.open(folder / f"encoder_{n}.onnx", threads) for n in numbers[1:]
        ]
        self._decoders = [_Session.open(folder / f"decoder_{n}.onnx", threads) for n in numbers]
        super().__init__(
            spec,
            reconstruction=reconstruction,
            encoder_margin=max(file.margin for file in self._encoders),
            decoder_margin=max(file.margin for file in self._decoders),
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return OnnxRuntime, (self._folder, self._threads)

    def encode_iteration(
        self, residual: np.ndarray, states: Any, iteration: int
    ) -> tuple[np.ndarray, Any]:
        """E_t; see `Runtime.encode_iteration`."""
        return stage_of(self._encoders, iteration).run(residual, states)

    def decode_iteration(
        self, plane: np.ndarray, states: Any, reconstruction: np.ndarray | None, iteration: int
    ) -> tuple[np.ndarray, Any]:
        """D_t; see `Runtime.decode_iteration`."""
        bits = plane.astype(np.float32)
        prediction, states = stage_of(self._decoders, iteration).run(bits, states)
        if self.reconstruction == "additive" and reconstruction is not None:
            prediction = reconstruction + prediction
        return prediction, states


class _Session(NamedTuple):
    """One file, ready to run.

    Attributes:
        session: an `onnxruntime.InferenceSession`, which threads may share.
        metadata: what the file says of its model.
        margin: see `tfrnnc.model_folder.manifest.IterationFile`, like the others.
        inputs: of the iteration.
        outputs: their names.
    """

    session: Any
    metadata: dict[str, str]
    margin: int
    inputs: list[Tensor]
    outputs: list[str]

    @classmethod
    def open(cls, path: Path, threads: int | None) -> _Session:
        """Reads a file.

        Raises:
            InstallationError: if onnxruntime is not installed.
            ModelError: if it is missing, or not one that `tfrnnc-export` wrote.
        """
        try:
            import onnxruntime
        except ImportError as error:
            raise InstallationError(
                f"running ONNX files needs onnxruntime ({error}); pip install 'tfrnnc[onnx]'"
            ) from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ModelError(
                f"{path}: {error.strerror}; export the model with --target onnx"
            ) from error
        try:
            session = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
            metadata = dict(session.get_modelmeta().custom_metadata_map)
            inputs = [Tensor(**fields) for fields in json.loads(metadata["inputs"])]
            outputs = [fields["name"] for fields in json.loads(metadata["outputs"])]
            return cls(session, metadata, int(metadata["margin"]), inputs, outputs)
        except Exception as error:
            # onnxruntime has an error of its own for each way in which a file can be broken.
            raise _not_ours(path, error) from error

    def run(self, value: np.ndarray, states: Any) -> tuple[np.ndarray, Any]:
        """Runs the iteration.

        Args:
            value: residual or bits, float32 (h, w, channels).
            states: None at first, then what the iteration before returned.

        Returns:
            the pair (logits or prediction, new states).
        """
        first, *others = self.inputs
        if states is None:
            height, width = (side * first.stride for side in value.shape[:2])
            states = [
                np.zeros((1, height // each.stride, width // each.stride, each.channels), "f4")
                for each in others
            ]
        names = (tensor.name for tensor in self.inputs)
        feeds = dict(zip(names, (value[None], *states), strict=True))
        result, *new_states = self.session.run(self.outputs, feeds)
        return result[0], new_states


def _not_ours(path: Path, error: Exception) -> ModelError:
    reason = next(iter(str(error).splitlines()), type(error).__name__)
    return ModelError(
        f"{path}: not an ONNX file that tfrnnc-export wrote ({reason}); export the model again"
    )
