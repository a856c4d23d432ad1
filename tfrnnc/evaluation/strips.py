"""The same image at the same bytes by every codec, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tfrnnc.evaluation.codecs import CodecSpec, open_codec
from tfrnnc.evaluation.labels import codec_label
from tfrnnc.evaluation.measurement import METRICS, EvaluationProtocol, picture_of
from tfrnnc.evaluation.runner import EvaluatedImage, Task, TaskRunner
from tfrnnc.files import replacing
from tfrnnc.images import read_image

_SMALL = 96  # pixels; smaller images are enlarged
_CELL_SMALL, _COLUMNS_SMALL = 160, 4
_CELL_LARGE, _COLUMNS_LARGE = (384, 256), 2
_GAP, _FONT_SMALL, _FONT_LARGE = 8, 20, 24
_FONT_LEGIBLE, _FONT_LEAST = 14, 10

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True)
class Strips:
    """Strips of some images, to be made of all codecs.

    Attributes:
        count: how many images, evenly from all.
        bpp: bits per pixel of each picture.
    """

    count: int
    bpp: float

    def make(
        self,
        images: Sequence[EvaluatedImage],
        codecs: Sequence[CodecSpec],
        protocol: EvaluationProtocol,
        runner: TaskRunner,
        folder: Path,
    ) -> list[Path]:
        """Encodes the images at the same bytes by every codec, and writes a sheet of each.

        Args:
            images: to choose from.
            codecs: that are shown.
            protocol: says how a picture of a number of bytes is made; see `picture_at`.
            runner: that encodes.
            folder: that exists, for `strip_IMAGE.png` or `.jpg`.

        Returns:
            the files.

        Raises:
            EvaluationError, ImageError: naming the image's file.
        """
        chosen = [images[number] for number in choose(len(images), self.count)]
        tasks = [
            Task(image, codec, protocol, self._bytes_of(image))
            for image in chosen
            for codec in codecs
        ]
        results = iter(runner.run(tasks, "strips"))
        files = []
        for image in chosen:
            pictures = [
                (codec_label(open_codec(codec).name), result["bytes"], picture_of(result))
                for codec, result in zip(codecs, results, strict=False)
            ]
            name = image.name.replace("/", "_").replace(".", "_")
            pixels = read_image(image.path)
            sheet = draw_strip(pixels, pictures)
            files.append(save_strip(sheet, folder, name, lossless=_is_small(pixels)))
        return files

    def _bytes_of(self, image: EvaluatedImage) -> int:
        return max(1, int(self.bpp * image.width * image.height / 8))


def choose(count: int, wanted: int) -> list[int]:
    """Numbers of some images, evenly from all.

    Examples:
        >>> choose(24, 3)
        [4, 12, 20]
    """
    wanted = min(count, wanted)
    return [(2 * number + 1) * count // (2 * wanted) for number in range(wanted)]


def draw_strip(image: np.ndarray, pictures: Sequence[tuple[str, int, np.ndarray]]) -> Image.Image:
    """Draws an image and pictures of it, each with its name, bytes and PSNR below it.

    Thumbnails are enlarged, four in a row; of photos the middle is shown pixel by pixel, two in
    a row. So the words can be read on a phone. The PSNR is that of the whole picture.

    Args:
        image: uint8 (H, W, 3), the original.
        pictures: name, bytes and pixels of each.
    """
    height, width, _ = image.shape
    small = _is_small(image)
    cells = [("original", f"{width}x{height}", image)]
    for name, size, pixels in pictures:
        cells.append((name, f"{size:,} B, {METRICS['psnr'](image, pixels):.2f} dB", pixels))
    shown = [(name, below, _cell(pixels, small)) for name, below, pixels in cells]
    columns = min(_COLUMNS_SMALL if small else _COLUMNS_LARGE, len(shown))
    cell_width, cell_height = shown[0][2].size
    font_size = _FONT_SMALL if small else _FONT_LARGE
    line = font_size + 5
    fitted = [_fitted(name, font_size, cell_width) for name, *_ in shown]
    heights = [max(line, (name.count("\n") + 1) * (_FONT_LEGIBLE + 5)) for name, _ in fitted]
    row_height = cell_height + max(heights) + line + 2 * _GAP
    rows = -(-len(shown) // columns)
    sheet = Image.new(
        "RGB", (columns * (cell_width + _GAP) + _GAP, rows * row_height + _GAP), "white"
    )
    draw = ImageDraw.Draw(sheet)
    for number, (_, below, cell) in enumerate(shown):
        left = _GAP + number % columns * (cell_width + _GAP)
        top = _GAP + number // columns * row_height
        sheet.paste(cell, (left, top))
        middle, under = left + cell_width // 2, top + cell_height + 3
        rows_of_text = [fitted[number], _fitted(below, font_size, cell_width)]
        for (text, font), y in zip(rows_of_text, (under, under + heights[number]), strict=True):
            draw.text((middle, y), text, "black", font, anchor="ma", align="center")
    return sheet


def save_strip(sheet: Image.Image, folder: Path, name: str, lossless: bool) -> Path:
    """Writes a sheet: as PNG, or as JPEG, for photos, whose PNG files would be large."""
    file = folder / f"strip_{name}{'.png' if lossless else '.jpg'}"
    options = {} if lossless else {"quality": 85, "subsampling": 0}
    with replacing(file) as temporary:
        sheet.save(temporary, "PNG" if lossless else "JPEG", optimize=True, **options)
    return file


def _is_small(image: np.ndarray) -> bool:
    height, width, _ = image.shape
    return bool(max(height, width) <= _SMALL)


def _cell(pixels: np.ndarray, small: bool) -> Image.Image:
    picture = Image.fromarray(pixels)
    if small:
        factor = max(1, _CELL_SMALL // max(picture.size))
        size = picture.width * factor, picture.height * factor
        return picture.resize(size, Image.Resampling.NEAREST)
    width, height = (min(a, b) for a, b in zip(picture.size, _CELL_LARGE, strict=True))
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    return picture.crop((left, top, left + width, top + height))


def _fitted(text: str, largest: int, width: int) -> tuple[str, Font]:
    """The text in the largest font in which it fits; on several lines where one is too long."""
    for size in range(largest, _FONT_LEGIBLE - 1, -1):
        font = ImageFont.load_default(size)
        if font.getlength(text) <= width:
            return text, font
    lines = _lines(text, font, width)
    for size in range(_FONT_LEGIBLE, _FONT_LEAST - 1, -1):
        font = ImageFont.load_default(size)
        if all(font.getlength(line) <= width for line in lines):
            break
    return "\n".join(lines), font


def _lines(text: str, font: Font, width: int) -> list[str]:
    """The text's words on as few lines as they need."""
    first, *words = text.split()
    lines = [first]
    for word in words:
        longer = f"{lines[-1]} {word}"
        if font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
