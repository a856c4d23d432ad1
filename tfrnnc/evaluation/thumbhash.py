"""ThumbHash, after its specification (https://evanw.github.io/thumbhash/), for opaque images."""

from __future__ import annotations

import numpy as np
from PIL import Image

from tfrnnc.errors import EvaluationError

MAX_SIDE = 100  #: larger images are reduced to this before
_LUMA_TERMS = 7
_SHOWN_SIDE = 32
_TO_LPQ = np.array([[1 / 3, 1 / 2, 1], [1 / 3, 1 / 2, -1], [1 / 3, -1, 0]])


def encode(pixels: np.ndarray) -> bytes:
    """The hash of an image, uint8 (H, W, 3)."""
    if max(pixels.shape[:2]) > MAX_SIDE:
        image = Image.fromarray(pixels)
        image.thumbnail((MAX_SIDE, MAX_SIDE))
        pixels = np.asarray(image)
    height, width, _ = pixels.shape
    long = max(height, width)
    columns = max(1, _round(_LUMA_TERMS * width / long))
    rows = max(1, _round(_LUMA_TERMS * height / long))
    lpq = pixels / 255 @ _TO_LPQ
    shapes = [(max(3, columns), max(3, rows)), (3, 3), (3, 3)]
    parts = [_analyse(lpq[..., index], *shape) for index, shape in enumerate(shapes)]
    (l_dc, _, l_scale), (p_dc, _, p_scale), (q_dc, _, q_scale) = parts
    is_wide = width > height
    header = (
        _round(63 * l_dc)
        | _round(31.5 + 31.5 * p_dc) << 6
        | _round(31.5 + 31.5 * q_dc) << 12
        | _round(31 * l_scale) << 18
    )
    second = (
        (rows if is_wide else columns)
        | _round(63 * p_scale) << 3
        | _round(63 * q_scale) << 9
        | is_wide << 15
    )
    terms = [_round(15 * term) for _, each, _ in parts for term in each]
    terms += [0] * (len(terms) % 2)
    nibbles = bytes(low | high << 4 for low, high in zip(terms[::2], terms[1::2], strict=True))
    data: bytes = header.to_bytes(3, "little") + second.to_bytes(2, "little") + nibbles
    return data


def decode(data: bytes) -> np.ndarray:
    """The picture of an opaque image's hash, uint8, 32 pixels on the longer side.

    Raises:
        EvaluationError: if the hash is cut, or has transparency.
    """
    if len(data) < 5 or data[2] & 0x80:
        raise EvaluationError("not a ThumbHash of an opaque image; make it anew")
    header, second = int.from_bytes(data[:3], "little"), int.from_bytes(data[3:5], "little")
    is_wide, terms = second >> 15, second & 7
    columns, rows = (_LUMA_TERMS, terms) if is_wide else (terms, _LUMA_TERMS)
    if not terms:
        raise EvaluationError("not a ThumbHash: its shorter side has no terms; make it anew")
    ratio = columns / rows
    width = _SHOWN_SIDE if ratio > 1 else _round(_SHOWN_SIDE * ratio)
    height = _round(_SHOWN_SIDE / ratio) if ratio > 1 else _SHOWN_SIDE
    nibbles = [value for byte in data[5:] for value in (byte & 15, byte >> 4)]
    channels = [
        (max(3, columns), max(3, rows), (header & 63) / 63, (header >> 18 & 31) / 31),
        (3, 3, (header >> 6 & 63) / 31.5 - 1, (second >> 3 & 63) / 63 * 1.25),
        (3, 3, (header >> 12 & 63) / 31.5 - 1, (second >> 9 & 63) / 63 * 1.25),
    ]
    planes = []
    for nx, ny, constant, scale in channels:
        plane = np.full((height, width), constant)
        for cx, cy in _frequencies(nx, ny)[1:]:
            if not nibbles:
                raise EvaluationError("the ThumbHash is cut; make it anew")
            term = (nibbles.pop(0) / 7.5 - 1) * scale
            plane += 2 * term * np.outer(_wave(height, cy), _wave(width, cx))
        planes.append(plane)
    luma, yellow_blue, red_green = planes
    blue = luma - 2 / 3 * yellow_blue
    red = (3 * luma - blue + red_green) / 2
    rgb = np.stack([red, red - red_green, blue], axis=-1)
    levels: np.ndarray = (255 * rgb.clip(0, 1)).astype(np.uint8)
    return levels


def _analyse(channel: np.ndarray, nx: int, ny: int) -> tuple[float, list[float], float]:
    """Constant term, the others from 0 to 1, and their scale."""
    height, width = channel.shape
    terms = [
        float(_wave(height, cy) @ channel @ _wave(width, cx)) / (height * width)
        for cx, cy in _frequencies(nx, ny)
    ]
    scale = max(abs(term) for term in terms[1:])
    return terms[0], [0.5 + 0.5 / scale * term if scale else term for term in terms[1:]], scale


def _frequencies(nx: int, ny: int) -> list[tuple[int, int]]:
    return [(cx, cy) for cy in range(ny) for cx in range(nx) if cx * ny < nx * (ny - cy)]


def _wave(size: int, frequency: int) -> np.ndarray:
    wave: np.ndarray = np.cos(np.pi / size * frequency * (np.arange(size) + 0.5))
    return wave


def _round(value: float) -> int:
    """To the nearest, halves upwards, as JavaScript does."""
    return int(np.floor(value + 0.5))
