"""The numbers of a preview's format and of its decoder; docs/PREVIEW.md describes both."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

SIDE = 32  #: rows and columns of the picture that is decoded
LOW = 16  #: rows and columns of the lowest frequencies, which alone are coded
COEFFICIENTS = 330  #: that are coded, of all three channels
DECODER_FILE = "decoder.bin"  #: the tables and the network
HEADER_BYTES = 3  #: before the range-coded payload
MIN_BYTES, MAX_BYTES = 3, 64  #: of a preview; the shortest holds the average colour

STEPS = 8  #: step sizes to choose from
LEVEL_LIMIT = 40  #: magnitude of a quantised coefficient, at most
COEFFICIENT_LIMIT = 4095  #: magnitude of a dequantised coefficient, at most
BASES = 22  #: scales of a coefficient relative to its step, in thirds of an octave
LOCAL_CONTEXTS, GLOBAL_CONTEXTS = 5, 3  #: by the neighbours, and by all that came before
CONTEXTS = LOCAL_CONTEXTS * GLOBAL_CONTEXTS
CLASSES = 2  #: of channels: luma and chroma

BASIS_BITS = 9  #: of fraction in the table of the inverse DCT
COLUMN_SHIFT, ROW_SHIFT = 6, 12  #: after the first and the second pass of the inverse DCT
COLUMN_LIMIT = 8191  #: magnitude between the two passes, at most

GRID = 8  #: rows and columns of the network's feature maps
BLOCK = SIDE // GRID  #: rows and columns of pixels in one of their places
INPUT_SCALE = 4  #: of pixels less 128, as the network takes them
UNIT = 64  #: an activation of 1.0, as a whole number
ACTIVATION_LIMIT = 1023  #: activations are whole numbers from minus this to this
INPUT_LIMIT = 128 * INPUT_SCALE  #: magnitude of the network's inputs, at most
ACCUMULATOR_LIMIT = 1 << 24  #: sums stay below this in magnitude, and so exact in float32
WEIGHT_LIMIT = 127  #: weights are whole numbers from minus this to this
MAX_SHIFT = 14  #: of the accumulators
WIDTH = 40  #: feature maps within the network
PIXEL_CHANNELS = 3 * BLOCK * BLOCK  #: of a block
INPUT_CHANNELS = PIXEL_CHANNELS + 2  #: with the step and the number of bytes


class LayerShape(NamedTuple):
    """The shape of one layer, a 3x3 convolution.

    Attributes:
        inputs, outputs: channels.
        input_limit: the greatest magnitude of its inputs.
    """

    inputs: int
    outputs: int
    input_limit: int = ACTIVATION_LIMIT

    @property
    def kernel(self) -> tuple[int, int, int, int]:
        """Rows, columns, inputs and outputs."""
        return (3, 3, self.inputs, self.outputs)

    @property
    def size(self) -> int:
        """How many weights the kernel has."""
        return math.prod(self.kernel)


#: The layers by name, in the order of the decoder's file.
LAYERS: dict[str, LayerShape] = {
    "first": LayerShape(INPUT_CHANNELS, WIDTH, INPUT_LIMIT),
    "second": LayerShape(WIDTH, WIDTH),
    "output": LayerShape(WIDTH, PIXEL_CHANNELS),
}


def network_hints(steps: np.ndarray, size: int) -> np.ndarray:
    """What the network is told of previews, int16 (N, 2), by their steps (N,) and their bytes."""
    steps = np.asarray(steps)
    return np.stack([64 * steps - 224, np.full_like(steps, 8 * size - 256)], -1).astype(np.int16)
