"""Help in groups, modes, and what the shell completes."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from tfrnnc.cli.codec_names import CodecNames
from tfrnnc.cli.common import command
from tfrnnc.cli.options import ByteSizes, CommandWithModes, Words, grouped_options, option_group
from tfrnnc.evaluation import CLASSIC_CODECS, CodecSpec
from tfrnnc.evaluation.preview_codecs import PREVIEW_CODECS
from tfrnnc.model_folder.presets import list_presets


def complete(line: str) -> list[tuple[str, str]]:
    """What the shell is told for the last word of a line: kinds and values."""
    program, *words = line.split(" ")
    main = importlib.import_module(f"tfrnnc.cli.{program.removeprefix('tfrnnc-')}").main
    completions = ShellComplete(main, {}, program, "").get_completions(words[:-1], words[-1])
    return [(item.type, item.value) for item in completions]


def plain(line: str) -> list[str]:
    return [value for kind, value in complete(line) if kind == "plain"]


def test_codecs_complete():
    assert plain("tfrnnc-evaluate --codec conv_lstm_m") == ["conv_lstm_medium"]
    assert plain("tfrnnc-evaluate --codec jpeg") == ["jpeg", "jpeg444", "jpeg2000", "jpegxl"]
    assert plain("tfrnnc-evaluate --reference jpegxl,av") == ["jpegxl,avif", "jpegxl,avif444"]
    assert ("dir", "runs/m") in complete("tfrnnc-evaluate --codec runs/m")
    assert plain("tfrnnc-evaluate --metric psnr,ms") == ["psnr,msssim"]
    everything = plain("tfrnnc-evaluate --codec ")
    assert set(everything) == {*list_presets(), *CLASSIC_CODECS, *PREVIEW_CODECS}


def test_models_and_modes_complete():
    assert set(plain("tfrnnc-export ")) == {"cluster", "prune", *list_presets()}
    assert ("dir", "ru") in complete("tfrnnc-export ru")
    assert plain("tfrnnc-export conv_lstm_thumbnails p") == []
    assert ("dir", "p") in complete("tfrnnc-export conv_lstm_thumbnails p")
    assert set(plain("tfrnnc-export prune conv_s")) == {"conv_small", "conv_small_shared"}
    assert plain("tfrnnc-export prune --spars") == ["--sparsity"]
    assert plain("tfrnnc-export cluster --spars") == []


def test_files_and_folders_complete():
    assert complete("tfrnnc-evaluate --data ph") == [("dir", "ph")]
    assert complete("tfrnnc-encode -o out") == [("dir", "out")]
    for line in ("tfrnnc-encode ph", "tfrnnc-decode ph.rnnc ph", "tfrnnc-info a ph"):
        assert complete(line) == [("file", "ph")]
    for name in ("encode", "decode", "info"):
        assert plain(f"tfrnnc-{name} --model conv_lstm_m") == ["conv_lstm_medium"]


def test_codecs_with_efforts():
    codecs = CodecNames().convert("avif@4, runs/a@b ,jpeg,jpeg", None, None)
    assert codecs == (CodecSpec("avif", 4), CodecSpec("runs/a@b"), CodecSpec("jpeg"))
    assert str(CodecSpec.parse("conv_lstm_thumbnails@2")) == "conv_lstm_thumbnails@2"
    assert CodecSpec.parse("@2") == CodecSpec("@2")
    marks = "a@4@half@ssim@int8"
    assert str(CodecSpec.parse(marks)) == marks
    assert CodecSpec.parse(marks) == CodecSpec("a", 4, half=True, tune="ssim", arithmetic="int8")
    for word in ("runs/a@half", "conv_lstm_thumbnails@2@half"):
        assert CodecSpec.parse(word).half
        assert str(CodecSpec.parse(word)) == word
    for word in ("runs/a@int8", "conv_lstm_thumbnails@2@half@int8"):
        assert CodecSpec.parse(word).arithmetic == "int8"
        assert str(CodecSpec.parse(word)) == word


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (Words(), " , "),
        (Words(("psnr",)), "psnr,vmaf"),
        (ByteSizes(), "12,0"),
        (ByteSizes(), "12,x"),
        (ByteSizes(), "²"),
        (CodecNames(), ","),
    ],
)
def test_wrong_words(kind, word):
    with pytest.raises(click.BadParameter):
        kind.convert(word, None, None)


@command()
@option_group("Colours")("--red", is_flag=True, help="Red.")
@option_group("Shapes")("--round", is_flag=True, help="Round.")
@option_group("Colours")("--blue", is_flag=True, help="Blue.")
def painting(**options):
    """Paint."""


@pytest.mark.parametrize(
    "line",
    [
        "encode  a.rnnc",
        "encode a.png --model ",
        "encode a.png --output-dir=",
        "encode a.png --background=",
        "decode --files-from  -o out",
        "evaluate --data  --codec jpeg",
        "export prune  out",
        "info a.rnnc ",
        "pack photos -o ",
        "preview ",
        "train --data photos --output ",
        "train --data photos --output run --initial-model=",
        "train --resume ",
        "train entropy-model  --data photos",
    ],
)
def test_no_word_may_be_empty(line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    program, *words = line.split(" ")
    main = importlib.import_module(f"tfrnnc.cli.{program}").main
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2, result.output
    assert "it is empty; leave it out, or give it" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_help_is_in_groups():
    text = CliRunner().invoke(painting, ["--help"]).output
    places = [text.index(word) for word in ("Colours:", "--blue", "Shapes:", "--round", "General:")]
    assert places == sorted(places)
    with click.Context(painting) as context:
        assert list(grouped_options(painting, context)) == ["Colours", "Shapes", "General"]


@command(cls=CommandWithModes)
@click.argument("where")
def drawing(where):
    """Draw."""
    click.echo(f"draw {where}")


@drawing.add_mode
@command(name="erase")
@click.argument("where")
@click.option("--hard", is_flag=True)
def erase(where, hard):
    """Erase."""
    click.echo(f"erase {where} {hard}")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["here"], "draw here"),
        (["erase", "here", "--hard"], "erase here True"),
        (["./erase"], "draw ./erase"),
    ],
)
def test_modes(words, expected):
    result = CliRunner().invoke(drawing, words)
    assert (result.exit_code, result.output) == (0, f"{expected}\n")


def test_modes_are_told():
    text = CliRunner().invoke(drawing, ["--help"], prog_name="drawing").output
    assert "drawing erase ..." in text
    result = CliRunner().invoke(drawing, ["erase"], prog_name="drawing")
    assert result.exit_code == 2
    assert "Usage: drawing erase" in result.stderr
    assert CliRunner().invoke(drawing, ["here", "--hard"]).exit_code == 2


def test_bash_is_told_the_same():
    """The program itself, as the lines in docs/TUTORIAL.md call it."""
    environment = {
        **os.environ,
        "COMP_WORDS": "tfrnnc-export conv_l",
        "COMP_CWORD": "1",
        "_TFRNNC_EXPORT_COMPLETE": "bash_complete",
    }
    program = Path(sys.executable).parent / "tfrnnc-export"
    result = subprocess.run([program], env=environment, capture_output=True, text=True, check=True)
    assert "plain,conv_lstm_thumbnails" in result.stdout.split()
