"""The residual loop of encoding and decoding, and what of an image fits in so many bytes."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from tfrnnc.bitstream import (
    EntropyModel,
    Header,
    Planes,
    StreamWriter,
    coded_locations,
    read_planes,
)
from tfrnnc.bitstream.container import MAX_SIDE
from tfrnnc.codec.search import BitSearch
from tfrnnc.errors import ConfigError, TruncatedStreamError
from tfrnnc.images import pad_to_multiple, to_float, to_uint8
from tfrnnc.runtimes.runtime import Runtime, binarize

FINE = 128  #: the last iteration's locations are counted to one in so many


class ResidualLoop:
    """Encodes an image iteration by iteration (section 3.1).

    Args:
        runtime: of the model.
        pixels: uint8 (H, W, 3).
        keep: whether `last_picture` will be asked for; takes memory.
        search: improves the bits; None takes the model's as they are.
        stop_psnr: the PSNR in decibels at which a location of the latent bits stops. Its bits are
            zeros from then on.
    """

    def __init__(
        self,
        runtime: Runtime,
        pixels: np.ndarray,
        keep: bool = False,
        search: BitSearch | None = None,
        stop_psnr: float = math.inf,
    ):
        self._runtime, self._keep, self._search = runtime, keep, search
        self._pixels = pixels
        self._stop_error = 3 * runtime.stride**2 * 255**2 / 10 ** (stop_psnr / 10)  # squared error
        self._goes_on: np.ndarray | None = None
        self._height, self._width, _ = pixels.shape
        self._image = to_float(pad_to_multiple(pixels, runtime.stride))
        self._residual = self._image
        self._iteration = 0
        self._encoder_states: Any = None
        self._decoded: tuple[Any, Any] = (None, None)  # reconstruction and states
        self._before: tuple[Any, Any] = (None, None)

    def iterate(self) -> tuple[np.ndarray, np.ndarray]:
        """Takes an iteration.

        Returns:
            its plane, int8 (h, w, bits), and the picture after it, uint8 (H, W, 3).
        """
        logits, self._encoder_states = self._runtime.encode_iteration(
            self._residual, self._encoder_states, self._iteration
        )
        plane = binarize(logits)
        if self._goes_on is not None:
            plane *= self._goes_on[..., None]
        before = self._decoded
        if self._keep:
            self._before = before
        if self._search:
            plane, self._decoded = self._search.improve(
                plane, logits, lambda plane: self._decode(plane, before, self._iteration)
            )
        else:
            self._decoded = self._decode(plane, before, self._iteration)
        self._residual = self._image - self._decoded[0]
        self._iteration += 1
        picture = self._picture(self._decoded[0])
        if self._stop_error:
            wrong = location_errors(self._pixels, picture, self._runtime.stride) > self._stop_error
            self._goes_on = wrong if self._goes_on is None else self._goes_on & wrong
        return plane, picture

    def last_picture(self, plane: np.ndarray) -> np.ndarray:
        """The picture after the last iteration, had a decoder this plane for it."""
        return self._picture(self._decode(plane, self._before, self._iteration - 1)[0])

    def _decode(self, plane, decoded, iteration: int):
        reconstruction, states = decoded
        return self._runtime.decode_iteration(plane, states, reconstruction, iteration)

    def _picture(self, reconstruction: np.ndarray) -> np.ndarray:
        return to_uint8(reconstruction[: self._height, : self._width])


@dataclass(frozen=True)
class Target:
    """A quality to reach.

    Attributes:
        name: to tell the user.
        measure: takes the image and a picture, uint8 (H, W, 3).
        value: that the measure should reach.
    """

    name: str
    measure: Callable[[np.ndarray, np.ndarray], float]
    value: float


class Encoded(NamedTuple):
    """An encoded image.

    Attributes:
        data: the stream, or its payload without header.
        picture: what it decodes to, uint8 (H, W, 3).
        missed: the targets that the last whole iteration does not reach.
    """

    data: bytes
    picture: np.ndarray
    missed: list[Target]


def encode(
    runtime: Runtime,
    entropy_model: EntropyModel | None,
    header: Header,
    pixels: np.ndarray,
    *,
    iterations: int,
    max_bytes: int | None,
    targets: list[Target],
    headerless: bool,
    search: BitSearch | None = None,
    stop_psnr: float = math.inf,
) -> Encoded:
    """Encodes an image within limits.

    Args:
        runtime: of the model.
        entropy_model: the model's, if it is to be used.
        header: of the stream.
        pixels: uint8 (H, W, 3).
        iterations: most iterations.
        max_bytes: most bytes; the last iteration is cut there, if the picture gains from it.
        targets: stop at the first iteration that reaches them all. In adaptive streams only the
            locations take it that are needed for that.
        headerless: return the payload only.
        search: see `ResidualLoop`.
        stop_psnr: see `ResidualLoop`; locations stop in adaptive streams only.

    Raises:
        ConfigError: if nothing that can be decoded fits in `max_bytes`.
    """
    writer = StreamWriter(header, runtime.stride, runtime.bits, entropy_model)
    keep = max_bytes is not None or (header.adaptive and bool(targets))
    loop = ResidualLoop(runtime, pixels, keep, search, stop_psnr)
    data, picture, missed = b"", None, targets
    whole, over = 0, False
    while whole < iterations and not over:
        plane, after = loop.iterate()
        if not plane.any():
            break
        still_missed = missed_targets(targets, pixels, after)
        if header.adaptive and targets and not still_missed and picture is not None:
            gains = location_errors(pixels, picture, runtime.stride)
            gains -= location_errors(pixels, after, runtime.stride)
            plane, after = _thinned(
                plane, after, gains, loop, lambda shown: not missed_targets(targets, pixels, shown)
            )
        writer.add(plane)
        grown = writer.payload() if headerless else writer.whole()
        over = max_bytes is not None and len(grown) > max_bytes
        if not over:
            data, picture, whole, missed = grown, after, whole + 1, still_missed
            if targets and not missed:
                break
    if headerless and picture is not None:
        if not over and whole < runtime.iterations:
            writer.add(np.zeros_like(plane) if header.adaptive else loop.iterate()[0])
        data = headerless_payload(writer, whole, runtime, entropy_model)
    if max_bytes is None or not (over or len(data) > max_bytes):
        assert picture is not None
        return Encoded(data, picture, missed)

    cut = writer.payload()[:max_bytes] if headerless else writer.cut(max_bytes)
    prefix = header.to_bytes() if headerless else b""
    try:
        planes = read_for_encoding(prefix + cut, runtime, entropy_model).planes if cut else []
    except TruncatedStreamError:
        planes = []
    if planes and cut and (len(planes) > whole or len(data) > max_bytes):
        if len(planes) == writer.iterations:
            cut_picture = loop.last_picture(planes[-1])
        else:
            cut_picture = decode(runtime, planes, pixels.shape)
        if picture is None or len(data) > max_bytes or _gains(pixels, picture, cut_picture):
            data, picture = cut, cut_picture
    if picture is None or len(data) > max_bytes:
        raise too_few_bytes(max_bytes, pixels, writer)
    return Encoded(data, picture, missed)


def missed_targets(
    targets: Sequence[Target], pixels: np.ndarray, picture: np.ndarray
) -> list[Target]:
    """The targets that a picture of an image, uint8 (H, W, 3), does not reach."""
    return [each for each in targets if each.measure(pixels, picture) < each.value]


def headerless_payload(
    writer: StreamWriter, iterations: int, runtime: Runtime, entropy_model: EntropyModel | None
) -> bytes:
    """The payload of so many iterations, without a header.

    Cut out of all that was written, so that the last byte's spare bits are those of a further
    iteration or of the payload's end, where there is one.

    Args:
        writer: of at least these iterations.
        iterations: how many.
        runtime: of the model.
        entropy_model: the one that the payload is made with.
    """
    prefix, payload = writer.header.to_bytes(), writer.payload()
    planes = read_for_encoding(prefix + payload, runtime, entropy_model)
    return payload[: planes.ends[iterations - 1] - len(prefix)]


def _thinned(
    plane: np.ndarray,
    picture: np.ndarray,
    gains: np.ndarray,
    loop: ResidualLoop,
    is_enough: Callable[[np.ndarray], bool],
) -> tuple[np.ndarray, np.ndarray]:
    """The last plane with the bits of fewer locations, and the picture that is still enough.

    Args:
        plane: as the loop gave it, int8 (h, w, bits).
        picture: after it.
        gains: ints (h, w); locations of the greatest gains keep their bits.
        loop: after that iteration.
        is_enough: whether a picture is.
    """
    places = np.flatnonzero(coded_locations(plane))
    places = places[np.argsort(-gains.ravel()[places], kind="stable")]
    best = plane, picture
    low, high = 0, places.size
    while high - low > 1 + places.size // FINE:
        middle = (low + high) // 2
        trial = np.zeros_like(plane)
        kept = np.unravel_index(places[:middle], gains.shape)
        trial[kept] = plane[kept]
        shown = loop.last_picture(trial)
        if is_enough(shown):
            high, best = middle, (trial, shown)
        else:
            low = middle
    return best


def too_few_bytes(max_bytes: int, pixels: np.ndarray, writer: StreamWriter) -> ConfigError:
    """What to raise if not even a part of the first iteration fits."""
    height, width, _ = pixels.shape
    return ConfigError(
        f"{max_bytes} bytes are too few for {width}x{height} pixels: the first iteration takes "
        f"{len(writer.whole())}, of which a picture needs about an eighth and the header"
    )


def decode(
    runtime: Runtime, planes: list[np.ndarray], shape: tuple[int, ...], adaptive: bool = False
) -> np.ndarray:
    """The picture after the last of the planes, uint8 (H, W, 3).

    Args:
        runtime: of the model.
        planes: int8 (h, w, bits).
        shape: of the image, (H, W, ...).
        adaptive: whether locations may stop. If the model's are independent, those without bits in
            a plane then stay as they were before it.
    """
    if runtime.reconstruction == "one_shot" and not (adaptive and runtime.independent):
        *earlier, last_plane = planes
        states = None
        for iteration, plane in enumerate(earlier):
            states = runtime.decode_states(plane, states, iteration)
        last, _ = runtime.decode_iteration(last_plane, states, None, len(earlier))
    else:
        (last,) = deque(_reconstructions(runtime, planes, adaptive), maxlen=1)
    return to_uint8(last[: shape[0], : shape[1]])


def decode_iterations(
    runtime: Runtime, planes: list[np.ndarray], shape: tuple[int, ...], adaptive: bool = False
) -> Iterator[np.ndarray]:
    """Yields the picture after each plane; see `decode`."""
    for reconstruction in _reconstructions(runtime, planes, adaptive):
        yield to_uint8(reconstruction[: shape[0], : shape[1]])


def _reconstructions(
    runtime: Runtime, planes: list[np.ndarray], adaptive: bool
) -> Iterator[np.ndarray]:
    reconstruction: np.ndarray | None = None
    states = None
    for iteration, plane in enumerate(planes):
        before = reconstruction
        reconstruction, states = runtime.decode_iteration(plane, states, before, iteration)
        if adaptive and runtime.independent and before is not None:
            goes_on = per_pixel(coded_locations(plane), runtime.stride, reconstruction.shape)
            reconstruction = np.where(goes_on, reconstruction, before)
        yield reconstruction


def per_pixel(mask: np.ndarray, stride: int, shape: tuple[int, ...]) -> np.ndarray:
    """A mask of locations, bool (h, w), as one of pixels, bool (H, W, 1).

    Args:
        mask: of the locations.
        stride: pixels between two locations.
        shape: (H, W, ...) of the picture.
    """
    pixels = mask.repeat(stride, axis=0)[: shape[0]].repeat(stride, axis=1)[:, : shape[1]]
    return pixels[..., None]


def location_errors(pixels: np.ndarray, picture: np.ndarray, stride: int) -> np.ndarray:
    """The sum of squared differences at each location of the latent bits, int64 (h, w).

    Args:
        pixels: uint8 (H, W, 3).
        picture: of the same size.
        stride: pixels between two locations.
    """
    squares = np.square(pixels.astype(np.int64) - picture).sum(axis=2)
    height, width = squares.shape
    squares = np.pad(squares, ((0, -height % stride), (0, -width % stride)))
    blocks = squares.reshape(squares.shape[0] // stride, stride, -1, stride)
    return blocks.sum(axis=(1, 3))


def read_for_encoding(
    stream: bytes, runtime: Runtime, entropy_model: EntropyModel | None
) -> Planes:
    """The planes of what is being encoded, which may be cut and of any size."""
    return read_planes(
        stream,
        runtime.stride,
        runtime.bits,
        entropy_model,
        allow_truncated=True,
        max_pixels=MAX_SIDE**2,
    )


def _gains(pixels: np.ndarray, before: np.ndarray, after: np.ndarray) -> bool:
    """Whether the second picture is nearer to the image than the first."""
    errors = [np.square(pixels - picture.astype(np.float32)).sum() for picture in (before, after)]
    return bool(errors[1] < errors[0])
