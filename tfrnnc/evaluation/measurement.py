"""One image by one codec: what is measured of it, and where that is kept."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from PIL import Image

from tfrnnc.errors import ConfigError
from tfrnnc.evaluation.evaluated_codec import EvaluatedCodec
from tfrnnc.files import replacing
from tfrnnc.metrics import block_ssim, ms_ssim, psnr

Result: TypeAlias = dict[str, Any]  #: of `measure` or `picture_at`, as JSON takes it

PSNR_OF_EQUALS = 100.0  #: dB, for pictures equal to the image, so that means stay finite

METRICS = {
    "psnr": lambda image, picture: min(psnr(image, picture), PSNR_OF_EQUALS),
    "ssim": block_ssim,
    "msssim": ms_ssim,
}  #: by the names that the command takes

PAPER, MODERN = "paper", "modern"
#: Of the code that measures. Results of another version are measured again: raise it with every
#: change of a metric, of a protocol, or of how images are read. Codecs have versions of their own.
MEASUREMENT_VERSION = 1

DEFAULT_TARGETS = (16, 32, 48, 64, 80, 96, 112, 128)


@dataclass(frozen=True)
class EvaluationProtocol:
    """How codecs are compared.

    Attributes:
        name: "paper": at each target size the payload without headers; "modern": whole files, over
            a sweep of qualities.
        metrics: names in `METRICS`.
        targets: bytes; none for "modern".
        reduced_side: what codecs are given is the image reduced to this many pixels on its longer
            side; what they show is enlarged to the image again, by bicubic interpolation, before
            it is measured. None gives them the image.

    Raises:
        ConfigError: if a name is not known, or the targets do not fit it.
    """

    name: str
    metrics: tuple[str, ...]
    targets: tuple[int, ...] = ()
    reduced_side: int | None = None

    def __post_init__(self) -> None:
        if self.name not in (PAPER, MODERN):
            raise ConfigError(f"there is no protocol {self.name!r}; there are paper and modern")
        if unknown := [name for name in self.metrics if name not in METRICS]:
            raise ConfigError(f"there is no metric {unknown[0]!r}; there are {', '.join(METRICS)}")
        if not self.metrics:
            raise ConfigError("no metric is given")
        if bool(self.targets) != (self.name == PAPER):
            raise ConfigError("target sizes belong to the protocol 'paper', which needs some")
        if self.reduced_side is not None and self.reduced_side < 1:
            raise ConfigError(f"reduced_side must be 1 or more, not {self.reduced_side}")

    def reduced(self, pixels: np.ndarray) -> np.ndarray:
        """What a codec is given of an image, uint8 (H, W, 3)."""
        height, width, _ = pixels.shape
        longer = max(height, width)
        if self.reduced_side is None or longer <= self.reduced_side:
            return pixels
        size = [max(1, round(side * self.reduced_side / longer)) for side in (width, height)]
        return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))


def measure(codec: EvaluatedCodec, pixels: np.ndarray, protocol: EvaluationProtocol) -> Result:
    """Measures a codec on an image.

    Args:
        codec: to measure.
        pixels: uint8 (H, W, 3).
        protocol: how.

    Returns:
        a list for each of "setting", "bytes", the protocol's metrics, "encode_seconds" and
        "decode_seconds", with an entry for each rate.

    Raises:
        ConfigError: if a target is too small for the codec.
        ValueError: if the image is too small for MS-SSIM.
    """
    reduced = protocol.reduced(pixels)
    if protocol.name == PAPER:
        coded = codec.at_sizes(reduced, protocol.targets)
    else:
        coded = codec.sweep(reduced)
    pictures = [enlarge(each.picture, pixels.shape) for each in coded]
    return {
        "setting": [each.setting for each in coded],
        "bytes": [each.size for each in coded],
        **{
            name: [float(METRICS[name](pixels, picture)) for picture in pictures]
            for name in protocol.metrics
        },
        "encode_seconds": [round(each.encode_seconds, 6) for each in coded],
        "decode_seconds": [round(each.decode_seconds, 6) for each in coded],
    }


def picture_at(
    codec: EvaluatedCodec, pixels: np.ndarray, protocol: EvaluationProtocol, size: int
) -> Result:
    """A picture for a strip: of a number of bytes, by the rules of the protocol.

    Returns:
        "bytes", and "png", the picture as PNG in base64.

    Raises:
        ConfigError: if the bytes are too few for the codec.
    """
    reduced = protocol.reduced(pixels)
    if protocol.name == PAPER:
        (coded,) = codec.at_sizes(reduced, [size])
    else:
        coded = codec.within(reduced, size)
    return {"bytes": coded.size, "png": _to_png(enlarge(coded.picture, pixels.shape))}


def enlarge(picture: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A picture at the size of an image of another shape (H, W, 3), by bicubic interpolation."""
    if picture.shape == shape:
        return picture
    resized = Image.fromarray(picture).resize((shape[1], shape[0]), Image.Resampling.BICUBIC)
    return np.asarray(resized)


def picture_of(result: Result) -> np.ndarray:
    """The picture in a result of `picture_at`, uint8 (H, W, 3)."""
    with Image.open(io.BytesIO(base64.b64decode(result["png"]))) as picture:
        return np.asarray(picture.convert("RGB"))


class ResultStore:
    """Keeps results in a folder, and gives them back for the same key only.

    Args:
        folder: made when the first result is kept; None keeps nothing.
    """

    def __init__(self, folder: Path | None):
        self._folder = folder

    def get(self, key: dict[str, Any]) -> Result | None:
        """The result that was kept for a key, or None."""
        if self._folder is None:
            return None
        try:
            kept = json.loads(self._path(key).read_text())
            return kept["result"] if kept["key"] == json.loads(json.dumps(key)) else None
        except (OSError, ValueError, TypeError, KeyError):
            return None  # Missing or broken: it is measured again.

    def put(self, key: dict[str, Any], result: Result) -> None:
        """Keeps a result, whole or not at all."""
        if self._folder is None:
            return
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_text(json.dumps({"key": key, "result": result}))

    def _path(self, key: dict[str, Any]) -> Path:
        assert self._folder is not None
        digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
        return self._folder / digest[:2] / f"{digest[2:34]}.json"


def result_key(
    codec: EvaluatedCodec,
    digest: str,
    protocol: EvaluationProtocol,
    picture_bytes: int | None = None,
) -> dict[str, Any]:
    """All that a result depends on: the image, the codec, the protocol and the code's versions.

    Args:
        codec: that is measured.
        digest: of the image, by `image_digest`.
        protocol: how it is measured.
        picture_bytes: for a result of `picture_at`.
    """
    return {
        "image": digest,
        "codec": codec.name,
        "settings": codec.settings(),
        "protocol": asdict(protocol) if picture_bytes is None else protocol.name,
        "reduced_side": protocol.reduced_side,
        "picture_bytes": picture_bytes,
        "versions": {"measurement": MEASUREMENT_VERSION, "codec": codec.version},
    }


def image_digest(pixels: np.ndarray) -> str:
    """SHA-256 of an image's size and pixels."""
    return hashlib.sha256(f"{pixels.shape}".encode() + pixels.tobytes()).hexdigest()


def _to_png(picture: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()
