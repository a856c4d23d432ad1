"""`tfrnnc-evaluate`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from tfrnnc.cli.codec_names import CodecNames
from tfrnnc.cli.common import Report, command
from tfrnnc.cli.options import ByteSizes, Words, folder_path, gathered, joined, option_group
from tfrnnc.cli.standard_streams import echo
from tfrnnc.cli.start import start_runtime
from tfrnnc.errors import ConfigError, InstallationError, ModelError
from tfrnnc.evaluation import CLASSIC_CODECS, EvaluationOptions, EvaluationProtocol, evaluate
from tfrnnc.evaluation.codecs import CodecSpec
from tfrnnc.evaluation.evaluation import STRIP_BPP, as_json, check_evaluation
from tfrnnc.evaluation.measurement import DEFAULT_TARGETS, METRICS, MODERN, PAPER
from tfrnnc.evaluation.plots import draw_curves
from tfrnnc.evaluation.preview_codecs import PREVIEW_CODECS
from tfrnnc.evaluation.runner import NumberedResult
from tfrnnc.model_folder.presets import DEFAULT_PRESET

DEFAULT_METRICS = {PAPER: ("psnr", "ssim"), MODERN: ("psnr", "msssim")}

measuring = option_group("What is measured")
comparing = option_group("What is compared")
writing = option_group("Results")


@dataclass(frozen=True)
class _Protocol:
    """The options that make an `EvaluationProtocol`."""

    protocol_name: str
    targets: tuple[int, ...] | None
    reduced_side: int | None
    metrics: tuple[tuple[str, ...], ...]

    def checked(self) -> EvaluationProtocol:
        """The protocol.

        Raises:
            ConfigError: if the options do not fit together.
        """
        return EvaluationProtocol(
            self.protocol_name,
            joined(self.metrics) or DEFAULT_METRICS[self.protocol_name],
            self.targets or (DEFAULT_TARGETS if self.protocol_name == PAPER else ()),
            self.reduced_side,
        )


@command()
@measuring("--data", required=True, type=folder_path(), help="A folder of images.")
@measuring(
    "--codec",
    "codecs",
    type=CodecNames(),
    multiple=True,
    default=(DEFAULT_PRESET,),
    show_default=True,
    help=f"Presets, folders of models, {', '.join(CLASSIC_CODECS)}, and of strings "
    f"{', '.join(PREVIEW_CODECS)}; with commas, or repeated. "
    "PRESET@2 encodes with --effort 2, PRESET@2@ssim also with --tune ssim, "
    "PRESET@half low rates at half the resolution, PRESET@int8 with --arithmetic int8, avif@4 at "
    "speed 4, jpegxl@7 with effort 7.",
)
@gathered(
    _Protocol,
    "protocol",
    measuring(
        "--protocol",
        "protocol_name",
        type=click.Choice([PAPER, MODERN]),
        default=MODERN,
        show_default=True,
        help="paper: payloads without headers at the sizes of --bytes. modern: whole files over a "
        "sweep of qualities.",
    ),
    measuring(
        "--bytes",
        "targets",
        type=ByteSizes(),
        help=f"Sizes for --protocol paper (default: {','.join(map(str, DEFAULT_TARGETS))}).",
    ),
    measuring(
        "--reduce-to",
        "reduced_side",
        type=click.IntRange(1),
        help="Give codecs the image reduced to this many pixels on the longer side, and measure "
        "what they show enlarged to the image again.",
    ),
    comparing(
        "--metric",
        "metrics",
        type=Words(tuple(METRICS)),
        multiple=True,
        help="psnr, ssim (the paper's) and msssim (default: psnr,ssim for the paper's protocol, "
        "psnr,msssim for the modern one).",
    ),
)
@comparing(
    "--reference",
    "references",
    type=CodecNames(),
    multiple=True,
    help="Codecs that BD-rates compare with; they are measured too (default: jpeg, which is "
    "4:2:0).",
)
@comparing(
    "--strips",
    type=click.IntRange(0),
    default=3,
    show_default=True,
    help="Show this many images by every codec at the same bytes; needs --output.",
)
@comparing(
    "--strip-bpp",
    type=click.FloatRange(0, min_open=True),
    help=f"Bits per pixel of the strips (default: {STRIP_BPP[PAPER]} for the paper's protocol, "
    f"{STRIP_BPP[MODERN]} for the modern one).",
)
@writing(
    "--output",
    type=folder_path(),
    help="Write results, figures and strips into this folder, and go on there if interrupted.",
)
@writing(
    "--title",
    help="Title of the figures (default: the number of images and the name of their folder).",
)
@writing("--jobs", type=click.IntRange(1), help="Processes (default: one per CPU).")
@gathered(
    Report,
    "report",
    writing("--json", "as_json", is_flag=True, help="Print the results as JSON."),
    writing("-q", "--quiet", is_flag=True, help="Print nothing but errors."),
)
def main(
    data: Path,
    codecs: tuple[tuple[CodecSpec, ...], ...],
    protocol: _Protocol,
    references: tuple[tuple[CodecSpec, ...], ...],
    title: str | None,
    report: Report,
    **options: Any,
) -> None:
    """Measure codecs on a folder of images.

    With --output the folder then holds results.json, times.json, images.csv, a figure of each
    metric and strips of the same image by every codec. Measurements are kept there and reused if
    the images, the codecs and all settings are the same.

    Exit codes: 0, success; 1, failure; 2, wrong usage.
    """
    evaluation_options = EvaluationOptions(
        references=joined(references) or None,
        progress=_quiet_progress if report.quiet else _progress,
        **options,
    )
    try:
        checked_protocol = protocol.checked()
        _start_models(joined(codecs))
        check_evaluation(joined(codecs), checked_protocol, evaluation_options)
    except ConfigError as error:
        raise click.UsageError(str(error)) from error
    evaluation = evaluate(data, joined(codecs), checked_protocol, evaluation_options)
    if not report.quiet:
        text = as_json(evaluation.report) if report.as_json else evaluation.table()
        echo(text, nl=not report.as_json)
    if evaluation_options.output:
        try:
            draw_curves(evaluation.report, evaluation_options.output, title=title)
        except InstallationError as error:
            echo(f"no figures: {error}", err=True)


def _start_models(specs: Iterable[CodecSpec]) -> None:
    """Starts what will run the models among the codecs, so that it prints nothing later."""
    for spec in specs:
        if spec.name not in CLASSIC_CODECS and spec.name not in PREVIEW_CODECS:
            with suppress(ModelError):  # check_evaluation refuses it by the option's name.
                start_runtime(spec.name, None, spec.arithmetic)


def _quiet_progress(
    what: str, results: Iterable[NumberedResult], total: int, kept: int
) -> Iterable[NumberedResult]:
    return results


def _progress(
    what: str, results: Iterable[NumberedResult], total: int, kept: int
) -> Iterable[NumberedResult]:
    if kept:
        echo(f"{what}: {kept} of {total} results are kept from before", err=True)
    if not sys.stderr.isatty():
        return results
    bar: Iterable[NumberedResult] = tqdm(
        results, desc=what, unit="result", total=total, initial=kept
    )
    return bar
