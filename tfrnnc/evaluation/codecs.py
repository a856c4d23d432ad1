"""The codecs by name."""

from __future__ import annotations

import functools
from collections.abc import Callable

from tfrnnc.errors import ConfigError
from tfrnnc.evaluation.avif import AVIF
from tfrnnc.evaluation.evaluated_codec import EvaluatedCodec, split_effort
from tfrnnc.evaluation.jpeg import JPEG
from tfrnnc.evaluation.jpeg2000 import JPEG2000
from tfrnnc.evaluation.jpegxl import JPEGXL
from tfrnnc.evaluation.progressive_codec import ProgressiveCodec
from tfrnnc.evaluation.webp import WebP

CLASSIC_CODECS: dict[str, Callable[..., EvaluatedCodec]] = {
    "jpeg": lambda: JPEG("jpeg", "4:2:0"),
    "jpeg444": lambda: JPEG("jpeg444", "4:4:4"),
    "jpeg2000": JPEG2000,
    "webp": WebP,
    "avif": lambda name="avif", *speed: AVIF(name, "4:2:0", *speed),
    "avif444": lambda name="avif444", *speed: AVIF(name, "4:4:4", *speed),
    "jpegxl": JPEGXL,
}
#: The speeds or efforts of those whose names may ask for one, as "avif@4"; else they take the best.
EFFORTS = {"avif": range(11), "avif444": range(11), "jpegxl": range(1, 11)}


def classic_codec(name: str) -> str | None:
    """The classic codec that a name means, or None if it means none.

    Example:
    >>> classic_codec("avif@4"), classic_codec("jpeg"), classic_codec("jpeg@4")
    ('avif', 'jpeg', None)
    """
    codec, effort = split_effort(name)
    known = codec in CLASSIC_CODECS and (effort is None or codec in EFFORTS)
    return codec if known else None


@functools.cache
def open_codec(name: str) -> EvaluatedCodec:
    """A codec, made once in each process.

    Args:
        name: of a classic codec or a preset, or the folder of a trained model; of the last two
            with the effort, as in "conv_lstm_small@2", and so of AVIF and JPEG XL.

    Raises:
        ConfigError: if AVIF or JPEG XL has no such speed or effort.
        InstallationError: if a library that it needs is missing.
        ModelError: if the name is none of these, or the model's files are broken.
    """
    codec, effort = split_effort(name)
    if classic_codec(name) is None:
        return ProgressiveCodec(name)
    if effort is None:
        return CLASSIC_CODECS[codec]()
    if effort not in (efforts := EFFORTS[codec]):
        raise ConfigError(
            f"{name}: the number behind {codec}@ must be from {efforts[0]} to {efforts[-1]}"
        )
    return CLASSIC_CODECS[codec](name, effort)
