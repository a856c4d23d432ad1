import math

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from tfrnnc.metrics import psnr


def random_picture(seed, *shape):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("shape", [(1, 1, 3), (16, 24, 3), (7, 5, 3), (9, 4)])
def test_equals_scikit_image(shape):
    reference, picture = random_picture(0, *shape), random_picture(1, *shape)
    expected = peak_signal_noise_ratio(reference, picture, data_range=255)
    assert psnr(reference, picture) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("level", "expected"),
    # Mean squared errors of 1 and of 255 ** 2.
    [(1, 20 * math.log10(255)), (255, 0.0)],
)
def test_known_values(level, expected):
    black = np.zeros((8, 8, 3), np.uint8)
    assert psnr(black, black + np.uint8(level)) == pytest.approx(expected, abs=1e-12)


def test_equal_pictures_give_infinity():
    picture = random_picture(0, 8, 8, 3)
    assert psnr(picture, picture.copy()) == math.inf


def test_is_symmetric_and_does_not_wrap_around():
    dark, light = np.full((4, 4, 3), 10, np.uint8), np.full((4, 4, 3), 250, np.uint8)
    assert psnr(dark, light) == psnr(light, dark) == pytest.approx(20 * math.log10(255 / 240))


@pytest.mark.parametrize("shape", [(8, 9, 3), (8, 8, 1), (8, 8), (1, 8, 8, 3)])
def test_refuses_pictures_of_another_shape(shape):
    with pytest.raises(ValueError, match="shapes differ"):
        psnr(np.zeros((8, 8, 3), np.uint8), np.zeros(shape, np.uint8))
