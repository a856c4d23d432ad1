"""Many files at once: one that fails, an interruption, and what the outputs are called."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image, ImageFile

import tfrnnc
from helpers.commands import running, wait_for_end_of_group
from helpers.hostile_images import damaged_tiff, reaches_libtiff
from helpers.reports import read_json
from tfrnnc.cli import common, file_pairs
from tfrnnc.cli.common import Report
from tfrnnc.cli.decode import FORMATS
from tfrnnc.cli.decode import main as decode
from tfrnnc.cli.encode import EncodeTask
from tfrnnc.cli.encode import main as encode
from tfrnnc.cli.file_tasks import run_files
from tfrnnc.cli.info import main as info
from tfrnnc.errors import Terminated
from tfrnnc.images import read_image
from tfrnnc.model_folder.presets import DEFAULT_PRESET, find_model

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")


@pytest.fixture
def run(tiny_model_folder, tmp_path, monkeypatch):
    """Runs a command in an empty folder with the tiny model; returns click's result."""
    monkeypatch.chdir(tmp_path)

    def invoke(command, *words, code=0, **settings):
        model = ["--model", str(tiny_model_folder)]
        result = CliRunner().invoke(command, [*map(str, words), *model], **settings)
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        return result

    return invoke


@pytest.fixture
def images(noise, tmp_path):
    """Names of three images, in the working folder."""
    names = ["a.png", "b.png", "c.png"]
    for seed, name in enumerate(names):
        Image.fromarray(noise(16, 24, seed)).save(tmp_path / name)
    return names


def fail_for(name, error, function):
    """A function that raises an error where it is called about a file of this name."""

    def call(*arguments, **options):
        if name in map(str, arguments):
            raise error
        return function(*arguments, **options)

    return call


ERRORS = [
    MemoryError(),
    KeyError("tag"),
    RecursionError("too deep"),
    ZeroDivisionError("division by zero"),
    OSError(errno.EIO, "Input/output error"),
    tfrnnc.ImageError("of a strange kind"),
]


# Failures


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_whatever_fails_is_named_and_the_rest_is_done(run, images, monkeypatch, error):
    reader = fail_for("b.png", error, read_image)
    monkeypatch.setattr("tfrnnc.cli.encode.read_image", reader)
    result = run(encode, *images, "-o", "out", code=1)
    assert result.stderr.startswith("error: b.png: ")
    assert len(result.stderr.splitlines()) == 1
    assert sorted(os.listdir("out")) == ["a.rnnc", "c.rnnc"]


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_decoding_goes_on_as_well(run, images, monkeypatch, error):
    run(encode, *images, "-o", "small")
    reader = fail_for("small/b.rnnc", error, common.read_input)
    monkeypatch.setattr("tfrnnc.cli.decode.read_input", reader)
    result = run(decode, "small/a.rnnc", "small/b.rnnc", "small/c.rnnc", "-o", "out", code=1)
    assert result.stderr.startswith("error: small/b.rnnc: ")
    assert sorted(os.listdir("out")) == ["a.png", "c.png"]


def test_a_full_disk_is_named_for_each_file(run, images, monkeypatch):
    replacing = common.replacing
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    @contextlib.contextmanager
    def fails_late(path):
        with replacing(path) as temporary:
            yield temporary
            if Path(path).name != "c.rnnc":
                raise full

    monkeypatch.setattr(common, "replacing", fails_late)
    result = run(encode, *images, "-o", "out", code=1)
    for name in ("a", "b"):
        assert f"error: out/{name}.rnnc: cannot be written (No space left on" in result.stderr
    assert os.listdir("out") == ["c.rnnc"]


@posix
@pytest.mark.parametrize("options", [[], ["-j", "2"]])
@pytest.mark.parametrize(
    ("command", "file"),
    [
        (encode, "manifest.json"),
        (encode, "encoder_1.tflite"),
        (decode, "manifest.json"),
        (decode, "decoder_1.tflite"),
        (info, "manifest.json"),
    ],
)
def test_a_broken_model_is_told_once(images, tmp_path, monkeypatch, command, file, options):
    monkeypatch.chdir(tmp_path)
    inputs = images
    if command is not encode:
        CliRunner().invoke(encode, [*images, "-o", "out"])
        inputs = ["out/a.rnnc", "out/b.rnnc", "out/c.rnnc"]
    shutil.copytree(find_model(DEFAULT_PRESET).path, "broken")
    assert Path("broken", file).is_file()
    Path("broken", file).write_bytes(b"{}")
    if file == "manifest.json":  # It is found before any input, of which one never ends.
        os.mkfifo("pipe")
        inputs = ["pipe", *inputs]
    words = [*inputs, *([] if command is info else ["-o", "new", *options])]
    result = CliRunner().invoke(command, [*words, "--model", "broken"])
    assert result.exit_code == 1
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"error: {Path('broken', file)}")
    assert not Path("new").exists() or os.listdir("new") == []


def test_json_reports_failures_too(run, images):
    Path("b.png").write_bytes(b"not an image")
    facts = read_json(run(encode, *images, "-o", "out", "--json", code=1).stdout)
    assert [fact["input"] for fact in facts] == images
    assert facts[1]["error"].startswith("b.png: not an image of a known format")
    assert ["error" in fact for fact in facts] == [False, True, False]
    facts = read_json(run(info, "out/a.rnnc", "b.png", "--json", code=1).stdout)
    assert (facts[0]["file"], facts[1]["input"]) == ("out/a.rnnc", "b.png")


@posix
@pytest.mark.parametrize("words", [["--json"], []])
def test_an_interruption_ends_the_process_by_its_signal(images, tmp_path, words):
    os.mkfifo(tmp_path / "pipe.png")  # Reading it takes for ever.
    command = [Path(sys.executable).parent / "tfrnnc-encode", *images, "pipe.png", "-o", "out"]
    with running([*command, *words], tmp_path) as process:
        told = "".join(process.stdout.readline() for _ in images)
        process.send_signal(signal.SIGINT)
        reported, errors = process.communicate(timeout=100)
    assert process.returncode == -signal.SIGINT
    assert errors == ""
    if words:
        assert [fact["input"] for fact in read_json(told + reported)] == images
    assert sorted(os.listdir(tmp_path / "out")) == ["a.rnnc", "b.rnnc", "c.rnnc"]


# Names of outputs


def pair_names(*paths, suffix=".rnnc"):
    selection = file_pairs.Selection(paths, None, False, Path("out"), [".png"], [suffix])
    return [Path(output).name for _, output in selection.pairs]


def test_outputs_keep_the_extensions_that_tell_them_apart():
    assert pair_names("a.png", "b.png", "a.jpg") == ["a.png.rnnc", "b.rnnc", "a.jpg.rnnc"]
    # A longer name may be taken, too.
    assert pair_names("a.png", "a.jpg", "a.png.gif") == [
        "a.png.rnnc",
        "a.jpg.rnnc",
        "a.png.gif.rnnc",
    ]
    assert pair_names("a", "a.png") == ["a.rnnc", "a.png.rnnc"]
    assert pair_names("a.rnnc", "x/a.bin", suffix=".png") == ["a.rnnc.png", "a.bin.png"]


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        (["a.png", "a.png"], "a.png is among the inputs twice; name each"),
        (
            ["x/a.png", "y/a.png", "a.jpg"],
            "x/a.png and y/a.png would both be written to a.png.rnnc; name them in a list",
        ),
    ],
)
def test_inputs_of_the_same_name_are_refused(paths, message):
    with pytest.raises(click.UsageError, match=message):
        pair_names(*paths)


def test_a_hundred_thousand_names():
    """With as many comparisons as pairs of names this takes hours."""
    paths = [f"{number}.{kind}" for number in range(50_000) for kind in ("png", "jpg")]
    names = file_pairs.name_outputs(paths, ".rnnc")
    assert len(set(names)) == len(paths)


def test_images_beside_each_other_do_not_meet(run, noise):
    pixels = noise(16, 24), noise(16, 24, 1)
    Image.fromarray(pixels[0]).save("a.png")
    Image.fromarray(pixels[1]).save("a.bmp")
    run(encode, "a.png", "a.bmp", "-o", "small")
    assert sorted(os.listdir("small")) == ["a.bmp.rnnc", "a.png.rnnc"]
    run(decode, "small/a.bmp.rnnc", "small/a.png.rnnc", "-o", "back")
    assert sorted(os.listdir("back")) == ["a.bmp.png", "a.png.png"]
    shutil.copy("small/a.png.rnnc", "small/a.bmp")
    run(decode, "small/a.png.rnnc", "small/a.bmp", "-o", "again")
    assert sorted(os.listdir("again")) == ["a.png", "a.png.png"]


@pytest.mark.parametrize("words", [[], ["-o", "."]])
def test_one_after_the_other_nothing_is_written_over(run, noise, words):
    Image.fromarray(noise(16, 24)).save("a.png")
    Image.fromarray(noise(16, 24, 1)).save("a.bmp")
    run(encode, "a.png", *words)
    first = Path("a.rnnc").read_bytes()
    result = run(encode, "a.bmp", *words, code=1)
    assert "a.rnnc: is there already" in result.stderr
    assert "--overwrite" in result.stderr
    assert Path("a.rnnc").read_bytes() == first
    run(encode, "a.bmp", *words, "--overwrite")
    second = Path("a.rnnc").read_bytes()
    assert second != first
    run(encode, "a.png", "a.rnnc")
    assert Path("a.rnnc").read_bytes() == first


@pytest.mark.parametrize("words", [[], ["-o", "."]])
def test_originals_are_not_written_over(run, images, words):
    original = Path("a.png").read_bytes()
    run(encode, "a.png")
    result = run(decode, "a.rnnc", *words, code=1)
    assert "a.png: is there already" in result.stderr
    assert Path("a.png").read_bytes() == original
    run(decode, "a.rnnc", *words, "--overwrite")
    assert Path("a.png").read_bytes() != original


def test_what_is_there_does_not_stop_the_rest(run, images):
    run(encode, "b.png", "-o", "out")
    result = run(encode, *images, "-o", "out", code=1)
    assert result.stderr.splitlines() == [
        "error: out/b.rnnc: is there already, and may be the original; give --overwrite to write "
        "over it"
    ]
    assert sorted(os.listdir("out")) == ["a.rnnc", "b.rnnc", "c.rnnc"]


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_is_wrong_is_told_before_what_is_there(run, images, jobs):
    Path("out").mkdir()
    for name in ("a", "b", "missing"):
        Path(f"out/{name}.rnnc").touch()
    Path("b.png").write_bytes(b"not an image")
    words = [*images, "missing.png", "-o", "out", "--jobs", jobs]
    result = run(encode, *words, code=1)
    told = sorted(line.split(";")[0] for line in result.stderr.splitlines())
    assert told == [
        "error: b.png: not an image of a known format",
        "error: missing.png: no such file",
        "error: out/a.rnnc: is there already, and may be the original",
    ]
    assert run(encode, *words, "--skip-existing").stderr == ""


# Kinds of outputs


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_that_is_offered_holds_a_picture(run, images, suffix):
    if Image.registered_extensions().get(suffix) not in Image.SAVE:
        pytest.skip("this Pillow cannot write it")
    run(encode, "a.png")
    run(decode, "a.rnnc", f"out{suffix}")
    assert read_image(f"out{suffix}").shape == (16, 24, 3)
    run(decode, "a.rnnc", f"OUT{suffix.upper()}")


def test_a_format_that_is_too_small_is_one_line(run, images, monkeypatch):
    run(encode, *images, "-o", "small")

    def refuse(*_, **__):
        raise ValueError("encoding error 5: Image size exceeds WebP limit of 16383 pixels")

    monkeypatch.setitem(Image.SAVE, "WEBP", refuse)
    result = run(decode, "small/a.rnnc", "a.webp", code=1)
    assert result.stderr == (
        "error: a.webp: cannot be written as WEBP (encoding error 5: Image size exceeds WebP limit "
        "of 16383 pixels); give an OUTPUT that ends in .png\n"
    )


@posix
def test_pipes_and_devices_are_outputs(run, images):
    os.mkfifo("pipe")
    received = []
    reader = threading.Thread(
        target=lambda: received.append(Path("pipe").read_bytes()), daemon=True
    )
    reader.start()
    run(encode, "a.png", "pipe")
    reader.join(20)
    run(encode, "a.png", "a.rnnc")
    assert received == [Path("a.rnnc").read_bytes()]
    run(encode, "a.png", "/dev/null")
    words = [Path(sys.executable).parent / "tfrnnc-encode", "a.png", "/dev/stdout"]
    result = subprocess.run(words, capture_output=True, check=True)
    assert result.stdout.startswith(b"RN")
    assert b"a.png (24x16" in result.stderr


# What is said


def test_files_keep_to_the_limit_before_they_are_read(run, images, monkeypatch):
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda _: pytest.fail("it is read"))
    result = run(encode, "a.png", "out.rnnc", "--max-pixels", 383, code=1)
    assert result.stderr == (
        "error: a.png: the image has 384 pixels, more than the limit of 383; make it smaller "
        "first; or raise the limit (--max-pixels) if you trust it\n"
    )


@posix
def test_names_do_not_change_what_a_terminal_shows(run, images):
    os.rename("a.png", "a\nb\x1b[31m.png")
    result = run(encode, "a\nb\x1b[31m.png", "c\td.png", "-o", "out", code=1, color=True)
    assert result.stdout.startswith("a\\nb\\x1b[31m.png (24x16")
    assert result.stderr == "error: c\\td.png: no such file; check the path\n"


@posix
@pytest.mark.parametrize(("closed", "words"), [("<&-", "- o.rnnc"), (">&-", "a.png -")])
def test_standard_streams_may_be_closed(images, tmp_path, closed, words):
    program = Path(sys.executable).parent / "tfrnnc-encode"
    command = f"{program} {words} --iterations 1 {closed}"
    done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert re.fullmatch(r"error: standard (in|out)put: it is closed; .*\n", done.stderr)


@posix
@pytest.mark.parametrize("closed", ["2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_work_is_done_though_nothing_can_be_told(images, tmp_path, closed):
    program = Path(sys.executable).parent / "tfrnnc-encode"
    command = f"{program} a.png b.png -o out --iterations 1 {closed}"
    assert subprocess.run(command, shell=True, cwd=tmp_path).returncode == 0
    assert files_in(tmp_path / "out") == ["a.rnnc", "b.rnnc"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
@pytest.mark.parametrize(
    "words",
    [
        "encode --help",
        "train --version",
        "train preview --help",
        "encode a.png o.rnnc --iterations 1",
        "encode a.png o.rnnc --iterations 1 --json",
        "encode a.png - --iterations 1",
        "preview a.png",
    ],
)
def test_a_full_standard_output_is_one_line(images, tmp_path, words):
    command = f"{Path(sys.executable).parent / 'tfrnnc-'}{words} >/dev/full"
    done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: standard output: cannot be written (No space left on device); ")
    # Standard error may be full as well.
    assert subprocess.run(f"{command} 2>&1", shell=True, cwd=tmp_path).returncode == 1


def test_a_target_that_is_not_reached_is_said_once(run, images):
    result = run(encode, "a.png", "out.rnnc", "--psnr", 90)
    assert result.stderr == ""
    assert result.stdout.count("PSNR") == 2
    assert "(the PSNR asked for is not reached)" in result.stdout
    assert run(encode, "a.png", "out.rnnc", "--psnr", 90, "--quiet").output == ""


def test_warnings_name_the_file_and_only_ours_are_shown(run, noise):
    image = Image.fromarray(noise(16, 24))
    image.save("a.png", icc_profile=b"no profile")
    image.save("a.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x09")
    result = run(encode, "a.png", "a.jpg", "-o", "out")
    assert result.stderr.startswith("a.png: the colour profile cannot be used")
    assert len(result.stderr.splitlines()) == 1


@reaches_libtiff
def test_libraries_print_nothing_of_damaged_files(images, tmp_path):
    """Of a damaged TIFF libtiff would; what is logged of others is told all the same."""
    pages = [Image.open(tmp_path / name) for name in images]
    damaged_tiff(tmp_path / "a.tif")
    pages[0].save(tmp_path / "b.tif", save_all=True, append_images=pages[1:])
    for words in ("tfrnnc-encode a.tif b.tif -o out --quiet", "tfrnnc-preview a.tif b.tif"):
        program, *rest = words.split()
        command = [Path(sys.executable).parent / program, *rest]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 1
        error, warning = sorted(done.stderr.splitlines(), reverse=True)
        assert error.startswith("error: a.tif: damaged, or of a kind that cannot be read (")
        assert warning == "b.tif: only the first of 3 frames is read"


def test_how_much_was_there_is_said(run, images):
    run(encode, "a.png", "a.rnnc")
    data = Path("a.rnnc").read_bytes()
    Path("a.rnnc").write_bytes(data[:-1])
    result = run(decode, "a.rnnc", "out.png", code=1)
    assert "allow_truncated" not in result.stderr
    assert "decode those with --partial" in result.stderr
    result = run(decode, "a.rnnc", "out.png", "--partial")
    assert ", 2 of 3 iterations were there" in result.stdout
    (fact,) = read_json(run(decode, "a.rnnc", "out.png", "--partial", "--json").stdout)
    assert (fact["whole_iterations"], fact["iterations"]) == (2, 3)
    assert "cut: 2 of them whole, at most 3 bytes missing" in run(info, "a.rnnc").stdout


@pytest.mark.parametrize("settings", [{}, {"entropy_coding": False}, {"adaptive": True}], ids=repr)
def test_no_more_is_missing_than_info_says(independent_folder, tmp_path, noise, settings):
    codec = tfrnnc.load(independent_folder)
    data = codec.encode(noise(40, 56), **settings)
    path = tmp_path / "cut.rnnc"
    for size in range(20, len(data), 7):
        path.write_bytes(data[:size])
        words = [str(path), "--model", str(independent_folder), "--json"]
        (fact,) = read_json(CliRunner().invoke(info, words).stdout)
        assert fact["state"] == "cut"
        assert len(data) - size <= fact["missing_bytes_at_most"]
        if settings == {"entropy_coding": False}:
            assert fact["missing_bytes_at_most"] <= 1.02 * (len(data) - size) + 6


def test_info_of_an_image_of_too_many_pixels(run, images):
    run(encode, "a.png", "a.rnnc")
    header, _ = tfrnnc.bitstream.read_header(Path("a.rnnc").read_bytes())
    large = tfrnnc.bitstream.Header(header.model_id, 2**20, 2**20, 3)
    Path("a.rnnc").write_bytes(large.to_bytes() + bytes(20))
    assert "not looked into, as the image has too many pixels" in run(info, "a.rnnc").stdout
    result = run(decode, "a.rnnc", "out.png", code=1)
    assert "raise the limit (--max-pixels)" in result.stderr


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("it is cut; decode it with allow_truncated=True (--partial)", "it is cut"),
        ("it is large; raise it (max_pixels=, --max-pixels) if you like", "it is large"),
        ("it is unknown; give the folder (--model)", "it is unknown; give the folder (--model)"),
        ("it is none; train one (tfrnnc-train entropy-model)", None),
        ("a--partial; x", None),
    ],
)
def test_advice_names_options_that_the_command_has(message, said):
    with click.Context(info):
        assert common.in_words_of_the_command(message) == (said or message)


def test_pictures_are_the_same_whatever_the_format(run, images, tiny_model_folder):
    run(encode, "a.png", "a.rnnc")
    expected = tfrnnc.load(tiny_model_folder).decode(Path("a.rnnc").read_bytes())
    for suffix in (".png", ".bmp", ".ppm", ".tif"):
        run(decode, "a.rnnc", f"out{suffix}")
        np.testing.assert_array_equal(read_image(f"out{suffix}"), expected)


# Folders, lists, processes


@pytest.fixture
def tree(noise, tmp_path):
    """A folder with images at three depths, and files that are none."""
    for seed, name in enumerate(["a.png", "b/c.png", "b/d/e.jpg", "b/d/a.PNG"]):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise(16, 24, seed)).save(path)
    for name in ("notes.txt", ".hidden.png", "b/.git/f.png"):
        path = tmp_path / "in" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"none of them")
    return ["a.rnnc", "b/c.rnnc", "b/d/a.rnnc", "b/d/e.rnnc"]


def files_in(folder):
    found = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    return [path.relative_to(folder).as_posix() for path in found]


def test_the_tree_of_outputs_is_that_of_inputs(run, tree, tiny_model_folder):
    run(encode, "-r", "in", "-o", "out")
    assert files_in("out") == tree
    codec = tfrnnc.load(tiny_model_folder)
    for name in ("a.png", "b/d/e.jpg"):
        expected = codec.encode(read_image(Path("in") / name))
        assert (Path("out") / name).with_suffix(".rnnc").read_bytes() == expected
    run(decode, "-r", "out", "-o", "back")
    assert files_in("back") == [name.replace(".rnnc", ".png") for name in tree]
    result = run(encode, "in", "-o", "flat", code=1)
    assert "in: a folder, not a file" in result.stderr


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\0"])
def test_lists_of_files(run, tree, ends, tmp_path):
    listed = ends.join(["in/a.png", str(tmp_path / "in/b/c.png"), "in/../in/b/d/e.jpg", ""])
    run(encode, "--files-from", "-", "-o", "out", input=listed)
    place = (tmp_path / "in/b/c.rnnc").relative_to("/").as_posix()
    assert files_in("out") == sorted(["in/a.rnnc", "in/b/d/e.rnnc", place])
    Path("list").write_text(f"in/b{ends}")
    run(encode, "--files-from", "list", "-r", "-o", "more")
    assert files_in("more") == ["in/b/c.rnnc", "in/b/d/a.rnnc", "in/b/d/e.rnnc"]
    assert (
        "missing.txt: no such file"
        in run(encode, "--files-from", "missing.txt", "-o", "out", code=1).stderr
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-r", "in"], "with --recursive give --output-dir"),
        (["--files-from", "-"], "with --files-from give --output-dir"),
        (["-r", "in", "-o", "x", "--overwrite", "--skip-existing"], "contradict each other"),
    ],
)
def test_many_files_are_not_understood(run, tree, words, message):
    assert message in run(encode, *words, code=2).stderr


def test_the_system_is_asked_once_about_each_folder(monkeypatch, tmp_path):
    """Not about each of 20,000 files, which takes seconds before the first is encoded."""
    asked = []
    realpath = os.path.realpath
    monkeypatch.setattr(os.path, "realpath", lambda path: asked.append(path) or realpath(path))
    paths = tuple(str(tmp_path / f"{number % 4}" / f"{number}.png") for number in range(20_000))
    selection = file_pairs.Selection(paths, None, False, tmp_path / "out", [".png"], [".rnnc"])
    assert len(selection.pairs) == len(paths)
    assert len(asked) == 5


@posix
def test_links_do_not_hide_that_an_output_is_an_input(run, images):
    os.symlink("a.png", "link.rnnc")
    result = run(encode, "a.png", "link.rnnc", code=2)
    assert "link.rnnc is both input and output" in result.stderr


def test_what_is_there_is_skipped(run, images):
    run(encode, "b.png", "-o", "out")
    before = Path("out/b.rnnc").stat().st_mtime_ns
    result = run(encode, *images, "-o", "out", "--skip-existing", "--json")
    skipped = {"input": "b.png", "output": os.path.join("out", "b.rnnc"), "skipped": True}
    assert [fact for fact in read_json(result.stdout) if "skipped" in fact] == [skipped]
    assert Path("out/b.rnnc").stat().st_mtime_ns == before
    again = run(encode, *images, "-o", "out", "--skip-existing")
    assert again.stdout.count("skipped, as out") == 3


@pytest.mark.parametrize("jobs", [1, 2])
def test_processes_do_what_one_does(run, tree, jobs):
    """Some files are broken, some outputs are there; the rest is done, whatever the processes."""
    Path("in/b/d/bad.png").write_bytes(b"no image")
    for number in range(40):
        shutil.copy("in/a.png", f"in/{number}.png")
    Path("out").mkdir()
    Path("out/7.rnnc").write_bytes(b"there")
    words = ["-r", "in", "-o", "out", "--jobs", str(jobs), "--json"]
    result = CliRunner().invoke(encode, words)  # With a preset, which runs without TensorFlow.
    assert result.exit_code == 1
    facts = read_json(result.stdout)
    assert len(facts) == len({fact["input"] for fact in facts}) == 45
    failed = sorted(fact["input"] for fact in facts if "error" in fact)
    assert failed == ["in/7.png", "in/b/d/bad.png"]
    assert Path("out/7.rnnc").read_bytes() == b"there"
    assert files_in("out") == sorted([*tree, *(f"{number}.rnnc" for number in range(40))])
    expected = Path("out/a.rnnc").read_bytes()
    assert all(Path(f"out/{n}.rnnc").read_bytes() == expected for n in range(40) if n != 7)


@pytest.mark.parametrize("jobs", [1, 2])
def test_processes_decode_as_one_does(run, tree, jobs):
    """A process starts with none of what the command has set up in its own."""
    small = ["-r", "in", "-o", "small", "--max-bytes", "60"]
    assert CliRunner().invoke(encode, small).exit_code == 0
    Path("small/broken.rnnc").write_bytes(b"no stream")
    words = ["-r", "small", "-o", "out", "--jobs", str(jobs), "--json"]
    result = CliRunner().invoke(decode, words)
    assert result.exit_code == 1
    failed = [fact["input"] for fact in read_json(result.stdout) if "error" in fact]
    assert failed == [os.path.join("small", "broken.rnnc")]
    assert files_in("out") == sorted(name.replace(".rnnc", ".png") for name in tree)
    codec = tfrnnc.load()
    for name in tree:
        pixels = read_image(Path("out", name).with_suffix(".png"))
        np.testing.assert_array_equal(pixels, codec.decode(Path("small", name).read_bytes()))


class KillsItself(EncodeTask):
    """Ends its process as a lack of memory does, where an image is called so.

    Of "late.png" it has written the file by then, and those before; the next time all is well.
    """

    def load(self, source, output):
        if "killer" in source:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().load(source, output)

    def save(self, loaded, result):
        fact = super().save(loaded, result)
        marker = Path(loaded.source).with_suffix(".killed")
        if "late" in loaded.source and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return fact


@posix
@pytest.mark.parametrize("culprit", ["killer.png", "late.png"])
def test_a_process_that_is_killed_costs_its_file_only(images, tmp_path, culprit):
    names = [*images, culprit, *(f"{number}.png" for number in range(28))]
    for name in names[3:]:
        shutil.copy(tmp_path / "a.png", tmp_path / name)
    pairs = [(str(tmp_path / name), str(tmp_path / "out" / f"{name}.rnnc")) for name in names]
    task = KillsItself(
        model=None,
        runtime=None,
        threads=1,
        arithmetic="float32",
        output_is_named=False,
        overwrite=False,
        skip_existing=False,
        limits={},
        background=None,
        measured=False,
    )
    facts = list(run_files(task, pairs, 2))
    assert sorted(fact["input"] for fact in facts) == sorted(source for source, _ in pairs)
    errors = [fact["error"] for fact in facts if "error" in fact]
    failed = [name for name in names if name == "killer.png"]
    assert [Path(error.split(": ")[0]).name for error in errors] == failed
    assert all("a process ended while it was at it" in error for error in errors)
    assert files_in(tmp_path / "out") == sorted(f"{n}.rnnc" for n in names if n not in failed)


WRITES = """
import os, sys, time
from tfrnnc.cli.common import command
from tfrnnc.files import replacing

@command()
def main():
    with replacing("whole.bin"):
        os.kill(os.getpid(), int(os.environ["NUMBER"]))
        time.sleep(0.1)

main([])
"""


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_any_command_in_order(tmp_path, number):
    words = [sys.executable, "-c", WRITES]
    environment = {**os.environ, "NUMBER": str(int(number))}
    assert subprocess.run(words, cwd=tmp_path, env=environment).returncode == -number
    assert os.listdir(tmp_path) == []
    if number == signal.SIGHUP:
        assert subprocess.run(["nohup", *words], cwd=tmp_path, env=environment).returncode == 0


GOES_ON = """
import os, signal
from tfrnnc.cli import file_tasks

class Task:
    def start(self):
        pass

    def run(self, pairs, settled):
        print("begun")
        return []

file_tasks._start_worker(Task())
try:
    os.kill(os.getpid(), signal.SIGTERM)
except SystemExit:
    pass  # As a pool does it, where it is in its own code.
file_tasks._run_chunk(Task(), file_tasks._Chunk([], None, frozenset()))
"""


@posix
def test_a_process_that_is_to_end_begins_nothing(tmp_path):
    """Else it could wait for a pipe for ever, and the command for it."""
    words = [sys.executable, "-c", GOES_ON]
    ended = subprocess.run(words, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert (ended.returncode, ended.stdout) == (128 + signal.SIGTERM, "")


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
@pytest.mark.parametrize("jobs", [1, 2])
def test_signals_leave_nothing_half_written(noise, tmp_path, number, jobs):
    names = [f"{number}.png" for number in range(200)]
    for seed, name in enumerate(names):
        Image.fromarray(noise(64, 64, seed)).save(tmp_path / name)
    os.mkfifo(tmp_path / "pipe.png")  # It takes for ever, so that the signal is never too late.
    (tmp_path / "list").write_text("\n".join([*names, "pipe.png"]))
    command = [Path(sys.executable).parent / "tfrnnc-encode", "--files-from", "list", "-o", "out"]
    with running([*command, "--json", "--jobs", jobs], tmp_path) as process:
        first = process.stdout.readline()
        process.send_signal(number)
        # Not `communicate`, which loses what `readline` has read ahead.
        reported, errors = process.stdout.read(), process.stderr.read()
        process.wait(timeout=100)
        wait_for_end_of_group(process.pid)
    assert process.returncode == -number
    written = files_in(tmp_path / "out")
    if number == signal.SIGKILL and jobs == 1:
        return  # Nobody is left who could put anything away.
    assert not [name for name in written if not name.endswith(".rnnc") or name.startswith(".")]
    if number == signal.SIGKILL:
        return
    assert errors == ""
    facts = read_json(first + reported)
    reported = {Path(fact["output"]).name for fact in facts}
    assert reported <= set(written)
    assert len(written) - len(reported) <= jobs  # The signal may come between the two.
    codec = tfrnnc.load()
    for name in written[:5]:
        assert codec.decode((tmp_path / "out" / name).read_bytes()).shape == (64, 64, 3)


@pytest.mark.parametrize("number", [None, signal.SIGTERM])
def test_an_interruption_that_a_library_turns_into_an_error(monkeypatch, capsys, number):
    """What was done is reported, and the interruption ends the command."""

    def facts():
        try:
            yield {"input": "first"}
        except KeyboardInterrupt:
            yield {"input": "done meanwhile"}
            raise

    reported = []

    def describe(fact):
        if not reported:
            reported.append(fact["input"])
            try:
                raise Terminated(number=number) if number else KeyboardInterrupt
            finally:
                threading.Lock().release()
        return fact["input"]

    with pytest.raises(KeyboardInterrupt) as raised:
        Report(as_json=False).tell(facts(), describe, 2)
    assert getattr(raised.value, "number", None) == number
    assert capsys.readouterr().out == "done meanwhile\n"


def test_an_error_of_ones_own_stays_one():
    def facts():
        yield {"input": "first"}

    with pytest.raises(RuntimeError):
        Report(as_json=False).tell(facts(), lambda _: threading.Lock().release(), 1)
