"""`tfrnnc-encode`."""

from __future__ import annotations

import functools
import io
import logging
import math
import os
import stat
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from tfrnnc.bitstream import read_header
from tfrnnc.bitstream.constants import MAX_PIXELS
from tfrnnc.cli.common import (
    FileOptions,
    ModelOptions,
    Report,
    command,
    file_options,
    input_paths,
    model_options,
    read_input,
    report_options,
    run_task,
    write_output,
)
from tfrnnc.cli.encoding_options import (
    check_for_model,
    check_limits,
    encoding_options,
    runtime_for,
)
from tfrnnc.cli.file_pairs import STANDARD
from tfrnnc.cli.file_tasks import Fact, FileTask, Loaded, display
from tfrnnc.codec import Codec, Encoded, load
from tfrnnc.codec.strips import MAX_PIXELS_AT_ONCE
from tfrnnc.errors import ImageError, StreamError
from tfrnnc.image_rows import open_rows
from tfrnnc.images import EXTENSIONS, read_image
from tfrnnc.metrics import block_ssim, psnr
from tfrnnc.model_folder.presets import DEFAULT_PRESET

SUFFIX = ".rnnc"
LARGE_FILE = 1 << 20  #: bytes; smaller ones are read whole, whatever they hold


def large_file_size(path: str) -> int:
    """The bytes of a file that may hold a large image; 0 for others."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return 0
    is_large = stat.S_ISREG(status.st_mode) and status.st_size >= LARGE_FILE
    return status.st_size if is_large and path != STANDARD else 0


def is_stream(content: bytes) -> bool:
    """Whether these are the bytes of a stream, of whatever model."""
    try:
        read_header(content)
    except StreamError:
        return False
    return True


@dataclass(kw_only=True)
class EncodeTask(FileTask):
    """Compresses images.

    Attributes:
        limits: keywords of `EncodeOptions`.
        background: the colour behind transparent images.
        measured: whether the quality is reported.
    """

    limits: dict[str, Any]
    background: str | None
    measured: bool

    @functools.cached_property
    def codec(self) -> Codec:
        """What encodes."""
        return load(
            self.model or DEFAULT_PRESET,
            runtime=self.runtime,
            threads=self.threads,
            arithmetic=self.arithmetic,
        )

    def start(self) -> None:
        """Makes a process ready."""
        super().start()
        for handler in logging.getLogger().handlers:
            handler.addFilter(_is_not_in_report)

    def load(self, source: str, output: str) -> Loaded:
        """Reads an image; a large one row by row while it is encoded."""
        most = self.limits.get("max_pixels", MAX_PIXELS)
        size = large_file_size(source)
        least = MAX_PIXELS_AT_ONCE
        rows = open_rows(source, self.background, most, least) if size else None
        if rows is not None:
            return Loaded(source, output, rows, rows.size // 3, size)
        content = read_input(source)
        if is_stream(content):
            raise ImageError("a stream already; tfrnnc-decode makes a picture of it")
        pixels = read_image(io.BytesIO(content), self.background, display(source), most)
        return Loaded(source, output, pixels, pixels[..., 0].size, len(content))

    def compute(self, batch: Sequence[Loaded]) -> Sequence[Any]:
        """The streams of images, each with the seconds that it took."""
        start = time.perf_counter()
        images = (loaded.content for loaded in batch)
        encoded = self.codec.encode_batch_with_pictures(images, **self.limits)
        seconds = (time.perf_counter() - start) / len(batch)
        return [each if isinstance(each, Exception) else (each, seconds) for each in encoded]

    def save(self, loaded: Loaded, result: tuple[Encoded, float]) -> dict[str, Any]:
        """Writes a stream."""
        encoded, seconds = result
        data, pixels = encoded.data, loaded.content
        height, width, _ = pixels.shape
        quality = psnr(pixels, encoded.picture) if self.measured else math.nan
        ssim = block_ssim(pixels, encoded.picture) if self.measured else math.nan
        # Last, so that Ctrl-C does not come between what is written and what is reported.
        write_output(loaded.output, data)
        return {
            "input": loaded.source,
            "output": loaded.output,
            "width": width,
            "height": height,
            "downscale": read_header(data)[0].downscale,
            "input_bytes": loaded.size_bytes,
            "bytes": len(data),
            "bpp": round(8 * len(data) / (height * width), 4),
            "psnr": round(quality, 2) if math.isfinite(quality) else None,
            "ssim": round(ssim, 4) if math.isfinite(ssim) else None,
            "not_reached": [target.name for target in encoded.missed],
            "seconds": round(seconds, 4),
        }


@command()
@input_paths
@file_options("Compress")
@model_options()
@encoding_options
@report_options()
def main(
    paths: tuple[str, ...],
    files: FileOptions,
    models: ModelOptions,
    report: Report,
    background: str | None,
    **limits: Any,
) -> None:
    """Compress images.

    INPUT is an image file, or - for standard input. OUTPUT ends in .rnnc, or is - for standard
    output. Without OUTPUT, or with --output-dir, the stream is named after the input, and an
    existing file is not overwritten. Inputs that differ only in their extension keep it
    (a.png.rnnc). A file that fails is reported, and the others are still done. Colours are
    converted to sRGB. Without limits every iteration of the model is encoded. Limits can be
    combined; the tightest counts.

    Exit codes: 0, success; 1, failure; 2, wrong usage.
    """
    check_limits(limits, background)
    models = replace(models, runtime=runtime_for(limits, models.runtime))
    selection = files.select(paths, EXTENSIONS, [SUFFIX])
    task = EncodeTask(
        **files.settings(selection),
        **models.settings(files.jobs),
        limits=limits,
        background=background,
        measured=report.as_json or not report.quiet,
    )
    task.start()  # Fails now rather than once for each input.
    check_for_model(limits, task.codec)
    run_task(task, selection, files.jobs, report, _describe)


def _describe(fact: Fact) -> str:
    """What is told of a file, in a line."""
    quality = "lossless" if fact["psnr"] is None else f"{fact['psnr']:.2f} dB"
    line = (
        f"{display(fact['input'])} ({fact['width']}x{fact['height']}, "
        f"{fact['input_bytes']:,} bytes) -> {display(fact['output'], 'standard output')}: "
        f"{fact['bytes']:,} bytes, {fact['bpp']:.3f} bpp, PSNR {quality}, "
        f"SSIM {fact['ssim']:.3f}"
    )
    if fact["downscale"] != 1:
        line += ", at half the resolution"
    missed = " and ".join(fact["not_reached"])
    return f"{line} (the {missed} asked for is not reached)" if missed else line


def _is_not_in_report(record: logging.LogRecord) -> bool:
    """Leaves out what the codec logs of targets, which the report says with the file's name."""
    return not record.getMessage().startswith("no iteration reaches")
