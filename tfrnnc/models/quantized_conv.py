"""Convolutions whose every number is a small integer times a power of two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from tfrnnc.bitstream.constants import (
    ACTIVATION_MAX,
    ACTIVATION_SCALE,
    WEIGHT_MAX,
    WEIGHT_SCALE,
)
from tfrnnc.layers.straight_through import straight_through

if TYPE_CHECKING:
    import numpy as np

    from tfrnnc.backend import Shape, Tensor


@keras.saving.register_keras_serializable("tfrnnc")
class QuantizedConv(keras.layers.Layer):
    """A convolution with weights that are multiples of 1/128 in [-127/128, 127/128].

    With inputs that are multiples of 1/64, as `quantized_relu` gives, each product and each sum
    is a multiple of 1/8192. As long as a sum stays below 2^24 / 8192 it is exact in float32, in
    any order of summation, so that every machine finds the same. The bias is such a multiple
    too. Gradients pass through the rounding to the weights unchanged.

    Args:
        filters: channels of the output.
        kernel_size: side of the kernel, odd.
        use_bias: whether to add a bias.
        **kwargs: as for every `keras.layers.Layer`.

    Call arguments:
        inputs: floats (B, H, W, channels).
        mask: zeros and ones that the kernel is multiplied with; None is all ones.

    Returns:
        floats (B, H, W, filters).
    """

    def __init__(
        self, filters: int, kernel_size: int = 1, use_bias: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.use_bias = use_bias

    def build(self, input_shape: Shape) -> None:
        side, channels = self.kernel_size, input_shape[-1]
        self.kernel = self.add_weight(
            shape=(side, side, channels, self.filters), initializer="glorot_uniform", name="kernel"
        )
        self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias")
        self.bias.trainable = self.use_bias
        self.built = True

    def quantized_kernel(self) -> Tensor:
        """The kernel as it is used, floats (side, side, channels, filters)."""
        levels = ops.clip(ops.round(self.kernel * WEIGHT_SCALE), -WEIGHT_MAX, WEIGHT_MAX)
        return straight_through(levels / WEIGHT_SCALE, self.kernel)

    def quantized_bias(self) -> Tensor:
        """The bias as it is used, floats (filters,)."""
        scale = ACTIVATION_SCALE * WEIGHT_SCALE
        return straight_through(ops.round(self.bias * scale) / scale, self.bias)

    def call(self, inputs: Tensor, mask: np.ndarray | None = None) -> Tensor:
        kernel = self.quantized_kernel()
        if mask is not None:
            kernel = kernel * mask
        outputs = ops.conv(inputs, kernel, padding="same")
        return outputs + self.quantized_bias() if self.use_bias else outputs

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "use_bias": self.use_bias,
        }


def quantized_relu(values: Tensor) -> Tensor:
    """Values rounded down to multiples of 1/64 in [0, 255/64]; the gradient is that of clipping.

    Args:
        values: floats of any shape.

    Examples:
        >>> [float(value) for value in quantized_relu(ops.array([-1.0, 0.51, 9.0]))]
        [0.0, 0.5, 3.984375]
    """
    clipped = ops.clip(values, 0.0, ACTIVATION_MAX / ACTIVATION_SCALE)
    return straight_through(ops.floor(clipped * ACTIVATION_SCALE) / ACTIVATION_SCALE, clipped)


def quantized_logits(values: Tensor) -> Tensor:
    """Values rounded down to the multiples of 1/64 in [-2, 127/64]; the gradient is of clipping.

    Args:
        values: floats of any shape.
    """
    clipped = ops.clip(values, -128 / ACTIVATION_SCALE, 127 / ACTIVATION_SCALE)
    return straight_through(ops.floor(clipped * ACTIVATION_SCALE) / ACTIVATION_SCALE, clipped)
