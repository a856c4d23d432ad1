"""The images to train and measure on, each set with patches of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import parse_qsl

import numpy as np

from tfrnnc.errors import ConfigError
from tfrnnc.training.recipe import Recipe

#: What is whole numbers of pixels or patches.
SIZES = ("patch_size", "batch_size", "min_downscale", "max_downscale")


@dataclass(frozen=True)
class TrainingSet:
    """Images and how to cut patches from them.

    Attributes:
        images: uint8 arrays (H, W, 3).
        patch_size, batch_size, min_downscale, max_downscale: see `Recipe`; None takes its.
        rate: factor on the recipe's `target_bpp`; small pictures need more bits per pixel.
        share: of the batches that are taken from this set, relative to the other sets' shares.
    """

    images: Sequence[np.ndarray]
    patch_size: int | None = None
    batch_size: int | None = None
    min_downscale: int | None = None
    max_downscale: int | None = None
    rate: float = 1.0
    share: float = 1.0

    def size(self, name: str, recipe: Recipe) -> int:
        """One of the sizes, the recipe's where the set has none of its own."""
        value: int | None = getattr(self, name)
        default: int = getattr(recipe, name)
        return default if value is None else value


def parse_location(text: str) -> tuple[str, dict[str, Any]]:
    """Splits what `--data` names into a location and settings of a `TrainingSet`.

    Args:
        text: a folder or "tfds:NAME", and after a question mark settings as in an address.

    Raises:
        ConfigError: if a setting is not known or not a number above 0.

    Examples:
        >>> parse_location("photos?patch_size=64&rate=0.5")
        ('photos', {'patch_size': 64, 'rate': 0.5})
    """
    location, mark, query = text.partition("?")
    settings: dict[str, Any] = {}
    known = [field.name for field in fields(TrainingSet) if field.name != "images"]
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in known:
            raise ConfigError(f"{text}: unknown setting {name!r}; there are {', '.join(known)}")
        try:
            settings[name] = int(value) if name in SIZES else float(value)
        except ValueError:
            settings[name] = 0
        if not settings[name] > 0:
            raise ConfigError(f"{text}: {name} must be a number above 0, not {value!r}")
    if mark and not settings:
        raise ConfigError(f"{text}: no settings after the question mark")
    return location, settings
