"""Convolutions of 3x3 kernels with a quarter of the multiplications, for training."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import ops

from tfrnnc.backend import runs_on_tensorflow_cpu
from tfrnnc.layers.convolution import direct

if TYPE_CHECKING:
    from tfrnnc.backend import Tensor

TILE = 4  #: side of the squares of outputs that are computed together

#: The largest share of the plain convolution's multiplications with which it is faster on larger
#: grids; below, moving the data costs more than multiplying less saves.
_LARGEST_SHARE = 0.65

# Where the polynomials are evaluated, beside infinity. The usual points, 0, 1, -1, 2 and -2, have
# four times the rounding error.
_POINTS = (0.0, 0.75, -0.75, 1.5, -1.5)
_TAPS = 3


class Winograd:
    """A convolution with "same" padding, by Winograd's minimal filtering where that is faster.

    One object serves one unrolled loop: it transforms each kernel once, however often the
    iterations use it. Where a function is traced, all uses must be in the same one, outside of
    loops in the graph.
    """

    def __init__(self) -> None:
        # By `id(kernel)`, as TensorFlow's tensors are not hashable. An id is given again only once
        # its object is gone, so each entry holds the kernel itself beside its transform.
        self._transformed: dict[int, tuple[Tensor, Tensor]] = {}

    def __call__(self, inputs: Tensor, kernel: Tensor, strides: int = 1) -> Tensor:
        """As `tfrnnc.layers.convolution.direct`, but for rounding."""
        if not is_faster(inputs, kernel, strides):
            return direct(inputs, kernel, strides)
        if id(kernel) not in self._transformed:
            self._transformed[id(kernel)] = kernel, transform_kernel(kernel, inputs.dtype)
        return winograd_conv_3x3(inputs, self._transformed[id(kernel)][1])


def is_faster(inputs: Tensor, kernel: Tensor, strides: int) -> bool:
    """Whether `winograd_conv_3x3` can do it, and faster, on a CPU.

    It is on grids of up to 8x8, and on larger ones with many channels.
    """
    *taps, channels, filters = kernel.shape
    height, width = inputs.shape[1:3]
    return (
        (*taps, strides) == (_TAPS, _TAPS, 1)
        and all(side is not None and side % TILE == 0 for side in (height, width))
        and (
            max(height, width) <= 2 * TILE
            or _share(height * width, channels, filters) <= _LARGEST_SHARE
        )
        and keras.backend.standardize_dtype(inputs.dtype) == "float32"
        and runs_on_tensorflow_cpu()
    )


def _share(locations: int, channels: int, filters: int) -> float:
    """Of the plain convolution's multiplications, those of the products and both transforms."""
    places = (TILE + _TAPS - 1) ** 2
    products = places / TILE**2 * channels * filters
    transforms = places / TILE**2 * locations * channels + places * filters
    return (products + transforms) / (_TAPS**2 * channels * filters)


def winograd_conv_3x3(inputs: Tensor, transformed: Tensor) -> Tensor:
    """What `ops.conv(inputs, kernel, padding="same")` is, to rounding.

    Winograd's minimal filtering F(4x4, 3x3): inputs and kernel are transformed, multiplied at 36
    places by a matrix product over the channels each, and transformed back, so that a tile of 4x4
    outputs takes 36 multiplications for each pair of channels instead of 144. The transforms are
    matrix products too. Rounding errors are about five times those of the plain sum.

    Args:
        inputs: floats (B, H, W, C); H and W are known multiples of 4.
        transformed: the kernel (3, 3, C, F) as `transform_kernel` gives it, (36, C, F).

    Returns:
        floats (B, H, W, F).

    References:
        Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, CVPR 2016,
        https://arxiv.org/abs/1509.09308
    """
    _, height, width, channels = inputs.shape
    filters = transformed.shape[-1]
    batch = ops.shape(inputs)[0]
    rows, columns = height // TILE, width // TILE
    to_tiles, to_outputs = (
        ops.convert_to_tensor(matrix, inputs.dtype)
        for matrix in (_tile_transform(height, width), _output_transform())
    )
    places = to_outputs.shape[1]

    # Pixels before batch, so that each transform is one product of large matrices.
    pixels = ops.reshape(
        ops.transpose(ops.reshape(inputs, (batch, height * width, channels)), (1, 0, 2)),
        (height * width, batch * channels),
    )
    tiles = ops.reshape(to_tiles @ pixels, (places, rows * columns * batch, channels))
    products = ops.reshape(
        tiles @ transformed,
        (places, rows * columns * batch * filters),
    )
    outputs = ops.reshape(to_outputs @ products, (TILE, TILE, rows, columns, batch, filters))
    return ops.reshape(ops.transpose(outputs, (4, 2, 0, 3, 1, 5)), (batch, height, width, filters))


def transform_kernel(kernel: Tensor, dtype: str) -> Tensor:
    """A kernel (3, 3, C, F) at the 36 places, (36, C, F), for `winograd_conv_3x3`."""
    _, _, channels, filters = kernel.shape
    taps = ops.reshape(ops.cast(kernel, dtype), (_TAPS * _TAPS, channels * filters))
    to_places = ops.convert_to_tensor(_kernel_transform(), dtype)
    return ops.reshape(to_places @ taps, (-1, channels, filters))


# The transforms of two dimensions: each is the Kronecker product of one for the rows and one for
# the columns.


@cache
def _tile_transform(height: int, width: int) -> np.ndarray:
    """From pixels to the places of all tiles, (36 * tiles, height * width)."""
    data, _, _ = _one_dimension()
    row_transform, column_transform = (_on_tiles(data, side) for side in (height, width))
    to_tiles: np.ndarray = np.einsum("aip,bjq->abijpq", row_transform, column_transform)
    return to_tiles.reshape(-1, height * width)


@cache
def _kernel_transform() -> np.ndarray:
    """From a kernel's taps to the places, (36, 9)."""
    _, taps, _ = _one_dimension()
    return np.kron(taps, taps)


@cache
def _output_transform() -> np.ndarray:
    """From the places to a tile's outputs, (16, 36)."""
    *_, outputs = _one_dimension()
    return np.kron(outputs, outputs)


def _on_tiles(data: np.ndarray, side: int) -> np.ndarray:
    """The transform of each tile of a line of pixels, (places, tiles, side).

    A tile reads one pixel more than its own on each side; outside of the line there are zeros.
    """
    places = len(data)
    padded = np.zeros((places, side // TILE, side + 2))
    for tile in range(side // TILE):
        padded[:, tile, tile * TILE : tile * TILE + places] = data
    return padded[:, :, 1:-1]


def _one_dimension() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Matrices D, G and A with A ((G g) * (D d)) = the 4 outputs of taps g over 6 pixels d.

    The product of two polynomials is found from its values at 6 points (Toom and Cook);
    filtering is the transpose of that.
    """

    def values(coefficients: int) -> np.ndarray:
        """From a number of coefficients to the values at the points; at infinity, the last one."""
        finite = np.vander(_POINTS, coefficients, increasing=True)
        return np.vstack([finite, np.eye(coefficients)[-1:]])

    return np.linalg.inv(values(TILE + _TAPS - 1)).T, values(_TAPS), values(TILE).T
