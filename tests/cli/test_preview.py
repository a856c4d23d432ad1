"""`tfrnnc-preview`."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from PIL import Image

import tfrnnc
from tfrnnc.cli.preview import main
from tfrnnc.errors import ConfigError, TooLargeError


@pytest.fixture
def run(tmp_path, monkeypatch, noise):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(noise(20, 30)).save("a.png")
    Image.fromarray(noise(30, 20)).save("b.png")
    Image.new("RGBA", (8, 8)).save("clear.png")
    (tmp_path / "text.jpg").write_text("words")

    def invoke(*words, code=0, **options):
        result = CliRunner().invoke(main, words, **options)
        assert result.exit_code == code, result.output
        return [json.loads(line) for line in result.stdout.splitlines()], result.stderr

    return invoke


def test_a_line_for_each_image(run):
    lines, stderr = run("a.png", "b.png", "--bytes", "12")
    assert [list(line) for line in lines] == [["path", "preview", "width", "height", "bytes"]] * 2
    assert [(line["path"], line["width"], line["height"]) for line in lines] == [
        ("a.png", 30, 20),
        ("b.png", 20, 30),
    ]
    assert stderr == ""
    for line in lines:
        assert len(line["preview"]) == 16
        image = Image.open(line["path"])
        assert line["preview"] == tfrnnc.preview(image, bytes=12)


def test_what_fails_does_not_stop_the_others(run):
    lines, stderr = run("missing.png", "text.jpg", "clear.png", "a.png", "--bytes=8", code=1)
    assert [line["path"] for line in lines] == ["missing.png", "text.jpg", "clear.png", "a.png"]
    assert "no such file" in lines[0]["error"]
    assert "not an image" in lines[1]["error"]
    assert "background" in lines[2]["error"]
    assert "preview" in lines[3]
    assert stderr.count("error: ") == 3
    assert "Traceback" not in stderr


def test_standard_input_and_background(run, tmp_path):
    content = (tmp_path / "a.png").read_bytes()
    ((line,), _), ((named,), _) = run("-", input=content), run("a.png")
    assert line["path"] == "-"
    assert line["preview"] == named["preview"]
    ((line,), _) = run("clear.png", "--background", "white", "--bytes", "3")
    assert tfrnnc.preview_color(line["preview"]) == (255, 255, 255)


@pytest.mark.parametrize("words", [[], ["a.png", "--bytes", "2"], ["a.png", "--bytes", "65"]])
def test_usage(run, words):
    _, stderr = run(*words, code=2)
    assert "Usage:" in stderr


def test_a_background_that_is_no_colour(run):
    lines, stderr = run("a.png", "--background", "nothing", code=1)
    assert lines == []
    assert "not a colour" in stderr


def test_images_with_too_many_pixels_are_refused_before_they_are_read(run):
    Image.new("1", (10000, 10000)).save("black.png")  # 12 kB, and 300 MB as RGB.
    (large, small), stderr = run("black.png", "a.png", code=1)
    assert "100,000,000 pixels, more than the limit of 33,554,432" in large["error"]
    assert "(--max-pixels)" in stderr
    assert "preview" in small
    (refused,), _ = run("a.png", "--max-pixels", "599", code=1)
    assert "600 pixels" in refused["error"]
    run("a.png", "--max-pixels", "600")
    with Image.open("black.png") as image, pytest.raises(TooLargeError, match="100,000,000"):
        tfrnnc.preview(image)
    with Image.open("a.png") as image, pytest.raises(ConfigError, match="max_pixels"):
        tfrnnc.preview(image, max_pixels=0)
