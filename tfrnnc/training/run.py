"""A run of the training, from its settings to its files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from tfrnnc.model_folder.file_names import (
    CHECKPOINT_FILE,
    ENTROPY_WEIGHTS_FILE,
    LOG_FILE,
    SETTINGS_FILE,
)
from tfrnnc.model_folder.keras_model import (
    load_weights,
    model_config,
    model_from_config,
    model_from_file,
)
from tfrnnc.model_folder.presets import find_model
from tfrnnc.models import ResidualCodec
from tfrnnc.training.failures import new_files_removed
from tfrnnc.training.recipe import Recipe
from tfrnnc.training.settings import build_model, write_settings
from tfrnnc.training.trainer import RunOptions, train
from tfrnnc.training.training_data import Sets, with_absolute_paths
from tfrnnc.training.training_set import TrainingSet
from tfrnnc.training.workers import Workers


@dataclass(frozen=True)
class TrainingRun:
    """A run that is about to start or go on.

    Attributes:
        folder: of the run; on workers other than the first one, of what they got of it.
        settings: what `training.json` holds.
        config_file: where the model's settings are from, for messages.
        say: prints a line; None prints nothing but errors.
        initial_folder: holds the weights to start from, where `settings` names a model.
    """

    folder: Path
    settings: dict[str, Any]
    config_file: Path | None
    say: Callable[[str], None] | None
    initial_folder: Path | None = None

    @property
    def has_checkpoint(self) -> bool:
        """Whether the run goes on from a state that it saved."""
        return (self.folder / CHECKPOINT_FILE).is_file()

    def files_to_share(self) -> list[Path]:
        """What the other workers need of worker 0's files."""
        names = (SETTINGS_FILE, CHECKPOINT_FILE, LOG_FILE)
        files = [path for name in names if (path := self.folder / name).is_file()]
        if self.settings["initial_model"] and not self.has_checkpoint:
            start = find_model(self.settings["initial_model"])
            files.append(start.require_weights())
            if start.has_entropy_weights:
                files.append(start.entropy_weights_path)
        return files

    def train(self, workers: Workers, sets: Sets) -> None:
        """Trains, and writes the files if this worker should.

        Args:
            workers: that train together.
            sets: what `open_sets` gave.

        Raises:
            ModelError: if the model's settings or the weights to start from cannot be used.
            TrainingError: if training cannot start or go on.
            KeyboardInterrupt: if it is interrupted, with what to do next.
        """
        recipe = Recipe(**self.settings["recipe"])
        model, entropy_weights = self._make_model(recipe.seed)
        training_sets, validation_sets = sets
        if self.say and workers.is_first:
            self.say(_summary(model, training_sets, validation_sets))
        run_options = RunOptions(
            resume=self.has_checkpoint,
            quiet=not self.say,
            entropy_weights=entropy_weights,
            workers=workers,
        )
        with ExitStack() as stack:
            if workers.is_first:
                stack.enter_context(new_files_removed(self.folder, unless=CHECKPOINT_FILE))
                absolute = with_absolute_paths(self.settings["data"])
                write_settings(self.folder, {**self.settings, "data": absolute})
            try:
                train(model, training_sets, validation_sets, recipe, self.folder, run_options)
            except KeyboardInterrupt as stop:
                saved = (
                    f"the state is saved. Go on with tfrnnc-train --resume {self.folder}"
                    if workers.is_first
                    else "worker 0 has saved the state"
                )
                stop.args = (f"interrupted; {saved}",)
                raise

    def _make_model(self, seed: int) -> tuple[ResidualCodec, Path | None]:
        """The model at its start, and the entropy network's weights to start from."""
        keras.utils.set_random_seed(seed)
        is_new = not (self.folder / SETTINGS_FILE).is_file()
        if is_new:
            model = _fresh_model(self.settings, seed, self.config_file)
        else:
            model = build_model(self.folder, self.settings)
        self.settings["model"] = model_config(model)
        if not self.settings["initial_model"] or self.has_checkpoint:
            return model, None
        start = find_model(self.initial_folder or self.settings["initial_model"])
        load_weights(model, start.require_weights())
        if start.has_entropy_weights:
            return model, start.entropy_weights_path
        if self.settings["recipe"]["loss"] == "rate-distortion" and self.say:
            self.say(f"{start}: no {ENTROPY_WEIGHTS_FILE}; the entropy network begins anew")
        return model, None


def _fresh_model(settings: dict[str, Any], seed: int, config_file: Path | None) -> ResidualCodec:
    """The model of a new run; what is wrong with it is wrong with the file, if it is of one."""
    if config_file:
        return model_from_file(settings["model"], config_file, seed)
    return model_from_config(settings["model"], seed)


def _summary(
    model: ResidualCodec,
    training_sets: Sequence[TrainingSet],
    validation_sets: Mapping[str, TrainingSet],
) -> str:
    """What is about to be trained, in a line."""
    trained_on = sum(len(one.images) for one in training_sets)
    measured_on = sum(len(one.images) for one in validation_sets.values())
    return (
        f"{model.arch}: {model.count_params():,} parameters, "
        f"{model.bits / model.stride**2:.3f} bpp per iteration, {model.iterations} iterations; "
        f"{trained_on:,} images to train on, {measured_on:,} to measure on"
    )
