import logging

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from tfrnnc.data import (
    FolderImages,
    JoinedImages,
    PatchBatches,
    TFDSImages,
    hold_out,
    image_source,
    open_images,
)
from tfrnnc.errors import DataError


def random_pixels(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def save(pixels, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def folder(tmp_path):
    """Nested folders with three images, two broken files and one of another kind."""
    folder = tmp_path / "photos"
    save(random_pixels(5, 7, 3, seed=1), folder / "b.png")
    save(random_pixels(6, 4, 3, seed=2), folder / "deep" / "er" / "a.png")
    save(random_pixels(3, 3, 3, seed=3), folder / "a.bmp")
    (folder / "broken.jpg").write_bytes(b"just some text")
    whole = (folder / "b.png").read_bytes()
    (folder / "deep" / "half.png").write_bytes(whole[: len(whole) // 2])
    (folder / "note.txt").write_text("not looked at")
    return folder


def test_folder_images_are_read_in_sorted_order(folder):
    images = FolderImages(str(folder))
    assert [path.relative_to(folder).as_posix() for path in images.files] == [
        "a.bmp",
        "b.png",
        "deep/er/a.png",
    ]
    expected = [random_pixels(*shape, 3, seed=seed) for *shape, seed in [(3, 3, 3), (5, 7, 1)]]
    expected.append(random_pixels(6, 4, 3, seed=2))
    assert len(images) == 3
    for image, pixels in zip(images, expected, strict=True):
        np.testing.assert_array_equal(image, pixels)
    np.testing.assert_array_equal(images[-1], expected[-1])
    with pytest.raises(IndexError):
        images[3]


@pytest.mark.parametrize("open_folder", [FolderImages, open_images])
def test_large_images_are_skipped(folder, caplog, open_folder):
    images = open_folder(str(folder), max_pixels=34)
    assert images.sizes.tolist() == [[3, 3], [6, 4]]
    assert f"skipped: {folder / 'b.png'}: the image has 35 pixels, more than the" in caplog.text


def test_sizes_are_heights_and_widths(folder):
    assert FolderImages(folder).sizes.tolist() == [[3, 3], [5, 7], [6, 4]]


def test_broken_files_are_named_skipped_and_counted(folder, caplog):
    with caplog.at_level(logging.WARNING, logger="tfrnnc"):
        images = FolderImages(folder)
    assert [path.name for path in images.broken] == ["broken.jpg", "half.png"]
    assert {record.levelname for record in caplog.records} == {"WARNING"}
    for path in images.broken:
        assert sum(str(path) in message for message in caplog.messages) == 1
    assert caplog.messages[-1] == f"{folder}: 2 images skipped"


def test_nothing_is_logged_where_nothing_is_broken(tmp_path, caplog):
    save(random_pixels(4, 4, 3), tmp_path / "a.png")
    assert FolderImages(tmp_path).broken == []
    assert not caplog.records


def test_some_files_of_a_folder(folder):
    images = FolderImages(folder, files=[folder / "b.png"])
    assert images.files == [folder / "b.png"]
    assert images[0].shape == (5, 7, 3)


def test_files_of_every_kind_become_rgb(tmp_path):
    save(np.full((4, 5), 70, np.uint8), tmp_path / "1-gray.png")
    save(np.full((4, 5, 4), (200, 100, 0, 0), np.uint8), tmp_path / "2-transparent.png")
    Image.new("RGB", (5, 4), "red").quantize(2).save(tmp_path / "3-palette.gif")
    images = FolderImages(tmp_path)
    for image, colour in zip(images, [(70,) * 3, (255,) * 3, (255, 0, 0)], strict=True):
        np.testing.assert_array_equal(image, np.full((4, 5, 3), colour))


def test_images_beyond_the_cache_are_read_from_their_files(folder, monkeypatch):
    expected = list(FolderImages(folder))
    monkeypatch.setattr(image_source, "CACHE_BYTES", 3 * 3 * 3)
    for image, pixels in zip(FolderImages(folder), expected, strict=True):
        np.testing.assert_array_equal(image, pixels)


def test_cached_images_do_not_need_their_files(folder):
    images = FolderImages(folder)
    for path in images.files:
        path.unlink()
    assert [image.shape for image in images] == [(3, 3, 3), (5, 7, 3), (6, 4, 3)]


@pytest.mark.parametrize("open_folder", [FolderImages, open_images])
def test_a_folder_without_images_is_named(tmp_path, open_folder):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "note.txt").touch()
    with pytest.raises(DataError, match="empty: no image"):
        open_folder(str(tmp_path / "empty"))


def test_a_folder_with_broken_images_only_is_refused(tmp_path):
    (tmp_path / "a.png").write_text("text")
    with pytest.raises(DataError, match="among 1 image files"):
        FolderImages(tmp_path)


@pytest.mark.parametrize("open_folder", [FolderImages, open_images])
def test_a_missing_folder_is_named(tmp_path, open_folder):
    with pytest.raises(DataError, match="nowhere: no such folder"):
        open_folder(str(tmp_path / "nowhere"))


def test_a_file_is_no_folder(folder):
    with pytest.raises(DataError, match="b.png"):
        FolderImages(folder / "b.png")


# Several sources


class FlatImages(list):
    """Images of one colour each, their number."""

    def __init__(self, *numbers):
        super().__init__(np.full((number + 1, 9, 3), number, np.uint8) for number in numbers)
        self.sizes = np.array([image.shape[:2] for image in self])


def numbers(images):
    assert [image.shape[:2] for image in images] == [tuple(size) for size in images.sizes]
    return [int(image[0, 0, 0]) for image in images]


def test_joined_images_come_one_source_after_the_other():
    images = JoinedImages([FlatImages(0, 1, 2), FlatImages(3), FlatImages(4, 5)])
    assert len(images) == 6
    assert numbers(images) == [0, 1, 2, 3, 4, 5]
    assert images[-1][0, 0, 0] == 5
    with pytest.raises(IndexError):
        images[6]


@pytest.mark.parametrize("part", [slice(1, 5, 2), np.array([1, 3]), np.arange(6) % 4 % 2 == 1])
def test_a_part_of_joined_images(part):
    images = JoinedImages([FlatImages(0, 1, 2), FlatImages(3), FlatImages(4, 5)], part)
    expected = list(np.arange(6)[part])
    assert len(images) == len(expected)
    assert numbers(images) == expected


@pytest.mark.parametrize(("every", "held_out"), [(20, [0]), (4, [0, 4]), (2, [0, 2, 4])])
def test_hold_out_takes_one_of_so_many(every, held_out):
    parts = hold_out([FlatImages(0, 1, 2), FlatImages(3), FlatImages(4, 5)], every)
    assert numbers(parts[1]) == held_out
    assert numbers(parts[0]) == [number for number in range(6) if number not in held_out]


def test_hold_out_of_two_images_leaves_one_for_each():
    assert [numbers(part) for part in hold_out([FlatImages(0), FlatImages(1)])] == [[1], [0]]


@pytest.mark.parametrize("sources", [[], [FlatImages()], [FlatImages(0)]])
def test_one_image_cannot_be_split(sources):
    with pytest.raises(DataError, match="--validation"):
        hold_out(sources)


# TFDS: small data sets made here, so that nothing is downloaded.

IMAGE_SHAPES = {"train": [(10, 12), (9, 9), (16, 20)], "test": [(8, 8)]}


def example_image(split, index, channels):
    return random_pixels(*IMAGE_SHAPES[split][index], channels, seed=index)


class _LocalBuilder(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")
    pkg_dir_path = None

    def _info(self):
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(self.kinds))

    def _split_generators(self, dl_manager):
        return {split: self._generate_examples(split) for split in IMAGE_SHAPES}

    def _generate_examples(self, split):
        for index in range(len(IMAGE_SHAPES[split])):
            yield index, self.example(split, index)


class TfrnncColour(_LocalBuilder):
    kinds = {"image": tfds.features.Image(), "number": tfds.features.Scalar(np.int64)}

    def example(self, split, index):
        return {"image": example_image(split, index, 3), "number": index}


class TfrnncGray(_LocalBuilder):
    kinds = {"image": tfds.features.Image(shape=(None, None, 1))}

    def example(self, split, index):
        return {"image": example_image(split, index, 1)}


class TfrnncImageless(_LocalBuilder):
    kinds = {"number": tfds.features.Scalar(np.int64)}

    def example(self, split, index):
        return {"number": index}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """Where the data sets lie prepared."""
    data_dir = str(tmp_path_factory.mktemp("tensorflow_datasets"))
    for builder in (TfrnncColour, TfrnncGray, TfrnncImageless):
        builder(data_dir=data_dir, file_format="array_record").download_and_prepare()
    return data_dir


def in_any_order(images):
    # TFDS shuffles what it prepares.
    return sorted((image.shape, image.tobytes()) for image in images)


@pytest.mark.parametrize("split", ["train", "test"])
def test_tfds_images_are_those_of_the_data_set(data_dir, split):
    images = open_images("tfds:tfrnnc_colour", split, data_dir)
    assert isinstance(images, TFDSImages)
    assert len(images) == len(IMAGE_SHAPES[split])
    expected = [example_image(split, index, 3) for index in range(len(images))]
    found = [images[index] for index in range(len(images))]
    assert in_any_order(found) == in_any_order(expected)
    assert images.sizes.tolist() == [list(image.shape[:2]) for image in found]
    assert all(image.dtype == np.uint8 for image in found)


def test_tfds_names_and_splits_as_tfds_writes_them(data_dir):
    assert len(open_images("tfds:tfrnnc_colour:1.0.0", "train[:2]", data_dir)) == 2


def test_tfds_images_can_be_iterated_over(data_dir):
    images = open_images("tfds:tfrnnc_colour", data_dir=data_dir)
    assert len(list(images)) == 3
    np.testing.assert_array_equal(images[-1], images[2])
    with pytest.raises(IndexError):
        images[3]


def test_tfds_images_make_patches(data_dir):
    images = open_images("tfds:tfrnnc_colour", data_dir=data_dir)
    (batch,) = PatchBatches(images, batch_size=4, patch_size=8)[0]
    assert batch.shape == (4, 8, 8, 3)


def test_tfds_grayscale_becomes_rgb(data_dir):
    images = open_images("tfds:tfrnnc_gray", "test", data_dir)
    np.testing.assert_array_equal(images[0], np.repeat(example_image("test", 0, 1), 3, axis=2))


def test_tfds_prepares_what_is_not_prepared_yet(tmp_path):
    assert len(open_images("tfds:tfrnnc_colour", data_dir=str(tmp_path))) == 3


def test_tfds_data_without_random_access_is_refused(tmp_path):
    TfrnncColour(data_dir=str(tmp_path), file_format="tfrecord").download_and_prepare()
    with pytest.raises(DataError, match="tfds:tfrnnc_colour: .*(?i:tfrecord)"):
        open_images("tfds:tfrnnc_colour", data_dir=str(tmp_path))


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("tfrnnc_no_such_set", "train"),
        ("tfrnnc_colour/no_such_config", "train"),
        ("tfrnnc_colour:9.9.9", "train"),
        ("tfrnnc_colour", "no_such_split"),
        ("tfrnnc_colour", "train[:0]"),
        ("", "train"),
        ("not a name", "train"),
    ],
)
def test_tfds_names_and_splits_that_do_not_exist_are_named(data_dir, name, split):
    with pytest.raises(DataError, match=f"^tfds:{name}: "):
        open_images(f"tfds:{name}", split, data_dir)


def test_tfds_data_without_images_is_refused(data_dir):
    with pytest.raises(DataError, match="tfds:tfrnnc_imageless: .*'image'.*'train'"):
        open_images("tfds:tfrnnc_imageless", data_dir=data_dir)
