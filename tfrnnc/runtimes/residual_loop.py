"""The residual loop of encoding (section 3.1), over any runtime."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from tfrnnc.images import pad_to_multiple, to_float, to_uint8
from tfrnnc.runtimes.runtime import Runtime, binarize


class Decoded(NamedTuple):
    """What a decoder has after some planes.

    Attributes:
        reconstruction: float32 (H, W, 3), H and W multiples of the stride; None at first.
        states: of the decoder; None at first.
    """

    reconstruction: Any = None
    states: Any = None


#: Decodes a plane, int8 (h, w, bits), in place of the last one.
DecodePlane = Callable[[np.ndarray], Decoded]
#: Takes a plane, int8 (h, w, bits), its logits, float32 (h, w, bits), and what decodes planes like
#: it; returns the plane to go on with, and what that decodes to.
Refine = Callable[[np.ndarray, np.ndarray, DecodePlane], tuple[np.ndarray, Decoded]]


class ResidualLoop:
    """Encodes an image iteration by iteration: a plane of bits, what it shows, what is missing.

    Args:
        runtime: of the model.
        pixels: uint8 (H, W, 3).
        refine: improves each plane before it is decoded; None takes the signs of the logits.

    Attributes:
        iteration: how many planes were encoded.
        residual: what the next iteration's encoder is given, float32 (H, W, 3), H and W multiples
            of the stride.
        encoder_states: the same; None at first.
        logits: what the last encoder gave, float32 (h, w, bits); None at first.
        before: what a decoder has before the plane that was encoded last.
        decoded: what a decoder has after the planes that were decoded.
    """

    def __init__(self, runtime: Runtime, pixels: np.ndarray, refine: Refine | None = None):
        self._runtime, self._pixels, self._refine = runtime, pixels, refine
        self._image = to_float(pad_to_multiple(pixels, runtime.stride))
        self._known: tuple[np.ndarray, Decoded] | None = None  # a plane and what it decodes to
        self.iteration = 0
        self.residual = self._image
        self.encoder_states: Any = None
        self.logits: Any = None
        self.before = self.decoded = Decoded()

    def encode(self) -> np.ndarray:
        """E and B of the next iteration: its plane, int8 (h, w, bits).

        The plane of the iteration before must have been decoded.
        """
        return self.take_logits(
            *self._runtime.encode_iteration(self.residual, self.encoder_states, self.iteration)
        )

    def take_logits(self, logits: np.ndarray, states: Any) -> np.ndarray:
        """B of the next iteration, whose E was computed elsewhere: its plane, int8 (h, w, bits).

        Args:
            logits: that the encoder makes of `residual` and `encoder_states`.
            states: that it leaves.
        """
        self.logits, self.encoder_states = logits, states
        plane = self.bits(self.logits)
        self.before = self.decoded
        self.iteration += 1
        if self._refine:
            plane, decoded = self._refine(plane, self.logits, self.decode_alternative)
            self._known = plane, decoded
        return plane

    def knows(self, plane: np.ndarray) -> bool:
        """Whether what a plane decodes to is known, as it was decoded last."""
        return self._known is not None and self._known[0] is plane

    def decode(self, plane: np.ndarray, decoded: Decoded | None = None) -> None:
        """D of the iteration: what its plane shows, and so the next residual.

        Args:
            plane: that `encode` gave, or another in its place.
            decoded: what it decodes to, if that was computed elsewhere.
        """
        if decoded is not None:
            self._known = plane, decoded
        elif not self.knows(plane):
            self._known = plane, self.decode_alternative(plane)
        assert self._known is not None
        self.decoded = self._known[1]
        self.residual = self._image - self.decoded.reconstruction

    @property
    def picture(self) -> np.ndarray:
        """The picture after the planes that were decoded, uint8 (H, W, 3)."""
        return self.crop(self.decoded.reconstruction)

    def iterate(self) -> tuple[np.ndarray, np.ndarray]:
        """Takes an iteration.

        Returns:
            its plane, int8 (h, w, bits), and the picture after it, uint8 (H, W, 3).
        """
        plane = self.encode()
        self.decode(plane)
        return plane, self.picture

    def run(self, iterations: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields what `iterate` gives.

        Args:
            iterations: how many to take.
        """
        for _ in range(iterations):
            yield self.iterate()

    def decode_alternative(self, plane: np.ndarray) -> Decoded:
        """What a decoder makes of another plane in place of the last one; the loop stays as it is.

        Args:
            plane: int8 (h, w, bits) of -1 and +1, and 0 for bits that are not known.
        """
        reconstruction, states = self._runtime.decode_iteration(
            plane, self.before.states, self.before.reconstruction, self.iteration - 1
        )
        return Decoded(reconstruction, states)

    def bits(self, logits: np.ndarray) -> np.ndarray:
        """The plane of some logits, float32 (h, w, bits)."""
        return binarize(logits)

    def crop(self, reconstruction: np.ndarray) -> np.ndarray:
        """A reconstruction as a picture of the image's size, uint8 (H, W, 3)."""
        height, width, _ = self._pixels.shape
        return to_uint8(reconstruction[:height, :width])


class Iteration(NamedTuple):
    """An iteration of the residual loop: what it was given and what it made.

    Attributes:
        residual: what the encoder was given, float32 (H, W, 3), H and W multiples of the stride.
        encoder_states: what else the encoder was given; None at first.
        logits: what the encoder made of them, float32 (h, w, bits).
        plane: their signs, which the decoder was given, int8 (h, w, bits) of -1 and +1.
        decoder_states: what else the decoder was given; None at first.
        reconstruction: the decoder's picture, float32 (H, W, 3).
        picture: the same as an image of the size of the original, uint8.
    """

    residual: np.ndarray
    encoder_states: Any
    logits: np.ndarray
    plane: np.ndarray
    decoder_states: Any
    reconstruction: np.ndarray
    picture: np.ndarray


def iterate(runtime: Runtime, pixels: np.ndarray) -> Iterator[Iteration]:
    """Encodes an image, iteration by iteration.

    Args:
        runtime: of the model.
        pixels: uint8 (height, width, 3); padded to a multiple of the stride.

    Yields:
        all iterations that the model has.
    """
    loop = ResidualLoop(runtime, pixels)
    for _ in range(runtime.iterations):
        residual, encoder_states = loop.residual, loop.encoder_states
        plane, picture = loop.iterate()
        yield Iteration(
            residual,
            encoder_states,
            loop.logits,
            plane,
            loop.before.states,
            loop.decoded.reconstruction,
            picture,
        )
