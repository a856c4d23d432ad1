"""Feed-forward fully-connected residual encoder (section 3.3, figure 1)."""

from __future__ import annotations

import keras

from tfrnnc.models.residual_codec import Layout, ResidualCodec


@keras.saving.register_keras_serializable("tfrnnc")
class FC(ResidualCodec):
    """Fully-connected layers on 8x8 patches, without memory (section 3.3).

    Three tanh layers of 512 units encode a patch to 8 bits (section 4.1; figure 1 shows 4),
    three more decode it, and a last one gives its 8x8x3 values. The predictions of all iterations
    are added up. Arguments are those of `ResidualCodec`.

    Examples:
        >>> model = FC(iterations=2)
        >>> tuple(model(keras.ops.zeros((1, 16, 24, 3))).shape)
        (1, 2, 16, 24, 3)
    """

    arch = "fc"
    reconstruction = "additive"
    layouts = {
        "paper": Layout(
            encoder=("space_to_depth 8", "dense 512", "dense 512", "dense 512"),
            bits=8,
            decoder=("dense 512", "dense 512", "dense 512", "dense 192", "depth_to_space 8"),
        ),
        "small": Layout(
            encoder=("space_to_depth 8", "dense 192", "dense 192", "dense 192"),
            bits=8,
            decoder=("dense 192", "dense 192", "dense 192", "dense 192", "depth_to_space 8"),
        ),
    }
