"""The entropy model in a model's folder."""

from __future__ import annotations

import os
from pathlib import Path

from tfrnnc.bitstream import EntropyModel
from tfrnnc.errors import ModelError
from tfrnnc.model_folder.file_names import ENTROPY_MODEL_FILE


def read_entropy_model(folder: str | os.PathLike) -> EntropyModel | None:
    """Reads the entropy model in a folder; None if there is none.

    Raises:
        ModelError: if it cannot be read.
    """
    path = Path(folder) / ENTROPY_MODEL_FILE
    try:
        return EntropyModel.from_bytes(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ModelError) as error:
        raise ModelError(f"{path}: {error}; train it again, or remove it") from error
