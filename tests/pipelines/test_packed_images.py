"""Reading shards back."""

from __future__ import annotations

import json
import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest
import tensorflow_datasets as tfds

import tfrnnc
from tfrnnc.data import TFDSImages
from tfrnnc.errors import ModelError, ShardError, TruncatedStreamError, WrongModelError
from tfrnnc.images import read_image
from tfrnnc.pipelines import (
    DecodedImages,
    PackedImages,
    Shard,
    assign_to_shards,
    encode_shard,
    list_images,
    packed_images,
    shard_file,
)
from tfrnnc.pipelines.decoded_images import decode_all
from tfrnnc.pipelines.keras_dataset import PackedDataset

OPTIONS = tfrnnc.EncodeOptions(max_bytes=3)
SHARDS = 3


@pytest.fixture(scope="module")
def folder(thumbnails, codec, tmp_path_factory) -> Path:
    """Shards of several row groups each."""
    folder = tmp_path_factory.mktemp("shards")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shard_file, "ROWS_PER_GROUP", 7)
        for number, items in enumerate(assign_to_shards(list_images(str(thumbnails)), SHARDS)):
            encode_shard(Shard(str(folder), number, SHARDS), items, codec, OPTIONS)
    return folder


@pytest.fixture(autouse=True)
def small_groups(monkeypatch):
    monkeypatch.setattr(packed_images, "ROWS_PER_GROUP", 7)


def test_all_images(folder, good_keys):
    packed = PackedImages(folder)
    images = list(packed)
    assert {image.key for image in images} == good_keys
    assert len(packed) == len(images) == len(good_keys)
    assert list(packed.keys()) == [image.key for image in images]
    assert [packed[index] for index in range(len(packed))] == images
    assert packed[-1] == images[-1]
    assert packed[5:40:9] == images[5:40:9]
    for index in (-len(packed) - 1, len(packed)):
        with pytest.raises(IndexError):
            packed[index]


def test_any_key(folder, thumbnails, good_keys, codec, monkeypatch):
    monkeypatch.setattr(packed_images, "OPEN_SHARDS", 1)
    packed = PackedImages(folder)
    for key in sorted(good_keys):
        code = codec.encode(read_image(thumbnails / key), OPTIONS, headerless=True)
        assert packed.find(key).code == code
        assert key in packed
    for key in ("broken.png", "", "zzz", 3):
        assert key not in packed
    with pytest.raises(KeyError):
        packed.find("broken.png")


def test_decoded(folder, thumbnails, good_keys, codec):
    source = DecodedImages(PackedImages(folder), codec)
    assert len(source) == len(good_keys)
    for example in source:
        data = codec.encode(read_image(thumbnails / example["key"]), OPTIONS, headerless=True)
        np.testing.assert_array_equal(
            example["image"], codec.decode(codec.shared_header(16, 16) + data)
        )
    chosen = source.__getitems__([40, 3, 3])
    assert [each["key"] for each in chosen] == [source[index]["key"] for index in (40, 3, 3)]
    assert [each["key"] for each in source[2:5]] == [source[index]["key"] for index in (2, 3, 4)]
    np.testing.assert_array_equal(source.find(chosen[0]["key"]), chosen[0]["image"])
    first = DecodedImages(PackedImages(folder), codec, iterations=1)[0]["image"]
    np.testing.assert_array_equal(first, codec.decode(PackedImages(folder)[0].stream, 1))


def test_a_tfds_data_set_of_them(folder, codec, tmp_path):
    """As docs/DEPLOYMENT.md makes it; training reads it."""
    source = DecodedImages(PackedImages(folder), codec)
    tfds.dataset_builders.store_as_tfds_dataset(
        "packed", "1.0.0",
        features=tfds.features.FeaturesDict(
            {"key": tfds.features.Text(), "image": tfds.features.Image(shape=(None, None, 3))}
        ),
        split_datasets={"train": ((each["key"], each) for each in source)},
        data_dir=tmp_path,
        file_format="array_record",
    )  # fmt: skip
    stored = tfds.data_source("packed", split="train", data_dir=tmp_path)
    assert {each["key"].decode() for each in stored} == {each["key"] for each in source}
    for each in stored:
        np.testing.assert_array_equal(each["image"], source.find(each["key"].decode()))
    assert len(TFDSImages("packed", "train", str(tmp_path))) == len(source)


def test_errors_advise_what_a_caller_can_do(codec, noise):
    """Not what the images of shards cannot be given."""
    data = codec.encode(noise(16, 16))[:-1]
    advice = r"decode those with allow_truncated=True of tfrnnc\.Codec\.decode$"
    with pytest.raises(TruncatedStreamError, match=advice) as caught:
        decode_all(codec, [data])
    assert caught.value.whole_iterations == codec.max_iterations - 1


def test_threads_and_processes_share_it(folder):
    packed = PackedImages(folder)
    images = list(packed)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(packed.__getitem__, range(len(packed)))) == images
    assert list(pickle.loads(pickle.dumps(packed))) == images


@pytest.mark.parametrize("entropy_coding", [False, True])
@pytest.mark.parametrize("adaptive", [False, True])
def test_nothing_else_is_needed(noise, tmp_path, entropy_coding, adaptive):
    """With a preset not even its name; the header tells of the options."""
    codec = tfrnnc.load("fc_small")
    options = tfrnnc.EncodeOptions(
        max_bytes=12, entropy_coding=entropy_coding, adaptive=adaptive, headerless=True
    )
    pixels = noise(17, 9)
    encode_shard(Shard(str(tmp_path), 0, 1), [("a", pixels)], codec, options)
    expected = codec.encode_with_picture(pixels, options).picture
    np.testing.assert_array_equal(DecodedImages(PackedImages(tmp_path)).find("a"), expected)


def test_other_models(folder):
    with pytest.raises(ModelError, match="give the codec"):
        DecodedImages(PackedImages(folder))
    with pytest.raises(WrongModelError):
        DecodedImages(PackedImages(folder), tfrnnc.load())[0]


def test_others_read_it_too(folder):
    """The names and types of the columns."""
    table = parquet.read_table(folder)
    assert table.schema.names == ["key", "width", "height", "code"]
    assert table.schema.types == [arrow.string(), arrow.int32(), arrow.int32(), arrow.binary()]
    assert set(table["width"].to_pylist()) == {16}


def test_folders_without_all_shards(folder, tmp_path):
    with pytest.raises(ShardError, match="cannot be read"):
        PackedImages(tmp_path / "nothing")
    with pytest.raises(ShardError, match="no shards"):
        PackedImages(tmp_path)
    part = Path(Shard(str(folder), 1, SHARDS).path)
    shutil.copy(part, tmp_path)
    with pytest.raises(ShardError, match=r"2 of 3 shards are missing \(0, 2\)"):
        PackedImages(tmp_path)
    shutil.copy(part, tmp_path / "part-00000-of-00001.parquet")
    with pytest.raises(ShardError, match="several sets"):
        PackedImages(tmp_path)


def with_field(path: Path, **field) -> None:
    table = parquet.read_table(path)
    content = json.loads(table.schema.metadata[b"tfrnnc"]) | field
    parquet.write_table(table.replace_schema_metadata({b"tfrnnc": json.dumps(content)}), path)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: path.write_bytes(b"?"), "cannot be read"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "cannot be read"),
        (lambda path: parquet.write_table(arrow.table({"a": [1]}), path), "not a shard"),
        (
            lambda path: parquet.write_table(
                arrow.table({"a": [1]}).replace_schema_metadata({b"tfrnnc": "{}"}), path
            ),
            "version None",
        ),
        (lambda path: with_field(path, version=9), "version 9"),
        (lambda path: with_field(path, options=["int8"]), "not a shard"),
        (lambda path: path.write_bytes(b"PAR1" + bytes(500) + path.read_bytes()[504:]), "damaged"),
        (Path.unlink, "no such shard"),
    ],
)
def test_damaged_shard(folder, tmp_path, damage, words):
    shard = Shard(str(tmp_path), 0, 1)
    shutil.copy(Shard(str(folder), 0, SHARDS).path, shard.path)
    packed = PackedImages(tmp_path)
    damage(Path(shard.path))
    with pytest.raises(ShardError, match=words) as caught:
        list(packed)
    assert str(caught.value).startswith(shard.path)


def test_keras_reads_it(folder, codec):
    source = DecodedImages(PackedImages(folder), codec)
    dataset = PackedDataset(source, 16, lambda keys: np.array([len(key) for key in keys]))
    assert len(dataset) == 4
    images, targets = dataset[3]
    assert (images.shape, images.dtype) == ((12, 16, 16, 3), np.uint8)
    assert targets.tolist() == [len(example["key"]) for example in source[48:60]]
    assert PackedDataset(source, 60)[0].shape == (60, 16, 16, 3)
    shuffled = PackedDataset(source, 60, lambda keys: keys, shuffle=True)
    first = shuffled[0][1]
    shuffled.on_epoch_end()
    second = shuffled[0][1]
    assert first != second
    assert sorted(first) == sorted(second) == sorted(example["key"] for example in source)


def test_keras_trains_on_it(folder, codec):
    import keras

    source = DecodedImages(PackedImages(folder), codec)
    dataset = PackedDataset(source, 16, lambda keys: np.ones(len(keys)), workers=2)
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile(loss="mse")
    history = model.fit(dataset, epochs=2, verbose=0)
    assert len(history.history["loss"]) == 2


def test_keras_takes_one_size(noise, codec, tmp_path):
    items = [("a", noise(8, 8)), ("b", noise(16, 8))]
    encode_shard(Shard(str(tmp_path), 0, 1), items, codec, OPTIONS)
    with pytest.raises(ShardError, match="one size"):
        PackedDataset(DecodedImages(PackedImages(tmp_path), codec))[0]
