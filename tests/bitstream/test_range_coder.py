from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfrnnc.bitstream.constants import EVEN
from tfrnnc.bitstream.range_coder import RangeDecoder, RangeEncoder
from tfrnnc.errors import CorruptStreamError

coded_bits = st.lists(st.tuples(st.integers(0, 1), st.integers(1, 65535)), max_size=300)


def encode(pairs) -> bytes:
    encoder = RangeEncoder()
    encoder.encode([bit for bit, _ in pairs], [probability for _, probability in pairs])
    return encoder.finish()


@given(coded_bits, st.binary(max_size=6))
def test_bits_come_back_whatever_follows(pairs, tail):
    data = encode(pairs)
    decoder = RangeDecoder(data + tail)
    assert decoder.decode([probability for _, probability in pairs]) == [bit for bit, _ in pairs]
    assert decoder.used <= len(data)


@given(coded_bits)
def test_a_prefix_settles_true_bits_only(pairs):
    """Every prefix gives a prefix of the bits, and says so of itself whatever follows."""
    data = encode(pairs)
    probabilities, bits = [p for _, p in pairs], [bit for bit, _ in pairs]
    known = 0
    for size in range(len(data) + 1):
        found = RangeDecoder(data[:size]).decode(probabilities)
        assert found == bits[: len(found)]
        assert len(found) >= known
        known = len(found)
        for tail in (b"\0\0\0\0", b"\xfe\xff\xff\xff"):
            assert RangeDecoder(data[:size] + tail).decode(probabilities)[:known] == found
    assert known == len(bits)


@given(coded_bits.filter(len))
def test_used_is_what_settles_the_bits(pairs):
    data = encode(pairs)
    probabilities = [probability for _, probability in pairs]
    decoder = RangeDecoder(data)
    decoder.decode(probabilities)
    assert len(RangeDecoder(data[: decoder.used]).decode(probabilities)) == len(pairs)
    assert len(RangeDecoder(data[: decoder.used - 1]).decode(probabilities)) < len(pairs)


@given(coded_bits, coded_bits)
def test_finishing_does_not_end_the_encoder(first, second):
    encoder = RangeEncoder()
    for pairs in (first, second):
        encoder.encode([bit for bit, _ in pairs], [probability for _, probability in pairs])
        encoder.finish()
    assert encoder.finish() == encode(first + second)


def test_length_is_that_of_the_information():
    rng = np.random.default_rng(0)
    probabilities = rng.integers(1, 65536, 20000)
    bits = rng.integers(0, 65536, 20000) < probabilities
    chances = np.where(bits, probabilities, 65536 - probabilities) / 65536
    ideal = -np.log2(chances).sum() / 8
    size = len(encode(list(zip(bits.tolist(), probabilities.tolist(), strict=True))))
    assert ideal <= size <= 1.001 * ideal + 1


def test_a_carry_runs_through_bytes_of_ff():
    """Likely zeros bring `low` to ffffff...; an unlikely one at the end carries through."""
    for count in range(1, 400):
        pairs = [(0, 1)] * count + [(0, 65535), (1, 1)]
        data = encode(pairs)
        assert RangeDecoder(data).decode([p for _, p in pairs]) == [bit for bit, _ in pairs]


@pytest.mark.parametrize(
    ("bits", "probabilities", "code"),
    [
        ("1", [EVEN], "00"),
        ("0", [EVEN], "80"),
        ("0000000000000000", [EVEN] * 16, "fffeff"),
        ("1111111111111111", [EVEN] * 16, "000000"),
        ("1001110100011011", [100, 60000] * 8, "005b92317170c9"),
        ("0101010101010101", [100, 65000] * 8, "04"),
        ("011010010110", [30000, 41114, 65215, 321] * 3, "9d022c"),
    ],
)
def test_pinned_code(bits, probabilities, code):
    """The very bytes, so that no change of the coder goes unseen."""
    assert encode(list(zip(map(int, bits), probabilities, strict=True))).hex() == code


def test_end_costs_a_byte_at_most():
    for count in range(200):
        assert len(encode([(count % 3 == 0, EVEN)] * count)) <= math.ceil(count / 8) + 1


def test_code_that_no_encoder_writes():
    """Its number is not below the range, so that it would grow with every byte."""
    with pytest.raises(CorruptStreamError, match="begins with ff ff ff ff"):
        RangeDecoder(b"\xff\xff\xff\xff\0")
    assert RangeDecoder(b"\xff\xff\xff").decode([EVEN]) == []
    assert RangeDecoder(b"\xff\xff\xff\xfe").decode([EVEN] * 4) == [0] * 4


def test_nothing_is_settled_by_nothing():
    assert RangeDecoder(b"").decode([EVEN]) == []
