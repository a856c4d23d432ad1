"""What a run can fail of that is nobody's mistake, in one line each."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tfrnnc.errors import TfrnncError, TrainingError
from tfrnnc.model_folder.file_names import CHECKPOINT_FILE, LOG_FILE, SETTINGS_FILE
from tfrnnc.training.settings import write_settings

TENSORBOARD_FOLDER = "tensorboard"

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_DISK_FULL_WORDS = ("No space left on device", "Disk quota exceeded", "File too large")
_MEMORY_WORDS = ("RESOURCE_EXHAUSTED", "ResourceExhaustedError", "MemoryError", "OOM when")


@contextmanager
def explained_failures(folder: Path) -> Iterator[None]:
    """Turns a full disk and a lack of memory in its block into a TrainingError.

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
        if (isinstance(error, OSError) and error.errno in _DISK_FULL) or any(
            words in text for words in _DISK_FULL_WORDS
        ):
            raise TrainingError(
                f"{folder}: the disk is full; make room and start the command again, with "
                "--resume if a checkpoint was saved, which is kept"
            ) from error
        if isinstance(error, MemoryError) or any(words in text for words in _MEMORY_WORDS):
            raise TrainingError(
                "a batch does not fit into memory; give a smaller --batch-size or --patch-size"
            ) from error
        raise


@contextmanager
def new_files_removed(folder: Path, settings: Mapping[str, Any]) -> Iterator[None]:
    """Writes a run's settings, and takes them back if its block fails before a checkpoint.

    A start that failed thus leaves no folder that would refuse the next one. What was there
    before stays as it was.

    Args:
        folder: of the run; made if missing.
        settings: as `write_settings` takes them.
    """
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    path = folder / SETTINGS_FILE
    before = path.read_bytes() if path.is_file() else None
    begun = (folder / LOG_FILE).exists()
    trained = (folder / CHECKPOINT_FILE).exists()
    try:
        write_settings(folder, settings)
        yield
    except BaseException:
        if not trained and not (folder / CHECKPOINT_FILE).exists():
            _take_back(folder, before, begun)
            for each in made:
                with suppress(OSError):
                    each.rmdir()
        raise


def _take_back(folder: Path, settings: bytes | None, begun: bool) -> None:
    with suppress(OSError):
        if settings is None:
            (folder / SETTINGS_FILE).unlink()
        else:
            (folder / SETTINGS_FILE).write_bytes(settings)
    if settings is None and not begun:
        with suppress(OSError):
            (folder / LOG_FILE).unlink()
        shutil.rmtree(folder / TENSORBOARD_FOLDER, ignore_errors=True)
