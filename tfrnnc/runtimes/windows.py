"""Cuts a long axis into overlapping windows, so that a large image runs in pieces."""

from __future__ import annotations

from typing import NamedTuple


class Window(NamedTuple):
    """A stretch of an axis, in pixels.

    Attributes:
        start, stop: what is computed.
        first, last: what is kept of it; the kept stretches of all windows make up the axis.
    """

    start: int
    stop: int
    first: int
    last: int

    def computed(self, stride: int) -> slice:
        """What is computed, in an array with one location for each square of pixels."""
        return slice(self.start // stride, self.stop // stride)

    def kept(self, stride: int) -> slice:
        """What is kept, in such an array."""
        return slice(self.first // stride, self.last // stride)

    def kept_of_computed(self, stride: int) -> slice:
        """What is kept, in such an array of what is computed."""
        return slice((self.first - self.start) // stride, (self.last - self.start) // stride)


def cut(length: int, window: int, margin: int) -> list[Window]:
    """Windows that give the same as the whole axis at once.

    Args:
        length: of the axis in pixels.
        window: length of each window, at most `length`; greater than two margins unless it is
            all of it.
        margin: how far beside a cut results are wrong.

    Examples:
        >>> [tuple(window) for window in cut(100, 40, 10)]
        [(0, 40, 0, 30), (20, 60, 30, 50), (40, 80, 50, 70), (60, 100, 70, 100)]
    """
    windows: list[Window] = []
    first = 0
    while first < length:
        start = max(min(first - margin, length - window), 0)
        stop = start + window
        last = length if stop == length else stop - margin
        windows.append(Window(start, stop, first, last))
        first = last
    return windows


def even(length: int, windows: int, margin: int, stride: int) -> int:
    """The length of that many windows which divide an axis, with little overlap.

    Args:
        length: of the axis in pixels, a multiple of the stride.
        windows: how many; `cut` makes fewer where the stride leaves less to keep.
        margin: see `cut`.
        stride: the window is a multiple of it, as the margin is.

    Examples:
        >>> even(992, 2, 16, 8), even(1000, 3, 16, 8), even(400, 1, 16, 8)
        (512, 360, 400)
    """
    kept = -(-(length - 2 * margin) // windows)
    return min(2 * margin + -(-kept // stride) * stride, length)


def count(length: int, most: int, margin: int) -> int:
    """How many windows of at most `most` pixels an axis takes; see `cut`.

    Examples:
        >>> count(992, 512, 16), count(1000, 512, 16), count(400, 512, 16)
        (2, 3, 1)
    """
    return max(-(-(length - 2 * margin) // (most - 2 * margin)), 1)


def shared(windows: int) -> int:
    """A number of windows, near another, that two or four threads share evenly.

    It depends on no machine, because 8-bit arithmetic measures its ranges in each window.

    Examples:
        >>> [shared(windows) for windows in range(1, 12)]
        [1, 2, 4, 4, 4, 8, 8, 8, 8, 12, 12]
    """
    return windows if windows <= 2 else (windows + 2) // 4 * 4
