"""Models on disk: a folder with `config.json` and `model.weights.h5`."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import h5py
import keras
from keras import ops

from tfrnnc.errors import ConfigError, ModelError
from tfrnnc.files import replacing
from tfrnnc.model_folder.file_names import CONFIG_FILE, MANIFEST_FILE, WEIGHTS_FILE
from tfrnnc.models import ARCHITECTURES, ResidualCodec

ID_BYTES = 4


def model_config(model: ResidualCodec) -> dict[str, Any]:
    """What `model_from_config` needs to build the model again."""
    return {
        "arch": model.arch,
        "encoder": model.encoder_layout,
        "bits": model.bits,
        "decoder": model.decoder_layout,
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


def save_model(model: ResidualCodec, folder: str | os.PathLike) -> None:
    """Writes a model's configuration, identity and weights (no optimiser) into a folder."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    # Saved through a fresh twin: the weights of a compiled model bring its optimiser along.
    twin = model_from_config(model_config(model))
    twin.set_weights(model.get_weights())
    config = {**model_config(model), "model_id": model_id(model).hex()}
    with replacing(folder / WEIGHTS_FILE) as weights, replacing(folder / CONFIG_FILE) as text:
        twin.save_weights(weights)
        text.write_text(json.dumps(config, indent=2) + "\n")


def load_model(folder: str | os.PathLike) -> ResidualCodec:
    """Reads a model that `save_model` or `tfrnnc-train` wrote.

    Raises:
        ModelError: if a file is missing, broken, or does not fit the other.
    """
    folder = Path(folder)
    try:
        config = json.loads((folder / CONFIG_FILE).read_text())
        if not isinstance(config, dict) or "model_id" not in config:
            raise ConfigError("there is no model_id")
        expected_id = config.pop("model_id")
        model = model_from_config(config)
    except OSError as error:
        raise ModelError(
            f"{folder}: holds no {CONFIG_FILE}; give a preset's name or a folder that "
            "tfrnnc-train wrote"
        ) from error
    except ValueError as error:
        raise ModelError(f"{folder / CONFIG_FILE}: not a model's settings ({error})") from error
    load_weights(model, folder / WEIGHTS_FILE)
    if model_id(model).hex() != expected_id:
        raise ModelError(
            f"{folder / WEIGHTS_FILE}: its weights are model {model_id(model).hex()}, but "
            f"{CONFIG_FILE} names {expected_id}; the files do not belong together"
        )
    return model


def load_weights(model: keras.Model, path: Path) -> None:
    """Loads a weights file into a model of the same configuration.

    Raises:
        ModelError: if the file is missing, broken, or of another configuration.
    """
    if not path.is_file():
        reason = "training has not saved a model yet"
        if (path.parent / MANIFEST_FILE).is_file():
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
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise ModelError(
            f"{path}: broken, or not the weights of this configuration "
            f"({str(error).strip().splitlines()[0]})"
        ) from error


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
