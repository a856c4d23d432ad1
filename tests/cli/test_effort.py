"""Levels of effort on the command line."""

from __future__ import annotations

import numpy as np
from click.testing import CliRunner
from PIL import Image

import tfrnnc
from helpers.images import PHOTOS
from tfrnnc.cli.encode import main
from tfrnnc.evaluation.progressive_codec import ProgressiveCodec
from tfrnnc.images import read_image


def test_a_search_by_gradient_runs_in_keras(tiny_folder, tmp_path):
    """Though the folder has TFLite files, which decode what it writes."""
    output = tmp_path / "a.rnnc"
    piece = tmp_path / "piece.png"
    with Image.open(PHOTOS / "astronaut.png") as photo:
        photo.crop((100, 100, 124, 116)).save(piece)
    result = CliRunner().invoke(
        main, [str(piece), str(output), "--model", str(tiny_folder), "--effort", "5", "--quiet"]
    )
    assert result.exit_code == 0, result.output
    expected = tfrnnc.load(tiny_folder, runtime="keras").encode(read_image(piece), effort=5)
    assert output.read_bytes() == expected
    assert tfrnnc.load(tiny_folder).decode(expected).shape == (16, 24, 3)


def test_it_cannot_run_in_litert(tmp_path):
    result = CliRunner().invoke(main, ["a.png", "a.rnnc", "--effort", "6", "--runtime", "litert"])
    assert result.exit_code == 2
    assert "--effort 6 follows gradients, which takes --runtime keras" in result.output


def test_what_it_looks_for(tmp_path):
    photo, output = str(PHOTOS / "chelsea.png"), tmp_path / "a.rnnc"
    options = ["--max-bytes", "1500", "--downscale", "1", "--effort", "1", "--quiet"]
    result = CliRunner().invoke(main, [photo, str(output), *options, "--tune", "ssim"])
    assert result.exit_code == 0, result.output
    expected = tfrnnc.load().encode(
        read_image(photo), max_bytes=1500, downscale=1, effort=1, tune="ssim"
    )
    assert output.read_bytes() == expected


def test_without_an_effort_it_looks_for_nothing():
    result = CliRunner().invoke(main, ["a.png", "a.rnnc", "--tune", "ssim"])
    assert result.exit_code == 2
    assert "give --effort 1 or more" in result.output


def test_evaluations_search_too(tiny_folder, noise):
    image = noise(16, 24)
    codec = ProgressiveCodec(str(tiny_folder), effort=5)
    assert codec.name.endswith("@5")
    searched = codec.at_sizes(image, [60])[0].picture
    plain = ProgressiveCodec(str(tiny_folder)).at_sizes(image, [60])[0].picture
    assert (np.asarray(searched) != plain).any()
