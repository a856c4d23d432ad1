"""An encoder that follows the gradient of rate and distortion.

`BitSearch` tries bits one by one. Here all bits of an iteration move together, each in the
direction in which picture and rate improve, as in training, but for this one image. What that
leaves, `BitSearch` may then look through. Any decoder reads the result.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from tfrnnc.bitstream import EntropyModel
from tfrnnc.codec.search import Aim, BitSearch
from tfrnnc.errors import TooLargeError
from tfrnnc.images import pad_to_multiple, to_float
from tfrnnc.runtimes.residual_loop import Decoded, DecodePlane
from tfrnnc.runtimes.runtime import binarize

if TYPE_CHECKING:
    from tfrnnc.runtimes.keras_runtime import KerasRuntime

STEP_SIZE = 0.05  #: by which the logits move at first, in the mean; it falls to zero
MOMENTUM = 0.8
#: Most pixels of an image: the gradient takes about 3 kB of memory for each.
MAX_SEARCH_PIXELS = 1 << 20


class GradientSearch:
    """Improves the planes of an image, from the first on.

    The best plane on the way is kept, so that none is worse than the encoder's own by the
    objective (`tfrnnc.runtimes.rate_distortion.RateDistortion`). More steps do not make a better
    stream: they suit one iteration at the cost of the next ones.

    Args:
        runtime: of the model.
        pixels: the image, uint8 (H, W, 3).
        steps: how often the gradient is followed, in each iteration.
        aim: what is better; `rate_weight` is that of the trials.
        entropy_model: of the bits; None if they are not entropy-coded.
        trials: how many bits of each block are tried afterwards, in each iteration; see
            `BitSearch`.

    Raises:
        TooLargeError: if the image has more than `MAX_SEARCH_PIXELS`.
    """

    def __init__(
        self,
        runtime: KerasRuntime,
        pixels: np.ndarray,
        steps: int,
        aim: Aim,
        entropy_model: EntropyModel | None = None,
        trials: int = 0,
    ):
        padded = pad_to_multiple(pixels, runtime.stride)
        if padded[..., 0].size > MAX_SEARCH_PIXELS:
            raise TooLargeError(
                f"a search by gradient takes images of up to {MAX_SEARCH_PIXELS} pixels, but this "
                f"one has {padded[..., 0].size}; take less effort, or a smaller image"
            )
        self._steps = steps
        self._trials = None
        if trials:
            self._trials = BitSearch(pixels, runtime.stride, trials, aim, entropy_model)
        self._objective = runtime.rate_distortion(entropy_model, aim.ssim_weight)
        self._image = to_float(padded)
        self._planes: list[np.ndarray] = []
        self._bits = 0.0  # that they take
        self._before = Decoded()

    def improve(
        self, plane: np.ndarray, logits: np.ndarray, decode: DecodePlane
    ) -> tuple[np.ndarray, Decoded]:
        """Improves the plane of the next iteration; as for `BitSearch.improve`."""
        plane, logits = self._follow_gradient(plane, logits)
        if self._trials is None:
            self._before = decode(plane)
        else:
            plane, self._before = self._trials.improve(plane, logits, decode)
        self._planes.append(plane)
        self._bits += self._objective.count_bits(self._planes)
        return plane, self._before

    def _follow_gradient(
        self, plane: np.ndarray, logits: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The best plane on the way, and its logits."""
        context = self._objective.context(
            self._image, [*self._planes, plane], self._before, self._bits
        )
        best, least = logits, math.inf
        momentum = np.zeros_like(logits)
        for step in range(self._steps + 1):
            value, gradient = self._objective.value_and_gradient(logits, context)
            if value < least:
                best, least = logits, value
            momentum = MOMENTUM * momentum + gradient
            scale = math.sqrt(np.square(momentum, dtype=np.float64).mean())
            if not scale:  # No bit changes anything.
                break
            size = STEP_SIZE * (1 - step / self._steps) / scale
            logits = logits - np.float32(size) * momentum
        return binarize(best) * np.abs(plane), best
