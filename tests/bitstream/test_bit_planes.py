from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tfrnnc.bitstream import as_plane, pack_plane, unpack_plane
from tfrnnc.errors import CorruptStreamError

planes = st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9)).flatmap(
    lambda shape: arrays(bool, shape).map(as_plane)
)


@given(planes)
def test_unpacking_undoes_packing(plane):
    data = pack_plane(plane)
    assert len(data) == -(-plane.size // 8)
    np.testing.assert_array_equal(unpack_plane(data, plane.shape), plane)


def test_order_is_row_by_row_and_most_significant_bit_first():
    plane = np.zeros((2, 2, 3), bool)
    plane[0, 0, 0] = plane[0, 1, 1] = plane[1, 0, 2] = plane[1, 1, 0] = True
    # 100 010 001 100, then four bits of padding
    assert pack_plane(as_plane(plane)) == bytes([0b10001000, 0b11000000])


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\0\0"])
def test_wrong_length_is_refused(data):
    with pytest.raises(CorruptStreamError, match="12 bits"):
        unpack_plane(data, (2, 2, 3))


def test_padding_must_be_zero():
    with pytest.raises(CorruptStreamError, match="padding"):
        unpack_plane(b"\0\x01", (2, 2, 3))
