"""The learning rate over a run."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import keras
from keras import ops

if TYPE_CHECKING:
    from tfrnnc.backend import Tensor


@keras.saving.register_keras_serializable("tfrnnc")
class WarmupHoldDecay(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that rises along a line, holds its peak, and falls to zero along a cosine.

    A run that holds its peak can be made longer before the fall has begun.

    Args:
        peak: the greatest learning rate.
        warmup_steps: training steps of the rise.
        total_steps: training steps of the whole run.
        decay_steps: training steps of the fall, at the end.
    """

    def __init__(self, peak: float, warmup_steps: int, total_steps: int, decay_steps: int) -> None:
        self.peak = peak
        self.warmup_steps = warmup_steps
        self.total_steps = total_steps
        self.decay_steps = decay_steps

    def __call__(self, step: Tensor) -> Tensor:
        step = ops.cast(step, "float32")
        rising = step / max(1, self.warmup_steps) if self.warmup_steps else ops.ones_like(step)
        falling = ops.clip((self.total_steps - step) / self.decay_steps, 0.0, 1.0)
        return self.peak * ops.minimum(rising, 1.0) * (1 - ops.cos(math.pi * falling)) / 2

    def get_config(self) -> dict[str, float]:
        return {
            "peak": self.peak,
            "warmup_steps": self.warmup_steps,
            "total_steps": self.total_steps,
            "decay_steps": self.decay_steps,
        }
