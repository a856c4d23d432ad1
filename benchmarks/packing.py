"""How many images per second are packed into shards by one process and by several.

    python benchmarks/packing.py FOLDER [--images 1000] [--json FILE] [--markdown FILE]

Thumbnails of FOLDER are packed by `encode_shard` at 64 bytes each, one round after the other by
1, 2, ... processes of one LiteRT thread, each with its own shards as in an array job. The time
does not have the start of the processes. The ideal is one process's rate times their number. CPU
seconds do not count what other programs take. With --beam the pipeline on FnApiRunner is measured
as well, its start included.
"""

from __future__ import annotations

import json
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np

from machine import describe_machine
from marked_part import check_markers, write_part
from tfrnnc.cli.common import command
from tfrnnc.cli.options import gathered
from tfrnnc.codec import Codec, EncodeOptions, load
from tfrnnc.errors import DataError
from tfrnnc.images import find_images
from tfrnnc.model_folder.presets import DEFAULT_PRESET
from tfrnnc.pipelines import Shard, encode_shard
from tfrnnc.pipelines.inputs import Item
from tfrnnc.processes import process_pool

SHARDS = 8  #: in each round
MAX_BYTES = 64
_codec: Codec | None = None  # In a process that packs.
SIDE = 32  #: of the thumbnail that warms a process up, in pixels


class Times(NamedTuple):
    """Seconds on the clock, and of all CPUs together; 0 where these are not measured."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Options:
    """What is measured, and where the results go."""

    images: int
    processes: int
    rounds: int
    model: str
    beam: bool
    json_file: Path | None
    markdown_file: Path | None


@command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@gathered(
    Options,
    "options",
    click.option("--images", type=click.IntRange(1), default=1000, show_default=True),
    click.option(
        "--processes", type=click.IntRange(1), default=2, show_default=True, help="At most."
    ),
    click.option("--rounds", type=click.IntRange(1), default=3, show_default=True),
    click.option("--model", default=DEFAULT_PRESET, show_default=True),
    click.option("--beam", is_flag=True, help="Measure Apache Beam, too."),
    click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path)),
    click.option("--markdown", "markdown_file", type=click.Path(dir_okay=False, path_type=Path)),
)
def main(folder: Path, options: Options) -> None:
    """Measure packing the thumbnails of FOLDER."""
    if options.markdown_file:
        check_markers(options.markdown_file, "packing.py")
    items = thumbnails(folder, options.images)
    report: dict[str, Any] = {
        "machine": describe_machine(),
        "model": options.model,
        "folder": f"{folder.parent.name}/{folder.name}",
        "images": options.images,
        "max_bytes": MAX_BYTES,
        "rounds": options.rounds,
    }
    counts = range(1, options.processes + 1)
    measured = [
        {jobs: pack(items, options.model, jobs) for jobs in counts} for _ in range(options.rounds)
    ]
    report["pack"] = rows(options.images, measured)
    if options.beam:
        report["beam"] = rows(
            options.images, [{jobs: pack_on_beam(items, options.model, jobs) for jobs in counts}]
        )
    text = markdown(report)
    click.echo(text)
    if options.json_file:
        options.json_file.write_text(json.dumps(report, indent=2) + "\n")
    if options.markdown_file:
        write_part(options.markdown_file, "packing.py", text)


def thumbnails(folder: Path, number: int) -> list[Item]:
    """A number of images of a folder; where there are fewer, each returns under other keys."""
    paths = find_images(folder)
    if not paths:
        raise DataError(f"{folder}: no images; give a folder of thumbnails")
    return [(f"{index:07d}", str(paths[index % len(paths)])) for index in range(number)]


def pack(items: Sequence[Item], model: str, jobs: int) -> Times:
    """What a number of processes take for all images, from when all of them are ready."""
    barrier = multiprocessing.get_context("spawn").Barrier(jobs)
    with tempfile.TemporaryDirectory() as folder:
        with process_pool(jobs, make_ready, model, barrier) as pool:
            parts = [division(folder, items)[index::jobs] for index in range(jobs)]
            times = list(pool.map(pack_part, parts))
    return Times(max(each.wall for each in times), sum(each.cpu for each in times))


def make_ready(model: str, others: Any) -> None:
    """Loads a codec, encodes an image, and waits for the other processes."""
    global _codec
    _codec = load(model, threads=1)
    _codec.encode_batch([np.zeros((SIDE, SIDE, 3), np.uint8)], max_bytes=MAX_BYTES)
    others.wait()


def pack_part(work: Sequence[tuple[Shard, Sequence[Item]]]) -> Times:
    """Makes some of the shards, in a process that is ready."""
    assert _codec is not None
    wall, cpu = time.perf_counter(), time.process_time()
    for shard, items in work:
        report = encode_shard(shard, items, _codec, EncodeOptions(max_bytes=MAX_BYTES))
        assert (report.images, report.skipped) == (len(items), False)
    return Times(time.perf_counter() - wall, time.process_time() - cpu)


def division(folder: str, items: Sequence[Item]) -> list[tuple[Shard, list[Item]]]:
    """Shards of equal size, unlike those that keys decide."""
    return [(Shard(folder, index, SHARDS), list(items[index::SHARDS])) for index in range(SHARDS)]


def pack_on_beam(items: Sequence[Item], model: str, jobs: int) -> Times:
    """Seconds that the pipeline takes on Beam's local runner, its start included."""
    with tempfile.TemporaryDirectory() as folder:
        names = Path(folder) / "list.txt"
        # A list holds each path once; links make as many as there are images.
        for key, source in items:
            (Path(folder) / f"{key}{Path(str(source)).suffix}").symlink_to(
                Path(str(source)).resolve()
            )
        names.write_text("\n".join(str(path) for path in find_images(folder)))
        words = [
            *(sys.executable, "-m", "tfrnnc.pipelines.beam", "--runner", "FnApiRunner"),
            *("--input", str(names), "--output", f"{folder}/out", "--shards", str(SHARDS)),
            *("--model", model, "--max-bytes", str(MAX_BYTES)),
        ]
        if jobs > 1:
            words += [
                "--direct_running_mode",
                "multi_processing",
                "--direct_num_workers",
                str(jobs),
            ]
        start = time.perf_counter()
        subprocess.run(words, check=True, capture_output=True)
        return Times(time.perf_counter() - start, 0)


def rows(images: int, measured: Sequence[dict[int, Times]]) -> list[dict[str, Any]]:
    """By number of processes: images per second, the median, and share of the ideal."""
    found = []
    for jobs in measured[0]:
        rate = statistics.median(images / times[jobs].wall for times in measured)
        per_cpu = [images / times[jobs].cpu for times in measured if times[jobs].cpu]
        found.append(
            {
                "processes": jobs,
                "images_per_second": round(rate, 1),
                "images_per_cpu_second": round(statistics.median(per_cpu), 1) if per_cpu else None,
                "share": round(
                    rate / (jobs * (found[0]["images_per_second"] if found else rate)), 3
                ),
            }
        )
    return found


def markdown(report: dict[str, Any]) -> str:
    """The machine and the table."""
    machine = report["machine"]
    lines = [
        f"Measured by `benchmarks/packing.py` on {machine['processor']}, {machine['cores']} cores, "
        f"Python {machine['python']}: {report['images']:,} thumbnails of "
        f"{report['folder']} at {report['max_bytes']} bytes with {report['model']}; load average "
        f"{machine['load_at_start']} at the start.",
        "",
        "| | processes | images per second | share of the ideal | images per CPU second | "
        "CPU hours for a million |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, title in (("pack", "`encode_shard`"), ("beam", "Beam, FnApiRunner")):
        for row in report.get(name, []):
            per_cpu = row["images_per_cpu_second"]
            lines.append(
                f"| {title} | {row['processes']} | {row['images_per_second']:.0f} | "
                f"{100 * row['share']:.0f} % | {f'{per_cpu:.0f}' if per_cpu else ''} | "
                f"{f'{1e6 / per_cpu / 3600:.1f}' if per_cpu else ''} |"
            )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
