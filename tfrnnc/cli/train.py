"""`tfrnnc-train`."""

from __future__ import annotations

import json
import logging
import platform
import shlex
import sys
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import click
from click.core import ParameterSource

from tfrnnc.backend import prepare_environment
from tfrnnc.cli.common import command, describe_os_error
from tfrnnc.errors import ConfigError, TrainingError
from tfrnnc.files import replacing
from tfrnnc.model_folder.file_names import CONFIG_FILE, SETTINGS_FILE
from tfrnnc.model_folder.presets import model_folder

DATA = ("data", "validation", "tfds_dir", "tfds_split")
RECIPE = (
    "epochs",
    "steps_per_epoch",
    "batch_size",
    "patch_size",
    "min_downscale",
    "max_downscale",
    "warmup_steps",
    "ssim_weight",
    "seed",
)
ARCHS = ("fc", "fc_lstm", "conv", "conv_lstm")


@command()
@click.option("--arch", type=click.Choice(ARCHS), default="conv_lstm", show_default=True)
@click.option(
    "--layout",
    default="small",
    show_default=True,
    help="The architecture's named sizes: small, paper, or cvpr2017 (conv_lstm).",
)
@click.option(
    "--config",
    "config_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A JSON file with the model's settings, as config.json of a trained model; instead of "
    "--arch and --layout.",
)
@click.option(
    "--initial-model",
    help="Start from the weights of this preset or trained model; instead of --arch, --layout "
    "and --config.",
)
@click.option("--data", multiple=True, help="A folder of images, or tfds:NAME; may be repeated.")
@click.option("--tfds-dir", help="Where TFDS keeps its data sets.")
@click.option("--tfds-split", default="train", show_default=True)
@click.option(
    "--validation",
    help="A folder of images, or tfds:NAME, to measure on; else every 20th image is held out.",
)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="The run's folder.",
)
@click.option(
    "--resume",
    type=click.Path(file_okay=False, path_type=Path),
    help="Go on with the run in this folder, with its own settings.",
)
@click.option(
    "--entropy-model",
    "finished_codec",
    metavar="MODEL",
    help="Train the entropy model of MODEL, a finished codec's folder, which compresses its bits "
    "further; it is written there, or to --output.",
)
@click.option(
    "--iterations",
    type=click.IntRange(1, 255),
    default=8,
    show_default=True,
    help="Residual iterations a patch.",
)
@click.option(
    "--bits",
    type=click.IntRange(1),
    help="Bits a location of the latent bits and iteration; else the layout's.",
)
@click.option(
    "--stage-weights",
    type=click.Choice(["shared", "distinct"]),
    help="For fc and conv: the same weights at each iteration, or its own (the default).",
)
@click.option("--epochs", type=click.IntRange(1), default=20, show_default=True)
@click.option(
    "--steps-per-epoch",
    type=click.IntRange(1),
    default=500,
    show_default=True,
    help="Batches from one validation and checkpoint to the next.",
)
@click.option("--batch-size", type=click.IntRange(1), default=32, show_default=True)
@click.option(
    "--patch-size", type=click.IntRange(1), default=32, show_default=True, help="In pixels."
)
@click.option(
    "--min-downscale",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Average blocks of at least this many pixels in each direction, which sheds the "
    "artefacts of JPEG files.",
)
@click.option(
    "--max-downscale",
    type=click.IntRange(1),
    default=8,
    show_default=True,
    help="And at most so many.",
)
@click.option(
    "--learning-rate", type=click.FloatRange(0, min_open=True), default=2e-3, show_default=True
)
@click.option(
    "--ssim-weight",
    type=click.FloatRange(0),
    default=0.0,
    show_default=True,
    help="Add so many times 1 - SSIM, the paper's measure, to its loss, the squared error.",
)
@click.option("--warmup-steps", type=click.IntRange(0), default=100, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def main(resume, quiet, output, learning_rate, finished_codec, **options):
    """Train a codec on images.

    The folder --output then holds the best model (what tfrnnc-encode --model takes), the state
    to resume from, and the logs.

    Exit codes: 0, all went well; 1, something failed, or it was interrupted; 2, the command was not
    understood.
    """
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    prepare_environment()
    # Imported late: Keras takes seconds, and --help needs none of it.
    from tfrnnc.model_folder.file_names import WEIGHTS_FILE
    from tfrnnc.model_folder.keras_model import load_weights, model_config, model_from_config
    from tfrnnc.training.trainer import (
        Recipe,
        read_settings,
        train,
        write_settings,
    )

    if finished_codec:
        _train_entropy_model(finished_codec, output, quiet, learning_rate, options)
        return
    if resume:
        if given := _given() - {"resume", "learning_rate", "quiet"}:
            names = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(given))
            raise click.UsageError(f"--resume keeps the run's own settings; leave out {names}")
        folder, settings = resume, read_settings(resume)
        if "learning_rate" in _given():
            settings["recipe"]["learning_rate"] = learning_rate
    else:
        if not output or not options["data"]:
            raise click.UsageError("give --data and --output (or --resume FOLDER)")
        if (output / SETTINGS_FILE).exists():
            raise click.UsageError(
                f"{output} holds a run already; go on with --resume {output}, "
                "or give another --output"
            )
        folder, settings = output, _new_settings(options, learning_rate)
    recipe = Recipe(**settings["recipe"])

    import keras

    keras.utils.set_random_seed(recipe.seed)
    model = model_from_config(settings["model"], seed=recipe.seed)
    settings["model"] = model_config(model)
    if settings["initial_model"] and not resume:
        load_weights(model, model_folder(settings["initial_model"]) / WEIGHTS_FILE)
    images, validation_images = _open_data(**settings["data"])
    write_settings(folder, settings)
    if not quiet:
        click.echo(
            f"{model.arch}: {model.count_params():,} parameters, "
            f"{model.bits / model.stride**2:.3f} bpp an iteration, {model.iterations} iterations; "
            f"{len(images):,} images to train on, {len(validation_images):,} to measure on",
            err=True,
        )
    try:
        train(model, images, validation_images, recipe, folder, bool(resume), quiet)
    except KeyboardInterrupt:
        raise TrainingError(
            f"interrupted; the state is saved. Go on with tfrnnc-train --resume {folder}"
        ) from None


def _new_settings(options: dict, learning_rate: float) -> dict:
    from tfrnnc.training.trainer import Recipe

    recipe = Recipe(learning_rate=learning_rate, **{name: options[name] for name in RECIPE})
    return {
        **_provenance(options, recipe),
        "earlier_commands": _earlier_commands(options["initial_model"]),
        "model": _model_settings(options),
        "initial_model": options["initial_model"],
    }


def _provenance(options: dict, recipe) -> dict:
    """What any run's settings say of where its result comes from."""
    return {
        "command": shlex.join(["tfrnnc-train", *sys.argv[1:]]),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("tfrnnc", "keras", "numpy")},
        },
        "data": {name: options[name] for name in DATA},
        "recipe": asdict(recipe),
    }


def _train_entropy_model(codec, output, quiet, learning_rate, options) -> None:
    from tfrnnc.model_folder.file_names import ENTROPY_MODEL_FILE, ENTROPY_SETTINGS_FILE
    from tfrnnc.model_folder.keras_model import load_model, save_model
    from tfrnnc.training.entropy_training import train_entropy_model
    from tfrnnc.training.trainer import Recipe

    known = {"finished_codec", "output", "quiet", "learning_rate", *DATA, *RECIPE}
    if given := _given() - (known - {"warmup_steps", "ssim_weight"}):
        names = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(given))
        raise click.UsageError(f"--entropy-model keeps the codec as it is; leave out {names}")
    if not options["data"]:
        raise click.UsageError("give --data")
    source = model_folder(codec)
    folder = output or source
    if (folder / ENTROPY_MODEL_FILE).exists():
        raise click.UsageError(
            f"{folder} has an entropy model, without which streams that were made with it "
            "cannot be decoded; give another --output"
        )
    if folder != source and (folder / CONFIG_FILE).exists():
        raise click.UsageError(f"{folder} holds another model; give another --output")
    recipe = Recipe(learning_rate=learning_rate, **{name: options[name] for name in RECIPE})
    model = load_model(source)
    images, validation_images = _open_data(**{name: options[name] for name in DATA})

    import keras

    keras.utils.set_random_seed(recipe.seed)
    if folder != source:
        save_model(model, folder)
    with replacing(folder / ENTROPY_SETTINGS_FILE) as temporary:
        temporary.write_text(json.dumps(_provenance(options, recipe), indent=2) + "\n")
    train_entropy_model(model, images, validation_images, recipe, folder, quiet)


def _model_settings(options: dict) -> dict:
    from tfrnnc.models import ARCHITECTURES

    given = _given()
    file = options["config_file"]
    if options["initial_model"]:
        if given & {"arch", "layout", "config_file"}:
            raise click.UsageError("--initial-model brings its own --arch, --layout and --config")
        file = model_folder(options["initial_model"]) / CONFIG_FILE
    if file:
        if given & {"arch", "layout"}:
            raise click.UsageError("--config brings its own --arch and --layout")
        config = _read_json(file)
        config.pop("model_id", None)
        overriding = given & {"iterations", "bits", "stage_weights"}
    else:
        layouts = ARCHITECTURES[options["arch"]].layouts
        if options["layout"] not in layouts:
            raise click.UsageError(
                f"{options['arch']} has no layout {options['layout']!r}; it has "
                f"{', '.join(layouts)}"
            )
        config = {"arch": options["arch"], **layouts[options["layout"]]._asdict()}
        overriding = given & {"bits", "stage_weights"} | {"iterations"}
    return config | {name: options[name] for name in overriding}


def _read_json(file: Path) -> dict:
    try:
        config = json.loads(file.read_text())
    except OSError as error:
        raise ConfigError(describe_os_error(error)) from error
    except ValueError as error:
        raise ConfigError(f"{file}: not JSON ({error})") from error
    if not isinstance(config, dict):
        raise ConfigError(f"{file}: holds no settings of a model")
    return config


def _given() -> set[str]:
    """The names of the options that the user wrote."""
    context = click.get_current_context()
    return {
        name
        for name in context.params
        if context.get_parameter_source(name) == ParameterSource.COMMANDLINE
    }


def _earlier_commands(initial_model: str | None) -> list[str]:
    """What trained the model that the run starts from, as far as that is on record."""
    from tfrnnc.training.trainer import read_settings

    if not initial_model or not (model_folder(initial_model) / SETTINGS_FILE).is_file():
        return []
    earlier = read_settings(model_folder(initial_model))
    return [*earlier.get("earlier_commands", []), earlier["command"]]


def _open_data(data, validation, tfds_dir, tfds_split):
    from tfrnnc.data import JoinedImages, hold_out, open_images

    sources = [open_images(place, tfds_split, tfds_dir) for place in data]
    if validation:
        return JoinedImages(sources), open_images(validation, tfds_split, tfds_dir)
    return hold_out(sources)
