from __future__ import annotations

import csv
import re
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

import tfrnnc
from tfrnnc.images import find_images, read_image
from tfrnnc.metrics import block_ssim, psnr
from tfrnnc.training.recipe import Recipe
from tfrnnc.training.settings import write_settings

TOOL = Path(__file__).parents[2] / "tools" / "make_preset.py"


def make_preset(*words) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, TOOL, *map(str, words)], capture_output=True, text=True)


@pytest.fixture
def run_folder(tiny_model_folder, tmp_path):
    """What a finished training leaves."""
    folder = tmp_path / "run"
    shutil.copytree(tiny_model_folder, folder)
    settings = {
        "command": "tfrnnc-train --data photos --output run",
        "earlier_commands": ["tfrnnc-train --data thumbnails --output before"],
        "versions": {"tfrnnc": "0"},
        "model": {},
        "initial_model": None,
        "data": {
            "data": ["photos"],
            "validation": [],
            "tfds_dir": None,
            "tfds_split": "train",
        },
        "recipe": asdict(Recipe(seed=42, batch_size=8)),
    }
    write_settings(folder, settings)
    with (folder / "log.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["step", "steps_per_second", "val_loss"])
        writer.writerows([[10, 2.0, 0.5], [20, 3.0, 0.25], [30, 2.0, 0.75]])
    return folder


def test_the_card_is_what_was_measured(run_folder, image_folder, tmp_path):
    words = [run_folder, "mine", "--images", image_folder, "--presets", tmp_path / "presets"]
    result = make_preset(*words)
    assert result.returncode == 0, result.stderr
    card = (tmp_path / "presets" / "mine" / "MODEL_CARD.md").read_text()

    codec = tfrnnc.load(tmp_path / "presets" / "mine")
    assert codec.runtime.model_id.hex() in card
    assert "tfrnnc-train --data photos --output run" in card
    assert "tfrnnc-train --data thumbnails --output before" in card
    assert "Seed 42" in card
    assert "after 20 steps of 8 patches\n(160 patches)" in card
    assert "(0.25000)" in card

    images = [read_image(path) for path in find_images(image_folder)]
    last = [codec.decode(codec.encode(image)) for image in images]
    quality = sum(map(psnr, images, last)) / len(images)
    similarity = sum(map(block_ssim, images, last)) / len(images)
    row = re.search(r"^\| 3 \|.*$", card, re.M).group()
    # 40x48 pixels: 5x6 locations of 8 bits
    assert row == f"| 3 | 90 | 0.375 | {quality:.2f} | {similarity:.3f} |"


def test_it_can_do_without_keras_weights(run_folder, image_folder, tmp_path):
    words = [run_folder, "mine", "--images", image_folder, "--presets", tmp_path, "--no-weights"]
    result = make_preset(*words, "--notes", "Of no use.")
    assert result.returncode == 0, result.stderr
    folder = tmp_path / "mine"
    assert "Of no use.\n\nIt encodes and decodes." in (folder / "MODEL_CARD.md").read_text()
    codec = tfrnnc.load(folder)
    image = read_image(find_images(image_folder)[0])
    assert codec.decode(codec.encode(image)).shape == image.shape
    with pytest.raises(tfrnnc.ModelError, match="no such file; the model is here as TFLite files"):
        tfrnnc.load(folder, runtime="keras")


def test_a_bad_name_is_refused(run_folder, image_folder, tmp_path):
    words = [run_folder, "../x", "--images", image_folder, "--presets", tmp_path]
    result = make_preset(*words)
    assert result.returncode == 1
    assert "'../x' is not usable" in result.stderr
