"""The default preset's files with 8-bit arithmetic: other bits now and then, the same streams."""

from __future__ import annotations

import pickle
import shutil

import numpy as np
import pytest

import tfrnnc
from helpers.images import PHOTOS
from helpers.models import write_tiny_model
from tfrnnc.codec import strips
from tfrnnc.errors import ConfigError, ModelError
from tfrnnc.export.tflite import export_tflite
from tfrnnc.images import read_image
from tfrnnc.metrics import psnr
from tfrnnc.model_folder.keras_model import load_model
from tfrnnc.model_folder.presets import DEFAULT_PRESET, PRESETS_FOLDER, find_model


@pytest.fixture(scope="module")
def codec():
    return tfrnnc.load(threads=1)


@pytest.fixture(scope="module")
def int8_codec():
    return tfrnnc.load(threads=1, arithmetic="int8")


@pytest.fixture(scope="module")
def images():
    """Pieces of photos, of two sizes."""
    photo = read_image(PHOTOS / "chelsea.png")
    thumbnails = [photo[y : y + 32, x : x + 32] for y in (40, 120, 200) for x in (60, 180, 300)]
    return [*thumbnails, photo[64:160, 128:256]]


def test_it_is_the_same_model(codec, int8_codec):
    assert int8_codec.identity == codec.identity
    assert int8_codec.identity.preset == DEFAULT_PRESET
    assert int8_codec.entropy_model.to_bytes() == codec.entropy_model.to_bytes()
    assert tfrnnc.load(arithmetic="float32").identity == codec.identity
    assert not any("int8" in name for name in tfrnnc.list_presets())


def test_each_decodes_what_the_other_encoded(codec, int8_codec, images):
    streams = [each.encode(images[-1]) for each in (codec, int8_codec)]
    assert streams[0] != streams[1]  # Else the same files ran.
    pictures = [[each.decode(stream) for each in (codec, int8_codec)] for stream in streams]
    for by_float32, by_int8 in pictures:
        # From the same bits; a few grey levels.
        assert 0 < np.abs(by_float32.astype(int) - by_int8).max() <= 12
        np.testing.assert_allclose(
            psnr(images[-1], by_int8), psnr(images[-1], by_float32), atol=0.3
        )
    qualities = [psnr(images[-1], of_own[0]) for of_own in pictures]
    np.testing.assert_allclose(qualities[1], qualities[0], atol=0.3)


def test_many_at_once(int8_codec, images):
    streams = int8_codec.encode_batch(images, max_bytes=64)
    assert streams == [int8_codec.encode(image, max_bytes=64) for image in images]
    for picture, stream in zip(int8_codec.decode_batch(streams), streams, strict=True):
        np.testing.assert_array_equal(picture, int8_codec.decode(stream))


def test_large_images_in_strips(int8_codec, monkeypatch):
    """The ranges are those of each strip: another stream, as good, in strips and at once."""
    image = read_image(PHOTOS / "chelsea.png")[:, :96]
    at_once = int8_codec.encode(image, iterations=2, downscale=1)
    monkeypatch.setattr(strips, "MAX_PIXELS_AT_ONCE", 0)
    in_strips = int8_codec.encode(image, iterations=2, downscale=1)
    assert in_strips != at_once
    np.testing.assert_allclose(len(in_strips), len(at_once), rtol=0.02)
    quality = psnr(image, int8_codec.decode(at_once))
    np.testing.assert_allclose(psnr(image, int8_codec.decode(in_strips)), quality, atol=0.2)
    monkeypatch.undo()
    np.testing.assert_allclose(psnr(image, int8_codec.decode(in_strips)), quality, atol=0.2)


def test_a_pickle_computes_in_the_same(int8_codec, images):
    pickled = pickle.dumps(int8_codec)
    assert str(PRESETS_FOLDER).encode() not in pickled
    stream = int8_codec.encode(images[-1])
    again = pickle.loads(pickled)
    assert again.encode(images[-1]) == stream
    np.testing.assert_array_equal(again.decode(stream), int8_codec.decode(stream))


@pytest.fixture
def folder(tmp_path):
    """Of a tiny model, with its TFLite files and its entropy model."""
    return write_tiny_model("conv_lstm", tmp_path / "model")


def test_the_files_of_a_model_of_ones_own(folder, tmp_path, noise):
    """Wherever they are: in its folder int8/, or in a folder of their own."""
    with pytest.raises(
        ModelError,
        match=rf"{folder}: has no .* tfrnnc-export --quantize dynamic {folder} FOLDER, and load",
    ):
        tfrnnc.load(folder, arithmetic="int8")
    export_tflite(load_model(folder), folder / "int8", quantize="dynamic")
    shutil.copytree(folder / "int8", tmp_path / "own")
    shutil.copyfile(folder / "entropy_model.bin", tmp_path / "own" / "entropy_model.bin")
    data = tfrnnc.load(folder, arithmetic="int8").encode(noise(16, 24))
    assert data == tfrnnc.load(tmp_path / "own").encode(noise(16, 24))
    assert tfrnnc.load(folder).decode(data).shape == (16, 24, 3)

    (folder / "int8" / "encoder_1.tflite").write_bytes(b"?")
    with pytest.raises(ModelError, match=r"int8/encoder_1\.tflite: damaged"):
        tfrnnc.load(folder, arithmetic="int8").encode(noise(16, 24))
    (folder / "int8" / "manifest.json").unlink()
    with pytest.raises(ModelError, match=r"int8/manifest\.json: "):
        tfrnnc.load(folder, arithmetic="int8")


def test_files_of_another_model(folder):
    shutil.copytree(find_model(DEFAULT_PRESET).int8_path, folder / "int8")
    (folder / "entropy_model.bin").unlink()
    of_files = find_model(DEFAULT_PRESET).read_identity().model_id.hex()
    with pytest.raises(ModelError, match=rf"model/int8: its TFLite files are of model {of_files}"):
        tfrnnc.load(folder, arithmetic="int8")


def test_what_cannot_be():
    with pytest.raises(ConfigError, match="no arithmetic 'int4'; there are 'float32' and 'int8'"):
        tfrnnc.load(arithmetic="int4")
    with pytest.raises(ConfigError, match="Keras computes in float32; .* take the runtime"):
        tfrnnc.load(runtime="keras", arithmetic="int8")
