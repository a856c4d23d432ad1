"""`downscale="auto"`: where half the resolution is tried, and which stream is kept."""

from __future__ import annotations

import numpy as np
import pytest

import tfrnnc
from tfrnnc.bitstream import read_header
from tfrnnc.codec import Encoded, EncodeOptions
from tfrnnc.codec.calls import Worker
from tfrnnc.codec.choosing_encoder import LEAST_SIDE, MAX_BPP, ChoosingEncoder
from tfrnnc.codec.codec import Codec
from tfrnnc.errors import ConfigError, TooLargeError
from tfrnnc.images import read_image
from tfrnnc.metrics import block_ssim, psnr, squared_error

SIDE = 128
PIXELS = SIDE * SIDE


@pytest.fixture(scope="module")
def preset():
    return tfrnnc.load("conv_lstm_thumbnails", threads=1)


@pytest.fixture(scope="module")
def photo(request):
    path = request.config.rootpath / "examples" / "photos" / "chelsea.png"
    return read_image(path)[:SIDE, 100 : 100 + SIDE]


def downscale_of(data: bytes) -> int:
    return read_header(data)[0].downscale


class FixedEncoder:
    """Gives what it is told to, and remembers what it was asked for."""

    worker = Worker(runtime=None)
    padded_size = SIDE, SIDE

    def __init__(self, result):
        self.result, self.asked = result, []

    def fitting(self, **limits):
        self.asked.append({name: value for name, value in limits.items() if value is not None})
        if isinstance(self.result, Exception):
            raise self.result
        return self.result
        yield  # It is a generator.


@pytest.fixture
def choose():
    """Chooses between two results for an image of zeros; returns the choice and both encoders."""

    def run(whole, half, image=None, headerless=False, **limits):
        image = np.zeros((SIDE, SIDE, 3), np.uint8) if image is None else image
        encoders = {1: FixedEncoder(whole), 2: FixedEncoder(half)}
        encoder = ChoosingEncoder(encoders.get, image, EncodeOptions(headerless=headerless))
        return encoder.fit(**limits), encoders

    return run


def result(size: int, level: int = 0, missed=(), picture=None) -> Encoded:
    """A stream of a size that shows a level everywhere."""
    shown = np.full((SIDE, SIDE, 3), level, np.uint8) if picture is None else picture
    return Encoded(bytes(size), shown, 1, list(missed))


@pytest.mark.parametrize(
    ("limits", "tried"),
    [
        ({}, False),
        ({"iterations": 1}, False),
        ({"bpp": MAX_BPP}, True),
        ({"bpp": MAX_BPP, "iterations": 2}, True),
        ({"bpp": MAX_BPP + 0.01}, False),
        ({"max_bytes": int(MAX_BPP * PIXELS / 8)}, True),
        ({"max_bytes": int(MAX_BPP * PIXELS / 8) + 1}, False),
        ({"max_bytes": 9000, "bpp": 0.1}, True),
        ({"psnr": 20}, True),  # The stream as it is reaches that with 100 bytes.
        ({"ssim": 0.5, "bpp": 4}, True),
    ],
    ids=str,
)
def test_where_half_the_resolution_is_tried(choose, limits, tried):
    _, encoders = choose(result(100), result(100), **limits)
    assert len(encoders[1].asked) == 1
    assert bool(encoders[2].asked) == tried


def test_it_is_not_tried_with_small_images(choose):
    for shape, tried in (((LEAST_SIDE, 300, 3), True), ((LEAST_SIDE - 1, 300, 3), False)):
        image = np.zeros(shape, np.uint8)
        shown = result(100, picture=image)
        _, encoders = choose(shown, shown, image, bpp=0.2)
        assert bool(encoders[2].asked) == tried


def test_it_is_not_tried_without_header(choose):
    _, encoders = choose(result(100), result(100), headerless=True, bpp=0.2)
    assert not encoders[2].asked


def test_it_is_not_tried_where_a_target_takes_many_bytes(choose):
    size = int(MAX_BPP * PIXELS / 8) + 2
    _, encoders = choose(result(size), result(10), psnr=20)
    assert not encoders[2].asked
    _, encoders = choose(result(size - 1), result(10), psnr=20)
    assert encoders[2].asked


def test_half_the_resolution_is_within_the_same_bytes(choose):
    _, encoders = choose(result(100), result(100), bpp=0.25, iterations=3)
    assert encoders[2].asked == [{"max_bytes": PIXELS // 32, "iterations": 3}]
    _, encoders = choose(result(100), result(100), bpp=0.25, psnr=20)
    assert encoders[2].asked == [{"max_bytes": 99, "psnr": 20}]  # Else it is of no use.


def test_the_better_picture_is_kept(choose):
    for levels, best in (((3, 2), 1), ((2, 3), 0), ((2, 2), 0)):
        results = [result(100, level) for level in levels]
        chosen, _ = choose(*results, bpp=0.25)
        assert chosen is results[best]


def test_better_is_the_product_of_squared_error_and_dissimilarity(choose, photo):
    """One picture is nearer by PSNR, the other by far more like the image in its structure."""
    blurred = np.repeat(np.repeat(photo[::4, ::4], 4, 0), 4, 1)
    brighter = np.clip(photo.astype(int) + 22, 0, 255).astype(np.uint8)
    errors = [squared_error(photo, each) for each in (blurred, brighter)]
    likeness = [block_ssim(photo, each) for each in (blurred, brighter)]
    assert errors[0] < errors[1]
    products = [error * (1 - ssim) for error, ssim in zip(errors, likeness, strict=True)]
    assert products[0] > products[1]
    results = [result(100, picture=each) for each in (blurred, brighter)]
    assert choose(*results, photo, bpp=0.25)[0] is results[1]
    assert choose(*reversed(results), photo, bpp=0.25)[0] is results[1]


def test_of_two_that_reach_the_targets_the_smaller_is_kept(choose):
    whole, half = result(100, level=1), result(60, level=9)
    assert choose(whole, half, psnr=20)[0] is half
    assert choose(whole, result(99, level=0, missed=["PSNR"]), psnr=20)[0] is whole


def test_one_that_reaches_the_targets_is_kept(choose):
    whole, half = result(100, level=1, missed=["PSNR"]), result(100, level=2)
    assert choose(whole, half, psnr=20, bpp=0.25)[0] is half
    half = result(100, level=0, missed=["PSNR"])
    assert choose(whole, half, psnr=20, bpp=0.25)[0] is half  # None does; it is the better one.


def test_one_that_fits_is_kept(choose):
    few = ConfigError("3 bytes are too few")
    half, whole = result(3), result(3)
    assert choose(few, half, max_bytes=3)[0] is half
    assert choose(whole, few, max_bytes=3)[0] is whole
    with pytest.raises(ConfigError, match="3 bytes are too few"):
        choose(few, ConfigError("another"), max_bytes=3)


def test_half_the_resolution_that_takes_too_much_work_is_left_out(choose):
    """It may take more iterations for the same bytes."""
    whole, large = result(100), TooLargeError("5 iterations are more work than the limit")
    assert choose(whole, large, bpp=0.25)[0] is whole
    with pytest.raises(TooLargeError, match="5 iterations"):
        choose(large, result(100), bpp=0.25)


def test_one_candidate_is_not_measured(choose, monkeypatch):
    def fail(*_):
        raise AssertionError("there is nothing to compare with")

    monkeypatch.setattr("tfrnnc.codec.choosing_encoder.block_ssim", fail)
    for limits in ({}, {"bpp": 2}, {"iterations": 1}):
        whole = result(100)
        assert choose(whole, result(50), **limits)[0] is whole


@pytest.mark.parametrize(
    "limits",
    [{"bpp": 0.1}, {"bpp": 0.5}, {"psnr": 22}, {"ssim": 0.4, "bpp": 0.2}, {"max_bytes": 60}],
    ids=str,
)
@pytest.mark.parametrize("settings", [{}, {"adaptive": True}, {"effort": 1}], ids=str)
def test_it_is_one_of_both(preset, photo, limits, settings):
    """And better than the other, which the test decides by itself."""
    candidates = {}
    for downscale in (1, 2):
        try:
            candidates[downscale] = preset.encode_with_picture(
                photo, downscale=downscale, **limits, **settings
            )
        except ConfigError:
            continue
    found = preset.encode_with_picture(photo, **limits, **settings)
    assert found.data in [each.data for each in candidates.values()]
    np.testing.assert_array_equal(preset.decode(found.data), found.picture)
    assert preset.encode(photo, **limits, **settings) == found.data
    reached = {name: value for name, value in limits.items() if name in ("psnr", "ssim")}
    if reached and not any(each.missed for each in candidates.values()):
        assert len(found.data) == min(len(each.data) for each in candidates.values())
    elif not reached:
        products = {
            downscale: squared_error(photo, each.picture) * (1 - block_ssim(photo, each.picture))
            for downscale, each in candidates.items()
        }
        assert downscale_of(found.data) == min(products, key=products.__getitem__)


def test_photos_at_few_bits_per_pixel_are_reduced(preset, request):
    """They gain in both measures; at many they are not, and none is without a limit."""
    photo = read_image(request.config.rootpath / "examples" / "photos" / "chelsea.png")
    whole, chosen = (
        preset.encode_with_picture(photo, bpp=0.08, downscale=downscale)
        for downscale in (1, "auto")
    )
    assert downscale_of(chosen.data) == 2
    assert psnr(photo, chosen.picture) > psnr(photo, whole.picture)
    assert block_ssim(photo, chosen.picture) > block_ssim(photo, whole.picture)
    assert downscale_of(preset.encode(photo, bpp=0.5)) == 1
    assert preset.encode(photo, iterations=1) == preset.encode(photo, iterations=1, downscale=1)


def test_nothing_is_encoded_at_half_the_resolution_where_it_is_not_tried(
    preset, photo, monkeypatch
):
    made = []
    encoder_at = Codec._encoder_at

    def counted(codec, pixels, options, downscale):
        made.append(downscale)
        return encoder_at(codec, pixels, options, downscale)

    monkeypatch.setattr(Codec, "_encoder_at", counted)
    preset.encode(photo, iterations=1)
    preset.encode(photo, bpp=0.6)
    preset.encode(photo, bpp=0.1, headerless=True)
    preset.encode(photo[: LEAST_SIDE - 1], bpp=0.1)
    preset.encode(photo, bpp=0.1, downscale=1)
    assert made == [1, 1, 1, 1, 1]
    preset.encode(photo, bpp=0.1)
    assert made == [1] * 6 + [2]


def test_an_encoder_encodes_nothing_twice(preset, photo, monkeypatch):
    encoder = preset.encoder(photo)
    encoder.fit(bpp=0.3)
    kind = type(preset.runtime)

    def fail(*_):
        raise AssertionError("what is known is encoded again")

    monkeypatch.setattr(kind, "encode_iteration", fail)
    for bpp in (0.3, 0.12, 0.2):
        assert 8 * len(encoder.fit(bpp=bpp).data) <= bpp * PIXELS


@pytest.mark.parametrize("limits", [{"bpp": 0.2}, {"psnr": 24}, {"max_bytes": 700}], ids=str)
def test_batches_give_what_one_by_one_gives(preset, request, limits):
    """Images of one size, some of which are at half of it while others are not yet."""
    folder = request.config.rootpath / "examples" / "photos"
    images = [
        read_image(path)[top : top + 136, left : left + 144]
        for path in sorted(folder.glob("*.png"))
        for top, left in ((0, 0), (50, 120))
    ]
    images.append(np.full((136, 144, 3), 90, np.uint8))
    found = preset.encode_batch(images, **limits)
    assert found == [preset.encode(image, **limits) for image in images]
    assert {downscale_of(data) for data in found} >= {2}
    for data, picture in zip(found, preset.decode_batch(found), strict=True):
        np.testing.assert_array_equal(picture, preset.decode(data))


def test_files_for_larger_images_take_the_image_as_it_is(request):
    root = request.config.rootpath
    codec = tfrnnc.load(root / "export" / "conv_lstm_medium" / "small_256x256", threads=1)
    image = read_image(root / "examples" / "photos" / "chelsea.png")[:262, :293]
    with pytest.raises(ConfigError, match="256"):
        codec.encode(image, max_bytes=960, downscale=2)
    data = codec.encode(image, max_bytes=960, downscale=1)
    assert codec.encode(image, max_bytes=960) == data
    assert codec.encode_batch([image, image], max_bytes=960) == [data, data]
