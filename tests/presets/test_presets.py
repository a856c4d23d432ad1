from __future__ import annotations

import re

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import tfrnnc
from tfrnnc.bitstream import StreamWriter, read_header
from tfrnnc.cli.info import main as info
from tfrnnc.codec.select import CodecSelector
from tfrnnc.images import read_image
from tfrnnc.metrics import psnr
from tfrnnc.model_folder import presets
from tfrnnc.model_folder.presets import DEFAULT_PRESET, find_model, identify, preset_of


def ssim_of(name) -> list[float]:
    """The SSIM after each iteration that a preset's card tells."""
    card = find_model(name).read_model_card()
    quality = card.split("## Quality")[1].split("## ")[0]
    return [float(row.split("|")[5]) for row in re.findall(r"^\| \d.*", quality, re.M)]


@pytest.fixture(scope="module", params=tfrnnc.list_presets())
def name(request):
    return request.param


def test_the_default_preset_is_there():
    assert DEFAULT_PRESET in tfrnnc.list_presets()


def test_it_has_its_card_and_log(name):
    folder = find_model(name)
    card = folder.read_model_card()
    assert f"identity `{folder.read_identity().ids}`" in card
    assert "tfrnnc-train" in card
    assert min(float(row["val_loss"]) for row in folder.read_log()) < 0.15
    assert len(ssim_of(name)) == folder.read_config().settings["iterations"]


def test_it_is_found_by_its_identity(name):
    codec = tfrnnc.load(name)
    assert preset_of(codec.runtime.model_id) == name
    assert codec.identity == find_model(name).read_identity()
    assert identify(codec.runtime.model_id, entropy_coded=False) == codec.identity
    assert preset_of(b"\0\0\0\0") is None


def test_every_iteration_improves_a_real_photo(name, photo):
    codec = tfrnnc.load(name)
    qualities = [psnr(photo, picture) for picture in codec.decode_progressive(codec.encode(photo))]
    # Without memory and with the same weights at each iteration there is little to gain after the
    # first.
    least = -0.1 if name.endswith("_shared") else 0
    assert np.diff(qualities).min() > least
    assert qualities[-1] > (28 if name == DEFAULT_PRESET else 20)


@pytest.fixture
def photo(request):
    with Image.open(request.config.rootpath / "examples" / "photos" / "coffee.png") as image:
        return np.asarray(image.convert("RGB"))[100:196, 200:328]


def test_what_is_missing_is_named(without_further_presets):
    assert tfrnnc.list_presets() == [DEFAULT_PRESET]
    assert tfrnnc.load().encode(np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(tfrnnc.InstallationError, match="^fc_small: a preset of the package tfrnnc"):
        find_model("fc_small")
    with pytest.raises(tfrnnc.InstallationError, match="the weights that Keras loads are in"):
        tfrnnc.load(runtime="keras")


def test_weights_that_no_package_has():
    """It is not for want of a package that a preset for comparison cannot be trained further."""
    with pytest.raises(tfrnnc.ModelError, match="the model is here as TFLite files only"):
        tfrnnc.load("fc_small", runtime="keras")


def test_the_further_presets_are_known_by_name_and_identity():
    assert sorted({*presets.FURTHER_PRESETS, DEFAULT_PRESET}) == tfrnnc.list_presets()
    for name, ids in presets.FURTHER_PRESETS.items():
        identity = find_model(name).read_identity()
        carried = [each for each in (identity.model_id, identity.entropy_coded_id) if each]
        assert [each.hex() for each in carried] == list(ids)


@pytest.fixture
def without_further_presets(monkeypatch):
    """As where the package tfrnnc-presets is not installed."""
    monkeypatch.setattr(presets, "_further_folder", lambda: None)
    presets._identities.cache_clear()
    yield
    presets._identities.cache_clear()


def test_streams_of_presets_that_are_not_installed_name_them(without_further_presets, request):
    path = request.config.rootpath / "tests" / "golden" / "conv_lstm_thumbnails_v2.rnnc"
    message = "^conv_lstm_thumbnails: a preset of the package tfrnnc-presets, which is not inst"
    with pytest.raises(tfrnnc.InstallationError, match=message):
        CodecSelector()(path.read_bytes())
    result = CliRunner().invoke(info, [str(path)])
    assert result.exit_code == 0
    assert ", conv_lstm_thumbnails a0f2bb18 (entropy-coded 47e8baf9), " in result.stdout
    assert "not looked into, as the package tfrnnc-presets, which has the model," in result.stdout


def test_golden_stream_decodes_as_ever(name, request):
    golden = request.config.rootpath / "tests" / "golden"
    stream = (golden / f"{name}_v2.rnnc").read_bytes()
    header, _ = read_header(stream)
    codec = tfrnnc.load(name)
    assert header.entropy_coded == (codec.entropy_model is not None)
    picture = codec.decode(stream)
    expected = read_image(golden / f"{name}.png")
    # Other processors may round a value at the edge between two levels the other way.
    assert np.abs(picture.astype(int) - expected).max() <= 1


def test_a_golden_adaptive_stream(request):
    """Of a model whose locations depend on each other, made with `--psnr 28 --adaptive`."""
    golden = request.config.rootpath / "tests" / "golden"
    stream = (golden / f"{DEFAULT_PRESET}_adaptive.rnnc").read_bytes()
    codec = tfrnnc.load(DEFAULT_PRESET)
    assert read_header(stream)[0].adaptive
    iterations = codec.read_planes(stream).iterations_taken
    assert iterations.min() < iterations.max()
    expected = read_image(golden / f"{DEFAULT_PRESET}_adaptive.png")
    assert np.abs(codec.decode(stream).astype(int) - expected).max() <= 1
    assert psnr(read_image(golden / "photo.png"), expected) == pytest.approx(28, abs=0.05)


def test_a_golden_stream_is_written_as_ever(name, request):
    """From its planes: the very bytes."""
    stream = (request.config.rootpath / "tests" / "golden" / f"{name}_v2.rnnc").read_bytes()
    codec = tfrnnc.load(name)
    found = codec.read_planes(stream)
    writer = StreamWriter(found.header, codec.spec)
    for plane in found.planes:
        writer.add(plane)
    assert writer.stream() == stream
    assert writer.ends() == found.ends


def test_the_default_has_an_entropy_model():
    """It is of this model's bits, and streams name it."""
    codec = tfrnnc.load()
    assert codec.entropy_model.model_id == codec.runtime.model_id
    assert preset_of(codec.entropy_model.entropy_coded_id) == DEFAULT_PRESET
    folder = find_model(DEFAULT_PRESET)
    assert codec.entropy_model.entropy_coded_id.hex() in folder.read_model_card()


def test_entropy_coding_pays(photo):
    codec = tfrnnc.load()
    coded, plain = (codec.encode(photo, entropy_coding=flag) for flag in (True, False))
    np.testing.assert_array_equal(codec.decode(coded), codec.decode(plain))
    assert len(coded) < 0.95 * len(plain)


def test_the_order_of_the_architectures_is_the_papers():
    """Memory pays, and so do weights of each iteration's own; of the cards' SSIM at 64 bytes."""
    at_64 = {name: ssim_of(name)[3] for name in tfrnnc.list_presets()}
    assert at_64["conv_lstm_small_20min"] > at_64["fc_lstm_small"]
    for kind in ("conv", "fc"):
        assert at_64["fc_lstm_small"] > at_64[f"{kind}_small"] > at_64[f"{kind}_small_shared"]


def test_its_entropy_model_can_be_trained_further():
    """The network beside the weights, in float16, is the one that the entropy model was made of."""
    from tfrnnc.bitstream.constants import CERTAIN
    from tfrnnc.model_folder.keras_model import load_weights
    from tfrnnc.models.entropy_network import EntropyNetwork

    folder = find_model(DEFAULT_PRESET)
    shipped = folder.read_entropy_model()
    network = EntropyNetwork(len(shipped.iterations), shipped.bits, shipped.groups)
    load_weights(network, folder.entropy_weights_path)
    again = network.to_entropy_model(shipped.model_id)
    random = np.random.default_rng(0)
    first, second = random.choice(np.array([-1, 1], np.int8), (2, 4, 4, shipped.bits))
    expected, probabilities = (
        model.probabilities([first], second).astype(np.int32) for model in (shipped, again)
    )
    np.testing.assert_allclose(probabilities, expected, atol=0.02 * CERTAIN)
    assert np.ptp(expected) > 0.5 * CERTAIN
