"""`tfrnnc-train`."""

from __future__ import annotations

import json
import logging
import platform
import re
import shlex
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, fields
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from tfrnnc.backend import prepare_environment
from tfrnnc.bitstream.constants import MAX_PIXELS
from tfrnnc.cli.common import command
from tfrnnc.cli.file_tasks import describe_os_error
from tfrnnc.cli.options import (
    CommandWithModes,
    FunctionOrCommand,
    ModelName,
    folder_path,
    option_group,
)
from tfrnnc.cli.standard_streams import echo
from tfrnnc.cli.start import native_messages_held_back
from tfrnnc.errors import ConfigError, InstallationError
from tfrnnc.files import replacing
from tfrnnc.model_folder.file_names import (
    ENTROPY_MODEL_FILE,
    ENTROPY_SETTINGS_FILE,
    ENTROPY_WEIGHTS_FILE,
    SETTINGS_FILE,
)
from tfrnnc.model_folder.json_fields import FieldError, read_json
from tfrnnc.model_folder.model_folder import ModelFolder
from tfrnnc.model_folder.presets import find_model
from tfrnnc.preview.layout import DECODER_FILE
from tfrnnc.preview.recipe import PreviewRecipe
from tfrnnc.training.recipe import LOSSES, PEAK_LEARNING_RATES, PRECISIONS, Recipe
from tfrnnc.training.rendezvous import parse_address

if TYPE_CHECKING:
    from tfrnnc.training.rendezvous import Rendezvous

DATA = ("data", "validation", "tfds_dir", "tfds_split", "max_pixels")
#: What may change when a run goes on: it can be longer, its data elsewhere, the machine another.
RESUMABLE = (
    *DATA,
    "epochs",
    "learning_rate",
    "adam_learning_rate",
    "weight_decay",
    "decay_share",
    "average",
    "precision",
)
#: What says where a worker stands, and nothing of the run.
PLACE = ("workers", "worker", "coordinator", "connect_timeout")
T = TypeVar("T")

DEFAULTS = Recipe()
PREVIEW_DEFAULTS = PreviewRecipe()
ARCHS = ("fc", "fc_lstm", "conv", "conv_lstm")

model_option = option_group("Model")
data_option = option_group("Data")
run_option = option_group("Run")
optimizer_option = option_group("Optimiser")
loss_option = option_group("Loss")
worker_option = option_group("Several workers")


max_pixels_option = data_option(
    "--max-pixels",
    type=click.IntRange(1),
    default=MAX_PIXELS,
    show_default=True,
    help="Skip larger images.",
)


def data_options(function: FunctionOrCommand) -> FunctionOrCommand:
    """Adds what the modes share: images and patches."""
    for decorate in reversed(
        (
            data_option(
                "--data",
                multiple=True,
                help="A folder of images, or tfds:NAME; may be repeated. Settings of its own "
                "follow a question mark: 'photos?patch_size=64&batch_size=16&rate=0.5&share=2'.",
            ),
            data_option(
                "--validation",
                multiple=True,
                help="A folder of images, or tfds:NAME, to measure on; may be repeated, with "
                "settings as --data (default: every 20th image is held out).",
            ),
            data_option("--tfds-dir", help="Where TFDS keeps its data sets."),
            data_option("--tfds-split", default="train", show_default=True),
            max_pixels_option,
            data_option(
                "--patch-size",
                type=click.IntRange(1),
                default=DEFAULTS.patch_size,
                show_default=True,
                help="In pixels.",
            ),
            data_option(
                "--batch-size",
                type=click.IntRange(1),
                default=DEFAULTS.batch_size,
                show_default=True,
            ),
            data_option(
                "--min-downscale",
                type=click.IntRange(1),
                default=DEFAULTS.min_downscale,
                show_default=True,
                help="Average blocks of at least this many pixels in each direction, which sheds "
                "the artefacts of JPEG files.",
            ),
            data_option(
                "--max-downscale",
                type=click.IntRange(1),
                default=DEFAULTS.max_downscale,
                show_default=True,
                help="The most pixels that are averaged in each direction.",
            ),
        )
    ):
        function = decorate(function)
    return function


entropy_groups = loss_option(
    "--entropy-groups",
    type=click.IntRange(1),
    help="Groups that the entropy model codes the bits of a location in. Each sees those before "
    "it, and takes two passes (default: as many as in the model to start from, or "
    f"{DEFAULTS.entropy_groups}).",
)


def run_options(function: FunctionOrCommand) -> FunctionOrCommand:
    """Adds what the modes share: how long and from which seed."""
    for decorate in reversed(
        (
            run_option(
                "--epochs", type=click.IntRange(1), default=DEFAULTS.epochs, show_default=True
            ),
            run_option(
                "--steps-per-epoch",
                type=click.IntRange(1),
                default=DEFAULTS.steps_per_epoch,
                show_default=True,
                help="Batches between validations and checkpoints.",
            ),
            run_option("--seed", type=click.IntRange(0), default=DEFAULTS.seed, show_default=True),
            click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors."),
        )
    ):
        function = decorate(function)
    return function


@command(cls=CommandWithModes)
@model_option("--arch", type=click.Choice(ARCHS), default="conv_lstm", show_default=True)
@model_option(
    "--layout",
    default="small",
    show_default=True,
    help="Size of the architecture: small, paper, and for conv_lstm medium and cvpr2017.",
)
@model_option(
    "--config",
    "config_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A JSON file with the model's settings, like config.json of a trained model; replaces "
    "--arch and --layout.",
)
@model_option(
    "--initial-model",
    type=ModelName(),
    help="Start from the weights of this preset or trained model; replaces --arch, --layout and "
    "--config.",
)
@model_option(
    "--iterations",
    type=click.IntRange(1, 255),
    default=8,
    show_default=True,
    help="Residual iterations per patch.",
)
@model_option(
    "--bits",
    type=click.IntRange(1),
    help="Bits per location and iteration (default: the layout's).",
)
@model_option(
    "--stage-weights",
    type=click.Choice(["shared", "distinct"]),
    help="For fc and conv: the same weights at each iteration, or distinct ones (the default).",
)
@data_options
@run_option(
    "--output",
    type=folder_path(),
    help="The run's folder.",
)
@run_option(
    "--resume",
    type=folder_path(),
    help="Continue the run in this folder, with its own settings.",
)
@run_option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default=DEFAULTS.precision,
    show_default=True,
    help="Precision of the products in convolutions; bfloat16 is faster on CPUs with AMX.",
)
@optimizer_option(
    "--optimizer",
    type=click.Choice(tuple(PEAK_LEARNING_RATES)),
    default=DEFAULTS.optimizer,
    show_default=True,
    help="Muon trains the kernels and leaves the rest to Adam.",
)
@optimizer_option(
    "--learning-rate",
    type=click.FloatRange(0, min_open=True),
    help=f"Peak learning rate (default: {PEAK_LEARNING_RATES['muon']} with Muon, "
    f"{PEAK_LEARNING_RATES['adam']} with Adam).",
)
@optimizer_option(
    "--adam-learning-rate",
    type=click.FloatRange(0, min_open=True),
    default=DEFAULTS.adam_learning_rate,
    show_default=True,
    help="Peak learning rate of the weights that Muon leaves to Adam.",
)
@optimizer_option(
    "--weight-decay",
    type=click.FloatRange(0),
    default=DEFAULTS.weight_decay,
    show_default=True,
    help="Each step multiplies the kernels that Muon trains by 1 minus this times the learning "
    "rate.",
)
@optimizer_option(
    "--warmup-steps", type=click.IntRange(0), default=DEFAULTS.warmup_steps, show_default=True
)
@optimizer_option(
    "--decay-share",
    type=click.FloatRange(0, 1),
    default=DEFAULTS.decay_share,
    show_default=True,
    help="Share of the run, at its end, in which the learning rate falls to zero.",
)
@optimizer_option(
    "--average",
    type=click.FloatRange(0, 1, max_open=True),
    default=DEFAULTS.average,
    show_default=True,
    help="Momentum of the average of the weights that is measured and saved; 0 for none.",
)
@loss_option(
    "--loss",
    type=click.Choice(LOSSES),
    default=DEFAULTS.loss,
    show_default=True,
    help="balanced weighs all iterations alike; rate-distortion also trains an entropy model and "
    "makes the bits cheap for it.",
)
@loss_option(
    "--ssim-weight",
    type=click.FloatRange(0),
    default=DEFAULTS.ssim_weight,
    show_default=True,
    help="Weight of 1 - SSIM, the paper's measure, beside the mean squared error.",
)
@loss_option(
    "--stochastic/--deterministic",
    default=DEFAULTS.stochastic,
    show_default=True,
    help="Round bits at random in training, as the paper does, or as they are used.",
)
@loss_option(
    "--target-bpp",
    callback=lambda context, option, value: _numbers(value),
    metavar="R1,R2,...",
    help="Bits per pixel up to each iteration that rate-distortion aims at (default: 32 to 80 % "
    "of the model's bits).",
)
@loss_option(
    "--cut-share",
    type=click.FloatRange(0, 1),
    default=DEFAULTS.cut_share,
    show_default=True,
    help="Share of patches in which rate-distortion cuts an iteration short.",
)
@loss_option(
    "--rate-delay",
    type=click.IntRange(0),
    default=DEFAULTS.rate_delay,
    show_default=True,
    help="Batches before the codec follows the rate.",
)
@loss_option(
    "--rate-weights",
    callback=lambda context, option, value: _numbers(value),
    metavar="W1,W2,...",
    help="Weights of the iterations' rates to start from, as an earlier phase ended with them "
    "(default: zeros).",
)
@entropy_groups
@loss_option("--freeze-encoder", is_flag=True, help="Train the decoder and entropy model only.")
@loss_option("--freeze-entropy-model", is_flag=True, help="Train the codec only.")
@run_options
@worker_option(
    "--workers",
    type=click.IntRange(2),
    help="How many processes train the model together, on JAX; each is started with this command.",
)
@worker_option(
    "--worker",
    type=click.IntRange(0),
    help="This worker's number, from 0. Only worker 0 writes files.",
)
@worker_option(
    "--coordinator",
    metavar="HOST:PORT",
    help="Address where the others reach worker 0, which listens on this port.",
)
@worker_option(
    "--connect-timeout",
    type=click.FloatRange(0, min_open=True),
    default=300,
    show_default=True,
    help="Seconds to wait until all workers are connected.",
)
def main(resume: Path | None, quiet: bool, output: Path | None, **options: Any) -> None:
    """Train a codec on images.

    The folder --output then holds the best model (what tfrnnc-encode --model takes), the state
    to resume from, and the logs.

    Exit codes: 0, success; 1, failure or interruption; 2, wrong usage.
    """
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    _check_worker_options(options)
    with native_messages_held_back():
        prepare_environment()
    # Imported late: Keras takes seconds, and --help needs none of it.
    from tfrnnc.training.workers import ALONE, use_local_devices

    if options["workers"]:
        _run_together(resume, output, quiet, options)
        return
    use_local_devices()
    settings = _resumed_settings(resume, options) if resume else _new_settings(output, options)
    from tfrnnc.training.run import TrainingRun
    from tfrnnc.training.training_data import open_sets

    folder = resume or output
    assert folder is not None
    run = TrainingRun(folder, settings, options["config_file"], _say(quiet))
    run.train(ALONE, open_sets(**settings["data"]))


def _run_together(
    resume: Path | None, output: Path | None, quiet: bool, options: dict[str, Any]
) -> None:
    """Trains as one of several workers."""
    from tfrnnc.training.rendezvous import Rendezvous
    from tfrnnc.training.workers import joined, require_jax

    require_jax()
    from tfrnnc.training.run import TrainingRun
    from tfrnnc.training.training_data import describe, open_sets

    place = (options["coordinator"], options["workers"], options["worker"])
    with (
        closing(Rendezvous(*place, options["connect_timeout"])) as rendezvous,
        tempfile.TemporaryDirectory() as temporary,
    ):
        is_first = rendezvous.worker == 0
        settings = _settings_together(rendezvous, resume, output, options)
        folder = (resume or output) if is_first else Path(temporary)
        assert folder is not None
        start = None if is_first else folder
        run = TrainingRun(folder, settings, options["config_file"], _say(quiet), start)
        rendezvous.share_files(run.files_to_share() if is_first else [], folder)
        with rendezvous.together():
            sets = open_sets(**settings["data"])
        rendezvous.require_alike(describe(sets))
        with joined(rendezvous) as workers:
            run.train(workers, sets)


def _settings_together(
    rendezvous: Rendezvous,
    resume: Path | None,
    output: Path | None,
    options: dict[str, Any],
) -> dict[str, Any]:
    """The run's settings, which are worker 0's but for where the data lies.

    Raises:
        ConfigError: if another worker was given others.
    """
    is_first = rendezvous.worker == 0
    given = _given()
    with rendezvous.together():
        if not resume:
            settings = _new_settings(output, options, check_folder=is_first)
        else:
            settings = _resumed_settings(resume, options) if is_first else {}
    compared = {name: options[name] for name in given & set(RESUMABLE) - set(DATA)}
    if not resume:
        compared = {**settings["recipe"], **settings["model"]}
        compared["initial_model"] = bool(settings["initial_model"])
    rendezvous.require_alike({"resume": bool(resume), **compared})
    first = rendezvous.exchange({"settings": settings if is_first else None})[0]["settings"]
    if is_first:
        return settings
    own = {name: options[name] for name in DATA if not resume or name in given}
    return {**first, "data": {**first["data"], **own}}


def _say(quiet: bool) -> Callable[[str], None] | None:
    """What prints the lines of a run, if it should."""
    return None if quiet else partial(echo, err=True)


def _check_worker_options(options: dict[str, Any]) -> None:
    """Raises a usage error unless a worker's place is given whole, or not at all."""
    place = [options[name] is not None for name in ("workers", "worker", "coordinator")]
    if any(place) and not all(place):
        raise click.UsageError("give --workers, --worker and --coordinator together")
    if all(place):
        try:
            parse_address(options["coordinator"])
        except ConfigError as error:
            raise click.UsageError(f"--coordinator {error}") from error
        if options["worker"] >= options["workers"]:
            last = options["workers"] - 1
            raise click.UsageError(f"--worker goes from 0 to {last}, one less than --workers")


@main.add_mode
@command(name="entropy-model")
@click.argument("codec", metavar="MODEL", type=ModelName())
@data_options
@run_option(
    "--output",
    type=folder_path(),
    help="Write codec and entropy model there (default: the entropy model into MODEL's folder).",
)
@optimizer_option(
    "--learning-rate",
    type=click.FloatRange(0, min_open=True),
    help=f"Adam's peak learning rate (default: {PEAK_LEARNING_RATES['adam']}).",
)
@entropy_groups
@run_options
def entropy_model(codec: str, output: Path | None, quiet: bool, **options: Any) -> None:
    """Train the entropy model of MODEL, a finished codec, which makes its streams smaller.

    The codec stays as it is. An entropy model that MODEL has is the start of the new one. With
    --loss rate-distortion the two are trained together instead.

    Exit codes: 0, success; 1, failure or interruption; 2, wrong usage.
    """
    if not options["data"]:
        raise click.UsageError("give --data")
    source = find_model(codec)
    target = ModelFolder(output) if output else source
    if target.has_entropy_model:
        raise click.UsageError(
            f"{target} has an entropy model, without which streams that were made with it "
            "cannot be decoded; give another --output"
        )
    elsewhere = target.path != source.path
    if elsewhere and target.has_config:
        raise click.UsageError(f"{target} holds another model; give another --output")
    with native_messages_held_back():
        prepare_environment()
    # Imported late: Keras takes seconds, and --help needs none of it.
    from tfrnnc.model_folder.keras_model import load_model, save_model
    from tfrnnc.training.entropy_training import train_entropy_model
    from tfrnnc.training.failures import new_files_removed
    from tfrnnc.training.training_data import open_sets, with_absolute_paths

    recipe = _recipe(options, optimizer="adam", entropy_groups=_entropy_groups(options, source))
    model = load_model(source)
    training_sets, validation_sets = open_sets(**{name: options[name] for name in DATA})

    import keras

    keras.utils.set_random_seed(recipe.seed)
    settings = _provenance(options, recipe)
    settings["data"] = with_absolute_paths(settings["data"])
    if source.has_entropy_model and not source.has_entropy_weights and not quiet:
        echo(f"{source}: no {ENTROPY_WEIGHTS_FILE}; the entropy network begins anew", err=True)
    with new_files_removed(target.path, unless=ENTROPY_MODEL_FILE):
        if elsewhere:
            save_model(model, target)
        with replacing(target.path / ENTROPY_SETTINGS_FILE) as temporary:
            temporary.write_text(json.dumps(settings, indent=2) + "\n")
        train_entropy_model(
            model,
            training_sets,
            validation_sets,
            recipe,
            target.path,
            quiet,
            source.entropy_weights_path if source.has_entropy_weights else None,
        )


@main.add_mode
@command(name="preview")
@data_option(
    "--data", multiple=True, required=True, type=folder_path(), help="Images; may be repeated."
)
@data_option(
    "--validation", required=True, type=folder_path(), help="A folder of images to measure on."
)
@run_option("--output", required=True, type=folder_path(), help="The run's folder.")
@run_option(
    "--epochs",
    type=click.IntRange(1),
    default=PREVIEW_DEFAULTS.epochs,
    show_default=True,
    help="Epochs.",
)
@run_option(
    "--steps-per-epoch",
    type=click.IntRange(1),
    default=PREVIEW_DEFAULTS.steps_per_epoch,
    show_default=True,
    help="Batches between validations.",
)
@run_option(
    "--seed",
    type=click.IntRange(0),
    default=PREVIEW_DEFAULTS.seed,
    show_default=True,
    help="Seed of crops and weights.",
)
@data_option(
    "--pictures",
    type=click.IntRange(1),
    default=PREVIEW_DEFAULTS.pictures,
    show_default=True,
    help="Crops to train on.",
)
@data_option(
    "--batch-size",
    type=click.IntRange(1),
    default=PREVIEW_DEFAULTS.batch_size,
    show_default=True,
    help="Pictures in a batch.",
)
@optimizer_option(
    "--learning-rate",
    type=click.FloatRange(0, min_open=True),
    default=PREVIEW_DEFAULTS.learning_rate,
    show_default=True,
    help="Muon's peak learning rate.",
)
@optimizer_option(
    "--adam-learning-rate",
    type=click.FloatRange(0, min_open=True),
    default=PREVIEW_DEFAULTS.adam_learning_rate,
    show_default=True,
    help="Peak learning rate of the biases, which Muon leaves to Adam.",
)
@loss_option(
    "--ssim-weight",
    type=click.FloatRange(0),
    default=PREVIEW_DEFAULTS.ssim_weight,
    show_default=True,
    help="Weight of 1 - SSIM beside the mean squared error.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def preview(
    data: tuple[Path, ...], validation: Path, output: Path, quiet: bool, **recipe: Any
) -> None:
    """Train the previews of tfrnnc-preview.

    The folder --output then holds decoder.bin, which takes the place of that in
    tfrnnc/presets/preview, and the log. A run that was interrupted starts again.

    Exit codes: 0, success; 1, failure or interruption; 2, wrong usage.
    """
    with native_messages_held_back():
        prepare_environment()
    # Imported late: Keras takes seconds, and --help needs none of it.
    from tfrnnc.preview.training import train_preview
    from tfrnnc.training.failures import new_files_removed
    from tfrnnc.training.settings import write_settings

    if (output / SETTINGS_FILE).exists():
        raise click.UsageError(f"{output} holds a run already; give another --output")
    chosen = _checked(PreviewRecipe, recipe)
    settings = {
        "command": _command_line(),
        "data": [str(path.resolve()) for path in data],
        "validation": str(validation.resolve()),
        "recipe": asdict(chosen),
    }
    with new_files_removed(output, unless=DECODER_FILE):
        write_settings(output, settings)
        train_preview(data, validation, chosen, output, quiet)


def _resumed_settings(folder: Path, options: dict[str, Any]) -> dict[str, Any]:
    """The settings of a run, with what may change when it goes on."""
    from tfrnnc.training.settings import read_settings

    given = _given() - {"resume", "quiet", *PLACE}
    if fixed := given - set(RESUMABLE):
        names = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(fixed))
        raise click.UsageError(f"--resume keeps the run's own settings; leave out {names}")
    settings = read_settings(folder)
    for name in sorted(given):
        part = settings["data" if name in DATA else "recipe"]
        part[name] = options[name]
    if given - set(DATA):  # Data that has moved is the same.
        settings.setdefault("resuming_commands", []).append(_command_line())
    return settings


def _new_settings(
    output: Path | None, options: dict[str, Any], check_folder: bool = True
) -> dict[str, Any]:
    if not output or not options["data"]:
        raise click.UsageError("give --data and --output (or --resume FOLDER)")
    if check_folder and (output / SETTINGS_FILE).exists():
        raise click.UsageError(
            f"{output} holds a run already; go on with --resume {output}, or give another --output"
        )
    if options["freeze_entropy_model"]:
        _check_entropy_weights(options["initial_model"])
    start = find_model(options["initial_model"]) if options["initial_model"] else None
    recipe = _recipe(options, entropy_groups=_entropy_groups(options, start))
    return {
        **_provenance(options, recipe),
        "earlier_commands": _earlier_commands(options["initial_model"]),
        "model": _model_settings(options),
        "initial_model": options["initial_model"],
    }


def _check_entropy_weights(initial_model: str | None) -> None:
    """Raises a usage error unless the model has the network that --freeze-entropy-model keeps."""
    if initial_model is None:
        raise click.UsageError(
            "--freeze-entropy-model keeps the entropy network of --initial-model; give both"
        )
    if not find_model(initial_model).has_entropy_weights:
        raise click.UsageError(
            f"{initial_model}: no {ENTROPY_WEIGHTS_FILE}, the network that --freeze-entropy-model "
            "keeps; leave the option out, or start from the folder of a run that has it"
        )


def _entropy_groups(options: dict[str, Any], start: ModelFolder | None) -> int:
    """The groups that were asked for, or those of the model that the training starts from."""
    if (asked := options["entropy_groups"]) is not None:
        return int(asked)
    model = start.read_entropy_model() if start is not None else None
    return model.groups if model is not None else DEFAULTS.entropy_groups


def _recipe(options: dict[str, Any], **others: Any) -> Recipe:
    """The recipe of a command's options, which are named like its fields."""
    given = {each.name: options[each.name] for each in fields(Recipe) if each.name in options}
    return _checked(Recipe, {**given, **others})


def _checked(make: Callable[..., T], values: dict[str, Any]) -> T:
    """A recipe of values that are options as well; a usage error if they do not do."""
    try:
        return make(**values)
    except ConfigError as error:
        message = str(error)
        for name in values:
            # Names of one word are words of the message too, where it does not begin with them.
            place = rf"\b{name}\b" if "_" in name else rf"^{name}\b"
            message = re.sub(place, f"--{name.replace('_', '-')}", message)
        raise click.UsageError(message) from error


def _provenance(options: dict[str, Any], recipe: Recipe) -> dict[str, Any]:
    """What any run's settings say of where its result comes from."""
    return {
        "command": _command_line(),
        "versions": {
            "python": platform.python_version(),
            **{name: _installed_version(name) for name in ("tfrnnc", "keras", "numpy")},
        },
        "data": {name: options[name] for name in DATA},
        "recipe": asdict(recipe),
    }


def _installed_version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError as error:
        raise InstallationError(
            f"{package} is not installed, so the run could not say what made it; give pip install "
            "'.[train]' in a checkout of tfrnnc"
        ) from error


def _command_line() -> str:
    return shlex.join(["tfrnnc-train", *sys.argv[1:]])


def _model_settings(options: dict[str, Any]) -> dict[str, Any]:
    from tfrnnc.models import ARCHITECTURES

    given = _given()
    file = options["config_file"]
    if options["initial_model"]:
        if given & {"arch", "layout", "config_file"}:
            raise click.UsageError("--initial-model brings its own --arch, --layout and --config")
        config = find_model(options["initial_model"]).read_config().settings
        overriding = given & {"iterations", "bits", "stage_weights"}
    elif file:
        if given & {"arch", "layout"}:
            raise click.UsageError("--config brings its own --arch and --layout")
        config = _read_config(file)
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


def _read_config(file: Path) -> dict[str, Any]:
    """The settings of a model in a file that need not be of a model's folder."""
    try:
        config = read_json(file).values()
    except OSError as error:
        raise ConfigError(describe_os_error(error)) from error
    except FieldError as error:
        raise ConfigError(f"{file}: not a model's settings ({error})") from error
    config.pop("model_id", None)
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
    from tfrnnc.training.settings import commands_of, read_settings

    if not initial_model or not (folder := find_model(initial_model)).is_training_run:
        return []
    earlier = read_settings(folder.path)
    return commands_of(earlier)


def _numbers(text: str | None) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not numbers with commas between them") from error
