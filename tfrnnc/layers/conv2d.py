"""Keras's convolution, trained the faster way where there is one."""

from __future__ import annotations

import keras

from tfrnnc.layers.winograd import is_faster, winograd_conv_3x3


@keras.saving.register_keras_serializable("tfrnnc")
class Conv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D`, but that training filters where `winograd` is faster.

    Its name is Keras's own, because files of weights call layers by their class.

    Args:
        *args, **kwargs: as for `keras.layers.Conv2D`, with "same" padding and a bias.

    Call arguments:
        inputs: floats (B, H, W, C).
        training: whether rounding may differ from what the exported files compute.

    Returns:
        floats (B, ceil(H / strides), ceil(W / strides), filters).

    Examples:
        >>> from keras import ops
        >>> layer = Conv2D(4, 3, padding="same")
        >>> tuple(layer(ops.ones((1, 8, 8, 2)), training=True).shape)
        (1, 8, 8, 4)
    """

    def call(self, inputs, training=False):
        if training and is_faster(inputs, self.kernel, self.strides[0]):
            return self.activation(winograd_conv_3x3(inputs, self.kernel) + self.bias)
        return super().call(inputs)
