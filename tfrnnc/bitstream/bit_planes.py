"""The bits of one step as bytes. An entropy coder would take the place of this module."""

from __future__ import annotations

import numpy as np

from tfrnnc.errors import CorruptStreamError


def pack_plane(plane: np.ndarray) -> bytes:
    """Packs a step's bits, eight to a byte, the most significant first.

    Args:
        plane: bool (h, w, bits), true for +1; row by row, at each location bit by bit.

    Returns:
        ceil(h * w * bits / 8) bytes; what is left of the last one is zero.

    Example:
    >>> pack_plane(np.array([[[True, False, True]]])).hex()
    'a0'
    """
    return np.packbits(plane, axis=None).tobytes()


def unpack_plane(data: bytes, shape: tuple[int, int, int]) -> np.ndarray:
    """Undoes `pack_plane`.

    Args:
        data: exactly ceil(h * w * bits / 8) bytes.
        shape: (h, w, bits).

    Returns:
        bool (h, w, bits).

    Raises:
        CorruptStreamError: if the number of bytes is not that of the shape, or what is left of
            the last byte is not zero.
    """
    count = int(np.prod(shape))
    values = np.frombuffer(data, np.uint8)
    if values.size != -(-count // 8):
        raise CorruptStreamError(f"a step of {count} bits cannot have {values.size} bytes")
    bits = np.unpackbits(values)
    if bits[count:].any():
        raise CorruptStreamError("the stream is damaged: the padding after a step is not zero")
    return bits[:count].astype(bool).reshape(shape)
