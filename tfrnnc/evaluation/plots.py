"""Rate-distortion curves as figures."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from PIL import Image

from tfrnnc.errors import InstallationError
from tfrnnc.evaluation.codecs import CLASSIC_CODECS, CodecSpec
from tfrnnc.evaluation.labels import codec_label
from tfrnnc.evaluation.measurement import MODERN
from tfrnnc.evaluation.report import LABELS, images_and_folder, rate_curve
from tfrnnc.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend
    from matplotlib.lines import Line2D

_Line: TypeAlias = str | tuple[int, tuple[int, ...]]  #: a line, as matplotlib takes it
_Look: TypeAlias = tuple[str, str, _Line]  #: colour, marker and line, as matplotlib takes them

#: Colour, marker and line of each classic codec, the same whichever are compared. The colours are
#: Okabe and Ito's, which colour-blind people can tell apart; markers and lines do without colours.
_CLASSIC_STYLES: dict[str, _Look] = {
    "jpeg": ("#E69F00", "s", "--"),
    "jpeg444": ("#8C6100", "D", ":"),
    "jpeg2000": ("#56B4E9", "^", "-."),
    "webp": ("#009E73", "v", (0, (6, 2))),
    "avif": ("#CC79A7", "P", (0, (3, 1, 1, 1))),
    "avif444": ("#7A3D62", "X", (0, (1, 1))),
    "jpegxl": ("#0072B2", "d", (0, (5, 1, 1, 1, 1, 1))),
}
_OWN_STYLES: tuple[_Look, ...] = (
    ("#D55E00", "o", "-"),
    ("#000000", "*", "-"),
    ("#7F7F7F", "h", "--"),
    ("#A50026", "p", "-."),
    ("#4D4D00", "<", ":"),
    ("#332288", ">", (0, (6, 2))),
    ("#117733", "8", (0, (8, 1, 1, 1))),
)
_PUBLISHED_STYLES: tuple[_Look, ...] = (
    ("#000000", "x", ":"),
    ("#555555", "+", "--"),
    ("#332288", "1", "-."),
    ("#A50026", "2", (0, (1, 1))),
)
_PUBLISHED_MARKS = 8  #: marks on a published curve, however many points it has

_COLOURS = 64  #: of a figure's file

_ROOM_STEP = 0.03  #: by which a legend without room raises the axes, as a share of their height
_ROOM_STEPS = 20

_BPP_TICKS = (0.0625, 0.125, 0.25, 0.5, 1, 2)
_MSSSIM_TICKS = (0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998)


class _Style(NamedTuple):
    colour: str
    marker: str
    line: _Line
    own: bool  #: whether it is one of tfrnnc's own codecs, which are drawn bolder

    @property
    def marks(self) -> dict[str, Any]:
        """How matplotlib draws the points."""
        size = 8 if self.own and self.marker == "*" else 6 if self.own else 5
        return {"color": self.colour, "marker": self.marker, "markersize": size}

    @property
    def lines(self) -> dict[str, Any]:
        """How matplotlib draws what connects them."""
        width = 2.4 if self.own else 1.5
        return {"color": self.colour, "linestyle": self.line, "linewidth": width}


class PublishedCurve(NamedTuple):
    """A curve of a paper, on the same images.

    Attributes:
        name: of the codec, for the legend.
        rates: in bpp.
        qualities: for each metric that was published, at the same rates.
    """

    name: str
    rates: Sequence[float]
    qualities: Mapping[str, Sequence[float]]


def draw_curves(
    report: dict[str, Any],
    folder: Path,
    published: Sequence[PublishedCurve] = (),
    title: str | None = None,
) -> list[Path]:
    """Draws a figure of each metric, `curve_METRIC.png`.

    Args:
        report: as `build_report` makes it.
        folder: that exists.
        published: curves of papers to draw beside those of a report of the modern protocol.
        title: of the figures; None for the number of images and the name of their folder.

    Returns:
        the files.

    Raises:
        InstallationError: if matplotlib is missing.
    """
    styles = _styles([entry["codec"] for entry in report["codecs"]])
    modern = report["protocol"] == MODERN
    files = []
    for name in report["metrics"]:
        figure, axes = new_figure()
        for entry in report["codecs"]:
            _draw_codec(axes, entry, name, modern, styles[entry["codec"]])
        for curve, style in zip(published, itertools.cycle(_PUBLISHED_STYLES), strict=False):
            if name in curve.qualities:
                _draw_published(axes, curve, name, _Style(*style, own=False))
        axes.set_title(title or images_and_folder(report), fontsize=12)
        _set_axes(axes, report, name, modern)
        add_legend(figure, axes)
        file = folder / f"curve_{name}.png"
        save_figure(figure, file)
        files.append(file)
    return files


def new_figure() -> tuple[Figure, Axes]:
    """A figure of matplotlib and its axes, of a size that a phone shows legibly.

    Raises:
        InstallationError: if matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InstallationError(
            "figures need matplotlib, which is not installed; pip install 'tfrnnc[evaluate]'"
        ) from error
    # Letters are a thirtieth of the width.
    figure = Figure(figsize=(5.6, 5.2), dpi=150, layout="constrained")
    return figure, figure.add_subplot()


def add_legend(figure: Figure, axes: Axes) -> None:
    """Puts the legend inside the axes, and raises their upper end until it hides no curve."""
    legend = axes.legend(
        loc="best", fontsize=9, framealpha=0.85, edgecolor="#DDDDDD", handlelength=3.2
    )
    scale = axes.yaxis.get_transform()
    for _ in range(_ROOM_STEPS):
        if not hidden_curves(figure, legend):
            return
        low, high = scale.transform(np.asarray(axes.get_ylim()))
        raised = scale.inverted().transform(np.asarray([high + _ROOM_STEP * (high - low)]))
        axes.set_ylim(top=float(raised[0]))


def hidden_curves(figure: Figure, legend: Legend) -> list[Line2D]:
    """The curves that run behind the legend, or up to it."""
    figure.draw_without_rendering()
    covered = legend.get_window_extent()
    curves = (line for line in legend.axes.get_lines() if np.size(line.get_xdata()))
    return [
        line
        for line in curves
        if line.get_transform()
        .transform_path(line.get_path())
        .intersects_bbox(covered, filled=False)
    ]


def _draw_codec(
    axes: Axes, entry: dict[str, Any], metric: str, modern: bool, style: _Style
) -> None:
    """A mark at each point, and the curve between them: that of the tables, where there is one."""
    points = entry["points"]
    rates = points["bpp" if modern else "bytes"]
    order = 3 if style.own else 2
    curve = rate_curve(entry, metric).samples() if modern else (rates, points[metric])
    axes.plot(*curve, **style.lines, zorder=order)
    axes.plot(rates, points[metric], **style.marks, linestyle="none", zorder=order)
    axes.plot([], [], **{**style.marks, **style.lines}, label=codec_label(entry["codec"]))


def _draw_published(axes: Axes, curve: PublishedCurve, metric: str, style: _Style) -> None:
    every = max(1, len(curve.rates) // _PUBLISHED_MARKS)
    line = {**style.marks, **style.lines, "linewidth": 1.1, "markevery": every}
    axes.plot(curve.rates, curve.qualities[metric], **line, label=curve.name, zorder=1)


def save_figure(figure: Figure, file: Path) -> None:
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


def _set_axes(axes: Axes, report: dict[str, Any], name: str, modern: bool) -> None:
    from matplotlib.ticker import NullFormatter, NullLocator

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


def _to_decibels(values: np.ndarray) -> np.ndarray:
    return -10 * np.log10(np.maximum(1 - np.asarray(values, np.float64), 1e-6))


def _from_decibels(values: np.ndarray) -> np.ndarray:
    return 1 - 10 ** (-np.asarray(values, np.float64) / 10)


def _styles(names: Sequence[str]) -> dict[str, _Style]:
    """A style for each codec; a classic codec has its own, the others one after the other."""
    styles = {}
    own_styles = itertools.cycle(_OWN_STYLES)
    for name in names:
        codec = CodecSpec.parse(name).name
        if codec in CLASSIC_CODECS:
            styles[name] = _Style(*_CLASSIC_STYLES[codec], own=False)
        else:
            styles[name] = _Style(*next(own_styles), own=True)
    return styles
