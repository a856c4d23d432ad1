"""Images to previews and back."""

from __future__ import annotations

import functools

import numpy as np
from PIL import Image

from tfrnnc.arguments import require_int
from tfrnnc.bitstream.constants import MAX_PIXELS
from tfrnnc.blas import require_right_products
from tfrnnc.errors import ConfigError, ModelError
from tfrnnc.images import as_rgb
from tfrnnc.model_folder.presets import PRESETS_FOLDER
from tfrnnc.preview.colour import colour_levels, to_rgb
from tfrnnc.preview.decoder import PreviewDecoder
from tfrnnc.preview.encoder import PreviewEncoder
from tfrnnc.preview.layout import DECODER_FILE, MAX_BYTES, MIN_BYTES, SIDE
from tfrnnc.preview.text import PreviewData, from_text, picture_size, to_text
from tfrnnc.preview.weights import read_decoder

FOLDER = PRESETS_FOLDER / "preview"
_MAX_SIDE = 8192  #: of the picture that `preview_image` enlarges to


def preview(
    image: Image.Image | np.ndarray,
    bytes: int = 24,
    background: str | None = None,
    max_pixels: int = MAX_PIXELS,
) -> str:
    """A preview of an image, as a short string of base64url.

    The picture is the best that a search finds for these bytes; the string can still be cut
    anywhere after its first 4 characters, and shows less then.

    Args:
        image: as for `tfrnnc.images.as_rgb`.
        bytes: of the preview, from 3 to 64; the string has a third more characters.
        background: as for `tfrnnc.images.as_rgb`.
        max_pixels: refuse larger Pillow images, whose pixels may not have been read yet.

    Raises:
        ConfigError: if `bytes` or `max_pixels` is out of range.
        TooLargeError: if a Pillow image has more pixels than `max_pixels`.
        ImageError: if the image is of a kind that cannot be coded.
        InstallationError: if NumPy's products are wrong on this CPU.

    Examples:
        >>> len(preview(np.zeros((48, 64, 3), np.uint8), bytes=24))
        32
    """
    size = require_int("bytes", bytes, MIN_BYTES, MAX_BYTES)
    most = require_int("max_pixels", max_pixels, 1)
    pixels = as_rgb(image, background, max_pixels=most)
    height, width, _ = pixels.shape
    require_right_products()
    encoder = PreviewEncoder(_decoder())
    return to_text(encoder.encode(stretch(pixels), *picture_size(width, height), size))


def preview_image(text: str, size: int | tuple[int, int] | None = None) -> Image.Image:
    """The picture of a preview.

    Args:
        text: from `preview`, whole or cut.
        size: the longer side in pixels, or (width, height); None gives the preview's own, 32 on
            the longer side.

    Returns:
        an RGB image.

    Raises:
        StreamError: if the string is no preview.
        ConfigError: if `size` is not one.

    Examples:
        >>> preview_image(preview(np.zeros((48, 64, 3), np.uint8))).size
        (32, 24)
    """
    wanted = _wanted_size(size)
    parsed = from_text(text)
    target = (parsed.width, parsed.height)
    if isinstance(wanted, tuple):
        target = wanted
    elif wanted is not None:
        factor = wanted / SIDE
        target = (max(1, round(target[0] * factor)), max(1, round(target[1] * factor)))
    picture = Image.fromarray(decode_pixels(parsed))
    return picture if target == picture.size else picture.resize(target, Image.Resampling.BICUBIC)


def preview_color(text: str) -> tuple[int, int, int]:
    """The average colour of a preview: red, green and blue from 0 to 255.

    It takes the first 4 characters only, and no model.

    Args:
        text: from `preview`, whole or cut.

    Raises:
        StreamError: if the string is no preview.

    Examples:
        >>> preview_color(preview(np.full((32, 32, 3), 255, np.uint8), bytes=8))
        (255, 255, 255)
    """
    red, green, blue = to_rgb(colour_levels(from_text(text).colour[None]))[0]
    return int(red), int(green), int(blue)


def stretch(pixels: np.ndarray) -> np.ndarray:
    """An image as the 32x32 pixels that are coded: reduced, and stretched if it is not square."""
    image = Image.fromarray(pixels)
    if image.size == (SIDE, SIDE):
        return pixels
    # Large images are first reduced by a whole factor, which is faster.
    resized = image.resize((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return np.asarray(resized)


def decode_pixels(parsed: PreviewData) -> np.ndarray:
    """The 32x32 pixels of a preview, exactly as every decoder gives them, uint8 (32, 32, 3).

    Raises:
        CorruptStreamError: if its payload is one that no encoder writes.
    """
    return _decoder().decode(parsed)


@functools.lru_cache(maxsize=1)
def _decoder() -> PreviewDecoder:
    """The preset, read once.

    Raises:
        ModelError: if its file is missing or damaged.
    """
    file = FOLDER / DECODER_FILE
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ModelError(
            f"{file}: cannot be read ({error.strerror}); install tfrnnc again"
        ) from error
    return PreviewDecoder(read_decoder(content, str(file)))


def _wanted_size(size: int | tuple[int, int] | None) -> int | tuple[int, int] | None:
    if size is None:
        return None
    if isinstance(size, tuple | list):
        if len(size) != 2:
            raise ConfigError(f"size must be one number, or a width and a height, not {size!r}")
        return (
            require_int("the width in size", size[0], 1, _MAX_SIDE),
            require_int("the height in size", size[1], 1, _MAX_SIDE),
        )
    return require_int("size", size, 1, _MAX_SIDE)
