"""What differs between Keras backends and machines, in one place."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias, TypeVar

from tfrnnc.errors import InstallationError, RunError

F = TypeVar("F", bound=Callable[..., Any])

#: A tensor or variable of Keras's backend, or Keras's symbol for one: without types, as Keras is.
Tensor: TypeAlias = Any

#: A shape as Keras tells it; None where a size is not known.
Shape: TypeAlias = tuple[int | None, ...]

#: A height, a width or a number of images: a whole number, a tensor where a graph serves any size,
#: or None where it is not known.
Size: TypeAlias = Any

_SET_BACKEND = 'set KERAS_BACKEND, or "backend" in ~/.keras/keras.json, to tensorflow or jax'


def prepare_environment() -> None:
    """Imports Keras and its backend with the settings that suit them; the user's own win.

    Two environment variables are set, unless they are set already: `TF_ENABLE_ONEDNN_OPTS=1`, as
    oneDNN doubles the training speed on the CPUs for which TensorFlow leaves it off, and
    `TF_CPP_MIN_LOG_LEVEL=3`. TensorFlow 2.21 prints some lines all the same when it is imported;
    standard error is left alone.

    Raises:
        InstallationError: if Keras or its backend is not installed, not known, or set up for
            images that begin with their channels.
    """
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if sys.modules.get("keras") is None:
        try:
            import keras  # noqa: F401
        except ImportError as error:
            if error.name in ("torch", "openvino"):
                raise InstallationError(f"Keras cannot start ({error}); {_SET_BACKEND}") from error
            extra = "train-jax" if error.name == "jax" else "train"
            raise InstallationError(
                f"this needs Keras and its backend ({error}); pip install 'tfrnnc[{extra}]'"
            ) from error
        except ValueError as error:
            raise InstallationError(f"Keras cannot start ({error}); {_SET_BACKEND}") from error
    _require_known_backend()
    _require_channels_last()


def _require_known_backend() -> None:
    import keras

    backend = keras.backend.backend()
    if backend not in ("tensorflow", "jax"):
        raise InstallationError(
            f"tfrnnc runs on TensorFlow or JAX, but Keras is set to {backend}; {_SET_BACKEND}"
        )


def _require_channels_last() -> None:
    import keras

    if keras.config.image_data_format() != "channels_last":
        raise InstallationError(
            "tfrnnc's images end with their channels, but Keras is set to channels_first; set "
            '"image_data_format" in ~/.keras/keras.json to channels_last'
        )


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
def undistributed() -> Iterator[None]:
    """Variables that are made in the block are of this process alone, whatever the distribution."""
    import keras

    distribution = keras.distribution.distribution()
    if distribution is None:
        yield
        return
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(distribution)


def jit_compile() -> bool:
    """Whether Keras should compile with XLA: on JAX and on accelerators.

    On a CPU TensorFlow's own kernels are several times as fast as XLA's.
    """
    return not runs_on_tensorflow_cpu()


def runs_on_tensorflow_cpu() -> bool:
    """Whether Keras computes with TensorFlow's own kernels for CPUs."""
    import keras

    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return not tf.config.list_physical_devices("GPU")


def jax_accelerator_bytes() -> int | None:
    """Memory of the accelerator that Keras trains on through JAX; None unless there is just one."""
    import keras

    if keras.backend.backend() != "jax" or keras.distribution.distribution() is not None:
        return None
    import jax

    statistics = jax.local_devices()[0].memory_stats() or {}  # None on CPUs.
    limit: int | None = statistics.get("bytes_limit")
    return limit


def compiled(function: F) -> F:
    """The function as a graph where the backend is TensorFlow, else as it is."""
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        graph: F = tf.function(function, reduce_retracing=True)
        return graph
    return function


def value_and_gradient(function: Callable[..., Tensor]) -> Callable[..., tuple[Tensor, Tensor]]:
    """Makes of a function one that returns its value and its gradient too, compiled.

    Args:
        function: of a tensor and other arguments, with a scalar for a result.

    Returns:
        takes the same arguments and returns the pair (value, gradient for the tensor).
    """
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        def with_tape(tensor: Tensor, *others: Any) -> tuple[Tensor, Tensor]:
            with tf.GradientTape() as tape:
                tape.watch(tensor)
                value = function(tensor, *others)
            return value, tape.gradient(value, tensor)

        return compiled(with_tape)
    import jax

    differentiated: Callable[..., tuple[Tensor, Tensor]] = jax.jit(jax.value_and_grad(function))
    return differentiated


@contextmanager
def memory_failures(size: tuple[int, ...]) -> Iterator[None]:
    """Turns a backend's lack of memory into a `RunError`."""
    try:
        yield
    except Exception as error:
        # Each backend has an error of its own; importing one to name it would choose the backend.
        if not isinstance(error, MemoryError) and "RESOURCE_EXHAUSTED" not in _description(error):
            raise
        raise RunError(
            f"too little memory for an image of {size[0]}x{size[1]} pixels; take a smaller image"
        ) from error


def _description(error: Exception) -> str:
    """An error's class and message, so that TensorFlow's and JAX's can be told alike."""
    name = type(error).__name__.replace("ResourceExhaustedError", "RESOURCE_EXHAUSTED")
    return f"{name}: {error}"
