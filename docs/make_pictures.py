"""Makes the pictures of the README again: `make pictures`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import tfrnnc
from tfrnnc.images import read_image

ROOT = Path(__file__).parents[1]
SHOWN_STEPS = (1, 2, 3, 4, 8)


def main() -> None:
    """Writes docs/chelsea.jpg: a photo after several steps, and the original."""
    sys.path.insert(0, str(ROOT / "examples"))
    from watch_it_sharpen import strip

    image = read_image(ROOT / "examples" / "photos" / "chelsea.png")
    codec = tfrnnc.load()
    data = codec.encode(image)
    ends = codec.read_planes(data).ends
    pictures = list(codec.decode_progressive(data))
    shown = [caption(pictures[step - 1], f"{ends[step - 1]:,} bytes") for step in SHOWN_STEPS]
    height, width, _ = image.shape
    sheet = strip([*shown, caption(image, f"original, {3 * height * width:,} bytes of pixels")])
    Image.fromarray(sheet).save(ROOT / "docs" / "chelsea.jpg", quality=88)


def caption(picture: np.ndarray, text: str) -> np.ndarray:
    """Puts a line of text under a picture."""
    height, width, _ = picture.shape
    sheet = Image.new("RGB", (width, height + 26), "white")
    sheet.paste(Image.fromarray(picture))
    font = ImageFont.load_default(size=18)
    ImageDraw.Draw(sheet).text((width // 2, height + 13), text, "black", font, anchor="mm")
    return np.asarray(sheet)


if __name__ == "__main__":
    main()
