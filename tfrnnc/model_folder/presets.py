"""Named, trained models: the default, which comes with the package, and those of tfrnnc-presets.

Each is a `ModelFolder` as `tfrnnc-train` writes it, with its model card and training log. The
package tfrnnc-presets (presets/ in the repository) also has what of the default preset only Keras
needs.
"""

from __future__ import annotations

import copyreg
import os
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tfrnnc.errors import ConfigError, InstallationError, ModelError
from tfrnnc.model_folder.hub import download_model, is_hub_address
from tfrnnc.model_folder.identity import ModelIdentity
from tfrnnc.model_folder.model_folder import INSTALL_PRESETS, ModelFolder

DEFAULT_PRESET = "conv_lstm_medium"

PRESETS_FOLDER = Path(__file__).parents[1] / "presets"


#: The presets of the package tfrnnc-presets, and what streams of them carry: the identity of the
#: weights, and that with the entropy model if there is one.
FURTHER_PRESETS: dict[str, tuple[str, ...]] = {
    "conv_lstm_small_20min": ("5feb8f77",),
    "conv_lstm_thumbnails": ("a0f2bb18", "47e8baf9"),
    "conv_small": ("12db3ba2",),
    "conv_small_shared": ("9bf2bef2",),
    "fc_lstm_small": ("8b2de015",),
    "fc_small": ("cba78a4b",),
    "fc_small_shared": ("ceb8c2f9",),
}


@cache
def _further_folder() -> Path | None:
    """Where the package tfrnnc-presets keeps its models; None if it is not installed."""
    spec = find_spec("tfrnnc_presets")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent


def _preset_folders() -> Iterator[ModelFolder]:
    """The presets that are installed."""
    further = _further_folder()
    for place in (PRESETS_FOLDER, further) if further else (PRESETS_FOLDER,):
        for path in place.iterdir():
            folder = ModelFolder(path, path.name)
            if folder.has_config:
                if further and not folder.has_weights:
                    folder = replace(folder, weights_folder=further / path.name)
                yield folder


def list_presets() -> list[str]:
    """The names of the presets that are installed, sorted."""
    return sorted(str(folder.preset) for folder in _preset_folders())


def find_model(name_or_path: str | os.PathLike[str]) -> ModelFolder:
    """The folder of a preset or of another model.

    Args:
        name_or_path: a preset's name, the path of a folder that `tfrnnc-train` or
            `tfrnnc-export` wrote, or a model on the Hugging Face Hub, which is downloaded (see
            `tfrnnc.model_folder.hub.download_model`).

    Raises:
        InstallationError: if it is a preset of tfrnnc-presets, or on the hub, and that package or
            the hub's client is not installed.
        ModelError: if there is no such preset, folder or model on the hub.
        ConfigError: if it is neither a string nor a path.
    """
    if not isinstance(name_or_path, str | os.PathLike):
        raise ConfigError(f"a model is named by a string or a path, not by {name_or_path!r}")
    if is_hub_address(name_or_path):
        return ModelFolder(download_model(str(name_or_path)))
    presets = {str(folder.preset): folder for folder in _preset_folders()}
    if str(name_or_path) in presets:
        return presets[str(name_or_path)]
    folder = Path(name_or_path)
    if not folder.is_dir():
        if str(name_or_path) in FURTHER_PRESETS:
            raise InstallationError(
                f"{name_or_path}: a preset of the package tfrnnc-presets, which is not installed; "
                f"{INSTALL_PRESETS}"
            )
        raise ModelError(
            f"{name_or_path}: neither a preset ({', '.join(sorted(presets))}) nor the folder of a "
            "trained model; models on the Hugging Face Hub are named like hf://OWNER/NAME"
        )
    return ModelFolder(folder)


def _reduced(folder: ModelFolder) -> tuple[Any, ...]:
    """What a pickle holds: a preset's name, as the package may be elsewhere where it is read."""
    if folder.preset is None:
        return ModelFolder, (folder.path, None, folder.weights_folder)
    return find_model, (folder.preset,)


copyreg.pickle(ModelFolder, _reduced)


def identify(stream_id: bytes, entropy_coded: bool) -> ModelIdentity:
    """The identity of the model that made a stream, as far as the stream and the presets tell.

    Args:
        stream_id: the identity that the stream carries.
        entropy_coded: whether the stream is entropy-coded.
    """
    known = _identities().get(stream_id)
    if known and known.stream_id(entropy_coded) == stream_id:
        return known
    return ModelIdentity(None, stream_id) if entropy_coded else ModelIdentity(stream_id)


def preset_of(stream_id: bytes) -> str | None:
    """The name of the preset with this identity, as streams carry it; None if there is none."""
    known = _identities().get(stream_id)
    return known.preset if known else None


@cache
def _identities() -> dict[bytes, ModelIdentity]:
    """The presets by the identities that their streams carry; read once, as they do not change.

    Those that are not installed are among them, so that `find_model` can say what is missing.
    """
    known = {name: find_model(name).read_identity() for name in list_presets()}
    for name, (model_id, *coded) in FURTHER_PRESETS.items():
        coded_id = bytes.fromhex(coded[0]) if coded else None
        known.setdefault(name, ModelIdentity(bytes.fromhex(model_id), coded_id, name))
    return {
        stream_id: identity
        for identity in known.values()
        for stream_id in (identity.model_id, identity.entropy_coded_id)
        if stream_id is not None
    }
