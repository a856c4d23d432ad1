from types import SimpleNamespace

import numpy as np
import pytest

from tfrnnc.data import MixedBatches, PatchBatches, centre_patches
from tfrnnc.data.device_patches import DevicePatchBatches, table_bytes
from tfrnnc.errors import DataError
from tfrnnc.images import to_float, to_uint8


def random_images(*sizes):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*size, 3), np.uint8) for size in sizes]


def patches(batches, index=0):
    (batch,) = batches[index]
    return batch


def windows(image, side):
    """Every square of the image and its mirror image, (N, side, side, 3)."""
    cut = np.lib.stride_tricks.sliding_window_view(image, (side, side), (0, 1))
    cut = np.moveaxis(cut, 2, -1).reshape(-1, side, side, 3)
    return np.concatenate([cut, cut[:, :, ::-1]])


def flat_images(*sizes):
    """Images of one colour each, whose red is their number."""
    return [np.full((*size, 3), (index, 0, 255), np.uint8) for index, size in enumerate(sizes)]


def drawn(batches, number):
    """How often each flat image was drawn."""
    reds = [to_uint8(patches(batches, index))[:, 0, 0, 0] for index in range(number)]
    return np.bincount(np.concatenate(reds), minlength=len(batches.images))


def test_shape_type_and_range():
    batches = PatchBatches(random_images((40, 50), (20, 30)), batch_size=5, patch_size=16)
    batch = patches(batches)
    assert batch.shape == (5, 16, 16, 3)
    assert batch.dtype == np.float32
    assert -0.9 <= batch.min() < batch.max() <= np.float32(0.9)
    assert batches.num_batches is None


def test_a_batch_depends_on_its_number_alone():
    images = random_images((40, 50), (20, 30))
    first, second = (PatchBatches(images, 4, 16, seed=3) for _ in range(2))
    forwards = [patches(first, index) for index in range(6)]
    backwards = [patches(second, index) for index in reversed(range(6))][::-1]
    np.testing.assert_array_equal(forwards, backwards)
    assert not np.array_equal(forwards[0], forwards[1])


def test_a_stream_goes_on_from_its_first_batch():
    images = random_images((40, 50), (20, 30))
    whole, rest = PatchBatches(images, 4, 16, seed=3), PatchBatches(images, 4, 16, seed=3)
    rest.first_batch = 7
    for index in range(4):
        np.testing.assert_array_equal(patches(rest, index), patches(whole, 7 + index))


def test_seeds_differ():
    images = random_images((40, 50))
    batches = [patches(PatchBatches(images, 4, 16, seed=seed)) for seed in range(3)]
    assert not np.array_equal(batches[0], batches[1])
    assert not np.array_equal(batches[1], batches[2])


def test_patches_are_windows_of_the_image_or_their_mirror_image():
    (image,) = random_images((24, 30))
    batches = PatchBatches([image], batch_size=40, patch_size=16, max_downscale=1)
    possible = {window.tobytes() for window in windows(image, 16)}
    found = {patch.tobytes() for patch in to_uint8(patches(batches))}
    assert found <= possible
    assert len(found) > 20


def test_every_window_is_drawn():
    (image,) = random_images((10, 11))
    batches = PatchBatches([image], batch_size=400, patch_size=8, max_downscale=1)
    possible = {window.tobytes() for window in windows(image, 8)}
    assert {patch.tobytes() for patch in to_uint8(patches(batches))} == possible


@pytest.mark.parametrize("factor", [2, 3])
def test_reduction_takes_the_mean_of_blocks(factor):
    (image,) = random_images((8 * factor, 8 * factor))
    batches = PatchBatches(
        [image], batch_size=4, patch_size=8, min_downscale=factor, max_downscale=factor
    )
    expected = np.empty((8, 8, 3))
    for y in range(8):
        for x in range(8):
            block = image[y * factor : (y + 1) * factor, x * factor : (x + 1) * factor]
            expected[y, x] = block.mean(axis=(0, 1))
    for patch in to_uint8(patches(batches)).astype(float):
        upright = np.abs(patch - expected).max()
        mirrored = np.abs(patch - expected[:, ::-1]).max()
        assert min(upright, mirrored) <= 0.5


def test_patches_are_levels_of_8_bits():
    batches = PatchBatches(random_images((40, 50)), batch_size=4, patch_size=8, min_downscale=3)
    batch = patches(batches)
    np.testing.assert_array_equal(to_float(to_uint8(batch)), batch)


def ramp(side):
    """Red grows by one with each row, so that a patch shows how far it was reduced."""
    image = np.zeros((side, side, 3), np.uint8)
    image[..., 0] = np.arange(side)[:, None]
    return image


@pytest.mark.parametrize(
    ("settings", "factors"),
    [
        ({}, {1, 2, 3, 4, 5}),
        ({"max_downscale": 2}, {1, 2}),
        ({"min_downscale": 2, "max_downscale": 3}, {2, 3}),
        ({"min_downscale": 4}, {4, 5}),
        # The least factor wins over the greatest.
        ({"min_downscale": 3, "max_downscale": 1}, {3}),
    ],
)
def test_factors_that_the_image_allows_are_drawn(settings, factors):
    batches = PatchBatches([ramp(47)], batch_size=100, patch_size=8, **settings)
    reds = to_uint8(patches(batches))[:, :, 0, 0].astype(int)
    # The means of blocks of even size end in .5, which is rounded to even.
    iterations = np.rint((reds[:, -1] - reds[:, 0]) / 7)
    assert set(iterations.astype(int).tolist()) == factors


def test_small_images_are_left_out():
    sizes = [(15, 40), (16, 16), (40, 15), (31, 31), (32, 40)]
    counts = drawn(PatchBatches(flat_images(*sizes), batch_size=100, patch_size=16), 5)
    assert (counts > 0).tolist() == [False, True, False, True, True]
    counts = drawn(
        PatchBatches(flat_images(*sizes), batch_size=100, patch_size=16, min_downscale=2), 5
    )
    assert (counts > 0).tolist() == [False, False, False, False, True]


def test_the_chance_of_an_image_grows_with_the_root_of_its_area():
    sizes = [(16, 16), (16, 64), (7, 100), (48, 48)]
    counts = drawn(PatchBatches(flat_images(*sizes), batch_size=500, patch_size=16), 8)
    chances = np.array([16, 32, 0, 48]) / 96
    sigmas = np.sqrt(4000 * chances * (1 - chances))
    assert np.all(np.abs(counts - 4000 * chances) <= 5 * sigmas)


@pytest.mark.parametrize(
    ("sizes", "settings", "least"),
    [
        ([(31, 40), (40, 31)], {"patch_size": 32}, "32"),
        ([(63, 63)], {"patch_size": 32, "min_downscale": 2}, "64"),
        ([], {"patch_size": 32}, "32"),
    ],
)
def test_images_that_are_all_too_small_are_refused(sizes, settings, least):
    with pytest.raises(DataError, match=f"none of the {len(sizes)} images.*{least} pixels"):
        PatchBatches(random_images(*sizes), **settings)


def test_centre_patches_cut_out_the_middle():
    images = random_images((16, 16), (17, 20), (40, 31), (15, 90))
    expected = [images[0], images[1][0:16, 2:18], images[2][12:28, 7:23]]
    np.testing.assert_array_equal(centre_patches(images, 16), expected)


@pytest.mark.parametrize(
    ("limit", "numbers"), [(10, range(10)), (9, range(0, 10, 2)), (5, range(0, 10, 2)), (1, [0])]
)
def test_centre_patches_are_spread_over_the_images(limit, numbers):
    found = centre_patches(flat_images(*[(16, 16)] * 10), 16, limit)
    assert found[:, 0, 0, 0].tolist() == list(numbers)


@pytest.mark.parametrize("sizes", [[], [(15, 40)]])
def test_centre_patches_need_a_large_enough_image(sizes):
    with pytest.raises(DataError, match="16 pixels"):
        centre_patches(random_images(*sizes), 16)


def test_parts_of_a_batch_are_cut_from_the_whole():
    images = random_images((40, 50), (90, 60), (20, 30))
    batches = PatchBatches(images, 6, 16, seed=3)
    whole = batches.batch(4)
    for part in (slice(0, 2), slice(2, 6), slice(5, 6)):
        np.testing.assert_array_equal(batches.batch(4, part), whole[part])

    mixed = MixedBatches([batches, PatchBatches(images, 4, 16)], [1, 1], seed=3)
    half = MixedBatches(mixed.sets, [1, 1], seed=3, part=lambda size: slice(0, size // 2))
    sizes = set()
    for index in range(6):
        (all_of_it,), (first_half,) = mixed[index], half[index]
        sizes.add(len(all_of_it))
        np.testing.assert_array_equal(first_half, all_of_it[: len(all_of_it) // 2])
    assert sizes == {4, 6}


@pytest.mark.parametrize("factors", [(1, 1), (1, 3), (2, 5)])
def test_a_device_cuts_the_same_patches(factors):
    images = random_images((80, 90), (64, 33), (100, 81))
    settings = {"batch_size": 24, "patch_size": 16, "seed": 5}
    settings |= dict(zip(("min_downscale", "max_downscale"), factors, strict=True))
    host, device = PatchBatches(images, **settings), DevicePatchBatches(images, **settings)
    for number in range(4):
        np.testing.assert_array_equal(device.batch(number), host.batch(number))
    part = slice(8, 16)
    np.testing.assert_array_equal(device.batch(1, part), host.batch(1, part))


def test_halves_are_rounded_alike_on_host_and_device():
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    image = np.stack([levels, levels.T, levels // 2], axis=-1)
    settings = {"batch_size": 8, "patch_size": 8, "min_downscale": 2, "max_downscale": 2}
    host, device = PatchBatches([image], **settings), DevicePatchBatches([image], **settings)
    means = image.reshape(8, 2, 8, 2, 3).mean((1, 3))
    assert (means % 1 == 0.5).any()
    np.testing.assert_array_equal(device.batch(0), host.batch(0))
    expected = to_float(np.rint(means).astype(np.uint8))
    assert {each.tobytes() for each in host.batch(0)} == {
        expected.tobytes(),
        expected[:, ::-1].tobytes(),
    }


def test_sums_of_large_images_wrap_around():
    image = np.full((4200, 4200, 3), 255, np.uint8)
    image[-64:, -64:] = random_images((64, 64))[0]
    assert image[..., 0].sum(dtype=np.int64) >= 1 << 32
    settings = {"batch_size": 1, "patch_size": 4160, "max_downscale": 1}
    device, host = DevicePatchBatches([image], **settings), PatchBatches([image], **settings)
    np.testing.assert_array_equal(device.batch(0), host.batch(0))


def test_the_memory_of_a_device():
    assert table_bytes(random_images((3, 4), (1, 1))) == (4 * 5 + 2 * 2) * 3 * 4
    sizes = np.array([[40_000, 60_000]])
    assert table_bytes(SimpleNamespace(sizes=sizes)) is None
