"""`tfrnnc-decode`."""

from __future__ import annotations

import io
from pathlib import Path

import click
import numpy as np
from PIL import Image

from tfrnnc.bitstream.constants import MAX_PIXELS, MAX_WORK
from tfrnnc.cli.common import (
    OutputError,
    command,
    display,
    overwrite_option,
    pair_paths,
    read_input,
    require_new,
    run_all,
    runtime_options,
    write_output,
)
from tfrnnc.cli.options import FileName, ModelName, option_group
from tfrnnc.cli.start import start_runtime
from tfrnnc.codec.select import CodecSelector

FORMATS = (".png", ".avif", ".bmp", ".jp2", ".jpeg", ".jpg", ".ppm", ".tif", ".tiff", ".webp")
"""Extensions of the formats that hold a picture of any size and all of its colours."""

files = option_group("Files")
models = option_group("Model")
what = option_group("What is decoded")


@command()
@click.argument("paths", nargs=-1, required=True, metavar="INPUT [OUTPUT]", type=FileName())
@files(
    "-d",
    "--output-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Decompress every path given into this folder, as PNG.",
)
@models(
    "--model",
    type=ModelName(),
    help="A preset, or a folder that tfrnnc-train wrote; else the preset that the file names.",
)
@what("--iterations", type=click.IntRange(1), help="Decode these many iterations at most.")
@what("--partial", is_flag=True, help="Decode what is there of a file that was cut.")
@what(
    "--max-pixels",
    type=click.IntRange(1),
    default=MAX_PIXELS,
    show_default=True,
    help="Refuse larger images, padded to the model's stride.",
)
@what(
    "--max-work",
    type=click.IntRange(1),
    default=MAX_WORK,
    show_default=True,
    help="Refuse more pixels times iterations.",
)
@overwrite_option
@runtime_options
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="Report errors only.")
def main(paths, output_dir, model, overwrite, runtime, threads, as_json, quiet, **limits):
    """Decompress .rnnc files to pictures.

    INPUT is a .rnnc file, or - for standard input. OUTPUT's extension tells the format: .png,
    .avif, .bmp, .jp2, .jpg, .ppm, .tif or .webp; - writes a PNG to standard output; left out, or
    with --output-dir, it is a PNG named after the input. As that may be the name of the original,
    a file that is there already is not written over.

    Exit codes: 0, all went well; 1, something failed; 2, the command was not understood.
    """
    Image.init()
    formats = [suffix for suffix in FORMATS if Image.EXTENSION.get(suffix) in Image.SAVE]
    pairs = pair_paths(paths, output_dir, formats)
    start_runtime(model, runtime)  # Fails now rather than once for each input.
    select = CodecSelector(model, runtime, threads)
    iterations, partial = limits["iterations"], limits["partial"]
    wanted = {"allow_truncated": partial} | {
        name: limits[name] for name in ("max_pixels", "max_work")
    }
    named_by_user = output_dir is None and len(paths) == 2

    def work(source: str, output: str) -> dict:
        data = read_input(source)
        if not (named_by_user or overwrite):
            require_new(output)
        codec = select(data)
        picture = codec.decode(data, iterations, **wanted)
        write_output(output, _to_file(picture, output))
        height, width, _ = picture.shape
        fact = {
            "input": source,
            "output": output,
            "width": width,
            "height": height,
            "bytes": len(data),
            "bpp": round(8 * len(data) / (height * width), 4),
        }
        if partial:
            found = codec.read_planes(data, iterations, **wanted)
            fact["iterations"] = found.header.iterations
            fact["whole_iterations"] = found.whole_iterations
        return fact

    def describe(fact: dict) -> str:
        return (
            f"{display(fact['input'])} ({fact['bytes']:,} bytes, {fact['bpp']:.3f} bpp) "
            f"-> {display(fact['output'], 'standard output')}: {fact['width']}x{fact['height']}"
            f"{_describe_iterations(fact)}"
        )

    run_all(pairs, work, describe, as_json, quiet)


def _describe_iterations(fact: dict) -> str:
    """How much of the file there was, where it need not be whole."""
    if "iterations" not in fact:
        return ""
    return f", {fact['whole_iterations']} of {fact['iterations']} iterations were there"


def _to_file(picture: np.ndarray, output: str) -> bytes:
    """The content of a file in the format of an output's name; PNG where it has none.

    Raises:
        OutputError: if the format cannot hold the picture.
    """
    suffix = Path(output).suffix.lower()
    kind = Image.EXTENSION[suffix] if suffix in FORMATS else "PNG"
    file = io.BytesIO()
    try:
        Image.fromarray(picture).save(file, kind)
    except MemoryError:
        raise
    except Exception as error:  # Writers of formats raise whatever they come across.
        raise OutputError(
            f"{output}: cannot be written as {kind} ({error}); give an OUTPUT that ends in .png"
        ) from error
    return file.getvalue()
