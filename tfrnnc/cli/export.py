"""`tfrnnc-export`."""

from __future__ import annotations

import re
from pathlib import Path

import click
import numpy as np

from tfrnnc.cli.common import command
from tfrnnc.environment import require_tensorflow
from tfrnnc.presets import model_folder


@command()
@click.argument("model")
@click.argument("output", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--target", type=click.Choice(["tflite", "savedmodel"]), default="tflite", show_default=True
)
@click.option(
    "--size",
    default="dynamic",
    show_default=True,
    metavar="HxW",
    help="Height and width of the images in pixels, or dynamic.",
)
@click.option(
    "--images",
    type=click.Path(file_okay=False, path_type=Path),
    help="Compare the TFLite files with Keras on the images in this folder; else on noise.",
)
def main(model, output, target, size, images):
    """Export MODEL, a preset or a trained model's folder, into the folder OUTPUT.

    One step of the encoder and one of the decoder become a file each, encoder_1 and decoder_1,
    with their states as inputs and outputs; a model with distinct weights has a pair for each
    step. TFLite files come with manifest.json: their sizes, hashes and tensors, and how they
    compare with Keras, as measured.

    Exit codes: 0, all went well; 1, something failed; 2, the command was not understood.
    """
    pixels = _parse_size(size)
    folder = model_folder(model)
    require_tensorflow()
    # Imported late: TensorFlow takes seconds, and --help needs none of it.
    from tfrnnc.codec.parity import export_measured
    from tfrnnc.export.saved_model import export_saved_models
    from tfrnnc.models.model_files import load_model

    trained = load_model(folder)
    if target == "savedmodel":
        for step in export_saved_models(trained, output, pixels):
            click.echo(f"{step.folder}: {step.weights_bytes:,} bytes of weights")
        return
    compared = _parity_images(images, pixels, trained.stride)
    manifest = export_measured(trained, output, compared, pixels)
    parity = manifest.parity
    for file in (*manifest.encoders, *manifest.decoders):
        click.echo(f"{output / file.name}: {file.size_bytes:,} bytes")
    click.echo(
        f"compared with Keras on {parity['images']} images: {sum(parity['bits_differing'])} bits "
        f"of {parity['bits_per_step'] * len(parity['bits_differing']):,} differ, the picture by "
        f"{parity['max_difference']:.1e} at most"
    )


def _parse_size(size: str) -> tuple[int, int] | None:
    if size == "dynamic":
        return None
    match = re.fullmatch(r"(\d+)x(\d+)", size, re.ASCII)
    if not match:
        raise click.UsageError(f"--size must be like 32x32 (height x width), not {size!r}")
    return int(match[1]), int(match[2])


def _parity_images(folder: Path | None, size: tuple[int, int] | None, stride: int):
    if folder is None:
        height, width = size or (4 * stride, 6 * stride)
        return np.random.default_rng(0).integers(0, 256, (4, height, width, 3), np.uint8)
    from tfrnnc.data import FolderImages

    images = FolderImages(folder)
    if size is None:
        return images
    fitting = [image for image in images if image.shape[:2] == size]
    if not fitting:
        raise click.UsageError(f"{folder} has no image of {size[0]}x{size[1]} pixels")
    return fitting
