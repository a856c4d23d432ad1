"""The recipe: optimiser, schedule, callbacks, checkpoints."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from tfrnnc.training.recipe import Recipe
from tfrnnc.training.training_set import TrainingSet

if TYPE_CHECKING:
    from tfrnnc.training.trainer import RunOptions, train

__all__ = ["Recipe", "RunOptions", "TrainingSet", "train"]


def __getattr__(name: str) -> Any:
    # Keras takes seconds, and a command's help, which shows a recipe's defaults, needs none of it.
    if name in ("RunOptions", "train"):
        return getattr(importlib.import_module("tfrnnc.training.trainer"), name)
    raise AttributeError(f"module 'tfrnnc.training' has no attribute {name!r}")
