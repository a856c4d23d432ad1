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

        The loss is built in, so `fit` takes images alone: floats from -0.9 to 0.9, of a size that
        is a multiple of the model's stride. Here they are patches of photos, and the model is tiny.

        >>> from tfrnnc.data import FolderImages, PatchBatches
        >>> keras.utils.set_random_seed(1)
        >>> decoder = ["conv_lstm 3x3/16", "conv 3x3/48 linear", "depth_to_space 4"]
        >>> tiny = ConvLSTM(["conv_lstm 3x3/16 s4"], bits=4, decoder=decoder, iterations=2)
        >>> tiny.stride
        4
        >>> tiny.compile(keras.optimizers.Adam(1e-2))
        >>> batches = PatchBatches(FolderImages("examples/photos"), batch_size=16, patch_size=32)
        >>> history = tiny.fit(batches, steps_per_epoch=4, epochs=4, shuffle=False, verbose=0)
        >>> history.history["loss"][-1] < history.history["loss"][0]
        True
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
