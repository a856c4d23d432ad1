"""Images in and out: files and Pillow objects to RGB arrays, pixels to the models' range."""

from __future__ import annotations

import functools
import io
import logging
import os
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageCms, ImageColor, UnidentifiedImageError

from tfrnnc.bitstream.constants import MAX_PIXELS
from tfrnnc.cicp import profile_of, read_code_points
from tfrnnc.errors import ImageError, TooLargeError
from tfrnnc.image_metadata import (
    ORIENTATION,
    UPRIGHT,
    count_scans,
    read_jp2_profile,
    read_orientation,
    read_tile_pixels,
    strip_metadata,
)
from tfrnnc.libtiff import libtiff_errors

SCALE = 0.9  #: white as a float; black is -SCALE

EXTENSIONS = frozenset(
    [".avif", ".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"]
)  #: file names that count as images when a folder is searched

# Others either start programs (EPS), or are read by code that few files have tried.
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
"""Pillow's names of the formats that are opened, whatever a file is called."""

MAX_SCANS = 100  #: of a JPEG file, as libtiff has it; real ones have about ten

_HALF_RANGE, _LEVELS_PER_UNIT = np.float32(SCALE), np.float32(255 / (2 * SCALE))
_UNITS_PER_LEVEL = np.float32(2 * SCALE / 255)
_BLACK, _WHITE = np.float32(0), np.float32(255)

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # By EXIF orientation: what makes the image upright.

_PROFILE_MODES = {"GRAY": "L", "RGB ": "RGB", "CMYK": "CMYK", "Lab ": "LAB"}
_ROWS_AT_ONCE = 256
_SIGNATURE_BYTES = 16  # What Pillow shows to its readers.
_BITS_PER_SAMPLE, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0  # Tags of TIFF, and a value.

_SMALLER = "make it smaller first; or raise the limit (max_pixels=, --max-pixels) if you trust it"

_log = logging.getLogger(__name__)


def to_float(pixels: np.ndarray) -> np.ndarray:
    """Maps uint8 pixels to float32 in [-0.9, 0.9], inside tanh's range (section 3.1)."""
    values = pixels.astype(np.float32)
    values *= _UNITS_PER_LEVEL
    values -= _HALF_RANGE
    return values


def to_uint8(values: np.ndarray) -> np.ndarray:
    """Maps floats in [-0.9, 0.9] back to uint8 pixels: the nearest level, clipped to 0-255."""
    levels = np.asarray(values, np.float32) + _HALF_RANGE
    levels *= _LEVELS_PER_UNIT
    np.rint(levels, out=levels)
    np.maximum(levels, _BLACK, out=levels)
    np.minimum(levels, _WHITE, out=levels)
    return levels.astype(np.uint8)


def pad_to_multiple(pixels: np.ndarray, stride: int) -> np.ndarray:
    """Repeats the last row and column until height and width are multiples of `stride`.

    Examples:
        >>> pad_to_multiple(np.zeros((1, 9, 3), np.uint8), 8).shape
        (8, 16, 3)
    """
    height, width, _ = pixels.shape
    if not (height % stride or width % stride):
        return pixels
    return np.pad(pixels, ((0, -height % stride), (0, -width % stride), (0, 0)), mode="edge")


def read_image(
    file: str | os.PathLike[str] | BinaryIO,
    background: str | None = None,
    name: str | None = None,
    max_pixels: int | None = MAX_PIXELS,
) -> np.ndarray:
    """Reads an image file as `as_rgb` gives it.

    Only files of `FORMATS` are opened, whatever their extension. Metadata that cannot be read
    does not keep the pixels from being read. Of an animation or a document the first frame is
    read; a warning is logged that tells how many there are. What libtiff would print of a damaged
    TIFF is in the error, or in a warning where there is a picture all the same.

    Args:
        file: a path, or a binary file object.
        background: as for `as_rgb`.
        name: what messages call the file (default: its path).
        max_pixels: refuse larger images, and TIFF files of larger tiles, before their pixels are
            read, as a few thousand bytes can hold more than a hundred million; None leaves it to
            Pillow's own limit of 178 million.

    Returns:
        uint8 (H, W, 3).

    Raises:
        TooLargeError: if the image has more pixels than `max_pixels`, or than Pillow reads.
        ImageError: if the file is missing, is no image of a known format, is broken, or does not
            fit in memory; and as for `as_rgb`. The message begins with the name.
    """
    if name is None:
        name = os.fsdecode(file) if isinstance(file, str | bytes | os.PathLike) else ""
    prefix = f"{name}: " if name else ""
    with libtiff_errors() as faults:
        try:
            pixels = _read_pixels(file, background, name, max_pixels)
        except Exception as error:  # Pillow's readers raise whatever they come across.
            too_large = isinstance(error, TooLargeError | Image.DecompressionBombError)
            kind = TooLargeError if too_large else ImageError
            if isinstance(error, UnidentifiedImageError):
                reason = _explain_unidentified(_beginning(file))
            else:
                reason = _explain(error, faults)
            raise kind(f"{prefix}{reason}") from error
    _report_faults(faults, name)
    return pixels


def as_rgb(
    image: Image.Image | np.ndarray,
    background: str | None = None,
    copy: bool = True,
    max_pixels: int | None = None,
) -> np.ndarray:
    """Turns an image of any common kind into an RGB array.

    The EXIF orientation is applied. Colours are converted to sRGB from the ICC profile that a
    Pillow image carries, with the perceptual intent, which for CMYK makes the darkest ink black;
    without a profile they count as sRGB. A profile that cannot be used is ignored, and a warning
    logged. Of an image that Pillow has opened and not loaded yet, the code points of a PNG or AVIF
    file and the profile of a JPEG 2000 file count as well; see `tfrnnc.cicp`. Grayscale, palette
    and CMYK images become RGB. 16-bit grayscale is reduced to 8 bits, to the nearest level.

    Args:
        image: a Pillow image, or an array of uint8 (H, W), (H, W, 1), (H, W, 3) or (H, W, 4); a
            memoryview or another object that NumPy can read as such an array will do.
        background: what shows through where the image is transparent: a colour as Pillow names
            them ("white", "#ff8800").
        copy: whether an RGB array is copied.
        max_pixels: refuse larger Pillow images, whose pixels may not have been read yet.

    Returns:
        uint8 (H, W, 3), in the order of C.

    Raises:
        TooLargeError: if a Pillow image has more pixels than `max_pixels`.
        ImageError: if the image is transparent somewhere and no background is given, the
            background is no colour, the image has no pixels, is closed or cut short, its pixels
            are floats or 32-bit numbers outside 0 to 255, or the array is of another shape or
            type.

    Examples:
        >>> as_rgb(np.zeros((4, 5), np.uint8)).shape
        (4, 5, 3)
    """
    behind = parse_colour(background)
    if not isinstance(image, Image.Image):
        array = _check_array(image)
        if array.shape[2:] == (3,):
            return np.array(array, order="C") if copy else np.ascontiguousarray(array)
        return flatten(Image.fromarray(np.ascontiguousarray(array)), behind, "")
    require_pixels(image, max_pixels)
    name = getattr(image, "filename", "")
    with libtiff_errors() as faults:
        try:
            add_profile(image, name)
            image.load()
            pixels = _convert(image, orientation_of(image), behind, name)
        except ImageError:
            raise
        except Exception as error:
            raise ImageError(
                f"the image cannot be loaded ({_joined(_name_error(error), faults)}); it has to be "
                "whole, and open until it is encoded"
            ) from error
    _report_faults(faults, name)
    return pixels


def parse_colour(name: str | None) -> tuple[int, ...] | None:
    """A colour by its name.

    Args:
        name: as Pillow knows colours ("white", "#ff8800").

    Returns:
        its red, green, blue and alpha, 0 to 255; None for None.

    Raises:
        ImageError: if there is no such colour.
    """
    if name is None:
        return None
    try:
        return ImageColor.getcolor(name, "RGBA")  # type: ignore[return-value]
    except (AttributeError, TypeError, ValueError) as error:
        raise ImageError(
            f"background {name!r} is not a colour; write a name such as white, or #rrggbb"
        ) from error


def find_images(folder: str | os.PathLike[str]) -> list[Path]:
    """The image files in a folder and the folders below it, by their extension, sorted."""
    return sorted(
        path
        for path in Path(folder).rglob("*")
        if path.suffix.lower() in EXTENSIONS and path.is_file()
    )


def _read_pixels(
    file: Any, background: str | None, name: str, max_pixels: int | None
) -> np.ndarray:
    """The first frame of a file, without its metadata if they cannot be read.

    Raises whatever Pillow does.
    """
    try:
        return _read_frame(file, background, name, max_pixels)
    except (ImageError, MemoryError, Image.DecompressionBombError):
        raise
    except Exception:
        stripped = _without_metadata(file)
        if stripped is None:
            raise
        pixels = _read_frame(io.BytesIO(stripped), background, name, max_pixels)
        _warn(name, "the metadata cannot be read and is ignored")
        return pixels


def _read_frame(file: Any, background: str | None, name: str, max_pixels: int | None) -> np.ndarray:
    """The first frame of a file. Raises whatever Pillow does."""
    behind = parse_colour(background)
    with Image.open(file, formats=FORMATS) as image:
        require_pixels(image, max_pixels)
        add_profile(image, name)
        pixels = _convert(image, _load(image), behind, name)
        report_frames(image, name)
        return pixels


def require_pixels(image: Image.Image, most: int | None) -> None:
    """Raises TooLargeError for an image of too much work, without reading its pixels.

    Args:
        image: that was just opened.
        most: pixels, of the image and of a tile; None for any.
    """
    if most is None:
        return
    require_size(image.width, image.height, most)
    tags, file = getattr(image, "tag_v2", None), getattr(image, "fp", None)
    if file is None:
        return  # It is loaded.
    if image.format in ("JPEG", "MPO") and count_scans(file, MAX_SCANS) > MAX_SCANS:
        raise TooLargeError(
            f"the image has more than {MAX_SCANS} scans, each as much work as its pixels; save it "
            "as a PNG"
        )
    if tags is None:
        return  # Others than TIFF have no tiles.
    pixels = read_tile_pixels(file, tags.offset)
    if pixels > most:
        raise TooLargeError(
            f"a tile of the image has {pixels:,} pixels, more than the limit of {most:,}; "
            f"{_SMALLER}"
        )


def require_size(width: int, height: int, most: int) -> None:
    """Raises TooLargeError for an image of more pixels than `most`."""
    pixels = width * height
    if pixels > most:
        raise TooLargeError(
            f"the image has {pixels:,} pixels, more than the limit of {most:,}; {_SMALLER}"
        )


def _report_faults(faults: list[str], name: str) -> None:
    """Logs what libtiff found wrong with an image that could be read."""
    if faults:
        _warn(name, f"damaged in places ({', '.join(faults)})")


def _joined(reason: str, faults: list[str]) -> str:
    """Pillow's reason and libtiff's."""
    return ": ".join(filter(None, (reason, ", ".join(faults))))


def report_frames(image: Image.Image, name: str) -> None:
    """Logs that a loaded file holds further pictures, where it does."""
    try:
        if not getattr(image, "is_animated", False):
            return
        frames = f"{image.n_frames} frames"  # type: ignore[attr-defined]
    except Exception:  # The others cannot be read.
        frames = "several frames"
    _warn(name, f"only the first of {frames} is read")


def _without_metadata(file: Any) -> bytes | None:
    """What `strip_metadata` leaves of a file; None where that does not help."""
    if isinstance(file, str | bytes | os.PathLike):
        path = Path(os.fsdecode(file))
        return strip_metadata(path.read_bytes()) if path.is_file() else None
    try:
        file.seek(0)
        return strip_metadata(file.read())
    except Exception:  # It cannot be read twice.
        return None


def _explain(error: Exception, faults: list[str]) -> str:
    """What is wrong with a file, by libtiff's words too, and what to do."""
    if isinstance(error, ImageError):
        return str(error)
    if isinstance(error, FileNotFoundError):
        return "no such file; check the path"
    if isinstance(error, IsADirectoryError):
        return "a folder, not an image; name the files in it"
    if isinstance(error, MemoryError):
        return "the image does not fit in memory; make it smaller first"
    if isinstance(error, Image.DecompressionBombError):
        return f"the image has more pixels than Pillow reads ({error}); make it smaller first"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be read ({error.strerror}); check the file and its permissions"
    reason = _joined(str(error), faults)  # A reader's assertions tell nothing.
    reason = f" ({reason})" if reason else ""
    return f"damaged, or of a kind that cannot be read{reason}; get it again, or save it as a PNG"


def _explain_unidentified(beginning: bytes) -> str:
    """What is wrong with a file that no reader takes, by its first bytes, and what to do.

    Readers check a signature first. One that refuses what follows says no more than that.
    """
    if not beginning:
        return "the file is empty; get it again"
    for name in FORMATS:
        _, accept = Image.OPEN.get(name, (None, None))
        known = accept is not None and accept(beginning)
        if isinstance(known, str):  # Why this Pillow cannot read it.
            return f"{known}; save it as a PNG"
        if known:
            return (
                f"begins as {name} does, but is cut, damaged, or of a kind that cannot be read; "
                "get it again, or save it as a PNG"
            )
    return "not an image of a known format; convert it to PNG or JPEG first"


def _beginning(file: Any) -> bytes:
    """The first bytes of a file that could be opened, for its signature."""
    try:
        if isinstance(file, str | bytes | os.PathLike):
            with open(file, "rb") as opened:
                return opened.read(_SIGNATURE_BYTES)
        file.seek(0)
        content: bytes = file.read(_SIGNATURE_BYTES)
        return content
    except Exception:  # It cannot be read twice.
        return b""


def _warn(name: str, message: str) -> None:
    _log.warning("%s%s", f"{name}: " if name else "", message)


def _warn_of_profile(name: str, reason: str) -> None:
    _warn(name, f"the colour profile cannot be used ({reason}) and is ignored")


def _name_error(error: Exception) -> str:
    return str(error) or type(error).__name__


def _convert(
    image: Image.Image, orientation: int, behind: tuple[int, ...] | None, name: str
) -> np.ndarray:
    """A loaded Pillow image as `as_rgb` gives it. Raises whatever Pillow does."""
    if image.mode == "F":
        raise ImageError("the image has floating-point pixels; convert it to 8 bits first")
    if 0 in image.size:
        raise ImageError(f"the image has no pixels: {image.width}x{image.height}")
    profile = image.info.get("icc_profile", b"")
    if profile is None:  # What Pillow makes of one that is damaged.
        _warn_of_profile(name, "it is damaged")
    if image.mode.startswith("I"):
        image = _to_8_bits(image)
    if orientation in _TURNS:
        image = image.transpose(_TURNS[orientation])
    return flatten(image, behind, name, profile)


def add_profile(image: Image.Image, name: str) -> None:
    """Gives an image that was just opened the colour profile that Pillow does not read."""
    file = getattr(image, "fp", None)
    if image.format not in ("AVIF", "JPEG2000", "PNG") or file is None:
        return
    has_profile = "icc_profile" in image.info
    if has_profile and image.format != "PNG":
        return
    position = file.tell()
    if image.format == "JPEG2000":
        profile = read_jp2_profile(file)
    else:
        points = read_code_points(file)  # In a PNG they count before a profile.
        profile = None if points is None else profile_of(points)
        if points is not None and profile is None and not has_profile:
            _warn(name, f"its colours ({points}) cannot be converted and are taken as sRGB")
    file.seek(position)
    if profile is not None:
        image.info["icc_profile"] = profile


def _load(image: Image.Image) -> int:
    """Loads an image that was just opened. Returns the orientation that is still to be applied.

    Pillow's TIFF reader turns the image by itself, but parses all other tags for it. It is shown
    an EXIF block that has the orientation only.
    """
    tags = getattr(image, "tag_v2", None)
    if tags is None:
        image.load()
        return orientation_of(image)
    exif = Image.Exif()
    try:
        exif[ORIENTATION] = tags.get(ORIENTATION, UPRIGHT)
    except Exception:
        exif[ORIENTATION] = UPRIGHT
    image.getexif = lambda: exif  # type: ignore[method-assign]
    image.load()
    return UPRIGHT


def orientation_of(image: Image.Image) -> int:
    """The orientation of an image, wherever it is stored; upright if it cannot be read."""
    try:
        orientation = image.getexif().get(ORIENTATION)
    except Exception:  # Of another tag, mostly.
        orientation = None
    if isinstance(orientation, int):
        return orientation
    exif = image.info.get("exif")
    return read_orientation(exif) if isinstance(exif, bytes) else UPRIGHT


def _to_8_bits(image: Image.Image) -> Image.Image:
    """Grayscale of 16 or 32 bits as 8 bits; one level may be transparent."""
    levels = np.asarray(image)
    tags = getattr(image, "tag_v2", {})
    if image.mode == "I" and image.format != "PPM":
        if levels.min() < 0 or levels.max() > 255:
            raise ImageError(
                f"the image has 32-bit pixels from {levels.min()} to {levels.max()}, and which of "
                "them is white is not known; convert it to 8 or 16 bits first"
            )
        gray = levels.astype(np.uint8)
    else:
        white = 4095 if tags.get(_BITS_PER_SAMPLE) == (12,) else 65535
        gray = np.rint(levels * (255 / white)).clip(0, 255).astype(np.uint8)
        if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
            gray = 255 - gray
    reduced = Image.fromarray(gray)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        reduced.putalpha(Image.fromarray(np.where(levels == transparent, 0, 255).astype(np.uint8)))
    return reduced


def flatten(
    image: Image.Image, behind: tuple[int, ...] | None, name: str, profile: Any = None
) -> np.ndarray:
    """A loaded image of 8 bits as sRGB pixels, in front of a background where it needs one.

    Args:
        image: in any mode of 8 bits.
        behind: the background, as `parse_colour` gives it.
        name: what warnings call the image.
        profile: the ICC profile of its colours; empty or None for sRGB.

    Raises:
        ImageError: if it is transparent somewhere and there is no background.
    """
    alpha = None
    if image.has_transparency_data:
        if image.mode not in ("LA", "RGBA"):
            image = _key_to_alpha(image)
        alpha = image.getchannel("A")
        image = image.convert(image.mode[:-1])
    rgb = _to_srgb(image, profile, name)
    if alpha is None or alpha.getextrema()[0] == 255:
        return _to_array(rgb)
    if behind is None:
        raise ImageError(
            "the image is transparent in places, which the codec does not store; "
            "give a background colour (--background white)"
        )
    rgb.putalpha(alpha)
    flat = Image.alpha_composite(Image.new("RGBA", rgb.size, behind), rgb)
    return _to_array(flat.convert("RGB"))


def _to_array(image: Image.Image) -> np.ndarray:
    """The pixels of an RGB image, in parts, as Pillow takes twice the memory for all."""
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    for first in range(0, image.height, _ROWS_AT_ONCE):
        last = min(first + _ROWS_AT_ONCE, image.height)
        pixels[first:last] = np.asarray(image.crop((0, first, image.width, last)))
    return pixels


def _key_to_alpha(image: Image.Image) -> Image.Image:
    """An image with a transparent colour, palette or premultiplied alpha as LA or RGBA."""
    key = image.info.get("transparency")
    if image.mode == "RGB" and isinstance(key, tuple) and max(key) > 255:
        # A PNG of 16 bits, of which Pillow keeps the high bytes.
        image = image.copy()
        image.info["transparency"] = tuple(level >> 8 for level in key)
    return image.convert("LA" if image.mode in ("1", "L", "La") else "RGBA")


def _to_srgb(image: Image.Image, profile: Any, name: str) -> Image.Image:
    """An image without alpha in sRGB, by its ICC profile where it has one that fits."""
    if image.mode == "LAB":
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    if not profile:
        return image if image.mode == "RGB" else image.convert("RGB")
    if image.mode in ("1", "P"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    try:
        transform = _srgb_transform(profile, image.mode)
    except MemoryError:
        raise
    except Exception as error:
        _warn_of_profile(name, _name_error(error))
        return image.convert("RGB")
    if transform is None:
        return image.convert("RGB")
    return transform.apply(image.convert(transform.input_mode))


def usable_profile(image: Image.Image, name: str) -> bytes | None:
    """The ICC profile of an image that was just opened; None if there is nothing to convert.

    Args:
        image: gray or RGB, perhaps with alpha.
        name: what the warning calls the image if the profile cannot be used.
    """
    profile = image.info.get("icc_profile", b"")
    if profile is None:
        _warn_of_profile(name, "it is damaged")
    if not profile:
        return None
    try:
        transform = _srgb_transform(profile, image.mode.removesuffix("A"))
    except MemoryError:
        raise
    except Exception as error:
        _warn_of_profile(name, _name_error(error))
        return None
    return None if transform is None else profile


@functools.lru_cache(maxsize=8)  # The images of a folder tend to share one profile.
def _srgb_transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """What converts pixels of a mode from a profile to sRGB; None if that changes nothing.

    Raises whatever Pillow does for a broken profile.
    """
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    space = source.profile.xcolor_space
    expected = _PROFILE_MODES.get(space)
    if expected != mode and not (expected == "RGB" and mode == "L"):
        raise ValueError(f"it is for {space.strip()}, the image is {mode}")
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    # The tables that Little CMS makes of a gray curve are off by several levels in the dark.
    flags = ImageCms.Flags.NOOPTIMIZE if expected == "L" else ImageCms.Flags.NONE
    intent = ImageCms.Intent.PERCEPTUAL
    transform = ImageCms.ImageCmsTransform(source, srgb, expected, "RGB", intent, flags=flags)
    if expected == "RGB":
        ramp = np.arange(0, 256, 15).astype(np.uint8)
        probe = np.stack(np.meshgrid(ramp, ramp, ramp), -1).reshape(1, -1, 3)
        changed = np.asarray(transform.apply(Image.fromarray(probe))).astype(int) - probe
        if abs(changed).max() <= 1:
            return None  # sRGB under whatever name: pixels stay as they are.
    return transform


def _check_array(image: Any) -> np.ndarray:
    """Pixels as an array, uint8 (H, W), (H, W, 3) or (H, W, 4)."""
    if isinstance(image, str | os.PathLike):
        raise ImageError(f"{os.fspath(image)!r} is a path; give pixels, or an image that is open")
    try:
        array = np.asarray(image)
    except Exception as error:
        raise ImageError(
            f"{type(image).__name__} is neither an image nor an array ({_name_error(error)})"
        ) from error
    if array.dtype != np.uint8:
        raise ImageError(f"pixels must be uint8 (0 to 255), not {array.dtype}")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))):
        hint = ""
        if array.ndim == 3 and array.shape[0] in (1, 3, 4):
            hint = "; the channels come last: np.moveaxis(image, 0, -1)"
        elif array.ndim == 4:
            hint = "; give one image at a time"
        raise ImageError(
            "an image array must be (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), not "
            f"{array.shape}{hint}"
        )
    if 0 in array.shape:
        raise ImageError(f"the image has no pixels: {array.shape}")
    return array
