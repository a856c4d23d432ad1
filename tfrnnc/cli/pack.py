"""`tfrnnc-pack`."""

from __future__ import annotations

import functools
import json
import math
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import click
from tqdm import tqdm

from tfrnnc.cli.common import ModelOptions, Report, command, model_options, report_options
from tfrnnc.cli.encoding_options import (
    check_for_model,
    check_limits,
    encoding_options,
    needs_model,
    runtime_for,
)
from tfrnnc.cli.file_pairs import STANDARD
from tfrnnc.cli.file_tasks import display, start_logging
from tfrnnc.cli.options import FileName, gathered, option_group
from tfrnnc.cli.standard_streams import echo, read_standard_input
from tfrnnc.cli.start import start_runtime
from tfrnnc.codec import Codec, EncodeOptions, load
from tfrnnc.errors import DataError
from tfrnnc.model_folder.presets import DEFAULT_PRESET
from tfrnnc.pipelines import Shard, ShardReport, assign_to_shards, list_images, read_list
from tfrnnc.pipelines.arrow import import_arrow
from tfrnnc.pipelines.inputs import Item
from tfrnnc.pipelines.workers import EncodeSettings, encode_shards
from tfrnnc.processes import available_cpus

IMAGES_PER_SHARD = 2000  #: where the number of shards is not given

files = option_group("Files")
division_option = option_group("Division of the work")


_threads_option = option_group("Model")(
    "--threads",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="LiteRT threads of each process.",
)


@dataclass(frozen=True)
class Division:
    """How the work is divided.

    Attributes:
        shards: how many; None for one for each `IMAGES_PER_SHARD` images.
        jobs: processes; None for one per CPU.
        task_count: tasks of the array job that this is one of; None if it is alone.
        task_index: the number of this task, from 0.
    """

    shards: int | None
    jobs: int | None
    task_count: int | None
    task_index: int | None

    def __post_init__(self) -> None:
        if (self.task_count is None) != (self.task_index is None):
            raise click.UsageError("--task-count and --task-index are given together")
        if self.task_index is not None and self.task_index >= (self.task_count or 0):
            raise click.UsageError(
                f"--task-index must be below --task-count, which is {self.task_count}"
            )

    def numbers(self, count: int) -> range:
        """The numbers of this task's shards, of `count`."""
        if self.task_count is None or self.task_index is None:
            return range(count)
        return range(self.task_index, count, self.task_count)


@command()
@click.argument("source", metavar="INPUT", type=FileName())
@files(
    "-o",
    "--output",
    required=True,
    metavar="FOLDER",
    help="Folder for the shards, a path or a URI.",
)
@files("--overwrite", is_flag=True, help="Make existing shards again.")
@model_options(threads=_threads_option)
@encoding_options
@gathered(
    Division,
    "division",
    division_option(
        "--shards",
        type=click.IntRange(1),
        help=f"How many shards there are (default: one for each {IMAGES_PER_SHARD} images).",
    ),
    division_option("--jobs", type=click.IntRange(1), help="Processes (default: one per CPU)."),
    division_option(
        "--task-count", type=click.IntRange(1), help="The number of tasks in the array job."
    ),
    division_option(
        "--task-index", type=click.IntRange(0), help="The number of this task, from 0."
    ),
)
@report_options("Report as JSON.")
def main(
    source: str,
    output: str,
    overwrite: bool,
    models: ModelOptions,
    division: Division,
    report: Report,
    **limits: Any,
) -> None:
    """Pack many images into shards, which are Parquet files.

    INPUT is a folder, which is searched with its subfolders; a text file with the path or URI of an
    image on each line; or - for such lines from standard input. A shard has the columns key, width,
    height and code: the compressed image without its header, which is kept once. The key is the
    path below the folder, or the line.

    The same images give the same shards. A shard is written whole or not at all, and an existing
    one is kept: give the command again after an interruption. Images that cannot be read are listed
    beside their shard, in _failed-*.jsonl, and the others are packed.

    Exit codes: 0, success; 1, failure; 2, wrong usage.
    """
    check_limits(limits, limits["background"])
    load_codec = functools.partial(
        _load, replace(models, runtime=runtime_for(limits, models.runtime))
    )
    if needs_model(limits):
        check_for_model(limits, load_codec())
    import_arrow("pyarrow.parquet")  # Fails now rather than after the first shard.
    items = _read_items(source)
    count = division.shards or math.ceil(len(items) / IMAGES_PER_SHARD)
    assigned = assign_to_shards(items, count)
    work = [(Shard(output, n, count), assigned[n]) for n in division.numbers(count)]
    settings = EncodeSettings(load_codec, EncodeOptions(headerless=True, **limits), overwrite)
    start = time.perf_counter()
    shard_reports = encode_shards(work, settings, division.jobs or available_cpus())
    done = _watch(shard_reports, work, report.quiet)
    summary = _summarize(done, time.perf_counter() - start)
    if report.as_json:
        echo(json.dumps({"input": source, "output": output, **summary}, indent=2))
    elif not report.quiet:
        echo(_describe(output, summary))
    if summary["failures"]:
        echo(
            f"error: {output}: {summary['failures']} images could not be packed; "
            "_failed-*.jsonl beside the shards say why",
            err=True,
        )
        sys.exit(1)


def _load(models: ModelOptions) -> Codec:
    """The codec, in whatever process this is; other processes than this one log like it."""
    start_logging()
    model = models.model or DEFAULT_PRESET
    start_runtime(model, models.runtime, models.arithmetic)
    return load(model, runtime=models.runtime, threads=models.threads, arithmetic=models.arithmetic)


def _read_items(source: str) -> list[Item]:
    """What is to be packed.

    Raises:
        DataError: if that is nothing.
    """
    if source == STANDARD:
        text = read_standard_input().decode("utf-8", "surrogateescape")
        items = list(read_list(text))
    else:
        items = list(list_images(source))
    if not items:
        raise DataError(
            f"{display(source)}: no images; give a folder of images (.png, .jpg, .webp and "
            "others), or a list with a path in each line"
        )
    return items


def _watch(
    reports: Iterable[ShardReport], work: Sequence[tuple[Shard, Sequence[Item]]], quiet: bool
) -> list[ShardReport]:
    """Shows the reports on a progress bar as they come."""
    hidden = quiet or not sys.stderr.isatty()
    total = sum(len(items) for _, items in work)
    done = []
    with tqdm(total=total, unit="image", disable=hidden) as bar:
        for report in reports:
            bar.update(report.images + len(report.failures))
            done.append(report)
    return done


def _summarize(reports: Sequence[ShardReport], seconds: float) -> dict[str, Any]:
    """What was done, in numbers."""
    made = [report for report in reports if not report.skipped]
    qualities = [each for report in made for each in report.psnr if math.isfinite(each)]
    encoded = sum(report.images for report in made)
    return {
        "shards": len(reports),
        "skipped_shards": len(reports) - len(made),
        "images": sum(report.images for report in reports),
        "encoded": encoded,
        "failures": sum(len(report.failures) for report in reports),
        "bytes": sum(report.bytes for report in reports),
        "psnr": round(sum(qualities) / len(qualities), 2) if qualities else None,
        "seconds": round(seconds, 3),
        "images_per_second": round(encoded / seconds, 1),
    }


def _describe(output: str, summary: dict[str, Any]) -> str:
    """The numbers in a line."""
    line = (
        f"{output}: {summary['images']:,} images in {summary['shards']:,} shards, "
        f"{summary['bytes']:,} bytes of code"
    )
    if summary["psnr"] is not None:
        line += f", PSNR {summary['psnr']:.2f} dB"
    line += f", {summary['images_per_second']:.1f} images per second"
    skipped = summary["skipped_shards"]
    return f"{line} ({skipped:,} shards were there)" if skipped else line
