"""Turns a finished training run into a preset, its model card written from measurements.

    python tools/make_preset.py RUN NAME --images FOLDER

The cards' text is in templates/.
"""

from __future__ import annotations

import json
import shlex
import shutil
from itertools import pairwise
from pathlib import Path
from string import Template
from typing import NamedTuple

import click
import h5py
import numpy as np

from tfrnnc.backend import require_tensorflow
from tfrnnc.bitstream import EntropyModel
from tfrnnc.cli.common import command
from tfrnnc.cli.start import native_messages_held_back
from tfrnnc.errors import ConfigError
from tfrnnc.files import replacing
from tfrnnc.model_folder.file_names import ENTROPY_LOG_FILE
from tfrnnc.model_folder.model_folder import ModelFolder
from tfrnnc.model_folder.presets import PRESETS_FOLDER
from tfrnnc.training.recipe import Recipe
from tfrnnc.training.settings import commands_of
from tfrnnc.training.training_set import TrainingSet, parse_location

#: Of the TFLite files: the same that phones and pages load, so that all show the same picture.
QUANTIZATION = "weights"

DATA = Path(__file__).parent / "data.json"
TEMPLATES = Path(__file__).parent / "templates"

FURTHER_PRESETS_FOLDER = Path(__file__).parents[1] / "presets" / "tfrnnc_presets"


class Card(NamedTuple):
    """What a model card says beside what is measured."""

    name: str
    identity: str
    notes: str


class FinishedRun(NamedTuple):
    """What a training left: its settings, and the rows of its log."""

    settings: dict
    log: list[dict[str, str]]

    @property
    def best(self) -> dict[str, str]:
        """The row of the weights that were kept."""
        return min(self.log, key=lambda row: float(row["val_loss"]))

    @property
    def hours(self) -> float:
        """What all epochs took, validation apart."""
        steps = [0, *(int(row["step"]) for row in self.log)]
        speeds = [float(row["steps_per_second"]) for row in self.log]
        return (
            sum((b - a) / speed for (a, b), speed in zip(pairwise(steps), speeds, strict=True))
            / 3600
        )

    def sets(self) -> list[PatchSet]:
        """What batches were drawn from; locations without settings of their own are one set."""
        recipe = Recipe(**self.settings["recipe"])
        plain, own = [], []
        for text in self.settings["data"]["data"]:
            location, given = parse_location(text)
            one = TrainingSet([], **given)
            size, patch = one.size("batch_size", recipe), one.size("patch_size", recipe)
            if given:
                reduced = [one.size(f"{end}_downscale", recipe) for end in ("min", "max")]
                own.append(PatchSet([named(location)], size, patch, one.share, *reduced))
            else:
                plain.append(named(location))
        joined = [PatchSet(plain, recipe.batch_size, recipe.patch_size, 1.0)] if plain else []
        return joined + own

    @property
    def batch_size(self) -> float:
        """Patches in a batch, on average over the sets that batches are drawn from."""
        sets = self.sets()
        return sum(one.share * one.batch_size for one in sets) / sum(one.share for one in sets)


class PatchSet(NamedTuple):
    """A set of images, by its names, and what a batch of it is."""

    names: list[str]
    batch_size: int
    patch_size: int
    share: float
    min_downscale: int = 1
    max_downscale: int = 1

    def line(self, share_of: float) -> str:
        """What a model card says of it, of all the sets' shares."""
        names = ", ".join(map(described, self.names))
        least, most = self.min_downscale, self.max_downscale
        if most > 1:
            names += f", reduced by {least} to {most}" if least < most else f", reduced by {least}"
        return (
            f"- {names}: {self.batch_size} patches of {self.patch_size}x{self.patch_size}, "
            f"{100 * self.share / share_of:.0f} % of the batches"
        )


def named(path: str) -> str:
    """A folder by its name and that of the folder it is in, wherever on a machine they are."""
    return "/".join(Path(path).parts[-2:]) if Path(path).is_absolute() else path


def described(name: str) -> str:
    """A folder of data by its name, and what it is where tools/data.json knows it.

    Examples:
        >>> described("data/kodak"), described("mine/train")
        ('`data/kodak` (the 24 Kodak photos)', '`mine/train`')
    """
    folders = json.loads(DATA.read_text(encoding="utf-8"))["folders"]
    known = next(
        (what for folder, what in folders.items() if f"/{name}".endswith(f"/{folder}")), ""
    )
    return f"`{name}` ({known})" if known else f"`{name}`"


def shown_duration(hours: float) -> str:
    """Hours, or minutes where they are less than half an hour.

    Examples:
        >>> shown_duration(8.81), shown_duration(0.0125)
        ('8.8 hours', '0.8 minutes')
    """
    return f"{hours:.1f} hours" if hours >= 0.5 else f"{60 * hours:.1f} minutes"


def _split_option(word: str) -> tuple[str, str]:
    """`--output=folder` as `--output=` and `folder`; what is no option has an empty first part."""
    option, equals, value = word.partition("=")
    return (option + equals, value) if equals and word.startswith("--") else ("", word)


def portable(line: str) -> str:
    """A command whose paths are those of no machine; see `named`."""
    words = []
    for word in shlex.split(line):
        option, value = _split_option(word)
        path, mark, query = value.partition("?")
        words.append(option + named(path) + mark + query)
    return shlex.join(words)


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
    "--weights",
    type=click.Choice(["here", "apart", "none"]),
    default="here",
    show_default=True,
    help="Where the weights that Keras loads go: with the rest, into the package tfrnnc-presets, "
    "or nowhere.",
)
def main(run, name, images, presets, notes, weights):
    """Make the preset NAME from the best model of the training in the folder RUN.

    Its weights are rounded to float16, before anything is made of them.
    """
    if not name.isidentifier():
        raise ConfigError(f"{name!r} is not usable as a preset's name; take letters, digits and _")
    with native_messages_held_back():
        require_tensorflow()
    from tfrnnc.codec import load
    from tfrnnc.data import FolderImages
    from tfrnnc.export.parity import record_parity
    from tfrnnc.export.tflite import export_tflite
    from tfrnnc.model_folder.keras_model import load_model, model_id, save_model
    from tfrnnc.training.settings import read_settings

    model = load_model(run)
    model.set_weights([weight.astype(np.float16) for weight in model.get_weights()])
    source, preset = ModelFolder(run), ModelFolder(presets / name)
    finished = FinishedRun(read_settings(run), source.read_log())
    measured = FolderImages(images)
    save_model(model, preset)
    store_as_float16(preset.weights_path)
    with native_messages_held_back():
        manifest = export_tflite(model, preset.path, quantize=QUANTIZATION)
        record_parity(manifest, model, preset.path, measured)
    source.copy_logs(preset)
    if entropy_model := source.read_entropy_model():
        # It was trained on the weights before they were rounded.
        renamed = EntropyModel(model_id(model), entropy_model.bits, list(entropy_model.iterations))
        preset.entropy_model_path.write_bytes(renamed.to_bytes())
    if source.has_entropy_weights and weights != "none":
        shutil.copyfile(source.entropy_weights_path, preset.entropy_weights_path)
        store_as_float16(preset.entropy_weights_path)
    codec = load(preset)
    if weights == "apart":
        apart = FURTHER_PRESETS_FOLDER / name
        apart.mkdir(parents=True, exist_ok=True)
        for path in filter(Path.exists, (preset.weights_path, preset.entropy_weights_path)):
            shutil.move(path, apart / path.name)
    elif weights == "none":
        preset.weights_path.unlink()
        notes = f"{notes}\n\n{filled('model_card_no_weights').rstrip()}".lstrip()
    heading = Card(name, codec.identity.ids, notes)
    card = model_card(model, finished, measure(codec, measured), images, heading)
    if codec.entropy_model:
        card += entropy_section(source, codec.entropy_model, measure_entropy_model(codec, measured))
    preset.write_model_card(card)
    click.echo(f"{preset}")


def store_as_float16(path: Path) -> None:
    """Writes a weights file anew, in half the bytes."""
    with h5py.File(path) as file, replacing(path) as temporary, h5py.File(temporary, "w") as half:

        def store(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Dataset):
                half[name] = item[()].astype(np.float16)
            else:
                half.require_group(name)
            half[name].attrs.update(item.attrs)

        half.attrs.update(file.attrs)
        file.visititems(store)


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


def entropy_section(run: ModelFolder, entropy_model, saved: list[tuple[float, float]]) -> str:
    """What a model card says of the entropy model."""
    rows = "\n".join(
        f"| {iteration} | {plain:.1f} | {coded:.1f} | {100 * (1 - coded / plain):.1f} % |"
        for iteration, (plain, coded) in enumerate(saved, start=1)
    )
    return filled(
        "model_card_entropy",
        training=_entropy_training(run),
        size=f"{len(entropy_model.to_bytes()):,}",
        identity=entropy_model.entropy_coded_id.hex(),
        rows=rows,
    )


def _entropy_training(run: ModelFolder) -> str:
    """Where the entropy model is from: the codec's own training, or one after it."""
    if not run.has_entropy_settings:
        kept = run.read_settings()["recipe"].get("freeze_entropy_model", False)
        return filled(f"model_card_entropy_{'kept' if kept else 'joint'}").rstrip()
    settings = run.read_entropy_settings()
    best = min(run.read_entropy_log(), key=lambda row: float(row["val_loss"]))
    return filled(
        "model_card_entropy_after",
        command=portable(settings["command"]),
        seed=settings["recipe"]["seed"],
        epoch=best["epoch"],
        loss=f"{float(best['val_loss']):.4f}",
        log=ENTROPY_LOG_FILE,
    ).rstrip()


def model_card(model, run: FinishedRun, rows: list[dict], images: str, card: Card) -> str:
    """The text of a model card."""
    table = "\n".join(
        f"| {iteration} | {row['bytes']:.0f} | {row['bpp']:.3f} | {row['psnr']:.2f} "
        f"| {row['ssim']:.3f} |"
        for iteration, row in enumerate(rows, start=1)
    )
    layers = "\n".join(
        f"- {part}: {', '.join(f'`{layer}`' for layer in layout)}"
        for part, layout in (("encoder", model.encoder_layout), ("decoder", model.decoder_layout))
    )
    earlier = run.settings.get("earlier_commands", [])
    shares = sum(one.share for one in run.sets())
    speed = np.median([float(row["steps_per_second"]) for row in run.log]) * run.batch_size
    versions = run.settings["versions"].items()
    return filled(
        "model_card",
        name=card.name,
        notes=f"{card.notes}\n\n" if card.notes else "",
        arch=model.arch,
        parameters=f"{model.count_params():,}",
        identity=card.identity,
        bits=model.bits,
        stride=model.stride,
        iterations=model.iterations,
        layers=layers,
        commands="\n".join(map(portable, commands_of(run.settings))),
        earlier=filled("model_card_earlier") if earlier else "",
        sets="\n".join(one.line(shares) for one in run.sets()),
        seed=run.settings["recipe"]["seed"],
        versions=", ".join(f"{package} {number}" for package, number in versions),
        speed=f"{speed:.0f}",
        duration=shown_duration(run.hours),
        steps=f"{int(run.best['step']):,}",
        patches=f"{round(int(run.best['step']) * run.batch_size):,}",
        loss=f"{float(run.best['val_loss']):.5f}",
        images=described(f"{Path(images).parent.name}/{Path(images).name}"),
        rows=table,
    )


def filled(template: str, **values) -> str:
    """A template of tools/templates/ with its places filled."""
    return Template((TEMPLATES / f"{template}.md").read_text()).substitute(values)


if __name__ == "__main__":
    main()
