"""The settings of a preview's training."""

from __future__ import annotations

from dataclasses import dataclass

from tfrnnc.arguments import require_int


@dataclass(frozen=True)
class PreviewRecipe:
    """How to train a preview.

    Attributes:
        pictures: crops that are trained on, as many of each folder.
        epochs: how many.
        steps_per_epoch: batches from one validation to the next.
        batch_size: pictures in a batch.
        learning_rate: Muon's, of the kernels, at its peak.
        adam_learning_rate: of the biases, at its peak.
        warmup_steps: training steps over which the rates rise.
        decay_share: share of the run, at its end, over which they fall to zero.
        ssim_weight: of 1 - SSIM beside the mean squared error, in its logarithm.
        seed: of crops and weights, at least 0.
    """

    pictures: int = 12_000
    epochs: int = 9
    steps_per_epoch: int = 500
    batch_size: int = 96
    learning_rate: float = 0.003
    adam_learning_rate: float = 1e-3
    warmup_steps: int = 100
    decay_share: float = 0.9
    ssim_weight: float = 0.02
    seed: int = 1

    def __post_init__(self) -> None:
        for name in ("pictures", "epochs", "steps_per_epoch", "batch_size"):
            require_int(name, getattr(self, name), 1)
        require_int("seed", self.seed, 0)

    @property
    def total_steps(self) -> int:
        """Training steps of the whole run."""
        return self.epochs * self.steps_per_epoch
