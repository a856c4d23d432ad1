"""One shard: the same whatever the order, whole or not at all, and made once."""

from __future__ import annotations

import gc
import hashlib
import io
import json
import logging
import os
import shutil
import sys
import weakref
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pyarrow import parquet

import tfrnnc
from tfrnnc.errors import ConfigError, ModelError, ShardError
from tfrnnc.export.tflite import export_tflite
from tfrnnc.metrics import psnr
from tfrnnc.model_folder.keras_model import load_model
from tfrnnc.pipelines import PackedImages, Shard, encode_shard, list_images, shard_of
from tfrnnc.pipelines.shard_file import ShardFile

OPTIONS = tfrnnc.EncodeOptions(max_bytes=3)


@pytest.fixture
def shard(tmp_path) -> Shard:
    return Shard(str(tmp_path / "shards"), 0, 1)


@pytest.fixture
def items(noise):
    return [(f"{seed}.png", noise(16, 24, seed)) for seed in range(5)]


def failed(shard: Shard) -> list[dict]:
    path = Path(shard.failed_path)
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_rows_are_what_the_codec_gives(shard, items, codec):
    report = encode_shard(shard, items, codec, OPTIONS)
    found = list(PackedImages(shard.folder))
    assert [image.key for image in found] == [key for key, _ in items]
    for image, (_, pixels), quality in zip(found, items, report.psnr, strict=True):
        encoded = codec.encode_with_picture(pixels, OPTIONS, headerless=True)
        assert (image.width, image.height, image.code) == (24, 16, encoded.data)
        np.testing.assert_array_equal(codec.decode(image.stream), encoded.picture)
        assert quality == psnr(pixels, encoded.picture)
    assert (report.images, report.failures, report.skipped) == (5, [], False)
    assert report.bytes == sum(len(image.code) for image in found)


def test_order_does_not_matter(shard, items, codec, tmp_path, contents):
    other = Shard(str(tmp_path / "other"), 0, 1)
    encode_shard(shard, [*items, items[0]], codec, OPTIONS)
    encode_shard(other, reversed(items), codec, OPTIONS)
    assert contents(Path(shard.folder)) == contents(Path(other.folder))


def test_paths_and_bytes_and_pixels_are_the_same(shard, noise, codec, tmp_path):
    pixels = noise(8, 8)
    path = tmp_path / "image.png"
    Image.fromarray(pixels).save(path)
    encode_shard(shard, [("a", str(path)), ("b", path.read_bytes()), ("c", pixels)], codec, OPTIONS)
    assert len({image.code for image in PackedImages(shard.folder)}) == 1


def test_made_once(shard, items, codec):
    encode_shard(shard, [*items, ("broken", b"?")], codec, OPTIONS)
    before = os.stat(shard.path)
    report = encode_shard(shard, [("broken", b"?"), *items], codec, OPTIONS)
    assert report.skipped
    assert (report.images, [each["key"] for each in report.failures]) == (5, ["broken"])
    assert report.bytes == ShardFile(shard.path).code_bytes() == 15
    assert os.stat(shard.path) == before
    assert not encode_shard(shard, [*items, ("broken", b"?")], codec, OPTIONS, True).skipped


@pytest.mark.parametrize("change", ["image", "options", "model"])
def test_another_shard_is_not_taken_for_this_one(shard, items, codec, change):
    encode_shard(shard, items, codec, OPTIONS)
    before = Path(shard.path).read_bytes()
    options = tfrnnc.EncodeOptions(max_bytes=2) if change == "options" else OPTIONS
    other = tfrnnc.load() if change == "model" else codec
    images = items[1:] if change == "image" else items
    with pytest.raises(ShardError, match="is there already"):
        encode_shard(shard, images, other, options)
    assert Path(shard.path).read_bytes() == before


def described(path: Path, forget: str = "") -> dict:
    """A shard's options, after one of them was taken out of the file."""
    table = parquet.read_table(path)
    content = json.loads(table.schema.metadata[b"tfrnnc"])
    content["options"].pop(forget, None)
    parquet.write_table(table.replace_schema_metadata({b"tfrnnc": json.dumps(content)}), path)
    return content["options"]


def test_a_run_goes_on_only_with_the_same_arithmetic(model_folder, items, codec, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(model_folder, folder)
    export_tflite(load_model(folder), folder / "int8", quantize="dynamic")
    codecs = {"float32": codec, "int8": tfrnnc.load(folder, threads=1, arithmetic="int8")}
    shards = {name: Shard(str(tmp_path / name), 0, 1) for name in codecs}
    for name, shard in shards.items():
        encode_shard(shard, items, codecs[name], OPTIONS)
        assert encode_shard(shard, items, codecs[name], OPTIONS).skipped
        assert ShardFile(shard.path).metadata.arithmetic == name
        before = Path(shard.path).read_bytes()
        (other,) = codecs.keys() - {name}
        message = f"is there already, encoded with the arithmetic {name}, not {other}; give the"
        with pytest.raises(ShardError, match=message):
            encode_shard(shard, items, codecs[other], OPTIONS)
        assert Path(shard.path).read_bytes() == before
        assert described(Path(shard.path))["arithmetic"] == name
        # The streams are any model's: both decode them.
        for image in PackedImages(shard.folder):
            assert {each.decode(image.stream).shape for each in codecs.values()} == {(16, 24, 3)}
    assert not encode_shard(shards["int8"], items, codec, OPTIONS, overwrite=True).skipped
    assert ShardFile(shards["int8"].path).metadata.arithmetic == "float32"

    # What computes in 8 bits says so, wherever it was loaded from.
    shutil.copyfile(folder / "entropy_model.bin", folder / "int8" / "entropy_model.bin")
    with pytest.raises(ShardError, match="the arithmetic float32, not int8"):
        encode_shard(shards["float32"], items, tfrnnc.load(folder / "int8", threads=1), OPTIONS)


def test_a_shard_that_names_no_arithmetic_is_one_of_float32(shard, items, codec, model_folder):
    encode_shard(shard, items, codec, OPTIONS)
    assert "arithmetic" not in described(Path(shard.path), forget="arithmetic")
    assert ShardFile(shard.path).metadata.arithmetic == "float32"
    assert encode_shard(shard, items, codec, OPTIONS).skipped
    # As releases that did not know of it computed it.
    settings = asdict(replace(OPTIONS, headerless=True))
    del settings["downscale"]
    parts = [ShardFile(shard.path).metadata.header, settings, sorted(key for key, _ in items)]
    expected = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    assert ShardFile(shard.path).metadata.fingerprint == expected


def test_images_of_shards_are_reduced_only_if_that_is_asked_for(shard, noise, codec, tmp_path):
    items = [("a", noise(140, 150))]
    asked = tfrnnc.EncodeOptions(bpp=0.2)
    encode_shard(shard, items, codec, asked)
    (image,) = PackedImages(shard.folder)
    assert image.header.downscale == 1
    assert image.code == codec.encode(items[0][1], asked, headerless=True)
    # As in shards of earlier releases, so that they are found again.
    assert "downscale" not in ShardFile(shard.path).metadata.options
    same = tfrnnc.EncodeOptions(bpp=0.2, downscale=1)
    assert encode_shard(shard, items, codec, same).skipped

    half = tfrnnc.EncodeOptions(bpp=0.2, downscale=2)
    with pytest.raises(ShardError, match="is there already"):
        encode_shard(shard, items, codec, half)
    other = Shard(str(tmp_path / "half"), 0, 1)
    encode_shard(other, items, codec, half)
    (image,) = PackedImages(other.folder)
    assert (image.header.downscale, image.header.height, image.header.width) == (2, 140, 150)
    encoded = codec.encode_with_picture(items[0][1], half, headerless=True)
    assert image.code == encoded.data
    np.testing.assert_array_equal(codec.decode(image.stream), encoded.picture)


def test_damaged_shard_is_made_again(shard, items, codec, caplog):
    encode_shard(shard, items, codec, OPTIONS)
    whole = Path(shard.path).read_bytes()
    Path(shard.path).write_bytes(whole[:-20])
    with caplog.at_level(logging.WARNING):
        assert not encode_shard(shard, items, codec, OPTIONS).skipped
    assert "made again" in caplog.text
    assert Path(shard.path).read_bytes() == whole


def test_lost_list_of_failures_is_made_again(shard, codec):
    items = [("broken", b"?")]
    encode_shard(shard, items, codec, OPTIONS)
    Path(shard.failed_path).unlink()
    assert not encode_shard(shard, items, codec, OPTIONS).skipped
    assert [each["key"] for each in failed(shard)] == ["broken"]
    # And one of before does not stay where nothing fails.
    encode_shard(shard, [], codec, OPTIONS, overwrite=True)
    assert failed(shard) == []


def test_bad_images_are_listed(shard, noise, codec, tmp_path):
    (tmp_path / "empty.png").touch()
    file = io.BytesIO()
    Image.new("1", (4000, 4000)).save(file, "PNG")
    transparent = np.zeros((8, 8, 4), np.uint8)
    items = [
        ("good", noise(8, 8)),
        ("bomb", file.getvalue()[:200]),  # Cut, as its pixels are not to be read.
        ("broken", b"?"),
        ("empty", str(tmp_path / "empty.png")),
        ("float", np.zeros((8, 8, 3))),
        ("folder", str(tmp_path)),
        ("large", noise(400, 400)),
        ("missing", str(tmp_path / "missing.png")),
        ("transparent", transparent),
        ("twice", noise(8, 8, 1)),
        ("twice", noise(8, 8, 2)),
        ("wrong \udce9", noise(8, 8, 3)),
    ]
    options = tfrnnc.EncodeOptions(max_bytes=3, max_pixels=100_000)
    report = encode_shard(shard, items, codec, options)
    assert [image.key for image in PackedImages(shard.folder)] == ["good"]
    assert failed(shard) == report.failures
    reasons = {each["key"]: each["error"] for each in report.failures}
    assert reasons.keys() == {key for key, _ in items} - {"good"}
    for key, words in {
        "bomb": "16,000,000 pixels, more than the limit of 100,000",
        "broken": "known format",
        "empty": "nothing in the file",
        "float": "uint8",
        "folder": "cannot be read",
        "large": "pixels",
        "missing": "no such file",
        "transparent": "background",
        "twice": "several images",
        "wrong \udce9": "UTF-8",
    }.items():
        assert words in reasons[key]


def test_few_large_images_are_in_memory_at_once(shard, noise, codec, monkeypatch):
    items = [(f"{index}.png", noise(16, 16, index)) for index in range(7)]
    encode_shard(shard, items, codec, OPTIONS)
    at_once = Path(shard.path).read_bytes()
    batches = []
    encode = type(codec).encode_batch_with_pictures

    def counted(self, images, *settings, **keywords):
        batches.append(len(images))
        return encode(self, images, *settings, **keywords)

    monkeypatch.setattr(type(codec), "encode_batch_with_pictures", counted)
    module = sys.modules[encode_shard.__module__]  # The package has a function of its name.
    monkeypatch.setattr(module, "BATCH_PIXELS", 2 * 16 * 16 + 1)
    encode_shard(shard, items, codec, OPTIONS, overwrite=True)
    assert batches == [3, 3, 1]
    assert Path(shard.path).read_bytes() == at_once


def test_images_that_fail_do_not_stay_in_memory(shard, noise, codec, monkeypatch):
    """Errors hold what was computed when they were raised, until the garbage is collected."""
    module = sys.modules[encode_shard.__module__]
    read = module._read_pixels
    images, alive = [], []

    def counted(*arguments):
        alive.append(sum(image() is not None for image in images))
        pixels = read(*arguments)
        images.append(weakref.ref(pixels))
        return pixels

    monkeypatch.setattr(module, "_read_pixels", counted)
    monkeypatch.setattr(module, "BATCH_PIXELS", 1)
    items = [(f"{index}.png", noise(16, 16, index)) for index in range(8)]
    gc.disable()
    try:
        report = encode_shard(shard, items, codec, tfrnnc.EncodeOptions(max_work=1))
    finally:
        gc.enable()
    assert len(report.failures) == len(alive) == 8
    assert max(alive) <= 2


def test_faults_of_the_codec_end_no_shard(shard, items, codec, monkeypatch):
    """Where a batch fails for a reason that nobody thought of, the others of it are encoded."""
    encode = type(codec).encode_with_picture
    errors = {0: RuntimeError("what?"), 1: MemoryError()}

    def fail_for_some(self, image, *settings, **keywords):
        for number, error in errors.items():
            if np.array_equal(image, items[number][1]):
                raise error
        return encode(self, image, *settings, **keywords)

    def fail(self, images, *settings, **keywords):
        raise RuntimeError("what?")

    monkeypatch.setattr(type(codec), "encode_batch_with_pictures", fail)
    monkeypatch.setattr(type(codec), "encode_with_picture", fail_for_some)
    report = encode_shard(shard, items, codec, OPTIONS)
    assert [each["key"] for each in report.failures] == ["0.png", "1.png"]
    assert "report it" in report.failures[0]["error"]
    assert "memory" in report.failures[1]["error"]
    assert len(ShardFile(shard.path)) == 3


def test_broken_model_ends_it(shard, items, codec, monkeypatch):
    """That is no fault of an image."""

    def fail(self, images, *settings, **keywords):
        raise ModelError("decoder_1.tflite: is missing")

    monkeypatch.setattr(type(codec), "encode_batch_with_pictures", fail)
    with pytest.raises(ModelError):
        encode_shard(shard, items, codec, OPTIONS)
    assert not Path(shard.path).exists()


def test_nothing_half_written(shard, items, codec, monkeypatch, tmp_path):
    def fail(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(ShardError, match="No space left"):
        encode_shard(shard, items, codec, OPTIONS)
    assert list(Path(shard.folder).iterdir()) == []


def test_uri(thumbnails, codec, tmp_path, contents):
    """Through PyArrow's file systems the same files come out."""
    folder = tmp_path / "by uri"
    images = list(list_images(thumbnails.as_uri()))
    assert [key for key, _ in images] == [key for key, _ in list_images(str(thumbnails))]
    for target, source in ((folder.as_uri(), images), (str(tmp_path / "by path"), None)):
        found = source or list(list_images(str(thumbnails)))
        encode_shard(Shard(target, 0, 1), found, codec, OPTIONS)
        assert encode_shard(Shard(target, 0, 1), found, codec, OPTIONS).skipped
    assert contents(folder) == contents(tmp_path / "by path")
    packed = PackedImages(folder.as_uri())
    assert [image.key for image in packed] == list(PackedImages(folder).keys())
    encode_shard(Shard(folder.as_uri(), 0, 1), [], codec, OPTIONS, overwrite=True)
    assert not (folder / "_failed-00000-of-00001.jsonl").exists()


def test_unknown_store(codec):
    with pytest.raises(ShardError, match="cannot"):
        encode_shard(Shard("nothing://bucket", 0, 1), [], codec, OPTIONS)


@pytest.mark.parametrize(("index", "count"), [(-1, 1), (1, 1), (0, 0)])
def test_wrong_number(index, count):
    with pytest.raises(ConfigError):
        Shard("shards", index, count)


def test_assignment_is_for_ever():
    """Shards that were written are found by it."""
    assert [shard_of(key, 1000) for key in ("", "a.png", "ä.png", "\udce9")] == [0, 247, 144, 358]
