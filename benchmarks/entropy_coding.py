"""What entropy coding saves, and what it costs in time.

    python benchmarks/entropy_coding.py FOLDER... [--model NAME] [--json FILE] [--markdown FILE]

For the images in each folder: the bytes of the payload after each iteration, header and checksums
apart, with the entropy model and without, and for three images how the time of decoding divides.
Where constriction is installed, its range coder codes the same bits with the same probabilities.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np

import tfrnnc
from machine import describe_machine
from marked_part import check_markers, write_part
from tfrnnc.bitstream import EntropyModel
from tfrnnc.bitstream.constants import CERTAIN
from tfrnnc.bitstream.plane_coder import PlaneDecoder, PlaneEncoder, payload_sizes
from tfrnnc.bitstream.range_coder import RangeDecoder, RangeEncoder
from tfrnnc.cli.common import command
from tfrnnc.codec import Codec
from tfrnnc.codec.reconstruction import decode
from tfrnnc.images import find_images, read_image
from tfrnnc.model_folder.presets import DEFAULT_PRESET

TIMED_IMAGES = 3
ROUNDS = 5


@command()
@click.argument(
    "folders", nargs=-1, required=True, type=click.Path(file_okay=False, path_type=Path)
)
@click.option("--model", default=DEFAULT_PRESET, show_default=True)
@click.option("--threads", type=click.IntRange(1), help="For LiteRT.")
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--markdown", "markdown_file", type=click.Path(dir_okay=False, path_type=Path))
def main(folders, model, threads, json_file, markdown_file):
    """Measure the entropy model of MODEL on the images in FOLDERS."""
    if markdown_file:
        check_markers(markdown_file, "entropy_coding.py")
    codec = tfrnnc.load(model, threads=threads)
    if codec.entropy_model is None:
        raise click.UsageError(f"{model} has no entropy model")
    report = {"model": model, "machine": describe_machine(), "folders": []}
    for folder in folders:
        images = [read_image(path) for path in find_images(folder)]
        coded = [[plane for plane, _ in codec.encode_iterations(image)] for image in images]
        pixels = sum(image.shape[0] * image.shape[1] for image in images)
        report["folders"].append(
            {
                "folder": f"{folder.parent.name}/{folder.name}",
                "images": len(images),
                "iterations": saved(coded, codec.entropy_model, pixels),
                "time": [
                    time_of_decoding(codec, planes, image.shape)
                    for planes, image in zip(coded[:TIMED_IMAGES], images, strict=False)
                ],
                "range_coders": compare_range_coders(codec.entropy_model, coded[:TIMED_IMAGES]),
            }
        )
    text = markdown(report)
    click.echo(text)
    if json_file:
        json_file.write_text(json.dumps(report, indent=2) + "\n")
    if markdown_file:
        write_part(markdown_file, "entropy_coding.py", text)


def saved(coded: Sequence[list[np.ndarray]], model: EntropyModel, pixels: int) -> list[dict]:
    """Bytes of the payload after each iteration, summed over the images."""
    plain, with_model = (
        np.sum([payload_sizes(planes, each) for planes in coded], axis=0) for each in (None, model)
    )
    return [
        {
            "iteration": iteration,
            "plain_bpp": round(8 * int(a) / pixels, 4),
            "coded_bpp": round(8 * int(b) / pixels, 4),
            "plain_bytes": round(int(a) / len(coded), 2),
            "coded_bytes": round(int(b) / len(coded), 2),
            "saved": round(1 - int(b) / int(a), 4),
        }
        for iteration, (a, b) in enumerate(zip(plain, with_model, strict=True), start=1)
    ]


def time_of_decoding(codec: Codec, planes: list[np.ndarray], shape) -> dict[str, float]:
    """Medians in milliseconds: the pictures, all of the entropy decoding, its range coder."""
    model = codec.entropy_model
    encoder = PlaneEncoder(planes[0].shape, model)
    for plane in planes:
        encoder.add(plane)
    code = encoder.finish()
    probabilities, bits = in_order(model, planes)
    ranged = RangeEncoder()
    ranged.encode(bits, probabilities)
    data = ranged.finish()

    def entropy_decoding():
        decoder = PlaneDecoder(code, planes[0].shape, model)
        for _ in planes:
            decoder.read()

    return {
        "picture_ms": median_ms(lambda: decode(codec.runtime, planes, shape)),
        "entropy_decoding_ms": median_ms(entropy_decoding),
        "range_decoding_ms": median_ms(lambda: RangeDecoder(data).decode(probabilities)),
    }


def in_order(model: EntropyModel, planes: list[np.ndarray]) -> tuple[list[int], list[int]]:
    """The probabilities and the bits of all planes, in the order of coding."""
    probabilities, bits = [], []
    for iteration, plane in enumerate(planes):
        order = model.order(plane.shape)
        bits.append(plane.ravel()[order] > 0)
        probabilities.append(model.probabilities(planes[:iteration], plane).ravel()[order])
    return np.concatenate(probabilities).tolist(), np.concatenate(bits).astype(int).tolist()


def compare_range_coders(model: EntropyModel, coded: Sequence[list[np.ndarray]]) -> list[dict]:
    """Bytes, and milliseconds to decode, of our range coder and constriction's."""
    try:
        import constriction
    except ImportError:
        return []
    queue = constriction.stream.queue
    rows = []
    for planes in coded:
        probabilities, bits = in_order(model, planes)
        ours = RangeEncoder()
        ours.encode(bits, probabilities)
        data = ours.finish()
        floats, symbols = np.array(probabilities) / CERTAIN, np.array(bits, np.int32)
        bernoulli = constriction.stream.model.Bernoulli(perfect=True)
        theirs = queue.RangeEncoder()
        theirs.encode(symbols, bernoulli, floats)
        words = theirs.get_compressed()
        chances = np.where(symbols > 0, floats, 1 - floats)
        rows.append(
            {
                "ideal_bytes": round(float(-np.log2(chances).sum() / 8), 1),
                "ours_bytes": len(data),
                "ours_ms": median_ms(lambda d=data, p=probabilities: RangeDecoder(d).decode(p)),
                "constriction_bytes": words.nbytes,
                "constriction_ms": median_ms(
                    lambda w=words, f=floats: queue.RangeDecoder(w).decode(bernoulli, f)  # noqa: B023
                ),
            }
        )
    return rows


def median_ms(work) -> float:
    """The median of several runs, in milliseconds."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - start))
    return round(statistics.median(times), 2)


def markdown(report: dict) -> str:
    """The machine, and the tables of each folder."""
    machine = report["machine"]
    lines = [
        f"{report['model']}, measured by `benchmarks/entropy_coding.py` on {machine['processor']}, "
        f"{machine['cores']} cores, Python {machine['python']}.",
        "",
    ]
    for part in report["folders"]:
        lines += [
            f"### {part['folder']}, {part['images']} images",
            "",
            "| iteration | bpp, plain | bpp, coded | bytes per image, plain | coded | saved |",
            "| --- | --- | --- | --- | --- | --- |",
            *(
                f"| {row['iteration']} | {row['plain_bpp']:.3f} | {row['coded_bpp']:.3f} "
                f"| {row['plain_bytes']:,.1f} | {row['coded_bytes']:,.1f} "
                f"| {100 * row['saved']:.1f} % |"
                for row in part["iterations"]
            ),
            "",
            "| image | pictures (ms) | entropy decoding (ms) | its range coder (ms) | share |",
            "| --- | --- | --- | --- | --- |",
        ]
        for number, row in enumerate(part["time"], start=1):
            share = row["entropy_decoding_ms"] / (row["picture_ms"] + row["entropy_decoding_ms"])
            lines.append(
                f"| {number} | {row['picture_ms']:.1f} | {row['entropy_decoding_ms']:.1f} "
                f"| {row['range_decoding_ms']:.1f} | {100 * share:.1f} % |"
            )
        if part["range_coders"]:
            lines += [
                "",
                "| image | ideal bytes | ours | ms | constriction | ms |",
                "| --- | --- | --- | --- | --- | --- |",
                *(
                    f"| {number} | {row['ideal_bytes']:,} | {row['ours_bytes']:,} "
                    f"| {row['ours_ms']:.2f} | {row['constriction_bytes']:,} "
                    f"| {row['constriction_ms']:.2f} |"
                    for number, row in enumerate(part["range_coders"], start=1)
                ),
            ]
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
