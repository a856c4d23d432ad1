"""A binary range coder: bits of known probability to bytes, and as many back as bytes allow.

The coder is that of LZMA (Martin's range coder with carries), with 16-bit probabilities. It is
our own because the streams need what libraries do not offer: output to the byte instead of to the
word, an end that costs a byte at most, a decoder that says which bits a cut stream settles, and an
encoder that says where in its output that is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tfrnnc.bitstream.constants import PROBABILITY_BITS, RANGE_BYTES, RANGE_MASK, RANGE_MIN
from tfrnnc.errors import CorruptStreamError


class CoderState(NamedTuple):
    """What an encoder is at some point: its output so far is a number from `low` up.

    Attributes:
        size: bytes that have gone out.
        low: what comes after them, at least; above `RANGE_MASK` if it carries into them.
        width: how much more it may be, this number excluded.
    """

    size: int
    low: int
    width: int

    def code_in(self, data: bytes) -> int:
        """What a decoder of these bytes, zeros after them, holds above `low` at this point."""
        return (_bytes_at(data, self.size) - self.low) & RANGE_MASK

    def end_in(self, data: bytes) -> int:
        """How many bytes of an encoder's output it takes to settle all bits up to this point.

        Args:
            data: the output after this point or a later one.
        """
        return _settled_size(data, self.size + RANGE_BYTES, self.code_in(data), self.width)

    def is_in(self, data: bytes) -> bool:
        """Whether the first bytes of an encoder's output settle all bits up to this point.

        Args:
            data: the first bytes of the output after this point or a later one.
        """
        return self.size + RANGE_BYTES <= len(data) or self.end_in(data) <= len(data)

    def shortest_end(self) -> tuple[int, int]:
        """The fewest bytes, as (value, count), that settle every bit, whatever follows them."""
        end = self.low + self.width
        for count in range(RANGE_BYTES + 1):
            unit = 1 << 8 * (RANGE_BYTES - count)
            value = -(-self.low // unit) * unit
            if value + unit <= end:
                break
        return value, count


class RangeEncoder:
    """Writes bits, each with its probability.

    Examples:
        >>> encoder = RangeEncoder()
        >>> encoder.encode([1, 0, 1], [60000, 5000, 32768])
        >>> encoder.finish().hex()
        '12'
    """

    def __init__(self) -> None:
        self._low = 0
        self._range = RANGE_MASK
        self._out = bytearray()

    @property
    def state(self) -> CoderState:
        """What the encoder is now."""
        return CoderState(len(self._out), self._low, self._range)

    def copy(self) -> RangeEncoder:
        """Another one, which goes on from here by itself."""
        copied = RangeEncoder()
        copied._low, copied._range, copied._out = self._low, self._range, bytearray(self._out)
        return copied

    def encode(self, bits: Sequence[int], probabilities: Sequence[int]) -> None:
        """Appends bits.

        Args:
            bits: 0 or 1.
            probabilities: for each bit, that it is 1, of `CERTAIN`; from 1 to `CERTAIN` - 1.
        """
        low, width, out = self._low, self._range, self._out
        for bit, probability in zip(bits, probabilities, strict=True):
            bound = (width >> PROBABILITY_BITS) * probability
            if bit:
                width = bound
            else:
                low += bound
                width -= bound
            while width < RANGE_MIN:
                if low > RANGE_MASK:
                    _carry(out, 1)
                    low &= RANGE_MASK
                out.append(low >> 24)
                low = (low << 8) & RANGE_MASK
                width <<= 8
        self._low, self._range = low, width

    def finish(self, state: CoderState | None = None) -> bytes:
        """The bytes so far and the fewest that settle every bit, whatever may follow them.

        The encoder stays as it is, so that more bits can be appended.

        Args:
            state: what the encoder was at an earlier point, so as to finish there; None is now.
        """
        now = self.state
        state = state or now
        out = self._out[: state.size]
        if state != now:
            # Bits after that point may have carried into what had gone out by then.
            bytes_after = _bytes_at(self.finish(), state.size)
            if state.low + ((bytes_after - state.low) & RANGE_MASK) != bytes_after:
                _carry(out, -1)
        value, count = state.shortest_end()
        if value > RANGE_MASK:
            _carry(out, 1)
            value &= RANGE_MASK
        return bytes(out + value.to_bytes(RANGE_BYTES, "big")[:count])


class RangeDecoder:
    """Reads bits back.

    Args:
        data: what `RangeEncoder.finish` gave, or the first bytes of it.
        state: what the encoder was where reading begins; None is the beginning. The data must
            settle all bits up to there.

    Raises:
        CorruptStreamError: if no encoder writes such bytes.

    Examples:
        >>> RangeDecoder(bytes.fromhex("12")).decode([60000, 5000, 32768])
        [1, 0, 1]
    """

    def __init__(self, data: bytes, state: CoderState | None = None):
        state = state or CoderState(0, 0, RANGE_MASK)
        self._data = data
        self._code = state.code_in(data)
        self._position = state.size + RANGE_BYTES
        self._range = state.width
        # From here on the code stays below the range, which every number here rests on.
        if self._code >= self._range:
            raise CorruptStreamError("the stream is damaged: its payload begins with ff ff ff ff")

    def decode(self, probabilities: Sequence[int]) -> list[int]:
        """Reads bits.

        Args:
            probabilities: as they were for the encoder.

        Returns:
            a bit for each probability; fewer if the data ends before it settles them all.
        """
        bits: list[int] = []
        append = bits.append
        data, end = self._data, len(self._data)
        code, width, position = self._code, self._range, self._position
        for probability in probabilities:
            bound = (width >> PROBABILITY_BITS) * probability
            if position > end:
                # Whatever the missing bytes are, read as zeros so far, the bit must be the same.
                most = code + (1 << 8 * (position - end))
                if not (most <= bound or bound <= code < most <= width):
                    break
            if code < bound:
                width = bound
                append(1)
            else:
                code -= bound
                width -= bound
                append(0)
            while width < RANGE_MIN:
                code = code << 8 | (data[position] if position < end else 0)
                position += 1
                width <<= 8
        self._code, self._range, self._position = code, width, position
        return bits

    @property
    def used(self) -> int:
        """How many of the bytes it takes to settle the bits read so far."""
        return _settled_size(self._data, self._position, self._code, self._range)


def _settled_size(data: bytes, position: int, code: int, width: int) -> int:
    """How many bytes settle the bits that were read by a decoder with these numbers."""
    for spare in range(RANGE_BYTES, 0, -1):
        tail = data[position - spare : position]
        known = code - int.from_bytes(tail.ljust(spare, b"\0"), "big")
        if known >= 0 and known + (1 << 8 * spare) <= width:
            return position - spare
    return position


def _bytes_at(data: bytes, position: int) -> int:
    """The number that a decoder reads at a position; bytes past the end are zeros."""
    return int.from_bytes(data[position : position + RANGE_BYTES].ljust(RANGE_BYTES, b"\0"), "big")


def _carry(out: bytearray, amount: int) -> None:
    """Adds 1 or -1 to the number that the bytes make up."""
    turns_over = 0xFF if amount > 0 else 0
    position = len(out) - 1
    while out[position] == turns_over:
        out[position] = 0xFF - turns_over
        position -= 1
    out[position] += amount
