"""Whatever file a command cannot use, its message names that file."""

from __future__ import annotations

import json
import shutil

import pytest
from click.testing import CliRunner

from helpers.models import tiny_config
from tfrnnc.cli.decode import main as decode
from tfrnnc.cli.encode import main as encode
from tfrnnc.cli.evaluate import main as evaluate
from tfrnnc.cli.export import main as export
from tfrnnc.cli.info import main as info
from tfrnnc.cli.train import main as train
from tfrnnc.evaluation.codecs import open_codec

CONTENTS = [
    b"",
    b"\0\xff\n" * 50,
    b"[]",
    b'{"arch": "fc", "bits": 0, "iterations": 2}',
]
TRAIN = ["--data", "images", "--quiet", "--patch-size", "16", "--batch-size", "2", "--epochs"]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory, image_folder):
    """A folder with one of every file that the commands read, all of them right."""
    folder = tmp_path_factory.mktemp("workplace")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        shutil.copytree(image_folder, "images")
        shutil.copy(min((folder / "images").iterdir()), "photo.png")
        (folder / "settings.json").write_text(json.dumps(tiny_config("conv_lstm")))
        words = ["--config", "settings.json", "--output", "run", "--steps-per-epoch", "1"]
        for command, arguments in (
            (train, [*words, *TRAIN, "1", "--loss", "rate-distortion"]),
            (export, ["run", "model", "--quiet"]),
            (encode, ["photo.png", "stream.rnnc", "--model", "model", "--quiet"]),
        ):
            result = CliRunner().invoke(command, arguments)
            assert result.exit_code == 0, result.output
    return folder


@pytest.mark.parametrize(
    ("command", "words", "files"),
    [
        (train, [*TRAIN, "1", "--output", "new", "--config", "settings.json"], ["settings.json"]),
        (
            train,
            [*TRAIN, "1", "--output", "new", "--initial-model", "run"],
            ["run/config.json", "run/model.weights.h5"],
        ),
        (
            train,
            ["--resume", "run", "--epochs", "2", "--quiet"],
            ["run/training.json", "run/log.csv", "run/checkpoint.weights.h5"],
        ),
        (
            train,
            ["entropy-model", "run", *TRAIN, "1", "--output", "new"],
            ["run/config.json", "run/model.weights.h5"],
        ),
        (export, ["run", "new"], ["run/config.json", "run/model.weights.h5"]),
        (
            encode,
            ["photo.png", "new.rnnc", "--model", "model"],
            ["photo.png", "model/manifest.json", "model/encoder_1.tflite"],
        ),
        (encode, ["photo.png", "new.rnnc", "--model", "model"], ["model/entropy_model.bin"]),
        (
            decode,
            ["stream.rnnc", "new.png", "--model", "model"],
            ["stream.rnnc", "model/manifest.json", "model/decoder_1.tflite"],
        ),
        (info, ["stream.rnnc", "--model", "model"], ["stream.rnnc", "model/manifest.json"]),
        (
            evaluate,
            ["--data", "images", "--codec", "model", "--metric", "psnr", "--jobs", "1"],
            ["images/astronaut-0.png", "model/manifest.json"],
        ),
    ],
)
def test_the_file_is_named(workplace, tmp_path, monkeypatch, command, words, files):
    for file in files:
        for content in CONTENTS:
            folder = tmp_path / "copy"
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(workplace, folder)
            monkeypatch.chdir(folder)
            assert (folder / file).is_file()
            (folder / file).write_bytes(content)
            open_codec.cache_clear()
            result = CliRunner().invoke(command, words)
            assert isinstance(result.exception, SystemExit), (file, content, result.exception)
            assert result.exit_code in (1, 2), (file, content, result.output)
            assert file in result.stderr, (content, result.stderr)
            assert "Traceback" not in result.stderr
            assert not list(folder.glob("new*"))
