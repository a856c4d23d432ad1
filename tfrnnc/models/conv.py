"""Feed-forward convolutional and deconvolutional residual encoder (section 3.5, figure 3)."""

from __future__ import annotations

import keras

from tfrnnc.models.residual_codec import Layout, ResidualCodec


@keras.saving.register_keras_serializable("tfrnnc")
class Conv(ResidualCodec):
    """Convolutions and transposed convolutions, without memory (section 3.5).

    The latent bits are a grid at a quarter of the image's height and width, with 2 bits a location.
    The predictions of all iterations are added up. Arguments are those of `ResidualCodec`.

    Examples:
        >>> model = Conv(*Conv.layouts["small"], iterations=2)
        >>> tuple(model(keras.ops.zeros((1, 16, 24, 3))).shape)
        (1, 2, 16, 24, 3)
    """

    arch = "conv"
    reconstruction = "additive"
    layouts = {
        "paper": Layout(
            encoder=("conv 3x3/64 s2", "conv 3x3/256 s1", "conv 3x3/512 s2"),
            bits=2,
            decoder=("deconv 3x3/128 s1", "deconv 2x2/512 s2", "deconv 2x2/512 s2", "conv 1x1/3"),
        ),
        "small": Layout(
            encoder=("conv 3x3/32 s2", "conv 3x3/64 s2", "conv 3x3/128 s1"),
            bits=2,
            decoder=("deconv 3x3/128 s1", "deconv 2x2/64 s2", "deconv 2x2/32 s2", "conv 1x1/3"),
        ),
    }
