"""Named, trained configurations that come with the package.

Each is a folder as `tfrnnc-train` writes it, with its model card and training log.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from tfrnnc.bitstream.entropy_model import stream_id
from tfrnnc.errors import ModelError
from tfrnnc.model_folder.file_names import CONFIG_FILE, ENTROPY_MODEL_FILE

DEFAULT_PRESET = "conv_lstm_small"

PRESETS_FOLDER = Path(__file__).parents[1] / "presets"


def list_presets() -> list[str]:
    """The names of the presets, sorted."""
    return sorted(path.parent.name for path in PRESETS_FOLDER.glob(f"*/{CONFIG_FILE}"))


def model_folder(name_or_path: str | os.PathLike) -> Path:
    """The folder of a preset or of a trained model.

    Args:
        name_or_path: a preset's name, or the path of a folder that `tfrnnc-train` wrote.

    Raises:
        ModelError: if there is neither such a preset nor such a folder.
    """
    if str(name_or_path) in list_presets():
        return PRESETS_FOLDER / name_or_path
    folder = Path(name_or_path)
    if not folder.is_dir():
        raise ModelError(
            f"{name_or_path}: neither a preset ({', '.join(list_presets())}) nor the folder of a "
            "trained model"
        )
    return folder


def preset_of(model_id: bytes) -> str | None:
    """The name of the preset with this identity, as streams carry it; None if there is none."""
    for name in list_presets():
        folder = PRESETS_FOLDER / name
        if model_id.hex() in (trained_id(folder), entropy_coded_id(folder)):
            return name
    return None


def entropy_coded_id(folder: Path) -> str | None:
    """The identity that entropy-coded streams of a folder's model carry, in hexadecimal.

    None if it has no entropy model.
    """
    path = folder / ENTROPY_MODEL_FILE
    return stream_id(path.read_bytes()).hex() if path.is_file() else None


def trained_id(folder: Path) -> str | None:
    """The identity of the weights in a folder, in hexadecimal; None if it has no weights.

    Raises:
        ModelError: if the folder's `config.json` is broken.
    """
    path = folder / CONFIG_FILE
    try:
        return json.loads(path.read_text())["model_id"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ModelError(f"{path}: not a model's settings ({error})") from error
