"""A binary range coder: bits of known probability to bytes, and as many back as bytes allow.

The coder is that of LZMA (Martin's range coder with carries), with 16-bit probabilities. It is
our own because the streams need what libraries do not offer: output to the byte instead of to the
word, an end that costs a byte at most, and a decoder that says which bits a cut stream settles.
"""

from __future__ import annotations

from collections.abc import Sequence

from tfrnnc.errors import CorruptStreamError

PROBABILITY_BITS = 16
EVEN = 1 << (PROBABILITY_BITS - 1)  #: the probability of a bit of which nothing is known
_TOP = 1 << 24
_MASK = (1 << 32) - 1


class RangeEncoder:
    """Writes bits, each with its probability.

    Examples:
        >>> encoder = RangeEncoder()
        >>> encoder.encode([1, 0, 1], [60000, 5000, EVEN])
        >>> encoder.finish().hex()
        '12'
    """

    def __init__(self):
        self._low = 0
        self._range = _MASK
        self._out = bytearray()

    def encode(self, bits: Sequence[int], probabilities: Sequence[int]) -> None:
        """Appends bits.

        Args:
            bits: 0 or 1.
            probabilities: for each bit, 65536 times the chance that it is 1; from 1 to 65535.
        """
        low, width, out = self._low, self._range, self._out
        for bit, probability in zip(bits, probabilities, strict=True):
            bound = (width >> PROBABILITY_BITS) * probability
            if bit:
                width = bound
            else:
                low += bound
                width -= bound
            while width < _TOP:
                if low > _MASK:
                    _carry(out)
                    low &= _MASK
                out.append(low >> 24)
                low = (low << 8) & _MASK
                width <<= 8
        self._low, self._range = low, width

    def finish(self) -> bytes:
        """The bytes so far and the fewest that settle every bit, whatever may follow them.

        The encoder stays as it is, so that more bits can be appended.
        """
        out = bytearray(self._out)
        low, end = self._low, self._low + self._range
        for count in range(5):
            unit = 1 << (32 - 8 * count)
            value = -(-low // unit) * unit
            if value + unit <= end:
                break
        if value > _MASK:
            _carry(out)
            value &= _MASK
        return bytes(out + value.to_bytes(4, "big")[:count])


class RangeDecoder:
    """Reads bits back.

    Args:
        data: what `RangeEncoder.finish` gave, or the first bytes of it.

    Raises:
        CorruptStreamError: if no encoder writes such bytes.

    Examples:
        >>> RangeDecoder(bytes.fromhex("12")).decode([60000, 5000, EVEN])
        [1, 0, 1]
    """

    def __init__(self, data: bytes):
        self._data = data
        self._code = int.from_bytes(data[:4].ljust(4, b"\0"), "big")
        self._position = 4
        self._range = _MASK
        # From here on the code stays below the range, which every number here rests on.
        if self._code >= self._range:
            raise CorruptStreamError("the stream is damaged: its code begins with ff ff ff ff")

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
            while width < _TOP:
                code = code << 8 | (data[position] if position < end else 0)
                position += 1
                width <<= 8
        self._code, self._range, self._position = code, width, position
        return bits

    @property
    def used(self) -> int:
        """How many of the bytes it takes to settle the bits read so far."""
        for spare in (4, 3, 2, 1):
            tail = self._data[self._position - spare : self._position]
            known = self._code - int.from_bytes(tail.ljust(spare, b"\0"), "big")
            if known >= 0 and known + (1 << 8 * spare) <= self._range:
                return self._position - spare
        return self._position


def _carry(out: bytearray) -> None:
    position = len(out) - 1
    while out[position] == 0xFF:
        out[position] = 0
        position -= 1
    out[position] += 1
