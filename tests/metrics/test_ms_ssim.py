import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageFilter
from skimage.metrics import structural_similarity

from helpers.images import PHOTOS
from tfrnnc.metrics import ms_ssim
from tfrnnc.metrics.ms_ssim import MIN_SIDE, _terms


@pytest.fixture(scope="module")
def photo():
    with Image.open(PHOTOS / "astronaut.png") as image:
        return image.convert("RGB")


def distorted(image: Image.Image, how: str) -> np.ndarray:
    pixels = np.asarray(image)
    if how == "blurred":
        return np.asarray(image.filter(ImageFilter.GaussianBlur(3)))
    if how == "noisy":
        noise = np.random.default_rng(0).normal(0, 25, pixels.shape)
        return np.clip(pixels + noise, 0, 255).astype(np.uint8)
    if how == "lighter":
        return np.clip(pixels * 0.6 + 80, 0, 255).astype(np.uint8)
    assert how == "one channel"
    other = pixels.copy()
    other[..., 1] = np.roll(pixels[..., 1], 5, axis=1)
    return other


def by_tensorflow(reference, picture):
    return float(tf.image.ssim_multiscale(tf.constant(reference), tf.constant(picture), 255))


@pytest.mark.parametrize("how", ["blurred", "noisy", "lighter", "one channel"])
@pytest.mark.parametrize("size", [(256, 192), (161, 177), (230, 301)])
def test_equals_tensorflow(photo, how, size):
    image = photo.crop((100, 50, 100 + size[0], 50 + size[1]))
    pixels, other = np.asarray(image), distorted(image, how)
    expected = by_tensorflow(pixels, other)
    assert 0.1 < expected < 0.999
    assert ms_ssim(pixels, other) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("how", ["blurred", "noisy"])
def test_one_scale_equals_scikit_image(photo, how):
    """The terms that the scales are made of, against a second implementation."""
    pixels, other = np.asarray(photo), distorted(photo, how)
    planes = [np.moveaxis(image, 2, 0).astype(np.float64) for image in (pixels, other)]
    luminance, structure = _terms(*planes)
    settings = {"data_range": 255, "gaussian_weights": True, "use_sample_covariance": False}
    _, every = structural_similarity(pixels, other, channel_axis=2, full=True, **settings)
    # scikit-image pads the image; the window lies within it five pixels from the edge.
    expected = every[5:-5, 5:-5].mean()
    assert np.mean(luminance * structure) == pytest.approx(expected, abs=1e-4)


def test_equal_pictures_give_exactly_one(noise):
    picture = noise(161, 170)
    assert ms_ssim(picture, picture.copy()) == 1.0


def test_unlike_pictures_give_zero(noise):
    """Terms below zero, whose powers would be complex numbers, count as zero."""
    picture = noise(176, 176)
    assert ms_ssim(picture, 255 - picture) == by_tensorflow(picture, 255 - picture) == 0.0


def test_grows_with_quality(photo):
    pixels = np.asarray(photo)
    blurred = [np.asarray(photo.filter(ImageFilter.GaussianBlur(r))) for r in (8, 4, 2, 1)]
    values = [ms_ssim(pixels, picture) for picture in blurred]
    assert values == sorted(values)


def test_channels_count_the_same(photo):
    pixels = np.asarray(photo)
    other = distorted(photo, "one channel")
    alone = ms_ssim(pixels[..., 1:2], other[..., 1:2])
    assert ms_ssim(pixels, other) == pytest.approx((2 + alone) / 3)


@pytest.mark.parametrize("shape", [(160, 300, 3), (300, 160, 3), (32, 32, 3)])
def test_refuses_images_that_are_too_small(shape):
    picture = np.zeros(shape, np.uint8)
    with pytest.raises(ValueError, match=f"161 pixels.*{shape[1]}x{shape[0]}"):
        ms_ssim(picture, picture)
    assert MIN_SIDE == 161


def test_refuses_pictures_of_another_shape():
    with pytest.raises(ValueError, match="shapes differ"):
        ms_ssim(np.zeros((200, 200, 3), np.uint8), np.zeros((200, 201, 3), np.uint8))
