"""The paper's protocol on thumbnails: the codec against JPEG at equal bytes, headers not counted.

    python benchmarks/thumbnails.py FOLDER [--model NAME] [--json FILE]

For each number of bytes the codec takes the steps that fill it. JPEG takes the smallest file not
under it: 4:2:0, optimised Huffman tables, and only the bytes of the entropy-coded scan counted
(section 4.2). SSIM is the paper's, on 8x8 blocks of each channel; both measures are means over
the images.
"""

from __future__ import annotations

import io
import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import click
import numpy as np
from PIL import Image

from tfrnnc.cli.common import command
from tfrnnc.images import find_images, read_image
from tfrnnc.metrics import block_ssim, psnr
from tfrnnc.presets import DEFAULT_PRESET

START_OF_SCAN = b"\xff\xda"
END_OF_IMAGE = b"\xff\xd9"


@command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--model", default=DEFAULT_PRESET, show_default=True)
@click.option("--bytes", "targets", type=int, multiple=True, default=(16, 32, 64, 128))
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path))
def main(folder, model, targets, json_file):
    """Measure a model against JPEG on the images in FOLDER."""
    images = [read_image(path) for path in find_images(folder)]
    if not images:
        raise click.UsageError(f"{folder} holds no images")
    with ProcessPoolExecutor() as pool:
        jpeg = pool.map(measure_jpeg, images, [targets] * len(images), chunksize=20)
        results = {"jpeg_420": np.mean(list(jpeg), axis=0)}
    results[model] = np.mean(measure_codec(images, model, targets), axis=0)

    click.echo(f"{len(images)} images of {folder.parent.name}/{folder.name}")
    click.echo(f"{'codec':<20} {'target':>6} {'bytes':>7} {'PSNR':>9} {'SSIM':>6}")
    report = []
    for name, rows in results.items():
        for target, (size, quality, similarity) in zip(targets, rows, strict=True):
            click.echo(f"{name:<20} {target:>6} {size:>7.1f} {quality:>6.2f} dB {similarity:>6.3f}")
            report.append(
                {
                    "codec": name,
                    "target_bytes": target,
                    "bytes": round(float(size), 2),
                    "psnr": round(float(quality), 3),
                    "ssim": round(float(similarity), 4),
                }
            )
    if json_file:
        json_file.write_text(json.dumps(report, indent=2) + "\n")


def measure_codec(images, model, targets) -> list[list[tuple[float, float, float]]]:
    """Bytes, PSNR and SSIM of each image at each target."""
    import tfrnnc

    codec = tfrnnc.load(model)
    results = []
    for image in images:
        row = []
        for target in targets:
            code, picture, _ = codec.encode_with_picture(image, max_bytes=int(target), header=False)
            row.append((len(code), psnr(image, picture), block_ssim(image, picture)))
        results.append(row)
    return results


def measure_jpeg(image, targets) -> list[tuple[float, float, float]]:
    """Bytes, PSNR and SSIM of the smallest file not under each target."""
    coded = []
    for quality in range(1, 101):
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=quality, subsampling=2, optimize=True)
        coded.append((scan_bytes(file.getvalue()), file))
    results = []
    for target in targets:
        fitting = [entry for entry in coded if entry[0] >= target] or [max(coded, key=_size)]
        size, file = min(fitting, key=_size)
        with Image.open(file) as picture:
            decoded = np.asarray(picture.convert("RGB"))
        results.append((size, psnr(image, decoded), block_ssim(image, decoded)))
    return results


def scan_bytes(data: bytes) -> int:
    """Bytes of a baseline JPEG file's entropy-coded scan: all but headers, tables and markers."""
    start = data.index(START_OF_SCAN)
    header = int.from_bytes(data[start + 2 : start + 4], "big")
    return data.rindex(END_OF_IMAGE) - (start + 2 + header)


def _size(entry) -> int:
    return entry[0]


if __name__ == "__main__":
    main()
