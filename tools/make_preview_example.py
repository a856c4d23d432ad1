"""Makes what the example page of web_preview/ shows of BlurHash, ThumbHash, WebP and previews.

Run it again when the weights change: `python tools/make_preview_example.py`. It takes a minute.
"""

from __future__ import annotations

import base64
import io
import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from tfrnnc.evaluation import blurhash, thumbhash
from tfrnnc.metrics import psnr
from tfrnnc.preview import preview, preview_image
from tfrnnc.preview.codec import FOLDER
from tfrnnc.preview.text import picture_size

ROOT = Path(__file__).parents[1]
PHOTOS = ROOT / "examples" / "photos"
OUTPUT = ROOT / "web_preview" / "example" / "pictures.json"
SIZES = (16, 24, 32, 48, 64)


class Photo:
    """A photo, and what its previews are measured against: itself, 32 pixels on the longer side."""

    def __init__(self, path: Path):
        self.name = path.stem
        self.image = Image.open(path).convert("RGB")
        self.shape = picture_size(*self.image.size)
        self.reduced = self.image.resize(self.shape, Image.Resampling.LANCZOS, reducing_gap=3.0)

    def entry(self, size: int, text: str, shown: Image.Image, data: str | None = None) -> dict:
        """One codec's picture, as the page takes it."""
        if shown.size != self.shape:
            shown = shown.resize(self.shape, Image.Resampling.BICUBIC)
        quality = psnr(np.asarray(self.reduced), np.asarray(shown))
        return {"bytes": size, "text": text, "psnr": round(quality, 1), "image": data}


def data_url(image: Image.Image, kind: str, **options) -> tuple[int, str]:
    """The size of an image's file, and its URL."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    data = base64.b64encode(buffer.getvalue()).decode()
    return buffer.tell(), f"data:image/{kind};base64,{data}"


def previews(photo: Photo, size: int) -> Iterator[dict]:
    """The preview of this many bytes; the page decodes it."""
    text = preview(photo.image, bytes=size)
    yield photo.entry(size, text, preview_image(text))


def blurhashes(photo: Photo, size: int) -> Iterator[dict]:
    """Hashes with any number of terms that fits, counted as the bytes that hold as many states."""
    for columns, rows in itertools.product(range(1, 10), repeat=2):
        text = blurhash.encode(np.asarray(photo.image), columns, rows)
        used = blurhash.information_bytes(text)
        if used <= size:
            shown = Image.fromarray(blurhash.decode(text, *photo.shape))
            yield photo.entry(used, text, shown, data_url(shown, "png")[1])


def thumbhashes(photo: Photo, size: int) -> Iterator[dict]:
    """The photo's only hash, if it fits."""
    data = thumbhash.encode(np.asarray(photo.image))
    if len(data) <= size:
        shown = Image.fromarray(thumbhash.decode(data))
        text = base64.b64encode(data).decode()
        yield photo.entry(len(data), text, shown, data_url(shown, "png")[1])


def webps(photo: Photo, size: int) -> Iterator[dict]:
    """Files of 1 to 32 pixels on the longer side that fit, lossless or of any quality."""
    for side in range(1, 33):
        shape = tuple(max(1, round(length * side / 32)) for length in photo.shape)
        small = photo.image.resize(shape, Image.Resampling.LANCZOS, reducing_gap=3.0)
        settings = [{"lossless": True}, *({"quality": q} for q in range(0, 101, 10))]
        for setting in settings:
            used, data = data_url(small, "webp", method=6, **setting)
            if used <= size:
                shown = Image.open(io.BytesIO(base64.b64decode(data.split(",")[1]))).convert("RGB")
                yield photo.entry(used, f"{shape[0]}x{shape[1]} pixels", shown, data)


def best(entries: Iterator[dict]) -> dict | None:
    """The one with the highest PSNR; None where the codec has none of so few bytes."""
    return max(entries, key=lambda entry: entry["psnr"], default=None)


def main() -> None:
    """Writes the file."""
    codecs = {"tfrnnc": previews, "blurhash": blurhashes, "thumbhash": thumbhashes, "webp": webps}
    pictures = []
    for path in sorted(PHOTOS.glob("*.png")):
        photo = Photo(path)
        smallest = data_url(photo.reduced, "webp", method=6, quality=0)[0]
        pictures.append(
            {
                "name": photo.name,
                "width": photo.image.width,
                "height": photo.image.height,
                "smallest_webp": smallest,
                "codecs": {
                    name: [best(codec(photo, size)) for size in SIZES]
                    for name, codec in codecs.items()
                },
            }
        )
    checksum = (FOLDER / "decoder.bin").read_bytes()[-4:][::-1].hex()
    content = {"weights_crc32": checksum, "sizes": SIZES, "pictures": pictures}
    OUTPUT.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
