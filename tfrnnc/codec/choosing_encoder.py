"""Encodes an image as it is and at half its resolution, where that may be better."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from tfrnnc.codec.calls import Calls
from tfrnnc.codec.encode_options import EncodeOptions, SizeLimits, with_keywords
from tfrnnc.codec.progressive_encoder import Encoded, ImageEncoder, ProgressiveEncoder
from tfrnnc.errors import ConfigError, TooLargeError
from tfrnnc.metrics import block_ssim, squared_error

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from tfrnnc.codec.encode_options import SizeKeywords

MAX_BPP = 0.5  #: more bits per pixel are nearly always better spent on the image as it is
LEAST_SIDE = 64  #: in pixels; smaller images gain as well, but their bytes are few and time counts


class ChoosingEncoder(ImageEncoder):
    """Encodes one image with the better `downscale`; see `EncodeOptions`.

    Args:
        encoder_at: makes the encoder of the image with a downscale.
        image: uint8 (H, W, 3).
        options: how to encode it.

    Raises:
        TooLargeError, ConfigError: as `encoder_at` does.
    """

    def __init__(
        self,
        encoder_at: Callable[[Literal[1, 2]], ProgressiveEncoder],
        image: np.ndarray,
        options: EncodeOptions,
    ):
        self._encoder_at, self._image, self._options = encoder_at, image, options
        self._whole = encoder_at(1)
        self.worker = self._whole.worker

    @functools.cached_property
    def _half(self) -> ProgressiveEncoder:
        return self._encoder_at(2)

    @property
    def padded_size(self) -> tuple[int, int]:
        """Height and width of the image, padded to the model's stride."""
        return self._whole.padded_size

    def fitting(self, **limits: Unpack[SizeKeywords]) -> Calls[Encoded]:
        """What `fit` computes; see `ImageEncoder.fitting`."""
        given = with_keywords(self._options.size_limits, limits)
        return self._best((yield from self._candidates(given)), given)

    def _candidates(self, limits: SizeLimits) -> Calls[list[Encoded]]:
        """The image as it is and, where that may be better, at half its resolution.

        Raises:
            ConfigError: if there is neither.
            TooLargeError: if the image as it is takes too much work.
        """
        candidates: list[Encoded] = []
        failure: ConfigError | TooLargeError | None = None
        try:
            candidates.append((yield from self._whole.fitting(**asdict(limits))))
        except ConfigError as error:  # Too few bytes, which may be enough for the other.
            failure = error
        max_bytes = self._most_bytes_at_half(candidates, limits)
        if max_bytes is not None:
            tighter = replace(limits, max_bytes=max_bytes, bpp=None)
            try:
                candidates.append((yield from self._half.fitting(**asdict(tighter))))
            except (ConfigError, TooLargeError) as error:  # Of more iterations, in that case.
                failure = failure or error
        if failure is not None and not candidates:
            raise failure
        return candidates

    def _most_bytes_at_half(self, whole: list[Encoded], limits: SizeLimits) -> int | None:
        """The bytes within which half the resolution may be better; None if it is not tried."""
        height, width, _ = self._image.shape
        max_bytes = limits.most_bytes(height * width)
        if _has_targets(limits) and whole and not whole[0].missed:
            max_bytes = len(whole[0].data) - 1
        if max_bytes is None or 8 * max_bytes > MAX_BPP * height * width:
            return None
        is_tried = max_bytes and min(height, width) >= LEAST_SIDE and not self._options.headerless
        return max_bytes if is_tried else None

    def _best(self, candidates: list[Encoded], limits: SizeLimits) -> Encoded:
        """The smallest of those that reach the targets; where there are none, the best picture."""
        if len(candidates) == 1:
            return candidates[0]

        def rank(encoded: Encoded) -> tuple[int, float]:
            reached = _has_targets(limits) and not encoded.missed
            badness = len(encoded.data) if reached else self._badness(encoded.picture)
            return len(encoded.missed), badness

        return min(candidates, key=rank)

    def _badness(self, picture: np.ndarray) -> float:
        """What is wrong with a picture in both measures: each alone would spoil the other."""
        dissimilarity = 1 - block_ssim(self._image, picture)
        return squared_error(self._image, picture) * dissimilarity


def _has_targets(limits: SizeLimits) -> bool:
    return limits.psnr is not None or limits.ssim is not None
