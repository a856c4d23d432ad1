"""Keras's convolution, computed in training the way that the caller chooses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras

if TYPE_CHECKING:
    from tfrnnc.backend import Tensor
    from tfrnnc.layers.convolution import Convolution


@keras.saving.register_keras_serializable("tfrnnc")
class Conv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D` whose call takes the way of convolving.

    Its name is Keras's own, because files of weights call layers by their class.

    Args:
        *args, **kwargs: as for `keras.layers.Conv2D`, with "same" padding and a bias.

    Call arguments:
        inputs: floats (B, H, W, C).
        convolve: how to compute the convolution; None takes Keras's own.

    Returns:
        floats (B, ceil(H / strides), ceil(W / strides), filters).

    Examples:
        >>> from keras import ops
        >>> from tfrnnc.layers.winograd import Winograd
        >>> layer = Conv2D(4, 3, padding="same")
        >>> tuple(layer(ops.ones((1, 8, 8, 2)), convolve=Winograd()).shape)
        (1, 8, 8, 4)
    """

    def call(self, inputs: Tensor, convolve: Convolution | None = None) -> Tensor:
        if convolve is None:
            return super().call(inputs)
        return self.activation(convolve(inputs, self.kernel, self.strides[0]) + self.bias)
