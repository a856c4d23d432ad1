"""Where training images come from: folders and TFDS data sets."""

from __future__ import annotations

import logging
import os
from abc import abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from tfrnnc.bitstream.constants import MAX_PIXELS
from tfrnnc.errors import DataError, ImageError
from tfrnnc.images import as_rgb, find_images, read_image

logger = logging.getLogger("tfrnnc")

CACHE_BYTES = 4 << 30  #: decoded images kept in memory, per source


class ImageSource(Sequence[np.ndarray]):
    """Images decoded when they are asked for and kept in memory up to `CACHE_BYTES`.

    Attributes:
        sizes: int (number, 2), each image's height and width, known without decoding it again.
    """

    sizes: np.ndarray

    def __init__(self) -> None:
        self._cache: dict[int, np.ndarray] = {}
        self._cached_bytes = 0

    def __getitem__(self, index: int) -> np.ndarray:  # type: ignore[override]
        if not -len(self) <= index < len(self):
            raise IndexError(f"there are {len(self)} images, none has number {index}")
        index %= len(self)
        image = self._cache.get(index)
        if image is None:
            image = self._read(index)
            self._keep(index, image)
        return image

    def _keep(self, index: int, image: np.ndarray) -> None:
        if self._cached_bytes + image.nbytes <= CACHE_BYTES:
            self._cache[index] = image
            self._cached_bytes += image.nbytes

    @abstractmethod
    def _read(self, index: int) -> np.ndarray:
        """Decodes an image, uint8 (H, W, 3)."""


class FolderImages(ImageSource):
    """The images of a folder and of the folders below it.

    All files are read once, so that broken ones are known before training starts: each is
    named in a warning, skipped and counted.

    Args:
        folder: path of the folder.
        files: take these files of the folder only.
        max_pixels: skip larger images, as broken ones are.

    Attributes:
        files: the files that could be read, in sorted order.
        broken: the files that could not.

    Raises:
        DataError: if the folder does not exist or holds no image that can be read.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        files: Sequence[Path] | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        super().__init__()
        self._max_pixels = max_pixels
        folder = Path(folder)
        if not folder.is_dir():
            raise DataError(f"{folder}: no such folder; give a folder of images")
        candidates = find_images(folder) if files is None else list(files)
        self.files: list[Path] = []
        self.broken: list[Path] = []
        sizes = []
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            read = pool.map(self._read_or_error, candidates)
            for path, image in zip(candidates, read, strict=True):
                if isinstance(image, ImageError):
                    logger.warning("skipped: %s", image)
                    self.broken.append(path)
                    continue
                self._keep(len(self.files), image)
                self.files.append(path)
                sizes.append(image.shape[:2])
        if self.broken:
            logger.warning("%s: %d images skipped", folder, len(self.broken))
        if not self.files:
            raise DataError(
                f"{folder}: no image that can be read among {len(candidates)} image files; give "
                "a folder of images (.png, .jpg, .webp and others)"
            )
        self.sizes = np.array(sizes)

    def __len__(self) -> int:
        return len(self.files)

    def _read(self, index: int) -> np.ndarray:
        return self._read_file(self.files[index])

    def _read_file(self, path: Path) -> np.ndarray:
        return read_image(path, background="white", max_pixels=self._max_pixels)

    def _read_or_error(self, path: Path) -> np.ndarray | ImageError:
        try:
            return self._read_file(path)
        except ImageError as error:
            return error


class TFDSImages(ImageSource):
    """The `image` feature of a TensorFlow Datasets data set, prepared if need be.

    It is read by random access (`tfds.data_source`), which needs no TensorFlow, once at the
    start to learn the sizes.

    Args:
        name: of the data set, as `tfds.load` takes it ("cifar10", "imagenet2012:5.1.0").
        split: which split, in TFDS's notation ("train", "train[:90%]").
        data_dir: where prepared data sets lie; None takes TFDS's default.

    Raises:
        DataError: if the data set is not known, has no image feature, or is not stored in a
            format that can be read at random.
    """

    def __init__(self, name: str, split: str = "train", data_dir: str | None = None) -> None:
        super().__init__()
        try:
            import tensorflow_datasets as tfds
        except ImportError as error:
            raise DataError(
                f"tfds:{name}: tensorflow-datasets is not installed; pip install 'tfrnnc[train]'"
            ) from error
        try:
            # Else TFDS would prepare a file format that cannot be read at random.
            self._source = tfds.data_source(
                name,
                split=split,
                data_dir=data_dir,
                builder_kwargs={"file_format": "array_record"},
            )
        except (
            tfds.core.DatasetNotFoundError,
            AssertionError,
            NotImplementedError,
            ValueError,
        ) as error:
            raise DataError(f"tfds:{name}: {str(error).strip().splitlines()[0]}") from error
        if len(self._source) == 0 or "image" not in self._source[0]:
            raise DataError(f"tfds:{name}: has no feature 'image' in split {split!r}")
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            self.sizes = np.array(list(pool.map(lambda i: self[i].shape[:2], range(len(self)))))

    def __len__(self) -> int:
        return len(self._source)

    def _read(self, index: int) -> np.ndarray:
        return as_rgb(np.asarray(self._source[index]["image"]), background="white")


class JoinedImages(Sequence[np.ndarray]):
    """Several sources one after the other, or a part of them.

    Args:
        sources: what to join.
        part: take these of all images only, as an index of NumPy.

    Attributes:
        sizes: int (number, 2), each image's height and width.
    """

    def __init__(
        self, sources: Sequence[Sequence[np.ndarray]], part: slice | np.ndarray = slice(None)
    ) -> None:
        self._sources = sources
        self._ends = np.cumsum([len(source) for source in sources])
        self._chosen = np.arange(self._ends[-1])[part]
        self.sizes = np.concatenate([image_sizes(source) for source in sources])[part]

    def __len__(self) -> int:
        return len(self._chosen)

    def __getitem__(self, index: Any) -> Any:
        chosen = self._chosen[index]
        source = int(np.searchsorted(self._ends, chosen, side="right"))
        return self._sources[source][int(chosen - self._ends[source])]


def hold_out(
    sources: Sequence[Sequence[np.ndarray]], every: int = 20
) -> tuple[JoinedImages, JoinedImages]:
    """Splits sources into images to train on and, one of a number, images to measure on.

    Raises:
        DataError: if there is only one image.
    """
    total = sum(map(len, sources))
    if total < 2:
        raise DataError("one image cannot be split in two; give --validation a folder")
    held_out = np.arange(total) % every == 0
    return JoinedImages(sources, ~held_out), JoinedImages(sources, held_out)


def open_images(
    location: str,
    split: str = "train",
    data_dir: str | None = None,
    max_pixels: int = MAX_PIXELS,
) -> ImageSource:
    """Opens what `--data` names.

    Args:
        location: a folder, or "tfds:NAME".
        split: of a TFDS data set.
        data_dir: of a TFDS data set.
        max_pixels: of a folder's images; larger ones are skipped. TFDS has no such limit.

    Returns:
        the images, uint8 (H, W, 3).

    Raises:
        DataError: as for `FolderImages` and `TFDSImages`.
    """
    if location.startswith("tfds:"):
        return TFDSImages(location.removeprefix("tfds:"), split, data_dir)
    return FolderImages(location, max_pixels=max_pixels)


def image_sizes(images: Sequence[np.ndarray]) -> np.ndarray:
    """Height and width of each image, int (number, 2)."""
    sizes: np.ndarray | None = getattr(images, "sizes", None)
    if sizes is None:
        sizes = np.array([image.shape[:2] for image in images], int).reshape(-1, 2)
    return sizes
