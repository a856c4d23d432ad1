"""Turns a finished training run into a preset, its model card written from measurements.

Not a command that users install; run it with `python -m tfrnnc.cli.make_preset RUN NAME`.
"""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import click
import numpy as np

from tfrnnc.backend import require_tensorflow
from tfrnnc.cli.common import command
from tfrnnc.errors import ConfigError
from tfrnnc.model_folder.presets import PRESETS_FOLDER

#: Of the TFLite files: the same that phones and pages load, so that all show the same picture.
QUANTIZATION = "weights"

WITHOUT_WEIGHTS = """\
It encodes and decodes. Keras's weights are left out for their size, so that it can be neither
trained further nor exported; the command below makes them again."""


@command()
@click.argument("run", type=click.Path(file_okay=False, path_type=Path))
@click.argument("name")
@click.option("--images", required=True, help="A folder of images to measure on.")
@click.option(
    "--presets",
    type=click.Path(file_okay=False, path_type=Path),
    default=PRESETS_FOLDER,
    help="Where presets are kept.",
)
@click.option("--notes", default="", help="A paragraph for the model card.")
@click.option(
    "--weights/--no-weights",
    default=True,
    show_default=True,
    help="Keep the weights that Keras loads, four fifths of a preset's bytes.",
)
def main(run, name, images, presets, notes, weights):
    """Make the preset NAME from the best model of the training in the folder RUN."""
    require_tensorflow()
    from tfrnnc.cli.export import copy_entropy_model
    from tfrnnc.codec import load
    from tfrnnc.data import FolderImages
    from tfrnnc.export.parity import export_measured
    from tfrnnc.model_folder.file_names import ENTROPY_LOG_FILE, LOG_FILE, WEIGHTS_FILE
    from tfrnnc.model_folder.keras_model import load_model, save_model
    from tfrnnc.training.trainer import read_settings

    if not name.isidentifier():
        raise ConfigError(f"{name!r} is not usable as a preset's name; take letters, digits and _")
    model = load_model(run)
    settings = read_settings(run)
    measured = FolderImages(images)
    with (run / LOG_FILE).open(newline="") as file:
        log = list(csv.DictReader(file))
    folder = presets / name
    save_model(model, folder)
    export_measured(model, folder, measured, quantize=QUANTIZATION)
    shutil.copyfile(run / LOG_FILE, folder / LOG_FILE)
    copy_entropy_model(run, folder)
    codec = load(folder)
    if not weights:
        (folder / WEIGHTS_FILE).unlink()
        notes = f"{notes}\n\n{WITHOUT_WEIGHTS}".lstrip()
    card = model_card(name, model, settings, log, measure(codec, measured), images, notes)
    if codec.entropy_model:
        shutil.copyfile(run / ENTROPY_LOG_FILE, folder / ENTROPY_LOG_FILE)
        saved = measure_entropy_model(codec, measured)
        card += entropy_section(run, codec.entropy_model, saved)
    (folder / "MODEL_CARD.md").write_text(card)
    click.echo(f"{folder}")


def measure(codec, images) -> list[dict[str, float]]:
    """Means of bytes (header apart), bpp, PSNR and SSIM over images, for each iteration."""
    from tfrnnc.bitstream import pack_plane
    from tfrnnc.metrics import block_ssim, psnr

    values = []
    for image in images:
        planes, pictures = zip(*codec.encode_iterations(image), strict=True)
        height, width, _ = image.shape
        plane_bytes = len(pack_plane(planes[0]))
        values.append(
            [
                (
                    plane_bytes * iteration,
                    plane_bytes * iteration * 8 / (height * width),
                    psnr(image, picture),
                    block_ssim(image, picture),
                )
                for iteration, picture in enumerate(pictures, start=1)
            ]
        )
    return [
        dict(zip(("bytes", "bpp", "psnr", "ssim"), map(float, row), strict=True))
        for row in np.mean(values, axis=0)
    ]


def measure_entropy_model(codec, images) -> list[tuple[float, float]]:
    """Means of the payload's bytes after each iteration, without the entropy model and with it."""
    from tfrnnc.bitstream.plane_coder import payload_sizes

    totals = []
    for image in images:
        planes = [plane for plane, _ in codec.encode_iterations(image)]
        totals.append([payload_sizes(planes, model) for model in (None, codec.entropy_model)])
    plain, coded = np.mean(totals, axis=0).tolist()
    return list(zip(plain, coded, strict=True))


def entropy_section(run: Path, entropy_model, saved: list[tuple[float, float]]) -> str:
    """What a model card says of the entropy model."""
    from tfrnnc.model_folder.file_names import ENTROPY_LOG_FILE, ENTROPY_SETTINGS_FILE

    settings = json.loads((run / ENTROPY_SETTINGS_FILE).read_text())
    with (run / ENTROPY_LOG_FILE).open(newline="") as file:
        best = min(csv.DictReader(file), key=lambda row: float(row["val_loss"]))
    table = "\n".join(
        f"| {iteration} | {plain:.1f} | {coded:.1f} | {100 * (1 - coded / plain):.1f} % |"
        for iteration, (plain, coded) in enumerate(saved, start=1)
    )
    return f"""
## Entropy model

```
{settings["command"]}
```

Seed {settings["recipe"]["seed"]}; the weights are those after epoch {best["epoch"]}, at which a bit
of the validation patches takes {float(best["val_loss"]):.4f} bits. The curve is in
`{ENTROPY_LOG_FILE}`. {len(entropy_model.to_bytes()):,} bytes; streams coded with it carry the
identity `{entropy_model.stream_id.hex()}`. Bytes of the code on the same images, header and checks
apart:

| iteration | plain | coded | saved |
|---|---|---|---|
{table}
"""


def model_card(name, model, settings, log, rows, images, notes) -> str:
    """The text of a model card."""
    from tfrnnc.model_folder.keras_model import model_id

    table = "\n".join(
        f"| {iteration} | {row['bytes']:.0f} | {row['bpp']:.3f} | {row['psnr']:.2f} "
        f"| {row['ssim']:.3f} |"
        for iteration, row in enumerate(rows, start=1)
    )
    layers = "\n".join(
        f"- {part}: {', '.join(f'`{layer}`' for layer in layout)}"
        for part, layout in (("encoder", model.encoder_layout), ("decoder", model.decoder_layout))
    )
    commands = "\n".join([*settings.get("earlier_commands", []), settings["command"]])
    recipe = settings["recipe"]
    best = min(log, key=lambda row: float(row["val_loss"]))
    speed = np.median([float(row["steps_per_second"]) for row in log]) * recipe["batch_size"]
    patches = int(best["step"]) * recipe["batch_size"]
    versions = ", ".join(f"{package} {number}" for package, number in settings["versions"].items())
    earlier = (
        "The last of these commands started from the weights that the ones before it left; the\n"
        "figures and the curve are its own.\n\n"
        if "\n" in commands
        else ""
    )
    return f"""# {name}

A `{model.arch}` model of {model.count_params():,} parameters, identity `{model_id(model).hex()}`.
{model.bits} bits at each location, stride {model.stride}, {model.iterations} iterations.

{layers}

{notes}

## Training

```
{commands}
```

{earlier}Seed {recipe["seed"]}; {versions}; {speed:.0f} patches a second (median).
The weights are those after {best["step"]} steps of {recipe["batch_size"]} patches
({patches:,} patches), the best validation loss ({float(best["val_loss"]):.5f}).
The curve is in `log.csv`.

## Quality

Means over the images of `{Path(images).parent.name}/{Path(images).name}`, of the TFLite files,
which hold 8-bit weights. Bytes and bpp are of the bit planes; the header is not counted. SSIM is
the paper's: 8x8 blocks, each channel, no smoothing. The best weights were chosen by their loss on
the validation images named in the command.

| iteration | bytes | bpp | PSNR (dB) | SSIM |
|---|---|---|---|---|
{table}
"""


if __name__ == "__main__":
    main()
