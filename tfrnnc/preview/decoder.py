"""The decoder of previews, in whole numbers.

Activations, weights and sums are whole numbers that float32 holds exactly, as none reaches 2^24;
so the matrix products of any machine give the same pixels.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tfrnnc.preview.coefficients import CoefficientCoder
from tfrnnc.preview.colour import colour_levels
from tfrnnc.preview.layout import (
    ACTIVATION_LIMIT,
    BLOCK,
    GRID,
    HEADER_BYTES,
    INPUT_CHANNELS,
    INPUT_SCALE,
    PIXEL_CHANNELS,
    SIDE,
    network_hints,
)
from tfrnnc.preview.quantiser import Quantiser
from tfrnnc.preview.text import PreviewData
from tfrnnc.preview.transform import pictures
from tfrnnc.preview.weights import DecoderFile

Floats = npt.NDArray[np.float32]


class PreviewDecoder:
    """Previews to pixels; it keeps nothing, and threads may share it.

    Args:
        contents: of the decoder's file.
    """

    def __init__(self, contents: DecoderFile):
        self.tables = contents.tables
        self.quantiser = Quantiser(contents.tables)
        self.coder = CoefficientCoder(contents.tables, self.quantiser.contexts)
        self._layers = {
            name: (
                layer.kernel.astype(np.float32).reshape(-1, layer.kernel.shape[-1]),
                layer.bias.astype(np.float32) + np.float32((1 << layer.shift) >> 1),
                np.float32(2.0**-layer.shift),
            )
            for name, layer in contents.layers.items()
        }

    def decode(self, preview: PreviewData) -> np.ndarray:
        """The picture of a preview, uint8 (32, 32, 3).

        Raises:
            CorruptStreamError: if its payload is one that no encoder writes.
        """
        levels = self.coder.decode(preview.payload, preview.step)
        steps = np.array([preview.step])
        average = colour_levels(preview.colour[None])
        picture: np.ndarray = self.decode_levels(levels[None], steps, average, preview.size)[0]
        return picture

    def decode_levels(
        self, levels: np.ndarray, steps: np.ndarray, average: np.ndarray, size: int
    ) -> np.ndarray:
        """The pictures of quantised coefficients.

        Args:
            levels: whole numbers (N, COEFFICIENTS).
            steps: indices of their steps, (N,).
            average: int32 (N, 3) from `colour_levels`.
            size: bytes of the previews.

        Returns:
            uint8 (N, 32, 32, 3).
        """
        values = self.quantiser.dequantise(levels, steps)
        decoded = pictures(values, average, self.tables)
        if size == HEADER_BYTES:
            return decoded
        return self.restore(decoded, network_hints(steps, size))

    def restore(self, decoded: np.ndarray, hints: np.ndarray) -> np.ndarray:
        """What the network makes of pictures.

        Args:
            decoded: uint8 (N, 32, 32, 3).
            hints: whole numbers (N, 2), see `network_hints`.

        Returns:
            uint8 (N, 32, 32, 3).
        """
        number = len(decoded)
        blocks = decoded.reshape(number, GRID, BLOCK, GRID, BLOCK, 3).transpose(0, 1, 3, 2, 4, 5)
        x = np.empty((number, GRID, GRID, INPUT_CHANNELS), np.float32)
        x[..., :PIXEL_CHANNELS] = blocks.reshape(number, GRID, GRID, PIXEL_CHANNELS)
        x[..., :PIXEL_CHANNELS] = (x[..., :PIXEL_CHANNELS] - 128) * INPUT_SCALE
        x[..., PIXEL_CHANNELS:] = hints[:, None, None]
        x = np.maximum(self._conv("first", x), np.float32(0))
        x = np.maximum(self._conv("second", x), np.float32(0))
        x = self._conv("output", x).reshape(number, GRID, GRID, BLOCK, BLOCK, 3)
        changes = x.transpose(0, 1, 3, 2, 4, 5).reshape(number, SIDE, SIDE, 3)
        return np.clip(decoded + changes, 0, 255).astype(np.uint8)

    def _conv(self, name: str, x: Floats) -> Floats:
        """A layer's convolution, its edges repeated outwards, requantised."""
        kernel, bias, scale = self._layers[name]
        sums = _neighbourhoods(x).reshape(-1, len(kernel)) @ kernel
        rounded = np.floor((sums + bias) * scale)
        limited = np.clip(rounded, np.float32(-ACTIVATION_LIMIT), np.float32(ACTIVATION_LIMIT))
        return limited.reshape(*x.shape[:-1], -1)


def _neighbourhoods(x: Floats) -> Floats:
    """The 3x3 neighbourhood of each place, (N, H, W, 9 * C): row by row, then channels."""
    number, height, width, channels = x.shape
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    columns = np.empty((number, height, width, 9, channels), np.float32)
    for index in range(9):
        row, column = divmod(index, 3)
        columns[..., index, :] = padded[:, row : row + height, column : column + width]
    return columns.reshape(number, height, width, 9 * channels)
