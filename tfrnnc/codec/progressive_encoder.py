"""Encodes an image once, for streams of any size."""

from __future__ import annotations

import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tfrnnc.bitstream import CutStream, HeaderlessWriter, StreamSpec, StreamWriter
from tfrnnc.codec.calls import (
    Calls,
    DecodeIteration,
    EncodeIteration,
    Probabilities,
    Worker,
    run_alone,
)
from tfrnnc.codec.downscaling import as_shown, reduced
from tfrnnc.codec.effort import refinement
from tfrnnc.codec.encode_options import AUTO, EncodeOptions, SizeLimits, with_keywords
from tfrnnc.codec.reconstruction import decoding
from tfrnnc.errors import ConfigError
from tfrnnc.metrics import block_ssim, squared_error
from tfrnnc.metrics import psnr as measure_psnr
from tfrnnc.runtimes.residual_loop import Decoded, Refine, ResidualLoop
from tfrnnc.runtimes.runtime import Runtime

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from tfrnnc.codec.encode_options import SizeKeywords

#: Of images up to this many padded pixels, what decoders have after each iteration is kept; of
#: larger ones after the last two.
KEPT_PIXELS = 1 << 16


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
        iterations: how many of its iterations are whole.
        missed: the targets that the picture does not reach.
    """

    data: bytes
    picture: np.ndarray
    iterations: int
    missed: list[Target]


class Request(NamedTuple):
    """Size limits of an image, settled.

    Attributes:
        iterations: most iterations.
        max_bytes: most bytes; None for any.
        targets: qualities at which to stop.
    """

    iterations: int
    max_bytes: int | None
    targets: list[Target]


class ImageEncoder(ABC):
    """Encodes one image once, and gives streams of it of any size.

    `Codec.encoder` makes them; `Codec.encode` is the short way to one stream. Iterations are
    computed as they are needed, and none twice.

    Attributes:
        worker: what does the work.

    Examples:
        >>> import tfrnnc
        >>> encoder = tfrnnc.load().encoder(np.zeros((32, 32, 3), np.uint8))
        >>> [len(encoder.fit(max_bytes=size).data) <= size for size in (40, 60, 80)]
        [True, True, True]
    """

    worker: Worker

    @property
    @abstractmethod
    def padded_size(self) -> tuple[int, int]:
        """Height and width of what is encoded first, padded to the model's stride."""

    def fit(self, **limits: Unpack[SizeKeywords]) -> Encoded:
        """The best stream within limits.

        Args:
            **limits: `iterations`, `bpp`, `max_bytes`, `psnr`, `ssim`; see `SizeLimits`. Those of
                the options hold where nothing is given.

        Returns:
            the stream, what it decodes to, and the targets that it does not reach.

        Raises:
            ConfigError: if a limit is out of range, or too few bytes for a picture.
            TooLargeError: if it takes more work than the options allow.
        """
        return run_alone(self.worker, self.fitting(**limits))

    @abstractmethod
    def fitting(self, **limits: Unpack[SizeKeywords]) -> Calls[Encoded]:
        """What `fit` computes; `run_together` does that for many images at once.

        Args:
            **limits: as for `fit`.
        """


class ProgressiveEncoder(ImageEncoder):
    """Encodes one image iteration by iteration, as it is or at half its resolution.

    Args:
        runtime: of the model.
        spec: what streams need of the model.
        image: uint8 (H, W, 3).
        options: how to encode it; their `downscale` is 1 or 2.

    Raises:
        TooLargeError: if the image has more pixels than the options allow.
    """

    def __init__(
        self, runtime: Runtime, spec: StreamSpec, image: np.ndarray, options: EncodeOptions
    ):
        height, width, _ = image.shape
        self._runtime, self._spec, self._image, self._options = runtime, spec, image, options
        self.worker = Worker(runtime, spec.entropy_model)
        assert options.downscale != AUTO
        self._header = spec.header(
            width,
            height,
            headerless=options.headerless,
            adaptive=options.adaptive,
            downscale=options.downscale,
        )
        options.work_limits.require_pixels(self._header.padded_pixels(spec.stride))
        self._padded = self._header.coded_pixels(spec.stride)
        self._pixels = image if options.downscale == 1 else reduced(image)  # What is encoded.
        self._planes: list[np.ndarray] = []
        self._decoded: dict[int, Decoded] = {0: Decoded()}  # by the number of iterations
        self._writer = self._new_writer()
        self._refine = self._new_refine()

    @functools.cached_property
    def _loop(self) -> ResidualLoop:
        return self._new_loop()

    @property
    def padded_size(self) -> tuple[int, int]:
        """Height and width of what is encoded, padded to the model's stride."""
        height, width, _ = self._header.plane_shape(self._spec.stride, self._spec.bits)
        return height * self._spec.stride, width * self._spec.stride

    def fitting(self, **limits: Unpack[SizeKeywords]) -> Calls[Encoded]:
        """What `fit` computes; see `ImageEncoder.fitting`."""
        given = with_keywords(self._options.size_limits, limits) if limits else self._options
        request = self._settle(given)
        if request.max_bytes is None and not request.targets:
            self._options.work_limits.require_work(self._padded, request.iterations)
        return (yield from self._encode(request))

    def _settle(self, limits: SizeLimits) -> Request:
        most = self._spec.iterations
        iterations = most if limits.iterations is None else limits.iterations
        if iterations > most:
            raise ConfigError(
                f"iterations must be from 1 to {most} for this model, not {iterations}"
            )
        max_bytes = limits.most_bytes(math.prod(self._image.shape[:2]))
        wanted = (("PSNR", measure_psnr, limits.psnr), ("SSIM", block_ssim, limits.ssim))
        targets = [
            Target(name, measure, value) for name, measure, value in wanted if value is not None
        ]
        return Request(iterations, max_bytes, targets)

    def _encode(self, request: Request) -> Calls[Encoded]:
        """The best stream of the first iterations."""
        whole, is_over = yield from self._count_whole(request)
        writer = yield from self._writer_for(whole)
        data = writer.stream(whole) if whole else None
        max_bytes = request.max_bytes
        fits = data is not None and (max_bytes is None or len(data) <= max_bytes)
        if max_bytes is not None and (is_over or not fits):
            cut = writer.cut(max_bytes, min(whole + 1, writer.iterations))
            if cut and (cut.iterations > whole or not fits):
                picture = yield from self._cut_picture(cut)
                if not fits or self._gains((yield from self._picture(whole)), picture):
                    return self._encoded(cut.data, picture, cut.whole_iterations, request.targets)
        if data is None or not fits:
            raise self._too_few(max_bytes)
        picture = yield from self._picture(whole)
        return self._encoded(data, picture, whole, request.targets)

    def _count_whole(self, request: Request) -> Calls[tuple[int, bool]]:
        """How many iterations are asked for, and whether the next one lacks bytes."""
        for count in range(1, request.iterations + 1):
            if not (yield from self._take(count)):
                return count - 1, False
            if request.max_bytes is not None and (
                yield from self._exceeds(request.max_bytes, count)
            ):
                return count - 1, True
            if request.targets and not self._missed(
                request.targets, (yield from self._picture(count))
            ):
                return count, False
        return request.iterations, False

    def _exceeds(self, max_bytes: int, count: int) -> Calls[bool]:
        """Whether a number of iterations takes more bytes."""
        if self._writer.most_bytes(count) <= max_bytes:
            return (
                False  # Writing waits: several planes at once take less time than each by itself.
            )
        writer = yield from self._written()
        return writer.size(count) > max_bytes

    def _take(self, count: int) -> Calls[bool]:
        """Encodes what is missing of a number of iterations; False if there are fewer."""
        while len(self._planes) < count:
            self._options.work_limits.require_work(self._padded, len(self._planes) + 1)
            if self._planes:
                yield from self._decode_last()  # Encoding goes on from what it shows.
            plane = yield from self._next_plane()
            if not plane.any():
                return False
            self._planes.append(plane)
        return True

    def _next_plane(self) -> Calls[np.ndarray]:
        loop = self._loop
        logits, states = yield EncodeIteration(loop.residual, loop.encoder_states, loop.iteration)
        return loop.take_logits(logits, states)

    def _written(self) -> Calls[StreamWriter]:
        """The writer, with all planes in it that are to be written."""
        for plane in self._planes_to_write[self._writer.iterations :]:
            probabilities = None
            if self._spec.entropy_model is not None:
                before = self._writer.planes
                probabilities = yield Probabilities(before, plane, len(before))
            self._writer.add(plane, probabilities)
        return self._writer

    @property
    def _planes_to_write(self) -> list[np.ndarray]:
        return self._planes

    def _writer_for(self, whole: int) -> Calls[StreamWriter]:
        """What writes these iterations, and what fills the last byte of a headerless payload."""
        writer = yield from self._written()
        lacks_next = 0 < whole == writer.iterations < self._spec.iterations
        if self._options.headerless and lacks_next:
            if self._options.adaptive:
                return writer.ended()
            yield from self._take(whole + 1)
            yield from self._written()
        return writer

    def _picture(self, count: int) -> Calls[np.ndarray]:
        """The picture after a number of iterations, uint8, of the coded size."""
        if count == len(self._planes):
            yield from self._decode_last()
        decoded = self._decoded.get(count)
        if decoded is None:
            planes = self._planes[:count]
            return (yield from decoding(self._runtime, planes, self._pixels.shape))
        return self._loop.crop(decoded.reconstruction)

    def _decode_last(self) -> Calls[None]:
        """Decodes the last plane, unless that was done."""
        count = len(self._planes)
        if count not in self._decoded:
            plane, before = self._planes[-1], self._loop.before
            decoded = None
            if not self._loop.knows(plane):
                decoded = Decoded(
                    *(yield DecodeIteration(plane, before.states, before.reconstruction, count - 1))
                )
            self._loop.decode(plane, decoded)
            self._decoded[count] = self._loop.decoded
            if self._padded > KEPT_PIXELS:
                self._decoded.pop(count - 2, None)

    def _cut_picture(self, cut: CutStream) -> Calls[np.ndarray]:
        """What a cut stream decodes to, uint8, of the coded size."""
        whole = cut.whole_iterations
        if cut.partial is None:
            return (yield from self._picture(whole))
        before = self._decoded.get(whole)
        if before is None:
            planes = [*self._planes[:whole], cut.partial]
            return (yield from decoding(self._runtime, planes, self._pixels.shape))
        reconstruction, _ = yield DecodeIteration(
            cut.partial, before.states, before.reconstruction, whole
        )
        return self._loop.crop(reconstruction)

    def _new_writer(self) -> StreamWriter:
        kind = HeaderlessWriter if self._options.headerless else StreamWriter
        return kind(self._header, self._spec)

    def _new_refine(self) -> Refine | None:
        return refinement(
            self._options.effort,
            self._options.tune,
            self._runtime,
            self._pixels,
            self._spec.entropy_model,
        )

    def _new_loop(self) -> ResidualLoop:
        return ResidualLoop(self._runtime, self._pixels, self._refine)

    def _encoded(
        self, data: bytes, picture: np.ndarray, iterations: int, targets: Sequence[Target]
    ) -> Encoded:
        """What has come of it, with the picture enlarged if the image was reduced."""
        shown = as_shown(picture, self._header)
        return Encoded(data, shown, iterations, self._missed_by(shown, targets))

    def _missed(self, targets: Sequence[Target], picture: np.ndarray) -> list[Target]:
        """The targets that a picture of the coded size does not reach."""
        return self._missed_by(as_shown(picture, self._header), targets) if targets else []

    def _missed_by(self, shown: np.ndarray, targets: Sequence[Target]) -> list[Target]:
        return [each for each in targets if each.measure(self._image, shown) < each.value]

    def _gains(self, before: np.ndarray, after: np.ndarray) -> bool:
        """Whether the second picture of the coded size shows the image better than the first."""
        errors = [
            squared_error(self._image, as_shown(each, self._header)) for each in (before, after)
        ]
        return errors[1] < errors[0]

    def _too_few(self, max_bytes: int | None) -> ConfigError:
        """What to raise if not even a part of the first iteration fits."""
        height, width, _ = self._image.shape
        return ConfigError(
            f"{max_bytes} bytes are too few for {width}x{height} pixels: the first iteration takes "
            f"{self._writer.size(1)}, of which a picture needs about an eighth and the header"
        )
