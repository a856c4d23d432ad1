"""A codec and the entropy model of its bits, trained together for rate and distortion."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from tfrnnc.models import ResidualCodec
from tfrnnc.models.entropy_network import EntropyNetwork
from tfrnnc.training.recipe import MAX_RATE_WEIGHT

if TYPE_CHECKING:
    from tfrnnc.backend import Size, Tensor

#: Change of an iteration's rate weight per batch, for a rate of twice the target.
RATE_WEIGHT_STEP = 0.004
CUT_DRAWS = 3  #: random tensors that the cuts of a batch take


class JointModel(keras.Model):
    """Trains a codec for its rate: the bits cost what the entropy model would code them in.

    The loss is the mean over the iterations t of

        ln D_t + R_t / target_t

    with D_t the distortion after iteration t (`ResidualCodec.distortions`), R_t the bits per
    pixel of iterations 1 to t under the entropy network, and target_t the bits per pixel that
    R_t should come to. The logarithm gives all iterations the same weight, though the last ones
    have a tenth of the first one's error.

    The entropy network follows the rate's gradient in full. The codec follows it times a weight
    per iteration. After `rate_delay` batches, in which the codec learns what bits are good for, it
    moves from 0 by the excess of the rate over the target, so bits are taken away only as long as
    there are more than intended. A rate below its target costs
    nothing: a loss that rewards ever fewer bits ends without any.

    In training a share of the patches has one iteration cut: its last bits are zeros, as in a
    stream that was cut there (nested dropout, Rippel et al., 2014).

    Args:
        codec: the codec model.
        entropy_network: predicts its bits.
        cut_share: share of the patches in which an iteration is cut.
        rate_delay: batches before the codec follows the rate.
        seed: of the cuts.
        **kwargs: as for every `keras.Model`.

    Attributes:
        rate_weights: (iterations,), by which the codec follows the rate.

    Call arguments:
        images: floats (B, H, W, 3) in [-0.9, 0.9].
        training: whether bits are rounded at random and iterations cut.

    Returns:
        the pair (reconstructions (B, iterations, H, W, 3), rates (B, iterations) in bits per
        pixel, each of all iterations so far).
    """

    def __init__(
        self,
        codec: ResidualCodec,
        entropy_network: EntropyNetwork,
        cut_share: float = 0.25,
        rate_delay: int = 0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.codec = codec
        self.entropy_network = entropy_network
        self.cut_share = cut_share
        self.rate_delay = rate_delay
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.rate_weights = self.add_weight(
            (codec.iterations,), initializer="zeros", trainable=False, name="rate_weights"
        )
        self.batches = self.add_weight((), initializer="zeros", trainable=False, name="batches")
        self.built = True

    def call(self, images: Tensor, training: bool = False) -> tuple[Tensor, Tensor]:
        masks = self._cuts(ops.shape(images)[0]) if training and self.cut_share else None
        planes, reconstructions = [], []
        for bits, reconstruction in self.codec.iterate(images, training, masks):
            planes.append(bits)
            reconstructions.append(reconstruction)
        planes = ops.stack(planes, axis=1)
        return ops.stack(reconstructions, axis=1), self._rates(planes, images, masks)

    def compute_loss(
        self,
        x: Tensor = None,
        y: Tensor = None,
        y_pred: Tensor = None,
        sample_weight: Tensor = None,
        training: bool = True,
    ) -> Tensor:
        """The loss above; `y` has the target of each patch, (B, iterations) in bits per pixel."""
        reconstructions, rates = y_pred
        distortions = self.codec.distortions(x, reconstructions)
        excess = ops.mean(rates / y, axis=0)
        if training:
            self._move_rate_weights(ops.stop_gradient(excess) - 1)
        return ops.mean(ops.log(distortions) + excess)

    def _move_rate_weights(self, excess: Tensor) -> None:
        begun = ops.cast(self.batches >= self.rate_delay, "float32")
        moved = self.rate_weights + begun * RATE_WEIGHT_STEP * excess
        self.rate_weights.assign(ops.clip(moved, 0.0, MAX_RATE_WEIGHT))
        self.batches.assign_add(1.0)

    def _rates(self, planes: Tensor, images: Tensor, masks: Tensor) -> Tensor:
        weights = self.rate_weights[None, :, None, None, None]
        planes = weights * planes + ops.stop_gradient((1 - weights) * planes)
        logits = self.entropy_network(planes)
        lengths = ops.softplus(logits) - (1 + planes) / 2 * logits
        if masks is not None:
            lengths = lengths * masks
        _, height, width, _ = ops.shape(images)
        pixels = ops.cast(height * width, lengths.dtype)
        return ops.cumsum(ops.sum(lengths, axis=(2, 3, 4)), axis=1) / (math.log(2) * pixels)

    def _cuts(self, batch: Size) -> Tensor:
        """Ones for bits that stay and zeros for those that are cut, (B, iterations, 1, 1, bits)."""
        iterations, bits = self.codec.iterations, self.codec.bits
        chance, where, kept = (
            keras.random.uniform((batch, 1, 1), seed=self.seed_generator) for _ in range(CUT_DRAWS)
        )
        cut_iteration = ops.floor(where * iterations)
        kept_bits = 1 + ops.floor(kept * (bits - 1))
        is_cut = (chance < self.cut_share) & (
            ops.cast(ops.arange(iterations)[None, :, None], "float32") == cut_iteration
        )
        is_late = ops.cast(ops.arange(bits)[None, None], "float32") >= kept_bits
        return 1 - ops.cast(is_cut & is_late, "float32")[:, :, None, None]
