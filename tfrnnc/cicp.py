"""Colours that a file tells by code points (CICP, ITU-T H.273) instead of an ICC profile.

PNG has them in its chunk cICP, AVIF in a box "colr" of the kind nclx. Pillow reads neither, so they
are read here, and become an ICC profile where one can say the same.
"""

from __future__ import annotations

import functools
import struct
from typing import BinaryIO, NamedTuple

import numpy as np

from tfrnnc.image_metadata import PNG, boxes, png_chunks

D50 = (0.9642, 1.0, 0.8249)  #: XYZ of the white of ICC profiles
_D65 = (0.3127, 0.329)  # Here and below: x and y of chromaticity.
_BT709 = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
_UNSPECIFIED = 2
_PRIMARIES = {
    1: _BT709,
    _UNSPECIFIED: _BT709,
    5: ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06)),  # BT.601 of 625 lines.
    6: ((0.63, 0.34), (0.31, 0.595), (0.155, 0.07)),  # BT.601 of 525 lines.
    7: ((0.63, 0.34), (0.31, 0.595), (0.155, 0.07)),
    9: ((0.708, 0.292), (0.17, 0.797), (0.131, 0.046)),  # BT.2020.
    12: ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06)),  # Display P3.
}
_SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
# The curves of BT.709, BT.601 and BT.2020 are a camera's; screens show them like sRGB.
_LIKE_SRGB = (1, _UNSPECIFIED, 6, 13, 14, 15)
_GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0}
_NAMES = {16: "PQ", 18: "HLG"}
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
_MOST_BYTES = 1 << 16  # Of a box that is read whole; real ones have a few dozen.


class CodePoints(NamedTuple):
    """What a file's colours are, by the numbers of H.273.

    Attributes:
        primaries: ColourPrimaries.
        transfer: TransferCharacteristics.
        full_range: whether black is 0 and white 255.
    """

    primaries: int
    transfer: int
    full_range: bool

    def __str__(self) -> str:
        curve = _NAMES.get(self.transfer, self.transfer)
        limited = "" if self.full_range else ", of limited range"
        return f"primaries {self.primaries}, transfer {curve}{limited}"


def read_code_points(file: BinaryIO) -> CodePoints | None:
    """The code points of a PNG or AVIF file.

    Args:
        file: at any position.

    Returns:
        None where there are none, or the file is of another format or broken.
    """
    file.seek(0)
    head = file.read(8)
    try:
        if head == PNG:
            return _of_png(file)
        return _of_avif(file) if head[4:] == b"ftyp" else None
    except (IndexError, KeyError, struct.error):
        return None


@functools.lru_cache(maxsize=32)
def profile_of(points: CodePoints) -> bytes | None:
    """An ICC profile of the same colours; None if there is none of them."""
    if points.transfer in _LIKE_SRGB:
        curve = _parametric_curve(3, *_SRGB_CURVE)
    elif points.transfer in _GAMMAS:
        curve = _parametric_curve(0, _GAMMAS[points.transfer])
    else:
        return None
    primaries = _PRIMARIES.get(points.primaries)
    if primaries is None or not points.full_range:
        return None
    names = (b"rXYZ", b"gXYZ", b"bXYZ")
    colours = dict(zip(names, map(xyz_tag, _colorants(primaries)), strict=True))
    curves = dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    return icc_profile(b"RGB ", {b"wtpt": xyz_tag(D50), **colours, **curves})


def icc_profile(space: bytes, tags: dict[bytes, bytes], pcs: bytes = b"XYZ ") -> bytes:
    """A display profile.

    Args:
        space: of its colours, four letters.
        tags: signatures and contents.
        pcs: the space that it connects to.
    """
    table, content = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, tag in tags.items():
        table += name + struct.pack(">II", start + len(content), len(tag))
        content += tag + bytes(-len(tag) % 4)
    illuminant = struct.pack(">iii", 0xF6D6, 0x10000, 0xD32D)
    header = bytes(8) + b"\x02\x10\0\0mntr" + space + pcs + bytes(12) + b"acsp" + bytes(28)
    header = (header + illuminant).ljust(128, b"\0")
    profile = header + table + content
    return struct.pack(">I", len(profile)) + profile[4:]


def xyz_tag(values: tuple[float, ...]) -> bytes:
    """A colour of a profile."""
    return b"XYZ \0\0\0\0" + _fixed(*values)


def _parametric_curve(kind: int, *numbers: float) -> bytes:
    return b"para\0\0\0\0" + struct.pack(">HH", kind, 0) + _fixed(*numbers)


def _fixed(*numbers: float) -> bytes:
    return struct.pack(f">{len(numbers)}i", *(round(65536 * number) for number in numbers))


def _colorants(primaries: tuple[tuple[float, float], ...]) -> list[tuple[float, ...]]:
    """XYZ of red, green and blue, whose white D65 is adapted to D50."""
    columns = np.array([_xyz(*each) for each in primaries]).T
    white = np.array(_xyz(*_D65))
    scaled = columns * np.linalg.solve(columns, white)
    gains = (_BRADFORD @ D50) / (_BRADFORD @ white)
    adapted = np.linalg.solve(_BRADFORD, gains[:, None] * (_BRADFORD @ scaled))
    return [tuple(each) for each in adapted.T.tolist()]


def _xyz(x: float, y: float) -> tuple[float, float, float]:
    return x / y, 1.0, (1 - x - y) / y


def _of_png(file: BinaryIO) -> CodePoints | None:
    for name, length in png_chunks(file):
        if name in (b"IDAT", b"IEND"):
            return None
        if name == b"cICP":
            primaries, transfer, matrix, full = struct.unpack("4B", file.read(min(length, 4)))
            return CodePoints(primaries, transfer, bool(full)) if matrix == 0 else None
    return None


def _of_avif(file: BinaryIO) -> CodePoints | None:
    """The first description of the primary image's colours by code points."""
    parts = dict(boxes(file, 0, None))
    start, end = parts[b"meta"]
    parts = dict(boxes(file, start + 4, end))  # After a version and flags.
    item = _content(file, parts[b"pitm"])
    (number,) = struct.unpack_from(">I" if item[0] else ">H", item, 4)
    parts = dict(boxes(file, *parts[b"iprp"]))
    properties = list(boxes(file, *parts[b"ipco"]))
    for index in _associated(_content(file, parts[b"ipma"]), number):
        name, place = properties[index - 1]
        if name == b"colr" and (content := _content(file, place))[:4] == b"nclx":
            primaries, transfer = struct.unpack_from(">HH", content, 4)
            # Pillow's pixels have the full range whatever the file has.
            return CodePoints(primaries, transfer, full_range=True)
    return None


def _associated(content: bytes, item: int) -> list[int]:
    """The numbers, from 1, of the properties of an item, by a box "ipma"."""
    version, is_wide = content[0], content[3] & 1
    (entries,) = struct.unpack_from(">I", content, 4)
    place = 8
    for _ in range(entries):
        form = ">IB" if version else ">HB"
        number, count = struct.unpack_from(form, content, place)
        place += struct.calcsize(form)
        indices = struct.unpack_from(f">{count}{'H' if is_wide else 'B'}", content, place)
        if number == item:
            return [index & (0x7FFF if is_wide else 0x7F) for index in indices]
        place += count * (2 if is_wide else 1)
    return []


def _content(file: BinaryIO, place: tuple[int, int]) -> bytes:
    start, end = place
    file.seek(start)
    return file.read(min(end - start, _MOST_BYTES))
