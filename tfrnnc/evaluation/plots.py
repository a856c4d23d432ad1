"""Rate-distortion curves as figures."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from tfrnnc.errors import InstallationError
from tfrnnc.evaluation.codecs import CLASSIC_CODECS
from tfrnnc.evaluation.measurement import MODERN
from tfrnnc.evaluation.report import LABELS, count_of_images, rate_curve
from tfrnnc.files import replacing

#: A colour and a marker that stay a codec's own, whichever are compared (Okabe and Ito's colours,
#: which people who are colour-blind can tell apart).
_CLASSIC_STYLES = {
    "jpeg": ("#E69F00", "s"),
    "jpeg444": ("#8C6100", "D"),
    "jpeg2000": ("#56B4E9", "^"),
    "webp": ("#009E73", "v"),
    "avif": ("#CC79A7", "P"),
    "avif444": ("#7A3D62", "X"),
    "jpegxl": ("#0072B2", "d"),
}
_OWN_COLOURS = ("#D55E00", "#000000", "#7F7F7F", "#A50026", "#4D4D00", "#332288")

_COLOURS = 64  #: of a figure's file

_BPP_TICKS = (0.0625, 0.125, 0.25, 0.5, 1, 2)
_MSSSIM_TICKS = (0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998)


class _Style(NamedTuple):
    colour: str
    marker: str
    own: bool  #: whether it is one of tfrnnc's own codecs, which are drawn bolder


def draw_curves(report: dict, folder: Path) -> list[Path]:
    """Draws a figure of each metric, `curve_METRIC.png`.

    Args:
        report: as `build_report` makes it.
        folder: that exists.

    Returns:
        the files.

    Raises:
        InstallationError: if matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InstallationError(
            "figures need matplotlib, which is not installed; pip install 'tfrnnc[evaluate]'"
        ) from error
    styles = _styles([entry["codec"] for entry in report["codecs"]])
    files = []
    for name in report["metrics"]:
        # As wide as a phone's screen needs it: letters are a thirtieth of the width.
        figure = Figure(figsize=(5.6, 5.2), dpi=150, layout="constrained")
        axes = figure.add_subplot()
        modern = report["protocol"] == MODERN
        for entry in report["codecs"]:
            _draw_codec(axes, entry, name, modern, styles[entry["codec"]])
        _set_axes(axes, report, name, modern)
        figure.legend(
            loc="outside lower center",
            ncols=3 if len(report["codecs"]) > 2 else 2,
            fontsize=11,
            frameon=False,
        )
        file = folder / f"curve_{name}.png"
        save_figure(figure, file)
        files.append(file)
    return files


def _draw_codec(axes, entry: dict, metric: str, modern: bool, style: _Style) -> None:
    """A mark at each point, and the curve between them: that of the tables, where there is one."""
    points = entry["points"]
    rates = points["bpp" if modern else "bytes"]
    marks, own = {"color": style.colour, "marker": style.marker}, style.own
    size, width, order = 6 if own else 5, 2.6 if own else 1.5, 3 if own else 2
    if modern:
        curve = rate_curve(entry, metric).samples()
        axes.plot(*curve, color=style.colour, linewidth=width, zorder=order)
        width = 0
    axes.plot(rates, points[metric], **marks, markersize=size, linewidth=width, zorder=order)
    axes.plot([], [], **marks, markersize=size, linewidth=2.6 if own else 1.5, label=entry["codec"])


def save_figure(figure, file: Path) -> None:
    """Writes a figure of matplotlib as a PNG of few colours.

    That is a quarter of the bytes, and no difference to be seen.

    Args:
        figure: a `matplotlib.figure.Figure`.
        file: to write.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    drawn = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    with replacing(file) as temporary:
        drawn.quantize(_COLOURS, dither=Image.Dither.NONE).save(temporary, "PNG", optimize=True)


def _set_axes(axes, report: dict, name: str, modern: bool) -> None:
    from matplotlib.ticker import NullFormatter, NullLocator

    axes.set_title(f"{report['data']}, {count_of_images(report)}", fontsize=12)
    axes.tick_params(labelsize=11)
    axes.grid(color="#DDDDDD", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.set_ylabel("PSNR (dB)" if name == "psnr" else LABELS[name], fontsize=12)
    if not modern:
        axes.set_xlabel("bytes without headers", fontsize=12)
        axes.set_xticks(report["codecs"][0]["points"]["target_bytes"])
        return
    axes.set_xlabel("bits per pixel, whole files", fontsize=12)
    axes.set_xscale("log", base=2)
    low, high = _BPP_TICKS[0] * 0.85, _BPP_TICKS[-1] * 1.1
    axes.set_xlim(low, high)
    axes.set_xticks(_BPP_TICKS, [f"{tick:g}" for tick in _BPP_TICKS])
    axes.xaxis.set_minor_locator(NullLocator())
    shown = [
        value
        for entry in report["codecs"]
        for bpp, value in zip(entry["points"]["bpp"], entry["points"][name], strict=True)
        if low <= bpp <= high
    ]
    if not shown:
        return
    bottom, top = min(shown), max(shown)
    if name == "msssim":
        axes.set_yscale("function", functions=(_to_decibels, _from_decibels))
        axes.set_yticks(_MSSSIM_TICKS, [f"{tick:g}" for tick in _MSSSIM_TICKS])
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set_ylim(max(0.0, 1 - 1.2 * (1 - bottom)), min(1 - (1 - top) / 1.2, 0.9999))
    else:
        margin = 0.04 * (top - bottom) or 1
        axes.set_ylim(bottom - margin, top + margin)


def _to_decibels(values):
    return -10 * np.log10(np.maximum(1 - np.asarray(values, np.float64), 1e-6))


def _from_decibels(values):
    return 1 - 10 ** (-np.asarray(values, np.float64) / 10)


def _styles(names: Sequence[str]) -> dict[str, _Style]:
    styles = {}
    own_colours = itertools.cycle(_OWN_COLOURS)
    for name in names:
        codec, _, _ = name.partition("@")
        if codec in CLASSIC_CODECS:
            styles[name] = _Style(*_CLASSIC_STYLES[codec], own=False)
        else:
            styles[name] = _Style(next(own_colours), "o", own=True)
    return styles
