"""Training of previews: tables, what the network is trained on, and a file that the codec takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from tfrnnc.cli.train import main
from tfrnnc.errors import DataError
from tfrnnc.preview.decoder import PreviewDecoder
from tfrnnc.preview.encoder import PreviewEncoder
from tfrnnc.preview.fitting import fit_tables
from tfrnnc.preview.layout import DECODER_FILE
from tfrnnc.preview.recipe import PreviewRecipe
from tfrnnc.preview.training import decode_at_sizes, make_network, read_crops
from tfrnnc.preview.weights import read_decoder


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    generator = np.random.default_rng(0)
    for number in range(6):
        small = generator.integers(0, 256, (6, 6, 3)).astype(np.uint8)
        Image.fromarray(small).resize((64, 48), Image.Resampling.BICUBIC).save(
            folder / f"{number}.png"
        )
    return folder


@pytest.fixture(scope="module")
def trained(images, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "whole"
    words = ["preview", "--data", images, "--validation", images, "--output", folder]
    words += ["--epochs", 2, "--steps-per-epoch", 2, "--batch-size", 4]
    words += ["--pictures", 40, "--quiet"]
    result = CliRunner().invoke(main, list(map(str, words)))
    assert result.exit_code == 0, result.output
    return folder


def test_the_codec_takes_what_was_trained(trained, images):
    decoder = PreviewDecoder(read_decoder((trained / DECODER_FILE).read_bytes()))
    pixels = read_crops([images], PreviewRecipe(pictures=1))[0]
    errors = []
    for size in (3, 12, 64):
        preview = PreviewEncoder(decoder).encode(pixels, 32, 32, size)
        assert preview.size == size
        errors.append(np.mean((decoder.decode(preview) - pixels.astype(float)) ** 2))
    assert errors == sorted(errors, reverse=True)
    assert len((trained / "log.csv").read_text().splitlines()) == 3


def test_crops_are_the_same_for_the_same_seed(images):
    first, again, other = (
        read_crops([images, images], PreviewRecipe(pictures=20, seed=seed)) for seed in (1, 1, 2)
    )
    assert first.shape == (20, 32, 32, 3)
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_what_is_decoded_is_nearer_with_more_bytes(images):
    pixels = read_crops([images], PreviewRecipe(pictures=60))
    data = decode_at_sizes(pixels, fit_tables(pixels), (8, 16, 64), 1)
    errors = ((data.decoded - pixels.astype(np.float32)) ** 2).mean((1, 2, 3, 4))
    assert errors[0] > errors[1] > errors[2]
    assert (data.hints[:, :, 1] == [[-192], [-128], [256]]).all()


def test_before_training_little_is_changed():
    network = make_network(PreviewRecipe(epochs=1, steps_per_epoch=1))
    decoded = np.full((2, 32, 32, 3), 100, np.uint8)
    shown = np.asarray(network({"decoded": decoded, "hints": np.zeros((2, 2), np.int16)}))
    assert np.abs(shown - 100).mean() < 10


def test_images_that_are_too_small(tmp_path):
    Image.new("RGB", (40, 20)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match="40x20"):
        read_crops([tmp_path], PreviewRecipe())
    with pytest.raises(DataError, match="no images"):
        read_crops([tmp_path / "missing"], PreviewRecipe())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Missing option"),
        (["--data", "{run}", "--validation", "{run}", "--output", "{run}"], "holds a run already"),
    ],
)
def test_usage(trained, words, message):
    words = [word.format(run=trained) for word in words]
    result = CliRunner().invoke(main, ["preview", *words])
    assert result.exit_code == 2, result.output
    assert message in " ".join(result.stderr.split())
