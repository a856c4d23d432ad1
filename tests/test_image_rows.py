"""Images row by row: the same pixels as whole ones, and never more of them than are needed."""

from __future__ import annotations

import importlib
import struct
import zlib

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image, PngImagePlugin

import tfrnnc
import tfrnnc.metrics
from helpers.images import PHOTOS
from tfrnnc import image_rows
from tfrnnc.cli import decode as decode_command
from tfrnnc.cli import encode as encode_command
from tfrnnc.codec import strip_encoder, strips
from tfrnnc.errors import ImageError, InstallationError, TooLargeError
from tfrnnc.image_rows import ImageRows, open_rows, save_rows
from tfrnnc.images import read_image

ORIENTATION = 0x0112


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    with Image.open(PHOTOS / "chelsea.png") as image:
        return image.convert("RGB").crop((20, 10, 153, 111))


@pytest.fixture
def save(photo, tmp_path):
    """Saves the photo, converted by a function, and returns the path."""

    def call(name, change=lambda image: image, **options):
        path = tmp_path / name
        change(photo).save(path, **options)
        return path

    return call


def in_mode(mode):
    return lambda image: image.convert(mode)


def with_alpha(image):
    """More and more transparent from the top down."""
    levels = np.linspace(400, 0, image.height).clip(0, 255).astype(np.uint8)
    changed = image.copy()
    changed.putalpha(Image.fromarray(levels.repeat(image.width).reshape(image.size[::-1])))
    return changed


def turned() -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    return exif


def wide_gamut() -> bytes:
    """The profile of the golden wide-gamut image."""
    with Image.open(PHOTOS.parents[1] / "tests" / "golden" / "wide_gamut.png") as image:
        return image.info["icc_profile"]


def own_messages(caplog):
    """Without those of libvips."""
    return [each.getMessage() for each in caplog.records if each.name.startswith("tfrnnc")]


def display_p3() -> PngImagePlugin.PngInfo:
    """Code points of a wide gamut, with sRGB's curve."""
    info = PngImagePlugin.PngInfo()
    info.add(b"cICP", bytes([12, 13, 0, 1]))
    return info


ROW_BY_ROW = [
    ("a.png", in_mode("RGB"), {}),
    ("a.png", in_mode("L"), {}),
    ("a.png", with_alpha, {}),
    ("a.png", in_mode("RGB"), {"icc_profile": wide_gamut()}),
    ("a.png", in_mode("RGB"), {"icc_profile": b"broken"}),
    ("a.png", in_mode("RGB"), {"pnginfo": display_p3()}),
    ("a.png", in_mode("L"), {"bits": 4}),
    ("a.jpg", in_mode("RGB"), {"quality": 90}),
    ("a.jpg", in_mode("RGB"), {"quality": 50, "subsampling": "4:2:0"}),
    ("a.jpg", in_mode("RGB"), {"icc_profile": wide_gamut()}),
    ("a.jpg", in_mode("L"), {}),
    ("a.tif", in_mode("RGB"), {}),
    ("a.tif", in_mode("L"), {}),
    ("a.tif", in_mode("RGB"), {"compression": "tiff_adobe_deflate"}),
    ("a.tif", in_mode("RGB"), {"compression": "tiff_lzw"}),
]


@pytest.mark.parametrize(("name", "change", "options"), ROW_BY_ROW)
def test_same_pixels(save, name, change, options, caplog):
    path = save(name, change, **options)
    expected = read_image(path, background="white")
    warnings = own_messages(caplog)
    caplog.clear()
    rows = open_rows(path, background="white")
    assert rows is not None
    assert own_messages(caplog) == warnings
    assert (rows.shape, len(rows), rows.size) == (expected.shape, len(expected), expected.size)
    for first in range(0, len(rows), 30):
        np.testing.assert_array_equal(rows[first : first + 30], expected[first : first + 30])
    np.testing.assert_array_equal(rows[50:60], expected[50:60])  # Going back.
    assert rows[7:7].shape == (0, *expected.shape[1:])
    np.testing.assert_array_equal(np.asarray(rows), expected)


def test_a_broken_profile_is_told_once(save, caplog):
    rows = open_rows(save("a.png", icc_profile=b"broken"))
    assert rows is not None
    for first in range(0, 100, 20):
        rows[first : first + 20]
    assert len(own_messages(caplog)) == 1


def test_what_is_left_to_pillow_is_told_by_it_alone(save, caplog, monkeypatch):
    def refuses(*arguments):
        raise ImageError("damaged")

    monkeypatch.setattr(ImageRows, "_read", refuses)
    path = save("a.png", icc_profile=b"broken")
    assert open_rows(path) is None
    assert own_messages(caplog) == []
    read_image(path)
    assert len(own_messages(caplog)) == 1


def late_orientation(path):
    """Puts an EXIF block that turns the image behind a PNG's pixels."""
    exif = turned().tobytes()[6:]
    chunk = b"eXIf" + exif
    data = path.read_bytes()
    end = data.index(b"IEND") - 4
    block = struct.pack(">I", len(exif)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    path.write_bytes(data[:end] + block + data[end:])


def test_others_are_left_to_read_image(save, tmp_path, photo):
    text = PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", '<x tiff:Orientation="6"/>')
    wide = tmp_path / "wide.png"
    Image.fromarray(np.zeros((4, 5), np.uint16)).save(wide)
    late = save("late.png")
    late_orientation(late)
    assert read_image(late).shape == (photo.width, photo.height, 3)
    paths = [
        wide,
        late,
        save("xmp.png", pnginfo=text),
        save("turned.png", exif=turned()),
        save("turned.jpg", exif=turned()),
        save("turned.tif", exif=turned()),
        save("palette.png", in_mode("P")),
        save("key.png", in_mode("L"), transparency=7),
        save("gray_alpha.png", in_mode("LA")),
        save("alpha.tif", with_alpha),
        save("cmyk.tif", in_mode("CMYK")),
        save("cmyk.jpg", in_mode("CMYK")),
        save("jpeg.tif", compression="jpeg"),
        save("progressive.jpg", progressive=True),
        save("a.webp"),
        save("a.gif"),
        tmp_path / "missing.png",
        PHOTOS,
    ]
    for path in paths:
        assert open_rows(path, background="white") is None, path


def test_further_frames_are_reported(photo, tmp_path, caplog):
    path = tmp_path / "two.tif"
    photo.save(path, save_all=True, append_images=[photo])
    assert open_rows(path) is not None
    assert own_messages(caplog) == [f"{path}: only the first of 2 frames is read"]


def test_limits(save, photo):
    path = save("a.png")
    pixels = photo.width * photo.height
    assert open_rows(path, max_pixels=pixels - 1) is None  # `read_image` says why.
    assert open_rows(path, min_pixels=pixels + 1) is None
    assert open_rows(path, max_pixels=pixels, min_pixels=pixels) is not None
    assert open_rows(path, background="no colour") is None


def test_transparent_without_background(save):
    rows = open_rows(save("a.png", with_alpha))
    assert rows is not None
    with pytest.raises(ImageError, match=r"a\.png: the image is transparent"):
        rows[:]


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
def test_a_cut_file(save, name):
    path = save(name)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    rows = open_rows(path)
    if rows is not None:
        with pytest.raises(ImageError, match=f"{name}: damaged"):
            rows[:]
    with pytest.raises(ImageError, match=name):
        read_image(path)


def test_a_file_that_changes(save):
    path = save("a.png")
    rows = open_rows(path)
    assert rows is not None
    rows[:20]
    Image.new("RGB", (9, 9)).save(path)
    with pytest.raises(ImageError, match=r"a\.png: it has changed"):
        rows[:20]


@pytest.mark.parametrize("name", ["out.png", "out.tif", "out.TIFF"])
def test_saved(photo, tmp_path, name):
    pixels = np.asarray(photo)
    height, width, _ = pixels.shape
    path = tmp_path / name
    path.write_bytes(b"what was there")
    save_rows(path, (pixels[first : first + 9] for first in range(0, height, 9)), width, height)
    np.testing.assert_array_equal(read_image(path), pixels)
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_a_failure_leaves_what_was_there(photo, tmp_path):
    path = tmp_path / "out.png"
    path.write_bytes(b"what was there")

    def rows():
        yield np.zeros((9, photo.width, 3), np.uint8)
        raise ImageError("no more")

    with pytest.raises(ImageError, match="no more"):
        save_rows(path, rows(), photo.width, photo.height)
    assert path.read_bytes() == b"what was there"
    assert [each.name for each in tmp_path.iterdir()] == ["out.png"]


def test_what_libvips_cannot_write_is_an_os_error(tmp_path, monkeypatch):
    """The message names the file that the user gave, and no temporary file stays."""

    def fail(*_, **__):
        raise image_rows.require_vips().Error("unable to call pngsave", "write error: disk is full")

    monkeypatch.setattr(image_rows.require_vips().Image, "pngsave", fail, raising=False)
    with pytest.raises(OSError, match="disk is full") as raised:
        save_rows(tmp_path / "out.png", [np.zeros((4, 5, 3), np.uint8)], 5, 4)
    assert raised.value.filename == str(tmp_path / "out.png")
    assert list(tmp_path.iterdir()) == []


def test_without_libvips(save, tmp_path, monkeypatch):
    def missing(name):
        raise OSError(f"cannot load {name}")

    path = save("a.png")
    monkeypatch.setattr(importlib, "import_module", missing)
    image_rows.find_vips.cache_clear()
    try:
        assert open_rows(path) is None
        with pytest.raises(InstallationError, match=r"tfrnnc\[large\]"):
            save_rows(tmp_path / "out.png", [], 4, 4)
    finally:
        image_rows.find_vips.cache_clear()


# The codec


@pytest.fixture
def in_strips(monkeypatch):
    """Computes in strips of a few rows, whatever the image."""
    monkeypatch.setattr(strips, "MAX_PIXELS_AT_ONCE", 0)
    monkeypatch.setattr(strips, "STRIP_HEIGHT", 40)
    monkeypatch.setattr(strip_encoder, "SAMPLE_SIDE", 24)


@pytest.fixture
def codec(tiny_model_folder):
    return tfrnnc.load(tiny_model_folder)


LIMITS = [
    {},
    {"iterations": 2},
    {"max_bytes": 700},
    {"psnr": 12.0},
    {"ssim": 0.2},
    {"max_bytes": 300, "downscale": "auto"},
    {"downscale": 2},
    {"effort": 1, "iterations": 1},
]


@pytest.mark.parametrize("limits", LIMITS, ids=str)
def test_encoded(codec, save, in_strips, limits):
    path = save("a.png")
    rows = open_rows(path)
    assert rows is not None
    assert codec.encode(rows, **limits) == codec.encode(read_image(path), **limits)


def test_each_row_is_read_once(codec, save, in_strips, monkeypatch):
    rows = open_rows(save("a.png"))
    assert rows is not None
    read = []
    original = ImageRows._read

    def spy(self, first, last):
        read.append((first, last))
        return original(self, first, last)

    monkeypatch.setattr(ImageRows, "_read", spy)
    codec.encode(rows, iterations=3)
    assert len(read) > 2
    assert read[0][0] == 0
    assert read[-1][1] == len(rows)
    assert [first for first, _ in read[1:]] == [last for _, last in read[:-1]]


def test_batches_hold_rows_too(codec, save, in_strips):
    path = save("a.png")
    rows = open_rows(path)
    pixels = read_image(path)
    assert codec.encode_batch([rows, pixels]) == codec.encode_batch([pixels, pixels])


def test_too_many_rows(codec, save):
    rows = open_rows(save("a.png"))
    with pytest.raises(TooLargeError, match="more than the limit of 1,000"):
        codec.encode(rows, max_pixels=1000)


@pytest.mark.parametrize("downscale", [1, 2])
def test_decoded(codec, photo, in_strips, downscale):
    data = codec.encode(photo, downscale=downscale)
    parts = list(codec.decode_rows(data, iterations=2))
    assert len(parts) > 1 or downscale == 2
    np.testing.assert_array_equal(np.concatenate(parts), codec.decode(data, iterations=2))


def test_decoded_at_once(codec, photo):
    data = codec.encode(photo)
    (picture,) = codec.decode_rows(data)
    np.testing.assert_array_equal(picture, codec.decode(data))


def test_cut_streams_are_told_before_the_first_row(codec, photo, in_strips):
    data = codec.encode(photo)[:-30]
    with pytest.raises(tfrnnc.TruncatedStreamError):
        codec.decode_rows(data)
    expected = codec.decode(data, allow_truncated=True)
    rows = codec.decode_rows(data, allow_truncated=True)
    np.testing.assert_array_equal(np.concatenate(list(rows)), expected)


def test_rows_that_nobody_takes_to_the_end(codec, photo, in_strips):
    """Give back what they hold, so that the codec goes on."""
    data = codec.encode(photo)
    rows = codec.decode_rows(data)
    next(rows)
    rows.close()
    assert codec.decode(data).shape == (photo.height, photo.width, 3)


# The commands


@pytest.fixture
def run(tiny_model_folder, tmp_path, monkeypatch, in_strips):
    """Runs a command in an empty folder, every image being large; returns click's result."""
    folder = tmp_path / "run"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(encode_command, "LARGE_FILE", 1)
    monkeypatch.setattr(encode_command, "MAX_PIXELS_AT_ONCE", 0)
    monkeypatch.setattr(decode_command, "MAX_PIXELS_AT_ONCE", 0)

    def invoke(module, *words, code=0):
        words = [*map(str, words), "--model", str(tiny_model_folder)]
        result = CliRunner().invoke(module.main, words)
        assert result.exit_code == code, result.output
        return result

    return invoke


@pytest.fixture
def whole_reads(monkeypatch):
    """What is read or written as a whole."""
    names = []
    for module, name in ((encode_command, "read_image"), (decode_command, "_to_file")):
        monkeypatch.setattr(module, name, lambda *_, name=name: names.append(name))
    return names


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_there_and_back(run, save, codec, whole_reads, suffix):
    path = save(f"photo{suffix}")
    report = run(encode_command, path, "photo.rnnc").output
    run(decode_command, "photo.rnnc", f"out{suffix}")
    assert whole_reads == []
    pixels = read_image(path)
    with open("photo.rnnc", "rb") as file:
        data = file.read()
    assert data == codec.encode(pixels)
    picture = codec.decode(data)
    np.testing.assert_array_equal(read_image(f"out{suffix}"), picture)
    assert f"{tfrnnc.metrics.psnr(pixels, picture):.2f} dB" in report
    assert f"{path.stat().st_size:,} bytes" in report


def test_other_formats_are_written_whole(run, save, codec, photo):
    run(encode_command, save("photo.png"), "photo.rnnc")
    run(decode_command, "photo.rnnc", "out.bmp")
    expected = codec.decode(codec.encode(photo))
    np.testing.assert_array_equal(read_image("out.bmp"), expected)


def test_one_bad_file_among_large_ones(run, save, tmp_path):
    good, bad = save("good.png"), save("bad.png")
    content = bad.read_bytes()
    bad.write_bytes(content[: len(content) // 2])
    result = run(encode_command, bad, good, "--output-dir", ".", code=1)
    assert f"error: {bad}: " in result.output
    assert "VIPS" not in result.output
    assert "Traceback" not in result.output
    with open("good.rnnc", "rb") as file:
        data = file.read()
    with open("cut.rnnc", "wb") as file:
        file.write(data[:-20])
    result = run(decode_command, "cut.rnnc", "good.rnnc", "--output-dir", "out", code=1)
    assert "error: cut.rnnc: " in result.output
    assert [each.name for each in (tmp_path / "run" / "out").iterdir()] == ["good.png"]
