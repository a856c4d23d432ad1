"""What encoding can be asked for, checked once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Literal, TypeAlias, TypedDict, TypeVar

from tfrnnc.arguments import require_bool, require_int, require_number
from tfrnnc.bitstream.constants import DOWNSCALE, MAX_ITERATIONS, MAX_PIXELS, MAX_WORK
from tfrnnc.bitstream.limits import WorkLimits
from tfrnnc.codec.effort import AIMS, MAX_EFFORT, Tune
from tfrnnc.errors import ConfigError

_Options = TypeVar("_Options", bound="SizeLimits")

AUTO: Literal["auto"] = "auto"
#: 1 encodes the image as it is, 2 at half its width and height, "auto" what is better.
Downscale: TypeAlias = Literal[1, 2, "auto"]


class SizeKeywords(TypedDict, total=False):
    """The fields of `SizeLimits`, as keywords."""

    iterations: int | None
    bpp: float | None
    max_bytes: int | None
    psnr: float | None
    ssim: float | None


class EncodeKeywords(SizeKeywords, total=False):
    """The fields of `EncodeOptions`, as keywords."""

    background: str | None
    headerless: bool
    entropy_coding: bool
    effort: int
    tune: Tune
    adaptive: bool
    downscale: Downscale
    max_pixels: int
    max_work: int


@dataclass(frozen=True, kw_only=True)
class SizeLimits:
    """How large a stream may be, or how good it has to be; the tightest limit counts.

    Attributes:
        iterations: most iterations; None takes all that the model has.
        bpp: most bits per pixel, all bytes counted.
        max_bytes: most bytes, all counted. The last iteration is cut where the bytes end, if the
            picture gains from the part of it that fits.
        psnr: stop at the first iteration that reaches this PSNR in decibels.
        ssim: the same for the paper's SSIM.

    Raises:
        ConfigError: if a value is of the wrong type or out of range.
    """

    iterations: int | None = None
    bpp: float | None = None
    max_bytes: int | None = None
    psnr: float | None = None
    ssim: float | None = None

    def __post_init__(self) -> None:
        if self.iterations is not None:
            self._set("iterations", require_int("iterations", self.iterations, 1, MAX_ITERATIONS))
        if self.max_bytes is not None:
            self._set("max_bytes", require_int("max_bytes", self.max_bytes, 1))
        if self.bpp is not None:
            self._set("bpp", require_number("bpp", self.bpp, above=0))
        if self.psnr is not None:
            self._set("psnr", require_number("psnr", self.psnr, above=0))
        if self.ssim is not None:
            self._set("ssim", require_number("ssim", self.ssim, above=-1, most=1))

    def most_bytes(self, pixels: int) -> int | None:
        """The bytes that the limits leave to an image; None for any.

        Args:
            pixels: of the image.
        """
        if self.bpp is None:
            return self.max_bytes
        allowed = int(min(self.bpp * pixels / 8, 2**62))
        return allowed if self.max_bytes is None else min(self.max_bytes, allowed)

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)


@dataclass(frozen=True, kw_only=True)
class EncodeOptions(SizeLimits):
    """How to encode an image. Without limits on the size, all iterations are encoded.

    Attributes:
        background: colour behind a transparent image, as Pillow names them ("white", "#ff8800").
        headerless: leave out the header and the checksums, for stores that know the size of
            their images and check for themselves; `Codec.shared_header` makes it a stream again.
        entropy_coding: False leaves the entropy model out.
        effort: how hard to search for better bits, 0 to 8. Up to 4, it is the number of bits of
            each 8x8 pixels that every iteration tries the other way, and keeps where the picture
            gains; each takes up to twice 9 decodings. 5 follows the gradient of rate and
            distortion instead, and 6, 7 and 8 then try 1, 2 and 4 bits as well, which gains most.
            These are for models on the runtime "keras" and images of up to 2^20 pixels.
        tune: what an effort above 0 looks for: "psnr", a smaller squared error, or "ssim", a
            higher SSIM (the paper's), with which PSNR gains less.
        adaptive: give each location of the latent bits its own number of iterations (section
            3.7), so that the limits are kept with the best picture, or the targets reached with
            the fewest bits. Models whose locations are independent, `fc` and `fc_lstm`, encode
            once; without limits, each location takes what its picture gains from. Others
            encode up to seven times, and need `psnr`, `ssim`, `bpp` or `max_bytes`.
        downscale: 2 reduces the image to half its width and height before it is encoded, and the
            picture is enlarged after decoding, which is better for photos at few bits per pixel;
            1 does not. "auto" tries both where `bpp` and `max_bytes` leave at most 0.5 bits per
            pixel, or `psnr` and `ssim` are reached with that, and keeps the better stream: the
            smaller one of two that reach the targets, else the one with the smaller product of
            squared error and 1 - SSIM. It does not try 2 with images whose shorter side is below
            64 pixels, and `headerless`.
        max_pixels: refuse larger images, padded to the model's stride.
        max_work: refuse more pixels that are coded, padded, times iterations.

    Raises:
        ConfigError: if a value is of the wrong type or out of range.

    Examples:
        >>> EncodeOptions(max_bytes=64, headerless=True).max_bytes
        64
    """

    background: str | None = None
    headerless: bool = False
    entropy_coding: bool = True
    effort: int = 0
    tune: Tune = "psnr"
    adaptive: bool = False
    downscale: Downscale = AUTO
    max_pixels: int = MAX_PIXELS
    max_work: int = MAX_WORK

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.background is None or isinstance(self.background, str)):
            raise ConfigError(f"background must be the name of a colour, not {self.background!r}")
        for name in ("headerless", "entropy_coding", "adaptive"):
            self._set(name, require_bool(name, getattr(self, name)))
        self._set("effort", require_int("effort", self.effort, 0, MAX_EFFORT))
        check_tune(self.tune, self.effort)
        if self.downscale != AUTO:
            self._set("downscale", self._checked_downscale())
        self.work_limits  # noqa: B018  (says what is wrong with them)

    @cached_property
    def work_limits(self) -> WorkLimits:
        """The bounds on time and memory."""
        return WorkLimits(self.max_pixels, self.max_work)

    def _checked_downscale(self) -> int:
        try:
            return require_int("downscale", self.downscale, 1, DOWNSCALE)
        except ConfigError as error:
            raise ConfigError(
                f"downscale must be 1, 2 or 'auto', not {self.downscale!r}"
            ) from error

    @property
    def size_limits(self) -> SizeLimits:
        """The limits alone."""
        return SizeLimits(**{each.name: getattr(self, each.name) for each in fields(SizeLimits)})


def check_tune(tune: Tune, effort: int) -> None:
    """Raises ConfigError if the search cannot look for this, or there is none."""
    if not isinstance(tune, str) or tune not in AIMS:
        raise ConfigError(f"tune must be {' or '.join(map(repr, AIMS))}, not {tune!r}")
    if tune == "ssim" and not effort:
        raise ConfigError("tune is what an effort looks for: give an effort of at least 1, too")


def with_keywords(options: _Options, keywords: Mapping[str, Any]) -> _Options:
    """Options with some of them changed.

    Args:
        options: that hold where the keywords say nothing.
        keywords: fields of theirs.

    Raises:
        ConfigError: if the options are something else, or a value is not usable.
        TypeError: if there is no such field.
    """
    if not isinstance(options, SizeLimits):
        raise ConfigError(
            f"options must be an EncodeOptions, not {options!r}; write limits as keywords, as in "
            "max_bytes=64"
        )
    return replace(options, **keywords) if keywords else options


def settled_options(options: EncodeOptions | None, keywords: Mapping[str, Any]) -> EncodeOptions:
    """The options of a call that takes some and keywords.

    Args:
        options: that hold where the keywords say nothing; None for the defaults.
        keywords: fields of theirs.

    Raises:
        ConfigError, TypeError: as for `with_keywords`.
    """
    return EncodeOptions(**keywords) if options is None else with_keywords(options, keywords)
