"""Figures and strips can be read: without colours, and without the tables."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import ImageDraw

import tfrnnc.evaluation.plots as plots
from tfrnnc.evaluation import CLASSIC_CODECS, draw_curves
from tfrnnc.evaluation.plots import PublishedCurve, hidden_curves
from tfrnnc.evaluation.strips import draw_strip

CODECS = [*CLASSIC_CODECS, "model_1", "model_2"]
LITERATURE = Path(__file__).parents[2] / "docs" / "results" / "literature.json"


@pytest.fixture
def figures(monkeypatch):
    """What is drawn, instead of files."""
    drawn: list[Figure] = []
    monkeypatch.setattr(plots, "save_figure", lambda figure, file: drawn.append(figure))
    return drawn


def report_of(names, protocol="modern"):
    points = {"bpp": [0.25, 0.5, 1.0], "bytes": [16, 32, 64], "psnr": [28.0, 30.0, 33.0]}
    points["target_bytes"] = [16, 32, 64]
    return {
        "protocol": protocol,
        "data": "photos",
        "images": 3,
        "metrics": ["psnr"],
        "codecs": [{"codec": name, "points": points} for name in names],
    }


@pytest.mark.parametrize("protocol", ["modern", "paper"])
def test_curves_differ_without_colours(figures, tmp_path, protocol):
    names = [*CLASSIC_CODECS, *(f"model_{number}" for number in range(7))]
    published = [PublishedCurve(f"paper {n}", [0.1, 0.2], {"psnr": [25, 27]}) for n in range(4)]
    draw_curves(report_of(names, protocol), tmp_path, published)
    (axes,) = figures[0].axes
    shown = [line for line in axes.get_lines() if not line.get_label().startswith("_")]
    assert len(shown) == len(names) + len(published)
    looks = [(line.get_marker(), str(line.get_linestyle())) for line in shown]
    assert len({marker for marker, _ in looks}) == len(looks)


@pytest.mark.parametrize(
    ("title", "shown"), [(None, "3 images of photos"), ("My photos", "My photos")]
)
def test_title_says_what_was_measured(figures, tmp_path, title, shown):
    draw_curves(report_of(["jpeg"]), tmp_path, title=title)
    assert figures[0].axes[0].get_title() == shown


def test_legend_is_inside_and_names_codecs_for_people(figures, tmp_path):
    draw_curves(report_of(["conv_lstm_thumbnails@2", "jpeg2000", "avif@4"]), tmp_path)
    (axes,) = figures[0].axes
    assert not figures[0].legends
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels[1:] == ["JPEG 2000", "AVIF, speed 4"]
    assert labels[0].endswith(", effort 2")
    canvas = figures[0].canvas
    canvas.draw()
    inside = axes.get_legend().get_window_extent()
    assert axes.bbox.contains(inside.x0, inside.y0)
    assert axes.bbox.contains(inside.x1, inside.y1)


@pytest.mark.parametrize("name", ["psnr", "msssim"])
def test_legend_hides_no_curve(figures, tmp_path, name):
    """Curves that fill the axes leave no room for a legend of nine lines."""
    rates = [0.06, 0.12, 0.25, 0.5, 1.0, 2.0]
    codecs = []
    for codec, share in zip(CODECS, np.linspace(0, 1, len(CODECS)), strict=True):
        decibels = np.linspace(5 + 14 * share, 9 + 15 * share, len(rates))
        values = 1 - 10 ** (-decibels / 10) if name == "msssim" else decibels
        codecs.append({"codec": codec, "points": {"bpp": rates, name: values.tolist()}})
    report = {**report_of([]), "metrics": [name], "codecs": codecs}
    draw_curves(report, tmp_path)
    (axes,) = figures[0].axes
    assert not hidden_curves(figures[0], axes.get_legend())
    assert hidden_curves(figures[0], axes.legend(loc="center"))


def test_curves_of_papers_are_drawn_for_what_they_publish(figures, tmp_path):
    curve = PublishedCurve("a paper", [0.2, 0.4], {"msssim": [0.9, 0.95]})
    draw_curves(report_of(["jpeg"]), tmp_path, [curve])
    labels = [text.get_text() for text in figures[0].axes[0].get_legend().get_texts()]
    assert labels == ["JPEG"]


def test_points_of_papers():
    """Each has as many qualities as rates, and a source."""
    content = json.loads(LITERATURE.read_text())
    assert content["source"].startswith("https://")
    for curve in content["curves"]:
        assert len(curve["bpp"]) == len(curve["psnr"]) == len(curve["msssim"])
        assert curve["bpp"] == sorted(curve["bpp"])
        assert max(curve["msssim"]) < 1 < min(curve["psnr"])


def test_strips_tell_bytes_and_quality(monkeypatch):
    texts = []
    monkeypatch.setattr(
        "PIL.ImageDraw.ImageDraw.text", lambda self, place, text, *rest, **more: texts.append(text)
    )
    image = np.full((32, 32, 3), 100, np.uint8)
    draw_strip(image, [("JPEG", 1200, image + np.uint8(10))])
    assert texts == ["original", "32x32", "JPEG", "1,200 B, 28.13 dB"]


def test_long_names_stay_in_their_cells(monkeypatch):
    boxes = []
    draw_text = ImageDraw.ImageDraw.text

    def text(self, place, text, fill, font, **more):
        boxes.append((self.textbbox(place, text, font, **more), text))
        draw_text(self, place, text, fill, font, **more)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", text)
    image = np.full((32, 32, 3), 100, np.uint8)
    long = "tfrnnc for thumbnails, effort 4, half resolution, for SSIM"
    sheet = draw_strip(image, [(long, 64, image), ("JPEG", 64, image), (long, 64, image)])
    assert " ".join(boxes[2][1].split()) == long
    for number, ((left, top, right, bottom), _) in enumerate(boxes):
        cell = 8 + number // 2 * 168
        assert cell <= left < right <= cell + 160
        assert 8 + 160 <= top < bottom <= sheet.height
        if number % 2:
            (_, _, _, bottom_of_name), _ = boxes[number - 1]
            assert top >= bottom_of_name
