"""`tfrnnc-decode`."""

from __future__ import annotations

import functools
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from PIL import Image

from tfrnnc.bitstream import read_header
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
    work_limit_options,
    write_output,
    write_rows,
)
from tfrnnc.cli.file_tasks import Fact, FileTask, Loaded, display
from tfrnnc.cli.options import ModelName, gathered, option_group
from tfrnnc.cli.standard_streams import OutputError
from tfrnnc.codec import Codec
from tfrnnc.codec.calls import ITEM_ERRORS
from tfrnnc.codec.select import CodecSelector
from tfrnnc.codec.strips import MAX_PIXELS_AT_ONCE
from tfrnnc.image_rows import WRITTEN, find_vips

SUFFIX = ".rnnc"

FORMATS = (".png", ".avif", ".bmp", ".jp2", ".jpeg", ".jpg", ".ppm", ".tif", ".tiff", ".webp")
"""Extensions of the formats that hold a picture of any size and all of its colours."""

WHAT = "What is decoded"
what = option_group(WHAT)


@dataclass(kw_only=True)
class DecodeTask(FileTask):
    """Decompresses streams.

    Attributes:
        iterations, allow_truncated, max_pixels, max_work: as for `Codec.decode`.
    """

    iterations: int | None
    allow_truncated: bool
    max_pixels: int
    max_work: int

    @functools.cached_property
    def select(self) -> CodecSelector:
        """What finds the codec of a stream."""
        return CodecSelector(self.model, self.runtime, self.threads, self.arithmetic)

    def load(self, source: str, output: str) -> Loaded:
        """Reads a stream."""
        data = read_input(source)
        codec = self.select(data)
        pixels = read_header(data)[0].padded_pixels(codec.spec.stride)
        return Loaded(source, output, (codec, data), pixels, len(data))

    def compute(self, batch: Sequence[Loaded]) -> Sequence[Any]:
        """The pictures of streams."""
        results: dict[int, Any] = {}
        by_codec: dict[int, list[int]] = {}
        for number, loaded in enumerate(batch):
            if self._goes_row_by_row(loaded):
                results[number] = self._rows_of(loaded)
                continue
            by_codec.setdefault(id(loaded.content[0]), []).append(number)
        for numbers in by_codec.values():
            codec: Codec = batch[numbers[0]].content[0]
            streams = [batch[number].content[1] for number in numbers]
            pictures = codec.decode_batch(streams, self.iterations, **self._wanted)
            results.update(zip(numbers, pictures, strict=True))
        return [results[number] for number in range(len(batch))]

    def _goes_row_by_row(self, loaded: Loaded) -> bool:
        """Whether a picture is decoded while it is written, so that it is never whole in memory."""
        suffix = Path(loaded.output).suffix.lower()
        is_large = loaded.pixels > MAX_PIXELS_AT_ONCE
        return is_large and suffix in WRITTEN and find_vips() is not None

    def _rows_of(self, loaded: Loaded) -> Iterator[np.ndarray] | Exception:
        """The rows of a picture, or what is wrong with its stream."""
        codec, data = loaded.content
        try:
            rows: Iterator[np.ndarray] = codec.decode_rows(data, self.iterations, **self._wanted)
        except ITEM_ERRORS as error:
            return error
        return rows

    def save(self, loaded: Loaded, result: np.ndarray | Iterator[np.ndarray]) -> dict[str, Any]:
        """Writes a picture."""
        header = read_header(loaded.content[1])[0]
        width, height = header.width, header.height
        fact = {
            "input": loaded.source,
            "output": loaded.output,
            "width": width,
            "height": height,
            "bytes": loaded.size_bytes,
            "bpp": round(8 * loaded.size_bytes / (height * width), 4),
        }
        if self.allow_truncated:
            codec, data = loaded.content
            planes = codec.read_planes(data, self.iterations, **self._wanted)
            fact["iterations"] = planes.header.iterations
            fact["whole_iterations"] = planes.whole_iterations
        # Last, so that Ctrl-C does not come between what is written and what is reported.
        if isinstance(result, np.ndarray):
            write_output(loaded.output, _to_file(result, loaded.output))
        else:
            write_rows(loaded.output, result, width, height)
        return fact

    @property
    def _wanted(self) -> dict[str, Any]:
        names = ("allow_truncated", "max_pixels", "max_work")
        return {name: getattr(self, name) for name in names}


_model_option = option_group("Model")(
    "--model",
    type=ModelName(),
    help="A preset, a folder that tfrnnc-train wrote, or hf://OWNER/NAME (default: the "
    "preset that the file names).",
)


@dataclass(frozen=True)
class DecodeOptions:
    """What is decoded of a stream.

    Attributes:
        iterations, max_pixels, max_work: as for `Codec.decode`.
        partial: its `allow_truncated`.
    """

    iterations: int | None
    partial: bool
    max_pixels: int
    max_work: int


_decode_options = gathered(
    DecodeOptions,
    "wanted",
    what("--iterations", type=click.IntRange(1), help="Decode at most this many iterations."),
    what("--partial", is_flag=True, help="Decode whatever has arrived of a file that was cut."),
    *work_limit_options(WHAT),
)


@command()
@input_paths
@file_options("Decompress")
@model_options(_model_option)
@_decode_options
@report_options()
def main(
    paths: tuple[str, ...],
    files: FileOptions,
    models: ModelOptions,
    wanted: DecodeOptions,
    report: Report,
) -> None:
    """Decompress .rnnc files to pictures.

    INPUT is a .rnnc file, or - for standard input. The extension of OUTPUT sets the format: .png,
    .avif, .bmp, .jp2, .jpg, .ppm, .tif or .webp; - writes a PNG to standard output. Without OUTPUT,
    or with --output-dir, the picture is a PNG named after the input. An existing file is not
    overwritten, as it may be the original. A file that fails is reported, and the others are still
    done.

    Exit codes: 0, success; 1, failure; 2, wrong usage.
    """
    known = Image.registered_extensions()
    formats = [suffix for suffix in FORMATS if known.get(suffix) in Image.SAVE]
    selection = files.select(paths, [SUFFIX], formats)
    task = DecodeTask(
        **files.settings(selection),
        **models.settings(files.jobs),
        iterations=wanted.iterations,
        allow_truncated=wanted.partial,
        max_pixels=wanted.max_pixels,
        max_work=wanted.max_work,
    )
    task.start()  # Fails now rather than once for each input.
    task.select  # noqa: B018  (loads the model, if one is named)
    run_task(task, selection, files.jobs, report, _describe)


def _describe(fact: Fact) -> str:
    """What is told of a file, in a line."""
    return (
        f"{display(fact['input'])} ({fact['bytes']:,} bytes, {fact['bpp']:.3f} bpp) "
        f"-> {display(fact['output'], 'standard output')}: {fact['width']}x{fact['height']}"
        f"{_describe_iterations(fact)}"
    )


def _describe_iterations(fact: Fact) -> str:
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
    # `Image.EXTENSION` is empty in the processes of --jobs, until something asks Pillow for more.
    kind = Image.registered_extensions()[suffix] if suffix in FORMATS else "PNG"
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
