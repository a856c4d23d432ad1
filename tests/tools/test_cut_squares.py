"""Thumbnails that are cut out of photos."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cut_squares import cut_squares, squares


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 64))
def test_squares_are_large_and_apart(width, height, least):
    covered = np.zeros((height, width), int)
    for left, top, right, bottom in squares(width, height, least):
        assert right - left == bottom - top >= least
        assert right <= width
        assert bottom <= height
        covered[top:bottom, left:right] += 1
    assert covered.max() <= 1
    assert covered.any() == (min(width, height) >= least)


@pytest.mark.parametrize(("size", "count"), [((96, 64), 3), ((64, 96), 3), ((64, 64), 1)])
def test_a_file_for_each(tmp_path, size, count):
    image = Image.new("RGB", size)
    image.paste((255, 0, 0), (0, 0, 64, 64))
    image.save(tmp_path / "photo.png")
    cut_squares(tmp_path, 32, tmp_path / "small")
    names = sorted(path.name for path in (tmp_path / "small").iterdir())
    assert names == [f"photo_{number}.png" for number in range(1, count + 1)]
    with Image.open(tmp_path / "small" / "photo_1.png") as small:
        assert small.size == (32, 32)
        assert np.all(np.asarray(small)[:28, :28] == (255, 0, 0))  # Beside it, neighbours count.
