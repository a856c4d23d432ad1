"""Encodes a large image strip by strip; see `tfrnnc.codec.strips`."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np

from tfrnnc.bitstream import CutStream
from tfrnnc.codec.calls import Calls
from tfrnnc.codec.progressive_encoder import Encoded, ProgressiveEncoder, Request
from tfrnnc.codec.strips import decoding_in_strips, encoding_in_strips

SAMPLE_SIDE = 512  #: of the middle of the image, in pixels


class StripEncoder(ProgressiveEncoder):
    """Encodes a large image in little memory, to the streams that `ProgressiveEncoder` makes.

    A strip goes through all iterations before the next one, so that how many there are has to be
    known before. Where bytes are the limit, it is estimated from the middle of the image; if that
    is too few, the image is encoded again. With a quality to reach, the picture after each
    iteration is needed: such images are encoded at once. See `ProgressiveEncoder` for the
    arguments.
    """

    _computed: list[np.ndarray] | None = None  # planes, of which the first ones were written
    _pictures: dict[int, np.ndarray]  # by the number of iterations

    def _encode(self, request: Request) -> Calls[Encoded]:
        if request.targets:
            return (yield from self._at_once._encode(request))
        count = request.iterations
        # One more than is asked for may be needed, to fill the bytes.
        shown = 2 if self._options.headerless or request.max_bytes is not None else 1
        if request.max_bytes is not None and len(self._computed or []) < count:
            count = yield from self._estimate(request.max_bytes, count)
        if self._options.headerless:
            count += 1  # What comes next fills the last byte.
        count = min(count, self._spec.iterations)
        if count > len(self._computed or []):
            yield from self._compute(count, shown)
        return (yield from super()._encode(request))

    @functools.cached_property
    def _at_once(self) -> ProgressiveEncoder:
        image = np.asarray(self._image)
        return ProgressiveEncoder(self._runtime, self._spec, image, self._options)

    def _estimate(self, max_bytes: int, most: int) -> Calls[int]:
        """How many iterations a number of bytes takes, by the middle of the image."""
        height, width, _ = self._pixels.shape
        rows, columns = (
            slice(max(side - SAMPLE_SIDE, 0) // 2, max(side + SAMPLE_SIDE, 0) // 2)
            for side in (height, width)
        )
        sample = self._pixels[rows][:, columns]
        share = sample[..., 0].size / (height * width)
        encoder = ProgressiveEncoder(
            self._runtime,
            self._spec,
            sample,
            replace(self._options, headerless=False, downscale=1),
        )
        for count in range(1, most):
            yield from encoder._take(count)
            writer = yield from encoder._written()
            if writer.size(count) > max_bytes * share:
                return count
        return most

    def _compute(self, count: int, shown: int) -> Calls[None]:
        allowed = self._options.max_work // self._padded
        self._computed, self._pictures = None, {}  # Its memory is free before the next is taken.
        self._computed, self._pictures = yield from encoding_in_strips(
            self._runtime, self._pixels, max(min(count, allowed), 1), shown
        )

    def _take(self, count: int) -> Calls[bool]:
        while len(self._planes) < count:
            number = len(self._planes)
            self._options.work_limits.require_work(self._padded, number + 1)
            if number >= len(self._computed or []):
                yield from self._compute(min(count + 1, self._spec.iterations), shown=2)
            assert self._computed is not None
            self._planes.append(self._computed[number])
        return True

    def _picture(self, count: int) -> Calls[np.ndarray]:
        if count not in self._pictures:
            planes = self._planes[:count]
            self._pictures = {}
            picture = yield from decoding_in_strips(self._runtime, planes, self._pixels.shape)
            self._pictures[count] = picture
        return self._pictures[count]

    def _cut_picture(self, cut: CutStream) -> Calls[np.ndarray]:
        if cut.partial is None:
            return (yield from self._picture(cut.whole_iterations))
        planes = [*self._planes[: cut.whole_iterations], cut.partial]
        return (yield from decoding_in_strips(self._runtime, planes, self._pixels.shape))
