"""Images in and out: files and Pillow objects to RGB arrays, pixels to the models' range."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageColor, ImageOps, UnidentifiedImageError

from tfrnnc.errors import ImageError

SCALE = 0.9  #: white as a float; black is -SCALE

EXTENSIONS = frozenset(
    [".avif", ".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"]
)  #: file names that count as images when a folder is searched


def to_float(pixels: np.ndarray) -> np.ndarray:
    """Maps uint8 pixels to float32 in [-0.9, 0.9], inside tanh's range (section 3.1)."""
    return pixels.astype(np.float32) * np.float32(2 * SCALE / 255) - np.float32(SCALE)


def to_uint8(values: np.ndarray) -> np.ndarray:
    """Maps floats in [-0.9, 0.9] back to uint8 pixels: the nearest level, clipped to 0-255."""
    levels = (np.asarray(values, np.float32) + np.float32(SCALE)) * np.float32(255 / (2 * SCALE))
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)


def pad_to_multiple(pixels: np.ndarray, stride: int) -> np.ndarray:
    """Repeats the last row and column until height and width are multiples of `stride`.

    Example:

    >>> pad_to_multiple(np.zeros((1, 9, 3), np.uint8), 8).shape
    (8, 16, 3)
    """
    height, width, _ = pixels.shape
    return np.pad(pixels, ((0, -height % stride), (0, -width % stride), (0, 0)), mode="edge")


def read_image(file: str | os.PathLike | BinaryIO, background: str | None = None) -> np.ndarray:
    """Reads an image file as `as_rgb` gives it.

    Args:
        file: a path, or a binary file object.
        background: as for `as_rgb`.

    Returns:
        uint8 (H, W, 3).

    Raises:
        ImageError: if the file is missing, is no image that Pillow knows, or is broken; and as
            for `as_rgb`.
    """
    prefix = "" if hasattr(file, "read") else f"{os.fspath(file)}: "
    try:
        with Image.open(file) as image:
            return as_rgb(image, background)
    except (ImageError, Image.DecompressionBombError) as error:
        raise ImageError(f"{prefix}{error}") from error
    except FileNotFoundError as error:
        raise ImageError(f"{prefix}no such file; check the path") from error
    except UnidentifiedImageError as error:
        raise ImageError(
            f"{prefix}not an image of a known format; convert it to PNG or JPEG first"
        ) from error
    except (OSError, RuntimeError, SyntaxError, ValueError) as error:
        # Pillow's readers raise each of these for broken files.
        raise ImageError(f"{prefix}not an image that can be read ({error})") from error


def as_rgb(image: Image.Image | np.ndarray, background: str | None = None) -> np.ndarray:
    """Turns an image of any common kind into an RGB array.

    EXIF orientation is applied; grayscale and palette images become RGB; 16-bit grayscale is
    reduced to 8 bits.

    Args:
        image: a Pillow image, or a uint8 array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4).
        background: what shows through where the image is transparent: a colour as Pillow names
            them ("white", "#ff8800").

    Returns:
        uint8 (H, W, 3).

    Raises:
        ImageError: if the image is transparent somewhere and no background is given, the
            background is no colour, the pixels are floats, or the array is of another shape or
            type.

    Example:
    >>> as_rgb(np.zeros((4, 5), np.uint8)).shape
    (4, 5, 3)
    """
    behind = None if background is None else _parse_colour(background)
    if isinstance(image, np.ndarray):
        image = _from_array(image)
    image = ImageOps.exif_transpose(image)
    if image.mode == "F":
        raise ImageError("the image has floating-point pixels; convert it to 8 bits first")
    if image.mode.startswith("I"):
        levels = np.asarray(image).astype(np.int64)
        transparent = levels == image.info.get("transparency", -1)
        image = Image.fromarray(np.clip(np.rint(levels / 257), 0, 255).astype(np.uint8))
        if transparent.any():
            image.putalpha(Image.fromarray(np.where(transparent, 0, 255).astype(np.uint8)))
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        alpha = np.asarray(rgba.getchannel("A"))
        if alpha.min(initial=255) == 255:
            image = rgba.convert("RGB")
        elif behind is None:
            raise ImageError(
                "the image is transparent in places, which the codec does not store; "
                "give a background colour (--background white)"
            )
        else:
            image = Image.alpha_composite(Image.new("RGBA", rgba.size, behind), rgba)
    return np.array(image.convert("RGB"))


def find_images(folder: str | os.PathLike) -> list[Path]:
    """The image files in a folder and the folders below it, by their extension, sorted."""
    return sorted(
        path
        for path in Path(folder).rglob("*")
        if path.suffix.lower() in EXTENSIONS and path.is_file()
    )


def _parse_colour(name: str) -> tuple[int, ...]:
    try:
        return ImageColor.getcolor(name, "RGBA")  # type: ignore[return-value]
    except ValueError as error:
        raise ImageError(
            f"background {name!r} is not a colour; write a name such as white, or #rrggbb"
        ) from error


def _from_array(array: np.ndarray) -> Image.Image:
    if array.dtype != np.uint8:
        raise ImageError(f"pixels must be uint8 (0 to 255), not {array.dtype}")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))):
        raise ImageError(
            f"an image array must be (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), not {array.shape}"
        )
    if 0 in array.shape:
        raise ImageError(f"the image has no pixels: {array.shape}")
    return Image.fromarray(array)
