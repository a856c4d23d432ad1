"""`tfrnnc-decode`."""

from __future__ import annotations

import io
from pathlib import Path

import click
from PIL import Image

from tfrnnc.bitstream.container import MAX_PIXELS
from tfrnnc.cli.common import (
    STANDARD,
    OutputError,
    command,
    display,
    pair_paths,
    read_input,
    run_all,
    runtime_options,
    write_output,
)
from tfrnnc.codec.select import CodecSelector
from tfrnnc.model_folder.presets import model_folder


@command()
@click.argument("paths", nargs=-1, required=True, metavar="INPUT [OUTPUT]")
@click.option(
    "-d",
    "--output-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Decompress every path given into this folder, as PNG.",
)
@click.option(
    "--model",
    help="A preset, or a folder that tfrnnc-train wrote; else the preset that the file names.",
)
@click.option("--iterations", type=click.IntRange(1), help="Decode this many iterations only.")
@click.option("--partial", is_flag=True, help="Decode what is there of a file that was cut.")
@click.option(
    "--max-pixels",
    type=click.IntRange(1),
    default=MAX_PIXELS,
    show_default=True,
    help="Refuse larger images.",
)
@runtime_options
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="Report errors only.")
def main(
    paths, output_dir, model, runtime, threads, iterations, partial, max_pixels, as_json, quiet
):
    """Decompress .rnnc files to pictures.

    INPUT is a .rnnc file, or - for standard input. OUTPUT's extension tells the format (.png,
    .jpg, .webp and others); - writes a PNG to standard output; left out, it is a PNG named
    after the input. As that may be the name of the original, a file that is there already is
    written over only where OUTPUT or --output-dir is given.

    Exit codes: 0, all went well; 1, something failed; 2, the command was not understood.
    """
    Image.init()
    formats = {name for name, kind in Image.EXTENSION.items() if kind in Image.SAVE}
    formats.discard(".rnnc")  # where tfrnnc.pillow_plugin is imported
    pairs = pair_paths(
        paths,
        output_dir,
        ".png",
        lambda path: path == STANDARD or Path(path).suffix.lower() in formats,
    )
    if model:
        model_folder(model)  # Fails now rather than once for each input.
    select = CodecSelector(model, runtime, threads)
    named_after_input = output_dir is None and len(paths) == 1 and paths[0] != STANDARD

    def work(source: str, output: str) -> dict:
        data = read_input(source)
        if named_after_input and Path(output).exists():
            raise OutputError(
                f"{output}: is there already, and may be the original; "
                "to write over it, give it as OUTPUT"
            )
        codec = select(data)
        picture = codec.decode(data, iterations, allow_truncated=partial, max_pixels=max_pixels)
        encoded = io.BytesIO()
        suffix = ".png" if output == STANDARD else Path(output).suffix.lower()
        Image.fromarray(picture).save(encoded, Image.EXTENSION[suffix])
        write_output(output, encoded.getvalue())
        height, width, _ = picture.shape
        return {
            "input": source,
            "output": output,
            "width": width,
            "height": height,
            "bytes": len(data),
            "bpp": round(8 * len(data) / (height * width), 4),
        }

    def describe(fact: dict) -> str:
        return (
            f"{display(fact['input'])} ({fact['bytes']:,} bytes, {fact['bpp']:.3f} bpp) "
            f"-> {display(fact['output'], 'standard output')}: {fact['width']}x{fact['height']}"
        )

    run_all(pairs, work, describe, as_json, quiet)
