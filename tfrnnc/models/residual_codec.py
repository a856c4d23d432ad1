"""The residual loop and its loss (section 3.1), which all four architectures share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import keras
from keras import ops

from tfrnnc.bitstream.constants import MAX_ITERATIONS
from tfrnnc.errors import ConfigError
from tfrnnc.layers import StochasticBinarizer
from tfrnnc.layers.winograd import Winograd
from tfrnnc.models.block_ssim import block_ssim
from tfrnnc.models.stage import Stage

if TYPE_CHECKING:
    from tfrnnc.backend import Shape, Size, Tensor
    from tfrnnc.layers.convolution import Convolution


class Layout(NamedTuple):
    """The layers of an architecture; see `tfrnnc.models.stage.parse_layer`.

    Attributes:
        encoder: from the residual (B, H, W, 3) to the features that are binarized.
        bits: bits at each location of the latent bits, for each iteration.
        decoder: from the bits to the prediction (B, H, W, 3).
    """

    encoder: tuple[str, ...]
    bits: int
    decoder: tuple[str, ...]


class ResidualCodec(keras.Model):
    """A progressive image codec: one residual autoencoder iteration after the other (section 3.1).

    Iteration t encodes what the iterations before it left over, r_{t-1}, into bits, and decodes
    them:

        F_t(r_{t-1}) = D_t(B(E_t(r_{t-1}))),    r_0 = the image              (eq. 1)

    With *additive* reconstruction F_t predicts the residual, and the picture is the sum of
    the predictions so far: r_t = r_{t-1} - F_t(r_{t-1}). (Eq. 2 is printed with the other
    sign; the loss is the same.) With *one-shot* reconstruction, for models with memory, every
    iteration predicts the whole image: r_t = r_0 - F_t(r_{t-1}) (eq. 6).

    The subclasses `FC`, `FCLSTM`, `Conv` and `ConvLSTM` are the paper's architectures and name
    the layers. Train with `fit` (the loss is built in), or by the command `tfrnnc-train`;
    compress with `tfrnnc.load`.

    Args:
        encoder, decoder: the layers, one line each, as `parse_layer` takes them; the 1x1
            convolution to the bits is added to the encoder. None takes those of the paper.
        bits: bits at each location of the latent bits, for each iteration; None takes the paper's.
        iterations: how many iterations N the model is trained for, and the most it can encode.
        stage_weights: "shared" if all iterations use the same weights, "distinct" if each iteration
            has its own (models without memory only). None takes the better one.
        seed: seeds the random rounding in training.
        **kwargs: as for every `keras.Model`.

    Attributes:
        ssim_weight: see `distortions`; 0 trains for the squared error alone.
        balanced: see `compute_loss`; False trains for the paper's loss.
        stochastic: whether training rounds bits at random, as the paper does (section 3.2).
        training_convolution: makes what computes the convolutions of a training call.

    Call arguments:
        images: floats (B, H, W, 3) in [-0.9, 0.9]; H and W multiples of `stride`.
        training: whether bits are rounded at random.

    Returns:
        the reconstruction after each iteration, (B, N, H, W, 3).

    Raises:
        ConfigError: if an argument is not usable, the decoder's output is not of the size
            of the image, or the size of the image is no multiple of `stride`.

    References:
        Toderici et al., Variable Rate Image Compression with Recurrent Neural Networks,
        ICLR 2016, https://arxiv.org/abs/1511.06085
    """

    arch: ClassVar[str]
    reconstruction: ClassVar[Literal["additive", "one_shot"]]
    layouts: ClassVar[dict[str, Layout]]

    def __init__(
        self,
        encoder: Sequence[str] | None = None,
        bits: int | None = None,
        decoder: Sequence[str] | None = None,
        iterations: int = 16,
        stage_weights: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        paper = self.layouts["paper"]
        self.encoder_layout = list(paper.encoder if encoder is None else encoder)
        self.decoder_layout = list(paper.decoder if decoder is None else decoder)
        self.bits = paper.bits if bits is None else bits
        self.iterations = iterations
        default = "shared" if self.reconstruction == "one_shot" else "distinct"
        self.stage_weights = stage_weights or default
        self.seed = seed
        self.ssim_weight = 0.0
        self.balanced = False
        self.stochastic = True
        self.training_convolution: Callable[[], Convolution] = Winograd
        if not isinstance(iterations, int) or not 1 <= iterations <= MAX_ITERATIONS:
            raise ConfigError(
                f"iterations must be a whole number from 1 to {MAX_ITERATIONS}, not {iterations!r}"
            )
        if not isinstance(self.bits, int) or self.bits < 1:
            raise ConfigError(f"bits must be a whole number above 0, not {self.bits!r}")
        if self.stage_weights not in ("shared", "distinct"):
            raise ConfigError(
                f"stage_weights must be 'shared' or 'distinct', not {self.stage_weights!r}"
            )
        if self.reconstruction == "one_shot" and self.stage_weights == "distinct":
            raise ConfigError(
                f"{self.arch} shares its weights through recurrence; "
                "stage_weights='distinct' is for fc and conv"
            )

        stages = iterations if self.stage_weights == "distinct" else 1
        code_layer = f"conv 1x1/{self.bits} linear"
        self.encoders = [
            Stage([*self.encoder_layout, code_layer], name=f"encoder_{i}") for i in range(stages)
        ]
        self.binarizer = StochasticBinarizer(seed, name="binarizer")
        self.decoders = [Stage(self.decoder_layout, name=f"decoder_{i}") for i in range(stages)]
        self.stride = self._stride()
        for stage in self.encoders:
            stage.build((None, None, None, 3))
        for stage in self.decoders:
            stage.build((None, None, None, self.bits))
        self.built = True

    # The iterations, one at a time. Every user of the model (the loop below, the codec, the
    # exported files) goes through these.

    def encode_iteration(
        self,
        residual: Tensor,
        states: Sequence[Tensor],
        iteration: int,
        convolve: Convolution | None = None,
    ) -> tuple[Tensor, list[Tensor]]:
        """E_t: the residual (B, H, W, 3) to logits (B, H/stride, W/stride, bits).

        The bit is -1 where the logit is below zero, else +1.

        Args:
            residual: r_{t-1}.
            states: of the encoder, from `initial_encoder_states` or the iteration before.
            iteration: t - 1, counted from zero.
            convolve: how to compute the convolutions; see `Stage`.

        Returns:
            the pair (logits, new states).
        """
        logits, new_states = self._stage(self.encoders, iteration)(
            residual, states, convolve=convolve
        )
        return logits, new_states

    def decode_iteration(
        self,
        bits: Tensor,
        states: Sequence[Tensor],
        iteration: int,
        convolve: Convolution | None = None,
    ) -> tuple[Tensor, list[Tensor]]:
        """D_t: bits in {-1, +1} (B, H/stride, W/stride, bits) to the prediction (B, H, W, 3).

        Args:
            bits: of this iteration.
            states: of the decoder, from `initial_decoder_states` or the iteration before.
            iteration: t - 1, counted from zero.
            convolve: how to compute the convolutions; see `Stage`.

        Returns:
            the pair (prediction, new states).
        """
        prediction, new_states = self._stage(self.decoders, iteration)(
            bits, states, convolve=convolve
        )
        return prediction, new_states

    def initial_encoder_states(self, batch: Size, height: Size, width: Size) -> list[Tensor]:
        """The encoder's states before the first iteration, for images of (height, width) pixels."""
        return self.encoders[0].initial_states(batch, height, width)

    def initial_decoder_states(self, batch: Size, height: Size, width: Size) -> list[Tensor]:
        """The decoder's states before the first iteration, for images of (height, width) pixels."""
        return self.decoders[0].initial_states(batch, height // self.stride, width // self.stride)

    def call(self, images: Tensor, training: bool = False) -> Tensor:
        return ops.stack([picture for _, picture in self.iterate(images, training)], axis=1)

    def latent_bits(self, images: Tensor) -> Tensor:
        """The bits of images, as they are in use.

        Args:
            images: as for a call.

        Returns:
            floats -1 and +1, (B, N, H/stride, W/stride, bits).
        """
        return ops.stack([bits for bits, _ in self.iterate(images)], axis=1)

    def iterate(
        self, images: Tensor, training: bool = False, masks: Tensor = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """The residual loop: yields the bits of each iteration and the picture after it.

        Args:
            images: as for a call.
            training: as for a call.
            masks: zeros for bits that the decoder does not get, else ones, (B, N, 1, 1, bits)
                or of a shape that goes with it; None passes all bits.
        """
        self._require_images(images)
        batch, height, width, _ = ops.shape(images)
        encoder_states = self.initial_encoder_states(batch, height, width)
        decoder_states = self.initial_decoder_states(batch, height, width)
        residual, reconstruction = images, ops.zeros_like(images)
        convolve = self.training_convolution() if training else None
        for iteration in range(self.iterations):
            logits, encoder_states = self.encode_iteration(
                residual, encoder_states, iteration, convolve
            )
            bits = self.binarizer(ops.tanh(logits), training=training and self.stochastic)
            if masks is not None:
                bits = bits * masks[:, iteration]
            prediction, decoder_states = self.decode_iteration(
                bits, decoder_states, iteration, convolve
            )
            reconstruction = self.reconstruct(reconstruction, prediction)
            residual = images - reconstruction
            yield bits, reconstruction

    def _require_images(self, images: Tensor) -> None:
        """Raises ConfigError unless the model can take the images.

        Where a data set does not tell sizes before it is run, TensorFlow's own error says the same.
        """
        if len(images.shape) != 4 or images.shape[-1] not in (3, None):
            raise ConfigError(
                f"images must be of the shape (batch, height, width, 3), not {tuple(images.shape)}"
            )
        dtype = keras.backend.standardize_dtype(images.dtype)
        if "float" not in dtype:
            raise ConfigError(
                f"images must be floats from -0.9 to 0.9, not {dtype}; tfrnnc.images.to_float "
                "makes them from uint8"
            )
        _, height, width, _ = ops.shape(images)
        for size in (height, width):
            if isinstance(size, int) and size % self.stride:
                raise ConfigError(f"images of {height}x{width} {_misfit(self.stride)}")
            if size is not None and not isinstance(size, int):
                _require_multiple(size, self.stride)

    def reconstruct(self, reconstruction: Tensor, prediction: Tensor) -> Tensor:
        """The picture after an iteration, from the picture before and the prediction."""
        return prediction if self.reconstruction == "one_shot" else reconstruction + prediction

    def distortions(self, images: Tensor, reconstructions: Tensor) -> Tensor:
        """What each iteration gets wrong: the mean of r_t ** 2 over batch, pixels and channels.

        With `ssim_weight` above 0, the mean of 1 - SSIM times that weight is added, the measure
        that the paper compares with but does not train for.

        Args:
            images: floats (B, H, W, 3).
            reconstructions: floats (B, N, H, W, 3).

        Returns:
            floats (N,).
        """
        images = ops.cast(ops.expand_dims(images, 1), "float32")
        reconstructions = ops.cast(reconstructions, "float32")
        distortions = ops.mean(ops.square(images - reconstructions), axis=(0, 2, 3, 4))
        if self.ssim_weight:
            ssim = ops.mean(block_ssim(images, reconstructions), axis=(0, 2, 3, 4, 5, 6))
            distortions = distortions + self.ssim_weight * (1 - ssim)
        return distortions

    def compute_loss(
        self,
        x: Tensor = None,
        y: Tensor = None,
        y_pred: Tensor = None,
        sample_weight: Tensor = None,
        training: bool = True,
    ) -> Tensor:
        """The mean of the distortions of all iterations (eq. 7).

        The paper divides by pixels and iterations only, which is three times as much. If
        `balanced` is set, it is the mean of their logarithms: each iteration then counts the
        same, though the last ones have a tenth of the first one's error.
        """
        distortions = self.distortions(x, y_pred)
        return ops.mean(ops.log(distortions) if self.balanced else distortions)

    def compute_output_shape(self, images_shape: Shape) -> Shape:
        batch, height, width, channels = images_shape
        return batch, self.iterations, height, width, channels

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "encoder": self.encoder_layout,
            "bits": self.bits,
            "decoder": self.decoder_layout,
            "iterations": self.iterations,
            "stage_weights": self.stage_weights,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> ResidualCodec:
        return cls(**config)

    @staticmethod
    def _stage(stages: list[Stage], iteration: int) -> Stage:
        return stages[iteration if len(stages) > 1 else 0]

    def _stride(self) -> int:
        try:
            code_shape = self.encoders[0].compute_output_shape((None, None, None, 3))
            encoder_strides = self.encoders[0].strides(1)
        except ValueError as error:
            raise ConfigError(f"the encoder does not fit together: {error}") from error
        stride = encoder_strides[-1]
        try:
            *_, channels = self.decoders[0].compute_output_shape(code_shape)
            strides = [*encoder_strides, *self.decoders[0].strides(stride)]
        except ValueError as error:
            raise ConfigError(f"the decoder does not fit together: {error}") from error
        location = strides[-1]
        if any(stride % each for each in strides):
            raise ConfigError(
                f"images are padded to multiples of the stride {stride}, which all strides of the "
                f"layers must divide, not only some of {sorted(set(strides))}"
            )
        if location != 1 or channels != 3:
            raise ConfigError(
                f"the encoder reduces {stride}x{stride} pixels to a location, of which the decoder "
                f"makes {stride // location}x{stride // location} pixels of {channels} channels; "
                "its strides and depth_to_space factors must undo the encoder's and its last layer "
                "must have 3 channels"
            )
        return stride


def _misfit(stride: int) -> str:
    """What is wrong with images of another size, and what to do."""
    return (
        f"do not fit a model of stride {stride}: height and width must be multiples of it; pad "
        "or crop them, or train on patches (tfrnnc.data.PatchBatches)"
    )


def _require_multiple(size: Tensor, stride: int) -> None:
    """Has TensorFlow check a size that is known only when the graph runs."""
    import tensorflow as tf  # No other backend has such sizes.

    tf.debugging.assert_equal(size % stride, 0, message=f"images {_misfit(stride)}")
