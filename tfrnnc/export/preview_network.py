"""The preview's network as a TFLite file, which gives the integer decoder's pixels."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfrnnc.export.tflite import check_tflite
from tfrnnc.preview.layout import (
    ACTIVATION_LIMIT,
    BLOCK,
    GRID,
    INPUT_SCALE,
    LAYERS,
    SIDE,
)
from tfrnnc.preview.weights import LayerWeights

NETWORK_FILE = "network.tflite"


def export_preview_network(layers: dict[str, LayerWeights]) -> bytes:
    """The network of a preview's decoder as a TFLite file.

    It is float32, and exact on CPUs, whatever the order of a sum: all numbers are whole, or whole
    numbers divided by a power of two, and none reaches 2^24.

    Its inputs are `decoded`, uint8 (1, 32, 32, 3), the picture before the network, and `hints`,
    float32 (1, 2), see `network_hints`; the output `pixels` is uint8 (1, 32, 32, 3).

    Args:
        layers: of the decoder's file, by name.

    Returns:
        the content of the file.
    """

    def restore(decoded: tf.Tensor, hints: tf.Tensor) -> dict[str, tf.Tensor]:
        levels = tf.cast(decoded, tf.float32)
        blocks = (tf.nn.space_to_depth(levels, BLOCK) - 128) * INPUT_SCALE
        planes = tf.tile(tf.reshape(hints, (1, 1, 1, 2)), (1, GRID, GRID, 1))
        x = tf.concat([blocks, planes], axis=-1)
        for name in LAYERS:
            least = -ACTIVATION_LIMIT if name == "output" else 0
            x = tf.clip_by_value(_convolution(x, layers[name]), least, ACTIVATION_LIMIT)
        shown = tf.clip_by_value(levels + tf.nn.depth_to_space(x, BLOCK), 0, 255)
        return {"pixels": tf.cast(shown, tf.uint8)}

    module = tf.Module()
    module.restore = tf.function(
        restore,
        input_signature=[
            tf.TensorSpec((1, SIDE, SIDE, 3), tf.uint8, "decoded"),
            tf.TensorSpec((1, 2), tf.float32, "hints"),
        ],
    )
    functions = [module.restore.get_concrete_function()]
    content: bytes = tf.lite.TFLiteConverter.from_concrete_functions(functions, module).convert()
    weights = 4 * sum(layer.kernel.size for layer in layers.values())
    check_tflite(content, weights, NETWORK_FILE)
    return content


def _convolution(x: tf.Tensor, layer: LayerWeights) -> tf.Tensor:
    """A layer's sums, its edges repeated outwards, shifted down."""
    padded = tf.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), "SYMMETRIC")
    sums = tf.nn.conv2d(padded, layer.kernel.astype(np.float32), 1, "VALID")
    bias = layer.bias.astype(np.float32) + np.float32(1 << layer.shift >> 1)
    return tf.floor((sums + bias) * np.float32(2.0**-layer.shift))
