"""Large images row by row: files of which never more than a strip is in memory.

Pillow reads and writes whole images. libvips does not, and the extra `large` installs it. Pillow
still opens each file first, and decides what it is.
"""

from __future__ import annotations

import errno
import functools
import importlib
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tfrnnc.bitstream.constants import MAX_PIXELS
from tfrnnc.errors import ImageError, InstallationError
from tfrnnc.files import replacing, temporary_file
from tfrnnc.image_metadata import ORIENTATION, UPRIGHT, has_late_metadata
from tfrnnc.images import (
    FORMATS,
    add_profile,
    flatten,
    orientation_of,
    parse_colour,
    report_frames,
    require_pixels,
    usable_profile,
)

WRITTEN = {".png": "png", ".tif": "tiff", ".tiff": "tiff"}
"""Extensions of the formats that are written row by row, and libvips's names of them."""

_LOADERS = {"JPEG": "jpegload", "PNG": "pngload", "TIFF": "tiffload"}
_BANDS = {"L": 1, "RGB": 3, "RGBA": 4}
# What libtiff stores without a conversion of colours that each reader does in its own way.
_TIFF_COMPRESSIONS = ("raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "zstd")
_PHOTOMETRIC, _BLACK_IS_ZERO, _RGB = 262, 1, 2  # A tag of TIFF, and values.


class ImageRows:
    """An image in a file, whose rows are read as they are needed.

    Indexing with a slice gives rows, uint8 (n, W, 3), as `tfrnnc.images.read_image` would. From the
    top down each row is read once; going back begins anew. `numpy.asarray` reads all of them.
    `open_rows` makes them.

    Args:
        path: of the file.
        loader: libvips's name of what reads it.
        mode: Pillow's name of the kind of pixels.
        size: width and height.
        background: as for `read_image`.

    Attributes:
        name: what messages call the file.
        shape: (H, W, 3).
        profile: the ICC profile of the colours, if they need to be converted; None at first.
    """

    def __init__(
        self,
        path: str,
        loader: str,
        mode: str,
        size: tuple[int, int],
        background: str | None,
    ):
        self.name = path
        self.shape = size[1], size[0], 3
        self.profile: bytes | None = None
        self._loader, self._mode = loader, mode
        self._behind = parse_colour(background)
        self._position = 0
        self._region: Any = None

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def size(self) -> int:
        """How many values there are."""
        return self.shape[0] * self.shape[1] * self.shape[2]

    def __getitem__(self, rows: slice) -> np.ndarray:
        first, last, step = rows.indices(len(self))
        assert step == 1, "rows are read one after the other"
        if last <= first:
            return np.empty((0, *self.shape[1:]), np.uint8)
        try:
            return flatten(self._read(first, last), self._behind, self.name, self.profile)
        except ImageError as error:
            raise ImageError(f"{self.name}: {error}") from error

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:].astype(dtype or np.uint8, copy=False)

    def _open(self) -> None:
        """Begins anew at the first row."""
        vips = require_vips()
        self._region, self._position = None, 0
        # A source of its own: files by their name would be given as they once were.
        source = vips.Source.new_from_file(self.name)
        load = getattr(vips.Image, f"{self._loader}_source")
        image = load(source, access="sequential", fail_on="error")
        found = image.height, image.width, image.bands, image.format
        if found != (*self.shape[:2], _BANDS[self._mode], "uchar"):
            raise ImageError("it has changed since it was opened; read it again")
        self._region = vips.Region.new(image)

    def _read(self, first: int, last: int) -> Image.Image:
        """Rows as the file has them."""
        bands = _BANDS[self._mode]
        shape = (last - first, self.shape[1], bands) if bands > 1 else (last - first, self.shape[1])
        try:
            if self._region is None or first < self._position:
                self._open()
            values = self._region.fetch(0, first, self.shape[1], last - first)
        except require_vips().Error as error:
            raise ImageError(
                f"damaged, or of a kind that cannot be read ({_reason(error)}); get it again, or "
                "save it as a PNG"
            ) from error
        self._position = last
        return Image.fromarray(np.frombuffer(values, np.uint8).reshape(shape))


def open_rows(
    path: str | os.PathLike[str],
    background: str | None = None,
    max_pixels: int | None = MAX_PIXELS,
    min_pixels: int = 0,
) -> ImageRows | None:
    """Opens an image file whose rows can be read one after the other.

    That takes the extra `large`, and a PNG that is not interlaced, a JPEG that is not progressive,
    or a TIFF, of 8 bits, gray or RGB, that need not be turned; a PNG may have an alpha channel.

    Args:
        path: of the file.
        background: as for `tfrnnc.images.read_image`.
        max_pixels: as for `tfrnnc.images.read_image`.
        min_pixels: leave smaller images to `read_image`.

    Returns:
        its rows; None for other files, and where the extra is not installed. `read_image` reads
        the file then, or tells what is wrong with it.
    """
    name = os.fsdecode(path)
    with suppress(Exception):  # What is wrong with it, `read_image` tells.
        parse_colour(background)
        with Image.open(name, formats=FORMATS) as image:
            if image.width * image.height < min_pixels or find_vips() is None:
                return None
            require_pixels(image, max_pixels)
            if not _has_plain_rows(image):
                return None
            loader = _LOADERS[str(image.format)]
            rows = ImageRows(name, loader, image.mode, image.size, background)
            rows[:1]  # libvips may see something else in it. From here on, warnings count.
            add_profile(image, name)
            rows.profile = usable_profile(image, name)
            report_frames(image, name)
            return rows
    return None


def save_rows(
    path: str | os.PathLike[str], rows: Iterable[np.ndarray], width: int, height: int
) -> None:
    """Writes an image file row by row, whole or not at all.

    What is not yet written lies in a temporary file beside it, of 3 bytes per pixel.

    Args:
        path: of the file; its extension is one of `WRITTEN`.
        rows: uint8 (n, W, 3), from the top down.
        width: of the image in pixels.
        height: of the image in pixels.

    Raises:
        InstallationError: if libvips is not installed.
        OSError: if the file cannot be written.
    """
    vips = require_vips()
    kind = WRITTEN[Path(path).suffix.lower()]
    options = {"png": {"filter": "all"}, "tiff": {}}[kind]
    with replacing(path) as target, temporary_file(target) as raw:
        with raw.open("wb") as file:
            for part in rows:
                file.write(np.ascontiguousarray(part).data)
        image = vips.Image.rawload(str(raw), width, height, 3).copy(interpretation="srgb")
        save = getattr(image, f"{kind}save")
        try:
            save(str(target), **options)
        except vips.Error as error:
            raise OSError(errno.EIO, _reason(error), str(path)) from error


@functools.cache
def find_vips() -> Any:
    """The module `pyvips`; None where it, or libvips, is not installed."""
    try:
        return importlib.import_module("pyvips")
    except (ImportError, OSError):  # OSError: its library.
        return None


def require_vips() -> Any:
    """The module `pyvips`.

    Raises:
        InstallationError: if it, or libvips, is not installed.
    """
    vips = find_vips()
    if vips is None:
        raise InstallationError(
            "images are read and written row by row with libvips, which is not installed; "
            "pip install 'tfrnnc[large]'"
        )
    return vips


def _has_plain_rows(image: Image.Image) -> bool:
    """Whether the rows of an image that was just opened can be read as `ImageRows` does it."""
    if image.mode not in _BANDS or "transparency" in image.info:
        return False
    if image.format == "TIFF":
        tags: Any = image.tag_v2  # type: ignore[attr-defined]
        return (
            image.mode != "RGBA"
            and image.info.get("compression") in _TIFF_COMPRESSIONS
            and tags.get(_PHOTOMETRIC) in (_BLACK_IS_ZERO, _RGB)
            and tags.get(ORIENTATION, UPRIGHT) == UPRIGHT
        )
    if image.format == "PNG":
        if image.info.get("interlace") or has_late_metadata(image.fp):  # type: ignore[attr-defined]
            return False
        # That of PNG files would read all pixels first.
        image.getexif = functools.partial(Image.Image.getexif, image)  # type: ignore[method-assign]
    elif image.format != "JPEG" or image.info.get("progressive"):
        return False
    return orientation_of(image) == UPRIGHT


def _reason(error: Exception) -> str:
    """What libvips says went wrong, in a line."""
    lines = [line.strip() for line in str(error).splitlines()]
    return next((line for line in lines[1:] if line), lines[0])
