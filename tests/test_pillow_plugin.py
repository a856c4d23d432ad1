from __future__ import annotations

import functools
import io
import math
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageFile, UnidentifiedImageError

import tfrnnc
import tfrnnc.pillow_plugin
from tfrnnc.bitstream import read_header
from tfrnnc.codec.select import CodecSelector


@pytest.fixture(scope="module")
def codec():
    return tfrnnc.load()


@pytest.fixture(scope="module")
def photo(request):
    with Image.open(request.config.rootpath / "examples" / "photos" / "coffee.png") as image:
        return image.convert("RGB").crop((50, 60, 121, 100))


def saved(image, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, "RNNC", **options)
    return file.getvalue()


def test_by_its_extension(photo, codec, tmp_path):
    path = tmp_path / "photo.rnnc"
    photo.save(path, bpp=0.5)
    assert path.read_bytes() == codec.encode(photo, bpp=0.5)
    with Image.open(path) as image:
        assert (image.format, image.size, image.mode) == ("RNNC", photo.size, "RGB")
        assert image.get_format_mimetype() == "image/x-rnnc"
        header, _ = read_header(path.read_bytes())
        assert image.info == {"iterations": header.iterations, "model_id": header.model_id.hex()}
        np.testing.assert_array_equal(np.asarray(image), codec.decode(path.read_bytes()))


@pytest.mark.parametrize(
    "options",
    [
        {}, {"iterations": 2}, {"max_bytes": 200}, {"psnr": 20}, {"entropy_coding": False},
        {"downscale": 2}, {"downscale": 2, "max_bytes": 70},
    ],
)  # fmt: skip
def test_options_are_those_of_encode(photo, codec, options):
    assert saved(photo, **options) == codec.encode(photo, **options)


def test_a_reduced_image(photo, codec):
    data = saved(photo, downscale=2, iterations=3)
    assert read_header(data)[0].downscale == 2
    with Image.open(io.BytesIO(data)) as image:
        assert (image.format, image.size) == ("RNNC", photo.size)
        np.testing.assert_array_equal(np.asarray(image), codec.decode(data))
    with Image.open(io.BytesIO(data)) as image:
        image.thumbnail((20, 20))
        assert image.size == (20, 11)
    with pytest.raises(OSError, match="downscale must be 1, 2 or 'auto'"):
        saved(photo, downscale=4)


def test_model(photo, tiny_model_folder):
    data = saved(photo, model=tiny_model_folder)
    assert data == tfrnnc.load(tiny_model_folder).encode(photo)
    with pytest.raises(OSError, match="none of the presets"):
        Image.open(io.BytesIO(data)).load()


def test_other_modes(photo):
    gray = photo.convert("L")
    assert saved(gray) == saved(gray.convert("RGB"))
    with pytest.raises(OSError, match=r'background colour \(background="white"\)$'):
        saved(Image.new("RGBA", (9, 9)))
    white = Image.new("RGB", (9, 9), "white")
    assert saved(Image.new("RGBA", (9, 9)), background="white") == saved(white)


def test_cut_files(photo, codec, monkeypatch):
    data = saved(photo)
    cut = data[: len(data) // 2]
    advice = (
        r"the stream is cut .*; decode those with PIL\.ImageFile\.LOAD_TRUNCATED_IMAGES = True$"
    )
    with pytest.raises(OSError, match=advice):
        Image.open(io.BytesIO(cut)).load()
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    picture = np.asarray(Image.open(io.BytesIO(cut)))
    np.testing.assert_array_equal(picture, codec.decode(cut, allow_truncated=True))


def test_pillows_limit_counts(photo, monkeypatch):
    data = saved(photo)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(Image.DecompressionBombError):
        Image.open(io.BytesIO(data))


@pytest.mark.parametrize("data", [b"", b"RN", b"RN\x22\0\0", b"RNNC", b"RNNX" * 20, b"RN\x2f" * 9])
def test_what_is_no_stream_is_not_identified(data):
    with pytest.raises(UnidentifiedImageError):
        Image.open(io.BytesIO(data))


def with_header(data, **fields):
    """A stream with other fields in its header."""
    header, end = read_header(data)
    return replace(header, **fields).to_bytes() + data[end:]


def test_limits_are_raised_where_they_can_be(photo):
    with pytest.raises(OSError, match=r"raise the limit \(max_pixels=\) if you trust it$"):
        saved(photo, max_pixels=64)
    large = with_header(saved(photo), width=8000, height=8000)
    with pytest.raises(OSError, match=r"limit \(max_pixels= of tfrnnc\.Codec\.decode\) if you"):
        Image.open(io.BytesIO(large)).load()


def test_a_stream_of_another_model(photo):
    foreign = with_header(saved(photo), model_id=b"\1\2\3\4")
    with pytest.raises(OSError, match=r"the folder of that model \(to tfrnnc\.load, whose codec"):
        Image.open(io.BytesIO(foreign)).load()


def test_damage(photo):
    data = bytearray(saved(photo))
    data[-3] ^= 8
    with pytest.raises(OSError, match="damaged"):
        Image.open(io.BytesIO(bytes(data))).load()


def test_options_of_other_formats_are_ignored(photo, codec):
    plain = codec.encode(photo)
    options = {
        "optimize": True,
        "progressive": True,
        "exif": b"",
        "icc_profile": b"",
        "dpi": (9, 9),
    }
    assert saved(photo, **options) == plain
    assert saved(photo, headerless=True) == plain
    with pytest.raises(OSError, match="iterations must be"):
        saved(photo, iterations=0)
    for model in (5, None, ["fc"]):
        with pytest.raises(OSError, match="a model is named by a string or a path, not by"):
            saved(photo, model=model)


@pytest.mark.parametrize(
    ("quality", "iterations"),
    [
        (100, 5),
        (95, 5),
        (75, 4),
        (50, 3),
        (21, 2),
        (20, 1),
        (0, 1),
        (-1, 1),
        (200, 5),
        (7.5, 1),
        (10**400, 5),
        (-(10**400), 1),
    ],
)
def test_quality_is_a_share_of_the_iterations(photo, codec, quality, iterations):
    assert saved(photo, quality=quality) == codec.encode(photo, iterations=iterations)


def test_quality_gives_way(photo, codec):
    for quality in ("keep", "web_low", None, True, math.nan):
        assert saved(photo, quality=quality) == codec.encode(photo)
    assert saved(photo, quality=np.int64(1)) == codec.encode(photo, iterations=1)
    assert saved(photo, quality=10, iterations=3) == codec.encode(photo, iterations=3)
    both = saved(photo, quality=80, max_bytes=150)
    assert both == codec.encode(photo, iterations=4, max_bytes=150)


# Less than all


@pytest.fixture
def decoded(monkeypatch):
    """How many iterations each call of `Codec.decode` was asked for."""
    calls = []
    decode = tfrnnc.Codec.decode

    def record(self, data, iterations=None, **options):
        calls.append(iterations)
        return decode(self, data, iterations, **options)

    monkeypatch.setattr(tfrnnc.Codec, "decode", record)
    return calls


@pytest.mark.parametrize(
    ("size", "iterations"),
    [((70, 39), None), ((36, 20), None), ((17, 10), 3), ((8, 8), 3), ((4, 3), 1), ((1, 1), 1)],
)
def test_thumbnails_decode_fewer_iterations(photo, decoded, size, iterations):
    data = saved(photo)
    with Image.open(io.BytesIO(data)) as image:
        image.thumbnail(size)
        assert image.width <= size[0]
        assert image.height <= size[1]
    assert decoded == [iterations]


def test_draft(photo, codec, decoded):
    data = saved(photo)
    with Image.open(io.BytesIO(data)) as image:
        assert image.draft(None, None) is None
        assert image.draft("RGB", (70, 40)) is None
        assert image.draft("L", (30, 10)) == ("RGB", (0, 0, 71, 40))
        assert image.size == (71, 40)
        np.testing.assert_array_equal(np.asarray(image), codec.decode(data, 3))
        assert image.draft("RGB", (3, 3)) is None  # It is loaded.
    assert decoded == [3, 3]


def test_a_thumbnail_looks_like_the_picture(photo):
    data = saved(photo)
    with Image.open(io.BytesIO(data)) as image:
        image.thumbnail((17, 10))
    whole = Image.open(io.BytesIO(data)).copy()
    whole.thumbnail((17, 10))
    difference = np.asarray(image).astype(float) - np.asarray(whole)
    assert np.abs(difference).mean() < 4


@pytest.mark.parametrize("size", [1, 7, 64, 10_000])
def test_the_parser_works_to_the_end(photo, codec, size):
    data = saved(photo)
    parser = ImageFile.Parser()
    for start in range(0, len(data), size):
        parser.feed(data[start : start + size])
    np.testing.assert_array_equal(np.asarray(parser.close()), codec.decode(data))


def test_the_parser_refuses_what_ends_early(photo):
    parser = ImageFile.Parser()
    parser.feed(saved(photo)[:-9])
    with pytest.raises(OSError, match="the stream is cut"):
        parser.close()


def test_threads_load_each_model_once(photo, codec, monkeypatch):
    """What the runtime does in several threads is its own matter: here one codec answers all."""
    data, picture = codec.encode(photo), codec.decode(codec.encode(photo))
    loads = []

    class Answers:
        max_iterations = codec.max_iterations

        def encode(self, image, **_):
            return data

        def decode(self, stream, *_, **__):
            assert stream == data
            return picture

    def slow_load(*arguments, **_):
        loads.append(arguments)
        time.sleep(0.05)
        return Answers()

    selector = CodecSelector()
    selector._load = slow_load
    monkeypatch.setattr(tfrnnc.pillow_plugin, "_codec", functools.cache(slow_load))
    monkeypatch.setattr(tfrnnc.pillow_plugin, "_codec_of", selector)

    def there_and_back(_):
        return np.asarray(Image.open(io.BytesIO(saved(photo))))

    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(there_and_back, range(16)):
            np.testing.assert_array_equal(found, picture)
    assert len(loads) == 2  # One to save, one to open.


def test_opening_loads_no_model(photo, tmp_path):
    path = tmp_path / "photo.rnnc"
    photo.save(path)
    script = (
        "import sys\nfrom PIL import Image\nimport tfrnnc.pillow_plugin\n"
        f"assert Image.open({str(path)!r}).size == {photo.size}\n"
        "assert not {'ai_edge_litert', 'keras', 'tensorflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
