"""The preview's network in TFLite: its pixels are the integer decoder's, to the bit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from tfrnnc.export.preview_network import NETWORK_FILE, export_preview_network
from tfrnnc.preview.codec import FOLDER
from tfrnnc.preview.decoder import PreviewDecoder
from tfrnnc.preview.layout import DECODER_FILE, HEADER_BYTES, LAYERS, STEPS, network_hints
from tfrnnc.preview.text import from_text
from tfrnnc.preview.weights import (
    DecoderFile,
    LayerWeights,
    largest_sum,
    read_decoder,
    write_decoder,
)

ROOT = Path(__file__).parents[2]
SHIPPED = (ROOT / "export" / "preview" / NETWORK_FILE).read_bytes()
CONTENTS = read_decoder((FOLDER / DECODER_FILE).read_bytes())


def restored(content: bytes, decoded: np.ndarray, hints: np.ndarray, threads: int) -> np.ndarray:
    """What a TFLite file makes of pictures, one after the other."""
    runner = Interpreter(model_content=content, num_threads=threads).get_signature_runner()
    return np.concatenate(
        [
            runner(decoded=picture[None], hints=hint[None].astype(np.float32))["pixels"]
            for picture, hint in zip(decoded, hints, strict=True)
        ]
    )


def random_pictures(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise, and blocks as black or white as can be, with their hints."""
    generator = np.random.default_rng(3)
    noise = generator.integers(0, 256, (number, 32, 32, 3))
    blocks = 255 * generator.integers(0, 2, (number, 8, 8, 3)).repeat(4, 1).repeat(4, 2)
    decoded = np.concatenate([noise, blocks]).astype(np.uint8)
    sizes = generator.integers(HEADER_BYTES + 1, 65, 2 * number)
    steps = np.arange(2 * number) % STEPS
    hints = [
        network_hints(steps[[index]], int(size))[0] for index, size in enumerate(sizes.tolist())
    ]
    return decoded, np.stack(hints)


@pytest.mark.parametrize("threads", [1, 3])
def test_the_shipped_file_gives_the_decoders_pixels(threads):
    decoded, hints = random_pictures(20)
    expected = PreviewDecoder(CONTENTS).restore(decoded, hints)
    np.testing.assert_array_equal(restored(SHIPPED, decoded, hints, threads), expected)
    assert len(SHIPPED) < 300_000


def test_the_shipped_file_gives_the_pixels_of_golden_vectors(monkeypatch):
    """The decoder with the file in the network's place."""
    decoder = PreviewDecoder(CONTENTS)
    monkeypatch.setattr(decoder, "restore", lambda *inputs: restored(SHIPPED, *inputs, threads=1))
    for file in sorted((ROOT / "tests" / "golden" / "preview").glob("*.json")):
        for case in json.loads(file.read_text())["cases"]:
            found = decoder.decode(from_text(case["preview"]))
            assert found.reshape(-1).tolist() == case["pixels"], case["preview"]


def test_a_network_whose_sums_are_large():
    """Activations are at both limits and between them."""
    generator = np.random.default_rng(4)
    layers = {
        name: LayerWeights(
            12,
            generator.integers(-8_000_000, 8_000_000, layer.bias.shape, np.int32),
            generator.choice(np.array([-15, 15], np.int8), layer.kernel.shape),
        )
        for name, layer in CONTENTS.layers.items()
    }
    assert all(largest_sum(LAYERS[name], layer) > 10_000_000 for name, layer in layers.items())
    contents = read_decoder(write_decoder(DecoderFile(CONTENTS.tables, layers)))
    decoded, hints = random_pictures(4)
    expected = PreviewDecoder(contents).restore(decoded, hints)
    found = restored(export_preview_network(layers), decoded, hints, threads=1)
    np.testing.assert_array_equal(found, expected)
