"""`tfrnnc-encode`."""

from __future__ import annotations

import functools
import io
import logging
import math
import time
from pathlib import Path

import click

from tfrnnc.bitstream import read_header
from tfrnnc.cli.common import (
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
from tfrnnc.cli.encoding_options import (
    check_for_model,
    check_limits,
    encoding_options,
    needs_model,
)
from tfrnnc.cli.options import FileName, ModelName, option_group
from tfrnnc.cli.start import start_runtime
from tfrnnc.codec import load
from tfrnnc.errors import ImageError, StreamError
from tfrnnc.images import read_image
from tfrnnc.metrics import block_ssim, psnr
from tfrnnc.model_folder.presets import DEFAULT_PRESET

SUFFIX = ".rnnc"

files = option_group("Files")
models = option_group("Model")


def is_stream(content: bytes) -> bool:
    """Whether these are the bytes of a stream, of whatever model."""
    try:
        read_header(content)
    except StreamError:
        return False
    return True


@command()
@click.argument("paths", nargs=-1, required=True, metavar="INPUT [OUTPUT]", type=FileName())
@files(
    "-d",
    "--output-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Compress every path given into this folder.",
)
@models(
    "--model",
    type=ModelName(),
    default=DEFAULT_PRESET,
    show_default=True,
    help="A preset, or a folder that tfrnnc-train wrote.",
)
@encoding_options
@overwrite_option
@runtime_options
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="Report errors only.")
def main(
    paths, output_dir, model, overwrite, runtime, threads, as_json, quiet, background, **limits
):
    """Compress images.

    INPUT is an image file, or - for standard input. OUTPUT ends in .rnnc, or is - for standard
    output; left out, or with --output-dir, it is named after the input, and a file that is there
    already is not written over. Of inputs that differ in their extension only, the outputs keep it
    (a.png.rnnc). Colours are converted to sRGB. Without limits every iteration of the model is
    encoded. Limits can be combined; the tightest counts.

    Exit codes: 0, all went well; 1, something failed; 2, the command was not understood.
    """
    check_limits(limits, background)
    pairs = pair_paths(paths, output_dir, [SUFFIX])
    start_runtime(model, runtime)  # Fails now rather than once for each input.
    codec = functools.cache(lambda: load(model, runtime=runtime, threads=threads))
    if needs_model(limits):
        check_for_model(limits, codec())
    named_by_user = output_dir is None and len(paths) == 2
    for handler in logging.getLogger().handlers:
        handler.addFilter(_is_not_in_report)

    def work(source: str, output: str) -> dict:
        content = read_input(source)
        if is_stream(content):
            raise ImageError("a stream already; tfrnnc-decode makes a picture of it")
        if not (named_by_user or overwrite):
            require_new(output)
        pixels = read_image(io.BytesIO(content), background, display(source))
        coder = codec()
        start = time.perf_counter()
        encoded = coder.encode_with_picture(pixels, **limits)
        seconds = time.perf_counter() - start
        data, picture = encoded.data, encoded.picture
        write_output(output, data)
        height, width, _ = pixels.shape
        quality = psnr(pixels, picture)
        return {
            "input": source,
            "output": output,
            "width": width,
            "height": height,
            "input_bytes": len(content),
            "bytes": len(data),
            "bpp": round(8 * len(data) / (height * width), 4),
            "psnr": round(quality, 2) if math.isfinite(quality) else None,
            "ssim": round(block_ssim(pixels, picture), 4),
            "not_reached": [target.name for target in encoded.missed],
            "seconds": round(seconds, 3),
        }

    run_all(pairs, work, _describe, as_json, quiet)


def _describe(fact: dict) -> str:
    """What is told of a file, in a line."""
    quality = "lossless" if fact["psnr"] is None else f"{fact['psnr']:.2f} dB"
    line = (
        f"{display(fact['input'])} ({fact['width']}x{fact['height']}, "
        f"{fact['input_bytes']:,} bytes) -> {display(fact['output'], 'standard output')}: "
        f"{fact['bytes']:,} bytes, {fact['bpp']:.3f} bpp, PSNR {quality}, "
        f"SSIM {fact['ssim']:.3f}"
    )
    missed = " and ".join(fact["not_reached"])
    return f"{line} (the {missed} asked for is not reached)" if missed else line


def _is_not_in_report(record: logging.LogRecord) -> bool:
    """Leaves out what the codec logs of targets, which the report says with the file's name."""
    return not record.getMessage().startswith("no iteration reaches")
