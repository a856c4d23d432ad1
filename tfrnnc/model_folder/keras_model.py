"""Models on disk: a folder with `config.json` and `model.weights.h5`."""

from __future__ import annotations

import hashlib
import io
import json
import os
from pathlib import Path
from typing import Any

import h5py
import keras
from keras import ops

from tfrnnc.backend import undistributed
from tfrnnc.bitstream.constants import ID_BYTES
from tfrnnc.errors import ConfigError, ModelError
from tfrnnc.files import replacing
from tfrnnc.model_folder.file_names import CONFIG_FILE, WEIGHTS_FILE
from tfrnnc.model_folder.identity import ModelIdentity
from tfrnnc.model_folder.model_folder import ModelFolder
from tfrnnc.models import ARCHITECTURES, ResidualCodec


def model_config(model: ResidualCodec) -> dict[str, Any]:
    """What `model_from_config` needs to build the model again."""
    return {
        "arch": model.arch,
        "encoder": list(model.encoder_layout),
        "bits": model.bits,
        "decoder": list(model.decoder_layout),
        "iterations": model.iterations,
        "stage_weights": model.stage_weights,
    }


def model_from_config(config: dict[str, Any], seed: int | None = None) -> ResidualCodec:
    """Builds a model with fresh weights.

    Args:
        config: `arch`, one of "fc", "fc_lstm", "conv", "conv_lstm", and any of the arguments
            of `ResidualCodec`.
        seed: of the random rounding in training.

    Raises:
        ConfigError: if the architecture or an argument is not known or not usable.

    Examples:
        >>> model_from_config({"arch": "fc", "iterations": 2}).stride
        8
    """
    arguments = dict(config)
    arch = arguments.pop("arch", None)
    if not isinstance(arch, str) or arch not in ARCHITECTURES:
        raise ConfigError(f"unknown architecture {arch!r}; there are {', '.join(ARCHITECTURES)}")
    known = {"encoder", "bits", "decoder", "iterations", "stage_weights"}
    if unknown := set(arguments) - known:
        raise ConfigError(f"unknown settings {sorted(unknown)}; there are {sorted(known)}")
    try:
        return ARCHITECTURES[arch](**arguments, seed=seed)
    except TypeError as error:
        raise ConfigError(f"the settings of {arch} are not of the right kind ({error})") from error


def model_from_file(config: dict[str, Any], path: Path, seed: int | None = None) -> ResidualCodec:
    """As `model_from_config`, of settings that were read from a file.

    Args:
        config: as for `model_from_config`, like the seed.
        path: of the file, for messages.
        seed: of the random rounding in training.

    Raises:
        ModelError: if they are not the settings of a model, or no model can be built of them.
    """
    try:
        return model_from_config(config, seed)
    except ConfigError as error:
        raise ModelError(f"{path}: not a model's settings ({error})") from error
    except Exception as error:
        # Each backend has an error of its own for a lack of memory, and of layers that do not fit.
        raise ModelError(f"{path}: the model cannot be built ({_first_line(error)})") from error


def save_model(model: ResidualCodec, path: str | os.PathLike[str]) -> None:
    """Writes a model's configuration, identity and weights (no optimiser) into a folder."""
    folder = ModelFolder(Path(path))
    folder.path.mkdir(parents=True, exist_ok=True)
    # Saved through a fresh twin: the weights of a compiled model bring its optimiser along.
    twin = model_from_config(model_config(model))
    twin.set_weights(model.get_weights())
    config = {**model_config(model), "model_id": model_id(model).hex()}
    content = weights_content(twin)
    with replacing(folder.weights_path) as weights, replacing(folder.config_path) as text:
        weights.write_bytes(content)
        text.write_text(json.dumps(config, indent=2) + "\n")


def load_model(path: str | os.PathLike[str]) -> ResidualCodec:
    """Reads a model that `save_model` or `tfrnnc-train` wrote.

    Raises:
        InstallationError: if it is a preset whose weights are in a package that is not installed.
        ModelError: if a file is missing, broken, or does not fit the other.
    """
    folder = path if isinstance(path, ModelFolder) else ModelFolder(Path(path))
    config = folder.read_config()
    weights = folder.require_weights()
    model = model_from_file(config.settings, folder.config_path)
    load_weights(model, weights)
    identity, expected = ModelIdentity(model_id(model)), ModelIdentity(config.model_id)
    if identity != expected:
        raise ModelError(
            f"{folder.weights_path}: its weights are {identity}, but {CONFIG_FILE} names "
            f"{expected}; the files do not belong together"
        )
    return model


class _WeightsBuffer(io.BytesIO):
    """A file in memory whose name Keras takes for one of weights."""

    def __str__(self) -> str:
        return f"memory/{WEIGHTS_FILE}"


def weights_content(model: keras.Model) -> bytes:
    """What `model.save_weights` would write into a file.

    It is made in memory, as HDF5 ends the process with a segmentation fault when it meets a full
    disk.
    """
    buffer = _WeightsBuffer()
    with undistributed():  # Keras makes variables to save others, an optimiser's among them.
        model.save_weights(buffer)
    return buffer.getvalue()


def load_weights(model: keras.Model, path: Path) -> None:
    """Loads a weights file into a model of the same configuration.

    Raises:
        ModelError: if the file is missing, broken, or of another configuration.
    """
    if not path.is_file():
        reason = "training has not saved a model yet"
        if ModelFolder(path.parent).is_exported:
            reason = (
                "the model is here as TFLite files only, which encode and decode; to train it "
                "further or to export it, train it again by the command in its MODEL_CARD.md"
            )
        raise ModelError(f"{path}: no such file; {reason}")
    try:
        model.load_weights(path)
        stored = _count_weights(path)
        if stored != len(model.weights):
            raise ValueError(f"it holds {stored} weights instead of {len(model.weights)}")
    except Exception as error:
        # Keras and h5py raise whatever a file that is not laid out as they expect leads to.
        raise ModelError(
            f"{path}: broken, or not the weights of this configuration ({_first_line(error)}); get "
            "the model's whole folder again"
        ) from error


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _count_weights(path: Path) -> int:
    """The model's weights in a file; Keras ignores those that it has no use for."""
    names: list[str] = []
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None
        )
    return sum(not name.startswith("optimizer/") for name in names)


def model_id(model: ResidualCodec) -> bytes:
    """The first bytes of a SHA-256 over the configuration and the weights.

    It is the same for equal weights whatever the file, the backend or the machine; a stream
    carries it, so that no other model decodes it to noise.
    """
    config = model_config(model)
    # How many iterations a model may take changes nothing in the meaning of those it takes,
    # unless each has its own weights, which are then hashed.
    del config["iterations"]
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode())
    for variable in model.weights:
        digest.update(ops.convert_to_numpy(variable).astype("<f4").tobytes())
    return digest.digest()[:ID_BYTES]
