"""Training on several devices: those of one machine, or of several workers, on JAX."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from tfrnnc.backend import prepare_environment
from tfrnnc.errors import ConfigError, InstallationError, Terminated
from tfrnnc.files import remove_temporary_files
from tfrnnc.training.rendezvous import Rendezvous

GRACE_SECONDS = 60  #: in which worker 0 should notice by itself that another is lost
STOP_CHECK_BATCHES = 10  #: between two agreements on whether to stop


@dataclass(frozen=True)
class Workers:
    """The processes that train one model together, each on its slice of every batch.

    Attributes:
        count: how many there are.
        index: the number of this one, from 0. Only worker 0 writes files.
    """

    count: int = 1
    index: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this is the worker that writes."""
        return self.index == 0

    def part(self, batch_size: int) -> slice:
        """This worker's slice of a batch.

        Raises:
            ConfigError: if the patches of a batch cannot be divided among all devices alike.
        """
        devices = _device_count()
        if batch_size % max(devices, self.count):
            raise ConfigError(
                f"batch_size must be a multiple of the {max(devices, self.count)} devices that "
                f"share a batch, not {batch_size}"
            )
        size = batch_size // self.count
        return slice(self.index * size, (self.index + 1) * size)

    def max(self, number: int) -> int:
        """The greatest of all workers' numbers; all must ask at the same place."""
        if self.count == 1:
            return number
        from jax.experimental.multihost_utils import process_allgather

        return int(process_allgather(np.array([number], np.int32)).max())

    def value_of_first(self, value: float) -> float:
        """Worker 0's value, to the bit; all must ask at the same place."""
        if self.count == 1:
            return value
        from jax.experimental.multihost_utils import broadcast_one_to_all

        content = np.frombuffer(np.float64(value).tobytes(), np.uint8)
        return float(np.asarray(broadcast_one_to_all(content)).view(np.float64)[0])


ALONE = Workers()  #: a run of one process


def use_local_devices() -> int:
    """Divides each batch among the devices of this machine, where Keras runs on JAX.

    Returns:
        how many devices take part: 1 on other backends.
    """
    prepare_environment()
    import keras

    if keras.backend.backend() != "jax" or len(keras.distribution.list_devices()) == 1:
        return 1
    _divide_batches()
    return _device_count()


def require_jax() -> None:
    """Raises InstallationError unless Keras runs on JAX."""
    prepare_environment()
    import keras

    if keras.backend.backend() != "jax":
        raise InstallationError(
            "several workers train together on JAX only, but Keras runs on "
            f"{keras.backend.backend()}; set KERAS_BACKEND=jax (pip install 'tfrnnc[train-jax]')"
        )


@contextmanager
def joined(rendezvous: Rendezvous) -> Iterator[Workers]:
    """Joins JAX's processes to one, whose devices share each batch while the block runs.

    For programs only, which own their process. A worker of which another is lost, or whose block
    fails, cannot leave JAX in order: it ends with a message and exit code 1, worker 0 after its
    block and the others at once.

    Args:
        rendezvous: of the workers, which have all come.

    Yields:
        the workers, this one being one of them.

    Raises:
        ConfigError: if the workers have different numbers of devices.
    """
    import jax
    import keras

    jax.distributed.initialize(rendezvous.address, rendezvous.workers, rendezvous.worker)
    ending = threading.Timer(
        GRACE_SECONDS, _exit, ["a worker is lost, and its answer is still waited for"]
    )
    ending.daemon = True

    def lost(reason: str) -> None:
        if rendezvous.worker:
            _exit(reason)
        ending.start()

    rendezvous.watch(lost)
    try:
        _share_batches(rendezvous.workers)
        yield Workers(rendezvous.workers, rendezvous.worker)
    except AgreedStop:
        rendezvous.finish()
        raise
    except BaseException:
        rendezvous.fail()
        # Before JAX's own, which waits for the other workers and then ends by a signal.
        atexit.register(_exit)
        raise
    else:
        rendezvous.finish()
    finally:
        ending.cancel()
        keras.distribution.set_distribution(None)


class AgreedStop(Terminated):
    """All workers stop after the same batch, by the signal that one of them was sent."""


def _share_batches(workers: int) -> None:
    import jax

    if jax.device_count() != workers * jax.local_device_count():
        raise ConfigError(
            f"this worker has {jax.local_device_count()} devices, but the {workers} workers have "
            f"{jax.device_count()} in all; give each the same number"
        )
    _divide_batches()


def _divide_batches() -> None:
    """Has Keras divide each batch among all devices."""
    import keras

    keras.distribution.set_distribution(keras.distribution.DataParallel(auto_shard_dataset=False))


def _device_count() -> int:
    import keras

    distribution = keras.distribution.distribution()
    return 1 if distribution is None else int(distribution.device_mesh.devices.size)


def _exit(reason: str = "") -> NoReturn:
    """Ends the process at once, without JAX's own end."""
    with suppress(OSError, ValueError):
        if reason:
            print(f"error: {reason}", file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
    remove_temporary_files()
    os._exit(1)
