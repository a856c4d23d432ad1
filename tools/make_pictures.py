"""Makes the pictures of the README and of the tutorial again.

PYTHONPATH=examples python tools/make_pictures.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from watch_it_sharpen import strip

import tfrnnc
from tfrnnc.images import read_image

ROOT = Path(__file__).parents[1]
PORTRAIT = (130, 20, 330, 220)  # of astronaut.png: left, upper, right, lower
SIDE = 48  # pixels of the thumbnail
SIZES = (16, 32, 64, 128, 256)  # bytes
ENLARGED = 5
SHOWN_ITERATIONS = (1, 2, 3, 4, 8)


def main() -> None:
    """Writes docs/thumbnail.jpg and docs/chelsea.jpg."""
    codec = tfrnnc.load()
    thumbnail_by_bytes(codec)
    photo_by_iterations(codec)


def thumbnail_by_bytes(codec: tfrnnc.Codec) -> None:
    """A thumbnail in a few bytes, with the header kept elsewhere, and the original."""
    photo = Image.open(ROOT / "examples" / "photos" / "astronaut.png").convert("RGB")
    thumbnail = photo.resize((SIDE, SIDE), Image.Resampling.LANCZOS, box=PORTRAIT)
    header = codec.shared_header(SIDE, SIDE)
    shown = []
    for size in SIZES:
        code = codec.encode(thumbnail, max_bytes=size, headerless=True)
        picture = Image.fromarray(codec.decode(header + code))
        shown.append(caption(enlarged(picture), f"{len(code)} bytes", size=26))
    shown.append(caption(enlarged(thumbnail), f"original, {SIDE}x{SIDE}", size=26))
    save(shown, "thumbnail.jpg")


def photo_by_iterations(codec: tfrnnc.Codec) -> None:
    """A photo after several iterations, and the original."""
    image = read_image(ROOT / "examples" / "photos" / "chelsea.png")
    data = codec.encode(image)
    ends = codec.read_planes(data).ends
    pictures = list(codec.decode_progressive(data))
    shown = [
        caption(pictures[iteration - 1], f"{ends[iteration - 1]:,} bytes")
        for iteration in SHOWN_ITERATIONS
    ]
    shown.append(caption(image, f"original, {image.size:,} bytes of pixels"))
    save(shown, "chelsea.jpg")


def enlarged(picture: Image.Image) -> np.ndarray:
    """A thumbnail as a screen would show it large."""
    side = SIDE * ENLARGED
    return np.asarray(picture.resize((side, side), Image.Resampling.BICUBIC))


def save(pictures: list[np.ndarray], name: str) -> None:
    """Writes pictures in rows of three into docs/."""
    Image.fromarray(strip(pictures)).save(ROOT / "docs" / name, quality=88)


def caption(picture: np.ndarray, text: str, size: int = 18) -> np.ndarray:
    """Puts a line of text under a picture."""
    height, width, _ = picture.shape
    line = size + 8
    sheet = Image.new("RGB", (width, height + line), "white")
    sheet.paste(Image.fromarray(picture))
    font = ImageFont.load_default(size=size)
    ImageDraw.Draw(sheet).text((width // 2, height + line // 2), text, "black", font, anchor="mm")
    return np.asarray(sheet)


if __name__ == "__main__":
    main()
