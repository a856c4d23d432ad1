"""What each choice of the default's training brings in the same CPU time.

    DATA=FOLDER python benchmarks/training_levers.py WORK [--seconds 400] [--lever NAME ...]

Trains the default model's layout once as its recipe does on two CPU cores, and once for each lever
with one thing changed, all from random weights. Each process trains for the same CPU seconds, the
first three batches and validation apart, and the learning rate falls with the CPU time that is
left. What was trained for as many seconds is kept. `--json` writes what `tools/make_results.py`
shows.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import click

from machine import describe_machine
from tfrnnc.backend import prepare_environment
from tfrnnc.cli.common import command
from tfrnnc.evaluation.curves import RateCurve

PHOTOS = "native/train?patch_size=64&batch_size=16&max_downscale=2"
REDUCED_PHOTOS = "native/train?patch_size=32&batch_size=64&min_downscale=2&max_downscale=8"
THUMBNAILS = "thumbnails/train?patch_size=32&batch_size=64&min_downscale=2&rate=2"
VALIDATION = ("native/val?patch_size=256", "thumbnails/val?patch_size=32&rate=2")
WARMUP = 0.1  #: share of the CPU time in which the learning rate rises
UNTIMED = 3  #: batches at the start, in which TensorFlow compiles
RATE_DELAY = 150  #: batches; the recipe's 500 are more than a run has
MEASURES = list(itertools.product(("native", "thumbnails"), ("psnr", "ssim")))


@dataclass(frozen=True)
class Lever:
    """One training.

    Attributes:
        label: what is different, for the table.
        bits: at each location in an iteration; None for the layout's.
        targets: bits per pixel that the iterations up to each one should take.
        hidden: side of the encoder's hidden kernels.
        data: folders of photos and thumbnails.
        recipe: fields of `tfrnnc.training.recipe.Recipe` that differ.
    """

    label: str
    bits: int | None = None
    targets: tuple[float, ...] = (0.12, 0.30, 0.55, 0.85, 1.15)
    hidden: int = 1
    data: tuple[str, ...] = (PHOTOS, THUMBNAILS)
    recipe: dict = field(default_factory=dict)


BASE = Lever("the recipe: 24 bits, 5 iterations, Muon, photos and thumbnails")
LEVERS = {
    "base": BASE,
    "seed2": replace(BASE, label="the same from another seed", recipe={"seed": 2}),
    "adam": replace(
        BASE, label="Adam at 0.002", recipe={"optimizer": "adam", "learning_rate": 2e-3}
    ),
    "photos": replace(BASE, label="photos only", data=(PHOTOS,)),
    "thumbs": replace(BASE, label="thumbnails only", data=(THUMBNAILS,)),
    "reduced": replace(
        BASE, label="photos reduced by 2 to 8, in patches of 32", data=(REDUCED_PHOTOS, THUMBNAILS)
    ),
    "bits12": replace(
        BASE,
        label="12 bits, 10 iterations",
        bits=12,
        targets=(0.07, 0.12, 0.20, 0.30, 0.42, 0.55, 0.70, 0.85, 1.0, 1.15),
    ),
    "bits32": replace(
        BASE, label="32 bits, 4 iterations", bits=32, targets=(0.14, 0.40, 0.75, 1.15)
    ),
    "h3": replace(BASE, label="hidden kernels of 3x3 in the encoder", hidden=3),
}


@command()
@click.argument("work", type=click.Path(file_okay=False, path_type=Path))
@click.option("--seconds", default=400.0, show_default=True, help="Of CPU time, for each.")
@click.option("--lever", "names", multiple=True, type=click.Choice(list(LEVERS)))
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--in-this-process", is_flag=True, help="Train one lever; for the program itself.")
def main(work, seconds, names, json_file, in_this_process):
    """Train in WORK/SECONDS/NAME what is not there yet, and say what came of it."""
    folder = work / f"{seconds:g}"
    if in_this_process:
        (name,) = names
        data = Path(os.environ.get("DATA", "data"))
        train_one(data, LEVERS[name], folder / name, seconds)
        return
    rows = []
    # The base is what the others are compared with.
    for name in [name for name in LEVERS if name == "base" or not names or name in names]:
        file = folder / name / "result.json"
        if not file.is_file():
            words = [str(work), "--seconds", str(seconds), "--lever", name, "--in-this-process"]
            subprocess.run([sys.executable, __file__, *words], check=True)
        rows.append({"name": name, "label": LEVERS[name].label, **json.loads(file.read_text())})
        rows[-1]["bd_rates"] = bd_rates(rows[-1], rows[0])
        click.echo(describe(rows[-1]))
    if json_file:
        report = {"machine": describe_machine(), "cpu_seconds": seconds, "levers": rows}
        json_file.write_text(json.dumps(report, indent=1) + "\n")


def train_one(data, lever, folder, seconds):
    """Trains, and writes `result.json`: the batches, and the points of both validation sets."""
    prepare_environment()
    import keras

    from tfrnnc.models import ConvLSTM
    from tfrnnc.training import trainer
    from tfrnnc.training.log import read_log
    from tfrnnc.training.recipe import Recipe
    from tfrnnc.training.training_data import open_sets

    share = keras.Variable(0.0, trainable=False, dtype="float32")

    class FollowsCpuTime(trainer.WarmupHoldDecay):
        def __call__(self, step):
            rise = keras.ops.minimum(share / WARMUP, 1.0)
            fall = keras.ops.clip(1 - share, 0.0, 1.0)
            return self.peak * rise * (1 - keras.ops.cos(math.pi * fall)) / 2

    class Clock(keras.callbacks.Callback):
        batches = 0

        def on_train_batch_end(self, batch, logs=None):
            self.batches += 1
            if self.batches == UNTIMED:
                self.start = time.process_time()
            if self.batches >= UNTIMED:
                self.used = time.process_time() - self.start
                share.assign(self.used / seconds)
                self.model.stop_training = self.used >= seconds

    trainer.WarmupHoldDecay = FollowsCpuTime
    recipe = Recipe(
        **{
            "epochs": 1, "steps_per_epoch": 100_000, "loss": "rate-distortion",
            "target_bpp": lever.targets, "rate_delay": RATE_DELAY, "ssim_weight": 0.03,
            "precision": "bfloat16", "average": 0.99, "seed": 1, **lever.recipe,
        }
    )  # fmt: skip
    encoder, bits, decoder = ConvLSTM.layouts["medium"]
    hidden = f" h{lever.hidden}" if lever.hidden > 1 else ""
    encoder = [layer + hidden if "lstm" in layer else layer for layer in encoder]
    keras.utils.set_random_seed(recipe.seed)
    model = ConvLSTM(encoder, lever.bits or bits, decoder, len(lever.targets), seed=recipe.seed)
    sets = open_sets(
        [f"{data}/{each}" for each in lever.data],
        [f"{data}/{each}" for each in VALIDATION],
        None,
        "train",
    )
    clock = Clock()
    options = trainer.RunOptions(quiet=True, callbacks=[clock])
    trainer.train(model, *sets, recipe, folder, options)
    row = read_log(folder / "log.csv", clock.batches)[-1]
    points = {
        f"{name}_{measure}": [
            float(row[f"val_{name}_{measure}_{number}"])
            for number in range(1, model.iterations + 1)
        ]
        for name in ("native", "thumbnails")
        for measure in ("bpp", "psnr", "ssim")
    }
    result = {"batches": clock.batches, "cpu_seconds": round(clock.used, 1), **points}
    (folder / "result.json").write_text(json.dumps(result, indent=1) + "\n")


def bd_rates(result, base):
    """Percent of bits more than the base's, by measure; None without a quality in common."""
    deltas = {}
    for name, measure in MEASURES:
        own, reference = (
            RateCurve(each[f"{name}_bpp"], each[f"{name}_{measure}"]) for each in (result, base)
        )
        delta = own.bd_rate(reference)
        deltas[f"{name}_{measure}"] = None if delta is None else delta.percent
    return deltas


def describe(row):
    """What came of a lever, in a line."""
    deltas = (
        f"{measure} {'-' if percent is None else f'{percent:+.1f} %'}"
        for measure, percent in row["bd_rates"].items()
    )
    return f"{row['label']}: {row['batches']} batches; {', '.join(deltas)}"


if __name__ == "__main__":
    main()
