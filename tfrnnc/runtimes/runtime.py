"""What the codec needs of whatever runs a model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, TypeVar

import numpy as np

from tfrnnc.bitstream import StreamSpec, as_plane

T = TypeVar("T")

#: Most pixels, of all images together, that are computed at once of a batch.
BATCH_PIXELS = 1 << 15


def binarize(logits: np.ndarray) -> np.ndarray:
    """B in use (section 3.2): int8 -1 and +1, the sign of each logit. Zero is +1, everywhere."""
    return as_plane(logits >= 0)


def stage_of(stages: Sequence[T], iteration: int) -> T:
    """The stage that an iteration uses.

    Args:
        stages: one for each iteration, or one for all; at least one.
        iteration: t - 1, counted from zero.

    Examples:
        >>> stage_of(["shared"], 5), stage_of(["first", "second"], 1)
        ('shared', 'second')
    """
    return stages[min(iteration, len(stages) - 1)]


class Runtime(ABC):
    """The iterations of a trained model, on NumPy arrays.

    A runtime keeps nothing between two calls that changes a result: what an iteration leaves to
    the next one is in the states that are passed to and fro. One runtime may be used by several
    threads at once, and can be pickled.

    Args:
        spec: what streams need of the model.
        reconstruction: see the attributes, like the others.

    Attributes:
        model_id: identity of the model, as streams carry it that are not entropy-coded.
        stride: pixels between two locations of the latent bits.
        bits: bits at each location, for each iteration.
        iterations: most iterations that it can encode.
        reconstruction: "one_shot" if an iteration's reconstruction is its prediction, whatever
            those before it were (see `decode_states`); "additive" if it is the sum of the
            predictions.
        encoder_margin: how far in pixels, at most, what an iteration's encoder gives changes beside
            a cut through the image; a multiple of the stride.
        decoder_margin: the same of the decoder.
        any_size: whether it takes images of any size, and so any part of an image.
        arithmetic: what it computes in, one of `tfrnnc.model_folder.model_folder.ARITHMETICS`.
    """

    arithmetic = "float32"

    def __init__(
        self,
        spec: StreamSpec,
        *,
        reconstruction: Literal["additive", "one_shot"],
        encoder_margin: int,
        decoder_margin: int,
        any_size: bool = True,
    ):
        self.model_id = spec.model_id
        self.stride = spec.stride
        self.bits = spec.bits
        self.iterations = spec.iterations
        self.reconstruction: Literal["additive", "one_shot"] = reconstruction
        self.encoder_margin, self.decoder_margin = (
            -(-margin // spec.stride) * spec.stride for margin in (encoder_margin, decoder_margin)
        )
        self.any_size = any_size

    @property
    def independent(self) -> bool:
        """Whether what a location of the latent bits shows depends on its own bits alone.

        It does with `fc` and `fc_lstm`; such models can stop each location where it is best.
        """
        return self.decoder_margin == 0

    @contextmanager
    def hold(self) -> Iterator[None]:
        """While it lasts, memory for large images is kept between iterations, to be used again."""
        yield

    @abstractmethod
    def encode_iteration(
        self, residual: np.ndarray, states: Any, iteration: int
    ) -> tuple[np.ndarray, Any]:
        """E_t: the residual float32 (H, W, 3) to logits, float32 (h, w, bits).

        Args:
            residual: H and W are multiples of the stride.
            states: None at first, then what the iteration before returned.
            iteration: t - 1, counted from zero.

        Returns:
            the pair (logits, new states); see `binarize`.

        Raises:
            ModelError: if a file of the model is missing or broken.
            RunError: if there is too little memory.
        """

    @abstractmethod
    def decode_iteration(
        self, plane: np.ndarray, states: Any, reconstruction: np.ndarray | None, iteration: int
    ) -> tuple[np.ndarray, Any]:
        """D_t: a plane of bits to the reconstruction, float32 (H, W, 3).

        Args:
            plane: int8 (h, w, bits) of -1 and +1, and 0 for bits that are not known.
            states: None at first, then what the iteration before returned.
            reconstruction: None at first, then what the iteration before returned.
            iteration: t - 1, counted from zero.

        Returns:
            the pair (reconstruction, new states).

        Raises:
            ModelError: if a file of the model is missing or broken.
            RunError: if there is too little memory.
        """

    def decode_states(self, plane: np.ndarray, states: Any, iteration: int) -> Any:
        """D_t without its picture, which the later iterations of a one-shot model do not need.

        Args:
            plane: int8 (h, w, bits) of -1 and +1, and 0 for bits that are not known.
            states: None at first, then what the iteration before returned.
            iteration: t - 1, counted from zero.

        Returns:
            the new states.

        Raises:
            ModelError: if a file of the model is missing or broken.
            RunError: if there is too little memory.
        """
        return self.decode_iteration(plane, states, None, iteration)[1]

    def encode_iteration_of_batch(
        self, residuals: Sequence[np.ndarray], states: Sequence[Any], iteration: int
    ) -> list[tuple[np.ndarray, Any]]:
        """E_t of several images of one size, which may take less time than one by one.

        Args:
            residuals: for each image, as for `encode_iteration`.
            states: for each image.
            iteration: t - 1, counted from zero.

        Returns:
            for each image, what `encode_iteration` gives, to the bit.

        Raises:
            ModelError, RunError: as for `encode_iteration`.
        """
        return [
            self.encode_iteration(*each, iteration) for each in zip(residuals, states, strict=True)
        ]

    def decode_iteration_of_batch(
        self,
        planes: Sequence[np.ndarray],
        states: Sequence[Any],
        reconstructions: Sequence[np.ndarray | None],
        iteration: int,
    ) -> list[tuple[np.ndarray, Any]]:
        """D_t of several images of one size, which may take less time than one by one.

        Args:
            planes: for each image, as for `decode_iteration`.
            states: for each image.
            reconstructions: for each image.
            iteration: t - 1, counted from zero.

        Returns:
            for each image, what `decode_iteration` gives, to the bit.

        Raises:
            ModelError, RunError: as for `decode_iteration`.
        """
        images = zip(planes, states, reconstructions, strict=True)
        return [self.decode_iteration(*each, iteration) for each in images]

    def decode_states_of_batch(
        self, planes: Sequence[np.ndarray], states: Sequence[Any], iteration: int
    ) -> list[Any]:
        """D_t of several images of one size, without their pictures.

        Args:
            planes: for each image, as for `decode_states`.
            states: for each image.
            iteration: t - 1, counted from zero.

        Returns:
            for each image, what `decode_states` gives, to the bit.

        Raises:
            ModelError, RunError: as for `decode_states`.
        """
        return [self.decode_states(*each, iteration) for each in zip(planes, states, strict=True)]
