"""The codecs by name."""

from __future__ import annotations

import functools
from collections.abc import Callable

from tfrnnc.evaluation.avif import AVIF
from tfrnnc.evaluation.evaluated_codec import EvaluatedCodec, split_effort
from tfrnnc.evaluation.jpeg import JPEG
from tfrnnc.evaluation.jpeg2000 import JPEG2000
from tfrnnc.evaluation.jpegxl import JPEGXL
from tfrnnc.evaluation.progressive_codec import ProgressiveCodec
from tfrnnc.evaluation.webp import WebP

CLASSIC_CODECS: dict[str, Callable[[], EvaluatedCodec]] = {
    "jpeg": lambda: JPEG("jpeg", "4:2:0"),
    "jpeg444": lambda: JPEG("jpeg444", "4:4:4"),
    "jpeg2000": JPEG2000,
    "webp": WebP,
    "avif": lambda: AVIF("avif", "4:2:0"),
    "avif444": lambda: AVIF("avif444", "4:4:4"),
    "jpegxl": JPEGXL,
}
#: Those whose encoder also comes with another speed or effort than the best, as "avif@4".
ADJUSTABLE_CODECS: dict[str, Callable[[str, int], EvaluatedCodec]] = {
    "avif": lambda name, speed: AVIF(name, "4:2:0", speed),
    "avif444": lambda name, speed: AVIF(name, "4:4:4", speed),
    "jpegxl": JPEGXL,
}


def classic_codec(name: str) -> str | None:
    """The classic codec that a name means, or None if it means none.

    Example:
    >>> classic_codec("avif@4"), classic_codec("jpeg"), classic_codec("jpeg@4")
    ('avif', 'jpeg', None)
    """
    codec, effort = split_effort(name)
    known = CLASSIC_CODECS if effort is None else ADJUSTABLE_CODECS
    return codec if codec in known else None


@functools.cache
def open_codec(name: str) -> EvaluatedCodec:
    """A codec, made once in each process.

    Args:
        name: of a classic codec or a preset, or the folder of a trained model; of the last two
            with the effort, as in "conv_lstm_small@2", and so of AVIF and JPEG XL.

    Raises:
        InstallationError: if a library that it needs is missing.
        ModelError: if the name is none of these, or the model's files are broken.
    """
    codec, effort = split_effort(name)
    if classic_codec(name) is None:
        return ProgressiveCodec(name)
    return CLASSIC_CODECS[codec]() if effort is None else ADJUSTABLE_CODECS[codec](name, effort)
