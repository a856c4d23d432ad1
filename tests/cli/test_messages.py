"""What a new user gets wrong: a message with a remedy, the right exit code, nothing written."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from tfrnnc.cli.decode import main as decode
from tfrnnc.cli.encode import main as encode
from tfrnnc.cli.export import main as export
from tfrnnc.cli.info import main as info
from tfrnnc.cli.train import main as train


@pytest.fixture
def run(tmp_path, monkeypatch, noise):
    """Runs a command in a folder with some files, and looks after what it leaves there."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(noise(16, 24)).save("photo.png")
    assert CliRunner().invoke(encode, ["photo.png", "stream.rnnc", "--quiet"]).exit_code == 0
    Path("empty.png").touch()
    Path("empty.rnnc").touch()
    Path("text.txt").write_text("some words\n")
    for name in ("folder", "folder.png", "folder.rnnc"):
        Path(name).mkdir()

    def invoke(command, *words, code, message):
        before = sorted(Path().rglob("*"))
        result = CliRunner().invoke(command, words)
        assert result.exit_code == code, result.output
        assert isinstance(result.exception, SystemExit)
        assert message in result.stderr
        assert "Errno" not in result.stderr
        assert str(tmp_path) not in result.stderr
        assert result.stdout == ""
        assert sorted(Path().rglob("*")) == before
        if code == 2:
            assert "Usage:" in result.stderr
        return result

    return invoke


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["missing.png"], "missing.png: no such file; check the path"),
        (
            ["folder.png", "a.rnnc"],
            "folder.png: a folder, not a file; name the files in it; --recursive takes them all",
        ),
        (["empty.png"], "empty.png: there is nothing in it; get the file again"),
        (["text.txt"], "text.txt: not an image of a known format; convert it to PNG"),
        (["stream.rnnc", "a.rnnc"], "stream.rnnc: a stream already; tfrnnc-decode makes"),
        (["photo.png", "folder.rnnc"], "error: folder.rnnc: cannot be written (Is a directory)"),
        (["photo.png", "text.txt/a.rnnc"], "error: text.txt/a.rnnc: cannot be written ("),
        (["photo.png", "--max-bytes", "3"], "3 bytes are too few for 24x16 pixels"),
        (["photo.png", "--model", "nothing"], "nothing: neither a preset (conv_lstm_medium, "),
        (["photo.png", "--model", "folder"], "give a preset's name or a folder that tfrnnc-train"),
    ],
)
def test_encode_fails(run, words, message):
    run(encode, *words, code=1, message=message)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Missing argument"),
        (["photo.png", "photo.jpg"], "should end in .rnnc"),
        (["photo.png", "folder"], "for a folder, give --output-dir FOLDER"),
        (["photo.png", "stream.rnnc", "a.rnnc"], "give --output-dir FOLDER"),
        (["stream.rnnc"], "is both input and output; give another OUTPUT"),
        (["."], "'.' is a folder, not a file; name the files in it, or give --recursive"),
        (["photo.png", "-o", "text.txt"], "Directory 'text.txt' is a file"),
        (["photo.png", "--bpp", "0"], "--bpp must be a finite number above 0"),
        (["photo.png", "--ssim", "2"], "--ssim is 1 at most"),
        (["photo.png", "--bp", "0.5"], "Did you mean"),
        (["photo.png", "--iterations", "99"], "--iterations must be from 1 to 5"),
        (["photo.png", "--background", "nonsense"], "--background 'nonsense' is not a colour"),
        (["photo.png", "--adaptive"], "with --adaptive give --psnr, --ssim, --bpp or --max-bytes"),
    ],
)
def test_encode_is_not_understood(run, words, message):
    run(encode, *words, code=2, message=message)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["missing.rnnc"], "missing.rnnc: no such file; check the path"),
        (["folder.rnnc"], "folder.rnnc: a folder, not a file; name the files in it"),
        (["empty.rnnc"], "empty.rnnc: there is nothing in it; get the file again"),
        (["photo.png", "a.png"], "photo.png: not a tfrnnc stream"),
        (["photo.png", "a.png"], "tfrnnc-encode makes streams of images"),
        (["stream.rnnc", "folder.png"], "error: folder.png: cannot be written (Is a directory)"),
        (["stream.rnnc", "--max-pixels", "10"], "raise the limit"),
        (["stream.rnnc", "--model", "folder"], "give a preset's name or a folder"),
    ],
)
def test_decode_fails(run, words, message):
    run(decode, *words, code=1, message=message)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Missing argument"),
        (["photo.png"], "photo.png is both input and output; give another OUTPUT"),
        (["stream.rnnc", "a.xyz"], "should end in .png, "),
        # Formats that have a largest size of a few hundred pixels, or 256 colours.
        (["stream.rnnc", "a.ico"], "'a.ico' should end in .png, "),
        (["stream.rnnc", "a.icns"], "'a.icns' should end in .png, "),
        (["stream.rnnc", "a.gif"], "'a.gif' should end in .png, "),
        (["missing.rnnc", "a.ico"], "'a.ico' should end in .png, "),
        (["stream.rnnc", "folder"], "for a folder, give --output-dir FOLDER"),
        (["..", "-o", "folder"], "'..' is a folder, not a file; name the files in it"),
    ],
)
def test_decode_is_not_understood(run, words, message):
    run(decode, *words, code=2, message=message)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ([], 2, "Missing argument"),
        (["missing.rnnc"], 1, "missing.rnnc: no such file; check the path"),
        (["folder"], 1, "folder: a folder, not a file; name the files in it\n"),
        (["photo.png"], 1, "tfrnnc-encode makes streams of images"),
        (["stream.rnnc", "--model", "nothing"], 1, "neither a preset"),
    ],
)
def test_info(run, words, code, message):
    run(info, *words, code=code, message=message)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ([], 2, "give --data and --output (or --resume FOLDER)"),
        (["--data", "missing", "--output", "run"], 1, "missing: no such folder"),
        (["--data", "folder", "--output", "run"], 1, "give a folder of images"),
        (["--data", ".", "--output", "text.txt"], 2, "Directory 'text.txt' is a file"),
        (["--data", ".", "--output", "run", "--batch-size", "0"], 2, "--batch-size"),
        (["--data", ".", "--output", "run", "--learning-rate", "0"], 2, "--learning-rate"),
        (
            ["--data", ".", "--output", "run", "--patch-size", "20", "--ssim-weight", "0.1"],
            2,
            "--patch-size must be a multiple of 8 where --ssim-weight is above 0",
        ),
        (["--data", ".", "--output", "run", "--batch-size", "9" * 9], 2, "--batch-size must be"),
        (["--data", ".", "--output", "run", "--layout", "huge"], 2, "it has paper, small"),
        (["--data", ".", "--output", "run", "--config", "no.json"], 1, "no.json: no such file"),
        (
            ["--data", ".", "--output", "run", "--config", "text.txt"],
            1,
            "text.txt: not a model's settings (not JSON",
        ),
        (["--resume", "folder"], 1, "give the --output of a run"),
        (["entropy-model", "nothing", "--data", "."], 1, "nothing: neither a preset"),
    ],
)
def test_train(run, words, code, message):
    run(train, *words, code=code, message=message)


def test_train_into_a_place_that_is_none(run, image_folder):
    words = ["--data", str(image_folder), "--output", "text.txt/run"]
    run(train, *words, code=1, message="text.txt/run: a part of this path is a file")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ([], 2, "Missing argument"),
        (["nothing", "out"], 1, "nothing: neither a preset"),
        (["folder", "out"], 1, "give a preset's name or a folder that tfrnnc-train wrote"),
        (["conv_lstm_thumbnails", "text.txt"], 2, "Directory 'text.txt' is a file"),
        (["conv_lstm_thumbnails", "out", "--size", "30x"], 2, "--size must be like 32x32"),
        (
            ["conv_lstm_thumbnails", "out", "--quantize", "int8"],
            2,
            "--calibration FOLDER is needed",
        ),
        (["conv_lstm_thumbnails", "out", "--images", "missing"], 1, "missing: no such folder"),
    ],
)
def test_export(run, words, code, message):
    run(export, *words, code=code, message=message)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (train, ["--data", ".", "--output", "run"]),
        (export, ["conv_lstm_thumbnails", "out"]),
        (encode, ["photo.png", "--runtime", "keras"]),
        (decode, ["stream.rnnc", "a.png", "--runtime", "keras"]),
    ],
)
def test_without_keras(run, monkeypatch, command, words):
    monkeypatch.setitem(sys.modules, "keras", None)
    run(command, *words, code=1, message="pip install 'tfrnnc[train]'")
