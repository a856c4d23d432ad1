"""`tfrnnc-evaluate`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import click
from tqdm import tqdm

from tfrnnc.cli.common import command
from tfrnnc.errors import ConfigError, EvaluationError, InstallationError, ModelError
from tfrnnc.evaluation import CLASSIC_CODECS, EvaluationProtocol, open_codec
from tfrnnc.evaluation.codecs import classic_codec
from tfrnnc.evaluation.curves import require_scipy
from tfrnnc.evaluation.evaluated_codec import split_effort
from tfrnnc.evaluation.measurement import (
    DEFAULT_TARGETS,
    METRICS,
    MODERN,
    PAPER,
    ResultStore,
    picture_of,
)
from tfrnnc.evaluation.plots import draw_curves
from tfrnnc.evaluation.report import build_csv, build_report, build_times, table
from tfrnnc.evaluation.runner import (
    EvaluatedImage,
    Task,
    available_processors,
    read_images,
    run_tasks,
)
from tfrnnc.evaluation.strips import choose, draw_strip, save_strip
from tfrnnc.files import replacing
from tfrnnc.images import read_image
from tfrnnc.model_folder.presets import DEFAULT_PRESET, list_presets, model_folder

DEFAULT_METRICS = {PAPER: ("psnr", "ssim"), MODERN: ("psnr", "msssim")}
STRIP_BPP = {PAPER: 0.5, MODERN: 0.25}


class Words(click.ParamType):
    """Words with commas between them."""

    name = "words"

    def convert(self, value, param, ctx):
        if isinstance(value, tuple):
            return value
        return tuple(word.strip() for word in value.split(",") if word.strip())


class Sizes(Words):
    """Numbers of bytes with commas between them."""

    name = "bytes"

    def convert(self, value, param, ctx):
        words = super().convert(value, param, ctx)
        if not words or not all(str(word).isdecimal() and int(word) > 0 for word in words):
            self.fail(f"{value!r} is not numbers of bytes with commas between them", param, ctx)
        return tuple(sorted({int(word) for word in words}))


@command()
@click.option(
    "--data",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="A folder of images.",
)
@click.option(
    "--codec",
    "codecs",
    type=Words(),
    multiple=True,
    default=(DEFAULT_PRESET,),
    show_default=True,
    help=f"Presets, folders of models, and {', '.join(CLASSIC_CODECS)}; with commas, or repeated. "
    "PRESET@2 encodes with --effort 2, avif@4 at speed 4, jpegxl@7 with effort 7.",
)
@click.option(
    "--metric",
    "metrics",
    type=Words(),
    multiple=True,
    help="psnr, ssim (the paper's) and msssim; else psnr,ssim for the paper's protocol, "
    "psnr,msssim for the modern one.",
)
@click.option(
    "--protocol",
    "protocol_name",
    type=click.Choice([PAPER, MODERN]),
    default=MODERN,
    show_default=True,
    help="paper: code without headers at the sizes of --bytes; modern: whole files over a sweep "
    "of qualities.",
)
@click.option(
    "--bytes",
    "targets",
    type=Sizes(),
    help=f"Sizes of the paper's protocol; else {','.join(map(str, DEFAULT_TARGETS))}.",
)
@click.option("--anchor", help="What BD-rates compare with; else jpeg, or the first codec.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write results, figures and strips into this folder, and go on there if interrupted.",
)
@click.option(
    "--strips",
    type=click.IntRange(0),
    default=3,
    show_default=True,
    help="Show so many images by every codec at the same bytes.",
)
@click.option(
    "--strip-bpp",
    type=click.FloatRange(0, min_open=True),
    help="Bits per pixel of the strips; else 0.5 for the paper's protocol, 0.25 for the modern.",
)
@click.option(
    "--jobs", type=click.IntRange(1), help="Processes; else as many as there are processors."
)
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def main(
    data,
    codecs,
    metrics,
    protocol_name,
    targets,
    anchor,
    output,
    strips,
    strip_bpp,
    jobs,
    as_json,
    quiet,
):
    """Measure codecs on a folder of images.

    With --output the folder then holds results.json, times.json, images.csv, a figure of each
    metric and strips of the same image by every codec. What was measured is kept there, and
    taken again if the images, the codecs and all settings are the same.

    Exit codes: 0, all went well; 1, something failed; 2, the command was not understood.
    """
    if targets and protocol_name != PAPER:
        raise click.UsageError("--bytes belongs to --protocol paper")
    if anchor and protocol_name != MODERN:
        raise click.UsageError("--anchor belongs to --protocol modern")
    protocol = EvaluationProtocol(
        protocol_name,
        _joined("--metric", metrics, METRICS) or DEFAULT_METRICS[protocol_name],
        (targets or DEFAULT_TARGETS) if protocol_name == PAPER else (),
    )
    codecs = _codecs(codecs)
    if protocol.name == MODERN:
        anchor = anchor or ("jpeg" if "jpeg" in codecs else codecs[0])
        if anchor not in codecs:
            raise click.UsageError(f"the anchor {anchor} is none of the codecs; add it to --codec")
        require_scipy()
    images = read_images(data, protocol)
    if output:
        output.mkdir(parents=True, exist_ok=True)
    store = ResultStore(output / "kept" if output else None)
    jobs = jobs or available_processors()
    try:
        tasks = [Task(image, codec, protocol) for codec in codecs for image in images]
        flat = run_tasks(tasks, store, jobs, _progress("measuring", quiet))
        count = len(images)
        results = [flat[start : start + count] for start in range(0, len(flat), count)]
        folder = data.resolve()
        name = "/".join(folder.parts[-2:]) if len(folder.parts) > 2 else folder.name
        report = build_report(name, images, codecs, results, protocol, anchor)
        if output:
            _write(output / "results.json", _as_json(report))
            _write(output / "times.json", _as_json(build_times(codecs, results)))
            _write(output / "images.csv", build_csv(images, codecs, results, protocol))
            bpp = strip_bpp or STRIP_BPP[protocol.name]
            _draw_strips(output, images, codecs, protocol, strips, bpp, store, jobs, quiet)
    except KeyboardInterrupt:
        kept = f"what was measured is kept in {output}" if output else "nothing was kept"
        raise EvaluationError(
            f"interrupted; {kept}; the same command {'goes on' if output else 'starts again'}"
        ) from None
    if not quiet:
        click.echo(_as_json(report) if as_json else table(report), nl=not as_json)
    if output:
        try:
            draw_curves(report, output)
        except InstallationError as error:
            click.echo(f"no figures: {error}", err=True)


def _codecs(groups: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    names = _joined("--codec", groups)
    for name in names:
        if classic_codec(name):
            continue
        try:
            model_folder(split_effort(name)[0])
        except ModelError as error:
            raise click.UsageError(
                f"--codec {name}: none of {', '.join([*CLASSIC_CODECS, *list_presets()])}, nor "
                "the folder of a trained model"
            ) from error
    try:
        shown = [open_codec(name).name for name in names]
    except ConfigError as error:
        raise click.UsageError(f"--codec {error}") from error
    if twice := {name for name in shown if shown.count(name) > 1}:
        raise click.UsageError(f"several codecs are named {', '.join(sorted(twice))}")
    return names


def _joined(option: str, groups, known=None) -> tuple[str, ...]:
    """The words of an option that was given several times, each once."""
    words = tuple(dict.fromkeys(word for group in groups for word in group))
    if groups and not words:
        raise click.UsageError(f"{option} is empty")
    if known and (unknown := [word for word in words if word not in known]):
        raise click.UsageError(f"{option} {unknown[0]}: none of {', '.join(known)}")
    return words


def _draw_strips(output, images, codecs, protocol, strips, bpp, store, jobs, quiet) -> None:
    chosen: list[EvaluatedImage] = [images[number] for number in choose(len(images), strips)]
    tasks = [
        Task(image, codec, protocol, max(1, int(bpp * image.width * image.height / 8)))
        for image in chosen
        for codec in codecs
    ]
    results = run_tasks(tasks, store, jobs, _progress("strips", quiet))
    for number, image in enumerate(chosen):
        image_results = results[number * len(codecs) : (number + 1) * len(codecs)]
        pictures = [
            (open_codec(codec).name, result["bytes"], picture_of(result))
            for codec, result in zip(codecs, image_results, strict=True)
        ]
        name = image.name.replace("/", "_").replace(".", "_")
        save_strip(draw_strip(read_image(image.path), pictures), output, name)


def _progress(what: str, quiet: bool) -> Callable:
    def wrap(results, total: int, kept: int):
        if kept and not quiet:
            click.echo(f"{what}: {kept} of {total} results are kept from before", err=True)
        if quiet or not sys.stderr.isatty():
            return results
        return tqdm(results, desc=what, unit="result", total=total, initial=kept)

    return wrap


def _as_json(content: dict) -> str:
    return json.dumps(content, indent=2) + "\n"


def _write(path: Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text)
