"""Named, trained models that come with the package.

Each is a `ModelFolder` as `tfrnnc-train` writes it, with its model card and training log.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from tfrnnc.errors import ModelError
from tfrnnc.model_folder.hub import download_model, is_hub_address
from tfrnnc.model_folder.identity import ModelIdentity
from tfrnnc.model_folder.model_folder import ModelFolder

DEFAULT_PRESET = "conv_lstm_small"

PRESETS_FOLDER = Path(__file__).parents[1] / "presets"


def list_presets() -> list[str]:
    """The names of the presets, sorted."""
    return sorted(path.name for path in PRESETS_FOLDER.iterdir() if ModelFolder(path).has_config)


def find_model(name_or_path: str | os.PathLike[str]) -> ModelFolder:
    """The folder of a preset or of another model.

    Args:
        name_or_path: a preset's name, the path of a folder that `tfrnnc-train` or
            `tfrnnc-export` wrote, or a model on the Hugging Face Hub, which is downloaded (see
            `tfrnnc.model_folder.hub.download_model`).

    Raises:
        InstallationError: if the hub's client is needed and not installed.
        ModelError: if there is no such preset, folder or model on the hub.
    """
    if is_hub_address(name_or_path):
        return ModelFolder(download_model(str(name_or_path)))
    presets = list_presets()
    if str(name_or_path) in presets:
        return ModelFolder(PRESETS_FOLDER / name_or_path, str(name_or_path))
    folder = Path(name_or_path)
    if not folder.is_dir():
        raise ModelError(
            f"{name_or_path}: neither a preset ({', '.join(presets)}) nor the folder of a "
            "trained model; models on the Hugging Face Hub are named like hf://OWNER/NAME"
        )
    return ModelFolder(folder)


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
    """The presets by the identities that their streams carry; read once, as they do not change."""
    identities = {}
    for name in list_presets():
        identity = find_model(name).read_identity()
        for stream_id in (identity.model_id, identity.entropy_coded_id):
            if stream_id is not None:
                identities[stream_id] = identity
    return identities
