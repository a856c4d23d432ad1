"""The bits of one iteration as bytes, eight to a byte."""

from __future__ import annotations

import numpy as np

from tfrnnc.errors import CorruptStreamError

_PLUS, _MINUS = np.array(1, np.int8), np.array(-1, np.int8)


def pack_plane(plane: np.ndarray) -> bytes:
    """Packs an iteration's bits, eight to a byte, the most significant first.

    Args:
        plane: int8 (h, w, bits) of -1 and +1; row by row, at each location bit by bit.

    Returns:
        ceil(h * w * bits / 8) bytes, with 1 for +1; what is left of the last one is zero.

    Examples:
        >>> pack_plane(np.array([[[1, -1, 1]]], np.int8)).hex()
        'a0'
    """
    return np.packbits(plane > 0, axis=None).tobytes()


def unpack_plane(data: bytes, shape: tuple[int, int, int]) -> np.ndarray:
    """Undoes `pack_plane`.

    Args:
        data: exactly ceil(h * w * bits / 8) bytes.
        shape: (h, w, bits).

    Returns:
        int8 (h, w, bits) of -1 and +1.

    Raises:
        CorruptStreamError: if the number of bytes is not that of the shape, or what is left of
            the last byte is not zero.
    """
    count = int(np.prod(shape))
    values = np.frombuffer(data, np.uint8)
    if values.size != -(-count // 8):
        raise CorruptStreamError(f"an iteration of {count} bits cannot have {values.size} bytes")
    bits = np.unpackbits(values)
    if bits[count:].any():
        raise CorruptStreamError(
            "the stream is damaged: the padding after an iteration is not zero"
        )
    return as_plane(bits[:count].reshape(shape))


def as_plane(positive: np.ndarray) -> np.ndarray:
    """A plane, int8 of -1 and +1, from what says where it is +1."""
    return np.where(positive, _PLUS, _MINUS)


def coded_locations(plane: np.ndarray) -> np.ndarray:
    """Which locations of a plane, int8 (h, w, bits), have a bit that is not 0: bool (h, w)."""
    return np.asarray(plane.any(axis=2))
