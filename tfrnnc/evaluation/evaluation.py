"""An evaluation: codecs, images and a protocol in; a report, figures and strips out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfrnnc.errors import ConfigError, EvaluationError
from tfrnnc.evaluation.codecs import CodecSpec, check_codecs
from tfrnnc.evaluation.curves import require_scipy
from tfrnnc.evaluation.measurement import MODERN, PAPER, EvaluationProtocol, Result, ResultStore
from tfrnnc.evaluation.report import build_csv, build_report, build_times, table
from tfrnnc.evaluation.runner import (
    EvaluatedImage,
    Progress,
    Task,
    TaskRunner,
    no_progress,
    read_images,
)
from tfrnnc.evaluation.strips import Strips
from tfrnnc.files import replacing
from tfrnnc.processes import available_cpus

DEFAULT_REFERENCE = "jpeg"  #: what BD-rates compare with: JPEG 4:2:0
STRIP_BPP = {PAPER: 0.5, MODERN: 0.25}  #: bits per pixel of the strips of each protocol


@dataclass(frozen=True)
class EvaluationOptions:
    """What `evaluate` may be told beside what it measures.

    Attributes:
        references: the codecs that BD-rates compare with; those that are not evaluated anyway are
            measured as well. None is `DEFAULT_REFERENCE` for the protocol "modern"; "paper" has no
            BD-rates.
        output: a folder for results and strips, made where needed; measurements are kept there.
        strips: how many images are shown by every codec at the same bytes; needs `output`.
        strip_bpp: bits per pixel of the strips; None takes that of the protocol in `STRIP_BPP`.
        jobs: processes; None takes one per CPU.
        progress: told of each result.

    Raises:
        ConfigError: if a number is out of its range.
    """

    references: tuple[CodecSpec | str, ...] | None = None
    output: Path | None = None
    strips: int = 3
    strip_bpp: float | None = None
    jobs: int | None = None
    progress: Progress = no_progress

    def __post_init__(self) -> None:
        if self.strips < 0 or (self.jobs is not None and self.jobs < 1):
            raise ConfigError("strips must be 0 or more, and jobs 1 or more")
        if self.strip_bpp is not None and not self.strip_bpp > 0:
            raise ConfigError(f"strip_bpp must be above 0, not {self.strip_bpp}")


@dataclass(frozen=True)
class Evaluation:
    """What was measured.

    Attributes:
        images: that were encoded.
        codecs: that encoded them, references too.
        protocol: by which.
        results: for each codec, of each image, as `measure` returns them.
        report: what `results.json` holds: means, and what is read off the curves.
    """

    images: Sequence[EvaluatedImage]
    codecs: Sequence[CodecSpec]
    protocol: EvaluationProtocol
    results: Sequence[Sequence[Result]]
    report: dict[str, Any]

    def table(self) -> str:
        """The report as lines for a terminal."""
        return table(self.report)

    def write(self, folder: Path) -> None:
        """Writes results.json, times.json and images.csv into a folder that exists."""
        csv = build_csv(self.images, self.codecs, self.results, self.protocol)
        times = build_times(self.codecs, self.results)
        for name, text in (
            ("results.json", as_json(self.report)),
            ("times.json", as_json(times)),
            ("images.csv", csv),
        ):
            with replacing(folder / name) as temporary:
                temporary.write_text(text)


def evaluate(
    folder: Path,
    codecs: Sequence[CodecSpec | str],
    protocol: EvaluationProtocol,
    options: EvaluationOptions | None = None,
) -> Evaluation:
    """Measures codecs on a folder of images.

    With `options.output` it writes results and strips there, and goes on there after an
    interruption; figures are drawn apart, by `draw_curves`.

    Args:
        folder: of images, those in the folders below it too.
        codecs: to measure.
        protocol: how.
        options: None is `EvaluationOptions()`.

    Raises:
        ConfigError: if a codec is not known, or references are given for the protocol "paper".
        DataError: if the folder has no images.
        EvaluationError: if a codec fails, or the evaluation is interrupted.
        ImageError: if an image is broken, or too small for a metric.
        InstallationError: if a library is missing.
        ModelError: if a model's files are broken.
    """
    options = options or EvaluationOptions()
    specs, references = check_evaluation(codecs, protocol, options)
    images = read_images(folder, protocol)
    output = options.output
    if output:
        output.mkdir(parents=True, exist_ok=True)
    store = ResultStore(output / "kept" if output else None)
    runner = TaskRunner(store, options.jobs or available_cpus(), options.progress)
    try:
        tasks = [Task(image, codec, protocol) for codec in specs for image in images]
        flat = runner.run(tasks, "measuring")
        results = [flat[start : start + len(images)] for start in range(0, len(flat), len(images))]
        report = build_report(_short_name(folder), images, specs, results, protocol, references)
        evaluation = Evaluation(images, specs, protocol, results, report)
        if output:
            evaluation.write(output)
            strips = Strips(options.strips, options.strip_bpp or STRIP_BPP[protocol.name])
            strips.make(images, specs, protocol, runner, output)
    except KeyboardInterrupt:
        kept = f"what was measured is kept in {output}" if output else "nothing was kept"
        raise EvaluationError(
            f"interrupted; {kept}; the same command {'goes on' if output else 'starts again'}"
        ) from None
    return evaluation


def check_evaluation(
    codecs: Sequence[CodecSpec | str], protocol: EvaluationProtocol, options: EvaluationOptions
) -> tuple[tuple[CodecSpec, ...], tuple[CodecSpec, ...]]:
    """All codecs of an evaluation, and those of them that are references.

    Raises:
        ConfigError: if a codec is not known, or references are given for the protocol "paper".
        InstallationError: if a library is missing.
        ModelError: if a model's files are broken.
    """
    if protocol.name != MODERN:
        if options.references:
            raise ConfigError("references belong to the protocol 'modern'; 'paper' has no BD-rates")
        return check_codecs(codecs), ()
    require_scipy()
    given = options.references
    references = (DEFAULT_REFERENCE,) if given is None else given
    specs = check_codecs((*codecs, *references))
    return specs, tuple(dict.fromkeys(map(CodecSpec.of, references)))


def as_json(content: dict[str, Any]) -> str:
    """A report as it is written."""
    return json.dumps(content, indent=2) + "\n"


def _short_name(folder: Path) -> str:
    """The last two parts of a folder's path, or its name if there are no more."""
    parts = folder.resolve().parts
    return "/".join(parts[-2:]) if len(parts) > 2 else folder.resolve().name
