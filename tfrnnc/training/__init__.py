"""The recipe: optimiser, schedule, callbacks, checkpoints."""

from tfrnnc.training.trainer import Recipe, train

__all__ = ["Recipe", "train"]
