import io
import itertools
import re
import sys

import numpy as np
import pytest
from PIL import Image

from helpers.images import PHOTOS
from tfrnnc.errors import ConfigError, InstallationError
from tfrnnc.evaluation import CLASSIC_CODECS, CodecSpec, open_codec
from tfrnnc.metrics import psnr


def photo(width, height):
    with Image.open(PHOTOS / "chelsea.png") as image:
        return np.asarray(image.convert("RGB").crop((140, 90, 140 + width, 90 + height)))


@pytest.fixture(params=CLASSIC_CODECS)
def codec(request):
    return open_codec(request.param)


def low_and_high(codec):
    return codec.qualities[len(codec.qualities) // 8], codec.qualities[len(codec.qualities) // 2]


def test_sweeps_rise(codec):
    pixels = photo(48, 48)
    coded = codec.sweep(pixels)
    assert len(coded) == len(codec.sweep_qualities) == len({each.setting for each in coded})
    sizes = [each.size for each in coded]
    assert sizes == sorted(sizes)
    quality = [psnr(pixels, each.picture) for each in coded]
    assert quality[0] < 28 < 35 < quality[-1]
    # A quality more may cost a hair, where an encoder chooses another way.
    assert all(after > before - 0.3 for before, after in itertools.pairwise(quality))


def test_the_same_file_each_time(codec):
    pixels, (_, quality) = photo(40, 32), low_and_high(codec)
    assert codec.encode(pixels, quality) == codec.encode(pixels, quality)


def test_within_is_the_best_file_that_fits(codec):
    pixels = photo(40, 32)
    coded = codec.within(pixels, 700)
    assert coded.size <= 700
    settings = [codec.unit.format(quality) for quality in codec.qualities]
    better = codec.qualities[settings.index(coded.setting) + 1]
    assert len(codec.encode(pixels, better)) > 700
    smallest = codec.within(pixels, 1)
    assert smallest.setting == settings[0]
    assert smallest.size == len(codec.encode(pixels, codec.qualities[0])) > 1


@pytest.mark.parametrize("name", ["jpeg", "jpeg444", "jpeg2000", "webp", "jpegxl"])
def test_at_sizes_is_the_smallest_file_not_under(name):
    codec, pixels = open_codec(name), photo(32, 32)
    files = [codec.encode(pixels, quality, headerless=True) for quality in codec.qualities]
    sizes = [codec.payload_bytes(data) for data in files]
    targets = (64, 128, 300)
    for target, coded in zip(targets, codec.at_sizes(pixels, targets), strict=True):
        expected = min(size for size in sizes if size >= target)
        assert coded.size == expected
        np.testing.assert_array_equal(coded.picture, codec.decode(files[sizes.index(expected)]))


def test_at_sizes_of_a_flat_image_is_the_largest_file():
    codec, pixels = open_codec("jpeg"), np.full((32, 32, 3), 77, np.uint8)
    largest = max(
        codec.payload_bytes(codec.encode(pixels, q, headerless=True)) for q in codec.qualities
    )
    assert codec.at_sizes(pixels, [5000])[0].size == largest < 100


# Headers, against bytes found in another way.


@pytest.mark.parametrize("name", ["jpeg", "jpeg444"])
def test_scans_of_jpeg(name):
    codec = open_codec(name)
    for quality in (1, 50, 95):
        data = codec.encode(photo(48, 40), quality, headerless=True)
        start = data.index(b"\xff\xda")
        header = int.from_bytes(data[start + 2 : start + 4], "big")
        assert data.count(b"\xff\xda") == 1
        assert codec.payload_bytes(data) == data.rindex(b"\xff\xd9") - (start + 2 + header)


def test_scans_of_progressive_jpeg():
    codec = open_codec("jpeg")
    data = codec.encode(photo(192, 160), 90)
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.info.get("progressive")
    sizes = []
    for match in re.finditer(rb"\xff\xda\x00(.)(.*?)(?=\xff[^\x00\xd0-\xd7])", data, re.S):
        sizes.append(len(match.group(2)) - (match.group(1)[0] - 2))
    assert len(sizes) > 1
    assert codec.payload_bytes(data) == sum(sizes)


def test_progressive_and_baseline_give_the_same_picture():
    codec, pixels = open_codec("jpeg"), photo(300, 200)
    whole, headerless = (codec.encode(pixels, 80, headerless) for headerless in (False, True))
    assert len(whole) < len(headerless)
    np.testing.assert_array_equal(codec.decode(whole), codec.decode(headerless))


def test_tables_do_not_look_like_scans():
    """A table may hold the very bytes of a marker."""
    codec = open_codec("jpeg")
    data = codec.encode(photo(32, 32), 20, headerless=True)
    comment = b"\xff\xfe\x00\x06\xff\xda\xff\xd9"
    assert codec.payload_bytes(data[:2] + comment + data[2:]) == codec.payload_bytes(data)


def test_packets_of_jpeg2000():
    codec = open_codec("jpeg2000")
    for quality in low_and_high(codec):
        data = codec.encode(photo(48, 40), quality)
        assert np.frombuffer(data[8:16], ">u4").tolist() == [48, 40]
        assert data.count(b"\xff\x93") == 1
        assert data.endswith(b"\xff\xd9")
        expected = len(data) - 2 - (data.index(b"\xff\x93") + 2)
        assert 0 < codec.payload_bytes(data) == expected


def test_partitions_of_webp():
    codec = open_codec("webp")
    for quality in (0, 60):
        for width, height in ((32, 32), (47, 33)):
            data = codec.encode(photo(width, height), quality)
            assert data[:4] + data[8:16] == b"RIFFWEBPVP8 "
            chunk = int.from_bytes(data[16:20], "little")
            assert len(data) == 20 + chunk + chunk % 2
            frame = data[20 : 20 + chunk]
            assert frame[3:6] == b"\x9d\x01\x2a"
            assert int.from_bytes(frame[6:8], "little") == width
            first_partition = int.from_bytes(frame[:3], "little") >> 5
            other_partitions = len(frame) - 10 - first_partition
            assert other_partitions > 0
            assert codec.payload_bytes(data) == first_partition + other_partitions


@pytest.mark.parametrize("name", ["avif", "avif444"])
def test_frames_of_avif(name):
    codec = open_codec(name)
    for quality in (0, 60):
        data = codec.encode(photo(48, 40), quality)
        # The iloc box, version 0, with one item of one extent, says where the item lies.
        place = data.index(b"iloc") + 4
        assert data[place : place + 6] == bytes([0, 0, 0, 0, 0x44, 0])
        numbers = np.frombuffer(data[place + 6 : place + 22], ">u2")
        assert (numbers[0], numbers[3]) == (1, 1)
        start, length = np.frombuffer(data[place + 14 : place + 22], ">u4")
        item = data[start : start + length]
        # A temporal delimiter (type 2), a sequence header (1) and a frame (6), each with its size.
        assert item[:3] == bytes([2 << 3 | 2, 0, 1 << 3 | 2])
        frame = item[4 + item[3] :]
        assert frame[0] == 6 << 3 | 2
        of_size = 1 if frame[1] < 128 else 2
        assert codec.payload_bytes(data) == len(frame) - 1 - of_size


@pytest.mark.parametrize(
    ("width", "height", "bits"),
    [
        # 1 "small", 5 height / 8, 3 ratio; 1 metadata and 1 transform by default.
        (32, 32, 1 + 5 + 3 + 1 + 1),
        (48, 40, 1 + 5 + 3 + 1 + 1),
        (48, 32, 1 + 5 + 3 + 1 + 1),
        (104, 40, 1 + 5 + 3 + 5 + 1 + 1),
        # 2 "9 bits", 9 height - 1, 3 no ratio, and the width in the same way.
        (53, 37, 1 + 2 + 9 + 3 + 2 + 9 + 1 + 1),
    ],
)
def test_header_of_jpegxl(width, height, bits):
    codec = open_codec("jpegxl")
    data = codec.encode(photo(width, height), 5.0)
    assert codec.payload_bytes(data) == len(data) - 2 - -(-bits // 8)
    assert codec.decode(data).shape == (height, width, 3)


@pytest.mark.parametrize("name", CLASSIC_CODECS)
def test_settings_name_the_library(name):
    settings = open_codec(name).settings()
    assert re.search(r"\d+\.\d+", settings["library"])
    assert settings["options"]


@pytest.mark.parametrize(
    ("name", "option", "effort"), [("avif", "speed", 8), ("jpegxl", "effort", 3)]
)
def test_effort(name, option, effort):
    faster, best = open_codec(CodecSpec(name, effort)), open_codec(name)
    assert faster.name == f"{name}@{effort}"
    assert faster.settings()["options"] == {**best.settings()["options"], option: effort}
    image = photo(48, 40)
    sizes = [len(codec.encode(image, 5)) for codec in (faster, best)]
    assert sizes[0] != sizes[1]
    with pytest.raises(ConfigError, match="jpeg has no speeds or efforts"):
        open_codec(CodecSpec("jpeg", 3))
    with pytest.raises(ConfigError, match=rf"{option} of {name} must be from [01] to 10"):
        open_codec(CodecSpec(name, 11))


def test_jpegxl_without_its_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    with pytest.raises(InstallationError, match=r"pip install 'tfrnnc\[evaluate\]'"):
        CLASSIC_CODECS["jpegxl"].make()


def test_pillow_without_avif(monkeypatch):
    monkeypatch.setattr("tfrnnc.evaluation.avif.features.check", lambda name: False)
    with pytest.raises(InstallationError, match="--only-binary :all: pillow"):
        CLASSIC_CODECS["avif"].make(name="avif", subsampling="4:2:0")
