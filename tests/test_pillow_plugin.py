from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageFile, UnidentifiedImageError

import tfrnnc
import tfrnnc.pillow_plugin
from tfrnnc.bitstream import read_header


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
    "options", [{}, {"iterations": 2}, {"max_bytes": 200}, {"psnr": 20}, {"entropy_coding": False}]
)
def test_options_are_those_of_encode(photo, codec, options):
    assert saved(photo, **options) == codec.encode(photo, **options)


def test_model(photo, tiny_model_folder):
    data = saved(photo, model=tiny_model_folder)
    assert data == tfrnnc.load(tiny_model_folder).encode(photo)
    with pytest.raises(OSError, match="none of the presets"):
        Image.open(io.BytesIO(data)).load()


def test_other_modes(photo):
    gray = photo.convert("L")
    assert saved(gray) == saved(gray.convert("RGB"))
    with pytest.raises(OSError, match="transparent"):
        saved(Image.new("RGBA", (9, 9)))
    white = Image.new("RGB", (9, 9), "white")
    assert saved(Image.new("RGBA", (9, 9)), background="white") == saved(white)


def test_cut_files(photo, codec, monkeypatch):
    data = saved(photo)
    cut = data[: len(data) // 2]
    with pytest.raises(OSError, match="the stream is cut"):
        Image.open(io.BytesIO(cut)).load()
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    picture = np.asarray(Image.open(io.BytesIO(cut)))
    np.testing.assert_array_equal(picture, codec.decode(cut, allow_truncated=True))


def test_streams_of_version_1_and_their_size(request, codec):
    stream = (request.config.rootpath / "tests" / "golden" / "conv_lstm_small.rnnc").read_bytes()
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(stream))), codec.decode(stream))


def test_pillows_limit_counts(photo, monkeypatch):
    data = saved(photo)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(Image.DecompressionBombError):
        Image.open(io.BytesIO(data))


@pytest.mark.parametrize("data", [b"", b"RN", b"RN\x22\0\0", b"RNNC", b"RNNX" * 20, b"RN\x2f" * 9])
def test_what_is_no_stream_is_not_identified(data):
    with pytest.raises(UnidentifiedImageError):
        Image.open(io.BytesIO(data))


def test_damage(photo):
    data = bytearray(saved(photo))
    data[-3] ^= 8
    with pytest.raises(OSError, match="damaged"):
        Image.open(io.BytesIO(bytes(data))).load()


def test_unknown_options(photo):
    with pytest.raises(TypeError, match="no option quality"):
        saved(photo, quality=3)
    with pytest.raises(OSError, match="iterations must be"):
        saved(photo, iterations=0)


def test_opening_loads_no_model(photo, tmp_path):
    path = tmp_path / "photo.rnnc"
    photo.save(path)
    script = (
        "import sys\nfrom PIL import Image\nimport tfrnnc.pillow_plugin\n"
        f"assert Image.open({str(path)!r}).size == {photo.size}\n"
        "assert not {'ai_edge_litert', 'keras', 'tensorflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
