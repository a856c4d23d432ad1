"""Time and memory of encoding and decoding large images, in strips and at once.

    python benchmarks/large_images.py [--model NAME] WIDTHxHEIGHT:ITERATIONS... [--at-once]

An example photo is tiled to the size. Each measurement has a process of its own, which encodes, or
decodes, the image once, with the default limits on its size raised; its peak of resident memory
holds the image itself, Python and LiteRT. With `--at-once` each is measured a second time, with all
states of the image at once. The table is written to standard output.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click
import numpy as np

import tfrnnc
from machine import describe_machine
from tfrnnc.cli.common import command
from tfrnnc.codec import strips
from tfrnnc.images import read_image
from tfrnnc.model_folder.presets import DEFAULT_PRESET

PHOTO = Path(__file__).parents[1] / "examples" / "photos" / "coffee.png"
MAX_PIXELS = 1 << 40  #: as limits, more than anything that is measured
IN_STRIPS, AT_ONCE = "in strips", "at once"


@command()
@click.option("--model", default=DEFAULT_PRESET, show_default=True)
@click.option("--at-once", is_flag=True, help="Measure without strips, too.")
@click.argument("images", nargs=-1, required=True, metavar="WIDTHxHEIGHT:ITERATIONS...")
def main(model, at_once, images):
    """Measure images of these sizes, encoded in this number of iterations."""
    machine = describe_machine()
    click.echo(f"{machine['cores']} cores of {machine['processor']}, {model}\n")
    click.echo(
        "| image | iterations | computed "
        "| encode | CPU | peak memory | decode | CPU | peak memory |"
    )
    click.echo("|---|---|---|---|---|---|---|---|---|")
    for each in images:
        size, _, iterations = each.partition(":")
        width, height = map(int, size.split("x"))
        for way in (IN_STRIPS, AT_ONCE) if at_once else (IN_STRIPS,):
            settings = [model, way, str(width), str(height), iterations]
            encoded, data = _measured("encode", settings, b"")
            decoded, _ = _measured("decode", settings, data)
            cells = [f"{width}x{height}", iterations, way, *_cells(encoded), *_cells(decoded)]
            click.echo(f"| {' | '.join(cells)} |")


def _measured(what: str, settings: list[str], data: bytes) -> tuple[dict[str, float], bytes]:
    """Measures in a process of its own; returns the figures, and the stream if it encodes."""
    process = subprocess.run(
        [sys.executable, __file__, "--measure", what, *settings],
        input=data,
        check=True,
        stdout=subprocess.PIPE,
    )
    figures, _, stream = process.stdout.partition(b"\n")
    return json.loads(figures), stream


def _cells(figures: dict[str, float]) -> list[str]:
    return [
        f"{figures['seconds']:.0f} s",
        f"{figures['cpu_seconds']:.0f} s",
        f"{figures['megabytes']:,.0f} MB",
    ]


def measure(what: str, model: str, way: str, width: int, height: int, iterations: int) -> None:
    """Encodes, or decodes standard input; writes figures and the stream to standard output."""
    if way == AT_ONCE:
        strips.MAX_PIXELS_AT_ONCE = MAX_PIXELS
    limits: dict[str, Any] = {"max_pixels": MAX_PIXELS, "max_work": MAX_PIXELS}
    codec = tfrnnc.load(model)
    data = sys.stdin.buffer.read() if what == "decode" else b""
    if what == "encode":
        photo = read_image(PHOTO)
        rows, columns = (
            -(-wanted // side) for wanted, side in zip((height, width), photo.shape, strict=False)
        )
        image = np.tile(photo, (rows, columns, 1))[:height, :width].copy()
    begin, cpu_begin = time.perf_counter(), time.process_time()
    if what == "encode":
        data = codec.encode(image, iterations=iterations, **limits)
    else:
        codec.decode(data, **limits)
    figures = {
        "seconds": time.perf_counter() - begin,
        "cpu_seconds": time.process_time() - cpu_begin,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,
    }
    sys.stdout.buffer.write(json.dumps(figures).encode() + b"\n")
    if what == "encode":
        sys.stdout.buffer.write(data)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        what, model, way, *numbers = sys.argv[2:]
        measure(what, model, way, *map(int, numbers))
    else:
        main()
