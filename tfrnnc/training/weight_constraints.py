"""What `tfrnnc.training.weight_optimization` does to kernels, and how it fine-tunes."""

from __future__ import annotations

from dataclasses import dataclass

from tfrnnc.errors import ConfigError
from tfrnnc.training.recipe import Recipe

SMALLEST_KERNEL = 1000  #: weights; smaller kernels are left alone
MIN_CLUSTERS, MAX_CLUSTERS = 2, 256


@dataclass(frozen=True)
class Pruning:
    """Sets the smallest weights of each kernel to zero.

    Fine-tuned, they become more over its first two thirds.

    Attributes:
        sparsity: share of each kernel's weights that become zero, between 0 and 1.
        smallest_kernel: kernels of fewer weights are left alone.
    """

    sparsity: float = 0.5
    smallest_kernel: int = SMALLEST_KERNEL

    def __post_init__(self) -> None:
        if not 0 < self.sparsity < 1:
            raise ConfigError(f"sparsity must be between 0 and 1, not {self.sparsity}")


@dataclass(frozen=True)
class Clustering:
    """Leaves each kernel a few values only, which fine-tuning moves.

    Attributes:
        clusters: most different values in a kernel, from 2 to 256.
        smallest_kernel: kernels of fewer weights are left alone.
    """

    clusters: int = 16
    smallest_kernel: int = SMALLEST_KERNEL

    def __post_init__(self) -> None:
        if not MIN_CLUSTERS <= self.clusters <= MAX_CLUSTERS:
            raise ConfigError(
                f"clusters must be from {MIN_CLUSTERS} to {MAX_CLUSTERS}, not {self.clusters}"
            )


@dataclass(frozen=True)
class FineTuning:
    """How to fine-tune a trained model under a constraint.

    Attributes:
        steps: batches; 0 for none.
        min_downscale, ssim_weight, seed: see `Recipe`.
    """

    steps: int = 500
    min_downscale: int = 1
    ssim_weight: float = 0.0
    seed: int = 0

    @property
    def recipe(self) -> Recipe | None:
        """The recipe, as `optimize_weights` takes it; None for no batches."""
        if self.steps == 0:
            return None
        return Recipe(
            epochs=1,
            steps_per_epoch=self.steps,
            min_downscale=self.min_downscale,
            optimizer="adam",
            learning_rate=5e-4,
            warmup_steps=self.steps // 10,
            ssim_weight=self.ssim_weight,
            seed=self.seed,
        )
