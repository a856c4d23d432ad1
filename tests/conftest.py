"""What the tests share: tiny models and images, made here."""

from __future__ import annotations

from pathlib import Path

import hypothesis
import numpy as np
import pytest
from PIL import Image

from tfrnnc.backend import prepare_environment

prepare_environment()

# How long an example takes says nothing of whether it is right.
hypothesis.settings.register_profile("tfrnnc", deadline=None, derandomize=True)
hypothesis.settings.load_profile("tfrnnc")

PHOTOS = Path(__file__).parents[1] / "examples" / "photos"

TINY_LAYOUTS = {
    "fc": {
        "encoder": ["space_to_depth 8", "dense 16"],
        "bits": 4,
        "decoder": ["dense 16", "dense 192", "depth_to_space 8"],
    },
    "fc_lstm": {
        "encoder": ["space_to_depth 8", "lstm 16"],
        "bits": 4,
        "decoder": ["lstm 16", "dense 192", "depth_to_space 8"],
    },
    "conv": {
        "encoder": ["conv 3x3/8 s2", "conv 3x3/8 s2"],
        "bits": 2,
        "decoder": ["deconv 2x2/8 s2", "deconv 2x2/8 s2", "conv 1x1/3"],
    },
    "conv_lstm": {
        "encoder": ["conv 3x3/4 s2", "conv_lstm 3x3/6 s2", "conv_lstm 3x3/8 s2"],
        "bits": 8,
        "decoder": [
            "conv_lstm 3x3/8",
            "depth_to_space 2",
            "conv 3x3/48 linear",
            "depth_to_space 4",
        ],
    },
}


def tiny_config(arch: str, **settings) -> dict:
    """The configuration of a model small enough to run in milliseconds."""
    return {"arch": arch, **TINY_LAYOUTS[arch], "iterations": 3, **settings}


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


def write_tiny_model(arch: str, folder: Path, damping: float = 1) -> Path:
    """Writes a model, its TFLite files and its entropy model, all of random weights.

    The weights of the decoder's last layer are multiplied by `damping`.
    """
    import keras

    from tfrnnc.export.tflite import export_tflite
    from tfrnnc.model_folder.file_names import ENTROPY_MODEL_FILE
    from tfrnnc.model_folder.keras_model import model_from_config, model_id, save_model
    from tfrnnc.models.entropy_network import EntropyNetwork

    keras.utils.set_random_seed(7)
    model = model_from_config(tiny_config(arch))
    for stage in model.decoders:
        for weight in stage.trainable_variables[-2:]:
            weight.assign(weight * damping)
    save_model(model, folder)
    export_tflite(model, folder)
    network = EntropyNetwork(
        model.iterations, model.bits, groups=min(3, model.bits), hidden=8, width=4
    )
    content = network.to_entropy_model(model_id(model)).to_bytes()
    (folder / ENTROPY_MODEL_FILE).write_bytes(content)
    return folder


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
