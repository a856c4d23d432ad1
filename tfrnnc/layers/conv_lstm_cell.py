"""The convolutional LSTM cell of section 3.6."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from tfrnnc.layers.convolution import Convolution, direct

if TYPE_CHECKING:
    from tfrnnc.backend import Shape, Size, Tensor


@keras.saving.register_keras_serializable("tfrnnc")
class ConvLSTMCell(keras.layers.Layer):
    """One step of a convolutional LSTM (section 3.6, eq. 13 in eq. 8-10).

    The transform of eq. 8 is `W1 (*)_k x + W2 (*)_1 h + b`: a convolution with stride k
    over the input and one with stride 1 over the hidden state, "same" padding both.
    Its output is split into the gates i, f, o and the candidate g, in this order:

        c = sigmoid(f) * c' + sigmoid(i) * tanh(g)        (eq. 9)
        h = sigmoid(o) * tanh(c)                          (eq. 10)

    The state is an explicit argument and result, never a variable, so that the same cell
    serves the training loop, a single exported step and any batch or image size.

    Args:
        filters: channels F of the hidden state and of the output.
        kernel_size: side of the square input kernel W1.
        strides: stride k of the input convolution.
        recurrent_kernel_size: side of the square hidden kernel W2 (the paper's is 1).
        forget_bias: initial bias of the forget gate.
        kernel_initializer: for W1.
        recurrent_initializer: for W2.
        **kwargs: as for every `keras.layers.Layer`.

    Call arguments:
        inputs: floats (B, H, W, C).
        states: the pair [h', c'], each (B, ceil(H / k), ceil(W / k), F).
        convolve: how to compute the convolutions; see `tfrnnc.layers.convolution`.

    Returns:
        the pair (h, [h, c]), each of the shape of the states.

    Examples:
        >>> from keras import ops
        >>> cell = ConvLSTMCell(filters=4, kernel_size=3, strides=2)
        >>> output, state = cell(ops.ones((1, 7, 8, 3)), [ops.zeros((1, 4, 4, 4))] * 2)
        >>> tuple(output.shape)
        (1, 4, 4, 4)

        In a model the cell is called once for each step, with the states of the step before. This
        one looks at a picture three times before it draws it, and is trained on patches of photos.

        >>> import numpy as np
        >>> from tfrnnc.data import FolderImages, PatchBatches
        >>> class ThreeLooks(keras.Model):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.cell = ConvLSTMCell(filters=12, kernel_size=3, strides=2)
        ...         self.draw = keras.layers.Conv2DTranspose(3, kernel_size=2, strides=2)
        ...
        ...     def call(self, images):
        ...         batch, height, width, _ = ops.shape(images)
        ...         states = self.cell.get_initial_state(batch, height, width)
        ...         for _ in range(3):
        ...             output, states = self.cell(images, states)
        ...         return self.draw(output)
        >>> keras.utils.set_random_seed(1)
        >>> model = ThreeLooks()
        >>> model.compile(keras.optimizers.Adam(1e-2), loss="mse")
        >>> batches = PatchBatches(FolderImages("examples/photos"), batch_size=32, patch_size=16)
        >>> patches = np.concatenate([batches.batch(number) for number in range(4)])
        >>> losses = model.fit(patches, patches, epochs=5, verbose=0).history["loss"]
        >>> losses[-1] < 0.5 * losses[0]
        True
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        strides: int = 1,
        recurrent_kernel_size: int = 1,
        forget_bias: float = 1.0,
        kernel_initializer: str | keras.initializers.Initializer = "glorot_uniform",
        recurrent_initializer: str | keras.initializers.Initializer = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.strides = strides
        self.recurrent_kernel_size = recurrent_kernel_size
        self.forget_bias = forget_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.recurrent_initializer = keras.initializers.get(recurrent_initializer)

    @property
    def state_size(self) -> list[int]:
        """Channels of the states h and c, as Keras's cells tell them."""
        return [self.filters, self.filters]

    @property
    def output_size(self) -> int:
        """Channels of the output."""
        return self.filters

    def get_initial_state(self, batch_size: Size, height: Size, width: Size) -> list[Tensor]:
        """The states before the first iteration, zeros.

        Args:
            batch_size: of the inputs.
            height: of the inputs; the states are smaller or larger by the stride.
            width: of the inputs.

        Returns:
            the pair [h, c].
        """
        sides = self.output_side(height), self.output_side(width)
        return [
            ops.zeros((batch_size, *sides, channels), self.compute_dtype)
            for channels in self.state_size
        ]

    def build(self, inputs_shape: Shape, states_shape: Sequence[Shape] | None = None) -> None:
        self.kernel = self.add_weight(
            name="kernel",
            shape=self._kernel_shape(inputs_shape[-1]),
            initializer=self.kernel_initializer,
        )
        self.recurrent_kernel = self.add_weight(
            name="recurrent_kernel",
            shape=(*[self.recurrent_kernel_size] * 2, self.filters, 4 * self.filters),
            initializer=self.recurrent_initializer,
        )
        self.bias = self.add_weight(
            name="bias", shape=(4 * self.filters,), initializer=self._initial_bias
        )

    def call(
        self, inputs: Tensor, states: Sequence[Tensor], convolve: Convolution = direct
    ) -> tuple[Tensor, list[Tensor]]:
        previous_output, previous_memory = states
        # The bias next to a convolution: exporting then makes one operator of the two.
        transform = (self._transform_input(inputs, convolve) + self.bias) + convolve(
            previous_output, self.recurrent_kernel
        )
        i, f, o, g = ops.split(transform, 4, axis=-1)
        memory = ops.sigmoid(f) * previous_memory + ops.sigmoid(i) * ops.tanh(g)
        output = ops.sigmoid(o) * ops.tanh(memory)
        return output, [output, memory]

    def compute_output_shape(
        self, inputs_shape: Shape, states_shape: Sequence[Shape] | None = None
    ) -> Shape:
        batch, height, width, _ = inputs_shape
        return batch, self.output_side(height), self.output_side(width), self.filters

    def compute_output_spec(
        self, inputs: Tensor, states: Sequence[Tensor], convolve: Convolution = direct
    ) -> tuple[Tensor, list[Tensor]]:
        shape = self.compute_output_shape(inputs.shape)
        output, memory = (keras.KerasTensor(shape, self.compute_dtype) for _ in range(2))
        return output, [output, memory]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "recurrent_kernel_size": self.recurrent_kernel_size,
            "forget_bias": self.forget_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "recurrent_initializer": keras.initializers.serialize(self.recurrent_initializer),
        }

    def _kernel_shape(self, channels: int | None) -> Shape:
        return (self.kernel_size, self.kernel_size, channels, 4 * self.filters)

    def _transform_input(self, inputs: Tensor, convolve: Convolution) -> Tensor:
        return convolve(inputs, self.kernel, self.strides)

    def output_side(self, size: Size) -> Size:
        """Height or width of the output, from that of the inputs; None where that is not known."""
        return None if size is None else -(-size // self.strides)

    def _initial_bias(self, shape: tuple[int, ...], dtype: str | None = None) -> Tensor:
        i, f, o, g = ops.split(ops.zeros(shape, dtype), 4)
        return ops.concatenate([i, f + self.forget_bias, o, g])
