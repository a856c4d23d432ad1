"""The residual loop of encoding (section 3.1), over any runtime."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from tfrnnc.images import pad_to_multiple, to_float, to_uint8
from tfrnnc.runtimes.runtime import Runtime, binarize


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
    height, width, _ = pixels.shape
    residual = original = to_float(pad_to_multiple(pixels, runtime.stride))
    encoder_states = decoder_states = reconstruction = None
    for number in range(runtime.iterations):
        logits, new_encoder_states = runtime.encode_iteration(residual, encoder_states, number)
        plane = binarize(logits)
        reconstruction, new_decoder_states = runtime.decode_iteration(
            plane, decoder_states, reconstruction, number
        )
        picture = to_uint8(reconstruction[:height, :width])
        yield Iteration(
            residual, encoder_states, logits, plane, decoder_states, reconstruction, picture
        )
        residual = original - reconstruction
        encoder_states, decoder_states = new_encoder_states, new_decoder_states
