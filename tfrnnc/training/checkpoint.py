"""The state that a run goes on from, with a checksum."""

from __future__ import annotations

import hashlib
from pathlib import Path

import h5py
import keras

from tfrnnc.errors import ModelError
from tfrnnc.files import replacing
from tfrnnc.model_folder.keras_model import load_weights, weights_content

# HDF5 ignores what follows its own end, and a rename puts file and checksum in place together; a
# second file could be of another epoch.
_MARK = b"\ntfrnnc SHA-256 "
_DIGEST_BYTES = hashlib.sha256().digest_size
_CHUNK_BYTES = 1 << 20
_REMEDY = (
    "get it from a backup, or start again from the best model with --initial-model and another "
    "--output"
)


def write_checkpoint(trained: keras.Model, path: Path) -> None:
    """Saves weights, optimiser and random state, replacing what was saved before.

    Raises:
        OSError: if it cannot be written; what was saved before is then kept.
    """
    content = weights_content(trained)
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(content)
        file.write(_MARK + hashlib.sha256(content).digest())


def read_checkpoint(trained: keras.Model, path: Path) -> None:
    """Loads what `write_checkpoint` saved into a model that is compiled alike.

    A file without a checksum, as Keras itself writes it, is taken if it is whole: HDF5 refuses
    a file that was cut.

    Raises:
        ModelError: if the file is missing, damaged, or of another model or optimiser.
    """
    if path.is_file():
        if not _is_intact(path):
            raise ModelError(f"{path}: damaged, as its checksum shows; {_REMEDY}")
        expected, stored = len(trained.optimizer.variables), _count_optimizer_variables(path)
        if stored is None:
            raise ModelError(f"{path}: cut or damaged, as HDF5 cannot read it; {_REMEDY}")
        if stored != expected:
            raise ModelError(
                f"{path}: not a checkpoint of this run, as it holds {stored} variables of the "
                f"optimiser instead of {expected}; resume with the run's own file"
            )
    load_weights(trained, path)


def _count_optimizer_variables(path: Path) -> int | None:
    """How many variables of an optimiser a file holds; None if it is no HDF5 file."""
    try:
        with h5py.File(path) as file:
            group = file.get("optimizer/vars")
            return len(group) if isinstance(group, h5py.Group) else 0
    except (OSError, RuntimeError):
        return None


def _is_intact(path: Path) -> bool:
    """Whether a file is what its checksum says, or has none."""
    end = len(_MARK) + _DIGEST_BYTES
    size = path.stat().st_size - end
    if size < 0:
        return True
    digest = hashlib.sha256()
    with path.open("rb") as file:
        file.seek(size)
        trailer = file.read(end)
        if not trailer.startswith(_MARK):
            return True
        file.seek(0)
        while size > 0:
            chunk = file.read(min(size, _CHUNK_BYTES))
            digest.update(chunk)
            size -= len(chunk)
    return trailer == _MARK + digest.digest()
