"""The integer decoder: bounds, exactness, and the network that it was trained as."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tfrnnc.errors import ModelError
from tfrnnc.preview.codec import FOLDER, decode_pixels
from tfrnnc.preview.colour import colour_levels, to_rgb
from tfrnnc.preview.decoder import PreviewDecoder
from tfrnnc.preview.layout import (
    ACCUMULATOR_LIMIT,
    ACTIVATION_LIMIT,
    COEFFICIENTS,
    COLUMN_LIMIT,
    DECODER_FILE,
    INPUT_LIMIT,
    LAYERS,
    LEVEL_LIMIT,
    STEPS,
    network_hints,
)
from tfrnnc.preview.text import from_text
from tfrnnc.preview.weights import (
    DecoderFile,
    LayerWeights,
    largest_sum,
    read_decoder,
    write_decoder,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "preview"
CONTENT = (FOLDER / DECODER_FILE).read_bytes()
CONTENTS = read_decoder(CONTENT)
TABLES, WEIGHTS = CONTENTS
DECODER = PreviewDecoder(CONTENTS)


def random_levels(number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Levels from few to all as large as can be, steps and average colours."""
    generator = np.random.default_rng(5)
    scales = np.geomspace(0.2, 40, number)[:, None]
    levels = np.rint(generator.laplace(0, scales, (number, COEFFICIENTS)))
    levels = np.clip(levels, -LEVEL_LIMIT, LEVEL_LIMIT).astype(np.int16)
    steps = np.arange(number) % STEPS
    return levels, steps, colour_levels(generator.integers(0, [32, 16, 16], (number, 3)))


def by_the_book(levels, step: int, average, size: int) -> np.ndarray:
    """docs/PREVIEW.md in int64, one picture, without a matrix product; also checks all sums."""

    def checked(sums):
        assert np.abs(sums).max() < ACCUMULATOR_LIMIT
        return sums

    spectrum = np.zeros((16, 16, 3), np.int64)
    for k, n in enumerate(levels.astype(int)):
        place = int(TABLES.place[k])
        row, column, channel = place // 48, place // 3 % 16, place % 3
        base = min(max(int(TABLES.scale[k]) - step, 0), 21)
        first, rest = map(int, TABLES.reconstruction[base, min(channel, 1)])
        part = 0 if n == 0 else first if abs(n) == 1 else 128 * (abs(n) - 1) + rest
        value = min((int(TABLES.step_size[step, channel]) * part + 64) >> 7, 4095)
        spectrum[row, column, channel] = value if n > 0 else -value
    basis = TABLES.basis.astype(np.int64)
    columns = checked((basis[:, :, None, None] * spectrum[:, None]).sum(0) + 32) >> 6
    columns = np.clip(columns, -COLUMN_LIMIT, COLUMN_LIMIT)
    rows = checked((columns[:, :, None] * basis[None, :, :, None]).sum(1) + 2048) >> 12
    pixels = to_rgb(rows + average)
    blocks = pixels.reshape(8, 4, 8, 4, 3).transpose(0, 2, 1, 3, 4).reshape(8, 8, 48)
    hints = np.broadcast_to([64 * step - 224, 8 * size - 256], (8, 8, 2))
    x = np.concatenate([4 * (blocks - 128), hints], axis=-1)
    assert np.abs(x).max() <= INPUT_LIMIT
    for name in LAYERS:
        padded = np.pad(x, ((1, 1), (1, 1), (0, 0)), mode="edge")
        layer = WEIGHTS[name]
        sums = np.tile(layer.bias.astype(np.int64) + (1 << layer.shift >> 1), (8, 8, 1))
        for i in range(3):
            for j in range(3):
                window = padded[i : i + 8, j : j + 8, :, None]
                sums = checked(sums + (window * layer.kernel[i, j].astype(np.int64)).sum(-2))
        x = np.clip(sums >> layer.shift, -ACTIVATION_LIMIT, ACTIVATION_LIMIT)
        x = x if name == "output" else np.maximum(x, 0)
    changes = x.reshape(8, 8, 4, 4, 3).transpose(0, 2, 1, 3, 4).reshape(32, 32, 3)
    return np.clip(pixels + changes, 0, 255)


def test_the_decoder_is_the_document():
    levels, steps, average = random_levels(8)
    for size in (4, 64):
        found = DECODER.decode_levels(levels, steps, average, size)
        for index in range(len(levels)):
            expected = by_the_book(levels[index], int(steps[index]), average[index], size)
            np.testing.assert_array_equal(found[index], expected)


def test_a_batch_is_its_pictures():
    arguments = random_levels(5)
    together = DECODER.decode_levels(*arguments, 24)
    for index in range(5):
        alone = DECODER.decode_levels(*(each[index : index + 1] for each in arguments), 24)
        np.testing.assert_array_equal(together[index], alone[0])


def test_no_sum_of_the_inverse_transform_reaches_the_limit():
    basis = np.abs(TABLES.basis.astype(np.int64)).sum(0).max()
    assert basis * COLUMN_LIMIT + 2048 < ACCUMULATOR_LIMIT
    assert basis * TABLES.values().max() + 32 < ACCUMULATOR_LIMIT


@pytest.mark.parametrize("name", LAYERS)
def test_no_sum_reaches_the_limit(name):
    assert largest_sum(LAYERS[name], WEIGHTS[name]) < ACCUMULATOR_LIMIT


def test_the_bound_is_the_worst_input():
    shape, layer = LAYERS["second"], WEIGHTS["second"]
    kernel = layer.kernel.reshape(-1, shape.outputs).astype(np.int64)
    worst = np.abs(np.sign(kernel) * kernel * ACTIVATION_LIMIT).sum(0) + np.abs(layer.bias)
    assert largest_sum(shape, layer) == worst.max() + (1 << layer.shift >> 1)


def test_weights_that_could_overflow_are_refused():
    shape = LAYERS["second"]
    loud = LayerWeights(7, np.zeros(shape.outputs, np.int32), np.full(shape.kernel, 127, np.int8))
    with pytest.raises(ModelError, match="second.*2\\^24"):
        write_decoder(DecoderFile(TABLES, {**WEIGHTS, "second": loud}))


@pytest.mark.parametrize(
    "changed",
    [
        {"place": np.zeros_like(TABLES.place)},
        {"place": TABLES.place + 600},
        {"probability": np.zeros_like(TABLES.probability)},
        {"basis": np.full_like(TABLES.basis, 300)},
    ],
    ids=str,
)
def test_tables_out_of_range_are_refused(changed):
    with pytest.raises(ModelError, match="table is out of range"):
        write_decoder(DecoderFile(TABLES._replace(**changed), WEIGHTS))


def test_the_file():
    assert len(CONTENT) <= 58_000
    assert write_decoder(CONTENTS) == CONTENT


@pytest.mark.parametrize("place", [0, 4, 5, 1000, -1])
def test_a_damaged_file_is_refused(place):
    broken = bytearray(CONTENT)
    broken[place] ^= 1
    with pytest.raises(ModelError, match="install tfrnnc again"):
        read_decoder(bytes(broken))
    with pytest.raises(ModelError):
        read_decoder(CONTENT[:place])


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_golden_vectors(path):
    vector = json.loads(path.read_text())
    assert vector["weights_crc32"] == CONTENT[-4:][::-1].hex()
    for case in vector["cases"]:
        found = decode_pixels(from_text(case["preview"]))
        assert found.reshape(-1).tolist() == case["pixels"]


def test_there_are_golden_vectors():
    assert len(list(GOLDEN.glob("*.json"))) >= 2


def test_the_trained_network_is_the_integer_decoder():
    from tfrnnc.preview.network import PreviewNetwork

    network = PreviewNetwork()
    for part in network.parts:
        layer = WEIGHTS[part.name]
        part.kernel.assign(layer.kernel / (part.multiplier * 2.0**layer.shift))
        part.bias.assign(layer.bias / (2.0**layer.shift * 64))
    exported = {part.name: part.export() for part in network.parts}
    decoded = np.random.default_rng(1).integers(0, 256, (8, 32, 32, 3)).astype(np.uint8)
    hints = network_hints(np.arange(STEPS), 24)
    found = np.asarray(network({"decoded": decoded, "hints": hints}))
    expected = PreviewDecoder(DecoderFile(TABLES, exported)).restore(decoded, hints)
    np.testing.assert_array_equal(np.clip(found, 0, 255), expected)
