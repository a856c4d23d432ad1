"""How much work a stream or an image may cause."""

from __future__ import annotations

from dataclasses import dataclass

from tfrnnc.arguments import require_int
from tfrnnc.bitstream.constants import MAX_PIXELS, MAX_WORK
from tfrnnc.errors import TooLargeError


@dataclass(frozen=True)
class WorkLimits:
    """Bounds on time and memory, which grow with pixels and iterations, whatever the bytes are.

    Attributes:
        max_pixels: most pixels of the picture that is shown, padded to the model's stride; bounds
            the memory.
        max_work: most pixels that are coded, padded, times iterations; bounds the time.

    Raises:
        ConfigError: if one is no whole number above 0.

    Examples:
        >>> WorkLimits(max_pixels=4096).require_pixels(64 * 64)
    """

    max_pixels: int = MAX_PIXELS
    max_work: int = MAX_WORK

    def __post_init__(self) -> None:
        require_int("max_pixels", self.max_pixels, 1)
        require_int("max_work", self.max_work, 1)

    def require_pixels(self, pixels: int) -> None:
        """Refuses pictures that are too large.

        Args:
            pixels: of the picture that is shown, padded.

        Raises:
            TooLargeError: if they are more than the limit.
        """
        if pixels > self.max_pixels:
            raise TooLargeError(
                f"the image has {pixels:,} pixels, padded to the model's stride, more than the "
                f"limit of {self.max_pixels:,}; raise the limit (max_pixels=, --max-pixels) if "
                "you trust it"
            )

    def require_work(self, pixels: int, iterations: int) -> None:
        """Refuses what takes too long.

        Args:
            pixels: that are coded, padded.
            iterations: that are to be computed of them.

        Raises:
            TooLargeError: if it is more than the limit.
        """
        if pixels * iterations > self.max_work:
            raise TooLargeError(
                f"{iterations} iterations of {pixels:,} pixels, padded to the model's stride, are "
                f"more work than the limit of {self.max_work:,}; take fewer iterations, or raise "
                "the limit (max_work=, --max-work) if you trust it"
            )
