"""How many multiplications a model's iterations take, counted from the shapes of its kernels."""

from __future__ import annotations

import math

import keras

from tfrnnc.layers import DeconvLSTMCell


def stage_multiplications(stage, height: int, width: int) -> int:
    """Multiply-accumulates of one iteration of an encoder or a decoder.

    Those of the kernels only: biases, activations and the cells' element-wise products are left
    out. "Same" padding counts as pixels, as is usual.

    Args:
        stage: a built `tfrnnc.models.Stage`.
        height: locations of its input from top to bottom: pixels for an encoder, places of the
            code for a decoder.
        width: those from left to right.

    Returns:
        the number for a batch of one.
    """
    total = 0
    shape = (1, height, width, None)
    for layer in stage.stack:
        output_shape = layer.compute_output_shape(shape)
        for variable in layer.trainable_variables:
            if len(variable.shape) < 2:
                continue
            # A transposed convolution multiplies its whole kernel with each of its inputs,
            # everything else multiplies it for each of its outputs.
            _, rows, columns, _ = shape if _is_transposed(layer, variable) else output_shape
            total += rows * columns * math.prod(variable.shape)
        shape = output_shape
    return total


def _is_transposed(layer, variable) -> bool:
    transposed = isinstance(layer, (keras.layers.Conv2DTranspose, DeconvLSTMCell))
    return transposed and variable.name == "kernel"
