"""Images at half their width and height: the filters, and what every part makes of such streams."""

from __future__ import annotations

import base64
import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tfrnnc
from tfrnnc.bitstream import read_header
from tfrnnc.codec import strips
from tfrnnc.codec.downscaling import enlarged, reduced
from tfrnnc.codec.strip_encoder import StripEncoder
from tfrnnc.errors import ConfigError, CorruptStreamError, StreamError, TooLargeError
from tfrnnc.metrics import block_ssim, psnr

SIZES = [(1, 1), (1, 2), (2, 1), (9, 17), (16, 24), (33, 17)]


def enlarged_by_the_formula(small: np.ndarray, height: int, width: int) -> np.ndarray:
    """As docs/FORMAT.md has it, sample by sample along each axis."""

    def along_rows(samples: np.ndarray) -> np.ndarray:
        last = len(samples) - 1

        def s(place: int) -> np.ndarray:
            return samples[min(max(place, 0), last)]

        rows = []
        for i in range(len(samples)):
            rows.append(-3 * s(i - 2) + 29 * s(i - 1) + 111 * s(i) - 9 * s(i + 1))
            rows.append(-9 * s(i - 1) + 111 * s(i) + 29 * s(i + 1) - 3 * s(i + 2))
        return np.array(rows)

    sums = along_rows(along_rows(small.astype(np.int64)).swapaxes(0, 1)).swapaxes(0, 1)
    return np.clip((sums + 8192) // 16384, 0, 255).astype(np.uint8)[:height, :width]


def golden_enlargement(request) -> list[dict]:
    golden = request.config.rootpath / "tests" / "golden" / "enlargement.json"
    return json.loads(golden.read_text())


def test_golden_vectors(request):
    """By the formula, and by the package."""
    entries = golden_enlargement(request)
    sizes = {(entry["width"], entry["height"]) for entry in entries}
    assert sizes == {(1, 1), (2, 1), (1, 2), (3, 5), (17, 9), (64, 48)}
    for entry in entries:
        width, height = entry["width"], entry["height"]
        small = np.frombuffer(base64.b64decode(entry["coded"]), np.uint8)
        small = small.reshape(-(-height // 2), -(-width // 2), 3)
        expected = np.frombuffer(base64.b64decode(entry["enlarged"]), np.uint8)
        expected = expected.reshape(height, width, 3)
        np.testing.assert_array_equal(enlarged_by_the_formula(small, height, width), expected)
        np.testing.assert_array_equal(enlarged(small, (height, width)), expected)


def test_golden_vectors_clip_at_both_ends(request):
    """Sums below 0 and above 255, of which a decoder that clips too late or not at all fails."""
    levels = set()
    for entry in golden_enlargement(request):
        if entry["name"] == "checkers, 64x48":
            levels |= set(base64.b64decode(entry["enlarged"]))
    assert {0, 255} <= levels


def test_golden_vectors_are_written_as_ever(request, tmp_path):
    root = request.config.rootpath
    tool = root / "tools" / "make_golden_enlargement.py"
    subprocess.run([sys.executable, tool, tmp_path / "vectors.json"], check=True)
    golden = root / "tests" / "golden" / "enlargement.json"
    assert (tmp_path / "vectors.json").read_text() == golden.read_text()


@given(
    st.integers(1, 40), st.integers(1, 40), st.integers(0, 99), st.sampled_from([1, 99, 1 << 16])
)
def test_enlarged_in_blocks_of_any_size(height, width, seed, samples):
    small = np.random.default_rng(seed).integers(0, 2, (-(-height // 2), -(-width // 2), 3))
    small = (255 * small).astype(np.uint8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tfrnnc.codec.downscaling._SAMPLES_AT_ONCE", samples)
        found = enlarged(small, (height, width))
    np.testing.assert_array_equal(found, enlarged_by_the_formula(small, height, width))


@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (7, 2), (64, 96), (33, 17)])
def test_reduced(shape):
    """Two pixels of the image lie under each of the reduced one, at odd edges the same twice."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    ramp = np.stack([rows * 2, columns * 2, rows + columns], -1).astype(np.uint8)
    small = reduced(ramp)
    assert small.shape == (-(-shape[0] // 2), -(-shape[1] // 2), 3)
    assert small.dtype == np.uint8
    even = np.pad(ramp, ((0, shape[0] % 2), (0, shape[1] % 2), (0, 0)), mode="edge").astype(int)
    means = (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4
    assert abs(small - means).max() <= 1


def test_nothing_moves_when_it_is_reduced_and_enlarged():
    """The middle of a blob stays where it is: the filters' phases belong together."""
    rows, columns = np.mgrid[:97, :121]
    blob = 255 * np.exp(-((rows - 45.3) ** 2 + (columns - 70.8) ** 2) / 200)
    picture = np.repeat(blob[..., None], 3, 2).astype(np.uint8)
    shown = enlarged(reduced(picture), picture.shape).astype(float)[..., 0]
    middles = [(shown * places).sum() / shown.sum() for places in (rows, columns)]
    assert middles == pytest.approx([45.3, 70.8], abs=0.05)
    assert abs(shown - picture[..., 0]).max() <= 3


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("settings", [{}, {"iterations": 1}, {"max_bytes": 26}, {"effort": 1}])
def test_the_planes_are_those_of_the_reduced_image(tiny_codec, noise, size, settings):
    """And the picture is that of the reduced image, enlarged."""
    image = noise(*size)
    encoded = tiny_codec.encode_with_picture(image, downscale=2, **settings)
    header, _ = read_header(encoded.data)
    assert (header.height, header.width, header.downscale, header.version) == (*size, 2, 3)
    read = tiny_codec.read_planes(encoded.data)
    if "max_bytes" not in settings:  # The header is a byte longer, so the cut is elsewhere.
        small = tiny_codec.encode(reduced(image), downscale=1, **settings)
        np.testing.assert_array_equal(read.planes, tiny_codec.read_planes(small).planes)
        expected = enlarged(tiny_codec.decode(small), size)
        np.testing.assert_array_equal(encoded.picture, expected)
    assert encoded.picture.shape == image.shape
    np.testing.assert_array_equal(tiny_codec.decode(encoded.data), encoded.picture)


def test_adaptive_streams(tiny_codec, noise):
    image = noise(49, 65)
    encoded = tiny_codec.encode_with_picture(image, downscale=2, adaptive=True, max_bytes=60)
    header, _ = read_header(encoded.data)
    assert (header.adaptive, header.downscale, len(encoded.data) <= 60) == (True, 2, True)
    np.testing.assert_array_equal(tiny_codec.decode(encoded.data), encoded.picture)


@pytest.mark.parametrize("adaptive", [False, True])
def test_all_ways_of_decoding_show_the_same(tiny_codec, noise, adaptive, monkeypatch):
    image = noise(75, 83)
    data = tiny_codec.encode(image, downscale=2, adaptive=adaptive, max_bytes=150)
    picture = tiny_codec.decode(data)
    assert picture.shape == image.shape
    pictures = [
        *tiny_codec.decode_batch([data, data]),
        list(tiny_codec.decode_progressive(data))[-1],
        tiny_codec.decode(data, iterations=99),
    ]
    for each in pictures:
        np.testing.assert_array_equal(each, picture)
    monkeypatch.setattr(strips, "MAX_PIXELS_AT_ONCE", 0)
    monkeypatch.setattr(strips, "STRIP_HEIGHT", 16)
    in_strips = tiny_codec.decode(data).astype(int)
    assert abs(in_strips - picture).max() <= 2  # A level before it is enlarged.


def test_iterations_of_a_stream_are_those_of_fewer(tiny_codec, noise):
    image = noise(41, 50)
    data = tiny_codec.encode(image, downscale=2)
    shown = list(tiny_codec.decode_progressive(data))
    for count, picture in enumerate(shown, start=1):
        fewer = tiny_codec.encode_with_picture(image, downscale=2, iterations=count)
        np.testing.assert_array_equal(fewer.picture, picture)
        np.testing.assert_array_equal(tiny_codec.decode(data, count), picture)


def test_large_images_are_encoded_in_strips_of_the_reduced_one(tiny_codec, noise, monkeypatch):
    """Those that are large once reduced, to the streams of those encoded at once."""
    image = noise(70, 90)
    expected = [
        tiny_codec.encode(image, downscale=2, **limits) for limits in ({}, {"max_bytes": 90})
    ]
    monkeypatch.setattr(strips, "MAX_PIXELS_AT_ONCE", 35 * 45)
    monkeypatch.setattr(strips, "STRIP_HEIGHT", 16)
    assert isinstance(tiny_codec.encoder(image, downscale=2), StripEncoder)
    assert not isinstance(tiny_codec.encoder(noise(70, 60), downscale=2), StripEncoder)
    found = [tiny_codec.encode(image, downscale=2, **limits) for limits in ({}, {"max_bytes": 90})]
    assert found == expected


@pytest.fixture(scope="module")
def preset():
    return tfrnnc.load("conv_lstm_thumbnails", threads=1)


@pytest.fixture(scope="module")
def photo(request):
    from tfrnnc.images import read_image

    path = request.config.rootpath / "examples" / "photos" / "chelsea.png"
    return read_image(path)[40:181, 100:253]


def test_targets_are_measured_on_the_picture_that_is_shown(preset, photo):
    for name, measure in (("psnr", psnr), ("ssim", block_ssim)):
        shown = [
            measure(photo, each.picture)
            for each in (
                preset.encode_with_picture(photo, downscale=2, iterations=count) for count in (1, 2)
            )
        ]
        assert shown[0] < shown[1]
        encoded = preset.encode_with_picture(photo, downscale=2, **{name: shown[1]})
        assert (encoded.iterations, encoded.missed) == (2, [])
        (missed,) = preset.encode_with_picture(
            photo, downscale=2, iterations=1, **{name: shown[1]}
        ).missed
        assert missed.name == name.upper()


def test_bits_per_pixel_are_of_the_image(preset, photo):
    height, width, _ = photo.shape
    data = preset.encode(photo, downscale=2, bpp=0.2)
    assert 0.15 * height * width < 8 * len(data) <= 0.2 * height * width


def test_cut_at_every_byte(preset, photo):
    """Every cut is decoded like the same cut of a stream of the reduced image, or refused."""
    image = photo[:33, :41]
    data = preset.encode(image, downscale=2, iterations=2)
    _, offset = read_header(data)
    best = 0
    for length in range(len(data)):
        try:
            picture = preset.decode(data[:length], allow_truncated=True)
        except StreamError:
            assert not best
            continue
        best = length
        assert picture.shape == image.shape
        (other,) = preset.decode_batch([data[:length]], allow_truncated=True)
        np.testing.assert_array_equal(other, picture)
        planes = preset.read_planes(data[:length], allow_truncated=True).planes
        assert planes[0].shape[:2] == (3, 3)
    assert best > offset


def test_shortened_streams_stay_reduced(preset, photo):
    data = preset.encode(photo, downscale=2)
    short = preset.shorten(data, 200)
    header, _ = read_header(short)
    assert (header.downscale, header.open_end, len(short) <= 200) == (2, True, True)
    assert preset.decode(short).shape == photo.shape
    assert preset.shorten(short, 120) == preset.shorten(data, 120)


def test_limits_are_of_the_picture_that_is_shown(preset, photo):
    image = photo[:64, :64]
    data = preset.encode(image, downscale=2, iterations=2)
    for refused in (
        lambda: preset.decode(data, max_pixels=4095),
        lambda: list(preset.decode_progressive(data, max_pixels=4095)),
        lambda: preset.encode(image, downscale=2, max_pixels=4095),
    ):
        with pytest.raises(TooLargeError, match="4,096 pixels"):
            refused()
    for refused in (
        lambda: preset.decode(data, max_work=2047),
        lambda: preset.encode(image, downscale=2, iterations=2, max_work=2047),
    ):
        with pytest.raises(TooLargeError, match="2 iterations of 1,024 pixels"):
            refused()
    picture = preset.decode(data, max_pixels=4096, max_work=2048)
    assert picture.shape == image.shape
    assert preset.encode(image, downscale=2, iterations=2, max_pixels=4096, max_work=2048) == data


def test_headerless_payloads(preset, photo):
    height, width, _ = photo.shape
    encoded = preset.encode_with_picture(photo, downscale=2, headerless=True, max_bytes=300)
    header = preset.shared_header(width, height, downscale=2)
    assert read_header(header)[0].downscale == 2
    np.testing.assert_array_equal(preset.decode(header + encoded.data), encoded.picture)


@pytest.mark.parametrize("value", [0, 3, 4, True, 1.0, "2", "half", None])
def test_a_downscale_that_there_is_not(preset, photo, value):
    with pytest.raises(ConfigError, match="downscale must be 1, 2 or 'auto', not"):
        preset.encode(photo, downscale=value)


def test_damage_is_found(preset, photo):
    data = bytearray(preset.encode(photo, downscale=2, iterations=2))
    data[len(data) // 2] ^= 0x10
    with pytest.raises(CorruptStreamError):
        preset.decode(bytes(data))
