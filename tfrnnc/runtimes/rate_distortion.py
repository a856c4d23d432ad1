"""What the bits of one iteration cost and show, and how both change with them."""

from __future__ import annotations

import math
import threading
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from tfrnnc.backend import memory_failures, value_and_gradient
from tfrnnc.bitstream import EntropyModel
from tfrnnc.layers.straight_through import signs, straight_through
from tfrnnc.metrics.ssim import BLOCK
from tfrnnc.models import ResidualCodec
from tfrnnc.models.block_ssim import block_ssim
from tfrnnc.models.entropy_network import EntropyNetwork
from tfrnnc.runtimes.residual_loop import Decoded
from tfrnnc.runtimes.runtime import stage_of

#: A bit more, as a share of the bits so far, weighs as much as this share of the distortion.
RATE_WEIGHT = 0.7
_LEAST_DISTORTION = 1e-7  # far below a grey level; the logarithm needs a floor


class Context(NamedTuple):
    """What an iteration finds before it.

    Attributes:
        image: float32 (1, H, W, 3) in [-0.9, 0.9], H and W multiples of the stride.
        earlier: the planes of the iterations before, each float32 (1, h, w, bits).
        reconstruction: after them, float32 (1, H, W, 3).
        states: of the decoder after them.
        coded: float32 (1, h, w, bits), 1 where the iteration has bits, else 0.
        bits_before: that the earlier planes take.
        bits_at_first: that all planes take with the one that the search starts from.
    """

    image: Any
    earlier: list[Any]
    reconstruction: Any
    states: Any
    coded: Any
    bits_before: float
    bits_at_first: float


class RateDistortion:
    """The objective that a search at encoding lowers, for one iteration at a time.

    It is

        ln D_t + RATE_WEIGHT * R_t / R

    with D_t the squared error of the picture after iteration t and `ssim_weight` times 1 - SSIM,
    R_t the bits of iterations 1 to t, and R what they were at first.

    The decoder is given the signs of the logits. As in training the gradient passes through
    them, here as if they were the logits' tanh.

    Args:
        model: the codec model.
        entropy_model: of its bits; None if they are not entropy-coded, so that the rate stays as
            it is and is left out.
        ssim_weight: of 1 - SSIM beside the squared error.
    """

    def __init__(
        self, model: ResidualCodec, entropy_model: EntropyModel | None, ssim_weight: float
    ):
        self._model: Any = model
        self._network: Any = None
        if entropy_model is not None:
            self._network = EntropyNetwork.from_entropy_model(entropy_model)
        self._ssim_weight = 0.0 if model.stride % BLOCK else ssim_weight
        self._turn = threading.Lock()
        # Compiled apart: iterations that share the decoder's weights share its graph.
        self._distortions = [
            value_and_gradient(partial(self._log_distortion, stage=stage))
            for stage in range(len(model.decoders))
        ]
        self._rates = [value_and_gradient(self._bits_of) for _ in range(model.iterations)]

    def value_and_gradient(self, logits: np.ndarray, context: Context) -> tuple[float, np.ndarray]:
        """The objective for the signs of some logits, and its gradient for the logits.

        Args:
            logits: float32 (h, w, bits).
            context: of the iteration.

        Returns:
            the pair (value, gradient, float32 (h, w, bits)).
        """
        iteration = len(context.earlier)
        with self._turn, memory_failures(context.image.shape[1:3]):
            value, gradient = stage_of(self._distortions, iteration)(
                logits[None],
                context.coded,
                context.image,
                context.reconstruction,
                context.states,
            )
            value, gradient = float(value), np.asarray(gradient)[0]
            if self._network is not None:
                bits, more = self._rates[iteration](logits[None], context.coded, context.earlier)
                price = RATE_WEIGHT / context.bits_at_first
                value += price * (context.bits_before + float(bits))
                gradient = gradient + np.float32(price) * np.asarray(more)[0]
        return value, gradient

    def context(
        self, image: np.ndarray, planes: list[np.ndarray], before: Decoded, bits_before: float
    ) -> Context:
        """What the search for an iteration's plane needs to know.

        Args:
            image: float32 (H, W, 3) in [-0.9, 0.9], H and W multiples of the stride.
            planes: int8 (h, w, bits) of -1 and +1, and 0 where locations stopped: those of the
                iterations before, and the one that the search starts from.
            before: what the decoder has after the iterations before.
            bits_before: that their planes take, by `count_bits`.
        """
        *earlier, plane = _batches_of_one(planes)
        reconstruction, states = before
        if states is None:
            reconstruction = np.zeros_like(image)
            states = self._model.initial_decoder_states(1, *image.shape[:2])
        return Context(
            image[None],
            earlier,
            reconstruction[None],
            states,
            np.abs(plane),
            bits_before,
            max(bits_before + self.count_bits(planes), 1.0),
        )

    def count_bits(self, planes: list[np.ndarray]) -> float:
        """The bits that the last of some planes takes, int8 (h, w, bits), after the others."""
        *earlier, plane = _batches_of_one(planes)
        return float(self._bits(earlier, plane, np.abs(plane)))

    def _log_distortion(
        self, logits: Any, coded: Any, image: Any, reconstruction: Any, states: Any, stage: int
    ) -> Any:
        prediction, _ = self._model.decode_iteration(_signs(logits) * coded, states, stage)
        picture = self._model.reconstruct(reconstruction, prediction)
        return ops.log(self._distortion(image, picture) + _LEAST_DISTORTION)

    def _bits_of(self, logits: Any, coded: Any, earlier: list[Any]) -> Any:
        return self._bits(earlier, _signs(logits) * coded, coded)

    def _distortion(self, image: Any, picture: Any) -> Any:
        error = ops.mean(ops.square(image - picture))
        if not self._ssim_weight:
            return error
        return error + self._ssim_weight * (1 - ops.mean(block_ssim(image, picture)))

    def _bits(self, earlier: Any, plane: Any, coded: Any) -> Any:
        if self._network is None:
            return ops.sum(coded)
        logits = self._network.iteration_logits(list(earlier), plane)
        lengths = ops.softplus(logits) - (1 + plane) / 2 * logits
        return ops.sum(lengths * coded) / math.log(2)


def _batches_of_one(planes: list[np.ndarray]) -> list[np.ndarray]:
    return [plane[None].astype(np.float32) for plane in planes]


def _signs(logits: Any) -> Any:
    """-1 and +1, with the gradient of the logits' tanh."""
    return straight_through(signs(logits), ops.tanh(logits))
