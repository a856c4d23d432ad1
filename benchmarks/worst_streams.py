"""The longest that a stream can keep a decoder busy, and the memory it takes, under limits.

    python benchmarks/worst_streams.py [--model NAME] MAX_PIXELS:ITERATIONS...

The worst stream under `max_pixels` and `max_work` is as large as they allow and takes all of its
iterations; with the likelier value for every bit it is smallest. Each is decoded once, in a process
of its own. The table, the longest first, is written to standard output.
"""

from __future__ import annotations

import json
import math
import resource
import subprocess
import sys
import time

import click
import numpy as np

import tfrnnc
from machine import describe_machine
from tfrnnc.bitstream import StreamWriter
from tfrnnc.bitstream.constants import CERTAIN
from tfrnnc.bitstream.header import Header
from tfrnnc.cli.common import command
from tfrnnc.codec import Codec
from tfrnnc.codec.codec import spec_of
from tfrnnc.model_folder.presets import DEFAULT_PRESET


@command()
@click.option("--model", default=DEFAULT_PRESET, show_default=True)
@click.argument("limits", nargs=-1, required=True)
def main(model, limits):
    """Measure the worst stream of up to MAX_PIXELS pixels in this number of ITERATIONS."""
    codec = tfrnnc.load(model)
    rows = []
    for each in limits:
        pixels, iterations = map(int, each.split(":"))
        # A process of its own, as its peak of memory is measured, without that of the encoder.
        measured = subprocess.run(
            [sys.executable, __file__, "--measure", model, str(pixels), str(iterations)],
            input=worst_stream(codec, pixels, iterations),
            check=True,
            stdout=subprocess.PIPE,
        )
        rows.append(json.loads(measured.stdout))
    rows.sort(key=lambda row: -row["seconds"])
    machine = describe_machine()
    click.echo(f"{machine['cores']} cores of {machine['processor']}, {model}\n")
    click.echo(
        "| `max_pixels` | `max_work` | iterations | stream | time | CPU time | peak memory |"
    )
    click.echo("|---|---|---|---|---|---|---|")
    for row in rows:
        click.echo(
            f"| {row['pixels']:,} | {row['work']:,} | {row['iterations']} | {row['bytes']:,} bytes "
            f"| {row['seconds']:.1f} s | {row['cpu_seconds']:.1f} s | {row['gigabytes']:.2f} GB |"
        )


def measure(name: str, pixels: int, iterations: int) -> dict[str, float]:
    """Decodes a stream from standard input, after a small one that warms the codec up."""
    data = sys.stdin.buffer.read()
    codec = tfrnnc.load(name)
    codec.decode(codec.encode(np.zeros((32, 32, 3), np.uint8)))
    begin, cpu_begin = time.perf_counter(), time.process_time()
    codec.decode(data, max_pixels=pixels, max_work=pixels * iterations)
    return {
        "pixels": pixels,
        "work": pixels * iterations,
        "iterations": iterations,
        "bytes": len(data),
        "seconds": time.perf_counter() - begin,
        "cpu_seconds": time.process_time() - cpu_begin,
        "gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }


def worst_stream(codec: Codec, pixels: int, iterations: int) -> bytes:
    """A stream in which every bit has its likelier value."""
    model = codec.entropy_model
    spec = spec_of(codec.runtime, model)
    side = math.isqrt(pixels) // spec.stride * spec.stride
    header = Header(spec.stream_id, side, side, iterations, entropy_coded=model is not None)
    writer = StreamWriter(header, spec)
    planes: list[np.ndarray] = []
    for _ in range(iterations):
        plane = np.ones(header.plane_shape(spec.stride, spec.bits), np.int8)
        if model is not None:
            plane[:] = 0
            flat = plane.reshape(-1, spec.bits)
            for part in model.passes(planes, plane):
                likelier = np.where(part.probabilities >= CERTAIN // 2, 1, -1)
                flat[part.locations, part.channels] = likelier
        planes.append(plane)
        writer.add(plane)
    return writer.stream()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))))
    else:
        main()
