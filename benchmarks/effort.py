"""What a search at encoding gains, and how long it takes, for each level of effort.

    python benchmarks/effort.py MODEL --images FOLDER [--limit N] [--effort 1,2,...] [--json FILE]

Each image is encoded once and cut to several rates. The BD-rates compare with effort 0, on curves
of the mean bits per pixel and the mean quality at these rates.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import click
import numpy as np

import tfrnnc
from machine import describe_machine
from tfrnnc.cli.common import command
from tfrnnc.codec import Codec
from tfrnnc.codec.effort import MAX_EFFORT, needs_keras
from tfrnnc.evaluation.curves import RateCurve
from tfrnnc.images import find_images, read_image
from tfrnnc.metrics import block_ssim, ms_ssim, psnr

RATES = (0.12, 0.2, 0.35, 0.6, 1.0)  #: in bits per pixel
METRICS = {"psnr": psnr, "ssim": block_ssim, "msssim": ms_ssim}


@command()
@click.argument("model")
@click.option(
    "--images", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option("--limit", type=click.IntRange(1), help="Take this number of the images, evenly.")
@click.option("--effort", default=",".join(map(str, range(1, MAX_EFFORT + 1))), show_default=True)
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path))
def main(model, images, limit, effort, json_file):
    """Measure MODEL, a preset or a folder, on the images in a folder."""
    paths = find_images(images)
    paths = paths[:: -(-len(paths) // limit)] if limit else paths
    pictures = [read_image(path) for path in paths]
    codecs = {False: tfrnnc.load(model), True: tfrnnc.load(model, runtime="keras")}
    rows = []
    for level in [0, *map(int, effort.split(","))]:
        points, seconds = measure(codecs[needs_keras(level)], pictures, level)
        rows.append({"effort": level, "cpu_seconds_per_megapixel": seconds, "points": points})
        click.echo(describe(rows[-1], rows[0]))
    if json_file:
        report = {
            "model": Path(model).name,
            "folder": f"{images.parent.name}/{images.name}",
            "images": [path.stem for path in paths],
            "machine": describe_machine(),
            "efforts": rows,
        }
        json_file.write_text(json.dumps(report, indent=1) + "\n")


def measure(
    codec: Codec, pictures: list[np.ndarray], effort: int
) -> tuple[list[tuple[float, ...]], float]:
    """Mean bits per pixel and `METRICS` at each of `RATES`, and CPU seconds per megapixel."""
    codec.encode(pictures[0], effort=effort)  # Keras compiles what it will run.
    points, seconds = [], 0.0
    for picture in pictures:
        pixels = picture[..., 0].size
        start = time.process_time()
        encoder = codec.encoder(picture, effort=effort, downscale=1)
        encoder.fit()
        seconds += (time.process_time() - start) / (pixels / 1e6)
        points.append([])
        for rate in RATES:
            data, shown, *_ = encoder.fit(bpp=rate)
            qualities = [metric(picture, shown) for metric in METRICS.values()]
            points[-1].append((8 * len(data) / pixels, *qualities))
    means = np.mean(points, axis=0)
    return [tuple(map(float, point)) for point in means], round(seconds / len(pictures), 2)


def describe(row: dict, plain: dict) -> str:
    """What a level gains, in a line."""
    rates, gains = [[point[0] for point in each["points"]] for each in (row, plain)], []
    for index, metric in enumerate(METRICS, start=1):
        curve, reference = (
            RateCurve(rate, [point[index] for point in each["points"]], metric)
            for rate, each in zip(rates, (row, plain), strict=True)
        )
        difference = curve.bd_rate(reference)
        gains.append(f"{metric.upper()} {difference.percent:+.1f} %" if difference else "none")
    return (
        f"effort {row['effort']}: {row['cpu_seconds_per_megapixel']:.2f} CPU seconds per "
        f"megapixel, BD-rate {', '.join(gains)}"
    )


if __name__ == "__main__":
    main()
