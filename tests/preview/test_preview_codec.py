"""Images to previews and back."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

import tfrnnc
from tfrnnc.errors import ConfigError, ImageError
from tfrnnc.metrics import block_ssim, psnr
from tfrnnc.preview import preview, preview_color, preview_image
from tfrnnc.preview.codec import decode_pixels, stretch
from tfrnnc.preview.encoder import Objective, ssim_weight
from tfrnnc.preview.text import from_text


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    from skimage import data

    return Image.fromarray(data.astronaut()).crop((0, 0, 512, 384))


@pytest.fixture(scope="module")
def text(photo) -> str:
    return preview(photo, bytes=64)


def test_more_bytes_show_more(photo, text):
    pixels = stretch(np.asarray(photo))
    found = [psnr(pixels, decode_pixels(from_text(preview(photo, size)))) for size in (3, 8, 24)]
    found.append(psnr(pixels, decode_pixels(from_text(text))))
    assert found == sorted(found)
    assert found[-1] > found[0] + 3


def test_cut_anywhere(photo, text):
    pixels = stretch(np.asarray(photo))
    found = [psnr(pixels, decode_pixels(from_text(text[:n]))) for n in range(4, len(text) + 1)]
    assert found[-1] == max(found)
    assert preview_color(text[:4]) == preview_color(text)
    assert preview_image(text[:4]).size == preview_image(text).size == (32, 24)


def test_the_length_is_what_was_asked_for(photo):
    for size in (3, 12, 16, 48):
        assert len(preview(photo, bytes=size)) == -(-8 * size // 6)


def test_the_same_string_each_time_and_in_threads(photo):
    images = [photo.rotate(90 * turn, expand=True) for turn in range(4)]
    expected = [preview(image, bytes=12) for image in images]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda image: preview(image, bytes=12), images)) == expected


def test_average_colour(photo):
    mean = np.asarray(photo).mean((0, 1))
    assert np.abs(mean - preview_color(preview(photo, bytes=3))).max() < 12


def test_sizes(text):
    assert preview_image(text, size=256).size == (256, 192)
    assert preview_image(text, size=(10, 20)).size == (10, 20)
    assert preview_image(text, size=1).size == (1, 1)
    for size in (0, -1, 9000, 1.5, True, "32", (1,), (0, 1)):
        with pytest.raises(ConfigError, match="size"):
            preview_image(text, size=size)


@pytest.mark.parametrize("size", [2, 65, 24.0, None, True])
def test_bytes_out_of_range(photo, size):
    with pytest.raises(ConfigError, match="bytes must be"):
        preview(photo, bytes=size)


def test_transparent_images_need_a_background():
    clear = Image.new("RGBA", (40, 40), (255, 0, 0, 0))
    with pytest.raises(ImageError, match="background"):
        preview(clear)
    assert preview_color(preview(clear, bytes=3, background="white")) == (255, 255, 255)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 3000, 3), (33, 2), (32, 32, 1)])
def test_any_shape(shape):
    text = preview(np.full(shape, 128, np.uint8), bytes=8)
    height, width = shape[:2]
    shown = preview_image(text).size
    assert max(shown) == 32
    assert (shown[0] >= shown[1]) == (width >= height)


@pytest.mark.parametrize("size", [16, 24])
def test_the_objective_is_of_error_and_ssim(photo, size):
    original = stretch(np.asarray(photo))
    shown = decode_pixels(from_text(preview(photo, bytes=size)))
    error = 10 ** (-psnr(original, shown) / 10)
    weight = ssim_weight(size)
    expected = np.log(error + weight * (1 - block_ssim(original, shown)))
    (cost,) = Objective(original, weight).costs(shown[None])
    assert cost == pytest.approx(expected, rel=1e-4)


def test_three_bytes_are_the_average_colour(photo):
    text = preview(photo, bytes=3)
    assert (decode_pixels(from_text(text)) == preview_color(text)).all()


def test_the_package_can_be_called_and_is_light():
    code = (
        "import sys, numpy as np, tfrnnc, tfrnnc.preview\n"
        "text = tfrnnc.preview(np.zeros((8, 8, 3), np.uint8), bytes=4)\n"
        "assert tfrnnc.preview_image(text).size == (32, 32)\n"
        "heavy = {'tensorflow', 'keras', 'ai_edge_litert'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert callable(tfrnnc.preview)
    assert tfrnnc.preview_color is preview_color
