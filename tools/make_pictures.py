"""Makes the pictures of the README and of the tutorial again, with the default preset.

PYTHONPATH=examples python tools/make_pictures.py [FOLDER]

Writes showcase.jpg, thumbnail.jpg and chelsea.jpg into docs/, or into another folder. The photos
are those of examples/photos.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from watch_it_sharpen import Cell, caption, strip

import tfrnnc
from tfrnnc.evaluation import CodecSpec, open_codec
from tfrnnc.evaluation.labels import codec_label
from tfrnnc.images import read_image
from tfrnnc.metrics import psnr
from tfrnnc.model_folder.presets import DEFAULT_PRESET

ROOT = Path(__file__).parents[1]
PHOTOS = ROOT / "examples" / "photos"
PORTRAIT = (130, 20, 330, 220)  # of astronaut.png: left, upper, right, lower
CAT = (110, 10, 330, 230)  # of chelsea.png
SIDE = 48  # pixels of the thumbnail
SIZES = (16, 32, 64, 128, 256)  # bytes
SHOWN_FIRST = 4  # iterations, beside the last

SHOWCASE_PHOTO, SHOWCASE_SIZE, SHOWCASE_BYTES = "chelsea.png", (300, 200), (500, 1500, 5000)
SHOWCASE_THUMBNAILS = (("astronaut.png", PORTRAIT), ("chelsea.png", CAT))
SHOWCASE_SIDE, SHOWCASE_THUMBNAIL_BYTES = 32, (24, 64, 128)
PHOTO_RIVAL, THUMBNAIL_RIVAL = "webp", "jpeg"  # the better one of the two at such sizes
LARGER = 1.1  # times the bytes asked for, from which a size counts as missed
FONT, LEAST_FONT, GAP = 20, 14, 12
OUR_COLOUR, THEIR_COLOUR = "#B34700", "black"


class Shown(NamedTuple):
    """A picture of the showcase, and the lines below it."""

    picture: Image.Image
    lines: tuple[str, ...]
    colour: str = THEIR_COLOUR


def main(folder: Path) -> None:
    """Writes the pictures."""
    codec = tfrnnc.load()
    thumbnail_by_bytes(codec).save(folder / "thumbnail.jpg", quality=88)
    photo_by_iterations(codec).save(folder / "chelsea.jpg", quality=88)
    showcase().save(folder / "showcase.jpg", quality=90, subsampling=0, optimize=True)


def thumbnail_by_bytes(codec: tfrnnc.Codec) -> Image.Image:
    """A thumbnail in a few bytes, with the header kept elsewhere, and the original."""
    thumbnail = reduced("astronaut.png", PORTRAIT, SIDE)
    header = codec.shared_header(SIDE, SIDE)
    cells = []
    for size in SIZES:
        payload = codec.encode(thumbnail, max_bytes=size, headerless=True)
        picture = codec.decode(header + payload)
        cells.append(Cell(picture, caption(thumbnail, picture, len(payload))))
    return strip([*cells, Cell(thumbnail, f"original, {SIDE}x{SIDE}", is_original=True)])


def photo_by_iterations(codec: tfrnnc.Codec) -> Image.Image:
    """A photo after the first iterations and after the last, and the original."""
    image = read_image(PHOTOS / "chelsea.png")
    data = codec.encode(image)
    ends = codec.read_planes(data).ends
    pictures = list(codec.decode_progressive(data))
    shown = sorted({*range(min(SHOWN_FIRST, len(ends))), len(ends) - 1})
    cells = [Cell(pictures[each], caption(image, pictures[each], ends[each])) for each in shown]
    return strip([*cells, Cell(image, f"original, {image.nbytes:,} bytes of pixels", True)])


def showcase() -> Image.Image:
    """A photo and thumbnails in a few sizes, and in the same sizes by a classic codec.

    The photo is compared as whole files; of the thumbnails headers are not counted, for either
    codec, as no classic file with its header is as small.
    """
    with Image.open(PHOTOS / SHOWCASE_PHOTO) as photo:
        image = np.asarray(photo.convert("RGB").resize(SHOWCASE_SIZE, Image.Resampling.LANCZOS))
    thumbnails = [reduced(name, box, SHOWCASE_SIDE) for name, box in SHOWCASE_THUMBNAILS]
    width, height = SHOWCASE_SIZE
    side = (width - GAP) // len(thumbnails)
    small = f"{SHOWCASE_SIDE}x{SHOWCASE_SIDE}"
    originals = [Shown(enlarged(each, side), ("original,", small)) for each in thumbnails]
    rival, small_rival = codec_label(PHOTO_RIVAL), codec_label(THUMBNAIL_RIVAL)
    theirs = (f"Here: {rival}, the best file", "of at most these bytes,", "or its smallest.")
    theirs_small = (
        f"Here: {small_rival}, the smallest",
        "not under these bytes.",
        "No headers counted.",
    )
    return sheet(
        [
            [
                Shown(Image.fromarray(image), (f"original, {width}x{height}", "")),
                *photo_row(DEFAULT_PRESET, image),
            ],
            [note((width, height), "Above: tfrnnc.", *theirs), *photo_row(PHOTO_RIVAL, image)],
            [*originals, *thumbnail_row(DEFAULT_PRESET, thumbnails, side)],
            [
                note((width, side), "Above: tfrnnc.", *theirs_small),
                *thumbnail_row(THUMBNAIL_RIVAL, thumbnails, side),
            ],
        ]
    )


def photo_row(name: str, image: np.ndarray) -> list[Shown]:
    """A photo by a codec in the files of the showcase; it says so where none is as small."""
    codec = open_codec(CodecSpec(name, half=name == DEFAULT_PRESET))
    row = []
    for size in SHOWCASE_BYTES:
        coded = codec.within(image, size)
        missed = f"its smallest: {size:,} is impossible" if coded.size > size else ""
        what = f"{codec_label(name)}: {coded.size:,} bytes, {psnr(image, coded.picture):.1f} dB"
        row.append(Shown(Image.fromarray(coded.picture), (what, missed), colour_of(name)))
    return row


def thumbnail_row(name: str, thumbnails: Sequence[np.ndarray], side: int) -> list[Shown]:
    """Thumbnails by a codec, all of one size and then all of the next; headers not counted.

    It says so where the codec has no payload as small.
    """
    codec = open_codec(name)
    row = []
    for target in SHOWCASE_THUMBNAIL_BYTES:
        for image in thumbnails:
            (coded,) = codec.at_sizes(image, [target])
            missed = coded.size > LARGER * target
            lines = (
                f"{coded.size} bytes, not {target}" if missed else f"{coded.size} bytes",
                f"{psnr(image, coded.picture):.1f} dB",
            )
            row.append(Shown(enlarged(coded.picture, side), lines, colour_of(name)))
    return row


def colour_of(name: str) -> str:
    """Of a codec's words."""
    return OUR_COLOUR if name == DEFAULT_PRESET else THEIR_COLOUR


def note(size: tuple[int, int], *lines: str) -> Shown:
    """Words in the place of a picture."""
    cell = Image.new("RGB", size, "white")
    text = "\n".join(lines)
    ImageDraw.Draw(cell).multiline_text(
        (0, 8), text, "black", ImageFont.load_default(FONT), spacing=8
    )
    return Shown(cell, ("", ""))


def sheet(rows: Sequence[Sequence[Shown]]) -> Image.Image:
    """Puts rows of pictures on white, each with its lines below it."""
    line = FONT + 8
    heights = [row[-1].picture.height + 2 * line + GAP for row in rows]
    width = max(sum(each.picture.width + GAP for each in row) for row in rows) + GAP
    canvas = Image.new("RGB", (width, sum(heights) + GAP), "white")
    draw = ImageDraw.Draw(canvas)
    top = GAP
    for row, height in zip(rows, heights, strict=True):
        left = GAP
        for shown in row:
            canvas.paste(shown.picture, (left, top))
            middle = left + shown.picture.width // 2
            for number, text in enumerate(shown.lines):
                place = middle, top + shown.picture.height + 6 + number * line
                draw.text(place, text, shown.colour, font(text, shown.picture.width), anchor="ma")
            left += shown.picture.width + GAP
        top += height
    return canvas


def font(text: str, width: int):
    """The largest font in which the text is no wider than that, but a legible one."""
    for size in range(FONT, LEAST_FONT, -1):
        if ImageFont.load_default(size).getlength(text) <= width:
            return ImageFont.load_default(size)
    return ImageFont.load_default(LEAST_FONT)


def reduced(name: str, box: tuple[int, int, int, int], side: int) -> np.ndarray:
    """A square of a photo as a thumbnail, uint8 (side, side, 3)."""
    with Image.open(PHOTOS / name) as photo:
        square = photo.convert("RGB").resize((side, side), Image.Resampling.LANCZOS, box=box)
    return np.asarray(square)


def enlarged(picture: np.ndarray, side: int) -> Image.Image:
    """A thumbnail as a screen would show it large."""
    return Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]) if sys.argv[1:] else ROOT / "docs")
