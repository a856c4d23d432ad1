"""`tfrnnc-export`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import numpy as np

from tfrnnc.backend import require_tensorflow
from tfrnnc.cli.common import command
from tfrnnc.cli.options import (
    CommandWithModes,
    FunctionOrCommand,
    ModelName,
    folder_path,
    option_group,
)
from tfrnnc.cli.start import native_messages_held_back
from tfrnnc.model_folder.model_folder import ModelFolder
from tfrnnc.model_folder.presets import find_model

if TYPE_CHECKING:
    from tfrnnc.models import ResidualCodec

CALIBRATION_IMAGES = 50  #: at most
CALIBRATION_SIZE = (64, 64)  #: in pixels, for files that take any size

exporting = option_group("Files")
comparing = option_group("Comparison with Keras")
optimizing = option_group("Optimisation")
tuning = option_group("Fine-tuning, as the model was trained")


def file_options(function: FunctionOrCommand) -> FunctionOrCommand:
    """Adds MODEL, OUTPUT and the options for TFLite files, which are alike for all modes."""
    for decorate in reversed(
        (
            click.argument("model", type=ModelName()),
            click.argument("output", type=folder_path()),
            exporting(
                "--size",
                default="any",
                show_default=True,
                metavar="HxW",
                help="Height and width of the images in pixels, or any.",
            ),
            exporting(
                "--quantize",
                type=click.Choice(["none", "float16", "weights", "dynamic", "int8"]),
                default="none",
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
        )
    ):
        function = decorate(function)
    return function


def optimization_options(function: FunctionOrCommand) -> FunctionOrCommand:
    """Adds what the modes that change weights share."""
    for decorate in reversed(
        (
            tuning(
                "--data",
                multiple=True,
                help="A folder of images, or tfds:NAME, to fine-tune on; may be repeated.",
            ),
            tuning(
                "--fine-tune-steps",
                type=click.IntRange(0),
                default=500,
                show_default=True,
                help="Batches; 0 needs no --data.",
            ),
            tuning(
                "--min-downscale",
                type=click.IntRange(1),
                default=1,
                show_default=True,
                help="See tfrnnc-train.",
            ),
            tuning(
                "--ssim-weight",
                type=click.FloatRange(0),
                default=0.0,
                show_default=True,
                help="See tfrnnc-train.",
            ),
            tuning("--seed", type=click.IntRange(0), default=0, show_default=True),
        )
    ):
        function = decorate(function)
    return function


class Export(NamedTuple):
    """What is exported, where to, and how; checked as far as that takes no TensorFlow.

    Attributes:
        source: the folder of the model.
        target: the folder for the files.
        pixels: height and width, or None for any.
        quantize: as `tfrnnc.export.tflite.export_tflite` takes it.
        calibration, images: folders of images, if given.
        say: prints a line.
    """

    source: ModelFolder
    target: ModelFolder
    pixels: tuple[int, int] | None
    quantize: str
    calibration: Path | None
    images: Path | None
    say: Callable[[str], None]

    def load(self) -> ResidualCodec:
        """The model, a `tfrnnc.models.ResidualCodec`."""
        with native_messages_held_back():
            require_tensorflow()
        # Imported late: TensorFlow takes seconds, and --help needs none of it.
        from tfrnnc.model_folder.keras_model import load_model

        return load_model(self.source)

    def write_tflite(
        self, trained: ResidualCodec, change: Callable[[], dict[str, Any]] | None = None
    ) -> None:
        """Writes TFLite files, compares them with Keras, and reports.

        Args:
            trained: the model.
            change: changes the model in place before, and returns the settings of that. All that
                can be refused is looked at first.
        """
        from tfrnnc.export.parity import record_parity
        from tfrnnc.export.tflite import export_tflite

        compared = self._compared_images(trained)
        calibrating: Sequence[np.ndarray] = ()
        if self.calibration:
            usable = images_of_size(self.calibration, self.pixels or CALIBRATION_SIZE)
            calibrating = usable[:: -(-len(usable) // CALIBRATION_IMAGES)]
        settings = change() if change else None
        with native_messages_held_back():
            manifest = export_tflite(
                trained, self.target.path, self.pixels, self.quantize, calibrating
            )
            manifest = replace(manifest, optimization=settings or {})
            manifest = record_parity(manifest, trained, self.target.path, compared)
        elsewhere = self.source.path.resolve() != self.target.path.resolve()
        if change is None and elsewhere and self.source.copy_entropy_model(self.target):
            size_bytes = self.target.entropy_model_path.stat().st_size
            self.say(f"{self.target.entropy_model_path}: {size_bytes:,} bytes")
        for file in (*manifest.encoders, *manifest.decoders):
            self.say(f"{self.target.path / file.name}: {file.size_bytes:,} bytes")
        self.say(_describe_parity(manifest.parity))

    def write_saved_models(self, trained: ResidualCodec) -> None:
        """Writes SavedModels of the model, and reports."""
        from tfrnnc.export.saved_model import export_saved_models

        with native_messages_held_back():
            iterations = export_saved_models(trained, self.target.path, self.pixels)
        for iteration in iterations:
            self.say(f"{iteration.folder}: {iteration.weights_bytes:,} bytes of weights")

    def write_onnx(self, trained: ResidualCodec) -> None:
        """Writes ONNX files of the model, compares them with Keras, and reports."""
        from tfrnnc.export.onnx_files import export_onnx
        from tfrnnc.export.parity import compare_with_keras
        from tfrnnc.runtimes.onnx_runtime import OnnxRuntime

        compared = self._compared_images(trained)
        for path in export_onnx(trained, self.target.path, self.pixels):
            self.say(f"{path}: {path.stat().st_size:,} bytes")
        parity = compare_with_keras(trained, OnnxRuntime(self.target.path), compared)
        self.say(_describe_parity(parity))

    def _compared_images(self, trained: ResidualCodec) -> Sequence[np.ndarray]:
        """The images that files are compared with Keras on."""
        if self.images:
            return images_of_size(self.images, self.pixels)
        return _noise(self.pixels, trained.stride)


@command(cls=CommandWithModes)
@file_options
@exporting(
    "--target",
    type=click.Choice(["tflite", "savedmodel", "onnx"]),
    default="tflite",
    show_default=True,
)
def main(target: str, **options: Any) -> None:
    """Export MODEL, a preset or a trained model's folder, into the folder OUTPUT.

    One iteration of the encoder and one of the decoder become a file each, encoder_1 and decoder_1,
    with their states as inputs and outputs; a model with distinct weights has a pair for each
    iteration. TFLite files come with manifest.json, which has their sizes, hashes and tensors, and
    how they compare with Keras. ONNX files describe the model in their metadata.

    Exit codes: 0, success; 1, failure; 2, wrong usage.
    """
    export = _checked(**options)
    if target != "tflite" and export.quantize != "none":
        raise click.UsageError(f"--quantize is for --target tflite; {target} files stay float32")
    trained = export.load()
    match target:
        case "tflite":
            export.write_tflite(trained)
        case "savedmodel":
            export.write_saved_models(trained)
        case _:
            export.write_onnx(trained)


@main.add_mode
@command(name="cluster")
@file_options
@optimizing(
    "--clusters",
    type=click.IntRange(2, 256),
    default=16,
    show_default=True,
    help="Values in a kernel.",
)
@optimization_options
def cluster(clusters: int, **options: Any) -> None:
    """Make another model whose kernels have a few values, and export it.

    Its files compress better. The new model is saved in OUTPUT too. It has its own identity and
    does not decode streams of MODEL.

    Exit codes: 0, success; 1, failure; 2, wrong usage.
    """
    _optimize("cluster", {"clusters": clusters}, **options)


@main.add_mode
@command(name="prune")
@file_options
@optimizing(
    "--sparsity",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.5,
    show_default=True,
    help="Share of zeros in a kernel.",
)
@optimization_options
def prune(sparsity: float, **options: Any) -> None:
    """Make another model whose kernels are mostly zeros, and export it.

    Its files compress better. The new model is saved in OUTPUT too. It has its own identity and
    does not decode streams of MODEL.

    Exit codes: 0, success; 1, failure; 2, wrong usage.
    """
    _optimize("prune", {"sparsity": sparsity}, **options)


def _checked(model: str, output: Path, size: str, quiet: bool, **options: Any) -> Export:
    """What the options for files ask for.

    Raises:
        click.UsageError: if they do not fit each other.
        ModelError: if there is no such model.
    """
    pixels = _parse_size(size)
    if (options["quantize"] == "int8") != (options["calibration"] is not None):
        raise click.UsageError("--calibration FOLDER is needed for --quantize int8, and only there")
    say = _silence if quiet else click.echo
    return Export(find_model(model), ModelFolder(output), pixels, say=say, **options)


def _optimize(
    method: str,
    settings: dict[str, Any],
    data: tuple[str, ...],
    fine_tune_steps: int,
    **options: Any,
) -> None:
    """Optimises a model, saves it in the output folder and exports it."""
    trained_with = {name: options.pop(name) for name in ("min_downscale", "ssim_weight", "seed")}
    if fine_tune_steps and not data:
        raise click.UsageError("give --data to fine-tune on, or --fine-tune-steps 0")
    export = _checked(**options)
    output = export.target.path
    if output.resolve() == export.source.path.resolve() or export.target.is_training_run:
        raise click.UsageError(
            f"{output} holds a trained model, which this would replace; give another OUTPUT"
        )
    trained = export.load()
    from tfrnnc.data import JoinedImages, open_images
    from tfrnnc.export.saved_model import check_size
    from tfrnnc.model_folder.keras_model import save_model
    from tfrnnc.training.weight_optimization import (
        Clustering,
        Pruning,
        fine_tuning,
        optimize_weights,
    )

    check_size(trained, export.pixels)
    recipe = fine_tuning(fine_tune_steps, **trained_with)

    def change() -> dict[str, Any]:
        images = JoinedImages([open_images(place) for place in data]) if recipe else []
        constraint = Pruning(**settings) if method == "prune" else Clustering(**settings)
        done = optimize_weights(trained, constraint, images, recipe, quiet=options["quiet"])
        save_model(trained, output)
        shown = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in done.items())
        export.say(f"{export.target.weights_path}: {shown}")
        return done

    export.write_tflite(trained, change)


def _describe_parity(parity: dict[str, Any]) -> str:
    """How the files compare with Keras, for people."""
    bits = parity["bits_per_iteration"] * len(parity["bits_differing"])
    return (
        f"compared with Keras on {parity['images']} images: {sum(parity['bits_differing'])} bits "
        f"of {bits:,} differ, the picture by {parity['max_difference']:.1e} at most; "
        f"{max(parity['psnr_lost']):.3f} dB lost at the worst iteration"
    )


def _silence(line: str) -> None:
    """Says nothing."""


def _parse_size(size: str) -> tuple[int, int] | None:
    if size == "any":
        return None
    match = re.fullmatch(r"(\d+)x(\d+)", size, re.ASCII)
    if not match:
        raise click.UsageError(f"--size must be like 32x32 (height x width), not {size!r}")
    return int(match[1]), int(match[2])


def _noise(size: tuple[int, int] | None, stride: int) -> list[np.ndarray]:
    height, width = size or (4 * stride, 6 * stride)
    return list(np.random.default_rng(0).integers(0, 256, (4, height, width, 3), np.uint8))


def images_of_size(folder: Path, size: tuple[int, int] | None) -> Sequence[np.ndarray]:
    """The images in a folder; those that are large enough, cut to the size, if one is given."""
    from tfrnnc.data import FolderImages

    images = FolderImages(folder)
    if size is None:
        return images
    height, width = size
    cut = [
        image[(image.shape[0] - height) // 2 :, (image.shape[1] - width) // 2 :][:height, :width]
        for image in images
        if image.shape[0] >= height and image.shape[1] >= width
    ]
    if not cut:
        raise click.UsageError(f"{folder} has no image of {height}x{width} pixels or more")
    return cut
