"""What differs between Keras backends and machines, in one place."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from tfrnnc.errors import InstallationError


def prepare_environment() -> None:
    """Imports Keras and its backend with the settings that suit them; the user's own win.

    oneDNN doubles the training speed on the processors for which TensorFlow leaves it off.
    Start-up messages of TensorFlow's C++ are silenced, unless the import fails.

    Raises:
        InstallationError: if Keras or its backend is not installed.
    """
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if sys.modules.get("keras") is None:
        try:
            with silenced_stderr():
                import keras  # noqa: F401
        except ImportError as error:
            raise InstallationError(
                f"this needs Keras and its backend ({error}); pip install 'tfrnnc[train]'"
            ) from error


def require_tensorflow() -> None:
    """Imports Keras on TensorFlow, which exporting needs.

    Raises:
        InstallationError: if TensorFlow is not installed, or Keras runs on another backend.
    """
    prepare_environment()
    import keras

    if keras.backend.backend() != "tensorflow":
        raise InstallationError(
            f"this needs TensorFlow, but Keras runs on {keras.backend.backend()}; "
            "unset KERAS_BACKEND (and pip install 'tfrnnc[train]')"
        )


@contextmanager
def silenced_stderr() -> Iterator[None]:
    """Holds back what is written to file descriptor 2; passes it on if the block fails.

    TensorFlow and LiteRT print their first messages whatever their log levels say.
    """
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held_back:
        stderr = os.dup(2)
        try:
            os.dup2(held_back.fileno(), 2)
            try:
                yield
            finally:
                os.dup2(stderr, 2)
        except BaseException:
            held_back.seek(0)
            os.write(2, held_back.read())
            raise
        finally:
            os.close(stderr)


def jit_compile() -> bool:
    """Whether Keras should compile with XLA: on JAX and on accelerators.

    On a CPU TensorFlow's own kernels are several times as fast as XLA's.
    """
    return not runs_on_tensorflow_cpu()


def runs_on_tensorflow_cpu() -> bool:
    """Whether Keras computes with TensorFlow's own kernels for processors."""
    import keras

    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return not tf.config.list_physical_devices("GPU")


def compiled(function):
    """The function as a graph where the backend is TensorFlow, else as it is."""
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(function, reduce_retracing=True)
    return function
