"""Every command bounds the pixels before it decodes them, and says itself what libtiff would."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from helpers.hostile_images import FAULT, PIXELS, bomb, damaged_tiff, reaches_libtiff
from helpers.models import tiny_config, write_tiny_model
from tfrnnc.cli.encode import main as encode
from tfrnnc.cli.evaluate import main as evaluate
from tfrnnc.cli.export import main as export
from tfrnnc.cli.pack import main as pack
from tfrnnc.cli.preview import main as preview
from tfrnnc.cli.train import main as train

pytestmark = reaches_libtiff

STEPS = ["--epochs", "1", "--steps-per-epoch", "1", "--batch-size", "2", "--quiet"]
TRAIN = ["--patch-size", "16", *STEPS]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return write_tiny_model("fc", tmp_path_factory.mktemp("model"))


@pytest.fixture
def run(tmp_path, monkeypatch, image_folder, capfd):
    """Runs a command on a folder with images good and bad; returns click's result."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(image_folder, "images")
    damaged_tiff(Path("images/damaged.tif"))
    bomb(Path("images/bomb.png"))

    def invoke(command, *words, code):
        result = CliRunner().invoke(command, list(map(str, words)))
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        printed = capfd.readouterr().err  # By libtiff, and by other processes.
        assert "ZIPDecode" not in printed
        assert "DecompressionBomb" not in printed
        return result

    return invoke


def assert_said(text, *names):
    """That a text tells of each bad image what is wrong with it."""
    fault = f"damaged.tif: damaged, or of a kind that cannot be read (decoder error -2: {FAULT}"
    messages = {"damaged.tif": fault, "bomb.png": f"bomb.png: the image has {PIXELS}"}
    for name in names or messages:
        assert text.count(messages[name]) == 1, text


def test_encode(run, model):
    words = ("-r", "images", "-o", "out", "--model", model, "--iterations", 1, "--quiet")
    assert_said(run(encode, *words, code=1).stderr)
    assert len(list(Path("out").glob("*.rnnc"))) == 12


def test_encode_in_processes(run, model):
    words = ("-r", "images", "-o", "out", "--model", model, "--iterations", 1, "--quiet")
    assert_said(run(encode, *words, "--jobs", 2, code=1).stderr)


def test_preview(run):
    result = run(preview, "images/bomb.png", "images/damaged.tif", code=1)
    assert_said(result.stderr)
    assert_said("".join(json.loads(line)["error"] for line in result.stdout.splitlines()))


@pytest.mark.parametrize("jobs", [1, 2])
def test_pack(run, model, jobs):
    words = ("images", "-o", "out", "--model", model, "--shards", 2, "--jobs", jobs, "--json")
    report = json.loads(run(pack, *words, code=1).stdout)
    assert (report["images"], report["failures"]) == (12, 2)
    lines = [
        line for path in Path("out").glob("_failed-*") for line in path.read_text().split("\n")
    ]
    assert_said("\n".join(json.loads(line)["error"] for line in lines if line))


def test_pack_with_another_limit(run, model):
    words = ("images", "-o", "out", "--model", model, "--shards", 1, "--max-pixels", 1000)
    report = json.loads(run(pack, *words, "--json", code=1).stdout)
    assert report["images"] == 0
    (errors,) = Path("out").glob("_failed-*")
    assert errors.read_text().count("more than the limit of 1,000; make it smaller first") == 14


@pytest.mark.parametrize("bad", ["damaged.tif", "bomb.png"])
def test_evaluate(run, bad):
    for name in {"damaged.tif", "bomb.png"} - {bad}:
        Path("images", name).unlink()
    words = ("--data", "images", "--protocol", "paper", "--bytes", 40, "--codec", "jpeg")
    result = run(evaluate, *words, "--jobs", 1, code=1)
    assert_said(result.stderr, bad)
    assert len(result.stderr.splitlines()) == 1
    assert "--max-pixels" not in result.stderr  # It has no such option.


def test_train(run):
    Path("settings.json").write_text(json.dumps(tiny_config("fc")))
    words = ("--data", "images", "--config", "settings.json", *TRAIN)
    result = run(train, *words, "--output", "run", code=0)
    assert_said(result.stderr)
    assert "raise the limit (max_pixels=, --max-pixels)" in result.stderr
    assert "images: 2 images skipped" in result.stderr
    assert json.loads(Path("run/training.json").read_text())["data"]["max_pixels"] == 2**25
    result = run(train, *words, "--max-pixels", 40 * 48 - 1, "--output", "none", code=1)
    assert "astronaut-0.png: the image has 1,920 pixels" in result.stderr
    assert "no image that can be read among 14 image files" in result.stderr
    result = run(train, "--resume", "run", "--epochs", 2, "--max-pixels", 100, "--quiet", code=1)
    assert "more than the limit of 100" in result.stderr
    words = ("--data", "images", *TRAIN, "--output", "entropy")
    assert_said(run(train, "entropy-model", "run", *words, code=0).stderr)


@pytest.mark.parametrize("bad", ["damaged.tif", "bomb.png"])
def test_train_preview(run, bad):
    for name in {"damaged.tif", "bomb.png"} - {bad}:
        Path("images", name).unlink()
    words = ("preview", "--data", "images", "--validation", "images", "--output", "run", *STEPS)
    assert_said(run(train, *words, "--pictures", 20, code=1).stderr, bad)


def test_export(run, model):
    words = ("out", "--images", "images", "--quiet")
    assert_said(run(export, model, *words, code=0).stderr)
