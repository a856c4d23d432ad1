"""LiteRT's interpreter of one file, for one caller at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfrnnc.errors import ModelError, RunError
from tfrnnc.model_folder.manifest import STATES_ONLY, WHOLE_ITERATION, IterationFile, Tensor
from tfrnnc.runtimes.memory import trim_memory
from tfrnnc.runtimes.windows import Window

Size = tuple[int, int]  #: height and width in pixels

#: What LiteRT and NumPy raise where an image cannot be computed.
FAILURES = (MemoryError, RuntimeError, ValueError, OverflowError)


class Interpreter:
    """LiteRT's interpreter of one file.

    After an error, of LiteRT or another, it is of no use any more; `run_error` gives errors
    meaning. LiteRT itself prints a line to standard error when the first one of a process is made
    ready; it has no switch for that.

    Args:
        path: of the file, for messages.
        file: its description.
        content: of the file.
        threads: that it computes with.

    Attributes:
        threads: the same.
        size: of the images that it is ready for; None before the first `resize`.
        images: how many of them it computes at once.
        largest_pixels: most pixels of all images at once that it was ready for; its memory never
            shrinks.

    Raises:
        ModelError: if the file cannot be run, or is not as described.
    """

    #: An interpreter for more is large, and its memory is given back.
    LARGE_PIXELS = 1 << 17  # Here, as modules may be gone when interpreters are destroyed.

    def __init__(self, path: Path, file: IterationFile, content: bytes, threads: int):
        self.threads = threads
        self.size: Size | None = None
        self.images = 0
        self.largest_pixels = 0
        from ai_edge_litert import interpreter as litert

        self._path, self._file = path, file
        self._shapes: list[tuple[int, int, int, int]] = []  # of the outputs
        try:
            self._litert = litert.Interpreter(model_content=content, num_threads=threads)
            self._signatures = list(self._litert.get_signature_list())
            runner = self._litert.get_signature_runner(WHOLE_ITERATION)
            inputs, outputs = runner.get_input_details(), runner.get_output_details()
            # Nothing else of an interpreter can be used while there is one.
            del runner
            self._inputs = [self._index(inputs[tensor.name], tensor) for tensor in file.inputs]
            self._outputs = [outputs[tensor.name]["index"] for tensor in file.outputs]
        except (ValueError, RuntimeError, KeyError) as error:
            raise ModelError(
                f"{path}: cannot be run ({_first_line(error)}); export it again"
            ) from error

    def __del__(self) -> None:
        """What a large image took goes back to the system, of which others may be short."""
        if self.largest_pixels > self.LARGE_PIXELS:
            self._litert = None
            trim_memory()

    def _index(self, details: dict[str, Any], tensor: Tensor) -> int:
        shape, dtype = list(details["shape_signature"]), details["dtype"]
        if len(shape) != 4 or shape[3] != tensor.channels or dtype is not np.float32:
            raise ValueError(f"{tensor.name} is not as the manifest says")
        return int(details["index"])

    def resize(self, size: Size, images: int = 1) -> None:
        """Makes it ready for images of a size.

        Args:
            size: of the images.
            images: how many are computed at once.
        """
        if size == self.size and images == self.images:
            return
        self.size = None
        self.images = images
        for index, tensor in zip(self._inputs, self._file.inputs, strict=True):
            # Files say that they take one image, but none of their operators minds more.
            shape = shape_of(tensor, size, images)
            self._litert.resize_tensor_input(index, shape, strict=images == 1)
        self._litert.allocate_tensors()
        self.size = size
        self._shapes = [shape_of(tensor, size, images) for tensor in self._file.outputs]
        self.largest_pixels = max(self.largest_pixels, images * size[0] * size[1])

    def run(self, values: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Computes images of the size that it is ready for: all outputs.

        Raises:
            ModelError: if the file's tensors are not as described.
        """
        litert = self._litert
        for index, value in zip(self._inputs, values, strict=True):
            litert.set_tensor(index, value)
        litert.invoke()
        return self._checked([litert.get_tensor(index) for index in self._outputs])

    def run_states(self, values: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Computes the new states only, or everything where the file has no signature for that.

        Raises:
            ModelError: if the file's tensors are not as described.
        """
        if STATES_ONLY not in self._signatures:
            return self.run(values)[1:]
        # Made anew, because nothing else of an interpreter can be used while there is one.
        runner = self._litert.get_signature_runner(STATES_ONLY)
        named = {t.name: value for t, value in zip(self._file.inputs, values, strict=True)}
        computed = runner(**named)
        tensors = self._file.outputs[1:]
        return self._checked([computed[tensor.name] for tensor in tensors], first=1)

    def run_windows(
        self,
        values: Sequence[np.ndarray],
        outputs: Sequence[np.ndarray],
        windows: Sequence[tuple[Window, Window]],
        states_only: bool,
    ) -> None:
        """Computes windows of an image: reads them from `values`, keeps them in `outputs`."""
        for window in windows:
            pieces = [
                value[_computed(window, tensor)]
                for value, tensor in zip(values, self._file.inputs, strict=True)
            ]
            if states_only:
                states = self.run_states([np.ascontiguousarray(piece) for piece in pieces])
                _keep(states, outputs, window, self._file.outputs[1:])
                continue
            for index, piece in zip(self._inputs, pieces, strict=True):
                # Into the interpreter's memory, which must not be referred to while it runs.
                np.copyto(self._litert.tensor(index)(), piece)
            self._litert.invoke()
            views = [self._litert.tensor(index)() for index in self._outputs]
            _keep(self._checked(views), outputs, window, self._file.outputs)
            del views

    def _checked(self, arrays: list[np.ndarray], first: int = 0) -> list[np.ndarray]:
        """Computed arrays, from the first output on; their shapes must be as the manifest says."""
        if [array.shape for array in arrays] == self._shapes[first:]:
            return arrays
        for number, array in enumerate(arrays, start=first):
            if array.shape != self._shapes[number]:
                name = self._file.outputs[number].name
                raise ModelError(
                    f"{self._path}: {name} is not as the manifest says; export it again"
                )
        return arrays


def run_error(path: Path, size: Size, error: Exception) -> RunError:
    """What to raise in place of one of `FAILURES`, which came up while an image was computed.

    Args:
        path: of the file.
        size: of the image.
        error: LiteRT's or NumPy's.
    """
    reason = _first_line(error) or "too little memory"
    height, width = size
    return RunError(
        f"{path}: cannot be run on an image of {height}x{width} pixels ({reason}); take "
        "a smaller image, free memory, or export the model again"
    )


def shape_of(tensor: Tensor, size: Size, images: int = 1) -> tuple[int, int, int, int]:
    """A tensor's shape for images of a size."""
    return images, size[0] // tensor.stride, size[1] // tensor.stride, tensor.channels


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), "")


def _computed(window: tuple[Window, Window], tensor: Tensor) -> tuple[slice, ...]:
    """Where in the whole image's tensor a window is."""
    rows, columns = window
    return np.s_[:, rows.computed(tensor.stride), columns.computed(tensor.stride)]


def _keep(
    pieces: Sequence[np.ndarray],
    outputs: Sequence[np.ndarray],
    window: tuple[Window, Window],
    tensors: Sequence[Tensor],
) -> None:
    """Copies what is right of a window's tensors into those of the whole image."""
    rows, columns = window
    for piece, output, tensor in zip(pieces, outputs, tensors, strict=True):
        stride = tensor.stride
        kept = np.s_[:, rows.kept_of_computed(stride), columns.kept_of_computed(stride)]
        np.copyto(output[:, rows.kept(stride), columns.kept(stride)], piece[kept])
