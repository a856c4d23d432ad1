"""`tfrnnc-export`."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import click
import numpy as np

from tfrnnc.backend import require_tensorflow
from tfrnnc.cli.common import command
from tfrnnc.files import replacing
from tfrnnc.model_folder.file_names import ENTROPY_MODEL_FILE, SETTINGS_FILE
from tfrnnc.model_folder.presets import model_folder

CALIBRATION_IMAGES = 50  #: at most
CALIBRATION_SIZE = (64, 64)  #: in pixels, for files that take any size


@command()
@click.argument("model")
@click.argument("output", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--target", type=click.Choice(["tflite", "savedmodel"]), default="tflite", show_default=True
)
@click.option(
    "--size",
    default="any",
    show_default=True,
    metavar="HxW",
    help="Height and width of the images in pixels, or any.",
)
@click.option(
    "--quantize",
    type=click.Choice(["none", "float16", "weights", "dynamic", "int8"]),
    default="none",
    show_default=True,
    help="Store weights in 16 or 8 bits. With float16 and weights a client still computes in "
    "float32; dynamic and int8 compute in 8 bits, faster and less exactly.",
)
@click.option(
    "--calibration",
    type=click.Path(file_okay=False, path_type=Path),
    help="For --quantize int8: a folder of images like those that will be encoded.",
)
@click.option(
    "--images",
    type=click.Path(file_okay=False, path_type=Path),
    help="Compare the TFLite files with Keras on the images in this folder; else on noise.",
)
@click.option(
    "--optimize",
    type=click.Choice(["none", "cluster", "prune"]),
    default="none",
    show_default=True,
    help="Make another model whose files compress better: its kernels have a few values only, or "
    "are mostly zeros.",
)
@click.option(
    "--data",
    multiple=True,
    help="A folder of images, or tfds:NAME, for --optimize to fine-tune on; may be repeated.",
)
@click.option(
    "--fine-tune-steps",
    type=click.IntRange(0),
    default=500,
    show_default=True,
    help="Batches that --optimize takes; 0 needs no --data.",
)
@click.option(
    "--min-downscale",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="As the model was trained with; see tfrnnc-train.",
)
@click.option(
    "--ssim-weight",
    type=click.FloatRange(0),
    default=0.0,
    show_default=True,
    help="As the model was trained with; see tfrnnc-train.",
)
@click.option(
    "--sparsity",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.5,
    show_default=True,
    help="Share of zeros for --optimize prune.",
)
@click.option(
    "--clusters",
    type=click.IntRange(2, 256),
    default=16,
    show_default=True,
    help="Values in a kernel for --optimize cluster.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def main(
    model, output, target, size, quantize, calibration, images, optimize, quiet, **optimization
):
    """Export MODEL, a preset or a trained model's folder, into the folder OUTPUT.

    One iteration of the encoder and one of the decoder become a file each, encoder_1 and decoder_1,
    with their states as inputs and outputs; a model with distinct weights has a pair for each
    iteration. TFLite files come with manifest.json: their sizes, hashes and tensors, and how they
    compare with Keras, as measured. An optimised model is kept there too, with its own identity.

    Exit codes: 0, all went well; 1, something failed; 2, the command was not understood.
    """
    say = _silence if quiet else click.echo
    pixels = _parse_size(size)
    if (quantize == "int8") != (calibration is not None):
        raise click.UsageError("--calibration FOLDER is needed for --quantize int8, and only there")
    if target == "savedmodel" and quantize != "none":
        raise click.UsageError("--quantize is for --target tflite; SavedModels stay float32")
    folder = model_folder(model)
    if optimize == "none" and optimization["data"]:
        raise click.UsageError("--data is for --optimize cluster or prune; --images compares")
    if optimize != "none":
        if optimization["fine_tune_steps"] and not optimization["data"]:
            raise click.UsageError("--optimize needs --data, or --fine-tune-steps 0")
        if output.resolve() == folder.resolve() or (output / SETTINGS_FILE).exists():
            raise click.UsageError(
                f"{output} holds a trained model, which --optimize would replace; "
                "give another OUTPUT"
            )
    require_tensorflow()
    # Imported late: TensorFlow takes seconds, and --help needs none of it.
    from tfrnnc.export.parity import export_measured
    from tfrnnc.export.saved_model import check_size, export_saved_models
    from tfrnnc.model_folder.keras_model import load_model

    trained = load_model(folder)
    # All that can be refused is looked at before minutes go into fine-tuning.
    compared = images_of_size(images, pixels) if images else _noise(pixels, trained.stride)
    calibrating: Sequence[np.ndarray] = ()
    if calibration:
        usable = images_of_size(calibration, pixels or CALIBRATION_SIZE)
        calibrating = usable[:: -(-len(usable) // CALIBRATION_IMAGES)]
    optimized = None
    if optimize != "none":
        check_size(trained, pixels)
        optimized = _optimize(trained, optimize, output, say, quiet, **optimization)
    if target == "savedmodel":
        for iteration in export_saved_models(trained, output, pixels):
            say(f"{iteration.folder}: {iteration.weights_bytes:,} bytes of weights")
        return
    manifest = export_measured(trained, output, compared, pixels, quantize, calibrating, optimized)
    if optimized is None and folder.resolve() != output.resolve():
        copy_entropy_model(folder, output, say)
    parity = manifest.parity
    for file in (*manifest.encoders, *manifest.decoders):
        say(f"{output / file.name}: {file.size_bytes:,} bytes")
    say(
        f"compared with Keras on {parity['images']} images: {sum(parity['bits_differing'])} bits "
        f"of {parity['bits_per_iteration'] * len(parity['bits_differing']):,} differ, the picture "
        f"by "
        f"{parity['max_difference']:.1e} at most; "
        f"{max(parity['psnr_lost']):.3f} dB lost at the worst iteration"
    )


def _silence(line: str) -> None:
    """Says nothing."""


def copy_entropy_model(folder: Path, output: Path, say: Callable[[str], None] = click.echo) -> None:
    """Copies a model's entropy model, if it has one, to where its TFLite files are."""
    if (folder / ENTROPY_MODEL_FILE).is_file():
        with replacing(output / ENTROPY_MODEL_FILE) as temporary:
            shutil.copyfile(folder / ENTROPY_MODEL_FILE, temporary)
        say(
            f"{output / ENTROPY_MODEL_FILE}: {(output / ENTROPY_MODEL_FILE).stat().st_size:,} bytes"
        )


def _optimize(
    model, method, output, say, quiet, data, sparsity, clusters, fine_tune_steps, **recipe
):
    """Optimises the model in place and saves it in the folder; returns the settings."""
    from tfrnnc.data import JoinedImages, open_images
    from tfrnnc.model_folder.file_names import WEIGHTS_FILE
    from tfrnnc.model_folder.keras_model import save_model
    from tfrnnc.training.weight_optimization import fine_tuning, optimize_weights

    fine_tuned = fine_tuning(fine_tune_steps, **recipe)
    images = JoinedImages([open_images(place) for place in data]) if fine_tuned else []
    optimization = optimize_weights(
        model, method, images, fine_tuned, sparsity=sparsity, clusters=clusters, quiet=quiet
    )
    save_model(model, output)
    done = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in optimization.items())
    say(f"{output / WEIGHTS_FILE}: {done}")
    return optimization


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
