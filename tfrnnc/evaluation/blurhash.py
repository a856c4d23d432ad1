"""BlurHash, after its specification (https://github.com/woltapp/blurhash/, Algorithm.md)."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from tfrnnc.errors import EvaluationError

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"
MAX_SIDE = 128  #: larger images are reduced to this before, as the terms need no more
_LARGEST = 166  # what the scale of the terms is a fraction of, less one half of 1/83


def encode(pixels: np.ndarray, columns: int = 4, rows: int = 3) -> str:
    """The hash of an image.

    Args:
        pixels: uint8 (H, W, 3).
        columns: terms across, 1 to 9.
        rows: terms down, 1 to 9.
    """
    if max(pixels.shape[:2]) > MAX_SIDE:
        image = Image.fromarray(pixels)
        image.thumbnail((MAX_SIDE, MAX_SIDE))
        pixels = np.asarray(image)
    height, width, _ = pixels.shape
    waves = np.einsum(
        "jy,ix,yxc->jic", _waves(rows, height), _waves(columns, width), _to_linear(pixels)
    )
    terms = (waves * 2 / (height * width)).reshape(-1, 3)
    terms[0] /= 2
    largest = np.abs(terms[1:]).max() if len(terms) > 1 else 0.0
    level = int(np.clip(np.floor(largest * _LARGEST - 0.5), 0, 82))
    text = _base83(columns - 1 + (rows - 1) * 9, 1) + _base83(level, 1)
    red, green, blue = (int(value) for value in _to_srgb(terms[0]))
    text += _base83(red << 16 | green << 8 | blue, 4)
    scaled = terms[1:] / ((level + 1) / _LARGEST)
    levels = np.clip(np.floor(_signed_power(scaled, 0.5) * 9 + 9.5), 0, 18).astype(int)
    return text + "".join(_base83(int(r * 361 + g * 19 + b), 2) for r, g, b in levels)


def decode(text: str, width: int, height: int) -> np.ndarray:
    """The picture of a hash, uint8 (height, width, 3).

    Raises:
        EvaluationError: if it is no hash.
    """
    if len(text) < 6 or not set(text) <= set(ALPHABET):
        raise EvaluationError(f"{text!r} is no BlurHash; make it anew")
    rows, columns = divmod(_value(text[0]), 9)
    rows, columns = rows + 1, columns + 1
    if len(text) != 4 + 2 * rows * columns:
        raise EvaluationError(f"{text!r}: no BlurHash of {columns}x{rows} terms; make it anew")
    average = _value(text[2:6])
    terms = np.empty((rows * columns, 3))
    terms[0] = _to_linear(np.array([average >> 16, average >> 8 & 255, average & 255]))
    for index in range(1, len(terms)):
        value = _value(text[4 + 2 * index : 6 + 2 * index])
        levels = np.array([value // 361, value // 19 % 19, value % 19])
        terms[index] = _signed_power((levels - 9) / 9, 2) * (_value(text[1]) + 1) / _LARGEST
    linear = np.einsum(
        "jy,ix,jic->yxc",
        _waves(rows, height),
        _waves(columns, width),
        terms.reshape(rows, columns, 3),
    )
    return _to_srgb(linear)


def information_bytes(text: str) -> int:
    """Bytes that hold as many states as a string of this length in base 83."""
    return math.ceil(len(text) * math.log2(83) / 8)


def _waves(number: int, size: int) -> np.ndarray:
    return np.cos(np.pi * np.arange(number)[:, None] * np.arange(size) / size)


def _signed_power(values: np.ndarray, exponent: float) -> np.ndarray:
    powers: np.ndarray = np.sign(values) * np.abs(values) ** exponent
    return powers


def _to_linear(levels: np.ndarray) -> np.ndarray:
    values = levels / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def _to_srgb(linear: np.ndarray) -> np.ndarray:
    values = linear.clip(0, 1)
    curved = 1.055 * values ** (1 / 2.4) - 0.055
    return (np.where(values <= 0.0031308, values * 12.92, curved) * 255 + 0.5).astype(np.uint8)


def _base83(value: int, digits: int) -> str:
    return "".join(ALPHABET[value // 83**place % 83] for place in range(digits - 1, -1, -1))


def _value(text: str) -> int:
    value = 0
    for character in text:
        value = value * 83 + ALPHABET.index(character)
    return value
