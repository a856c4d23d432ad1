"""The codecs by name."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tfrnnc.codec.effort import Tune
from tfrnnc.errors import ConfigError, ModelError
from tfrnnc.evaluation.avif import AVIF
from tfrnnc.evaluation.evaluated_codec import EvaluatedCodec
from tfrnnc.evaluation.jpeg import JPEG
from tfrnnc.evaluation.jpeg2000 import JPEG2000
from tfrnnc.evaluation.jpegxl import JPEGXL
from tfrnnc.evaluation.preview_codecs import PREVIEW_CODECS
from tfrnnc.evaluation.progressive_codec import ProgressiveCodec
from tfrnnc.evaluation.webp import WebP
from tfrnnc.model_folder.presets import find_model, list_presets


@dataclass(frozen=True)
class ClassicEntry:
    """How a classic codec is made.

    Attributes:
        make: takes `name` and the options, and returns the codec.
        options: that are always given.
        effort_option: the name of the option for speed or effort; None if there is no choice.
        efforts: what it may be; without one the codec works as hard as it can.
    """

    make: Callable[..., EvaluatedCodec]
    options: Mapping[str, Any] = field(default_factory=dict)
    effort_option: str | None = None
    efforts: range = range(0)


CLASSIC_CODECS: dict[str, ClassicEntry] = {
    "jpeg": ClassicEntry(JPEG, {"subsampling": "4:2:0"}),
    "jpeg444": ClassicEntry(JPEG, {"subsampling": "4:4:4"}),
    "jpeg2000": ClassicEntry(JPEG2000),
    "webp": ClassicEntry(WebP),
    "avif": ClassicEntry(AVIF, {"subsampling": "4:2:0"}, "speed", range(11)),
    "avif444": ClassicEntry(AVIF, {"subsampling": "4:4:4"}, "speed", range(11)),
    "jpegxl": ClassicEntry(JPEGXL, {}, "effort", range(1, 11)),
}


@dataclass(frozen=True)
class CodecSpec:
    """A codec to evaluate.

    Attributes:
        name: of a classic codec in `CLASSIC_CODECS` or of a preset, or a model's folder.
        effort: what a model encodes with, or the speed or effort of a classic codec that has one;
            None is a model's effort 0, and the best that a classic codec can.
        half: whether a model encodes low rates at half the resolution.
        tune: what a model's effort looks for.
        arithmetic: what a model computes in, as for `tfrnnc.load`.
    """

    name: str
    effort: int | None = None
    half: bool = False
    tune: Tune = "psnr"
    arithmetic: str = "float32"

    def __str__(self) -> str:
        effort = "" if self.effort is None else f"@{self.effort}"
        arithmetic = "" if self.arithmetic == "float32" else f"@{self.arithmetic}"
        half = "@half" if self.half else ""
        tune = "" if self.tune == "psnr" else f"@{self.tune}"
        return f"{self.name}{effort}{half}{tune}{arithmetic}"

    @classmethod
    def parse(cls, word: str) -> CodecSpec:
        """The codec that its name and marks mean: `@EFFORT`, `@half`, `@ssim`, `@int8`, in order.

        Examples:
            >>> CodecSpec.parse("fc_small@2")
            CodecSpec(name='fc_small', effort=2, half=False, tune='psnr', arithmetic='float32')
            >>> CodecSpec.parse("runs/mine@half@int8")
            CodecSpec(name='runs/mine', effort=None, half=True, tune='psnr', arithmetic='int8')
        """
        found = re.fullmatch(r"(.+?)(?:@([0-9]+))?(@half)?(@ssim)?(?:@(int8))?", word)
        if not found:
            return cls(word)
        name, effort, half, ssim, arithmetic = found.groups()
        return cls(
            name,
            int(effort) if effort else None,
            bool(half),
            "ssim" if ssim else "psnr",
            arithmetic or "float32",
        )

    @classmethod
    def of(cls, codec: CodecSpec | str) -> CodecSpec:
        """The same, or the codec of that name without an effort."""
        return codec if isinstance(codec, CodecSpec) else cls(codec)


def codec_names() -> list[str]:
    """The presets and the other codecs, all that can be named without a folder."""
    return [*list_presets(), *CLASSIC_CODECS, *PREVIEW_CODECS]


@functools.cache
def open_codec(codec: CodecSpec | str) -> EvaluatedCodec:
    """A codec, made once in each process.

    Raises:
        ConfigError: if a classic codec has no such speed or effort, or a model's effort does not go
            with its arithmetic.
        InstallationError: if a library that it needs is missing.
        ModelError: if the name is none of a codec or model, or the model's files are broken.
    """
    spec = CodecSpec.of(codec)
    if spec.name in PREVIEW_CODECS or spec.name in CLASSIC_CODECS:
        if spec.half:
            raise ConfigError(
                f"{spec}: only models encode at half the resolution; give {spec.name}"
            )
        if spec.tune != "psnr":
            raise ConfigError(f"{spec}: only models look for SSIM; give {spec.name}")
        if spec.arithmetic != "float32":
            raise ConfigError(f"{spec}: only models have an arithmetic; give {spec.name}")
    if spec.name in PREVIEW_CODECS:
        if spec.effort is not None:
            raise ConfigError(f"{spec}: {spec.name} has no efforts; give {spec.name}")
        return PREVIEW_CODECS[spec.name](spec.name)
    entry = CLASSIC_CODECS.get(spec.name)
    if entry is None:
        return ProgressiveCodec(spec.name, spec.effort or 0, spec.half, spec.tune, spec.arithmetic)
    if spec.effort is None:
        return entry.make(name=spec.name, **entry.options)
    if entry.effort_option is None:
        raise ConfigError(f"{spec}: {spec.name} has no speeds or efforts; give {spec.name}")
    if spec.effort not in entry.efforts:
        first, last = entry.efforts[0], entry.efforts[-1]
        raise ConfigError(
            f"{spec}: the {entry.effort_option} of {spec.name} must be from {first} to {last}"
        )
    return entry.make(name=str(spec), **entry.options, **{entry.effort_option: spec.effort})


def check_codecs(codecs: Iterable[CodecSpec | str]) -> tuple[CodecSpec, ...]:
    """The codecs, each once, after opening all of them.

    Raises:
        ConfigError: if one is not known, has no such effort, or is named as another one.
        InstallationError, ModelError: as `open_codec`, for those that are known.
    """
    specs = tuple(dict.fromkeys(map(CodecSpec.of, codecs)))
    if not specs:
        raise ConfigError("no codec is given")
    shown: list[str] = []
    for spec in specs:
        if spec.name not in CLASSIC_CODECS and spec.name not in PREVIEW_CODECS:
            try:
                find_model(spec.name)
            except ModelError as error:
                raise ConfigError(
                    f"{spec}: none of {', '.join(codec_names())}, nor a model's folder"
                ) from error
        shown.append(open_codec(spec).name)
    if twice := {name for name in shown if shown.count(name) > 1}:
        raise ConfigError(f"several codecs are named {', '.join(sorted(twice))}")
    return specs
