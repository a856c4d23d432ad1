from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import tfrnnc
from helpers.reports import read_json
from tfrnnc.cli.decode import main as decode
from tfrnnc.cli.encode import main as encode
from tfrnnc.cli.info import main as info
from tfrnnc.images import read_image
from tfrnnc.metrics import psnr


@pytest.fixture
def run(tiny_model_folder, tmp_path, monkeypatch):
    """Runs a command in an empty folder with the tiny model; returns click's result."""
    monkeypatch.chdir(tmp_path)

    def invoke(command, *words, code=0, **settings):
        model = ["--model", str(tiny_model_folder)]
        result = CliRunner().invoke(command, [*map(str, words), *model], **settings)
        assert result.exit_code == code, result.output
        if code:
            assert "Traceback" not in result.output
        return result

    return invoke


@pytest.fixture
def image(image_folder):
    return sorted(image_folder.glob("*.png"))[0]


def test_there_and_back(run, image, tiny_model_folder):
    run(encode, image, "photo.rnnc")
    run(decode, "photo.rnnc", "out.png")
    codec = tfrnnc.load(tiny_model_folder)
    expected = codec.decode(codec.encode(read_image(image)))
    np.testing.assert_array_equal(read_image("out.png"), expected)


def test_report_says_what_people_ask_first(run, image):
    result = run(encode, image, "photo.rnnc")
    size = Path("photo.rnnc").stat().st_size
    for part in ("48x40", f"{image.stat().st_size:,} bytes", f"{size} bytes", "bpp", "dB", "SSIM"):
        assert part in result.stdout


def test_arithmetic(image, tmp_path, monkeypatch):
    """With the default preset, and from either to the other."""
    monkeypatch.chdir(tmp_path)
    codecs = {each: tfrnnc.load(arithmetic=each) for each in ("float32", "int8")}
    streams = {each: codec.encode(read_image(image)) for each, codec in codecs.items()}
    assert streams["float32"] != streams["int8"]
    for each, stream in streams.items():
        assert (
            CliRunner().invoke(encode, [str(image), "a.rnnc", "--arithmetic", each]).exit_code == 0
        )
        assert Path("a.rnnc").read_bytes() == stream
        for other, codec in codecs.items():
            words = ["a.rnnc", "a.png", "--arithmetic", other]
            assert CliRunner().invoke(decode, words).exit_code == 0
            np.testing.assert_array_equal(read_image("a.png"), codec.decode(stream))


@pytest.mark.parametrize("command", [encode, decode], ids=["encode", "decode"])
def test_arithmetic_that_is_not_there(run, command, image, tiny_model_folder):
    run(encode, image, "photo.rnnc")
    source, target = ("photo.rnnc", "a.png") if command is decode else (image, "a.rnnc")
    told = run(command, source, target, "--arithmetic", "int8", code=1).stderr
    assert f"tfrnnc-export --quantize dynamic {tiny_model_folder} FOLDER" in told
    words = [source, target, "--arithmetic", "int8", "--runtime", "keras"]
    assert "--arithmetic int8 is LiteRT's" in run(command, *words, code=2).stderr
    assert not Path(target).exists()


def test_effort_in_keras_is_not_for_int8(run, image):
    told = run(encode, image, "a.rnnc", "--arithmetic", "int8", "--effort", 5, code=2).stderr
    assert "an --effort of 5 and more" in told


def test_json_report(run, image):
    (fact,) = read_json(run(encode, image, "photo.rnnc", "--json", "--iterations", 2).stdout)
    assert fact["bytes"] == Path("photo.rnnc").stat().st_size
    assert fact["bpp"] == pytest.approx(fact["bytes"] * 8 / (40 * 48), abs=1e-4)
    assert (fact["width"], fact["height"]) == (48, 40)
    (fact,) = read_json(run(info, "photo.rnnc", "--json").stdout)
    assert fact["iterations"] == fact["whole_iterations"] == 2
    assert (fact["state"], fact["version"], fact["entropy_coded"]) == ("whole", 2, False)
    assert fact["iteration_ends"][1] == fact["bytes"]
    (fact,) = read_json(run(decode, "photo.rnnc", "--json").stdout)
    assert fact["output"] == "photo.png"


def test_adaptive(image, independent_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(command, *words):
        words = [*words, "--model", str(independent_folder)]
        result = CliRunner().invoke(command, words)
        assert result.exit_code == 0, result.output
        return result.stdout

    run(encode, str(image), "photo.rnnc", "--adaptive")
    run(decode, "photo.rnnc", "out.png")
    codec = tfrnnc.load(independent_folder)
    data, picture, *_ = codec.encode_with_picture(read_image(image), adaptive=True)
    assert Path("photo.rnnc").read_bytes() == data
    np.testing.assert_array_equal(read_image("out.png"), picture)
    (fact,) = read_json(run(info, "photo.rnnc", "--json"))
    mean = codec.read_planes(data).iterations_taken.mean()
    assert (fact["adaptive"], fact["mean_iterations"]) == (True, pytest.approx(mean, abs=0.006))
    assert f"entropy-coded, adaptive, format version 2, {fact['iterations']} iterations" in run(
        info, "photo.rnnc"
    )
    assert f"{mean:.2f} on average" in run(info, "photo.rnnc")


def test_half_the_resolution(run, image, tiny_model_folder):
    run(encode, image, "whole.rnnc", "--downscale", "1", "--bpp", "0.4")
    told = run(encode, image, "half.rnnc", "--downscale", "2", "--bpp", "0.4").stdout
    assert "at half the resolution" in told
    pixels = read_image(image)
    codec = tfrnnc.load(tiny_model_folder)
    data, picture, *_ = codec.encode_with_picture(pixels, downscale=2, bpp=0.4)
    assert Path("half.rnnc").read_bytes() == data
    assert Path("whole.rnnc").read_bytes() == codec.encode(pixels, downscale=1, bpp=0.4)
    run(decode, "half.rnnc", "half.png")
    np.testing.assert_array_equal(read_image("half.png"), picture)
    (fact,) = read_json(
        run(
            encode, image, "half.rnnc", "--overwrite", "--downscale", "2", "--bpp", "0.4", "--json"
        ).stdout
    )
    assert (fact["downscale"], fact["width"], fact["height"]) == (2, 48, 40)
    assert fact["psnr"] == pytest.approx(psnr(pixels, picture), abs=0.006)
    facts = read_json(run(info, "half.rnnc", "whole.rnnc", "--json").stdout)
    assert [fact["downscale"] for fact in facts] == [2, 1]
    assert [fact["version"] for fact in facts] == [3, 2]
    assert [(fact["width"], fact["height"]) for fact in facts] == [(48, 40)] * 2
    assert facts[0]["bpp"] == pytest.approx(8 * len(data) / (48 * 40), abs=1e-4)
    assert facts[0]["iteration_ends"] == codec.read_planes(data).ends
    lines = run(info, "half.rnnc", "whole.rnnc").stdout.splitlines()
    assert "entropy-coded, at half the resolution, format version 3" in lines[0]
    assert "half the resolution" not in lines[1]


def test_a_downscale_that_there_is_not(run, image):
    result = run(encode, image, "photo.rnnc", "--downscale", "3", code=2)
    assert "'3' is not one of '1', '2', 'auto'" in result.output
    assert not Path("photo.rnnc").exists()


def test_adaptive_needs_a_limit_where_locations_depend_on_each_other(run, image):
    result = run(encode, image, "photo.rnnc", "--adaptive", code=2)
    assert "with --adaptive give --psnr, --ssim, --bpp or --max-bytes" in result.output
    assert not Path("photo.rnnc").exists()
    run(encode, image, "photo.rnnc", "--adaptive", "--max-bytes", 60)
    assert Path("photo.rnnc").stat().st_size <= 60


def test_standard_input_and_output(run, image):
    encoded = run(encode, "-", "-", "--max-bytes", 100, input=image.read_bytes())
    stream = encoded.stdout_bytes
    assert stream.startswith(b"RN")
    assert len(stream) <= 100
    assert "standard input" in encoded.stderr
    decoded = run(decode, "-", "-", input=stream)
    with Image.open(io.BytesIO(decoded.stdout_bytes)) as picture:
        assert picture.size == (48, 40)
        assert picture.format == "PNG"
    assert "100" not in run(info, "-", input=stream).stderr


def test_many_inputs(run, image_folder):
    images = sorted(image_folder.glob("*.png"))
    result = run(encode, *images, "--output-dir", "small")
    assert len(result.stdout.splitlines()) == len(images) == 12
    streams = sorted(Path("small").glob("*.rnnc"))
    assert [path.stem for path in streams] == [path.stem for path in images]
    run(decode, *streams, "-o", "back", "--quiet")
    assert len(list(Path("back").glob("*.png"))) == 12


def test_one_bad_input_does_not_stop_the_others(run, image):
    Path("broken.png").write_bytes(b"not an image")
    result = run(encode, "broken.png", "missing.png", image, "-o", "out", code=1)
    assert "error: broken.png: not an image of a known format; " in result.stderr
    assert "missing.png: no such file" in result.stderr
    assert [path.name for path in Path("out").iterdir()] == [f"{image.stem}.rnnc"]


def test_output_is_named_after_the_input(run, image):
    Path("a.png").write_bytes(image.read_bytes())
    run(encode, "a.png")
    Path("a.png").unlink()
    run(decode, "a.rnnc")
    assert Path("a.png").is_file()


def test_original_is_not_written_over_unasked(run, image):
    """`tfrnnc-encode a.png` and `tfrnnc-decode a.rnnc` leave a.png as it was."""
    original = image.read_bytes()
    Path("a.png").write_bytes(original)
    run(encode, "a.png")
    result = run(decode, "a.rnnc", code=1)
    assert "a.png: is there already" in result.stderr
    assert Path("a.png").read_bytes() == original
    run(decode, "a.rnnc", "a.png")
    assert Path("a.png").read_bytes() != original


def test_cut_file(run, image, tiny_model_folder):
    run(encode, image, "a.rnnc")
    data = Path("a.rnnc").read_bytes()
    Path("a.rnnc").write_bytes(data[:-1])
    result = run(decode, "a.rnnc", code=1)
    assert "a.rnnc: the stream is cut" in result.stderr
    assert "2 of 3 iterations are whole" in result.stderr
    assert "--partial" in result.stderr
    assert not Path("a.png").exists()
    assert "cut: 2 of them whole" in run(info, "a.rnnc").stdout
    run(decode, "a.rnnc", "--partial")
    partial = read_image("a.png")
    expected = tfrnnc.load(tiny_model_folder).decode(data[:-1], allow_truncated=True)
    np.testing.assert_array_equal(partial, expected)
    run(decode, "a.rnnc", "a.png", "--iterations", 2)
    assert (read_image("a.png") != partial).any()


def test_damaged_file(run, image):
    run(encode, image, "a.rnnc")
    data = bytearray(Path("a.rnnc").read_bytes())
    data[-2] ^= 0x10
    Path("a.rnnc").write_bytes(data)
    result = run(decode, "a.rnnc", code=1)
    assert (
        "a.rnnc: the stream is damaged: iteration 3 is wrong; 2 of 3 iterations are whole"
        in result.stderr
    )
    assert "damaged: 2 of them whole" in run(info, "a.rnnc").stdout
    run(decode, "a.rnnc", "--partial")
    partial = read_image("a.png")
    run(decode, "a.rnnc", "a.png", "--iterations", 2)
    np.testing.assert_array_equal(read_image("a.png"), partial)


def test_info_of_an_unknown_model(run, image):
    run(encode, image, "a.rnnc")
    result = CliRunner().invoke(info, ["a.rnnc"])
    assert result.exit_code == 0
    assert "as the model is not known" in result.stdout
    assert "3 iterations; not looked into" in result.stdout


def test_entropy_coding_is_reported(image, tmp_path):
    for option, said in (("--entropy-coding", "entropy"), ("--no-entropy-coding", "not entropy")):
        stream = str(tmp_path / f"{option}.rnnc")
        assert CliRunner().invoke(encode, [str(image), stream, option]).exit_code == 0
        result = CliRunner().invoke(info, [stream])
        assert f", {said}-coded, " in result.stdout


def test_failure_keeps_the_old_output(run):
    Path("a.rnnc").write_bytes(b"RNNC")
    Path("a.png").write_bytes(b"old")
    run(decode, "a.rnnc", "a.png", code=1)
    assert Path("a.png").read_bytes() == b"old"
    assert sorted(path.name for path in Path().iterdir()) == ["a.png", "a.rnnc"]


def test_limits_reach_the_codec(run, image):
    run(encode, image, "one.rnnc", "--iterations", 1)
    size = Path("one.rnnc").stat().st_size
    run(encode, image, "bytes.rnnc", "--max-bytes", size)
    run(encode, image, "bpp.rnnc", "--bpp", size * 8 / (40 * 48))
    assert Path("one.rnnc").read_bytes() == Path("bytes.rnnc").read_bytes()
    assert Path("one.rnnc").read_bytes() == Path("bpp.rnnc").read_bytes()
    run(encode, image, "psnr.rnnc", "--psnr", 1)
    assert Path("psnr.rnnc").read_bytes() == Path("one.rnnc").read_bytes()
    assert (
        "(the PSNR asked for is not reached)"
        in run(encode, image, "psnr.rnnc", "--psnr", 90, "--ssim", 0.01).stdout
    )
    run(encode, image, "ssim.rnnc", "--ssim", 0.01)
    assert Path("ssim.rnnc").read_bytes() == Path("one.rnnc").read_bytes()


def test_background(run, noise):
    Image.fromarray(np.dstack([noise(8, 8), np.zeros((8, 8), np.uint8)])).save("clear.png")
    result = run(encode, "clear.png", code=1)
    assert "clear.png" in result.stderr
    assert "--background" in result.stderr
    run(encode, "clear.png", "--background", "white")
    run(encode, "clear.png", "clear.rnnc", "--background", "nonsense", code=2)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["a.png", "b.png"],
        ["a.png", "b.rnnc", "c.rnnc"],
        ["a.rnnc", "a.rnnc"],
        ["-", "-o", "out"],
        ["x/a.png", "y/a.png", "-o", "out"],
        ["a.png", "--iterations", "0"],
        ["a.png", "--iterations", "many"],
        ["a.png", "--bpp", "nan"],
        ["a.png", "--bpp", "-1"],
        ["a.png", "--psnr", "inf"],
        ["a.png", "--ssim", "nan"],
        ["a.png", "--no-such-option"],
    ],
)
def test_usage_errors(run, words):
    result = run(encode, *words, code=2)
    assert "Usage:" in result.stderr


@pytest.mark.parametrize("words", [[], ["a.rnnc", "b.xyz"], ["a.rnnc", "b.rnnc"]])
def test_usage_errors_of_decode(run, words):
    run(decode, *words, code=2)


def test_unknown_model_is_one_error(run, image):
    result = CliRunner().invoke(encode, [str(image), "--model", "nothing"])
    assert result.exit_code == 1
    assert result.stderr.count("error:") == 1
    assert "neither a preset" in result.stderr


def test_stream_of_no_preset_asks_for_the_model(run, image):
    run(encode, image, "a.rnnc")
    result = CliRunner().invoke(decode, ["a.rnnc"])
    assert result.exit_code == 1
    assert "--model" in result.stderr


def test_wrong_model_is_refused(run, image, tmp_path):
    import keras

    from tfrnnc.model_folder.keras_model import load_model, save_model
    from tfrnnc.model_folder.presets import DEFAULT_PRESET, find_model

    run(encode, image, "a.rnnc")
    model = load_model(find_model(DEFAULT_PRESET))
    keras.utils.set_random_seed(0)
    save_model(model, tmp_path / "other")
    result = CliRunner().invoke(decode, ["a.rnnc", "--model", str(tmp_path / "other")])
    assert result.exit_code == 1
    model_id = find_model(DEFAULT_PRESET).read_config().model_id.hex()
    assert f"but this is {DEFAULT_PRESET} {model_id}; load the model" in result.stderr


def test_output_folder_that_cannot_be_made(run, image):
    Path("file").write_bytes(b"")
    result = run(encode, image, "file/a.rnnc", code=1)
    assert "file" in result.stderr


@pytest.mark.parametrize("name", ["encode", "decode", "evaluate", "export", "info", "train"])
def test_installed_commands(name):
    script = Path(sys.executable).parent / f"tfrnnc-{name}"
    result = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    assert tfrnnc.__version__ in result.stdout
    assert result.stderr == ""


def test_quiet_installed_command(image, tmp_path):
    """TensorFlow's start-up messages do not reach the user."""
    scripts = Path(sys.executable).parent
    stream = tmp_path / "a.rnnc"
    words = [scripts / "tfrnnc-encode", image, stream, "--quiet"]
    result = subprocess.run(words, capture_output=True, text=True, check=True)
    assert (result.stdout, result.stderr) == ("", "")
    assert stream.is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such pipes")
def test_reader_that_goes_away(image):
    """As `| head` does: no message, no traceback, and not code 0."""
    read, write = os.pipe()
    os.close(read)
    words = [Path(sys.executable).parent / "tfrnnc-encode", image, "-", "--quiet"]
    result = subprocess.run(words, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert (result.returncode, result.stderr) == (1, "")
