"""The results of an evaluation as JSON, CSV and a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfrnnc.evaluation.codecs import CodecSpec, open_codec
from tfrnnc.evaluation.curves import AREA_FROM, AREA_TO, BDRate, RateCurve, mean_points
from tfrnnc.evaluation.measurement import MODERN, EvaluationProtocol, Result
from tfrnnc.evaluation.runner import EvaluatedImage

SHOWN_BPP = (0.125, 0.25, 0.5, 1.0, 2.0)  #: rates at which the modern protocol's table is made
LABELS = {"psnr": "PSNR", "ssim": "SSIM", "msssim": "MS-SSIM"}
_DELTA_WIDTH = 30  #: characters of a BD-rate in the table for a terminal
_DIGITS = {"psnr": 4, "ssim": 6, "msssim": 6}


def build_report(
    data: str,
    images: Sequence[EvaluatedImage],
    codecs: Sequence[CodecSpec],
    results: Sequence[Sequence[Result]],
    protocol: EvaluationProtocol,
    references: Sequence[CodecSpec],
) -> dict[str, Any]:
    """What `results.json` holds; the same for the same inputs and settings.

    Args:
        data: the name of the folder of images.
        images: that were measured.
        codecs: that measured them.
        results: for each codec, of each image, as `measure` returns them.
        protocol: by which.
        references: those of the codecs that BD-rates compare with; none for "paper".

    Raises:
        InstallationError: if the protocol is "modern" and SciPy is missing.
    """
    pixels = np.array([image.width * image.height for image in images])
    report = {
        "protocol": protocol.name,
        "data": data,
        "images": len(images),
        "metrics": list(protocol.metrics),
        **({"reduced_side": protocol.reduced_side} if protocol.reduced_side else {}),
        "codecs": [
            {
                "codec": open_codec(codec).name,
                "settings": open_codec(codec).settings(),
                "points": _points(codec_results, pixels, protocol),
            }
            for codec, codec_results in zip(codecs, results, strict=True)
        ],
    }
    if protocol.name == MODERN:
        add_curves(report, [open_codec(codec).name for codec in references])
    return report


def _points(
    codec_results: Sequence[Result], pixels: np.ndarray, protocol: EvaluationProtocol
) -> dict[str, Any]:
    """Means over the images, for each setting."""
    sizes = np.array([result["bytes"] for result in codec_results])
    points: dict[str, list[Any]] = (
        {"target_bytes": list(protocol.targets)}
        if protocol.targets
        else {"setting": codec_results[0]["setting"]}
    )
    points["bytes"] = _rounded(sizes.mean(axis=0), 4)
    for name in protocol.metrics:
        qualities = np.array([result[name] for result in codec_results])
        bpp, means = mean_points(sizes, pixels, qualities)
        points["bpp"] = _rounded(bpp, 5)
        points[name] = _rounded(means, _DIGITS[name])
    return points


def add_curves(report: dict[str, Any], references: Sequence[str]) -> None:
    """Adds to a report of the modern protocol what is read off the curves of its points.

    Args:
        report: with an entry in "codecs" for each codec; each gets "at_bpp", "bd_rate" for each
            reference, and "area" of MS-SSIM.
        references: names of codecs in the report, which BD-rates compare with.

    Raises:
        InstallationError: if SciPy is missing.
    """
    entries = {entry["codec"]: entry for entry in report["codecs"]}
    report["references"] = list(references)
    for entry in entries.values():
        curves = {name: rate_curve(entry, name) for name in report["metrics"]}
        entry["at_bpp"] = {
            "bpp": list(SHOWN_BPP),
            **{
                name: [_rounded_quality(curve.quality_at(bpp), name) for bpp in SHOWN_BPP]
                for name, curve in curves.items()
            },
        }
        entry["bd_rate"] = {
            reference: {
                name: _delta(curve.bd_rate(rate_curve(entries[reference], name)))
                for name, curve in curves.items()
            }
            for reference in references
        }
        if "msssim" in curves:
            entry["area"] = {"msssim": round(curves["msssim"].area(), 5)}


def rate_curve(entry: dict[str, Any], metric: str) -> RateCurve:
    """The curve through the points of a codec's entry in a report."""
    return RateCurve(entry["points"]["bpp"], entry["points"][metric], metric)


def _delta(bd_rate: BDRate | None) -> dict[str, Any] | None:
    if bd_rate is None:
        return None
    return {
        "percent": round(bd_rate.percent, 3),
        "from": round(bd_rate.low, 4),
        "to": round(bd_rate.high, 4),
    }


def _rounded_quality(quality: float | None, metric: str) -> float | None:
    return None if quality is None else round(quality, _DIGITS[metric])


def _rounded(values: np.ndarray, digits: int) -> list[float]:
    return [round(float(value), digits) for value in values]


def build_times(codecs: Sequence[CodecSpec], results: Sequence[Sequence[Result]]) -> dict[str, Any]:
    """What `times.json` holds: means over the images, in seconds, on one thread."""
    return {
        open_codec(codec).name: {
            name: _rounded(np.mean([result[name] for result in codec_results], axis=0), 6)
            for name in ("encode_seconds", "decode_seconds")
        }
        for codec, codec_results in zip(codecs, results, strict=True)
    }


def build_csv(
    images: Sequence[EvaluatedImage],
    codecs: Sequence[CodecSpec],
    results: Sequence[Sequence[Result]],
    protocol: EvaluationProtocol,
) -> str:
    """What `images.csv` holds: a row for each image, codec and rate."""
    file = io.StringIO()
    rows = csv.writer(file, lineterminator="\n")
    first = "target_bytes" if protocol.targets else "setting"
    rows.writerow(["image", "width", "height", "codec", first, "bytes", "bpp", *protocol.metrics])
    for number, image in enumerate(images):
        for codec, codec_results in zip(codecs, results, strict=True):
            result = codec_results[number]
            settings = protocol.targets or result["setting"]
            for point, setting in enumerate(settings):
                size = result["bytes"][point]
                rows.writerow(
                    [
                        *(image.name, image.width, image.height),
                        *(open_codec(codec).name, setting, size),
                        round(8 * size / (image.width * image.height), 5),
                        *(round(result[name][point], _DIGITS[name]) for name in protocol.metrics),
                    ]
                )
    return file.getvalue()


def table(report: dict[str, Any]) -> str:
    """The report as lines for a terminal."""
    return "\n".join(
        _modern_lines(report) if report["protocol"] == MODERN else _paper_lines(report)
    )


def _paper_lines(report: dict[str, Any]) -> list[str]:
    width, heads = _columns(report)
    lines = [
        f"{images_and_folder(report)}, protocol paper: means without headers",
        f"{'codec':<{width}}  target   bytes    bpp{heads}",
    ]
    for entry in report["codecs"]:
        points = entry["points"]
        for number, target in enumerate(points["target_bytes"]):
            values = "".join(_shown(name, points[name][number]) for name in report["metrics"])
            lines.append(
                f"{entry['codec']:<{width}}  {target:>6} {points['bytes'][number]:>7.1f} "
                f"{points['bpp'][number]:>6.3f}{values}"
            )
    return lines


def _modern_lines(report: dict[str, Any]) -> list[str]:
    width, heads = _columns(report)
    lines = [
        f"{images_and_folder(report)}, protocol modern: whole files, curves of mean points",
        f"{'codec':<{width}}    bpp{heads}",
    ]
    for entry in report["codecs"]:
        for number, bpp in enumerate(entry["at_bpp"]["bpp"]):
            values = "".join(
                _shown(name, entry["at_bpp"][name][number]) for name in report["metrics"]
            )
            lines.append(f"{entry['codec']:<{width}}  {bpp:>5.3f}{values}")
    for reference in report["references"]:
        lines += [
            "",
            f"BD-rate against {reference}, and the qualities that it is an average over; "
            "below zero, fewer bits for the same quality",
        ]
        heads = "".join(f"{LABELS[name]:>{_DELTA_WIDTH}}" for name in report["metrics"])
        lines.append(f"{'codec':<{width}}{heads}")
        for entry in report["codecs"]:
            deltas = entry["bd_rate"][reference].items()
            shown = "".join(f"{shown_delta(delta, name):>{_DELTA_WIDTH}}" for name, delta in deltas)
            lines.append(f"{entry['codec']:<{width}}{shown}")
    if "msssim" in report["metrics"]:
        lines += ["", f"area under MS-SSIM, {AREA_FROM:g} to {AREA_TO:g} bpp"]
        lines += [
            f"{entry['codec']:<{width}}         {entry['area']['msssim']:.4f}"
            for entry in report["codecs"]
        ]
    return lines


def _columns(report: dict[str, Any]) -> tuple[int, str]:
    """The width of the first column, and the heads of the metrics' columns."""
    width = max(len("codec"), *(len(entry["codec"]) for entry in report["codecs"]))
    return width, "".join(f"{LABELS[name]:>9}" for name in report["metrics"])


def images_and_folder(report: dict[str, Any]) -> str:
    """How many images a report is of, and the name of their folder."""
    return f"{report['images']} image{'s' if report['images'] > 1 else ''} of {report['data']}"


def _shown(name: str, value: float | None) -> str:
    if value is None:
        return f"{'-':>9}"
    return f"{value:>6.2f} dB" if name == "psnr" else f"{value:>9.4f}"


def shown_delta(delta: dict[str, Any] | None, metric: str) -> str:
    """A BD-rate of a report, and the qualities that it is an average over, in words.

    Examples:
        >>> shown_delta({"percent": -18.93, "from": 22.37, "to": 30.5}, "psnr")
        '-18.9 % (22.4 to 30.5 dB)'
    """
    if delta is None:
        return "-"
    low, high = delta["from"], delta["to"]
    between = f"{low:.2f} to {high:.2f}" if metric == "ssim" else f"{low:.1f} to {high:.1f} dB"
    return f"{delta['percent']:+.1f} % ({between})"
