"""Packs images into shards on Apache Beam.

    python -m tfrnnc.pipelines.beam --input FOLDER|LIST --output FOLDER [--shards N] [--runner ...]

What it does not know itself goes to Beam, so that it runs on any of Beam's runners.
docs/DEPLOYMENT.md has examples.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from tfrnnc.bitstream.constants import MAX_PIXELS, MAX_WORK
from tfrnnc.codec import EncodeOptions, load
from tfrnnc.errors import InstallationError, PipelineError, TfrnncError
from tfrnnc.model_folder.model_folder import ARITHMETICS
from tfrnnc.model_folder.presets import DEFAULT_PRESET
from tfrnnc.pipelines.encode_shard import encode_shard
from tfrnnc.pipelines.inputs import Item, list_images
from tfrnnc.pipelines.shard import Shard, shard_of

try:
    import apache_beam as beam
    import grpc  # Beam's remote runners are reached over it.
    from apache_beam.metrics import Metrics
    from apache_beam.options.pipeline_options import PipelineOptions
except ImportError as _error:
    _MISSING = "Apache Beam is not installed; pip install 'tfrnnc[beam]'"
    if __name__ == "__main__":
        sys.exit(f"error: {_MISSING}")
    raise InstallationError(_MISSING) from _error

NAMESPACE = "tfrnnc"  #: of the counters
FAILED = "failed"  #: the output of what could not be encoded
_ENCODE_OPTIONS = (
    "iterations", "bpp", "max_bytes", "psnr", "ssim", "downscale", "background", "max_pixels",
    "max_work",
)  # fmt: skip
COUNTERS = ("images", "bytes", "failures", "shards", "skipped_shards")

logger = logging.getLogger("tfrnnc")


class EncodeShardFn(beam.DoFn):
    """Makes a shard of a number and the items that belong to it.

    The main output has what was done, a dictionary of the fields of `ShardReport` without
    failures and PSNR; the output `FAILED` a dictionary with "key" and "error" for each image that
    could not be encoded. Counters: `images`, `bytes` and `failures` of the shards that are done,
    `shards` and, of them, `skipped_shards`; the distribution `psnr_centibels` (2,950 is 29.5 dB) is
    of the images that were encoded in this run.

    Args:
        output: the folder of the shards, a path or a URI that all workers reach.
        shards: how many there are.
        model: a preset, or a folder that all workers reach.
        options: how to encode.
        arithmetic: as for `tfrnnc.load`.
        overwrite: make existing shards again.
    """

    def __init__(
        self,
        output: str,
        shards: int,
        model: str,
        options: EncodeOptions,
        arithmetic: str = "float32",
        overwrite: bool = False,
    ):
        self._output, self._shards, self._model, self._options = output, shards, model, options
        self._arithmetic, self._overwrite = arithmetic, overwrite
        self._counters = {name: Metrics.counter(NAMESPACE, name) for name in COUNTERS}
        self._psnr = Metrics.distribution(NAMESPACE, "psnr_centibels")

    def setup(self) -> None:
        """Loads the codec, once in each worker."""
        self._codec = load(self._model, threads=1, arithmetic=self._arithmetic)

    def process(self, element: tuple[int, Iterable[Item | None]]) -> Iterator[Any]:
        """Makes one shard."""
        number, members = element
        shard = Shard(self._output, number, self._shards)
        items = [item for item in members if item is not None]
        report = encode_shard(shard, items, self._codec, self._options, self._overwrite)
        self._count("images", report.images)
        self._count("bytes", report.bytes)
        self._count("failures", len(report.failures))
        self._count("shards", 1)
        self._count("skipped_shards", int(report.skipped))
        for quality in report.psnr:
            if math.isfinite(quality):
                self._psnr.update(round(100 * quality))
        for failure in report.failures:
            yield beam.pvalue.TaggedOutput(FAILED, failure)
        done = asdict(report)
        yield {name: done[name] for name in ("path", "images", "bytes", "skipped")}

    def _count(self, name: str, value: int) -> None:
        self._counters[name].inc(value)


class PackImages(beam.PTransform):
    """Packs a collection of (key, image) into shards; images as `encode_shard` takes them.

    Of the result, `shards` is what was done for each shard and `failed` the images that could not
    be encoded, as `EncodeShardFn` has them.

    Args:
        output: the folder of the shards, a path or a URI that all workers reach.
        shards: how many there are.
        model: a preset, or a folder that all workers reach.
        options: how to encode.
        arithmetic: as for `tfrnnc.load`.
        overwrite: make existing shards again.
    """

    def __init__(
        self,
        output: str,
        shards: int,
        model: str = DEFAULT_PRESET,
        options: EncodeOptions | None = None,
        arithmetic: str = "float32",
        overwrite: bool = False,
    ):
        super().__init__()
        self._output, self._shards, self._model = output, shards, model
        self._arithmetic, self._overwrite = arithmetic, overwrite
        self._options = options or EncodeOptions()

    def expand(self, items: beam.PCollection) -> Any:
        """Groups the images by shard, and makes each."""
        shards = self._shards
        encode = EncodeShardFn(
            self._output, shards, self._model, self._options, self._arithmetic, self._overwrite
        )
        numbered = items | "Assign" >> beam.Map(lambda item: (shard_of(item[0], shards), item))
        # A shard that no image belongs to is made, too, so that all are there.
        every = (
            items.pipeline
            | "Number shards" >> beam.Create(range(shards))
            | "Without image" >> beam.Map(lambda number: (number, None))
        )
        return (
            (numbered, every)
            | "Join" >> beam.Flatten()
            | "Group by shard" >> beam.GroupByKey()
            | "Spread" >> beam.Reshuffle()
            | "Encode" >> beam.ParDo(encode).with_outputs(FAILED, main="shards")
        )


def run(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Runs the pipeline to its end.

    Args:
        arguments: of the command line; None takes the program's.

    Returns:
        the counters and, in "psnr", least, mean and greatest PSNR in decibels.

    Raises:
        PipelineError: if the runner cannot be reached, or reports that the pipeline failed.
        TfrnncError: if the pipeline cannot start, or failed in this process.
    """
    known, rest = argument_parser().parse_known_args(arguments)
    options = EncodeOptions(**{name: getattr(known, name) for name in _ENCODE_OPTIONS})
    pack = PackImages(
        known.output, known.shards, known.model, options, known.arithmetic, known.overwrite
    )
    pipeline = beam.Pipeline(options=PipelineOptions(rest))
    (
        pipeline
        | "Input" >> beam.Create([known.input])
        | "List images" >> beam.FlatMap(list_images)
        | "Pack" >> pack
    )
    try:
        result = pipeline.run()
        result.wait_until_finish()
        return summarize(result)
    except (RuntimeError, grpc.RpcError, grpc.FutureTimeoutError) as error:
        raise PipelineError(_explain(error)) from error


def _explain(error: Exception) -> str:
    """What a runner reports, without the tracebacks of its workers."""
    if isinstance(error, grpc.FutureTimeoutError):
        return "the job server does not answer; check --job_endpoint, and that it runs"
    if isinstance(error, grpc.Call):
        return (
            f"the job server ended the connection ({error.code().name}: {error.details()}); check "
            "its log and that of the workers, or give a longer --job_server_timeout"
        )
    text = str(error)
    if raised := re.findall(r"tfrnnc\.errors\.\w+: (.*)", text):
        return str(raised[-1])
    last = next((line for line in reversed(text.splitlines()) if line.strip()), repr(error))
    return f"the pipeline failed ({last.strip()}); the log of the runner says where"


def summarize(result: Any) -> dict[str, Any]:
    """The counters of a run.

    Args:
        result: of the pipeline.

    Returns:
        each of `COUNTERS`, and in "psnr" least, mean and greatest PSNR in decibels, None if nothing
        was encoded.
    """
    metrics = result.metrics().query(beam.metrics.MetricsFilter().with_namespace(NAMESPACE))
    summary: dict[str, Any] = dict.fromkeys(COUNTERS, 0)
    for each in metrics["counters"]:
        summary[each.key.metric.name] = each.result or 0  # None is what remote runners make of 0.
    summary["psnr"] = None
    for each in metrics["distributions"]:
        if each.result.count:
            values = (each.result.min, each.result.mean, each.result.max)
            names = ("least", "mean", "greatest")
            summary["psnr"] = {
                name: round(value / 100, 2) for name, value in zip(names, values, strict=True)
            }
    return summary


def argument_parser() -> argparse.ArgumentParser:
    """What reads the pipeline's own options."""
    parser = argparse.ArgumentParser(
        prog="python -m tfrnnc.pipelines.beam",
        description="Packs images into shards, which are Parquet files, on Apache Beam.",
        epilog="All other options are Beam's, such as --runner.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--input", required=True, help="a folder of images, or a text file with a path in each line"
    )
    parser.add_argument("--output", required=True, help="the folder of the shards")
    parser.add_argument("--overwrite", action="store_true", help="make existing shards again")
    parser.add_argument(
        "--shards", type=_positive, default=100, help="how many shards there are (default: 100)"
    )
    parser.add_argument(
        "--model", default=DEFAULT_PRESET, help=f"a preset or a folder (default: {DEFAULT_PRESET})"
    )
    parser.add_argument(
        "--arithmetic",
        choices=ARITHMETICS,
        default="float32",
        help="int8 is two to three times as fast (default: float32)",
    )
    parser.add_argument("--iterations", type=_positive, help="encode this many iterations")
    parser.add_argument("--max-bytes", type=_positive, help="most bytes per image")
    for name, what in (
        ("bpp", "most bits per pixel"),
        ("psnr", "stop at the first iteration that reaches this PSNR in dB"),
        ("ssim", "stop at the first iteration that reaches this SSIM"),
    ):
        parser.add_argument(f"--{name}", type=float, help=what)
    parser.add_argument(
        "--downscale",
        type=int,
        choices=(1, 2),
        default=1,
        help="2 encodes at half the width and height (default: 1)",
    )
    parser.add_argument("--background", help="the colour behind transparent images")
    for name, limit, what in (
        ("pixels", MAX_PIXELS, "larger images, padded to the model's stride"),
        ("work", MAX_WORK, "more pixels times iterations"),
    ):
        parser.add_argument(
            f"--max-{name}",
            type=_positive,
            default=limit,
            help=f"refuse {what} (default: {limit})",
        )
    return parser


def _positive(word: str) -> int:
    number = int(word)
    if number < 1:
        raise ValueError
    return number


def main() -> None:
    """Runs the pipeline and prints its counters as JSON."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    try:
        print(json.dumps(run(), indent=2))
    except TfrnncError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    # Workers know the classes by the module's own name, not as __main__.
    from tfrnnc.pipelines import beam as module

    module.main()
