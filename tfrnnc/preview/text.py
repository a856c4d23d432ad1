"""A preview's bytes and its string; docs/PREVIEW.md describes both."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

import numpy as np

from tfrnnc.errors import (
    CorruptStreamError,
    ForeignStreamError,
    TruncatedStreamError,
    UnsupportedVersionError,
)
from tfrnnc.preview.layout import HEADER_BYTES, MAX_BYTES, MIN_BYTES, SIDE

VERSION = 1  #: in the first two bits
_VERSION_SHIFT = 6
_TALL = 1 << 5  #: flag of pictures that are taller than wide
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class PreviewData:
    """What a preview says.

    Attributes:
        width, height: of the picture; the longer side is 32.
        colour: indices of luma and both chromas, int32 (3,).
        step: index of the step size.
        payload: the range-coded coefficients, as many as there are.
    """

    width: int
    height: int
    colour: np.ndarray
    step: int
    payload: bytes

    @property
    def size(self) -> int:
        """How many bytes the preview has."""
        return HEADER_BYTES + len(self.payload)


def picture_size(width: int, height: int) -> tuple[int, int]:
    """Width and height of the preview of an image: 32 for the longer side, at least 1.

    Examples:
        >>> picture_size(768, 512)
        (32, 21)
    """
    long, short = max(width, height), min(width, height)
    reduced = max(1, (2 * SIDE * short + long) // (2 * long))
    return (SIDE, reduced) if width >= height else (reduced, SIDE)


def to_text(preview: PreviewData) -> str:
    """The string of a preview."""
    short = min(preview.width, preview.height)
    first = VERSION << _VERSION_SHIFT | (short - 1)
    if preview.width < preview.height:
        first |= _TALL
    luma, blue, red = (int(index) for index in preview.colour)
    rest = luma << 11 | blue << 7 | red << 3 | preview.step
    data = bytes([first]) + rest.to_bytes(2, "big") + preview.payload
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def from_text(text: str) -> PreviewData:
    """What a string says; it may be cut anywhere after the average colour.

    Raises:
        ForeignStreamError: if it is no string of base64url.
        UnsupportedVersionError: if its version is another.
        TruncatedStreamError: if it ends before the average colour does.
        CorruptStreamError: if it is longer than any preview.
    """
    if not isinstance(text, str) or (text and not _BASE64URL.fullmatch(text)):
        shown = repr(text) if len(repr(text)) < 40 else repr(text)[:40] + "..."
        raise ForeignStreamError(
            f"preview {shown}: has other characters than A-Z, a-z, 0-9, - and _; give the string "
            "that tfrnnc-preview printed"
        )
    size = len(text) * 6 // 8
    if size > MAX_BYTES:
        raise CorruptStreamError(
            f"preview of {size} bytes: none has more than {MAX_BYTES}; give the string that "
            "tfrnnc-preview printed"
        )
    whole = text[: -(-8 * size // 6)]
    data = base64.urlsafe_b64decode(whole + "=" * (-len(whole) % 4)) if size else b""
    if size and data[0] >> _VERSION_SHIFT != VERSION:
        raise UnsupportedVersionError(
            f"preview of version {data[0] >> _VERSION_SHIFT}: this release reads version "
            f"{VERSION}; update tfrnnc"
        )
    if size < MIN_BYTES:
        raise TruncatedStreamError(
            f"preview of {size} bytes: the shortest has {MIN_BYTES}, which are 4 characters; cut "
            "it less"
        )
    return _from_bytes(data)


def _from_bytes(data: bytes) -> PreviewData:
    short = (data[0] & 31) + 1
    rest = int.from_bytes(data[1:HEADER_BYTES], "big")
    return PreviewData(
        *((short, SIDE) if data[0] & _TALL else (SIDE, short)),
        np.array([rest >> 11, rest >> 7 & 15, rest >> 3 & 15], np.int32),
        rest & 7,
        data[HEADER_BYTES:],
    )
