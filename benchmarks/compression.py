"""What optimising and quantising a model save in bytes, and what they cost in quality.

    python benchmarks/compression.py --data FOLDER --images FOLDER [--work FOLDER] [--markdown]

Each optimised model is exported with each quantisation. The files run in LiteRT; their PSNR after
each iteration, a mean over the images, is compared with that of the model as it is, in float32.
Bytes are those of all TFLite files together. The time is the CPU's, which other programs do
not lengthen: the median of encoding and decoding a thumbnail of 32x32 at all iterations, on one
thread.

Fine-tuned models are kept in the folder --work, and taken from there the next time.
"""

from __future__ import annotations

import gzip
import json
import time
from dataclasses import astuple, dataclass
from pathlib import Path

import click
import numpy as np

from tfrnnc.backend import require_tensorflow
from tfrnnc.cli.common import command
from tfrnnc.cli.options import gathered
from tfrnnc.images import find_images, read_image
from tfrnnc.metrics import psnr
from tfrnnc.model_folder.model_folder import ModelFolder
from tfrnnc.model_folder.presets import DEFAULT_PRESET, find_model
from tfrnnc.training.weight_constraints import Clustering, FineTuning, Pruning

COLUMNS = ("optimize", "quantize", "bytes", "gzip", "lost_max", "lost_mean", "milliseconds")
SIDE = 32  #: of the thumbnails that are timed, in pixels
TIMED = 30  #: thumbnails
DEFAULTS = FineTuning()


@dataclass(frozen=True)
class Options:
    """What is measured, and where the results go."""

    model: str
    data: tuple[str, ...]
    images: Path
    optimizations: tuple[str, ...]
    quantizations: tuple[str, ...]
    work: Path
    json_file: Path | None
    markdown: bool


@command()
@gathered(
    FineTuning,
    "fine_tuning",
    click.option(
        "--fine-tune-steps",
        "steps",
        type=click.IntRange(0),
        default=DEFAULTS.steps,
        show_default=True,
        help="Batches.",
    ),
    click.option(
        "--min-downscale",
        type=click.IntRange(1),
        default=DEFAULTS.min_downscale,
        show_default=True,
    ),
    click.option(
        "--ssim-weight", type=click.FloatRange(0), default=DEFAULTS.ssim_weight, show_default=True
    ),
    click.option("--seed", type=click.IntRange(0), default=DEFAULTS.seed, show_default=True),
)
@gathered(
    Options,
    "options",
    click.option("--model", default=DEFAULT_PRESET, show_default=True),
    click.option("--data", multiple=True, help="Images to fine-tune on; may be repeated."),
    click.option("--images", required=True, type=click.Path(file_okay=False, path_type=Path)),
    click.option(
        "--optimize",
        "optimizations",
        multiple=True,
        default=("none", "prune:0.5", "prune:0.7", "cluster:16", "cluster:32"),
        show_default=True,
        help="none, prune:SPARSITY or cluster:CLUSTERS; may be repeated.",
    ),
    click.option(
        "--quantize",
        "quantizations",
        multiple=True,
        type=click.Choice(["none", "float16", "weights", "dynamic"]),
        default=("none", "float16", "weights", "dynamic"),
        show_default=True,
    ),
    click.option(
        "--work",
        type=click.Path(file_okay=False, path_type=Path),
        default="runs/compression",
        show_default=True,
    ),
    click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path)),
    click.option("--markdown", is_flag=True, help="Print a table for the documents."),
)
def main(options: Options, fine_tuning: FineTuning) -> None:
    """Measure optimised and quantised files of a model."""
    pictures = [read_image(path) for path in find_images(options.images)]
    if not pictures:
        raise click.UsageError(f"{options.images} holds no images")
    wanted = [_parse(name) for name in options.optimizations]
    if fine_tuning.steps and not options.data and any(settings for _, settings in wanted):
        raise click.UsageError("give --data to fine-tune on, or --fine-tune-steps 0")
    require_tensorflow()
    from tfrnnc.export.tflite import export_tflite
    from tfrnnc.model_folder.keras_model import load_model

    folder = find_model(options.model)
    export_tflite(load_model(folder), options.work / "reference")
    reference = measure(options.work / "reference", pictures)
    rows = []
    for method, settings in wanted:
        optimized = folder
        if settings:
            name = "-".join(
                map(str, (options.model, method, *settings.values(), *astuple(fine_tuning)))
            )
            optimized = ModelFolder(options.work / name.replace("/", "_"))
            constraint = Pruning(**settings) if method == "prune" else Clustering(**settings)
            optimize(folder, optimized, constraint, options.data, fine_tuning)
        for quantize in options.quantizations:
            files = options.work / "exported" / optimized.path.name / quantize
            export_tflite(load_model(optimized), files, quantize=quantize)
            row = {
                "optimize": method,
                **settings,
                "fine_tune_steps": fine_tuning.steps if settings else 0,
            }
            rows.append(
                row | {"quantize": quantize, **compare(measure(files, pictures), reference)}
            )
            click.echo(_line(rows[-1], markdown=False), err=True)
    if options.json_file:
        options.json_file.write_text(json.dumps(rows, indent=2) + "\n")
    click.echo(f"{len(pictures)} images of {options.images.parent.name}/{options.images.name}")
    if options.markdown:
        click.echo(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    for row in rows:
        click.echo(_line(row, options.markdown))


def optimize(folder, output, constraint, data, fine_tuning) -> None:
    """Optimises a model into a folder, unless it holds that already."""
    from tfrnnc.data import JoinedImages, open_images
    from tfrnnc.model_folder.keras_model import load_model, save_model
    from tfrnnc.training.weight_optimization import optimize_weights

    if output.has_config:
        return
    model = load_model(folder)
    images = JoinedImages([open_images(place) for place in data]) if fine_tuning.steps else ()
    optimize_weights(model, constraint, images, fine_tuning.recipe)
    save_model(model, output.path)


def measure(folder: Path, images: list[np.ndarray]) -> dict:
    """Bytes of exported files, mean PSNR after each iteration, and the time of a thumbnail."""
    import tfrnnc

    contents = [path.read_bytes() for path in folder.glob("*.tflite")]
    codec = tfrnnc.load(folder, runtime="litert")
    qualities = [
        [psnr(image, picture) for _, picture in codec.encode_iterations(image)] for image in images
    ]
    one_thread = tfrnnc.load(folder, runtime="litert", threads=1)
    seconds = []
    for image in (np.resize(image[:SIDE, :SIDE], (SIDE, SIDE, 3)) for image in images[:TIMED]):
        since = time.process_time()
        one_thread.decode(one_thread.encode(image))
        seconds.append(time.process_time() - since)
    return {
        "bytes": sum(map(len, contents)),
        "gzip": sum(len(gzip.compress(content, 9)) for content in contents),
        "psnr": np.mean(qualities, axis=0),
        "milliseconds": round(float(np.median(seconds)) * 1000, 1),
    }


def compare(measured: dict, reference: dict) -> dict:
    """The same, with what is lost in decibels against a reference."""
    lost = reference["psnr"] - measured["psnr"]
    return {
        **measured,
        "psnr": measured["psnr"].round(3).tolist(),
        "lost_max": round(float(lost.max()), 3),
        "lost_mean": round(float(lost.mean()), 3),
    }


def _parse(name: str) -> tuple[str, dict]:
    method, _, value = name.partition(":")
    try:
        if method == "prune":
            return method, {"sparsity": float(value)}
        if method == "cluster":
            return method, {"clusters": int(value)}
    except ValueError:
        pass
    if name == "none":
        return method, {}
    raise click.UsageError(f"--optimize is none, prune:SPARSITY or cluster:CLUSTERS, not {name!r}")


def _line(row: dict, markdown: bool) -> str:
    value = row.get("sparsity", row.get("clusters", ""))
    cells = [
        f"{row['optimize']} {value}".strip(),
        row["quantize"],
        f"{row['bytes']:,}",
        f"{row['gzip']:,}",
        f"{row['lost_max']:.3f} dB",
        f"{row['lost_mean']:.3f} dB",
        f"{row['milliseconds']:.1f}",
    ]
    if markdown:
        return f"| {' | '.join(cells)} |"
    return "".join(f"{cell:>14}" for cell in cells)


if __name__ == "__main__":
    main()
