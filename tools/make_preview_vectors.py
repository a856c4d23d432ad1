"""Makes the golden vectors of previews, which decoders in other languages are held against.

Run it again when the decoder's file changes: `python tools/make_preview_vectors.py`.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tfrnnc.preview import preview
from tfrnnc.preview.codec import FOLDER, decode_pixels
from tfrnnc.preview.colour import colour_levels, to_rgb
from tfrnnc.preview.layout import DECODER_FILE, HEADER_BYTES, STEPS
from tfrnnc.preview.text import PreviewData, from_text, to_text

OUTPUT = Path(__file__).parents[1] / "tests" / "golden" / "preview"
LENGTHS = (3, 4, 8, 12, 16, 24, 32, 48, 64)


def painted(seed: int, height: int, width: int) -> np.ndarray:
    """A smooth picture with an edge, uint8 (height, width, 3)."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:height, 0:width] / 32
    waves = [
        np.sin(generator.uniform(0.5, 5) * rows + generator.uniform(0.5, 5) * columns + phase)
        for phase in generator.uniform(0, 6, 3)
    ]
    picture = 128 + 90 * np.stack(waves, axis=-1)
    picture[height // 3 :, : width // 2] -= generator.uniform(30, 120)
    return np.clip(picture, 0, 255).astype(np.uint8)


def random_texts() -> list[str]:
    """Strings of random bytes, whose sums are large, in many shapes and lengths."""
    generator = np.random.default_rng(7)
    texts = []
    for index in range(24):
        short = int(generator.integers(1, 33))
        size = (32, short) if index % 2 else (short, 32)
        colour = generator.integers(0, [32, 16, 16]).astype(np.int32)
        payload = generator.bytes(LENGTHS[index % len(LENGTHS)] - HEADER_BYTES)
        if index % 3 == 0:  # large levels, as such a payload is of improbable decisions
            payload = payload[:2] + b"\xff" * len(payload[2:])
        texts.append(to_text(PreviewData(*size, colour, index % STEPS, payload)))
    return texts


def case(text: str) -> dict:
    """What a decoder is told, and what it must say."""
    parsed = from_text(text)
    return {
        "preview": text,
        "width": parsed.width,
        "height": parsed.height,
        "color": to_rgb(colour_levels(parsed.colour[None]))[0].tolist(),
        "pixels": decode_pixels(parsed).reshape(-1).tolist(),
    }


def main() -> None:
    """Writes the files."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    checksum = (FOLDER / DECODER_FILE).read_bytes()[-4:][::-1].hex()
    pictures = [preview(painted(n, 24 + 8 * n, 48), size) for n, size in enumerate(LENGTHS)]
    whole = preview(painted(20, 64, 64), 64)
    cut = [whole[:length] for length in (4, 5, 6, 7, 9, 11, 22, 33, 43, 64, 85)]
    for name, texts in {"pictures": pictures, "cut": cut, "random": random_texts()}.items():
        content = {"weights_crc32": checksum, "cases": [case(text) for text in texts]}
        (OUTPUT / f"{name}.json").write_text(json.dumps(content, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
