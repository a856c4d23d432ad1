"""`tfrnnc-export`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tfrnnc.backend import require_tensorflow
from tfrnnc.cli.common import command
from tfrnnc.cli.options import (
    CommandWithModes,
    Decorator,
    FunctionOrCommand,
    ModelName,
    folder_path,
    gathered,
    option_group,
)
from tfrnnc.cli.standard_streams import echo
from tfrnnc.cli.start import native_messages_held_back
from tfrnnc.export.export_options import ExportOptions
from tfrnnc.model_folder.model_folder import ModelFolder
from tfrnnc.model_folder.presets import find_model
from tfrnnc.training.weight_constraints import (
    MAX_CLUSTERS,
    MIN_CLUSTERS,
    Clustering,
    FineTuning,
    Pruning,
)

if TYPE_CHECKING:
    from tfrnnc.export.exporter import Exporter

FINE_TUNING_DEFAULTS = FineTuning()

exporting = option_group("Files")
comparing = option_group("Comparison with Keras")
optimizing = option_group("Optimisation")
tuning = option_group("Fine-tuning, as the model was trained")


def parse_size(
    context: click.Context, parameter: click.Parameter, size: str
) -> tuple[int, int] | None:
    """A callback of click: height and width, or None for any."""
    if size == "any":
        return None
    match = re.fullmatch(r"(\d+)x(\d+)", size, re.ASCII)
    if not match:
        raise click.UsageError(f"--size must be like 32x32 (height x width), not {size!r}")
    return int(match[1]), int(match[2])


def file_options(*more: Decorator) -> Decorator:
    """Adds MODEL, OUTPUT and the options for files, `more` of them after the others."""
    options = gathered(
        ExportOptions,
        "options",
        exporting(
            "--size",
            default="any",
            show_default=True,
            metavar="HxW",
            callback=parse_size,
            help="Height and width of the images in pixels, or any.",
        ),
        exporting(
            "--quantize",
            type=click.Choice(["none", "float16", "weights", "dynamic", "int8"]),
            default=ExportOptions.quantize,
            show_default=True,
            help="Store weights in 16 or 8 bits. With float16 and weights a client still "
            "computes in float32; dynamic and int8 compute in 8 bits, faster and less exactly.",
        ),
        exporting(
            "--calibration",
            type=folder_path(),
            help="For --quantize int8: a folder of images like those that will be encoded.",
        ),
        comparing(
            "--images",
            type=folder_path(),
            help="Compare the TFLite or ONNX files with Keras on the images in this folder "
            "(default: noise).",
        ),
        click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors."),
        *more,
    )

    def decorate(function: FunctionOrCommand) -> FunctionOrCommand:
        for each in (options, click.argument("output", type=folder_path())):
            function = each(function)
        return click.argument("model", type=ModelName())(function)

    return decorate


def optimization_options(function: FunctionOrCommand) -> FunctionOrCommand:
    """Adds what the modes that change weights share."""
    function = gathered(
        FineTuning,
        "fine_tuning",
        tuning(
            "--fine-tune-steps",
            "steps",
            type=click.IntRange(0),
            default=FINE_TUNING_DEFAULTS.steps,
            show_default=True,
            help="Batches; 0 needs no --data.",
        ),
        tuning(
            "--min-downscale",
            type=click.IntRange(1),
            default=FINE_TUNING_DEFAULTS.min_downscale,
            show_default=True,
            help="See tfrnnc-train.",
        ),
        tuning(
            "--ssim-weight",
            type=click.FloatRange(0),
            default=FINE_TUNING_DEFAULTS.ssim_weight,
            show_default=True,
            help="See tfrnnc-train.",
        ),
        tuning(
            "--seed", type=click.IntRange(0), default=FINE_TUNING_DEFAULTS.seed, show_default=True
        ),
    )(function)
    return tuning(
        "--data",
        multiple=True,
        help="A folder of images, or tfds:NAME, to fine-tune on; may be repeated.",
    )(function)


@command(cls=CommandWithModes)
@file_options(
    exporting(
        "--target",
        type=click.Choice(["tflite", "savedmodel", "onnx"]),
        default=ExportOptions.target,
        show_default=True,
    )
)
def main(model: str, output: Path, quiet: bool, options: ExportOptions) -> None:
    """Export MODEL, a preset or a trained model's folder, into the folder OUTPUT.

    One iteration of the encoder and one of the decoder become a file each, encoder_1 and decoder_1,
    with their states as inputs and outputs; a model with distinct weights has a pair for each
    iteration. TFLite files come with manifest.json, which has their sizes, hashes and tensors, and
    how they compare with Keras. ONNX files describe the model in their metadata.

    Exit codes: 0, success; 1, failure; 2, wrong usage.
    """
    exporter = _open(find_model(model), ModelFolder(output), options)
    _write(exporter, options, quiet)


@main.add_mode
@command(name="cluster")
@file_options()
@optimizing(
    "--clusters",
    type=click.IntRange(MIN_CLUSTERS, MAX_CLUSTERS),
    default=Clustering.clusters,
    show_default=True,
    help="Values in a kernel.",
)
@optimization_options
def cluster(clusters: int, **arguments: Any) -> None:
    """Make another model whose kernels have a few values, and export it.

    Its files compress better. The new model is saved in OUTPUT too. It has its own identity and
    does not decode streams of MODEL.

    Exit codes: 0, success; 1, failure; 2, wrong usage.
    """
    _optimize(Clustering(clusters), **arguments)


@main.add_mode
@command(name="prune")
@file_options()
@optimizing(
    "--sparsity",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=Pruning.sparsity,
    show_default=True,
    help="Share of zeros in a kernel.",
)
@optimization_options
def prune(sparsity: float, **arguments: Any) -> None:
    """Make another model whose kernels are mostly zeros, and export it.

    Its files compress better. The new model is saved in OUTPUT too. It has its own identity and
    does not decode streams of MODEL.

    Exit codes: 0, success; 1, failure; 2, wrong usage.
    """
    _optimize(Pruning(sparsity), **arguments)


def _optimize(
    constraint: Pruning | Clustering,
    model: str,
    output: Path,
    data: tuple[str, ...],
    fine_tuning: FineTuning,
    options: ExportOptions,
    quiet: bool,
) -> None:
    """Optimises a model, saves it in the output folder and exports it."""
    if fine_tuning.steps and not data:
        raise click.UsageError("give --data to fine-tune on, or --fine-tune-steps 0")
    source, target = find_model(model), ModelFolder(output)
    if output.resolve() == source.path.resolve() or target.is_training_run:
        raise click.UsageError(
            f"{output} holds a trained model, which this would replace; give another OUTPUT"
        )
    exporter = _open(source, target, options)
    from tfrnnc.data import JoinedImages, open_images

    images = JoinedImages([open_images(place) for place in data]) if fine_tuning.steps else []
    done = exporter.optimize(constraint, images, fine_tuning, quiet=quiet)
    if not quiet:
        shown = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in done.items())
        echo(f"{target.weights_path}: {shown}")
    _write(exporter, options, quiet)


def _open(source: ModelFolder, target: ModelFolder, options: ExportOptions) -> Exporter:
    """Loads what will be exported.

    Raises:
        click.UsageError: if the options do not fit each other.
    """
    if options.target != "tflite" and options.quantize != "none":
        raise click.UsageError(
            f"--quantize is for --target tflite; {options.target} files stay float32"
        )
    if (options.quantize == "int8") != (options.calibration is not None):
        raise click.UsageError("--calibration FOLDER is needed for --quantize int8, and only there")
    with native_messages_held_back():
        require_tensorflow()
    # Imported late: TensorFlow takes seconds, and --help needs none of it.
    from tfrnnc.export.exporter import Exporter

    return Exporter(source, target, options)


def _write(exporter: Exporter, options: ExportOptions, quiet: bool) -> None:
    """Writes the files, and reports them."""
    with native_messages_held_back():
        exported = exporter.write()
    if quiet:
        return
    unit = "bytes of weights" if options.target == "savedmodel" else "bytes"
    for file in exported.files:
        echo(f"{file.path}: {file.size_bytes:,} {unit}")
    if exported.parity:
        echo(_describe_parity(exported.parity))


def _describe_parity(parity: dict[str, Any]) -> str:
    """How the files compare with Keras, for people."""
    bits = parity["bits_per_iteration"] * len(parity["bits_differing"])
    return (
        f"compared with Keras on {parity['images']} images: {sum(parity['bits_differing'])} bits "
        f"of {bits:,} differ, the picture by {parity['max_difference']:.1e} at most; "
        f"{max(parity['psnr_lost']):.3f} dB lost at the worst iteration"
    )
