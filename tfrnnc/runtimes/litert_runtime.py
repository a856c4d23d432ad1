"""Runs exported iterations in LiteRT, without TensorFlow or Keras."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tfrnnc.bitstream import StreamSpec
from tfrnnc.errors import ConfigError
from tfrnnc.model_folder.manifest import IterationFile, Manifest, Tensor
from tfrnnc.model_folder.model_folder import ModelFolder
from tfrnnc.runtimes.interpreter import FAILURES, Interpreter, Size, run_error, shape_of
from tfrnnc.runtimes.interpreter_pool import InterpreterPool
from tfrnnc.runtimes.runtime import BATCH_PIXELS, Runtime, stage_of
from tfrnnc.runtimes.windows import count, cut, even, shared

# Larger images are computed in windows, for the memory: 12 megapixels at once take 11 GB.
MAX_PIXELS_AT_ONCE = 1 << 20
MAX_SIDE_AT_ONCE = 1 << 11  # Strips of large images are not more pixels, but longer.
WINDOW_SIDE = 512

# Interpreters that are kept between images are for this many pixels at most, which take 200 to 1000
# bytes each: of one file, and of all files of a model.
KEPT_PIXELS_OF_A_FILE = Interpreter.LARGE_PIXELS
KEPT_PIXELS = 1 << 20


class LiteRTRuntime(Runtime):
    """A `Runtime` for exported models.

    Threads that use it at once have interpreters of their own. Between images it keeps those for
    small images only, so that a large image leaves no memory behind. A pickle holds the folder's
    path (of a preset, its name) and the manifest, and the files are read again; they must be the
    same.

    Args:
        folder: with TFLite files and their manifest, as presets and `tfrnnc-export` have them.
        threads: that LiteRT uses for each image; None takes one for each CPU.
        arithmetic: "int8" takes the files in the folder's `int8/`.

    Raises:
        ConfigError: if there is no such arithmetic.
        ModelError: if the manifest is missing or broken. The files are read when they are first
            needed.
    """

    def __init__(
        self,
        folder: ModelFolder | str | os.PathLike[str],
        threads: int | None = None,
        arithmetic: str = "float32",
    ):
        folder = folder if isinstance(folder, ModelFolder) else ModelFolder(Path(folder))
        self._set_up(folder, folder.read_manifest(arithmetic), threads, arithmetic)

    def _set_up(
        self, folder: ModelFolder, manifest: Manifest, threads: int | None, arithmetic: str
    ) -> None:
        super().__init__(
            StreamSpec(
                bytes.fromhex(manifest.model_id),
                manifest.stride,
                manifest.bits,
                manifest.iterations,
            ),
            reconstruction=manifest.reconstruction,
            encoder_margin=max(file.margin for file in manifest.encoders),
            decoder_margin=max(file.margin for file in manifest.decoders),
            any_size=manifest.size is None,
        )
        self._arguments = folder, manifest, threads, arithmetic
        self.arithmetic = manifest.arithmetic
        threads = threads or os.cpu_count() or 1
        path = folder.exported_path(arithmetic)
        self._encoders, self._decoders = (
            [_Iteration(path, file, manifest, threads) for file in files]
            for files in (manifest.encoders, manifest.decoders)
        )

    def __getstate__(self) -> tuple[ModelFolder, Manifest, int | None, str]:
        return self._arguments

    def __setstate__(self, state: tuple[ModelFolder, Manifest, int | None, str]) -> None:
        self._set_up(*state)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Keeps the interpreters of large images; see `Runtime.hold`."""
        with ExitStack() as held:
            for each in (*self._encoders, *self._decoders):
                held.enter_context(each.pool.hold())
            yield

    def encode_iteration(
        self, residual: np.ndarray, states: Any, iteration: int
    ) -> tuple[np.ndarray, Any]:
        """E_t; see `Runtime.encode_iteration`."""
        height, width, _ = residual.shape
        return stage_of(self._encoders, iteration)(residual, states, (height, width))

    def decode_iteration(
        self, plane: np.ndarray, states: Any, reconstruction: np.ndarray | None, iteration: int
    ) -> tuple[np.ndarray, Any]:
        """D_t; see `Runtime.decode_iteration`."""
        decoder = stage_of(self._decoders, iteration)
        prediction, states = decoder(plane.astype(np.float32), states, self._size(plane))
        if self.reconstruction == "additive" and reconstruction is not None:
            prediction = reconstruction + prediction
        return prediction, states

    def decode_states(self, plane: np.ndarray, states: Any, iteration: int) -> Any:
        """D_t without its picture; see `Runtime.decode_states`."""
        if self.reconstruction == "additive":
            return super().decode_states(plane, states, iteration)
        decoder = stage_of(self._decoders, iteration)
        return decoder.states_only(plane.astype(np.float32), states, self._size(plane))

    def encode_iteration_of_batch(
        self, residuals: Sequence[np.ndarray], states: Sequence[Any], iteration: int
    ) -> list[tuple[np.ndarray, Any]]:
        """E_t of several images; see `Runtime.encode_iteration_of_batch`."""
        height, width, _ = residuals[0].shape
        encoder = stage_of(self._encoders, iteration)
        return encoder.run_batch(residuals, states, (height, width))

    def decode_iteration_of_batch(
        self,
        planes: Sequence[np.ndarray],
        states: Sequence[Any],
        reconstructions: Sequence[np.ndarray | None],
        iteration: int,
    ) -> list[tuple[np.ndarray, Any]]:
        """D_t of several images; see `Runtime.decode_iteration_of_batch`."""
        decoder = stage_of(self._decoders, iteration)
        results = decoder.run_batch(planes, states, self._size(planes[0]))
        if self.reconstruction == "one_shot":
            return results
        return [
            (prediction if before is None else before + prediction, new_states)
            for (prediction, new_states), before in zip(results, reconstructions, strict=True)
        ]

    def decode_states_of_batch(
        self, planes: Sequence[np.ndarray], states: Sequence[Any], iteration: int
    ) -> list[Any]:
        """D_t of several images, without their pictures; see `Runtime.decode_states_of_batch`."""
        if self.reconstruction == "additive":
            return super().decode_states_of_batch(planes, states, iteration)
        decoder = stage_of(self._decoders, iteration)
        return decoder.run_states_of_batch(planes, states, self._size(planes[0]))

    def _size(self, plane: np.ndarray) -> Size:
        return plane.shape[0] * self.stride, plane.shape[1] * self.stride


class _States(list[np.ndarray]):
    """New states, with the interpreters that made them.

    While an image is computed, its states are kept; and thereby its interpreters, for the next
    iteration. Small ones are kept by their pool anyway.
    """

    def __init__(self, values: Sequence[np.ndarray], interpreters: Sequence[Interpreter]):
        super().__init__(values)
        self._interpreters = interpreters


class _Iteration:
    """One TFLite file, run on the whole image or on windows of it."""

    def __init__(self, folder: Path, file: IterationFile, manifest: Manifest, threads: int):
        self._folder, self._path = folder, folder / file.name
        self._file, self._threads = file, threads
        self._fixed_size, self._stride = manifest.size, manifest.stride
        self._margin = -(-file.margin // manifest.stride) * manifest.stride
        self._content: bytes | None = None
        self._reading = threading.Lock()
        files = len(manifest.encoders) + len(manifest.decoders)
        kept_pixels = min(KEPT_PIXELS_OF_A_FILE, KEPT_PIXELS // files)
        self._batch_pixels = 0 if manifest.size else min(BATCH_PIXELS, kept_pixels)
        self.pool = InterpreterPool(self._make_interpreter, kept_pixels)

    def __call__(self, inputs: np.ndarray, states: Any, size: Size) -> tuple[np.ndarray, _States]:
        """Runs the iteration for an image of `size` pixels; returns its output and new states."""
        outputs, interpreters = self._run(inputs, states, size, states_only=False)
        return outputs[0][0], _States(outputs[1:], interpreters)

    def states_only(self, inputs: np.ndarray, states: Any, size: Size) -> _States:
        """Runs it for the new states only."""
        return _States(*self._run(inputs, states, size, states_only=True))

    def _run(
        self, inputs: np.ndarray, states: Any, size: Size, states_only: bool
    ) -> tuple[list[np.ndarray], list[Interpreter]]:
        window = self._window(size)
        try:
            if states is None:
                states = _zeros(self._file.inputs[1:], size)
            values = [inputs[None], *states]
            if window != size:
                outputs = _zeros(self._file.outputs[states_only:], size)
                return outputs, self._run_windows(values, outputs, size, window, states_only)
            outputs, interpreter = self._run_at_once(values, size, states_only)
        except FAILURES as error:
            raise run_error(self._path, size, error) from error
        return outputs, [interpreter]

    def _run_at_once(
        self, values: list[np.ndarray], size: Size, states_only: bool
    ) -> tuple[list[np.ndarray], Interpreter]:
        """Runs images that are not cut into windows, on all threads."""
        interpreter = self.pool.lend(self._threads, size, len(values[0]))
        outputs = interpreter.run_states(values) if states_only else interpreter.run(values)
        self.pool.take_back(interpreter)
        return outputs, interpreter

    def run_batch(
        self, inputs: Sequence[np.ndarray], states: Sequence[Any], size: Size
    ) -> list[tuple[np.ndarray, Any]]:
        """What calling it for each of several images gives."""
        results: list[tuple[np.ndarray, Any]] = []
        for part in self._parts(len(inputs), size):
            outputs = self._run_together(inputs[part], states[part], size, states_only=False)
            results += [
                (output, [values[number : number + 1] for values in outputs[1:]])
                for number, output in enumerate(outputs[0])
            ]
        return results

    def run_states_of_batch(
        self, inputs: Sequence[np.ndarray], states: Sequence[Any], size: Size
    ) -> list[Any]:
        """What `states_only` gives for each of several images."""
        results: list[Any] = []
        for part in self._parts(len(inputs), size):
            outputs = self._run_together(inputs[part], states[part], size, states_only=True)
            results += [
                [values[number : number + 1] for values in outputs]
                for number in range(len(outputs[0]))
            ]
        return results

    def _parts(self, images: int, size: Size) -> list[slice]:
        """Parts of a batch that are computed at once."""
        most = max(self._batch_pixels // (size[0] * size[1]), 1)
        return [slice(first, first + most) for first in range(0, images, most)]

    def _run_together(
        self, inputs: Sequence[np.ndarray], states: Sequence[Any], size: Size, states_only: bool
    ) -> list[np.ndarray]:
        """The outputs of several images, (images, H, W, channels)."""
        if len(inputs) == 1:
            return self._run(inputs[0].astype(np.float32), states[0], size, states_only)[0]
        try:
            values = [np.array(inputs, np.float32)]
            for number, tensor in enumerate(self._file.inputs[1:]):
                values.append(np.zeros(shape_of(tensor, size, len(inputs)), np.float32))
                for row, given in zip(values[-1], states, strict=True):
                    if given is not None:
                        row[:] = given[number]
            return self._run_at_once(values, size, states_only)[0]
        except FAILURES as error:
            raise run_error(self._path, size, error) from error

    def _run_windows(
        self,
        values: list[np.ndarray],
        outputs: list[np.ndarray],
        size: Size,
        window: Size,
        states_only: bool,
    ) -> list[Interpreter]:
        """Runs windows side by side, each on one thread: copying is then on all of them too."""
        # Imported late: small images, which should not wait for it, never need it.
        from concurrent.futures import ThreadPoolExecutor

        rows, columns = (cut(*sides, self._margin) for sides in zip(size, window, strict=True))
        windows = [(row, column) for row in rows for column in columns]
        threads = min(self._threads, len(windows))
        interpreters = [self.pool.lend(1, window) for _ in range(threads)]
        with ThreadPoolExecutor(threads) as workers:
            parts = [
                workers.submit(
                    interpreter.run_windows, values, outputs, windows[i::threads], states_only
                )
                for i, interpreter in enumerate(interpreters)
            ]
            for part in parts:
                part.result()
        for interpreter in interpreters:
            self.pool.take_back(interpreter)
        return interpreters

    def _window(self, size: Size) -> Size:
        """Size of the windows that an image of `size` pixels is computed in."""
        if self._fixed_size is None:
            if size[0] * size[1] <= MAX_PIXELS_AT_ONCE and max(size) <= MAX_SIDE_AT_ONCE:
                return size
            most = max(WINDOW_SIDE, 4 * self._margin)
            rows, columns = (count(length, most, self._margin) for length in size)
            height, width = (
                even(length, windows, self._margin, self._stride)
                for length, windows in zip(size, (rows, shared(columns)), strict=True)
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

    def _make_interpreter(self, threads: int) -> Interpreter:
        with self._reading:
            if self._content is None:
                self._content = self._file.read(self._folder)
        return Interpreter(self._path, self._file, self._content, threads)


def _zeros(tensors: Sequence[Tensor], size: Size) -> list[np.ndarray]:
    """Zeros for tensors of a whole image of `size` pixels."""
    return [np.zeros(shape_of(tensor, size), np.float32) for tensor in tensors]
