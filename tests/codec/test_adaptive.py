"""Spatially adaptive bit rate: each location its own number of iterations."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tfrnnc
from helpers.images import PHOTOS
from tfrnnc.bitstream import StreamSpec, StreamWriter, read_header
from tfrnnc.codec.adaptive import IterationAssignment, location_bits
from tfrnnc.errors import ConfigError, CorruptStreamError, TruncatedStreamError
from tfrnnc.images import read_image, to_uint8
from tfrnnc.metrics import block_ssim, location_errors, psnr


@pytest.fixture(scope="module", params=["litert", "keras"])
def codec(request, independent_folder):
    return tfrnnc.load(independent_folder, runtime=request.param)


@pytest.fixture(scope="module")
def photo():
    return read_image(PHOTOS / "coffee.png")[100:163, 90:181]


@pytest.fixture(scope="module")
def mixed(codec, photo):
    """A stream in which locations take each number of iterations."""
    encoded = codec.encode_with_picture(photo, adaptive=True)
    assert set(np.unique(codec.read_planes(encoded.data).iterations_taken)) == {1, 2, 3}
    return encoded


@pytest.mark.parametrize("size", [(1, 1), (7, 9), (8, 8), (33, 17), (16, 40)])
def test_every_size_comes_back(codec, noise, size):
    image = noise(*size)
    for settings in ({}, {"entropy_coding": False}, {"effort": 1}):
        data, picture, _, missed = codec.encode_with_picture(image, adaptive=True, **settings)
        np.testing.assert_array_equal(codec.decode(data), picture)
        assert read_header(data)[0].adaptive
        assert missed == []


def test_each_location_shows_what_it_showed_after_its_last_iteration(codec, photo, mixed):
    data, picture, *_ = mixed
    iterations = codec.read_planes(data).iterations_taken
    pictures = [picture for _, picture in codec.encode_iterations(photo)]
    for row, column in np.ndindex(*iterations.shape):
        place = np.s_[8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
        np.testing.assert_array_equal(picture[place], pictures[iterations[row, column] - 1][place])


def test_a_location_alone_equals_its_place_in_the_picture(codec, mixed):
    """Decoding is exact in each location, whatever is around it."""
    found = codec.read_planes(mixed.data)
    for row, column in [(0, 0), (3, 5), (6, 10), (7, 11)]:
        place = np.s_[row : row + 1, column : column + 1]
        patch = mixed.picture[8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
        spec = StreamSpec(codec.runtime.model_id, 8, 4)
        writer = StreamWriter(spec.header(patch.shape[1], patch.shape[0]), spec)
        for plane in found.planes[: found.iterations_taken[row, column]]:
            writer.add(plane[place])
        np.testing.assert_array_equal(codec.decode(writer.stream()), patch)


def test_fewer_iterations_and_cut_streams(codec, photo, mixed):
    """The first planes are those of the longer stream, and each byte adds to what is known."""
    data, picture, *_ = mixed
    whole = codec.read_planes(data)
    progressive = list(codec.decode_progressive(data))
    np.testing.assert_array_equal(progressive[-1], picture)
    for iterations in (1, 2, 3):
        np.testing.assert_array_equal(
            codec.decode(data, iterations=iterations), progressive[iterations - 1]
        )
    known, start = [], whole.ends[0] // 2
    for size in range(start, len(data)):
        with pytest.raises(TruncatedStreamError):
            codec.decode(data[:size])
        found = codec.read_planes(data[:size], allow_truncated=True)
        planes = np.stack(found.planes)
        assert ((planes == 0) | (planes == whole.planes[: len(planes)])).all()
        assert found.whole_iterations == sum(end <= size for end in whole.ends)
        known.append(np.count_nonzero(planes))
        if size % 7 == 0:
            cut = codec.decode(data[:size], allow_truncated=True)
            stays = np.ones(picture.shape[:2], bool)
            for row, column in np.argwhere(found.planes[-1].any(axis=2)):
                stays[8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = False
            if len(found.planes) > 1:
                before = progressive[len(found.planes) - 2]
                np.testing.assert_array_equal(cut[stays], before[stays])
    assert known == sorted(known)
    assert len(set(known)) > 0.6 * len(known)


@pytest.mark.parametrize("header", [True, False])
def test_max_bytes_is_never_exceeded_and_used_up(codec, photo, header):
    image = photo[:33, :42]
    shared = b"" if header else codec.shared_header(42, 33, adaptive=True)
    whole = codec.encode(image, headerless=not header, adaptive=True)
    sizes, errors = [], []
    for allowed in [*range(3, len(whole), 9), *range(len(whole), len(whole) + 3)]:
        try:
            code, picture, *_ = codec.encode_with_picture(
                image, max_bytes=allowed, headerless=not header, adaptive=True
            )
        except ConfigError:
            assert not sizes
            continue
        assert len(code) <= allowed
        np.testing.assert_array_equal(codec.decode(shared + code), picture)
        sizes.append(allowed - len(code))
        errors.append(np.square(image - picture.astype(float)).sum())
    assert sizes[-3:] == [0, 1, 2]
    assert np.mean(sizes) < 4
    first_iteration = len(codec.encode(image, iterations=1, headerless=not header, adaptive=True))
    assert (
        len(sizes) > (len(whole) - first_iteration) / 9 + 3
    )  # Parts of the first iteration are pictures, too.


def test_targets_are_just_reached(codec, photo):
    least = psnr(photo, codec.encode_with_picture(photo, iterations=1).picture)
    most = psnr(photo, codec.encode_with_picture(photo, adaptive=True).picture)
    assert least < most
    bits = []
    for share in (0.1, 0.5, 0.9):
        target = least + share * (most - least)
        data, picture, _, missed = codec.encode_with_picture(photo, psnr=target, adaptive=True)
        assert missed == []
        assert target <= psnr(photo, picture) < target + 0.2 * (most - least)
        bits.append(np.count_nonzero(codec.read_planes(data).planes))
    assert bits[0] < bits[1] < bits[2]


def test_ssim_is_reached(codec, photo, mixed):
    target = block_ssim(photo, mixed.picture)
    data, picture, _, missed = codec.encode_with_picture(photo, ssim=target, adaptive=True)
    assert missed == []
    assert block_ssim(photo, picture) >= target
    assert len(data) <= len(mixed.data)


def test_a_target_out_of_reach(codec, photo, caplog):
    with caplog.at_level(logging.WARNING, "tfrnnc"):
        codec.encode(photo, psnr=70, adaptive=True)
    data, picture, _, missed = codec.encode_with_picture(photo, psnr=70, adaptive=True)
    assert [target.name for target in missed] == ["PSNR"]
    assert "PSNR of 70" in caplog.text
    assert data == codec.encode(photo, adaptive=True)
    # As without limits: each location takes what its picture gains from.
    best = np.min(
        [location_errors(photo, each, 8) for _, each in codec.encode_iterations(photo)], axis=0
    )
    np.testing.assert_array_equal(location_errors(photo, picture, 8), best)


def test_limits_combine_to_the_tightest(codec, photo):
    allowed = len(codec.encode(photo, adaptive=True)) - 20
    by_bytes = codec.encode(photo, max_bytes=allowed, adaptive=True)
    assert codec.encode(photo, max_bytes=allowed, psnr=60, adaptive=True) == by_bytes
    bpp = 8 * (allowed + 0.5) / photo[..., 0].size
    assert codec.encode(photo, bpp=bpp, adaptive=True) == by_bytes
    two = codec.read_planes(codec.encode(photo, iterations=2, adaptive=True)).iterations_taken
    assert set(np.unique(two)) == {1, 2}


@pytest.mark.parametrize("iterations", [1, 2, 3])
def test_headerless_code_and_the_shared_header(codec, photo, iterations):
    shared = codec.shared_header(photo.shape[1], photo.shape[0], adaptive=True)
    code, picture, *_ = codec.encode_with_picture(
        photo, iterations=iterations, headerless=True, adaptive=True
    )
    found = codec.read_planes(shared + code)
    assert found.whole_iterations == found.iterations_taken.max() == len(found.planes) <= iterations
    np.testing.assert_array_equal(codec.decode(shared + code), picture)
    assert len(code) <= len(codec.encode(photo, iterations=iterations, adaptive=True)) - len(shared)


def test_zeros_are_bits_that_are_missing(tiny_codec, noise):
    """Where locations depend on each other, a decoder goes on with zeros for those that stopped."""
    image = noise(16, 24)
    runtime = tiny_codec.runtime
    if runtime.independent:
        assert read_header(tiny_codec.encode(image, adaptive=True))[0].adaptive
        return
    planes = [plane for plane, _ in tiny_codec.encode_iterations(image)]
    for plane in planes[1:]:
        plane[:, 1:] = 0
    spec = StreamSpec(runtime.model_id, runtime.stride, runtime.bits)
    writer = StreamWriter(spec.header(24, 16, adaptive=True), spec)
    states = reconstruction = None
    for iteration, plane in enumerate(planes):
        writer.add(plane)
        reconstruction, states = runtime.decode_iteration(plane, states, reconstruction, iteration)
    picture = tiny_codec.decode(writer.stream())
    np.testing.assert_array_equal(picture, to_uint8(reconstruction))


@pytest.fixture(scope="module")
def preset():
    """A trained model whose locations depend on each other."""
    codec = tfrnnc.load()
    assert not codec.runtime.independent
    return codec


@pytest.fixture(scope="module")
def mixed_photo():
    """Partly smooth, partly not, and of a size that no stride divides."""
    return read_image(PHOTOS / "coffee.png")[60:190, 60:241]


@pytest.mark.parametrize("settings", [{}, {"entropy_coding": False}, {"effort": 1}])
def test_stopping_saves_bytes_at_the_same_psnr(preset, mixed_photo, settings):
    plain = preset.encode_with_picture(mixed_photo, iterations=3, **settings)
    target = psnr(mixed_photo, plain.picture)
    data, picture, _, missed = preset.encode_with_picture(
        mixed_photo, psnr=target, adaptive=True, **settings
    )
    assert missed == []
    assert target <= psnr(mixed_photo, picture) < target + 0.05
    assert len(data) < 0.97 * len(plain.data)
    assert read_header(data)[0].adaptive
    np.testing.assert_array_equal(preset.decode(data), picture)
    assert len(np.unique(preset.read_planes(data).iterations_taken)) > 3


@pytest.mark.parametrize("header", [True, False])
def test_stopping_gives_a_better_picture_of_the_same_bytes(preset, mixed_photo, header):
    allowed = 1500
    plain = preset.encode_with_picture(mixed_photo, max_bytes=allowed, headerless=not header)
    data, picture, *_ = preset.encode_with_picture(
        mixed_photo, max_bytes=allowed, headerless=not header, adaptive=True
    )
    assert len(data) <= allowed
    assert psnr(mixed_photo, picture) > psnr(mixed_photo, plain.picture)
    height, width, _ = mixed_photo.shape
    shared = b"" if header else preset.shared_header(width, height, adaptive=True)
    shown = preset.decode(shared + data, allow_truncated=not header)
    np.testing.assert_array_equal(shown, picture)


def test_stopping_is_no_worse_where_it_does_not_help(preset, mixed_photo):
    with pytest.raises(ConfigError, match="with adaptive give psnr, ssim, bpp or max_bytes"):
        preset.encode(mixed_photo, adaptive=True)
    data, picture, _, missed = preset.encode_with_picture(
        mixed_photo, psnr=60, iterations=2, adaptive=True
    )
    plain = preset.encode_with_picture(mixed_photo, iterations=2)
    assert [target.name for target in missed] == ["PSNR"]
    assert psnr(mixed_photo, picture) >= psnr(mixed_photo, plain.picture)
    assert preset.read_planes(data).whole_iterations == 2


def test_which_models_are_independent(tiny_folder):
    for runtime in ("litert", "keras"):
        codec = tfrnnc.load(tiny_folder, runtime=runtime)
        # The tiny conv model's decoder has kernels as wide as its strides.
        arch = "conv_lstm" if "conv_lstm" in str(tiny_folder) else "others"
        assert codec.runtime.independent == (arch == "others")


def test_damage_is_found(codec, mixed):
    data = mixed.data
    _, start = read_header(data)
    wrong = 0
    for position in range(start, len(data) - 1):
        damaged = data[:position] + bytes([data[position] ^ 0x10]) + data[position + 1 :]
        try:
            codec.read_planes(damaged)
        except (CorruptStreamError, TruncatedStreamError):
            continue
        wrong += 1
    assert wrong <= len(data) / 50


points = st.lists(
    st.lists(st.tuples(st.integers(0, 50), st.integers(1, 9)), min_size=1, max_size=6),
    min_size=1,
    max_size=5,
)


@given(points, st.data())
def test_an_assignment_is_the_best_for_some_price_of_a_bit(values, data):
    """Held against trying all numbers of iterations at each location."""
    iterations = min(len(each) for each in values)
    table = np.array([each[:iterations] for each in values])  # (locations, iterations, 2)
    errors = table[None, ..., 0].transpose(2, 0, 1)
    bits = table[None, ..., 1].transpose(2, 0, 1)
    assignment = IterationAssignment(errors, bits)
    rates = bits.cumsum(axis=0)
    at_most, fewest = assignment.iterations(assignment.size), assignment.iterations(0)
    assert (fewest == 1).all()
    np.testing.assert_array_equal(at_most - 1, errors.argmin(axis=0))
    count = data.draw(st.integers(0, assignment.size))
    chosen = assignment.iterations(count) - 1

    def total(of, chosen):
        return np.take_along_axis(of, chosen[None], axis=0).sum()

    spent = total(rates, chosen) - total(rates, fewest - 1)
    assert assignment.bits(count) == spent
    assert assignment.count(spent) >= count
    more, fewer = (assignment.iterations(i) - 1 for i in (min(count + 1, assignment.size), count))
    if (more == fewer).all():
        return
    price = (total(errors, fewer) - total(errors, more)) / (
        total(rates, more) - total(rates, fewer)
    )
    cheapest = (errors + price * rates).min(axis=0).sum()
    assert total(errors, chosen) + price * total(rates, chosen) == pytest.approx(cheapest)


def test_bits_of_locations_add_up_to_the_code(codec, photo):
    planes = [plane for plane, _ in codec.encode_iterations(photo)]
    even = location_bits(planes, None)
    assert even.shape == (3, 8, 12)
    assert (even == 4).all()
    coded = location_bits(planes, codec.entropy_model)
    writer = StreamWriter(read_header(codec.encode(photo))[0], codec.spec)
    for plane in planes:
        writer.add(plane)
    assert abs(coded.sum() / 8 - len(writer.payload())) < 2 * len(planes) + 3
