"""Images at half their width and height: the filters, and what every part makes of such streams."""

from __future__ import annotations

import base64
import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfrnnc.codec.downscaling import enlarged, reduced


def enlarged_by_the_formula(small: np.ndarray, height: int, width: int) -> np.ndarray:
    """As docs/FORMAT.md has it, sample by sample along each axis."""

    def along_rows(samples: np.ndarray) -> np.ndarray:
        last = len(samples) - 1

        def s(place: int) -> np.ndarray:
            return samples[min(max(place, 0), last)]

        rows = []
        for i in range(len(samples)):
            rows.append(-3 * s(i - 2) + 29 * s(i - 1) + 111 * s(i) - 9 * s(i + 1))
            rows.append(-9 * s(i - 1) + 111 * s(i) + 29 * s(i + 1) - 3 * s(i + 2))
        return np.array(rows)

    sums = along_rows(along_rows(small.astype(np.int64)).swapaxes(0, 1)).swapaxes(0, 1)
    return np.clip((sums + 8192) // 16384, 0, 255).astype(np.uint8)[:height, :width]


def golden_enlargement(request) -> list[dict]:
    golden = request.config.rootpath / "tests" / "golden" / "enlargement.json"
    return json.loads(golden.read_text())


def test_golden_vectors(request):
    """By the formula, and by the package."""
    entries = golden_enlargement(request)
    sizes = {(entry["width"], entry["height"]) for entry in entries}
    assert sizes == {(1, 1), (2, 1), (1, 2), (3, 5), (17, 9), (64, 48)}
    for entry in entries:
        width, height = entry["width"], entry["height"]
        small = np.frombuffer(base64.b64decode(entry["coded"]), np.uint8)
        small = small.reshape(-(-height // 2), -(-width // 2), 3)
        expected = np.frombuffer(base64.b64decode(entry["enlarged"]), np.uint8)
        expected = expected.reshape(height, width, 3)
        np.testing.assert_array_equal(enlarged_by_the_formula(small, height, width), expected)
        np.testing.assert_array_equal(enlarged(small, (height, width)), expected)


def test_golden_vectors_clip_at_both_ends(request):
    """Sums below 0 and above 255, of which a decoder that clips too late or not at all fails."""
    levels = set()
    for entry in golden_enlargement(request):
        if entry["name"] == "checkers, 64x48":
            levels |= set(base64.b64decode(entry["enlarged"]))
    assert {0, 255} <= levels


def test_golden_vectors_are_written_as_ever(request, tmp_path):
    root = request.config.rootpath
    tool = root / "tools" / "make_golden_enlargement.py"
    subprocess.run([sys.executable, tool, tmp_path / "vectors.json"], check=True)
    golden = root / "tests" / "golden" / "enlargement.json"
    assert (tmp_path / "vectors.json").read_text() == golden.read_text()


@given(
    st.integers(1, 40), st.integers(1, 40), st.integers(0, 99), st.sampled_from([1, 99, 1 << 16])
)
def test_enlarged_in_blocks_of_any_size(height, width, seed, samples):
    small = np.random.default_rng(seed).integers(0, 2, (-(-height // 2), -(-width // 2), 3))
    small = (255 * small).astype(np.uint8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tfrnnc.codec.downscaling._SAMPLES_AT_ONCE", samples)
        found = enlarged(small, (height, width))
    np.testing.assert_array_equal(found, enlarged_by_the_formula(small, height, width))


@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (7, 2), (64, 96), (33, 17)])
def test_reduced(shape):
    """Two pixels of the image lie under each of the reduced one, at odd edges the same twice."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    ramp = np.stack([rows * 2, columns * 2, rows + columns], -1).astype(np.uint8)
    small = reduced(ramp)
    assert small.shape == (-(-shape[0] // 2), -(-shape[1] // 2), 3)
    assert small.dtype == np.uint8
    even = np.pad(ramp, ((0, shape[0] % 2), (0, shape[1] % 2), (0, 0)), mode="edge").astype(int)
    means = (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4
    assert abs(small - means).max() <= 1


def test_nothing_moves_when_it_is_reduced_and_enlarged():
    """The middle of a blob stays where it is: the filters' phases belong together."""
    rows, columns = np.mgrid[:97, :121]
    blob = 255 * np.exp(-((rows - 45.3) ** 2 + (columns - 70.8) ** 2) / 200)
    picture = np.repeat(blob[..., None], 3, 2).astype(np.uint8)
    shown = enlarged(reduced(picture), picture.shape).astype(float)[..., 0]
    middles = [(shown * places).sum() / shown.sum() for places in (rows, columns)]
    assert middles == pytest.approx([45.3, 70.8], abs=0.05)
    assert abs(shown - picture[..., 0]).max() <= 3
