import io
import struct

import numpy as np
import pytest

from tfrnnc.image_metadata import (
    count_scans,
    read_jp2_profile,
    read_orientation,
    strip_metadata,
)

TYPES = {"B": 1, "H": 3, "I": 4}


def block(order, kind, value, tag=0x0112):
    """An EXIF block of one tag."""
    start = {"<": b"II*\0", ">": b"MM\0*"}[order]
    content = struct.pack(f"{order}{kind}", value).ljust(4, b"\0")
    return start + struct.pack(f"{order}IHHHI", 8, 1, tag, TYPES[kind], 1) + content + bytes(4)


@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0", b"Exif\0\0Exif\0\0"])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", TYPES)
def test_orientation(prefix, order, kind):
    for orientation in range(1, 9):
        assert read_orientation(prefix + block(order, kind, orientation)) == orientation


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_orientations_that_do_not_exist_count_as_upright(value):
    assert read_orientation(block("<", "H", value)) == 1


def test_other_tags_are_not_orientations():
    assert read_orientation(block("<", "H", 6, tag=0x0113)) == 1


def test_any_bytes_are_taken():
    whole = block(">", "H", 6)
    assert read_orientation(b"") == 1
    for length in range(19):
        assert read_orientation(whole[:length]) == 1
    rng = np.random.default_rng(0)
    for _ in range(500):
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] = rng.integers(256)
        assert 1 <= read_orientation(bytes(damaged)) <= 8


@pytest.mark.parametrize("start", [b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"\0\0\0\x20ftyp", b"GIF89a"])
def test_stripping_what_is_broken_gives_nothing_or_bytes(start):
    rng = np.random.default_rng(0)
    for length in range(0, 200, 7):
        data = start + rng.integers(0, 256, length, np.uint8).tobytes()
        stripped = strip_metadata(data)
        assert stripped is None or stripped.startswith(start[:2])


@pytest.mark.parametrize("filling", [0, 65_520, 65_521, 65_522, 65_523, 65_530, 131_060])
def test_scans_are_counted_wherever_they_lie(filling):
    scan, comment = b"\xff\xda\0\3\1", b"\xff\xfe\0\6\xff\xda\0\3"
    data = b"\xff\xd8" + comment + bytes(filling) + 3 * (scan + b"\xff\0\xff\xd0\xda\xff")
    assert count_scans(io.BytesIO(data + b"\xff\xd9\0\0" + scan), 9) == 3
    assert count_scans(io.BytesIO(data + scan), 9) == 4
    assert count_scans(io.BytesIO(data), 1) == 2


@pytest.mark.parametrize("size", [0, 1, 7, 9, 2**31])
def test_boxes_of_any_size_come_to_an_end(size):
    head = struct.pack(">I4s", size, b"jp2h")
    colours = struct.pack(">I4s", size, b"colr") + b"\2\0\0"
    for data in (head, head + struct.pack(">Q", size), head + colours, colours):
        for cut in range(len(data)):
            assert read_jp2_profile(io.BytesIO(data[:cut])) in (None, b"")
