"""The deconvolutional LSTM cell of section 3.6."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
from keras import ops

from tfrnnc.layers.conv_lstm_cell import ConvLSTMCell

if TYPE_CHECKING:
    from tfrnnc.backend import Shape, Size, Tensor
    from tfrnnc.layers.convolution import Convolution


@keras.saving.register_keras_serializable("tfrnnc")
class DeconvLSTMCell(ConvLSTMCell):
    """One step of a deconvolutional LSTM (section 3.6, eq. 14 in eq. 8-10).

    A `ConvLSTMCell` whose transform is `Wd (/)_k x + Wc (*)_1 h + b`, where (/)_k is the
    transposed convolution of eq. 11-12: the input is inflated with zeros by the factor k
    and convolved with Wd, so that the output is k times as high and as wide.

    Args:
        filters: channels F of the hidden state and of the output.
        kernel_size: side of the square input kernel Wd.
        strides: inflation k of the input.
        recurrent_kernel_size: side of the square hidden kernel Wc (the paper's is 1).
        forget_bias: initial bias of the forget gate.
        kernel_initializer: for Wd.
        recurrent_initializer: for Wc.
        **kwargs: as for every `keras.layers.Layer`.

    Call arguments:
        inputs: floats (B, H, W, C).
        states: the pair [h', c'], each (B, H * k, W * k, F).
        convolve: how to compute the hidden convolution; see `tfrnnc.layers.convolution`.

    Returns:
        the pair (h, [h, c]), each of the shape of the states.

    Examples:
        >>> from keras import ops
        >>> cell = DeconvLSTMCell(filters=4, kernel_size=2, strides=2)
        >>> output, state = cell(ops.ones((1, 3, 4, 8)), [ops.zeros((1, 6, 8, 4))] * 2)
        >>> tuple(output.shape)
        (1, 6, 8, 4)
    """

    def _kernel_shape(self, channels: int | None) -> Shape:
        # Keras keeps the kernel of a transposed convolution as (side, side, out, in).
        return (self.kernel_size, self.kernel_size, 4 * self.filters, channels)

    def _transform_input(self, inputs: Tensor, convolve: Convolution) -> Tensor:
        return ops.conv_transpose(inputs, self.kernel, strides=self.strides, padding="same")

    def output_side(self, size: Size) -> Size:
        """Height or width of the output, from that of the inputs; None where that is not known."""
        return None if size is None else size * self.strides
