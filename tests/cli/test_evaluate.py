from __future__ import annotations

import csv
import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import tfrnnc.evaluation.runner
from helpers.images import PHOTOS
from tfrnnc.cli.evaluate import main
from tfrnnc.evaluation import open_codec
from tfrnnc.images import read_image
from tfrnnc.model_folder.presets import DEFAULT_PRESET

PAPER = ("--protocol", "paper", "--bytes", "40,80")
FILES = ("results.json", "images.csv", "curve_psnr.png", "curve_ssim.png")


@pytest.fixture
def data(image_folder, tmp_path):
    """A folder with four small images, one of them in a folder of its own."""
    folder = tmp_path / "data"
    (folder / "more").mkdir(parents=True)
    for path in sorted(image_folder.glob("astronaut-*.png")):
        shutil.copy(path, folder)
    (folder / "astronaut-3.png").rename(folder / "more" / "astronaut-3.png")
    return folder


@pytest.fixture
def run(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def invoke(*words, code=0):
        result = CliRunner().invoke(main, ["--data", str(data), *map(str, words)])
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        return result

    return invoke


@pytest.fixture
def measured(monkeypatch):
    """The images and codecs that are measured, in their order, and not taken from before."""
    calls: list[tuple[str, str]] = []
    run_task = tfrnnc.evaluation.runner.Task.run

    def counted(self):
        if self.picture_bytes is None:
            calls.append((str(self.codec), self.image.name))
        return run_task(self)

    monkeypatch.setattr(tfrnnc.evaluation.runner.Task, "run", counted)
    return calls


def test_paper_protocol(run, data):
    codecs = f"{DEFAULT_PRESET},jpeg,webp"
    result = run(*PAPER, "--codec", codecs, "--output", "out", "--jobs", 1)
    report = json.loads(Path("out/results.json").read_text())
    assert report["images"] == 4
    assert [entry["codec"] for entry in report["codecs"]] == codecs.split(",")
    images = [read_image(path) for path in sorted(data.rglob("*.png"))]
    for entry in report["codecs"]:
        points = entry["points"]
        assert points["target_bytes"] == [40, 80]
        sizes = [
            [coded.size for coded in open_codec(entry["codec"]).at_sizes(image, (40, 80))]
            for image in images
        ]
        assert points["bytes"] == np.mean(sizes, axis=0).tolist()
        assert points["bpp"] == [round(8 * size / (40 * 48), 5) for size in points["bytes"]]
        assert points["psnr"] == sorted(points["psnr"])
        assert points["ssim"] == sorted(points["ssim"])
        assert re.search(rf"^{entry['codec']} +80 ", result.stdout, re.M)
        assert f"{points['psnr'][1]:.2f} dB   {points['ssim'][1]:.4f}" in result.stdout
    assert max(report["codecs"][0]["points"]["bytes"]) <= 80
    assert result.stderr == ""

    rows = list(csv.DictReader(Path("out/images.csv").read_text().splitlines()))
    assert len(rows) == 4 * 3 * 2
    assert {row["image"] for row in rows} >= {"astronaut-0.png", "more/astronaut-3.png"}
    jpeg = [float(row["bytes"]) for row in rows if row["codec"] == "jpeg"]
    assert np.mean(jpeg) == np.mean(report["codecs"][1]["points"]["bytes"])

    times = json.loads(Path("out/times.json").read_text())
    assert list(times) == codecs.split(",")
    for entry in times.values():
        assert min(entry["encode_seconds"] + entry["decode_seconds"]) > 0
    assert "seconds" not in Path("out/results.json").read_text()
    for name in ("curve_psnr.png", "curve_ssim.png", "strip_astronaut-0_png.png"):
        with Image.open(Path("out") / name) as picture:
            assert 300 < picture.width < 1000
    assert len(list(Path("out").glob("strip_*.png"))) == 3


def test_modern_protocol(run, data):
    with Image.open(PHOTOS / "chelsea.png") as photo:
        photo.convert("RGB").crop((100, 60, 292, 240)).save(data / "photo.png")
    for path in data.rglob("astronaut-*.png"):
        path.unlink()
    codecs = ("--codec", DEFAULT_PRESET, "--codec", "jpeg,jpeg2000")
    metrics = ("--metric", "psnr,ssim", "--metric", "msssim")
    report = json.loads(run(*codecs, *metrics, "--jobs", 1, "--json").stdout)
    assert (report["references"], report["metrics"]) == (["jpeg"], ["psnr", "ssim", "msssim"])
    own, jpeg, jpeg2000 = report["codecs"]
    codec = tfrnnc.load()
    stream = codec.encode(read_image(data / "photo.png"))
    assert own["points"]["bytes"] == codec.read_planes(stream).ends
    assert own["points"]["setting"][0] == "iteration 1"
    for name in ("psnr", "ssim", "msssim"):
        assert own["points"][name] == sorted(own["points"][name])
        assert jpeg["bd_rate"]["jpeg"][name]["percent"] == 0
        shared = jpeg["bd_rate"]["jpeg"][name]
        assert shared["from"] < own["bd_rate"]["jpeg"][name]["to"] < shared["to"]
        shown = jpeg["at_bpp"][name]
        known = [value for value in shown if value is not None]
        assert len(known) >= 3
        assert known == sorted(known)
    assert jpeg2000["bd_rate"]["jpeg"]["psnr"]["percent"] < -5
    assert 1.5 < own["area"]["msssim"] < 1.875
    text = run("--codec", "jpeg2000", "--jobs", 1, "--reference", "jpeg444,jpeg2000").stdout
    for line in ("BD-rate against jpeg444", "BD-rate against jpeg2000", "area under MS-SSIM"):
        assert line in text
    assert text.count("\njpeg444 ") == 5 + 2 + 1  # It is measured, though no --codec.


def test_same_inputs_give_the_same_files_however_many_processes(run):
    words = (*PAPER, "--codec", f"{DEFAULT_PRESET},jpeg")
    run(*words, "--output", "one", "--jobs", 1)
    run(*words, "--output", "two", "--jobs", 2)
    strips = [path.name for path in Path("one").glob("strip_*")]
    assert len(strips) == 3
    for name in (*FILES, *strips):
        assert (Path("one") / name).read_bytes() == (Path("two") / name).read_bytes(), name


def test_goes_on_after_an_interruption(run, measured, monkeypatch):
    words = (*PAPER, "--codec", "jpeg,webp", "--jobs", 1)
    run(*words, "--output", "whole")
    measured.clear()
    run_task = tfrnnc.evaluation.runner.Task.run

    def interrupted(self):
        if len(measured) == 5:
            raise KeyboardInterrupt
        return run_task(self)

    with monkeypatch.context() as patch:
        patch.setattr(tfrnnc.evaluation.runner.Task, "run", interrupted)
        result = run(*words, "--output", "out", code=1)
    assert "interrupted; what was measured is kept in out" in result.stderr
    assert "the same command goes on" in result.stderr
    assert not Path("out/results.json").exists()
    measured.clear()
    result = run(*words, "--output", "out")
    assert "measuring: 5 of 8 results are kept from before" in result.stderr
    assert len(measured) == 3
    for name in FILES:
        assert Path("out", name).read_bytes() == Path("whole", name).read_bytes(), name
    measured.clear()
    run(*words, "--output", "out", "--quiet")
    assert measured == []


def test_nothing_stale_is_taken(run, data, measured, monkeypatch, tiny_model_folder):
    shutil.copytree(tiny_model_folder, "mine")
    words = ("--protocol", "paper", "--codec", "mine,jpeg", "--jobs", 1, "--output", "out")

    def again(*more):
        measured.clear()
        open_codec.cache_clear()
        run(*words, "--strips", 0, *more)
        return sorted(measured)

    everything = again("--bytes", "100")
    assert len(everything) == 8
    assert again("--bytes", "100") == []
    # An image that changed.
    Image.fromarray(255 - read_image(data / "astronaut-1.png")).save(data / "astronaut-1.png")
    assert again("--bytes", "100") == [("jpeg", "astronaut-1.png"), ("mine", "astronaut-1.png")]
    # An image of the same pixels by another name.
    (data / "astronaut-2.png").rename(data / "other.png")
    assert again("--bytes", "100") == []
    # Other settings.
    assert len(again("--bytes", "120")) == len(again("--bytes", "100", "--metric", "ssim")) == 8
    # Another model in the same folder.
    config = Path("mine/config.json")
    config.write_text(config.read_text() + "\n")
    assert {codec for codec, _ in again("--bytes", "100")} == {"mine"}
    # Another library, or another version of the code.
    with monkeypatch.context() as patch:
        patch.setattr("tfrnnc.evaluation.jpeg.JPEG.library", lambda self: "another")
        assert {codec for codec, _ in again("--bytes", "100")} == {"jpeg"}
    with monkeypatch.context() as patch:
        patch.setattr("tfrnnc.evaluation.measurement.MEASUREMENT_VERSION", 0)
        assert len(again("--bytes", "100")) == 8
    with monkeypatch.context() as patch:
        patch.setattr("tfrnnc.evaluation.progressive_codec.ProgressiveCodec.version", 0)
        assert {codec for codec, _ in again("--bytes", "100")} == {"mine"}
    # A kept result that is broken.
    for path in Path("out/kept").rglob("*.json"):
        path.write_text(path.read_text()[:-20])
    assert len(again("--bytes", "100")) == 8


def test_broken_image_is_named_before_anything_is_measured(run, data, measured):
    (data / "a broken one.png").write_bytes(b"\x89PNG and no more")
    result = run(*PAPER, "--codec", "jpeg", "--output", "out", code=1)
    assert "a broken one.png: not an image" in result.stderr
    assert result.stderr.count("error:") == 1
    assert measured == []
    assert not Path("out").exists()


@pytest.mark.parametrize("jobs", [1, 2])
def test_failing_codec_names_image_and_codec(run, jobs):
    words = ("--protocol", "paper", "--bytes", "1", "--codec", DEFAULT_PRESET)
    result = run(*words, "--jobs", jobs, "--output", "out", code=1)
    assert f".png: {DEFAULT_PRESET}: 1 bytes are too few for 48x40 pixels" in result.stderr
    assert not Path("out/results.json").exists()


def test_images_too_small_for_ms_ssim(run):
    result = run("--codec", "jpeg", code=1)
    assert "astronaut-0.png: 48x40 pixels are too few for MS-SSIM" in result.stderr
    assert "leave out msssim" in result.stderr


def test_folder_without_images(run, tmp_path):
    (tmp_path / "empty").mkdir()
    result = CliRunner().invoke(main, ["--data", str(tmp_path / "empty"), *PAPER])
    assert result.exit_code == 1
    assert "empty holds no images" in result.stderr


def test_no_such_folder():
    result = CliRunner().invoke(main, ["--data", "nowhere", *PAPER])
    assert result.exit_code == 1
    assert "nowhere: no such folder; give a folder of images" in result.stderr


def test_without_matplotlib_it_measures_and_says_how_to_get_figures(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    result = run(*PAPER, "--codec", "jpeg", "--output", "out", "--jobs", 1)
    assert "no figures: figures need matplotlib" in result.stderr
    assert "pip install 'tfrnnc[evaluate]'" in result.stderr
    assert Path("out/results.json").exists()
    assert list(Path("out").glob("strip_*.png"))
    assert not list(Path("out").glob("curve_*"))


def test_without_scipy_the_modern_protocol_is_refused_at_once(run, measured, monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.interpolate", None)
    result = run("--codec", "jpeg", "--metric", "psnr", code=1)
    assert "pip install 'tfrnnc[evaluate]'" in result.stderr
    assert measured == []


def test_quiet(run):
    result = run(*PAPER, "--codec", "jpeg", "--jobs", 1, "--quiet")
    assert result.output == ""


@pytest.mark.parametrize(
    "words",
    [
        ["--codec", "nothing"],
        ["--codec", "jpeg,nothing"],
        ["--codec", ","],
        ["--codec", "avif@11"],
        ["--codec", "jpegxl@0"],
        ["--metric", "vmaf"],
        ["--metric", ""],
        ["--protocol", "old"],
        ["--bytes", "64"],
        ["--protocol", "paper", "--bytes", "0"],
        ["--protocol", "paper", "--bytes", "many"],
        ["--protocol", "paper", "--bytes", ""],
        ["--protocol", "paper", "--reference", "jpeg"],
        ["--codec", "jpeg", "--reference", "nothing"],
        ["--codec", "jpeg@3"],
        ["--jobs", "0"],
        ["--strips", "-1"],
        ["--strip-bpp", "0"],
        ["--no-such-option"],
    ],
)
def test_usage_errors(run, words):
    assert "Usage:" in run(*words, code=2).stderr


def test_data_is_required():
    result = CliRunner().invoke(main, [])
    assert result.exit_code == 2
    assert "--data" in result.stderr


def test_codecs_of_the_same_name(run, tiny_model_folder):
    for folder in ("a/mine", "b/mine"):
        shutil.copytree(tiny_model_folder, folder)
    result = run("--codec", "a/mine,b/mine", code=2)
    assert "several codecs are named mine" in result.stderr


def test_figures_have_the_title_that_was_given(run, monkeypatch):
    titles = []

    def recorded(report, folder, title):
        titles.append(title)

    monkeypatch.setattr("tfrnnc.cli.evaluate.draw_curves", recorded)
    words = (*PAPER, "--codec", "jpeg", "--strips", 0, "--quiet", "--output", "out")
    run(*words)
    run(*words, "--title", "Four photos")
    assert titles == [None, "Four photos"]
