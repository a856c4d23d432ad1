"""How a command starts what runs models, without the lines that C++ libraries print."""

from __future__ import annotations

import functools
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from logging.handlers import MemoryHandler

import numpy as np

from tfrnnc.backend import prepare_environment
from tfrnnc.errors import TfrnncError
from tfrnnc.model_folder.presets import DEFAULT_PRESET, find_model
from tfrnnc.runtimes.litert_runtime import LiteRTRuntime


@contextmanager
def native_messages_held_back() -> Iterator[None]:
    """Holds back what native libraries print; passes it on if the block fails unexpectedly.

    TensorFlow and LiteRT print lines when they start, and have no switch for that which Python can
    reach. What is logged comes after the block. For programs only, which own their process: it
    changes what file descriptor 2 is. Where that is closed, or nothing can be written to, all is
    left as it is.
    """
    try:
        stderr = os.dup(2)
    except OSError:
        yield
        return
    try:
        held_back = tempfile.TemporaryFile()  # noqa: SIM115
    except OSError:
        os.close(stderr)
        yield
        return
    try:
        with _logged_later():
            os.dup2(held_back.fileno(), 2)
            try:
                yield
            finally:
                os.dup2(stderr, 2)
    except TfrnncError:
        raise  # It says all that there is to say.
    except BaseException:
        held_back.seek(0)
        with suppress(OSError):
            os.write(2, held_back.read())
        raise
    finally:
        os.close(stderr)
        held_back.close()


@contextmanager
def _logged_later() -> Iterator[None]:
    """Logs what the block does at its end."""
    root = logging.getLogger()
    handlers = root.handlers
    root.handlers = [
        MemoryHandler(sys.maxsize, logging.CRITICAL + 1, target, flushOnClose=True)
        for target in handlers
    ]
    try:
        yield
    finally:
        waiting, root.handlers = root.handlers, handlers
        for handler in waiting:
            handler.close()


def start_runtime(model: str | None, runtime: str | None, arithmetic: str = "float32") -> None:
    """Starts what will run a model, so that it prints nothing later.

    Args:
        model: a preset or a folder; None for the presets.
        runtime: as for `tfrnnc.load`.
        arithmetic: as for `tfrnnc.load`.

    Raises:
        ModelError: if there is no such model.
        InstallationError: if Keras is needed and not installed.
    """
    folder = find_model(model or DEFAULT_PRESET)
    with native_messages_held_back():
        if (runtime or folder.default_runtime(arithmetic)) == "keras":
            prepare_environment()
        else:
            _start_litert()


@functools.cache
def _start_litert() -> None:
    """Runs a model once, on the smallest image."""
    preset = LiteRTRuntime(find_model(DEFAULT_PRESET), threads=1)
    preset.encode_iteration(np.zeros((preset.stride, preset.stride, 3), np.float32), None, 0)
