from __future__ import annotations

import csv
import re
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

import make_preset as make_preset_module
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
        "resuming_commands": ["tfrnnc-train --resume run --epochs 9"],
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
    assert (
        "tfrnnc-train --data thumbnails --output before\n"
        "tfrnnc-train --data photos --output run\n"
        "tfrnnc-train --resume run --epochs 9\n"
    ) in card
    assert "Seed 42" in card
    assert "after 20 steps\n(about 160 patches)" in card
    assert "- `photos`: 8 patches of 32x32, 100 % of the batches" in card
    assert "(0.25000)" in card

    images = [read_image(path) for path in find_images(image_folder)]
    last = [codec.decode(codec.encode(image)) for image in images]
    quality = sum(map(psnr, images, last)) / len(images)
    similarity = sum(map(block_ssim, images, last)) / len(images)
    row = re.search(r"^\| 3 \|.*$", card, re.M).group()
    # 40x48 pixels: 5x6 locations of 8 bits
    assert row == f"| 3 | 90 | 0.375 | {quality:.2f} | {similarity:.3f} |"


def test_it_can_do_without_keras_weights(run_folder, image_folder, tmp_path):
    words = [run_folder, "mine", "--images", image_folder, "--presets", tmp_path]
    result = make_preset(*words, "--weights", "none", "--notes", "Of no use.")
    assert result.returncode == 0, result.stderr
    folder = tmp_path / "mine"
    assert "Of no use.\n\nThe model encodes and decodes." in (folder / "MODEL_CARD.md").read_text()
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


JOINT = (
    "tfrnnc-train --data '/mnt/me/native/train?patch_size=64&batch_size=16&share=3' "
    "--data '/mnt/me/thumbnails/train?batch_size=64' --output /mnt/me/run"
)


def test_a_joint_run(run_folder, image_folder, tmp_path):
    """One that trains the entropy model too, on sets with patches of their own."""
    import keras

    from tfrnnc.model_folder.keras_model import load_model, load_weights, model_id
    from tfrnnc.model_folder.model_folder import ModelFolder
    from tfrnnc.models.entropy_network import EntropyNetwork

    model = load_model(run_folder)
    keras.utils.set_random_seed(1)
    network = EntropyNetwork(model.iterations, model.bits, groups=4, hidden=8, width=4)
    content = network.to_entropy_model(model_id(model)).to_bytes()
    folder = ModelFolder(run_folder)
    folder.entropy_model_path.write_bytes(content)
    network.save_weights(folder.entropy_weights_path)
    settings = {**folder.read_settings(), "command": JOINT, "earlier_commands": []}
    settings["data"]["data"] = [
        "/mnt/me/native/train?patch_size=64&batch_size=16&share=3",
        "/mnt/me/thumbnails/train?batch_size=64&min_downscale=2&max_downscale=2",
    ]
    settings["recipe"]["loss"] = "rate-distortion"
    write_settings(run_folder, settings)

    words = [run_folder, "mine", "--images", image_folder, "--presets", tmp_path / "presets"]
    result = make_preset(*words)
    assert result.returncode == 0, result.stderr
    card = (tmp_path / "presets" / "mine" / "MODEL_CARD.md").read_text()
    assert "/mnt" not in card
    assert "--data native/train?patch_size=64" in card.replace("'", "")
    assert (
        "- `native/train` (2,556 crops of 256x256 pixels of photos at their own resolution)" in card
    )
    assert "resolution), reduced by 1 to 8: 16 patches of 64x64, 75 % of the batches" in card
    thumbnails = "- `thumbnails/train` (8,000 images of 64x64 pixels), reduced by 2: "
    assert f"{thumbnails}64 patches of 32x32, 25 %" in card
    # 28 patches in a batch on average, at a median of 2 batches per second
    assert "56 patches per second" in card
    assert "after 20 steps\n(about 560 patches)" in card
    assert "Training took 0.2 minutes" in card
    assert "It was trained together with the codec by the same command" in card
    assert len(re.findall(r"^\| 3 \|", card, re.M)) == 2

    # Half the bytes that Keras writes, and what the card and the TFLite files are of.
    preset = ModelFolder(tmp_path / "presets" / "mine")
    assert preset.weights_path.stat().st_size < folder.weights_path.stat().st_size * 0.8
    assert f"`{model_id(load_model(preset)).hex()}" in card
    trained_on = EntropyNetwork(model.iterations, model.bits, groups=4, hidden=8, width=4)
    load_weights(trained_on, preset.entropy_weights_path)
    for weight, before in zip(trained_on.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, before.astype(np.float16))

    settings["recipe"]["freeze_entropy_model"] = True
    write_settings(run_folder, settings)
    assert "which left it unchanged" in make_preset_module._entropy_training(folder)
