"""Large images in strips, from the top down, so that memory grows with their width alone.

An iteration can be computed of a strip as soon as the iteration before is known for the strip and
the rows below it that its network sees: its margin. So the first strip goes through all iterations,
each of which ends a little higher than the one before, and then the next. Between two strips, each
iteration keeps the few rows of its states that the strip below needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, TypeAlias

import numpy as np

from tfrnnc.bitstream import coded_locations
from tfrnnc.codec.calls import Calls, DecodeIteration, DecodeStates, EncodeIteration
from tfrnnc.images import pad_to_multiple, to_float, to_uint8
from tfrnnc.runtimes.memory import trim_memory
from tfrnnc.runtimes.runtime import Runtime, binarize
from tfrnnc.runtimes.windows import Window

#: Images of more padded pixels than this are computed in strips.
MAX_PIXELS_AT_ONCE = 1 << 21
STRIP_HEIGHT = 160  #: pixels that are computed of a strip, where the margins leave enough of them
#: Strips of narrow images are taller, so that less is computed twice: to this part of
#: `MAX_PIXELS_AT_ONCE`. Those that are only decoded take less memory.
ENCODED_PART, DECODED_PART = 0.375, 0.5

#: Is told how many strips of how many are done of an image that is computed in strips.
progress: ContextVar[Callable[[int, int], None] | None] = ContextVar("progress", default=None)

#: Is given rows of a picture, uint8 (n, W, 3), from the top down.
Show: TypeAlias = Callable[[np.ndarray], None]

_ROWS = -3  # the axis


def takes_strips(runtime: Runtime, shape: tuple[int, ...]) -> bool:
    """Whether an image is computed in strips.

    Args:
        runtime: of the model. Files of one size are run on the whole image.
        shape: of the image, (H, W, ...).
    """
    height, width = (-(-side // runtime.stride) * runtime.stride for side in shape[:2])
    return runtime.any_size and height * width > MAX_PIXELS_AT_ONCE


def decoding_in_strips(
    runtime: Runtime, planes: Sequence[np.ndarray], shape: tuple[int, ...], adaptive: bool = False
) -> Calls[np.ndarray]:
    """The picture after the last of the planes, uint8 (H, W, 3); as `decoding` gives it.

    Args:
        runtime: of the model.
        planes: int8 (h, w, bits).
        shape: of the image, (H, W, ...).
        adaptive: whether locations may stop.
    """
    picture = Picture(shape)
    yield from decoding_rows(runtime, planes, shape, picture.add, adaptive)
    return picture.pixels


def decoding_rows(
    runtime: Runtime,
    planes: Sequence[np.ndarray],
    shape: tuple[int, ...],
    show: Show,
    adaptive: bool = False,
) -> Calls[None]:
    """Decodes planes to rows of the picture after the last of them.

    Args:
        runtime: of the model.
        planes: int8 (h, w, bits).
        shape: of the image, (H, W, ...).
        show: is given the rows as they are done, from the top down.
        adaptive: whether locations may stop.
    """
    height, width = (side * runtime.stride for side in planes[0].shape[:2])
    last = len(planes) - 1
    decoder = _Decoder(runtime, planes, shape, {last: show}, adaptive)
    every = runtime.reconstruction == "additive" or decoder.keeps_stopped
    with runtime.hold():
        for end in _strips(runtime, height, width, DECODED_PART):
            given = min(end + runtime.decoder_margin, height)
            for iteration in range(len(planes)):
                if not (yield from decoder.decode(iteration, given, every or iteration == last)):
                    break
                decoder.drop_shown(iteration)
                given = decoder.done[iteration]


def encoding_in_strips(
    runtime: Runtime, pixels: np.ndarray, iterations: int, shown: int
) -> Calls[tuple[list[np.ndarray], dict[int, np.ndarray]]]:
    """Encodes an image, all iterations of a strip before the next strip.

    Args:
        runtime: of the model.
        pixels: uint8 (H, W, 3); read once, from the top down.
        iterations: how many.
        shown: of how many of the last ones there shall be pictures.

    Returns:
        the planes, int8 (h, w, bits), and the pictures after the last iterations, uint8 (H, W, 3),
        by the number of iterations.
    """
    stride = runtime.stride
    height, width = (-(-side // stride) * stride for side in pixels.shape[:2])
    shape = (height // stride, width // stride, runtime.bits)
    planes = [np.zeros(shape, np.int8) for _ in range(iterations)]
    pictures = {
        count: Picture(pixels.shape) for count in range(iterations, max(iterations - shown, 0), -1)
    }
    shows = {count - 1: picture.add for count, picture in pictures.items()}
    image = Rows()
    encoder = _Stages(runtime.encoder_margin, height, iterations)
    decoder = _Decoder(runtime, planes, pixels.shape, shows)
    with runtime.hold():
        for end in _strips(runtime, height, width, ENCODED_PART):
            given = min(end + runtime.encoder_margin, height)
            if given > image.stop:
                image.add([pad_to_multiple(pixels[image.stop : given], stride)], given)
            for iteration in range(iterations):
                window = encoder.window(iteration, given)
                if window is None:
                    break
                residual = to_float(image.window(window.start, window.stop)[0])
                if iteration:
                    residual -= decoder.reconstruction(iteration - 1, window)
                before = encoder.states_before(iteration, window)
                logits, states = yield EncodeIteration(residual, before, iteration)
                planes[iteration][window.kept(stride)] = binarize(_kept(logits, window))
                del residual, logits
                encoder.keep(iteration, window, before, states)
                if not (
                    yield from decoder.decode(
                        iteration, encoder.done[iteration], needs_picture=True
                    )
                ):
                    break
                decoder.drop_shown(iteration, encoder.needed(iteration))
                given = decoder.done[iteration]
                trim_memory()  # Arrays of many sizes come and go, and leave holes.
            image.drop(encoder.needed(iterations - 1))
    return planes, {count: picture.pixels for count, picture in pictures.items()}


class Picture:
    """A picture that is put together of rows, from the top down.

    Attributes:
        pixels: uint8 (H, W, 3).
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.pixels = np.empty((*shape[:2], 3), np.uint8)
        self._done = 0

    def add(self, rows: np.ndarray) -> None:
        """Appends rows."""
        self.pixels[self._done : self._done + len(rows)] = rows
        self._done += len(rows)


class Rows:
    """Rows of arrays as tall as an image, of which those are kept that are still needed.

    Attributes:
        start, stop: which rows there are, in pixels.
    """

    def __init__(self) -> None:
        self.start = self.stop = 0
        self._arrays: list[np.ndarray] = []

    def add(self, arrays: list[np.ndarray], stop: int) -> None:
        """Appends rows.

        Args:
            arrays: (..., rows, columns, channels), each with one row for a number of pixels. They
                are taken out of the list one by one, so that no more than one is there twice.
            stop: where they end, in pixels.
        """
        if self.stop > self.start:
            for number, array in enumerate(self._arrays):
                self._arrays[number] = np.concatenate([array, arrays.pop(0)], axis=_ROWS)
                del array
            assert not arrays
        else:
            self._arrays = arrays
        self.stop = stop

    def window(self, start: int, stop: int) -> list[np.ndarray]:
        """Some of the rows, of each array."""
        return [array[self._places(array, start, stop)] for array in self._arrays]

    def drop(self, before: int) -> None:
        """Forgets the rows above a place."""
        before = min(before, self.stop)
        if before > self.start:
            # Copies, as a view would keep what it is a part of.
            self._arrays = [array.copy() for array in self.window(before, self.stop)]
            self.start = before

    def _places(self, array: np.ndarray, start: int, stop: int) -> tuple[Any, ...]:
        assert self.start <= start <= stop <= self.stop, "rows that are not there any more"
        stride = (self.stop - self.start) // array.shape[_ROWS]
        return np.s_[..., (start - self.start) // stride : (stop - self.start) // stride, :, :]


class _Stages:
    """The encoders, or the decoders, of all iterations.

    Args:
        margin: theirs, in pixels.
        height: of the image, padded.
        iterations: how many.

    Attributes:
        done: how many rows of pixels are computed, of each iteration.
    """

    def __init__(self, margin: int, height: int, iterations: int):
        self._margin, self._height = margin, height
        self.done = [0] * iterations
        self._states = [Rows() for _ in range(iterations)]  # that each iteration leaves

    def window(self, iteration: int, given: int) -> Window | None:
        """What of an iteration can be computed; None for nothing.

        Args:
            iteration: t - 1, counted from zero.
            given: how many rows there are of its inputs.
        """
        first = self.done[iteration]
        last = given if given == self._height else given - self._margin
        if last <= first:
            return None
        return Window(
            max(first - self._margin, 0), min(last + self._margin, self._height), first, last
        )

    def states_before(self, iteration: int, window: Window) -> list[np.ndarray] | None:
        """The states that an iteration is given; None for the first."""
        if not iteration:
            return None
        return self._states[iteration - 1].window(window.start, window.stop)

    def keep(
        self, iteration: int, window: Window, before: list[np.ndarray] | None, states: Any
    ) -> None:
        """Keeps the states that an iteration leaves, and forgets those that it was given.

        Args:
            iteration: t - 1, counted from zero.
            window: that was computed.
            before: what `states_before` gave. It is emptied, like `states`: whoever called still
                has the lists, and what is in them would take memory.
            states: that the iteration leaves.
        """
        self.done[iteration] = window.last
        if before is not None:
            before.clear()
            self._states[iteration - 1].drop(self.needed(iteration))
        kept = [_kept(np.asarray(state), window) for state in states or []]
        if isinstance(states, list):
            states.clear()
        if iteration + 1 < len(self.done):
            self._states[iteration].add(kept, window.last)

    def needed(self, iteration: int) -> int:
        """From which row on an iteration still needs its inputs."""
        done = self.done[iteration]
        return done if done == self._height else done - self._margin


class _Decoder(_Stages):
    """The decoders of all iterations, and what they show.

    Args:
        runtime: of the model.
        planes: int8 (h, w, bits), one for each iteration; read when they are decoded.
        shape: of the image, (H, W, ...).
        shows: by the iteration, counted from zero, what is given the rows of its picture.
        adaptive: whether locations may stop.

    Attributes:
        keeps_stopped: whether locations that stopped look as they did before.
    """

    def __init__(
        self,
        runtime: Runtime,
        planes: Sequence[np.ndarray],
        shape: tuple[int, ...],
        shows: Mapping[int, Show],
        adaptive: bool = False,
    ):
        self._stride = runtime.stride
        super().__init__(runtime.decoder_margin, planes[0].shape[0] * self._stride, len(planes))
        self._planes = planes
        self._additive = runtime.reconstruction == "additive"
        self.keeps_stopped = adaptive and runtime.independent
        self._shape, self._shows = shape, shows
        self._reconstructions = [Rows() for _ in planes]

    def decode(self, iteration: int, given: int, needs_picture: bool) -> Calls[bool]:
        """Decodes an iteration as far as it goes.

        Args:
            iteration: t - 1, counted from zero.
            given: how many rows of its plane can be used.
            needs_picture: whether what it shows is needed.

        Returns:
            whether it went any further.
        """
        window = self.window(iteration, given)
        if window is None:
            return False
        plane = self._planes[iteration][window.computed(self._stride)]
        states = self.states_before(iteration, window)
        if not needs_picture:
            left = yield DecodeStates(plane, states, iteration)
            self.keep(iteration, window, states, left)
            return True
        before = None
        if iteration and (self._additive or self.keeps_stopped):
            before = self.reconstruction(iteration - 1, window)
        reconstruction, left = yield DecodeIteration(plane, states, before, iteration)
        self.keep(iteration, window, states, left)
        if self.keeps_stopped and before is not None:
            goes_on = per_pixel(coded_locations(plane), self._stride, reconstruction.shape)
            reconstruction = np.where(goes_on, reconstruction, before)
        self._show(iteration, window, _kept(reconstruction, window))
        return True

    def reconstruction(self, iteration: int, window: Window) -> np.ndarray:
        """What an iteration shows in a window, float32 (rows, W, 3)."""
        return self._reconstructions[iteration].window(window.start, window.stop)[0]

    def drop_shown(self, iteration: int, needed: int | None = None) -> None:
        """Forgets what the iteration before shows, above what this one needs.

        Args:
            iteration: t - 1, counted from zero.
            needed: from which row on its encoder needs it; None where there is none.
        """
        if iteration:
            below = self.needed(iteration)
            self._reconstructions[iteration - 1].drop(
                below if needed is None else min(needed, below)
            )

    def _show(self, iteration: int, window: Window, rows: np.ndarray) -> None:
        if iteration in self._shows:
            height, width = self._shape[:2]
            self._shows[iteration](to_uint8(rows[: height - window.first, :width]))
        if iteration + 1 < len(self.done):
            self._reconstructions[iteration].add([rows], window.last)


def per_pixel(mask: np.ndarray, stride: int, shape: tuple[int, ...]) -> np.ndarray:
    """A mask of locations, bool (h, w), as one of pixels, bool (H, W, 1).

    Args:
        mask: of the locations.
        stride: pixels between two locations.
        shape: (H, W, ...) of the picture.
    """
    pixels = mask.repeat(stride, axis=0)[: shape[0]].repeat(stride, axis=1)[:, : shape[1]]
    return pixels[..., None]


def _strips(runtime: Runtime, height: int, width: int, part: float) -> Iterator[int]:
    """Where strips end, in pixels of the padded image; reports how many are done."""
    strip_height = max(STRIP_HEIGHT, int(MAX_PIXELS_AT_ONCE * part) // width)
    margin = max(runtime.encoder_margin, runtime.decoder_margin)
    step = max((strip_height - 2 * margin) // runtime.stride * runtime.stride, runtime.stride)
    ends = [*range(step, height, step), height]
    report = progress.get()
    for done, end in enumerate(ends):
        if report:
            report(done, len(ends))
        yield end
    if report:
        report(len(ends), len(ends))


def _kept(array: np.ndarray, window: Window) -> np.ndarray:
    """What is right of what was computed in a window."""
    stride = (window.stop - window.start) // array.shape[_ROWS]
    return array[..., window.kept_of_computed(stride), :, :]
