"""The fully-connected LSTM cell of section 3.4, on a grid of patches."""

from __future__ import annotations

from typing import Any

import keras

from tfrnnc.layers.conv_lstm_cell import ConvLSTMCell


@keras.saving.register_keras_serializable("tfrnnc")
class PatchLSTMCell(ConvLSTMCell):
    """A fully-connected LSTM at every location of a grid (section 3.4, eq. 8-10).

    Every location is one patch; the patches share their weights and know nothing of each
    other. This is the convolutional cell with kernels of 1x1, its gates in the same order.

    Args:
        units: size F of the hidden state and of the output.
        forget_bias: initial bias of the forget gate.
        kernel_initializer: for the kernel on the inputs.
        recurrent_initializer: for the kernel on the hidden state.
        **kwargs: as for every `keras.layers.Layer`.

    Call arguments:
        inputs: floats (B, H, W, C).
        states: the pair [h', c'], each (B, H, W, F).
        convolve: how to compute the products; see `tfrnnc.layers.convolution`.

    Returns:
        the pair (h, [h, c]), each (B, H, W, F).

    Examples:
        >>> from keras import ops
        >>> cell = PatchLSTMCell(units=5)
        >>> output, state = cell(ops.ones((1, 2, 3, 4)), cell.get_initial_state(1, 2, 3))
        >>> tuple(output.shape)
        (1, 2, 3, 5)
    """

    def __init__(
        self,
        units: int,
        forget_bias: float = 1.0,
        kernel_initializer: str | keras.initializers.Initializer = "glorot_uniform",
        recurrent_initializer: str | keras.initializers.Initializer = "orthogonal",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            units,
            kernel_size=1,
            forget_bias=forget_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            **kwargs,
        )
        self.units = units

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        for fixed in ("filters", "kernel_size", "strides", "recurrent_kernel_size"):
            del config[fixed]
        return {**config, "units": self.units}
