"""Many files at once: one that fails, an interruption, and what the outputs are called."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import tfrnnc
from tfrnnc.cli import common
from tfrnnc.cli.decode import FORMATS
from tfrnnc.cli.decode import main as decode
from tfrnnc.cli.encode import main as encode
from tfrnnc.cli.info import main as info
from tfrnnc.images import read_image

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
    result = run(encode, *images, "-d", "out", code=1)
    assert result.stderr.startswith("error: b.png: ")
    assert len(result.stderr.splitlines()) == 1
    assert sorted(os.listdir("out")) == ["a.rnnc", "c.rnnc"]


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_decoding_goes_on_as_well(run, images, monkeypatch, error):
    run(encode, *images, "-d", "small")
    reader = fail_for("small/b.rnnc", error, common.read_input)
    monkeypatch.setattr("tfrnnc.cli.decode.read_input", reader)
    result = run(decode, "small/a.rnnc", "small/b.rnnc", "small/c.rnnc", "-d", "out", code=1)
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
    result = run(encode, *images, "-d", "out", code=1)
    for name in ("a", "b"):
        assert f"error: out/{name}.rnnc: cannot be written (No space left on" in result.stderr
    assert os.listdir("out") == ["c.rnnc"]


def test_json_reports_failures_too(run, images):
    Path("b.png").write_bytes(b"not an image")
    facts = json.loads(run(encode, *images, "-d", "out", "--json", code=1).stdout)
    assert [fact["input"] for fact in facts] == images
    assert facts[1]["error"].startswith("b.png: not an image of a known format")
    assert ["error" in fact for fact in facts] == [False, True, False]
    facts = json.loads(run(info, "out/a.rnnc", "b.png", "--json", code=1).stdout)
    assert (facts[0]["file"], facts[1]["input"]) == ("out/a.rnnc", "b.png")


@posix
@pytest.mark.parametrize("words", [["--json"], []])
def test_an_interruption_ends_the_process_by_its_signal(images, tmp_path, words):
    os.mkfifo(tmp_path / "pipe.png")  # Reading it takes for ever.
    command = [Path(sys.executable).parent / "tfrnnc-encode", *images, "pipe.png", "-d", "out"]
    process = subprocess.Popen(
        [*command, *words],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not (tmp_path / "out" / "c.rnnc").is_file():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    reported, errors = process.communicate()
    assert process.returncode == -signal.SIGINT
    assert errors == ""
    if words:
        assert [fact["input"] for fact in json.loads(reported)] == images
    assert sorted(os.listdir(tmp_path / "out")) == ["a.rnnc", "b.rnnc", "c.rnnc"]


# Names of outputs


def pair_names(*paths, suffix=".rnnc"):
    return [Path(output).name for _, output in common.pair_paths(paths, Path("out"), [suffix])]


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


@pytest.mark.parametrize("paths", [["a.png", "a.png"], ["x/a.png", "y/a.png", "a.jpg"]])
def test_inputs_of_the_same_name_are_refused(paths):
    with pytest.raises(click.UsageError, match=r"several inputs would be written to a\.png\.rnnc"):
        pair_names(*paths)


def test_a_hundred_thousand_names():
    """With as many comparisons as pairs of names this takes hours."""
    paths = [f"{number}.{kind}" for number in range(50_000) for kind in ("png", "jpg")]
    names = common._name_outputs(paths, ".rnnc")
    assert len(set(names)) == len(paths)


def test_images_beside_each_other_do_not_meet(run, noise):
    pixels = noise(16, 24), noise(16, 24, 1)
    Image.fromarray(pixels[0]).save("a.png")
    Image.fromarray(pixels[1]).save("a.bmp")
    run(encode, "a.png", "a.bmp", "-d", "small")
    assert sorted(os.listdir("small")) == ["a.bmp.rnnc", "a.png.rnnc"]
    run(decode, "small/a.bmp.rnnc", "small/a.png.rnnc", "-d", "back")
    assert sorted(os.listdir("back")) == ["a.bmp.png", "a.png.png"]
    shutil.copy("small/a.png.rnnc", "small/a.bmp")
    run(decode, "small/a.png.rnnc", "small/a.bmp", "-d", "again")
    assert sorted(os.listdir("again")) == ["a.png", "a.png.png"]


@pytest.mark.parametrize("words", [[], ["-d", "."]])
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


@pytest.mark.parametrize("words", [[], ["-d", "."]])
def test_originals_are_not_written_over(run, images, words):
    original = Path("a.png").read_bytes()
    run(encode, "a.png")
    result = run(decode, "a.rnnc", *words, code=1)
    assert "a.png: is there already" in result.stderr
    assert Path("a.png").read_bytes() == original
    run(decode, "a.rnnc", *words, "--overwrite")
    assert Path("a.png").read_bytes() != original


def test_what_is_there_does_not_stop_the_rest(run, images):
    run(encode, "b.png", "-d", "out")
    result = run(encode, *images, "-d", "out", code=1)
    assert result.stderr.splitlines() == [
        "error: out/b.rnnc: is there already, and may be the original; give --overwrite to write "
        "over it"
    ]
    assert sorted(os.listdir("out")) == ["a.rnnc", "b.rnnc", "c.rnnc"]


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
    run(encode, *images, "-d", "small")

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
    result = run(encode, "a.png", "a.jpg", "-d", "out")
    assert result.stderr.startswith("a.png: the colour profile cannot be used")
    assert len(result.stderr.splitlines()) == 1


def test_how_much_was_there_is_said(run, images):
    run(encode, "a.png", "a.rnnc")
    data = Path("a.rnnc").read_bytes()
    Path("a.rnnc").write_bytes(data[:-1])
    result = run(decode, "a.rnnc", "out.png", code=1)
    assert "allow_truncated" not in result.stderr
    assert "decode those with --partial" in result.stderr
    result = run(decode, "a.rnnc", "out.png", "--partial")
    assert ", 2 of 3 iterations were there" in result.stdout
    (fact,) = json.loads(run(decode, "a.rnnc", "out.png", "--partial", "--json").stdout)
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
        (fact,) = json.loads(CliRunner().invoke(info, words).stdout)
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
