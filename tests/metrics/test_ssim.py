import numpy as np
import pytest

from tfrnnc.metrics import block_ssim


def random_picture(seed, *shape):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def ssim_by_loops(reference, picture, block_size):
    """Wang et al. 2004, with K1 = 0.01, K2 = 0.03 and L = 255, of each block and channel."""
    values = []
    for top in range(0, reference.shape[0], block_size):
        for left in range(0, reference.shape[1], block_size):
            for channel in range(reference.shape[2]):
                window = np.s_[top : top + block_size, left : left + block_size, channel]
                x, y = reference[window].ravel() / 1.0, picture[window].ravel() / 1.0
                (var_x, cov), (_, var_y) = np.cov(x, y, bias=True)
                c1, c2 = 2.55**2, 7.65**2
                values.append(
                    ((2 * x.mean() * y.mean() + c1) * (2 * cov + c2))
                    / ((x.mean() ** 2 + y.mean() ** 2 + c1) * (var_x + var_y + c2))
                )
    return np.mean(values)


@pytest.mark.parametrize("block_size", [8, 5])
@pytest.mark.parametrize("shape", [(32, 32, 3), (16, 24, 1), (17, 13, 3), (3, 5, 3), (8, 9, 3)])
def test_equals_a_loop_over_blocks(shape, block_size):
    reference = random_picture(0, *shape)
    noise = np.random.default_rng(1).normal(0, 20, shape)
    picture = np.clip(reference + noise, 0, 255).astype(np.uint8)
    expected = ssim_by_loops(reference, picture, block_size)
    assert block_ssim(reference, picture, block_size) == pytest.approx(expected, abs=1e-12)


def test_blocks_are_8x8_unless_told():
    reference, picture = random_picture(0, 20, 20, 3), random_picture(1, 20, 20, 3)
    assert block_ssim(reference, picture) == block_ssim(reference, picture, 8)


def test_known_value_of_flat_blocks():
    black, white = np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 255, np.uint8)
    # No variance, so only the means count: c1 / (255 ** 2 + c1) with c1 = 2.55 ** 2.
    assert block_ssim(black, white) == pytest.approx(1e-4 / (1 + 1e-4))


@pytest.mark.parametrize("shape", [(32, 32, 3), (13, 11, 3)])
def test_equal_pictures_give_exactly_one(shape):
    picture = random_picture(0, *shape)
    assert block_ssim(picture, picture.copy()) == 1.0


@pytest.mark.parametrize("shape", [(32, 32, 3), (13, 11, 3)])
def test_is_symmetric_and_within_its_range(shape):
    reference, picture = random_picture(0, *shape), random_picture(1, *shape)
    value = block_ssim(reference, picture)
    assert value == pytest.approx(block_ssim(picture, reference), abs=1e-15)
    assert -1 < value < 1
    inverse = block_ssim(reference, 255 - reference)
    assert -1 < inverse < value


def test_partial_blocks_count_as_much_as_whole_ones():
    reference = np.full((8, 9, 3), 100, np.uint8)
    picture = reference.copy()
    picture[:, 8] = 0
    # Of the two blocks one is equal, the other flat with means of 100 and 0.
    expected = (1 + 2.55**2 / (100**2 + 2.55**2)) / 2
    assert block_ssim(reference, picture) == pytest.approx(expected)


@pytest.mark.parametrize("shape", [(8, 9, 3), (8, 8, 1), (8, 8), (1, 8, 8, 3)])
def test_refuses_pictures_of_another_shape(shape):
    with pytest.raises(ValueError, match="shapes differ"):
        block_ssim(np.zeros((8, 8, 3), np.uint8), np.zeros(shape, np.uint8))


@pytest.mark.parametrize("shape", [(16, 24, 3), (32, 32, 1)])
def test_equals_scikit_image(shape):
    """Of each block scikit-image's value with a flat window of the block's own size."""
    from skimage.metrics import structural_similarity

    reference = random_picture(0, *shape)
    noise = np.random.default_rng(1).normal(0, 20, shape)
    picture = np.clip(reference + noise, 0, 255).astype(np.uint8)
    settings = {"win_size": 7, "data_range": 255, "use_sample_covariance": False}
    expected = []
    for top in range(0, shape[0] - 6, 7):
        for left in range(0, shape[1] - 6, 7):
            block = np.s_[top : top + 7, left : left + 7]
            pair = reference[block], picture[block]
            # A window of 7x7 fits a block of 7x7 once, so the mean is its only value.
            expected.append(structural_similarity(*pair, channel_axis=2, **settings))
    whole = np.s_[: shape[0] // 7 * 7, : shape[1] // 7 * 7]
    measured = block_ssim(reference[whole], picture[whole], block_size=7)
    assert measured == pytest.approx(np.mean(expected), abs=1e-4)
