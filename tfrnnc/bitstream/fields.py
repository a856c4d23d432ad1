"""The fields of headers."""

from __future__ import annotations

from tfrnnc.errors import CorruptStreamError, TruncatedStreamError


class FieldReader:
    """Takes fields from the front of a header."""

    def __init__(self, data: bytes, offset: int):
        self.data = data
        self.offset = offset

    def take(self, count: int) -> bytes:
        """The next bytes.

        Raises:
            TruncatedStreamError: if there are not as many.
        """
        taken = self.data[self.offset : self.offset + count]
        if len(taken) < count:
            raise TruncatedStreamError(
                f"the stream is cut within its header, after {len(self.data)} bytes; get the rest"
            )
        self.offset += count
        return bytes(taken)

    def varint(self) -> int:
        """The next number, as `varint` writes it.

        Raises:
            TruncatedStreamError: if it is cut.
            CorruptStreamError: if it takes more than five bytes, or more than it needs.
        """
        value = 0
        for shift in range(0, 35, 7):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if not byte and shift:
                    raise CorruptStreamError("the header is damaged: a number has idle bytes")
                return value
        raise CorruptStreamError("the header is damaged: a number is too long")


def varint(value: int) -> bytes:
    """A number, seven bits to a byte, the least significant first; the last byte is below 128.

    Examples:
        >>> varint(300).hex()
        'ac02'
    """
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
