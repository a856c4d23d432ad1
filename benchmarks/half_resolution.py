"""What photos lose or gain where they are encoded at half their width and height.

    python benchmarks/half_resolution.py FOLDER [--bpp 0.06,0.125,0.25,0.5]

Each photo of FOLDER is encoded with `downscale` 1, 2 and "auto", within the same bytes; bits per
pixel are of the whole photo. Prints a table of means, for docs/BENCHMARKS.md.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from tfrnnc.bitstream import read_header
from tfrnnc.cli.common import command
from tfrnnc.codec import Codec, load
from tfrnnc.errors import DataError
from tfrnnc.images import find_images, read_image
from tfrnnc.metrics import ms_ssim, psnr
from tfrnnc.model_folder.presets import DEFAULT_PRESET

DOWNSCALES = (1, 2, "auto")
RATES = "0.06,0.08,0.1,0.125,0.16,0.2,0.25,0.3,0.4,0.5"


@command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--bpp", default=RATES, show_default=True, help="Bits per pixel, with commas.")
@click.option("--model", default=DEFAULT_PRESET, show_default=True)
def main(folder: Path, bpp: str, model: str) -> None:
    """Measure both ways on the photos of FOLDER."""
    paths = find_images(folder)
    if not paths:
        raise DataError(f"{folder}: no images; give a folder of photos")
    codec = load(model)
    rates = [float(word) for word in bpp.split(",")]
    click.echo(markdown(rates, np.mean([measure(codec, path, rates) for path in paths], 0)))


def measure(codec: Codec, path: Path, rates: list[float]) -> np.ndarray:
    """PSNR of each downscale, MS-SSIM of each, and whether auto takes half: float64 (rates, 7)."""
    photo = read_image(path)
    encoders = [codec.encoder(photo, downscale=downscale) for downscale in DOWNSCALES]
    rows = []
    for rate in rates:
        encoded = [encoder.fit(bpp=rate) for encoder in encoders]
        qualities = [metric(photo, each.picture) for metric in (psnr, ms_ssim) for each in encoded]
        header, _ = read_header(encoded[-1].data)
        rows.append([*qualities, header.downscale == 2])
    return np.array(rows)


def markdown(rates: list[float], means: np.ndarray) -> str:
    """A row for each rate."""
    names = [str(downscale) for downscale in DOWNSCALES]
    columns = ["bpp", *(f"{metric}, {name}" for metric in ("PSNR", "MS-SSIM") for name in names)]
    rows = [
        [
            f"{rate:g}",
            *(f"{level:.2f} dB" for level in values[: len(names)]),
            *(f"{likeness:.4f}" for likeness in values[len(names) : -1]),
            f"{100 * values[-1]:.0f} %",
        ]
        for rate, values in zip(rates, means, strict=True)
    ]
    lines = [[*columns, "auto takes half"], ["---"] * (len(columns) + 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    main()
