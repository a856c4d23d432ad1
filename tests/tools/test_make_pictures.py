"""The pictures of the documents are made by one command, whatever the default preset is."""

from __future__ import annotations

import numpy as np
import pytest
import watch_it_sharpen
from PIL import Image

import make_pictures
import tfrnnc
from tfrnnc.evaluation import open_codec
from tfrnnc.images import read_image


@pytest.fixture
def texts(monkeypatch):
    """The words that are drawn."""
    drawn = []
    for name in ("text", "multiline_text"):
        draw = getattr(make_pictures.ImageDraw.ImageDraw, name)

        def noted(self, place, text, *rest, _draw=draw, **more):
            drawn.append(text)
            return _draw(self, place, text, *rest, **more)

        monkeypatch.setattr(make_pictures.ImageDraw.ImageDraw, name, noted)
    return drawn


def test_showcase(monkeypatch, texts):
    """Bytes and quality below each picture; where the rival has no such size, that is said."""
    monkeypatch.setattr(make_pictures, "SHOWCASE_SIZE", (120, 80))
    monkeypatch.setattr(make_pictures, "SHOWCASE_BYTES", (100, 400, 2000))
    first = make_pictures.showcase()
    words = list(texts)
    assert len([text for text in words if text.startswith("tfrnnc: ")]) == 3
    assert len([text for text in words if text.startswith("WebP: ")]) == 3
    smallest = open_codec("webp").within(
        np.asarray(
            Image.open(make_pictures.PHOTOS / make_pictures.SHOWCASE_PHOTO)
            .convert("RGB")
            .resize((120, 80), Image.Resampling.LANCZOS)
        ),
        1,
    )
    assert smallest.size > 100
    assert "its smallest: 100 is impossible" in words
    assert any(text.startswith(f"WebP: {smallest.size} bytes, ") for text in words)
    assert any(text.endswith("bytes, not 24") for text in words)
    second = make_pictures.showcase()
    np.testing.assert_array_equal(np.asarray(first), np.asarray(second))


def test_photo_and_thumbnail_have_captions(texts):
    codec = tfrnnc.load()
    thumbnail = make_pictures.thumbnail_by_bytes(codec)
    photo = make_pictures.photo_by_iterations(codec)
    assert photo.width > thumbnail.width
    assert len([text for text in texts if text.endswith(" dB")]) >= 5 + 2
    assert len([text for text in texts if text.startswith("original, ")]) == 2


@pytest.mark.parametrize("side", [32, 300])
def test_strip_marks_the_original(side):
    """Its frame is the only place of that colour; small pictures are enlarged."""
    strip, cell, mark = make_pictures.strip, make_pictures.Cell, (0xD5, 0x5E, 0x00)
    grey = np.full((side, side, 3), 90, np.uint8)
    plain = np.asarray(strip([cell(grey, "10 bytes")] * 3))
    marked = np.asarray(strip([*[cell(grey, "10 bytes")] * 3, cell(grey, "original", True)]))
    assert not (plain == mark).all(-1).any()
    rows, columns = np.nonzero((marked == mark).all(-1))
    shown = max(side, 256) if side == 32 else side
    assert rows.max() - rows.min() >= shown
    assert columns.max() - columns.min() >= shown


def test_demo_tells_bytes_and_quality(texts, tmp_path, capsys):
    photo = tmp_path / "photo.png"
    image = read_image(make_pictures.PHOTOS / "coffee.png")[:64, :96]
    Image.fromarray(image).save(photo)
    watch_it_sharpen.main(str(photo), str(tmp_path / "out"))
    printed = capsys.readouterr().out
    captions = [text for text in texts if text.endswith(" dB")]
    assert len(captions) == printed.count(" dB ") > 2
    for number, caption in enumerate(captions, start=1):
        size = caption.partition(" ")[0]
        assert f"\n{number:>9} {size:>9} " in printed
    assert texts[-1] == f"original, {image.nbytes:,} bytes of pixels"
    assert (tmp_path / "out" / "photo.rnnc").stat().st_size > 0
    with Image.open(tmp_path / "out" / "strip.png") as strip:
        assert strip.width > 3 * 240
