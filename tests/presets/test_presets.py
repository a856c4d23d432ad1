from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from PIL import Image

import tfrnnc
from tfrnnc.images import read_image
from tfrnnc.metrics import psnr
from tfrnnc.presets import DEFAULT_PRESET, model_folder, preset_of


@pytest.fixture(scope="module", params=tfrnnc.list_presets())
def name(request):
    return request.param


def test_the_default_preset_is_there():
    assert DEFAULT_PRESET in tfrnnc.list_presets()


def test_it_has_its_card_and_log(name):
    folder = model_folder(name)
    config = json.loads((folder / "config.json").read_text())
    card = (folder / "MODEL_CARD.md").read_text()
    assert config["model_id"] in card
    assert "tfrnnc-train" in card
    with (folder / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert min(float(row["val_loss"]) for row in rows) < 0.1
    # One column of the card's table for each step, in the order of the paper's figure.
    ssim = [
        float(line.split("|")[5]) for line in card.splitlines() if line[:3].strip("| ").isdigit()
    ]
    assert len(ssim) == config["steps"]


def test_it_is_found_by_its_identity(name):
    assert preset_of(tfrnnc.load(name).runtime.model_id) == name
    assert preset_of(b"\0\0\0\0") is None


def test_every_step_improves_a_real_photo(name, photo):
    codec = tfrnnc.load(name)
    qualities = [psnr(photo, picture) for picture in codec.decode_progressive(codec.encode(photo))]
    assert qualities == sorted(qualities)
    assert qualities[-1] > 28


@pytest.fixture
def photo(request):
    with Image.open(request.config.rootpath / "examples" / "photos" / "coffee.png") as image:
        return np.asarray(image.convert("RGB"))[100:196, 200:328]


def test_golden_stream_decodes_as_ever(name, request):
    golden = request.config.rootpath / "tests" / "golden"
    stream = (golden / f"{name}.rnnc").read_bytes()
    picture = tfrnnc.load(name).decode(stream)
    expected = read_image(golden / f"{name}.png")
    # Other processors may round a value at the edge between two levels the other way.
    assert np.abs(picture.astype(int) - expected).max() <= 1
