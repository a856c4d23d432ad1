"""The coefficients of a preview: contexts, the payload and its cuts."""

from __future__ import annotations

import numpy as np
import pytest

from tfrnnc.errors import CorruptStreamError
from tfrnnc.preview.codec import FOLDER
from tfrnnc.preview.coefficients import CoefficientCoder
from tfrnnc.preview.layout import COEFFICIENTS, DECODER_FILE, LEVEL_LIMIT, STEPS
from tfrnnc.preview.quantiser import Quantiser, analyse
from tfrnnc.preview.tables import dct, neighbours
from tfrnnc.preview.weights import read_decoder

TABLES = read_decoder((FOLDER / DECODER_FILE).read_bytes()).tables
CODER = CoefficientCoder(TABLES)
QUANTISER = Quantiser(TABLES)


def some_levels(seed: int = 0) -> np.ndarray:
    """Levels with all magnitudes, most of them small."""
    generator = np.random.default_rng(seed)
    levels = np.rint(generator.laplace(0, 1.5, COEFFICIENTS)).astype(np.int16)
    levels[generator.integers(0, COEFFICIENTS, 3)] = [LEVEL_LIMIT, -LEVEL_LIMIT, LEVEL_LIMIT - 1]
    return levels


@pytest.mark.parametrize("step", range(STEPS))
def test_round_trip(step):
    levels = some_levels(step)
    payload = CODER.encode(levels, step, 2000)
    np.testing.assert_array_equal(CODER.decode(payload, step), levels)


def test_a_cut_gives_the_first_of_them_and_zeros():
    levels = some_levels()
    payload = CODER.encode(levels, 3, 400)
    counts = []
    for size in range(len(payload) + 1):
        found = CODER.decode(payload[:size], 3)
        settled = int(np.flatnonzero(found).max(initial=-1)) + 1
        np.testing.assert_array_equal(found[:settled], levels[:settled])
        counts.append(settled)
    assert counts[0] == 0
    assert counts == sorted(counts)


def test_what_counts_is_settled_whatever_follows():
    """The decoder's rule against the plain meaning: all bytes 0 and all bytes 255 behind."""
    payload = CODER.encode(some_levels(2), 2, 300)
    for size in range(1, 60):
        found = CODER.decode(payload[:size], 2)
        count = int(np.flatnonzero(found).max(initial=-1)) + 1
        for tail in (b"\0", b"\xff", b"\x80"):
            followed = CODER.decode(payload[:size] + 400 * tail, 2)
            np.testing.assert_array_equal(followed[:count], found[:count])


def test_the_contexts_are_those_of_the_document():
    """docs/PREVIEW.md word by word, against the limits that coder and quantiser compare with."""
    levels = some_levels(4)[None]
    for step in (0, 5):
        rows = QUANTISER.cost_rows(levels, np.array([step]))[0]
        bases = TABLES.bases(step)
        m = np.minimum(np.abs(levels[0]), 4).tolist()
        e = TABLES.expected[bases].tolist()
        for k, around in enumerate(neighbours(TABLES.place)):
            near = 10 + 64 * sum(w * m[j] for j, w in around)
            due = 10 + sum(w * e[j] for j, w in around)
            local = (4 * near >= due) + (10 * near >= 7 * due)
            local += (5 * near >= 7 * due) + (2 * near >= 5 * due)
            a, b = 128 + 64 * sum(m[:k]), 128 + sum(e[:k])
            context = 3 * local + (4 * a >= 3 * b) + (4 * a >= 5 * b)
            channel = min(TABLES.place[k] % 3, 1)
            assert rows[k] == (bases[k] * 2 + channel) * 15 + context


def test_the_quantiser_counts_the_bits_that_the_coder_writes():
    generator = np.random.default_rng(5)
    pixels = np.kron(generator.integers(0, 256, (1, 8, 8, 3)), np.ones((1, 4, 4, 1)))
    average = np.array([[128, 0, 0]])
    coefficients = analyse(pixels.astype(np.uint8), average)[:, TABLES.place].T
    found = QUANTISER.quantise(np.ascontiguousarray(coefficients), np.array([4]), np.full(1, 0.1))
    levels = found.levels.T
    bits = QUANTISER.bits(levels, np.array([4]))
    np.testing.assert_allclose(found.bits.T, bits, rtol=1e-5)
    payload = CODER.encode(levels[0], 4, 1000)
    size = len(payload.rstrip(b"\0"))
    assert bits.sum() / 8 <= size <= bits.sum() / 8 + 2


def test_a_finer_step_is_nearer():
    generator = np.random.default_rng(6)
    coefficients = generator.normal(0, 200, (COEFFICIENTS, STEPS)).astype(np.float32)
    coefficients[:] = coefficients[:, :1]
    steps = np.arange(STEPS)
    levels = QUANTISER.quantise(coefficients, steps, np.zeros(STEPS, np.float32)).levels.T
    errors = ((QUANTISER.dequantise(levels, steps) - coefficients.T) ** 2).mean(1)
    assert (np.diff(errors) > 0).all()


def test_neighbours_come_before():
    for number, around in enumerate(neighbours(TABLES.place)):
        assert all(other < number for other, _ in around)
        assert len({other for other, _ in around}) == len(around)


def test_bytes_that_no_encoder_writes():
    with pytest.raises(CorruptStreamError, match="damaged"):
        CODER.decode(b"\xff\xff\xff\xff", 0)


def test_analysis_is_the_orthonormal_transform():
    np.testing.assert_allclose(dct() @ dct().T, np.eye(16), atol=1e-12)
    white = analyse(np.full((1, 32, 32, 3), 255, np.uint8), np.array([[128, 0, 0]]))[0]
    np.testing.assert_allclose(white[0], 127 * 32, rtol=1e-5)
    assert np.abs(white[1:]).max() < 0.01
