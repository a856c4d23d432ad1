"""`training.json`: all that a run needs to be repeated or resumed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

from tfrnnc.errors import ModelError, TrainingError
from tfrnnc.files import replacing
from tfrnnc.model_folder.file_names import SETTINGS_FILE
from tfrnnc.model_folder.json_fields import read_json
from tfrnnc.model_folder.keras_model import model_from_file
from tfrnnc.models import ResidualCodec
from tfrnnc.training.recipe import Recipe

#: What recipes of older runs may lack. They go on with the defaults.
ADDED_LATER = frozenset(
    ["rate_delay", "rate_weights", "freeze_encoder", "weight_decay", "entropy_groups"]
)
MAX_INTEGER = (1 << 32) - 1  #: of a recipe

_REMEDY = (
    "get it from a backup, or start again from the best model with --initial-model and another "
    "--output"
)


def write_settings(folder: Path, settings: Mapping[str, Any]) -> None:
    """Writes `training.json` into a folder, which is made if missing."""
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / SETTINGS_FILE) as temporary:
        temporary.write_text(json.dumps(settings, indent=2) + "\n")


def read_settings(folder: Path) -> dict[str, Any]:
    """Reads `training.json`.

    Raises:
        TrainingError: if it is missing or not what `write_settings` wrote.
    """
    path = folder / SETTINGS_FILE
    try:
        settings = read_json(path).values()
        _check(settings)
    except FileNotFoundError as error:
        raise TrainingError(
            f"{folder}: holds no {SETTINGS_FILE}, so nothing to resume; give the --output of a run"
        ) from error
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else error
        raise TrainingError(f"{path}: not the settings of a run ({reason}); {_REMEDY}") from error
    return settings


def commands_of(settings: Mapping[str, Any]) -> list[str]:
    """All command lines that a run comes from.

    Those of what it started from, its own, and those that changed its settings when it went on.
    """
    return [
        *settings.get("earlier_commands", []),
        settings["command"],
        *settings.get("resuming_commands", []),
    ]


def build_model(folder: Path, settings: Mapping[str, Any]) -> ResidualCodec:
    """Builds the model that a run trains, with fresh weights.

    Raises:
        TrainingError: if its settings are not those of a model.
    """
    seed = settings["recipe"].get("seed", 0)
    try:
        return model_from_file(settings["model"], folder / SETTINGS_FILE, seed)
    except ModelError as error:
        raise TrainingError(f"{error}; {_REMEDY}") from error


def _check(settings: dict[str, Any]) -> None:
    """Raises ValueError, TypeError or KeyError unless everything has its type and range."""
    _require(isinstance(settings["command"], str), "command")
    _require(isinstance(settings["model"], dict), "model")
    _require(isinstance(settings["initial_model"], str | None), "initial_model")
    for name in ("earlier_commands", "resuming_commands"):
        _require(_are_texts(settings.get(name, [])), name)
    data = settings["data"]
    _require(isinstance(data, dict), "data")
    # Runs of before the limit on pixels have none.
    _require(set(data) - {"max_pixels"} == {"data", "validation", "tfds_dir", "tfds_split"}, "data")
    _require(_are_texts(data["data"]) and bool(data["data"]), "data.data")
    _require(_are_texts(data["validation"]), "data.validation")
    _require(isinstance(data["tfds_dir"], str | None), "data.tfds_dir")
    _require(isinstance(data["tfds_split"], str), "data.tfds_split")
    most = data.get("max_pixels", 1)
    _require(type(most) is int and most > 0, "data.max_pixels")
    _require(isinstance(settings["recipe"], dict), "recipe")
    missing = {field.name for field in fields(Recipe)} - ADDED_LATER - set(settings["recipe"])
    if missing:
        raise ValueError(f"recipe lacks {', '.join(sorted(missing))}")
    for field in fields(Recipe):
        value = settings["recipe"].get(field.name, field.default)
        _require(_is_of_kind(value, field), f"recipe.{field.name}")
    Recipe(**settings["recipe"])


def _require(right: bool, name: str) -> None:
    if not right:
        raise ValueError(f"{name} is not of the right kind")


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _is_of_kind(value: object, field: Field[Any]) -> bool:
    """Whether a value is of the same kind as its field's default; numbers stand for None."""
    if isinstance(field.default, bool | str):
        return type(value) is type(field.default)
    if isinstance(field.default, int):
        return type(value) is int and value <= MAX_INTEGER
    if field.name in ("target_bpp", "rate_weights") and isinstance(value, list):
        return all(type(each) in (int, float) for each in value)
    return (value is None and field.default is None) or type(value) in (int, float)
