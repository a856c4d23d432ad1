"""BlurHash and ThumbHash against vectors of their own packages, and all three as codecs."""

from __future__ import annotations

import numpy as np
import pytest

from make_preview_vectors import painted
from tfrnnc.errors import ConfigError, EvaluationError
from tfrnnc.evaluation import CodecSpec, blurhash, open_codec, thumbhash
from tfrnnc.evaluation.codecs import codec_names
from tfrnnc.evaluation.preview_codecs import PREVIEW_CODECS

IMAGES = ((0, 24, 40), (1, 32, 32), (2, 50, 30))


@pytest.mark.parametrize(
    ("image", "expected"),
    list(
        zip(
            IMAGES,
            (
                # What the packages blurhash 1.1.5 and thumbhash 0.1.2 of PyPI give.
                ("LsG*Wt0;TX-7riY4otWBo~kpaxbq", "57280e6c8e907b76cc67888a7788808307a362"),
                (
                    "LdF?F7HCVhr_3=nXq|V]XU#XWAk8",
                    "9de8054f1c6f78768975879978a878778777370675929008",
                ),
                ("LbAn=Q+Dw}tR:k.5s.nO%]xZnjbr", "96c7095c10919a7df779797777778f9aeaf927"),
            ),
            strict=True,
        )
    ),
)
def test_published_packages_give_the_same(image, expected):
    pixels = painted(*image)
    assert (blurhash.encode(pixels), thumbhash.encode(pixels).hex()) == expected


def test_blurhash_of_the_specification():
    """The string in its README, decoded by the package blurhash 1.1.5."""
    found = blurhash.decode("LEHV6nWB2yk8pyo0adR*.7kCMdnj", 3, 2)
    assert found.tolist() == [
        [[135, 164, 177], [172, 177, 175], [170, 175, 172]],
        [[120, 148, 162], [150, 128, 125], [150, 135, 125]],
    ]


def test_pictures_are_those_of_the_images():
    for image in IMAGES:
        pixels = painted(*image)
        height, width, _ = pixels.shape
        shown = thumbhash.decode(thumbhash.encode(pixels))
        assert max(shown.shape) == 32
        np.testing.assert_allclose(shown.mean((0, 1)), pixels.mean((0, 1)), atol=4)
        shown = blurhash.decode(blurhash.encode(pixels), width, height)
        np.testing.assert_allclose(
            shown.mean((0, 1)), pixels.mean((0, 1)), atol=20
        )  # it averages linear light


@pytest.mark.parametrize("text", ["", "LEHV6", "LEHV6nWB2yk8pyo0adR*.7kCMdn", "LEHV6n WB"])
def test_no_blurhash(text):
    with pytest.raises(EvaluationError, match="BlurHash"):
        blurhash.decode(text, 4, 4)


@pytest.mark.parametrize("data", [b"", bytes(4), bytes(5), b"\xff\xff\xff\x07\x00" + bytes(20)])
def test_no_thumbhash(data):
    with pytest.raises(EvaluationError, match="ThumbHash"):
        thumbhash.decode(data)


@pytest.mark.parametrize("name", PREVIEW_CODECS)
@pytest.mark.parametrize("shape", [(32, 32), (20, 32), (64, 40)])
def test_codecs_show_the_image_at_its_size(name, shape):
    codec = open_codec(name)
    pixels = painted(3, *shape)
    for coded in [
        codec.within(pixels, 24),
        *codec.at_sizes(pixels, [16, 24]),
        *codec.sweep(pixels),
    ]:
        assert coded.picture.shape == pixels.shape
        assert coded.picture.dtype == np.uint8
        assert coded.size <= 64
        assert int(coded.setting.split()[0]) >= coded.size
    assert codec.within(pixels, 24).size <= 25
    assert name in codec_names()


def test_they_have_no_efforts():
    with pytest.raises(ConfigError, match="no efforts"):
        open_codec(CodecSpec("thumbhash", 3))
