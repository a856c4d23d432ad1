"""The results of an evaluation as JSON, CSV and a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import numpy as np

from tfrnnc.evaluation.codecs import open_codec
from tfrnnc.evaluation.curves import AREA_FROM, AREA_TO, area, bd_rate, decibels, quality_at
from tfrnnc.evaluation.measurement import MODERN, EvaluationProtocol
from tfrnnc.evaluation.runner import EvaluatedImage

SHOWN_BPP = (0.125, 0.25, 0.5, 1.0, 2.0)  #: rates at which the modern protocol's table is made
LABELS = {"psnr": "PSNR", "ssim": "SSIM", "msssim": "MS-SSIM"}
_DIGITS = {"psnr": 4, "ssim": 6, "msssim": 6}


def build_report(
    data: str,
    images: Sequence[EvaluatedImage],
    codecs: Sequence[str],
    results: Sequence[Sequence[dict]],
    protocol: EvaluationProtocol,
    anchor: str | None,
) -> dict:
    """What `results.json` holds; the same for the same inputs and settings.

    Args:
        data: the name of the folder of images.
        images: that were measured.
        codecs: by the names that open them.
        results: for each codec, of each image, as `measure` returns them.
        protocol: by which.
        anchor: the codec that BD-rates compare with, one of `codecs`; None for "paper".

    Raises:
        InstallationError: if the protocol is "modern" and SciPy is missing.
    """
    pixels = np.array([image.width * image.height for image in images])
    entries = []
    for codec, codec_results in zip(codecs, results, strict=True):
        sizes = np.array([result["bytes"] for result in codec_results])
        entry = {
            "codec": open_codec(codec).name,
            "settings": open_codec(codec).settings(),
            "points": {
                **_settings(codec_results, protocol),
                "bytes": _rounded(sizes.mean(axis=0), 4),
                "bpp": _rounded((8 * sizes / pixels[:, None]).mean(axis=0), 5),
                **{
                    name: _rounded(
                        np.mean([each[name] for each in codec_results], 0), _DIGITS[name]
                    )
                    for name in protocol.metrics
                },
            },
        }
        entries.append(entry)
    report = {
        "protocol": protocol.name,
        "data": data,
        "images": len(images),
        "metrics": list(protocol.metrics),
        "codecs": entries,
    }
    if protocol.name == MODERN:
        assert anchor is not None
        anchor_results = results[codecs.index(anchor)]
        report["anchor"] = open_codec(anchor).name
        for entry, codec_results in zip(entries, results, strict=True):
            entry |= _from_curves(codec_results, anchor_results, pixels, protocol)
    return report


def _settings(codec_results: Sequence[dict], protocol: EvaluationProtocol) -> dict:
    if protocol.targets:
        return {"target_bytes": list(protocol.targets)}
    return {"setting": codec_results[0]["setting"]}


def _from_curves(codec_results, anchor_results, pixels, protocol: EvaluationProtocol) -> dict:
    """What is read off each image's curve, as means over the images."""
    rates, anchor_rates = (
        [8 * np.array(each["bytes"]) / count for each, count in zip(every, pixels, strict=True)]
        for every in (codec_results, anchor_results)
    )
    at_bpp: dict[str, list] = {"bpp": list(SHOWN_BPP)}
    deltas, areas = {}, {}
    for name in protocol.metrics:
        qualities, anchors = (
            [each[name] for each in every] for every in (codec_results, anchor_results)
        )
        at_bpp[name] = [
            _mean([quality_at(*curve, bpp) for curve in zip(rates, qualities, strict=True)], name)
            for bpp in SHOWN_BPP
        ]
        scale = decibels if name == "msssim" else list
        found = [
            bd_rate((anchor_rate, scale(anchor)), (rate, scale(quality)))
            for anchor_rate, anchor, rate, quality in zip(
                anchor_rates, anchors, rates, qualities, strict=True
            )
        ]
        known = [delta for delta in found if delta is not None]
        deltas[name] = {
            "percent": round(float(np.mean(known)), 3) if known else None,
            "images": len(known),
        }
        if name == "msssim":
            areas[name] = round(
                float(np.mean([area(*curve) for curve in zip(rates, qualities, strict=True)])), 5
            )
    return {"at_bpp": at_bpp, "bd_rate": deltas, **({"area": areas} if areas else {})}


def _mean(values: Sequence[float | None], name: str) -> float | None:
    known = [value for value in values if value is not None]
    return round(float(np.mean(known)), _DIGITS[name]) if len(known) == len(values) else None


def _rounded(values: np.ndarray, digits: int) -> list[float]:
    return [round(float(value), digits) for value in values]


def build_times(codecs: Sequence[str], results: Sequence[Sequence[dict]]) -> dict:
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
    codecs: Sequence[str],
    results: Sequence[Sequence[dict]],
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


def table(report: dict) -> str:
    """The report as lines for a terminal."""
    names = report["metrics"]
    width = max(len("codec"), *(len(entry["codec"]) for entry in report["codecs"]))
    heads = "".join(f"{LABELS[name]:>9}" for name in names)
    count = f"{count_of_images(report)} of {report['data']}"
    if report["protocol"] != MODERN:
        lines = [
            f"{count}, protocol paper: means, headers not counted",
            f"{'codec':<{width}}  target   bytes    bpp{heads}",
        ]
        for entry in report["codecs"]:
            points = entry["points"]
            for number, target in enumerate(points["target_bytes"]):
                values = "".join(_shown(name, points[name][number]) for name in names)
                lines.append(
                    f"{entry['codec']:<{width}}  {target:>6} {points['bytes'][number]:>7.1f} "
                    f"{points['bpp'][number]:>6.3f}{values}"
                )
        return "\n".join(lines)
    lines = [
        f"{count}, protocol modern: whole files, means of each image's curve at so many bpp",
        f"{'codec':<{width}}    bpp{heads}",
    ]
    for entry in report["codecs"]:
        for number, bpp in enumerate(entry["at_bpp"]["bpp"]):
            values = "".join(_shown(name, entry["at_bpp"][name][number]) for name in names)
            lines.append(f"{entry['codec']:<{width}}  {bpp:>5.3f}{values}")
    lines += ["", f"BD-rate against {report['anchor']}; below zero, fewer bits for as much quality"]
    with_area = "msssim" in names
    tail = f"   MS-SSIM area, {AREA_FROM:g} to {AREA_TO:g} bpp" if with_area else ""
    lines.append(f"{'codec':<{width}}       {heads}{tail}")
    for entry in report["codecs"]:
        deltas = "".join(_delta(entry["bd_rate"][name], report["images"]) for name in names)
        tail = f"   {entry['area']['msssim']:.4f}" if with_area else ""
        lines.append(f"{entry['codec']:<{width}}       {deltas}{tail}")
    return "\n".join(lines)


def count_of_images(report: dict) -> str:
    """How many images a report is of, in words."""
    return f"{report['images']} image{'s' if report['images'] > 1 else ''}"


def _shown(name: str, value: float | None) -> str:
    if value is None:
        return f"{'-':>9}"
    return f"{value:>6.2f} dB" if name == "psnr" else f"{value:>9.4f}"


def _delta(delta: dict, images: int) -> str:
    if delta["percent"] is None:
        return f"{'-':>9}"
    mark = "" if delta["images"] == images else f" ({delta['images']} images)"
    return f"{delta['percent']:>+7.1f} %{mark}"
