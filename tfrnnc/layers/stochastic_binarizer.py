"""The binarizer b(x) of section 3.2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from tfrnnc.layers.straight_through import signs, straight_through

if TYPE_CHECKING:
    from tfrnnc.backend import Shape, Tensor


@keras.saving.register_keras_serializable("tfrnnc")
class StochasticBinarizer(keras.layers.Layer):
    """Rounds activations in [-1, 1] to bits in {-1, +1} (section 3.2, eq. 3-5).

    In training the rounding is random: b(x) is +1 with probability (1 + x) / 2 and
    -1 otherwise, so that E[b(x)] = x. In use it is the most likely value: -1 where
    x < 0, else +1; zero gives +1, on every platform.

    The gradient of b is overridden: it passes through to x unchanged.

    Args:
        seed: integer seed of the random rounding; None draws one.
        **kwargs: as for every `keras.layers.Layer`.

    Call arguments:
        inputs: floats in [-1, 1], any shape.
        training: whether to round at random.

    Returns:
        exactly -1 or +1 for each input, in the shape and dtype of the input.

    Examples:
        >>> from keras import ops
        >>> bits = StochasticBinarizer()(ops.array([-0.3, 0.0, 0.8]))
        >>> ops.convert_to_numpy(bits).tolist()
        [-1.0, 1.0, 1.0]

        Between an encoder and a decoder it makes an autoencoder of bits: here 16 for each block of
        8x8 pixels, trained on patches of photos.

        >>> import numpy as np
        >>> from tfrnnc.data import FolderImages, PatchBatches
        >>> keras.utils.set_random_seed(1)
        >>> autoencoder = keras.Sequential([
        ...     keras.layers.Conv2D(16, kernel_size=8, strides=8, activation="tanh"),
        ...     StochasticBinarizer(),
        ...     keras.layers.Conv2DTranspose(3, kernel_size=8, strides=8),
        ... ])
        >>> autoencoder.compile("adam", loss="mse")
        >>> batches = PatchBatches(FolderImages("examples/photos"), batch_size=32, patch_size=32)
        >>> patches = np.concatenate([batches.batch(number) for number in range(4)])
        >>> losses = autoencoder.fit(patches, patches, epochs=10, verbose=0).history["loss"]
        >>> losses[-1] < 0.9 * losses[0]
        True
    """

    def __init__(self, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.built = True

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        if training:
            noise = keras.random.uniform(
                ops.shape(inputs), dtype=inputs.dtype, seed=self.seed_generator
            )
            positive = noise < (1.0 + inputs) / 2.0
            bits = ops.where(positive, ops.ones_like(inputs), -ops.ones_like(inputs))
        else:
            bits = signs(inputs)
        return straight_through(bits, inputs)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed}
