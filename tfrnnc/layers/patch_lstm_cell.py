"""The fully-connected LSTM cell of section 3.4, on a grid of patches."""

from __future__ import annotations

import keras
from keras import ops


@keras.saving.register_keras_serializable("tfrnnc")
class PatchLSTMCell(keras.layers.Layer):
    """Keras's own `LSTMCell` applied to every location of a grid (section 3.4, eq. 8-10).

    Every location is one patch; the patches share their weights and know nothing of each
    other. The gates inside are in Keras's order, i, f, g, o.

    Args:
        units: size F of the hidden state and of the output.
        **kwargs: as for every `keras.layers.Layer`.

    Call arguments:
        inputs: floats (B, H, W, C).
        states: the pair [h', c'], each (B, H, W, F).

    Returns:
        the pair (h, [h, c]), each (B, H, W, F).

    Examples:
        >>> from keras import ops
        >>> cell = PatchLSTMCell(units=5)
        >>> output, state = cell(ops.ones((1, 2, 3, 4)), [ops.zeros((1, 2, 3, 5))] * 2)
        >>> tuple(output.shape)
        (1, 2, 3, 5)
    """

    def __init__(self, units: int, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.cell = keras.layers.LSTMCell(units, name="cell")

    def build(self, inputs_shape, states_shape=None):
        self.cell.build((None, inputs_shape[-1]))

    def call(self, inputs, states):
        _, height, width, channels = ops.shape(inputs)
        output, state = self.cell(
            ops.reshape(inputs, (-1, channels)),
            [ops.reshape(state, (-1, self.units)) for state in states],
        )
        grid = (-1, height, width, self.units)
        return ops.reshape(output, grid), [ops.reshape(each, grid) for each in state]

    def compute_output_shape(self, inputs_shape, states_shape=None):
        return (*inputs_shape[:-1], self.units)

    def compute_output_spec(self, inputs, states):
        shape = self.compute_output_shape(inputs.shape)
        output, memory = (keras.KerasTensor(shape, self.compute_dtype) for _ in range(2))
        return output, [output, memory]

    def get_config(self):
        return {**super().get_config(), "units": self.units}
