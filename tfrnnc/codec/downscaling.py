"""Images at half their width and height: reduced before they are encoded, enlarged after decoding.

docs/FORMAT.md describes the enlargement, which every decoder computes to the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image

from tfrnnc.bitstream import Header
from tfrnnc.bitstream.constants import DOWNSCALE, ENLARGEMENT_SHIFT, ENLARGEMENT_TAPS
from tfrnnc.codec.strips import Picture
from tfrnnc.images import pad_to_multiple

#: Samples of the small picture that are enlarged at once: what they take stays in the CPU's cache.
_SAMPLES_AT_ONCE = 1 << 16
_REACH = len(ENLARGEMENT_TAPS) // 2  # rows, or columns, that a sum takes beyond its own
_ROUNDING = 1 << (ENLARGEMENT_SHIFT - 1)


def reduced(pixels: np.ndarray) -> np.ndarray:
    """An image at half its width and height, by Lanczos' filter.

    Args:
        pixels: uint8 (H, W, 3).

    Returns:
        uint8 (ceil(H / 2), ceil(W / 2), 3). The last row and column count twice where they are
        odd.

    Examples:
        >>> reduced(np.zeros((5, 8, 3), np.uint8)).shape
        (3, 4, 3)
    """
    even = pad_to_multiple(pixels, DOWNSCALE)
    size = even.shape[1] // DOWNSCALE, even.shape[0] // DOWNSCALE
    return np.asarray(Image.fromarray(even).resize(size, Image.Resampling.LANCZOS))


def enlarged(pixels: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A picture at twice its width and height, by Catmull-Rom's cubic, in whole numbers.

    Args:
        pixels: uint8 (ceil(H / 2), ceil(W / 2), 3).
        shape: (H, W, ...) of the result.

    Returns:
        uint8 (H, W, 3).

    Examples:
        >>> enlarged(np.full((3, 4, 3), 7, np.uint8), (5, 8))[4, 7]
        array([7, 7, 7], dtype=uint8)
    """
    picture = Picture(shape)
    for rows in enlarged_rows(pixels, shape):
        picture.add(rows)
    return picture.pixels


def enlarged_rows(pixels: np.ndarray, shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    """Yields the rows of `enlarged`, uint8 (n, W, 3), from the top down.

    Args:
        pixels: as for `enlarged`.
        shape: (H, W, ...) of the result.
    """
    rows, columns, channels = pixels.shape
    step = max(_SAMPLES_AT_ONCE // (columns * channels), 1)
    for first in range(0, rows, step):
        last = min(first + step, rows)
        around = np.arange(first - _REACH, last + _REACH).clip(0, rows - 1)
        block = np.pad(pixels[around], ((0, 0), (_REACH, _REACH), (0, 0)), mode="edge")
        lines = block.reshape(around.size, -1).astype(np.int32)
        part = np.empty((min(2 * last, shape[0]) - 2 * first, shape[1], channels), np.uint8)
        for odd_row, sums in enumerate(_sums(lines)):
            target = part[odd_row::2]
            for odd_column, levels in enumerate(_sums(sums[: len(target)].T, channels)):
                shown = target[:, odd_column::2]
                picture = _levels(levels.T).reshape(len(target), columns, channels)
                shown[:] = picture[:, : shown.shape[1]]
        yield part


def as_shown(picture: np.ndarray, header: Header) -> np.ndarray:
    """The picture that a stream shows, uint8 (H, W, 3).

    Args:
        picture: that its planes decode to, uint8, of the header's coded size.
        header: of the stream.
    """
    if header.downscale == 1:
        return picture
    return enlarged(picture, (header.height, header.width))


def rows_as_shown(picture: np.ndarray, header: Header) -> Iterator[np.ndarray]:
    """Yields the rows of `as_shown`, uint8 (n, W, 3), from the top down.

    Args:
        picture: as for `as_shown`.
        header: of the stream.
    """
    if header.downscale == 1:
        yield picture
    else:
        yield from enlarged_rows(picture, (header.height, header.width))


def _sums(lines: np.ndarray, distance: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """The weighted sums between lines, for the even and for the odd lines of the result.

    Args:
        lines: int32 (n + 2 * reach, ...).
        distance: from a line to the next one that is summed up with it.
    """
    count = len(lines) - 2 * _REACH * distance
    outer, inner, centre, other = ENLARGEMENT_TAPS
    before2, before, at, after, after2 = (
        lines[place * distance : place * distance + count] for place in range(2 * _REACH + 1)
    )
    middle = at * centre
    even = before2 * outer + before * inner + middle + after * other
    odd = before * other + middle + after * inner + after2 * outer
    return even, odd


def _levels(sums: np.ndarray) -> np.ndarray:
    """Sums over rows and columns as levels, uint8."""
    sums += _ROUNDING
    sums >>= ENLARGEMENT_SHIFT
    return sums.clip(0, 255, out=sums).astype(np.uint8)
