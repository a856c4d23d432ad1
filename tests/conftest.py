"""What the tests share: tiny models and images, made here."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from PIL import Image

from helpers.images import PHOTOS
from helpers.models import TINY_LAYOUTS, tiny_config, write_tiny_model
from tfrnnc.backend import prepare_environment

prepare_environment()

# Programs that the tests start buffer their output as they do for users.
os.environ.pop("PYTHONUNBUFFERED", None)

# How long an example takes says nothing of whether it is right.
hypothesis.settings.register_profile("tfrnnc", deadline=None, derandomize=True)
hypothesis.settings.load_profile("tfrnnc")


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """What a shell or nohup runs in the background ignores signals, and so would what tests start.

    Of the commands they wait for, some would not end.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in ("SIGHUP", "SIGQUIT"):
        if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) is signal.SIG_IGN:
            signal.signal(getattr(signal, name), signal.SIG_DFL)


@pytest.fixture(scope="session", params=list(TINY_LAYOUTS))
def tiny_folder(request, tmp_path_factory) -> Path:
    """A folder with a model of each architecture, its TFLite files and its entropy model."""
    return write_tiny_model(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="session", params=["fc", "fc_lstm"])
def independent_folder(request, tmp_path_factory) -> Path:
    """As `tiny_folder`, a model whose locations are independent.

    Its iterations change so little that each makes some locations better and others worse.
    """
    return write_tiny_model(request.param, tmp_path_factory.mktemp(request.param), damping=0.1)


@pytest.fixture(scope="session", params=["litert", "keras"])
def tiny_codec(request, tiny_folder):
    """A codec of each architecture on each runtime."""
    import tfrnnc

    return tfrnnc.load(tiny_folder, runtime=request.param)


@pytest.fixture(scope="session")
def tiny_model_folder(tmp_path_factory) -> Path:
    """A folder with a conv_lstm model of random weights."""
    import keras

    from tfrnnc.model_folder.keras_model import model_from_config, save_model

    keras.utils.set_random_seed(3)
    folder = tmp_path_factory.mktemp("model")
    save_model(model_from_config(tiny_config("conv_lstm")), folder)
    return folder


@pytest.fixture(scope="session")
def image_folder(tmp_path_factory) -> Path:
    """Twelve small images cut from the example photos."""
    folder = tmp_path_factory.mktemp("images")
    for photo in sorted(PHOTOS.glob("*.png")):
        with Image.open(photo) as image:
            pixels = np.asarray(image.convert("RGB"))
        for index in range(4):
            piece = pixels[60 * index : 60 * index + 40, 50 * index : 50 * index + 48]
            Image.fromarray(piece).save(folder / f"{photo.stem}-{index}.png")
    return folder


@pytest.fixture
def noise():
    """Makes an image of random pixels, uint8 (height, width, 3)."""

    def make(height: int, width: int, seed: int = 0) -> np.ndarray:
        return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)

    return make
