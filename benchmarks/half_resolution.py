"""What photos lose or gain where they are encoded at half their width and height.

    python benchmarks/half_resolution.py FOLDER [--bpp 0.06,0.125,0.25,0.5]

Each photo of FOLDER is encoded as it is, and once more reduced by 2 (Pillow's Lanczos); the
smaller picture is enlarged again (bicubic) before it is compared. Both take at most the same
bytes; bits per pixel are of the whole photo. Prints a table of means, for docs/BENCHMARKS.md.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
from PIL import Image

from tfrnnc.cli.common import command
from tfrnnc.codec import Codec, load
from tfrnnc.errors import DataError
from tfrnnc.images import find_images, read_image
from tfrnnc.metrics import ms_ssim, psnr
from tfrnnc.model_folder.presets import DEFAULT_PRESET

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
    """PSNR and MS-SSIM as it is, and at half its resolution: float64 (rates, 4)."""
    photo = read_image(path)
    height, width, _ = photo.shape
    reduced = Image.fromarray(photo).resize((width // 2, height // 2), Image.Resampling.LANCZOS)
    whole, half = codec.encoder(photo), codec.encoder(np.asarray(reduced))
    rows = []
    for rate in rates:
        max_bytes = int(rate * height * width / 8)
        pictures = [
            Image.fromarray(codec.decode(encoder.fit(max_bytes=max_bytes).data))
            for encoder in (whole, half)
        ]
        enlarged = [
            np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC))
            for picture in pictures
        ]
        rows.append([metric(photo, each) for each in enlarged for metric in (psnr, ms_ssim)])
    return np.array(rows)


def markdown(rates: list[float], means: np.ndarray) -> str:
    """A row for each rate."""
    head = "| bpp | PSNR | at half | MS-SSIM | at half |\n|---|---|---|---|---|"
    rows = [
        f"| {rate:g} | {full:.2f} dB | {half:.2f} dB | {full_ssim:.4f} | {half_ssim:.4f} |"
        for rate, (full, full_ssim, half, half_ssim) in zip(rates, means, strict=True)
    ]
    return "\n".join([head, *rows])


if __name__ == "__main__":
    main()
