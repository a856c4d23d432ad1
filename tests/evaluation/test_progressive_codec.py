import shutil
import subprocess
import sys

import numpy as np
import pytest

import tfrnnc
from helpers.images import PHOTOS
from tfrnnc.errors import ConfigError
from tfrnnc.evaluation import CodecSpec, EvaluationProtocol, measure, open_codec
from tfrnnc.evaluation.progressive_codec import ProgressiveCodec
from tfrnnc.images import read_image
from tfrnnc.metrics import block_ssim, psnr
from tfrnnc.model_folder.presets import DEFAULT_PRESET


@pytest.fixture(scope="module")
def pixels():
    return read_image(PHOTOS / "chelsea.png")[100:164, 150:214]


@pytest.fixture(scope="module")
def thumbnail():
    return read_image(PHOTOS / "astronaut.png")[60:92, 200:232]


def test_sweep_is_every_iteration_of_one_stream(pixels):
    codec = tfrnnc.load()
    data = codec.encode(pixels)
    coded = open_codec(DEFAULT_PRESET).sweep(pixels)
    assert len(coded) == codec.max_iterations
    for iteration, each in enumerate(coded, start=1):
        # The bytes that the picture takes, and not one fewer.
        cut = data[: each.size]
        assert codec.read_planes(cut, allow_truncated=True).whole_iterations == iteration
        assert codec.read_planes(cut[:-1], allow_truncated=True).whole_iterations < iteration
        np.testing.assert_array_equal(each.picture, codec.decode(data, iterations=iteration))
        # A file of its own ends its code with a byte less at best.
        assert 0 <= each.size - len(codec.encode(pixels, iterations=iteration)) <= 1
    assert coded[-1].size == len(data)


def test_all_sizes_are_of_one_encoding(pixels, monkeypatch):
    iterations = []
    codec = open_codec(DEFAULT_PRESET)
    runtime = type(tfrnnc.load().runtime)
    encode_iteration = runtime.encode_iteration

    def counted(self, residual, states, iteration):
        iterations.append(iteration)
        return encode_iteration(self, residual, states, iteration)

    monkeypatch.setattr(runtime, "encode_iteration", counted)
    codec.sweep(pixels)
    assert iterations == list(range(tfrnnc.load().spec.iterations))
    iterations.clear()
    codec.at_sizes(pixels, (50, 200, 100))
    assert iterations
    assert iterations == list(range(len(iterations)))


def test_at_sizes_is_the_headerless_payload(thumbnail):
    codec = tfrnnc.load()
    targets = (16, 50, 128)
    for target, each in zip(
        targets, open_codec(DEFAULT_PRESET).at_sizes(thumbnail, targets), strict=True
    ):
        data, picture, *_ = codec.encode_with_picture(thumbnail, max_bytes=target, headerless=True)
        assert each.size == len(data) <= target
        np.testing.assert_array_equal(each.picture, picture)


def test_few_bytes_without_header_are_at_half_the_resolution(thumbnail):
    codec = tfrnnc.load()
    targets = (16, 25, 26, 64)
    coded = open_codec(CodecSpec(DEFAULT_PRESET, half=True)).at_sizes(thumbnail, targets)
    for target, downscale, each in zip(targets, (2, 2, 1, 1), coded, strict=True):
        _, picture, *_ = codec.encode_with_picture(
            thumbnail, max_bytes=target, headerless=True, downscale=downscale
        )
        np.testing.assert_array_equal(each.picture, picture)


def test_within_counts_the_header(thumbnail):
    coded = open_codec(DEFAULT_PRESET).within(thumbnail, 64)
    data, picture, *_ = tfrnnc.load().encode_with_picture(thumbnail, max_bytes=64)
    assert coded.size == len(data) <= 64
    np.testing.assert_array_equal(coded.picture, picture)


def test_low_rates_at_half_the_resolution(pixels):
    codec = tfrnnc.load()
    half = open_codec(CodecSpec(DEFAULT_PRESET, half=True))
    assert half.name == f"{DEFAULT_PRESET}@half"
    assert half.settings() != open_codec(DEFAULT_PRESET).settings()
    coded = half.sweep(pixels)
    assert [each.setting for each in coded[2:4]] == ["iteration 3 at half", "iteration 2"]
    reduced = list(codec.decode_progressive(codec.encode(pixels, downscale=2)))
    np.testing.assert_array_equal(coded[2].picture, reduced[2])
    whole = open_codec(DEFAULT_PRESET).sweep(pixels)
    for one, other in zip(coded[3:], whole[1:], strict=True):
        np.testing.assert_array_equal(one.picture, other.picture)
    sizes = [each.size for each in coded]
    assert sizes == sorted(sizes)
    _, picture, *_ = codec.encode_with_picture(pixels, max_bytes=200)
    np.testing.assert_array_equal(half.within(pixels, 200).picture, picture)


@pytest.mark.parametrize("name", ["jpeg", "thumbhash"])
def test_only_models_have_half_the_resolution(name):
    with pytest.raises(tfrnnc.ConfigError, match="only models"):
        open_codec(CodecSpec(name, half=True))


def test_arithmetic(pixels):
    codec = tfrnnc.load(arithmetic="int8")
    int8 = open_codec(CodecSpec(DEFAULT_PRESET, arithmetic="int8"))
    assert int8.name == f"{DEFAULT_PRESET}@int8"
    settings, others = int8.settings(), open_codec(DEFAULT_PRESET).settings()
    assert settings["arithmetic"] == "int8"
    assert "arithmetic" not in others  # Results of before stay those of float32.
    assert settings["files"] != others["files"]
    data, picture, *_ = codec.encode_with_picture(pixels, max_bytes=200, downscale=1)
    coded = int8.within(pixels, 200)
    assert coded.size == len(data)
    np.testing.assert_array_equal(coded.picture, picture)
    pictures = zip(int8.sweep(pixels), open_codec(DEFAULT_PRESET).sweep(pixels), strict=True)
    assert any((one.picture != other.picture).any() for one, other in pictures)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (CodecSpec("jpeg", arithmetic="int8"), "jpeg@int8: only models have an arithmetic"),
        (CodecSpec(DEFAULT_PRESET, 5, arithmetic="int8"), "@5@int8: this effort needs Keras"),
    ],
)
def test_where_there_is_no_arithmetic(spec, message):
    with pytest.raises(tfrnnc.ConfigError, match=message):
        open_codec(spec)


def test_too_few_bytes(pixels):
    with pytest.raises(tfrnnc.ConfigError, match="too few"):
        open_codec(DEFAULT_PRESET).at_sizes(pixels, [1])


def test_measures_are_of_the_pictures(pixels, thumbnail):
    codec = open_codec(DEFAULT_PRESET)
    result = measure(codec, pixels, EvaluationProtocol("modern", ("psnr", "ssim")))
    coded = codec.sweep(pixels)
    assert result["bytes"] == [each.size for each in coded]
    assert result["psnr"] == [psnr(pixels, each.picture) for each in coded]
    assert result["ssim"] == [block_ssim(pixels, each.picture) for each in coded]
    assert result["psnr"] == sorted(result["psnr"])
    paper = measure(codec, thumbnail, EvaluationProtocol("paper", ("ssim",), (32, 64)))
    assert paper["setting"] == ["32 bytes", "64 bytes"]
    assert paper["ssim"] == sorted(paper["ssim"])


def test_settings_tell_models_apart(tiny_model_folder, tmp_path):
    first = ProgressiveCodec(str(tiny_model_folder)).settings()
    assert first["library"].startswith("keras ")
    shutil.copytree(tiny_model_folder, tmp_path / "other")
    assert ProgressiveCodec(str(tmp_path / "other")).settings() == first
    config = tmp_path / "other" / "config.json"
    config.write_text(config.read_text() + "\n")
    assert ProgressiveCodec(str(tmp_path / "other")).settings() != first
    assert ProgressiveCodec(str(tmp_path / "other")).name == "other"


WITHOUT_KERAS = """
import sys
for name in ("keras", "tensorflow", "jax", "torch", "matplotlib", "scipy", "imagecodecs"):
    sys.modules[name] = None
import numpy as np
import tfrnnc.cli.evaluate
from tfrnnc.evaluation import CodecSpec, EvaluationProtocol, measure, open_codec
image = np.arange(32 * 32 * 3).reshape(32, 32, 3).astype(np.uint8)
for name in ("conv_lstm_thumbnails", "jpeg", "jpeg2000", "webp"):
    assert measure(open_codec(name), image, EvaluationProtocol("paper", ("psnr",), (64,)))["bytes"]
"""


def test_needs_neither_keras_nor_tensorflow():
    subprocess.run([sys.executable, "-c", WITHOUT_KERAS], check=True)


def test_a_search_for_ssim(thumbnail):
    """It finds more of it than one for the squared error, and less of PSNR."""
    found = {tune: open_codec(CodecSpec(DEFAULT_PRESET, 4, tune=tune)) for tune in ("psnr", "ssim")}
    assert found["ssim"].name == f"{DEFAULT_PRESET}@4@ssim"
    assert found["ssim"].settings() == found["psnr"].settings() | {"tune": "ssim"}
    (for_ssim,), (for_psnr,) = (found[tune].at_sizes(thumbnail, [64]) for tune in ("ssim", "psnr"))
    assert block_ssim(thumbnail, for_ssim.picture) > block_ssim(thumbnail, for_psnr.picture)
    assert psnr(thumbnail, for_ssim.picture) < psnr(thumbnail, for_psnr.picture)
    with pytest.raises(ConfigError, match="give an effort of at least 1"):
        open_codec(CodecSpec(DEFAULT_PRESET, tune="ssim"))
    with pytest.raises(ConfigError, match="jpeg@ssim: only models look for SSIM"):
        open_codec(CodecSpec("jpeg", tune="ssim"))


def test_effort(thumbnail):
    """Its own name and settings, and a picture nearer to the image at the same bytes.

    By .6 dB here. The bits of the plain encoder differ between processors, and so does its SSIM,
    which the search weighs little.
    """
    preset = "conv_lstm_thumbnails"
    plain, searched = (open_codec(CodecSpec(preset, effort)) for effort in (None, 2))
    assert searched.name == f"{preset}@2"
    assert searched.settings() == plain.settings() | {"effort": 2}
    before, after = plain.within(thumbnail, 64), searched.within(thumbnail, 64)
    assert psnr(thumbnail, after.picture) > psnr(thumbnail, before.picture)
    _, expected, *_ = tfrnnc.load(preset).encode_with_picture(thumbnail, max_bytes=64, effort=2)
    np.testing.assert_array_equal(searched.within(thumbnail, 64).picture, expected)
