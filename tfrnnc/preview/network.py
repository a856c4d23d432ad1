"""The preview's network as Keras trains it, computing as the integer decoder does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from tfrnnc.images import SCALE
from tfrnnc.layers.straight_through import straight_through
from tfrnnc.models.block_ssim import block_ssim
from tfrnnc.preview.layout import (
    ACCUMULATOR_LIMIT,
    ACTIVATION_LIMIT,
    BLOCK,
    GRID,
    INPUT_SCALE,
    LAYERS,
    MAX_SHIFT,
    SIDE,
    UNIT,
    WEIGHT_LIMIT,
    LayerShape,
)
from tfrnnc.preview.weights import LayerWeights

if TYPE_CHECKING:
    from tfrnnc.backend import Tensor

_LIMIT = ACTIVATION_LIMIT / UNIT
#: Pixels are many units and what is added to them is few levels: so every layer learns alike.
_MULTIPLIERS = {"first": 0.4, "second": 1.0, "output": 0.05}
_LEAST_ERROR = 1e-4  #: keeps the logarithm of the error from falling for ever, at 40 dB


class IntegerConvolution(keras.layers.Layer):
    """A convolution whose weights are whole numbers of 8 bits times a power of two.

    Args:
        shape: of the layer.
        multiplier: of the variable that is trained, which gives the kernel.
        **kwargs: as for every `keras.layers.Layer`.
    """

    def __init__(self, shape: LayerShape, multiplier: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.layer_shape = shape
        self.multiplier = multiplier
        deviation = 1.4 / (9 * shape.inputs) ** 0.5
        self.kernel = self.add_weight(
            shape=shape.kernel,
            initializer=keras.initializers.RandomNormal(stddev=deviation, seed=1),
            name="kernel",
        )
        self.bias = self.add_weight(shape=(shape.outputs,), initializer="zeros", name="bias")
        self.built = True

    def scale(self) -> Tensor:
        """What whole weights are divided by, a power of two, a float."""
        magnitudes = ops.abs(
            ops.reshape(self.kernel * self.multiplier, (-1, self.layer_shape.outputs))
        )
        sums = ops.max(ops.sum(magnitudes, axis=0)) * self.layer_shape.input_limit
        sums = sums + ops.max(ops.abs(self.bias)) * UNIT
        room = 0.97 * ACCUMULATOR_LIMIT / (sums + 1)
        fine = (WEIGHT_LIMIT + 0.49) / (ops.max(magnitudes) + 1e-9)
        exponent = ops.floor(ops.log(ops.minimum(room, fine)) / np.log(2).astype("float32"))
        return ops.stop_gradient(2.0 ** ops.clip(exponent, 0, MAX_SHIFT))

    def quantised_weights(self) -> tuple[Tensor, Tensor, Tensor]:
        """Kernel and bias as whole numbers, and the scale."""
        scale = self.scale()
        kernel = ops.clip(
            ops.round(self.kernel * (self.multiplier * scale)), -WEIGHT_LIMIT, WEIGHT_LIMIT
        )
        return kernel, ops.round(self.bias * (scale * UNIT)), scale

    def export(self) -> LayerWeights:
        """The layer as the decoder's file holds it."""
        kernel, bias, scale = map(ops.convert_to_numpy, self.quantised_weights())
        return LayerWeights(int(np.log2(scale)), bias.astype(np.int32), kernel.astype(np.int8))

    def call(self, inputs: Tensor) -> Tensor:
        kernel, bias, scale = self.quantised_weights()
        kernel = straight_through(kernel / scale, self.kernel * self.multiplier)
        bias = straight_through(bias / (scale * UNIT), self.bias)
        padded = ops.pad(inputs, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="symmetric")
        values = ops.conv(padded, kernel, padding="valid") + bias
        whole = ops.clip(ops.floor(values * UNIT + 0.5) / UNIT, -_LIMIT, _LIMIT)
        return straight_through(whole, ops.clip(values, -_LIMIT, _LIMIT))


@keras.saving.register_keras_serializable("tfrnnc")
class PreviewNetwork(keras.Model):
    """Restores decoded pictures.

    Args:
        ssim_weight: of 1 - SSIM beside the mean squared error, in its logarithm.
        **kwargs: as for every `keras.Model`.
    """

    def __init__(self, ssim_weight: float = 0.02, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ssim_weight = ssim_weight
        self.parts = [
            IntegerConvolution(shape, _MULTIPLIERS[name], name=name)
            for name, shape in LAYERS.items()
        ]
        self.built = True

    def call(self, inputs: Mapping[str, Tensor], training: bool = False) -> Tensor:
        """Pictures in levels of 255, not yet limited.

        Args:
            inputs: "decoded" (N, 32, 32, 3), whole numbers from 0 to 255; "hints" (N, 2), see
                `network_hints`; and "pixels", the originals.
            training: changes nothing.
        """
        decoded = ops.cast(inputs["decoded"], "float32")
        blocks = ops.reshape(decoded, (-1, GRID, BLOCK, GRID, BLOCK, 3))
        blocks = ops.reshape(ops.transpose(blocks, (0, 1, 3, 2, 4, 5)), (-1, GRID, GRID, 48))
        hints = ops.cast(inputs["hints"], "float32")[:, None, None, :]
        hints = ops.broadcast_to(hints, (*ops.shape(blocks)[:3], 2))
        x = ops.concatenate([(blocks - 128) * INPUT_SCALE, hints], axis=-1) / UNIT
        first, second, output = self.parts
        x = output(ops.relu(second(ops.relu(first(x)))))
        x = ops.reshape(x, (-1, GRID, GRID, BLOCK, BLOCK, 3))
        x = ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, SIDE, SIDE, 3))
        return decoded + x * UNIT

    def compute_loss(
        self,
        x: Tensor = None,
        y: Tensor = None,
        y_pred: Tensor = None,
        sample_weight: Tensor = None,
        training: bool = True,
    ) -> Tensor:
        """Mean of ln(mean squared error + weight * (1 - SSIM)), so that all lengths count alike."""
        pixels = ops.cast(x["pixels"], "float32")
        error = ops.mean(((y_pred - pixels) / 255) ** 2, axis=(1, 2, 3))
        factor = 2 * SCALE / 255
        similarity = block_ssim(pixels * factor - SCALE, y_pred * factor - SCALE)
        lost = 1 - ops.mean(similarity, axis=(1, 2, 3, 4, 5))
        return ops.mean(ops.log(error + self.ssim_weight * lost + _LEAST_ERROR))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "ssim_weight": self.ssim_weight}
