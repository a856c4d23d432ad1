"""Runs exported iterations in LiteRT, without TensorFlow or Keras."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from tfrnnc.backend import silenced_stderr
from tfrnnc.errors import ConfigError, ModelError
from tfrnnc.model_folder.manifest import (
    STATES_ONLY,
    WHOLE_ITERATION,
    IterationFile,
    Manifest,
    Tensor,
)
from tfrnnc.runtimes.runtime import Runtime
from tfrnnc.runtimes.windows import Window, count, cut, even

# Larger images are computed in windows, for the memory: 12 megapixels at once take 11 GB.
MAX_PIXELS_AT_ONCE = 1 << 20
WINDOW_SIDE = 512


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
        self.stride, self.bits, self.iterations = (
            manifest.stride,
            manifest.bits,
            manifest.iterations,
        )
        self.independent = not any(file.margin for file in manifest.decoders)
        self.reconstruction = manifest.reconstruction
        threads = threads or os.cpu_count() or 1
        self._encoders = [_Iteration(folder, file, manifest, threads) for file in manifest.encoders]
        self._decoders = [_Iteration(folder, file, manifest, threads) for file in manifest.decoders]

    def encode_iteration(self, residual: np.ndarray, states: list | None, iteration: int):
        """E_t: see `Runtime.encode_iteration`."""
        encoder = self._encoders[min(iteration, len(self._encoders) - 1)]
        return encoder(residual, states, residual.shape[:2])

    def decode_iteration(
        self,
        plane: np.ndarray,
        states: list | None,
        reconstruction: np.ndarray | None,
        iteration: int,
    ):
        """D_t: see `Runtime.decode_iteration`."""
        decoder, bits, size = self._decoder(plane, iteration)
        prediction, states = decoder(bits, states, size)
        if self.reconstruction == "additive" and reconstruction is not None:
            prediction = reconstruction + prediction
        return prediction, states

    def decode_states(self, plane: np.ndarray, states: list | None, iteration: int) -> list:
        """D_t without its picture: see `Runtime.decode_states`."""
        decoder, bits, size = self._decoder(plane, iteration)
        return decoder.states_only(bits, states, size)

    def _decoder(
        self, plane: np.ndarray, iteration: int
    ) -> tuple[_Iteration, np.ndarray, tuple[int, int]]:
        """What decodes an iteration, the bits that it takes, and the size of the image."""
        decoder = self._decoders[min(iteration, len(self._decoders) - 1)]
        size = (plane.shape[0] * self.stride, plane.shape[1] * self.stride)
        return decoder, plane.astype(np.float32), size


class _Iteration:
    """One TFLite file, run on the whole image or on windows of it."""

    def __init__(self, folder: Path, file: IterationFile, manifest: Manifest, threads: int):
        self._path, self._file, self._threads = folder / file.name, file, threads
        self._fixed_size, self._stride = manifest.size, manifest.stride
        self._margin = -(-file.margin // manifest.stride) * manifest.stride
        self._content: bytes | None = None
        self._together: list[_Interpreter] = []  # one, with all threads
        self._side_by_side: list[_Interpreter] = []  # one for each thread

    def __call__(self, inputs: np.ndarray, states: list | None, size: tuple[int, int]):
        """Runs the iteration for an image of `size` pixels; returns its output and new states."""
        outputs = self._run(inputs, states, size, states_only=False)
        return outputs[0][0], outputs[1:]

    def states_only(self, inputs: np.ndarray, states: list | None, size: tuple[int, int]) -> list:
        """The same without the output."""
        return self._run(inputs, states, size, states_only=True)

    def _run(self, inputs, states, size: tuple[int, int], states_only: bool) -> list[np.ndarray]:
        window = self._window(size)
        if states is None:
            states = _arrays(self._file.inputs[1:], size)
        values = [inputs[None], *states]
        if window == size:
            (interpreter,) = self._interpreters(self._together, 1, self._threads, size)
            return interpreter.run(values, states_only)
        outputs = _arrays(self._file.outputs[states_only:], size)
        self._run_windows(values, outputs, size, window, states_only)
        return outputs

    def _run_windows(self, values, outputs, size, window, states_only: bool) -> None:
        """Runs windows side by side, each on one thread: copying is then on all of them too."""
        # Imported late: small images, which should not wait for it, never need it.
        from concurrent.futures import ThreadPoolExecutor

        rows, columns = (cut(*sides, self._margin) for sides in zip(size, window, strict=True))
        windows = [(row, column) for row in rows for column in columns]
        threads = min(self._threads, len(windows))
        interpreters = self._interpreters(self._side_by_side, threads, 1, window)
        with ThreadPoolExecutor(threads) as pool:
            for part in [
                pool.submit(
                    interpreter.run_windows, values, outputs, windows[i::threads], states_only
                )
                for i, interpreter in enumerate(interpreters)
            ]:
                part.result()

    def _window(self, size: tuple[int, int]) -> tuple[int, int]:
        """Size of the windows that an image of `size` pixels is computed in."""
        if self._fixed_size is None:
            if size[0] * size[1] <= MAX_PIXELS_AT_ONCE:
                return size
            most = max(WINDOW_SIDE, 4 * self._margin)
            height, width = (
                even(length, count(length, most, self._margin), self._margin, self._stride)
                for length in size
            )
            return height, width
        if size != self._fixed_size:
            # Only windows that are wider than both their margins leave something to keep.
            windows = min(self._fixed_size) > 2 * self._margin
            if not windows or any(a < b for a, b in zip(size, self._fixed_size, strict=True)):
                raise ConfigError(
                    f"{self._path}: takes images of {self._fixed_size[0]}x{self._fixed_size[1]} "
                    f"pixels {'or more' if windows else 'only'}, not of {size[0]}x{size[1]}; "
                    "export the model with --size any"
                )
        return self._fixed_size

    def _interpreters(
        self, kept: list[_Interpreter], number: int, threads: int, size: tuple[int, int]
    ) -> list[_Interpreter]:
        """So many of the kept interpreters, ready for images of `size` pixels."""
        if self._content is None:
            self._content = self._file.read(self._path.parent)
        while len(kept) < number:
            kept.append(_Interpreter(self._path, self._file, self._content, threads))
        for interpreter in kept[:number]:
            interpreter.resize(size)
        return kept[:number]


class _Interpreter:
    """LiteRT's interpreter of one file."""

    def __init__(self, path: Path, file: IterationFile, content: bytes, threads: int):
        from ai_edge_litert.interpreter import Interpreter

        self._file = file
        self._size: tuple[int, int] | None = None
        try:
            self._interpreter = Interpreter(model_content=content, num_threads=threads)
            runner = self._interpreter.get_signature_runner(WHOLE_ITERATION)
            self._has_states_only = STATES_ONLY in self._interpreter.get_signature_list()
            inputs, outputs = runner.get_input_details(), runner.get_output_details()
            self._inputs = [inputs[tensor.name]["index"] for tensor in file.inputs]
            self._outputs = [outputs[tensor.name]["index"] for tensor in file.outputs]
        except (ValueError, RuntimeError, KeyError) as error:
            raise ModelError(f"{path}: cannot be run ({error}); export it again") from error

    def resize(self, size: tuple[int, int]) -> None:
        """Makes it ready for images of `size` pixels."""
        if size == self._size:
            return
        for index, tensor in zip(self._inputs, self._file.inputs, strict=True):
            shape = (1, *tensor.spatial_shape(size), tensor.channels)
            self._interpreter.resize_tensor_input(index, shape, strict=True)
        if self._size is None:
            with silenced_stderr():
                self._interpreter.allocate_tensors()
        else:
            self._interpreter.allocate_tensors()
        self._size = size

    def run(self, values: list[np.ndarray], states_only: bool) -> list[np.ndarray]:
        """Computes an image: all outputs, or the new states."""
        if states_only and self._has_states_only:
            # Made anew, because nothing else of an interpreter can be used while there is one.
            run_states = self._interpreter.get_signature_runner(STATES_ONLY)
            inputs = {t.name: value for t, value in zip(self._file.inputs, values, strict=True)}
            found = run_states(**inputs)
            return [found[tensor.name] for tensor in self._file.outputs[1:]]
        for index, value in zip(self._inputs, values, strict=True):
            self._interpreter.set_tensor(index, value)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs[states_only:]]

    def run_windows(
        self, values, outputs, windows: list[tuple[Window, Window]], states_only: bool
    ) -> None:
        """Computes windows of an image: reads them from `values`, keeps them in `outputs`."""
        for window in windows:
            computed = [
                value[_computed(window, tensor)]
                for value, tensor in zip(values, self._file.inputs, strict=True)
            ]
            if states_only:
                found = self.run([np.ascontiguousarray(v) for v in computed], states_only)
                _keep(found, outputs, window, self._file.outputs[1:])
                continue
            for index, value in zip(self._inputs, computed, strict=True):
                # Into the interpreter's memory, which must not be referred to while it runs.
                np.copyto(self._interpreter.tensor(index)(), value)
            self._interpreter.invoke()
            views = (self._interpreter.tensor(index)() for index in self._outputs)
            _keep(views, outputs, window, self._file.outputs)


def _computed(window: tuple[Window, Window], tensor: Tensor):
    """Where in the whole image's tensor a window is."""
    rows, columns = window
    return np.s_[:, rows.computed(tensor.stride), columns.computed(tensor.stride)]


def _keep(found, outputs, window: tuple[Window, Window], tensors: list[Tensor]) -> None:
    """Copies what is right of a window's tensors into those of the whole image."""
    rows, columns = window
    for window_tensor, output, tensor in zip(found, outputs, tensors, strict=True):
        s = tensor.stride
        kept = np.s_[:, rows.kept_of_computed(s), columns.kept_of_computed(s)]
        np.copyto(output[:, rows.kept(s), columns.kept(s)], window_tensor[kept])


def _arrays(tensors: list[Tensor], size: tuple[int, int]) -> list[np.ndarray]:
    """Zeros for tensors of a whole image of `size` pixels."""
    return [
        np.zeros((1, *tensor.spatial_shape(size), tensor.channels), np.float32)
        for tensor in tensors
    ]
