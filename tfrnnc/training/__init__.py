"""The recipe: optimiser, schedule, callbacks, checkpoints."""

from tfrnnc.training.recipe import Recipe
from tfrnnc.training.trainer import train
from tfrnnc.training.training_set import TrainingSet

__all__ = ["Recipe", "TrainingSet", "train"]
