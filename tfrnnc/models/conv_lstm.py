"""Convolutional and deconvolutional LSTM residual encoder (section 3.6)."""

from __future__ import annotations

import keras

from tfrnnc.models.residual_codec import Layout, ResidualCodec


@keras.saving.register_keras_serializable("tfrnnc")
class ConvLSTM(ResidualCodec):
    """Convolutional LSTMs (eq. 13) and deconvolutional LSTMs (eq. 14) (section 3.6).

    The best of the paper's four: layers 2 and 3 of the encoder and of the decoder are
    recurrent, and each iteration predicts the whole image. Arguments are those of `ResidualCodec`.

    Four layouts come with it: "paper" (about 3 billion multiplications per iteration for 32x32),
    "small" (34 million; recurrent layers at stride 4 and 8 only, for phones and for training
    on a CPU), and "cvpr2017" (470 million), that of the authors' next paper.

    Examples:
        >>> model = ConvLSTM(*ConvLSTM.layouts["small"], iterations=2)
        >>> tuple(model(keras.ops.zeros((1, 16, 24, 3))).shape)
        (1, 2, 16, 24, 3)
    """

    arch = "conv_lstm"
    reconstruction = "one_shot"
    layouts = {
        "paper": Layout(
            encoder=("conv 3x3/64 s2", "conv_lstm 3x3/256 s1", "conv_lstm 3x3/512 s2"),
            bits=2,
            decoder=(
                "deconv 3x3/128 s1",
                "deconv_lstm 2x2/512 s2",
                "deconv_lstm 2x2/512 s2",
                "conv 1x1/3",
            ),
        ),
        "small": Layout(
            encoder=("conv 3x3/32 s2", "conv_lstm 3x3/64 s2", "conv_lstm 3x3/128 s2"),
            bits=8,
            decoder=(
                "conv 1x1/128",
                "conv_lstm 3x3/128",
                "depth_to_space 2",
                "conv_lstm 3x3/96",
                "conv 3x3/48 linear",
                "depth_to_space 4",
            ),
        ),
        "medium": Layout(
            encoder=("conv 3x3/64 s2", "conv_lstm 3x3/64 s2", "conv_lstm 3x3/160 s2"),
            bits=24,
            decoder=(
                "conv 1x1/176",
                "conv_lstm 3x3/176",
                "depth_to_space 2",
                "conv_lstm 3x3/96",
                "conv 3x3/48 linear",
                "depth_to_space 4",
            ),
        ),
        "cvpr2017": Layout(
            encoder=(
                "conv 3x3/64 s2",
                "conv_lstm 3x3/256 s2",
                "conv_lstm 3x3/512 s2",
                "conv_lstm 3x3/512 s2",
            ),
            bits=32,
            decoder=(
                "conv 1x1/512",
                "conv_lstm 3x3/512",
                "depth_to_space 2",
                "conv_lstm 3x3/512",
                "depth_to_space 2",
                "conv_lstm 3x3/256",
                "depth_to_space 2",
                "conv_lstm 3x3/128",
                "depth_to_space 2",
                "conv 1x1/3",
            ),
        ),
    }
