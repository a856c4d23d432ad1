"""LSTM-based fully-connected residual encoder (section 3.4, figure 2)."""

from __future__ import annotations

import keras

from tfrnnc.models.residual_codec import Layout, ResidualCodec


@keras.saving.register_keras_serializable("tfrnnc")
class FCLSTM(ResidualCodec):
    """Fully-connected layers and LSTMs on 8x8 patches (section 3.4).

    Each iteration predicts the whole patch, from what the decoder's LSTMs remember. Arguments are
    those of `ResidualCodec`.

    Examples:
        >>> model = FCLSTM(iterations=2)
        >>> tuple(model(keras.ops.zeros((1, 16, 24, 3))).shape)
        (1, 2, 16, 24, 3)
    """

    arch = "fc_lstm"
    reconstruction = "one_shot"
    layouts = {
        "paper": Layout(
            encoder=("space_to_depth 8", "dense 512", "lstm 512", "lstm 512"),
            bits=8,
            decoder=("lstm 512", "lstm 512", "dense 512", "dense 192", "depth_to_space 8"),
        ),
        "small": Layout(
            encoder=("space_to_depth 8", "dense 192", "lstm 192", "lstm 192"),
            bits=8,
            decoder=("lstm 192", "lstm 192", "dense 192", "dense 192", "depth_to_space 8"),
        ),
    }
