"""The codecs by name."""

from __future__ import annotations

import functools
from collections.abc import Callable

from tfrnnc.evaluation.avif import AVIF
from tfrnnc.evaluation.evaluated_codec import EvaluatedCodec
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


@functools.cache
def open_codec(name: str) -> EvaluatedCodec:
    """A codec, made once in each process.

    Args:
        name: of a classic codec or a preset, or the folder of a trained model; of these two with
            the effort, as in "conv_lstm_small@2".

    Raises:
        InstallationError: if a library that it needs is missing.
        ModelError: if the name is none of these, or the model's files are broken.
    """
    return CLASSIC_CODECS[name]() if name in CLASSIC_CODECS else ProgressiveCodec(name)
