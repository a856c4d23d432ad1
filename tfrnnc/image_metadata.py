"""The little of an image's metadata that counts for its pixels, read from bytes.

Pillow's readers parse more than they need and fail on tags that nobody asked for. Here the
orientation is read on its own, and what a reader may stumble over can be taken out of a file.
"""

from __future__ import annotations

import math
import os
import re
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from tfrnnc.errors import ImageError

ORIENTATION = 0x0112  #: the EXIF tag
UPRIGHT = 1  #: its value where nothing has to be turned
PNG = b"\x89PNG\r\n\x1a\n"  #: the signature

_EXIF_PREFIX = b"Exif\0\0"
_INTEGERS = {1: "B", 3: "H", 4: "I"}  # EXIF's types of whole numbers, as `struct` writes them.
_BIG_TIFF = 43  # The version in such a file's header.
_TILE_SIDES = 322, 323  # Tags of TIFF.

_JPEG = b"\xff\xd8"
_START, _END, _START_OF_SCAN, _COMMENT = 0xD8, 0xD9, 0xDA, 0xFE
_APP0, _APP1, _APP2, _APP14, _APP15 = 0xE0, 0xE1, 0xE2, 0xEE, 0xEF
# A marker with a segment, and the segment's length.
_SEGMENT = re.compile(rb"\xff([^\x00\x01\xd0-\xd7\xff])(..)", re.DOTALL)
_BLOCK = 1 << 16  # Bytes that are searched at once.
_ICC_METHODS = 2, 3  # How a JPEG 2000 file may tell its colours by a profile.
_MAX_BOXES = 1000  # One after the other; real files have a dozen.
_MAX_PROFILE = 1 << 24  # Bytes; real ones take at most a few million.
_AVIF_EXIF_ITEM = re.compile(rb"(infe(?:\x02.{7}|\x03.{9}))Exif", re.DOTALL)
_PNG_METADATA = (b"eXIf", b"iTXt", b"tEXt", b"zTXt")
_PNG_KEPT = (b"tRNS", b"cICP", b"sRGB", b"gAMA", b"cHRM")  # Of the chunks that are not critical.


def read_orientation(exif: bytes) -> int:
    """The orientation in an EXIF block; no other tag is looked at.

    Args:
        exif: a TIFF header and its first directory, with or without "Exif" in front of it.

    Returns:
        1 to 8 as EXIF counts them; 1, upright, where there is none or it cannot be read.
    """
    while exif.startswith(_EXIF_PREFIX):
        exif = exif[len(_EXIF_PREFIX) :]
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return UPRIGHT
    try:
        (start,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind = struct.unpack_from(f"{order}HH", exif, entry)
            if tag == ORIENTATION and kind in _INTEGERS:
                (value,) = struct.unpack_from(f"{order}{_INTEGERS[kind]}", exif, entry + 8)
                return value if 1 <= value <= 8 else UPRIGHT
    except struct.error:  # The block ends early.
        pass
    return UPRIGHT


def read_tile_pixels(file: BinaryIO, directory: int) -> int:
    """The pixels of a tile of a TIFF file, which is read whole however small the image is.

    Where the file gives a side more than once, readers differ in which one they take; here the
    largest counts.

    Args:
        file: at any position.
        directory: where the image's tags begin, in bytes.

    Returns:
        the product of the sides; 0 where there are no tiles.

    Raises:
        ImageError: if a side is no whole number, or the directory is cut.
    """
    sides = dict.fromkeys(_TILE_SIDES, 0)
    try:
        file.seek(0)
        head = file.read(4)
        order = {b"II": "<", b"MM": ">"}[head[:2]]
        is_big = _BIG_TIFF in struct.unpack_from("<H", head, 2) + struct.unpack_from(">H", head, 2)
        counts, entry = (f"{order}Q", f"{order}HHQ8s") if is_big else (f"{order}H", f"{order}HHI4s")
        file.seek(directory)
        (count,) = struct.unpack(counts, file.read(struct.calcsize(counts)))
        for _ in range(count):
            tag, kind, number, value = struct.unpack(entry, file.read(struct.calcsize(entry)))
            if tag in sides:
                if number != 1:
                    raise KeyError(number)
                (side,) = struct.unpack_from(f"{order}{_INTEGERS[kind]}", value)
                sides[tag] = max(side, sides[tag])
    except (KeyError, struct.error) as error:
        raise ImageError("the size of its tiles cannot be read; save it as a PNG") from error
    return math.prod(sides.values())


def has_late_metadata(file: BinaryIO) -> bool:
    """Whether a PNG file has metadata behind its pixels, where few writers put them.

    Args:
        file: at any position.
    """
    behind = False
    for name, _ in png_chunks(file):
        behind = behind or name == b"IDAT"
        if behind and name in _PNG_METADATA:
            return True
    return False


def png_chunks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Yields the chunks of a PNG file as far as they go: names, and the bytes of their contents.

    Args:
        file: at any position; as a chunk is yielded, at its content.
    """
    position = len(PNG)
    while True:
        file.seek(position)
        head = file.read(8)
        if len(head) < 8:
            return
        length, name = struct.unpack(">I4s", head)
        yield name, length
        position += 12 + length


def count_scans(file: BinaryIO, most: int) -> int:
    """The scans of a JPEG file, each of which costs a reader as much as all its pixels.

    Args:
        file: at any position.
        most: counting ends above it.
    """
    scans, position = 0, len(_JPEG)
    while True:
        file.seek(position)
        block = file.read(_BLOCK)
        next_segment = 0
        while match := _SEGMENT.search(block, next_segment):
            marker = match[1][0]
            scans += marker == _START_OF_SCAN
            if marker in (_START, _END) or scans > most:
                return scans
            next_segment = match.start(2) + max(2, int.from_bytes(match[2], "big"))
        unsearched = len(_JPEG) + 1  # A marker and half a length may be cut.
        if len(block) <= unsearched:
            return scans
        position += max(next_segment, len(block) - unsearched)


def read_jp2_profile(file: BinaryIO) -> bytes | None:
    """The ICC profile of a JPEG 2000 file, which Pillow does not read.

    Args:
        file: at any position.

    Returns:
        None where the first description of its colours is no profile, or the file is no JP2.
    """
    header = next((box for name, box in boxes(file, 0, None) if name == b"jp2h"), None)
    if header is None:
        return None
    colours = next((box for name, box in boxes(file, *header) if name == b"colr"), None)
    if colours is None:
        return None
    start, end = colours
    file.seek(start)
    # The method, a precedence and an approximation, a byte each.
    content = file.read(min(_MAX_PROFILE, end - start))
    return content[3:] if content[:1] and content[0] in _ICC_METHODS else None


def boxes(file: BinaryIO, start: int, end: int | None) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """The boxes in a part of a file of the kind of JPEG 2000 and AVIF.

    Args:
        file: at any position.
        start: where the boxes begin.
        end: where they end; None for the file's end.

    Yields:
        the name of each, and where its content begins and ends.
    """
    if end is None:
        end = file.seek(0, os.SEEK_END)
    for _ in range(_MAX_BOXES):
        if start + 8 > end:
            return
        file.seek(start)
        head = file.read(16)
        if len(head) < 8:
            return
        size, content = int.from_bytes(head[:4], "big"), start + 8
        if size == 1:  # It follows in 64 bits.
            size, content = int.from_bytes(head[8:], "big"), start + 16
        last = start + size if size else end
        if not content <= last <= end:
            return
        yield head[4:8], (content, last)
        start = last


def strip_metadata(data: bytes) -> bytes | None:
    """A JPEG, PNG or AVIF file without what is not needed for its pixels.

    What is kept beside the pixels: the orientation, transparency, and the colour profile except
    that of a PNG.

    Returns:
        The file; None if it is of another format, is broken, or has nothing to leave out.
    """
    try:
        if data.startswith(_JPEG):
            stripped = b"".join([_JPEG, *_kept_segments(data)])
        elif data.startswith(PNG):
            stripped = b"".join([PNG, *_kept_chunks(data)])
        elif data[4:8] == b"ftyp":
            # Of an item of an unknown kind nothing is read. AVIF turns its images without EXIF.
            stripped = _AVIF_EXIF_ITEM.sub(rb"\1none", data, count=1)
        else:
            return None
    except (IndexError, struct.error):
        return None
    return None if stripped == data else stripped


def _kept_segments(data: bytes) -> Iterator[bytes]:
    """The segments of a JPEG file that its pixels need, and all from its first scan on."""
    position = len(_JPEG)
    while (marker := data[position + 1]) != _START_OF_SCAN:
        if data[position] != 0xFF:
            raise IndexError("no marker where one should be")
        if marker == 0xFF:  # Filling.
            position += 1
            continue
        (length,) = struct.unpack_from(">H", data, position + 2)
        segment = data[position : position + 2 + length]
        content = segment[4:]
        if marker == _APP1 and content.startswith(_EXIF_PREFIX):
            exif = _EXIF_PREFIX + _orientation_block(read_orientation(content))
            yield struct.pack(">BBH", 0xFF, _APP1, len(exif) + 2) + exif
        elif (
            marker in (_APP0, _APP14)
            or (marker == _APP2 and content.startswith(b"ICC_PROFILE\0"))
            or not (_APP0 <= marker <= _APP15 or marker == _COMMENT)
        ):
            yield segment
        position += 2 + length
    yield data[position:]


def _kept_chunks(data: bytes) -> Iterator[bytes]:
    """The chunks of a PNG file that its pixels need."""
    position = len(PNG)
    while position < len(data):
        length, name = struct.unpack_from(">I4s", data, position)
        content = data[position + 8 : position + 8 + length]
        if name == b"eXIf":
            exif = _orientation_block(read_orientation(content))
            yield struct.pack(">I4s", len(exif), name) + exif
            yield struct.pack(">I", zlib.crc32(name + exif))
        elif name[:1].isupper() or name in _PNG_KEPT:
            yield data[position : position + 12 + length]
        position += 12 + length


def _orientation_block(orientation: int) -> bytes:
    """An EXIF block with nothing but an orientation."""
    return b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, ORIENTATION, 3, 1, orientation, 0, 0)
