"""Rearrangements between channels and pixels."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

if TYPE_CHECKING:
    from tfrnnc.backend import Shape, Tensor

# TensorFlow's own operators are single ones in exported files, too, which delegates for GPUs take;
# a transposition of six dimensions none does.
_tensorflow: Any = import_module("tensorflow") if keras.backend.backend() == "tensorflow" else None


@keras.saving.register_keras_serializable("tfrnnc")
class DepthToSpace(keras.layers.Layer):
    """Turns each location's channels into a square block of pixels.

    Args:
        block_size: side b of the block.
        **kwargs: as for every `keras.layers.Layer`.

    Call arguments:
        inputs: (B, H, W, b * b * C); the channels of the block's first row come first.

    Returns:
        (B, H * b, W * b, C).

    Examples:
        >>> from keras import ops
        >>> code = ops.reshape(ops.arange(4), (1, 1, 1, 4))
        >>> ops.convert_to_numpy(DepthToSpace(2)(code))[0, :, :, 0].tolist()
        [[0, 1], [2, 3]]
    """

    def __init__(self, block_size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.block_size = block_size
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        b = self.block_size
        if _tensorflow and b > 1:  # it takes no blocks of 1
            return _tensorflow.nn.depth_to_space(inputs, b)
        _, height, width, channels = ops.shape(inputs)
        blocks = ops.reshape(inputs, (-1, height, width, b, b, channels // (b * b)))
        blocks = ops.transpose(blocks, (0, 1, 3, 2, 4, 5))
        return ops.reshape(blocks, (-1, height * b, width * b, channels // (b * b)))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, height, width, channels = input_shape
        b = self.block_size
        if channels is not None and channels % (b * b):
            raise ValueError(f"{channels} channels cannot be cut into blocks of {b}x{b}")
        return batch, height and height * b, width and width * b, channels and channels // (b * b)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "block_size": self.block_size}


@keras.saving.register_keras_serializable("tfrnnc")
class SpaceToDepth(keras.layers.Layer):
    """Turns each square block of pixels into one location's channels.

    The inverse of `DepthToSpace`; how the fully-connected models see 8x8 patches
    (section 3.3).

    Args:
        block_size: side b of the block.
        **kwargs: as for every `keras.layers.Layer`.

    Call arguments:
        inputs: (B, H * b, W * b, C).

    Returns:
        (B, H, W, b * b * C).

    Examples:
        >>> from keras import ops
        >>> image = ops.reshape(ops.arange(4), (1, 2, 2, 1))
        >>> ops.convert_to_numpy(SpaceToDepth(2)(image)).ravel().tolist()
        [0, 1, 2, 3]
    """

    def __init__(self, block_size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.block_size = block_size
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        b = self.block_size
        if _tensorflow and b > 1:  # it takes no blocks of 1
            return _tensorflow.nn.space_to_depth(inputs, b)
        _, height, width, channels = ops.shape(inputs)
        blocks = ops.reshape(inputs, (-1, height // b, b, width // b, b, channels))
        blocks = ops.transpose(blocks, (0, 1, 3, 2, 4, 5))
        return ops.reshape(blocks, (-1, height // b, width // b, channels * b * b))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, height, width, channels = input_shape
        b = self.block_size
        return batch, height and height // b, width and width // b, channels and channels * b * b

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "block_size": self.block_size}
