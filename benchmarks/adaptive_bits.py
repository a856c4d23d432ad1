"""What spatially adaptive bit rate saves: each location its own number of iterations (section 3.7).

    python benchmarks/adaptive_bits.py MODEL... --images FOLDER [--limit N] [--json FILE]
        [--markdown FILE]

Each image is encoded with all locations taking the same iterations, and adaptively for the PSNR
that this reaches after each second iteration. Bytes are those of whole streams, entropy-coded if
the model has an entropy model.

Convolutional models, whose locations depend on each other, are measured in a second way, which the
codec does not offer: squares of 32x32 pixels are coded each by itself and take each its own number
of iterations; the error in the pixels beside their borders shows the seams.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np

import tfrnnc
from machine import describe_machine
from marked_part import check_markers, write_part
from tfrnnc.bitstream import Header, StreamWriter
from tfrnnc.cli.common import command
from tfrnnc.codec import Codec
from tfrnnc.codec.adaptive import IterationAssignment, location_bits
from tfrnnc.images import find_images, read_image
from tfrnnc.metrics import location_errors, psnr

TILE = 32
#: Photos that were looked at, with one of another folder, when the codec's thresholds were chosen.
LOOKED_AT = ("kodim05", "kodim15")


@command()
@click.argument("models", nargs=-1, required=True)
@click.option(
    "--images", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option("--limit", type=click.IntRange(1), help="Take this number of the images, evenly.")
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--markdown", "markdown_file", type=click.Path(dir_okay=False, path_type=Path))
def main(models, images, limit, json_file, markdown_file):
    """Measure MODELS, presets or folders, on the images in a folder."""
    if markdown_file:
        check_markers(markdown_file, "adaptive_bits.py")
    paths = find_images(images)
    paths = paths[:: -(-len(paths) // limit)] if limit else paths
    report = {
        "folder": f"{images.parent.name}/{images.name}",
        "machine": describe_machine(),
        "models": [],
    }
    for model in models:
        codec = tfrnnc.load(model)
        entry = {
            "model": Path(model).name,
            "model_id": codec.runtime.model_id.hex(),
            "entropy_coded": codec.entropy_model is not None,
            "independent": codec.runtime.independent,
            "images": [],
        }
        for path in paths:
            image = read_image(path)
            measure = independent if codec.runtime.independent else convolutional
            entry["images"].append({"image": path.stem, **measure(codec, image)})
            click.echo(f"{entry['model']}, {path.stem}: {entry['images'][-1]}", err=True)
        report["models"].append(entry)
    text = markdown(report)
    click.echo(text)
    if json_file:
        json_file.write_text(json.dumps(report, indent=1) + "\n")
    if markdown_file:
        write_part(markdown_file, "adaptive_bits.py", text)


def independent(codec: Codec, image: np.ndarray) -> dict:
    """Bytes at the PSNR of each second iteration, of plain and of adaptive streams."""
    iterations = list(codec.encode_iterations(image))
    plain = curve(codec, image, iterations, header_of(codec, image, adaptive=False))
    encoder = codec.encoder(image, adaptive=True, downscale=1)
    rows = []
    for iteration in targets(codec):
        size, reached = plain[iteration - 1]
        encoded = encoder.fit(psnr=reached)
        taken = codec.read_planes(encoded.data).iterations_taken
        rows.append(
            {
                "iteration": iteration,
                "psnr": round(reached, 3),
                "plain_bytes": size,
                "adaptive_bytes": len(encoded.data),
                "adaptive_psnr": round(psnr(image, encoded.picture), 3),
                "mean_iterations": round(float(taken.mean()), 2),
            }
        )
    return {"rows": rows}


def convolutional(codec: Codec, image: np.ndarray) -> dict:
    """Bytes at the PSNR of each second iteration: plain, adaptive, and of tiles; and the seams."""
    iterations = list(codec.encode_iterations(image))
    plain = curve(codec, image, iterations, header_of(codec, image, adaptive=False))
    tiles = list(tile_iterations(codec, image))
    tile_curve = curve(codec, image, tiles, header_of(codec, image, adaptive=False))
    assigned = tile_assignment(codec, image, tiles)
    rows = []
    for iteration in targets(codec):
        size, reached = plain[iteration - 1]
        rows.append(
            {
                "iteration": iteration,
                "psnr": round(reached, 3),
                "plain_bytes": size,
                "adaptive_bytes": len(
                    codec.encode(image, psnr=reached, adaptive=True, downscale=1)
                ),
                "tiles_bytes": bytes_at(tile_curve, reached),
                "adaptive_tiles_bytes": assigned(reached),
                "seams_plain": round(seams(image, iterations[iteration - 1][1]), 3),
                "seams_tiles": round(seams(image, tiles[iteration - 1][1]), 3),
            }
        )
    return {"rows": rows}


def targets(codec: Codec) -> range:
    """The iterations whose PSNR is to be reached."""
    return range(2, codec.max_iterations + 1, 2)


def header_of(codec: Codec, image: np.ndarray, adaptive: bool) -> Header:
    """Of a stream of an image."""
    return codec.spec.header(image.shape[1], image.shape[0], adaptive=adaptive)


def curve(codec: Codec, image: np.ndarray, iterations, header: Header) -> list[tuple[int, float]]:
    """Bytes of the stream and PSNR after each iteration."""
    writer = StreamWriter(header, codec.spec)
    points = []
    for plane, picture in iterations:
        if not plane.any():
            break
        writer.add(plane)
        points.append((writer.size(), psnr(image, picture)))
    return points


def tile_iterations(codec: Codec, image: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Planes and pictures of an image whose tiles are coded each by itself."""
    stride = codec.runtime.stride
    runs = [
        (
            slice(y, y + TILE),
            slice(x, x + TILE),
            codec.encode_iterations(image[y:, x:][:TILE, :TILE]),
        )
        for y in range(0, image.shape[0], TILE)
        for x in range(0, image.shape[1], TILE)
    ]
    height, width = (-(-side // stride) for side in image.shape[:2])
    for _ in range(codec.max_iterations):
        plane = np.zeros((height, width, codec.runtime.bits), np.int8)
        picture = np.zeros_like(image)
        for rows, columns, iterations in runs:
            bits, shown = next(iterations)
            picture[rows, columns] = shown
            y, x = rows.start // stride, columns.start // stride
            plane[y : y + bits.shape[0], x : x + bits.shape[1]] = bits
        yield plane, picture


def tile_assignment(codec: Codec, image: np.ndarray, iterations):
    """What gives the fewest bytes for a PSNR if tiles take each its own number of iterations."""
    planes, pictures = zip(*iterations, strict=True)
    stride = codec.runtime.stride
    side = TILE // stride
    errors = np.array([location_errors(image, picture, TILE) for picture in pictures])
    bits = location_bits(planes, codec.entropy_model)
    rows, columns = errors.shape[1:]
    padding = ((0, 0), (0, rows * side - bits.shape[1]), (0, columns * side - bits.shape[2]))
    bits = np.pad(bits, padding).reshape(len(bits), rows, side, columns, side).sum(axis=(2, 4))
    assignment = IterationAssignment(errors, bits)
    shape = planes[0].shape[:2]

    def fewest(reached: float) -> int | None:
        most = 255**2 * image.size / 10 ** (reached / 10)
        for count in range(assignment.size + 1):
            taken = assignment.iterations(count)
            if np.take_along_axis(errors, taken[None] - 1, axis=0).sum() <= most:
                break
        else:
            return None
        taken = taken.repeat(side, axis=0).repeat(side, axis=1)[: shape[0], : shape[1]]
        header = header_of(codec, image, adaptive=True)
        writer = StreamWriter(header, codec.spec)
        for iteration in range(int(taken.max())):
            writer.add(planes[iteration] * (taken > iteration)[..., None])
        return writer.size()

    return fewest


def seams(image: np.ndarray, picture: np.ndarray) -> float:
    """The mean squared error beside the tiles' borders, as a share of that elsewhere."""
    squares = np.square(image.astype(float) - picture).mean(axis=2)
    beside = [np.isin(np.arange(side) % TILE, (0, TILE - 1)) for side in squares.shape]
    border = beside[0][:, None] | beside[1]
    return float(squares[border].mean() / squares[~border].mean())


def bytes_at(points: list[tuple[int, float]], reached: float) -> int | None:
    """Bytes at a PSNR, interpolated in their logarithm; None if the curve ends below it."""
    points = [point for i, point in enumerate(points) if not i or point[1] > points[i - 1][1]]
    sizes, qualities = np.array(points).T
    if not qualities[0] <= reached <= qualities[-1]:
        return None
    return round(float(np.exp(np.interp(reached, qualities, np.log(sizes)))))


def saved(entry: dict, iteration: int, kind: str) -> list[float]:
    """The share of bytes that each image saves at an iteration's PSNR, where it is reached."""
    rows = [
        row for image in entry["images"] for row in image["rows"] if row["iteration"] == iteration
    ]
    return [1 - row[kind] / row["plain_bytes"] for row in rows if row[kind]]


def markdown(report: dict) -> str:
    """A table for each model."""
    machine = report["machine"]
    lines = [
        f"Measured by `benchmarks/adaptive_bits.py` on {report['folder']} with "
        f"{machine['processor']}, {machine['cores']} cores."
    ]
    for entry in report["models"]:
        coded = "entropy-coded" if entry["entropy_coded"] else "not entropy-coded"
        lines += ["", f"### {entry['model']} ({entry['model_id']}), {coded}", ""]
        lines += independent_table(entry) if entry["independent"] else convolutional_table(entry)
    return "\n".join(lines) + "\n"


def independent_table(entry: dict) -> list[str]:
    """The table of a model whose locations are independent."""
    lines = [
        "| iteration | PSNR | plain bytes | adaptive bytes | mean iterations | saved |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for iteration in iterations_of(entry):
        mean = means(entry, iteration)
        lines.append(
            f"| {iteration} | {mean['psnr']:.2f} | {mean['plain_bytes']:,.0f} "
            f"| {mean['adaptive_bytes']:,.0f} | {mean['mean_iterations']:.2f} "
            f"| {share(saved(entry, iteration, 'adaptive_bytes'))} |"
        )
    return lines


def convolutional_table(entry: dict) -> list[str]:
    """The table of a model whose locations depend on each other."""
    lines = [
        "| iteration | PSNR | saved | by tiles, same iterations | by tiles, own iterations "
        "| error at borders, plain | tiles |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    kinds = ("adaptive_bytes", "tiles_bytes", "adaptive_tiles_bytes")
    for iteration in iterations_of(entry):
        mean = means(entry, iteration)
        cells = " | ".join(share(saved(entry, iteration, kind)) for kind in kinds)
        lines.append(
            f"| {iteration} | {mean['psnr']:.2f} | {cells} "
            f"| {mean['seams_plain']:.2f} | {mean['seams_tiles']:.2f} |"
        )
    count = len(entry["images"])
    return [
        *lines,
        "",
        f"{count} images; in brackets, how many of them reach the PSNR at all. The error at",
        "borders is the mean squared error in the pixels beside a border of tiles, as a share of",
        "that elsewhere. *Tiles*, which the codec does not offer: squares of 32x32 pixels coded",
        "each by itself. They cost bytes, and show their borders.",
        *without_those_looked_at(entry),
    ]


def without_those_looked_at(entry: dict) -> list[str]:
    """What the other photos save, if some were looked at when the thresholds were chosen."""
    others = [image for image in entry["images"] if image["image"] not in LOOKED_AT]
    if len(others) in (0, len(entry["images"])):
        return []
    shares = ", ".join(
        f"{100 * np.mean(saved({'images': others}, iteration, 'adaptive_bytes')):.1f}"
        for iteration in iterations_of(entry)
    )
    return [
        "",
        f"The thresholds that are tried were chosen on {' and '.join(LOOKED_AT)} and a piece of",
        f"`examples/photos/coffee.png`. Without these two the table's iterations save {shares} %.",
        "Four other photos, looked at afterwards, ask for the same thresholds.",
    ]


def iterations_of(entry: dict) -> list[int]:
    """The iterations that were measured."""
    return [row["iteration"] for row in entry["images"][0]["rows"]]


def means(entry: dict, iteration: int) -> dict[str, float]:
    """The means of the numbers in all images' rows of an iteration."""
    rows = [
        row for image in entry["images"] for row in image["rows"] if row["iteration"] == iteration
    ]
    return {name: float(np.mean([row[name] or 0 for row in rows])) for name in rows[0]}


def share(values: list[float]) -> str:
    """A mean with its range, in per cent, and of how many."""
    if not values:
        return "never reached"
    low, mean, high = (100 * value for value in (min(values), np.mean(values), max(values)))
    return f"{mean:.1f} % ({low:.1f} to {high:.1f}) [{len(values)}]"


if __name__ == "__main__":
    main()
