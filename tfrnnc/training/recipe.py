"""How to train: the numbers of a run, checked once."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Literal

from tfrnnc.errors import ConfigError
from tfrnnc.metrics.ssim import BLOCK as SSIM_BLOCK

PEAK_LEARNING_RATES = {"muon": 0.03, "adam": 2e-3}
LOSSES = ("paper", "balanced", "rate-distortion")
PRECISIONS = ("float32", "bfloat16")
MAX_RATE_WEIGHT = 1.5  #: of the rate against the logarithm of the distortion
MAX_BATCH_VALUES = (1 << 31) - 1  #: of all patches; TensorFlow's shapes overflow above
MAX_SEED = (1 << 32) - 1  #: that NumPy's generator takes
#: Bits per pixel after each iteration, per latent bit, that are aimed at unless
#: told otherwise: cheap at first, where the bits are easiest to predict.
_FILL = (0.32, 0.80)
_MAY_BE_ZERO = (
    "warmup_steps",
    "seed",
    "ssim_weight",
    "cut_share",
    "average",
    "decay_share",
    "weight_decay",
    "rate_delay",
)


@dataclass(frozen=True)
class Recipe:
    """How to train (section 4.1, which leaves most of it open).

    Attributes:
        epochs: how many.
        steps_per_epoch: training steps (batches) from one validation and checkpoint to the next.
        batch_size: patches in a batch.
        patch_size: side of a patch in pixels.
        min_downscale, max_downscale: see `tfrnnc.data.PatchBatches`.
        optimizer: "muon" or "adam"; see `tfrnnc.training.optimizers`.
        learning_rate: the optimiser's, at its peak; None takes 0.03 for Muon and 0.002 for Adam.
        adam_learning_rate: at its peak, of the weights that Muon leaves to Adam.
        weight_decay: weight decay of the kernels that Muon trains: in each step they lose this
            share of themselves, times the learning rate.
        warmup_steps: training steps over which the learning rate rises from zero.
        decay_share: share of the run, at its end, over which it falls to zero along a cosine.
        clip_norm: the gradient's global norm is clipped to this.
        average: momentum of the average of the weights that is measured and saved; 0 saves the
            weights themselves.
        loss: "paper", the mean of the distortions of all iterations (eq. 7); "balanced", the mean
            of their logarithms; "rate-distortion", with the bits per pixel besides, an entropy
            model being trained beside the codec (see `tfrnnc.training.joint_model.JointModel`).
        ssim_weight: of the dissimilarity in the distortion; see `ResidualCodec.distortions`.
            Patches are then multiples of 8 pixels.
        target_bpp: for "rate-distortion", bits per pixel that the iterations up to each one
            should take; None takes a share of the model's bits that grows from 32 to 80 %.
        cut_share: for "rate-distortion", the share of patches in which an iteration is cut.
        rate_delay: for "rate-distortion", training steps before the codec follows the rate.
        rate_weights: for "rate-distortion", the weight of each iteration's rate at the start,
            which an earlier phase of the training ended with; None takes zeros.
        stochastic: whether bits are rounded at random (section 3.2); False for a last phase in
            which training sees the bits that are used.
        freeze_encoder: keep the encoder as it is, so that the decoder, and the entropy model with
            it, learn the bits that will be used.
        entropy_groups: that the entropy model divides the bits of a location into, or one for each
            bit where there are fewer; see `tfrnnc.models.entropy_network.EntropyNetwork`.
        freeze_entropy_model: for "rate-distortion", keep the entropy model as it is.
        precision: of the products in convolutions, "float32" or "bfloat16"; the latter is faster
            on CPUs with AMX only. Weights and sums are float32.
        seed: of the weights, the patches and the random rounding.

    Raises:
        ConfigError: if a value is out of range.
    """

    epochs: int = 20
    steps_per_epoch: int = 500
    batch_size: int = 32
    patch_size: int = 32
    min_downscale: int = 1
    max_downscale: int = 8
    optimizer: Literal["muon", "adam"] = "muon"
    learning_rate: float | None = None
    adam_learning_rate: float = 2e-3
    weight_decay: float = 0.0
    warmup_steps: int = 100
    decay_share: float = 1.0
    clip_norm: float = 1.0
    average: float = 0.0
    loss: Literal["paper", "balanced", "rate-distortion"] = "paper"
    ssim_weight: float = 0.0
    target_bpp: tuple[float, ...] | None = None
    cut_share: float = 0.25
    rate_delay: int = 500
    rate_weights: tuple[float, ...] | None = None
    entropy_groups: int = 4
    stochastic: bool = True
    freeze_encoder: bool = False
    freeze_entropy_model: bool = False
    precision: Literal["float32", "bfloat16"] = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        self._check_choices()
        for name, value in asdict(self).items():
            if isinstance(value, (bool, str, tuple, list)) or value is None:
                continue
            if not math.isfinite(value) or value < 0 or (not value and name not in _MAY_BE_ZERO):
                least = "at least 0" if name in _MAY_BE_ZERO else "above 0"
                raise ConfigError(f"{name} must be a finite number {least}, not {value}")
        for name in ("cut_share", "average", "decay_share"):
            if (value := getattr(self, name)) > 1 or (name == "average" and value == 1):
                raise ConfigError(f"{name} must be a share of at most 1, not {value}")
        if self.seed > MAX_SEED:
            raise ConfigError(f"seed must be at most {MAX_SEED}, not {self.seed}")
        check_batch(self.batch_size, self.patch_size)
        if self.ssim_weight and self.patch_size % SSIM_BLOCK:
            raise ConfigError(
                f"patch_size must be a multiple of {SSIM_BLOCK} where ssim_weight is above 0, "
                f"not {self.patch_size}"
            )
        if self.target_bpp is not None:
            targets = tuple(float(target) for target in self.target_bpp)
            object.__setattr__(self, "target_bpp", targets)
            if not all(a < b for a, b in zip((0.0, *targets), targets, strict=False)):
                raise ConfigError(
                    "target_bpp must be above 0 and rise from iteration to iteration, not "
                    + ", ".join(map(str, targets))
                )

        if self.rate_weights is not None:
            weights = tuple(float(weight) for weight in self.rate_weights)
            object.__setattr__(self, "rate_weights", weights)
            if not all(0 <= weight <= MAX_RATE_WEIGHT for weight in weights):
                raise ConfigError(
                    f"rate_weights must be from 0 to {MAX_RATE_WEIGHT}, not "
                    + ", ".join(map(str, weights))
                )

    def _check_choices(self) -> None:
        for name, known in (
            ("optimizer", tuple(PEAK_LEARNING_RATES)),
            ("loss", LOSSES),
            ("precision", PRECISIONS),
        ):
            if getattr(self, name) not in known:
                raise ConfigError(
                    f"{name} must be one of {', '.join(known)}, not {getattr(self, name)!r}"
                )

    @property
    def total_steps(self) -> int:
        """Training steps of the whole run."""
        return self.epochs * self.steps_per_epoch

    @property
    def peak_learning_rate(self) -> float:
        """The optimiser's learning rate at its peak."""
        return self.learning_rate or PEAK_LEARNING_RATES[self.optimizer]

    def targets(self, iterations: int, bits: int, stride: int) -> tuple[float, ...]:
        """`target_bpp`, or what stands for None, for a model of these sizes.

        Raises:
            ConfigError: if there is not one target for each iteration.
        """
        if self.target_bpp is None:
            shares = [
                _FILL[0] + (_FILL[1] - _FILL[0]) * i / max(iterations - 1, 1)
                for i in range(iterations)
            ]
            return tuple(share * bits * (i + 1) / stride**2 for i, share in enumerate(shares))
        return self._one_for_each(iterations, "target_bpp")

    def initial_rate_weights(self, iterations: int) -> tuple[float, ...]:
        """`rate_weights`, or zeros for None, for a model of this many iterations.

        Raises:
            ConfigError: if there is not one weight for each iteration.
        """
        if self.rate_weights is None:
            return (0.0,) * iterations
        return self._one_for_each(iterations, "rate_weights")

    def _one_for_each(self, iterations: int, name: str) -> tuple[float, ...]:
        values: tuple[float, ...] = getattr(self, name)
        if len(values) != iterations:
            raise ConfigError(
                f"{name} has {len(values)} values, but the model {iterations} iterations; give "
                "one for each"
            )
        return values


def check_batch(batch_size: int, patch_size: int) -> None:
    """Raises ConfigError if a batch has more values than TensorFlow counts to."""
    values = batch_size * patch_size**2 * 3  # Channels.
    if values > MAX_BATCH_VALUES:
        raise ConfigError(
            f"batch_size must be smaller: {batch_size} patches of {patch_size}x{patch_size} pixels "
            f"are {values:,} values, and TensorFlow counts to {MAX_BATCH_VALUES:,}"
        )
