"""What a run can fail of that is nobody's mistake, in one line each."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tfrnnc.errors import TfrnncError, TrainingError
from tfrnnc.model_folder.file_names import (
    CHECKPOINT_FILE,
    CONFIG_FILE,
    ENTROPY_LOG_FILE,
    ENTROPY_MODEL_FILE,
    ENTROPY_SETTINGS_FILE,
    ENTROPY_WEIGHTS_FILE,
    LOG_FILE,
    SETTINGS_FILE,
    WEIGHTS_FILE,
)

TENSORBOARD_FOLDER = "tensorboard"

ENTROPY_FILES = (
    ENTROPY_MODEL_FILE,
    ENTROPY_WEIGHTS_FILE,
    ENTROPY_SETTINGS_FILE,
    ENTROPY_LOG_FILE,
)  #: those of the entropy model
RUN_FILES = (
    CHECKPOINT_FILE,
    CONFIG_FILE,
    WEIGHTS_FILE,
    SETTINGS_FILE,
    LOG_FILE,
    *ENTROPY_FILES,
    TENSORBOARD_FOLDER,
)  #: what a run may write into its folder
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_DISK_FULL_WORDS = ("No space left on device", "Disk quota exceeded", "File too large")
_LOST_WORDS = ("Gloo ", "NCCL", "coordination service", "CoordinationService")
# TensorFlow says the last of a constant for which it finds no room.
_MEMORY_WORDS = (
    "RESOURCE_EXHAUSTED",
    "ResourceExhaustedError",
    "MemoryError",
    "OOM when",
    "Cannot parse tensor from proto",
)


def require_places(folder: Path, names: Iterable[str] = RUN_FILES) -> None:
    """Finds what a run could not replace before it trains, not after its first epoch.

    Args:
        folder: of the run; may be missing.
        names: of the files that are going to be written.

    Raises:
        TrainingError: if there is something else in the place of a file.
    """
    for name in names:
        path = folder / name
        kind, fits = (
            ("folder", path.is_dir) if name == TENSORBOARD_FOLDER else ("file", path.is_file)
        )
        if path.exists() and not fits():
            raise TrainingError(
                f"{path}: not a {kind}, which training has to write there; move it away"
            )


@contextmanager
def explained_failures(folder: Path) -> Iterator[None]:
    """Turns a full disk, a lack of memory and a lost worker in its block into a TrainingError.

    Args:
        folder: of the run.

    Raises:
        TrainingError: with the remedy.
    """
    try:
        yield
    except TfrnncError:
        raise
    except Exception as error:
        # Each backend has errors of its own, and TensorFlow's threads pass on no more than text.
        text = f"{type(error).__name__}: {error}"
        is_disk = isinstance(error, OSError) and error.errno in _DISK_FULL
        if is_disk or any(words in text for words in _DISK_FULL_WORDS):
            raise TrainingError(
                f"{folder}: the disk is full; make room and start the command again; a checkpoint "
                "that was saved is kept, and --resume goes on from it"
            ) from error
        if any(words in text for words in _MEMORY_WORDS) or isinstance(error, MemoryError):
            raise TrainingError(
                "a batch does not fit into memory; give a smaller --batch-size or --patch-size"
            ) from error
        if any(words in text for words in _LOST_WORDS):
            raise TrainingError(
                "another worker is lost; its own message may say why. Start all workers again with "
                "--resume, which goes on from the last checkpoint"
            ) from error
        raise


@contextmanager
def new_files_removed(folder: Path, unless: str) -> Iterator[None]:
    """Takes back the files of a run if its block fails before there is anything to keep.

    A start that failed thus leaves no folder that would refuse the next one. Files that were there
    before stay.

    Args:
        folder: of the run.
        unless: the file that a run begins with that is worth keeping.
    """
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    new = [folder / name for name in RUN_FILES if not (folder / name).exists()]
    try:
        yield
    except BaseException:
        if not (folder / unless).is_file():
            for path in new:
                with suppress(OSError):
                    path.unlink()
            if folder / TENSORBOARD_FOLDER in new:
                shutil.rmtree(folder / TENSORBOARD_FOLDER, ignore_errors=True)
            for path in made:
                with suppress(OSError):
                    path.rmdir()
        raise
