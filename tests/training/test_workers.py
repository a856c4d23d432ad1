"""Two processes train one model, on JAX, and end where one process does."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from tfrnnc.errors import ConfigError
from tfrnnc.model_folder.file_names import (
    CHECKPOINT_FILE,
    ENTROPY_WEIGHTS_FILE,
    LOG_FILE,
    WEIGHTS_FILE,
)
from tfrnnc.training import workers as workers_module
from tfrnnc.training.callbacks import DeferredInterrupt
from tfrnnc.training.workers import ALONE, STOP_CHECK_BATCHES, AgreedStop, Workers

#: The command without TensorFlow, whose import takes longer than the training. `die_at` kills it
#: at the start of an epoch, as a machine would that loses its power.
COMMAND = """
import os, sys
sys.modules["tensorflow"] = None
from tfrnnc.backend import prepare_environment
prepare_environment()
from tfrnnc.training.callbacks import Validation
die_at = int(sys.argv.pop(1))
begin = Validation.on_epoch_begin
def on_epoch_begin(self, epoch, logs=None):
    if epoch == die_at:
        os.kill(os.getpid(), 9)
    begin(self, epoch, logs)
Validation.on_epoch_begin = on_epoch_begin
from tfrnnc.cli.train import main
main()
"""
CONFIG = {
    "arch": "conv_lstm",
    "encoder": ["conv_lstm 3x3/8 s4"],
    "bits": 4,
    "decoder": ["conv_lstm 3x3/8", "conv 3x3/48 linear", "depth_to_space 4"],
    "iterations": 2,
}
OPTIONS = [
    *("--epochs", "2", "--steps-per-epoch", "3", "--batch-size", "4", "--patch-size", "16"),
    *("--warmup-steps", "2", "--seed", "5", "--average", "0.9", "--loss", "rate-distortion"),
    *("--rate-delay", "1", "--cut-share", "0.5"),
]


#: Compiling takes nearly all the time: once, without what makes the code faster.
XLA_FLAGS = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
SECONDS = 1200  #: on a machine that has other work


@pytest.fixture(scope="module", autouse=True)
def compilation_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path_factory.mktemp("compiled")))
        yield


def start(*words, die_at=-1, devices=1, backend="jax"):
    environment = {
        **os.environ,
        "KERAS_BACKEND": backend,
        "XLA_FLAGS": f"{XLA_FLAGS} --xla_force_host_platform_device_count={devices}",
    }
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, str(die_at), *map(str, words)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def start_two(*words, second=(), dies=None):
    """Starts two workers, of which the one that `dies` names does so after the first epoch."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    place = ("--workers", 2, "--coordinator", address)
    own = [(), second]
    return [
        start(*words, *place, "--worker", index, *own[index], die_at=1 if index == dies else -1)
        for index in range(2)
    ]


def finish(*processes) -> list[str]:
    """Waits for processes that should succeed; returns what they printed."""
    printed = [process.communicate(timeout=SECONDS)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), printed
    return printed


def weights(folder: Path, name: str = WEIGHTS_FILE) -> dict[str, np.ndarray]:
    """All arrays in a file of weights, by their names."""
    found: dict[str, np.ndarray] = {}
    with h5py.File(folder / name) as file:

        def keep(key, item):
            if isinstance(item, h5py.Dataset):
                found[key] = np.asarray(item)

        file.visititems(keep)
    return found


def read_log(folder: Path) -> list[dict[str, float]]:
    with (folder / LOG_FILE).open(newline="") as file:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    return [{k: v for k, v in row.items() if k != "steps_per_second"} for row in rows]


def assert_alike(one: Path, other: Path) -> None:
    """Two runs have the same losses, rates and weights, to 1e-5.

    What is measured on pixels may differ by one that is rounded to the other side.
    """
    for row, expected_row in zip(read_log(one), read_log(other), strict=True):
        assert row.keys() == expected_row.keys()
        for key, value in expected_row.items():
            on_pixels = "psnr" in key or "ssim" in key
            assert row[key] == pytest.approx(value, abs=1e-3 if on_pixels else 1e-5), key
    for name in (WEIGHTS_FILE, ENTROPY_WEIGHTS_FILE, CHECKPOINT_FILE):
        arrays, expected_arrays = weights(one, name), weights(other, name)
        assert arrays.keys() == expected_arrays.keys()
        for key, expected in expected_arrays.items():
            np.testing.assert_allclose(arrays[key], expected, atol=1e-5, err_msg=key)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory, image_folder):
    """The words of a run, and the folder that one process made with them."""
    folder = tmp_path_factory.mktemp("unbroken")
    config = folder / "config.json"
    config.write_text(json.dumps(CONFIG))
    words = ("--config", config, "--data", image_folder, *OPTIONS)
    finish(start(*words, "--output", folder / "run"))
    return words, folder / "run"


@pytest.mark.slow
@pytest.mark.parametrize("dies", [0, 1])
def test_two_workers_equal_one_process(unbroken, tmp_path, dies):
    """One of them is killed after an epoch, and both are resumed."""
    words, expected = unbroken
    run = tmp_path / "run"
    second = ("--output", tmp_path / "second")
    processes = start_two(*words, "--output", run, second=second, dies=dies)
    printed = [process.communicate(timeout=SECONDS)[0] for process in processes]
    assert processes[dies].returncode == -signal.SIGKILL
    assert processes[1 - dies].returncode == 1
    assert re.search(f"error: (worker {dies}|another worker) is lost", printed[1 - dies])
    assert len(read_log(run)) == 1

    printed, silent = finish(*start_two("--resume", run))
    assert "11 images to train on, 1 to measure on" in printed
    assert "epoch" not in silent
    assert_alike(run, expected)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


@pytest.mark.slow
def test_two_devices_equal_one(unbroken, tmp_path):
    words, expected = unbroken
    finish(start(*words, "--output", tmp_path, devices=2))
    assert_alike(tmp_path, expected)


def test_other_settings_of_a_worker_are_named(image_folder, tmp_path):
    config = tmp_path / "config.json"
    config.write_text(json.dumps(CONFIG))
    words = ("--config", config, "--data", image_folder, *OPTIONS, "--output", tmp_path / "run")
    for process in start_two(*words, second=["--batch-size", 8]):
        printed = process.communicate(timeout=SECONDS)[0]
        assert process.returncode == 1
        assert "worker 1 was started with other settings than worker 0" in printed
        assert "batch_size is 8 instead of 4" in printed
        assert "Traceback" not in printed
    assert not (tmp_path / "run").exists()


class Asked(Workers):
    """Two workers, of which the other one was asked to stop after a number of agreements."""

    left = 2

    def max(self, number):
        Asked.left -= 1
        return max(number, signal.SIGTERM if Asked.left < 0 else 0)


def test_workers_stop_after_the_same_batch():
    """Whoever was asked: they agree on it every few batches and after an epoch."""
    interrupt = DeferredInterrupt(Asked(2))
    for batch in range(2 * STOP_CHECK_BATCHES):
        interrupt.on_train_batch_end(batch)
    with pytest.raises(AgreedStop) as stop:
        interrupt.on_epoch_end(0)
    assert stop.value.number == signal.SIGTERM

    Asked.left = 2
    interrupt.requested = signal.SIGINT
    for batch in range(STOP_CHECK_BATCHES - 1):
        interrupt.on_train_batch_end(batch)
    with pytest.raises(AgreedStop) as stop:
        interrupt.on_train_batch_end(STOP_CHECK_BATCHES - 1)
    assert stop.value.number == signal.SIGINT


def test_a_batch_is_divided_without_rest(monkeypatch):
    assert ALONE.part(5) == slice(0, 5)
    assert [Workers(3, index).part(6) for index in range(3)] == [
        slice(0, 2),
        slice(2, 4),
        slice(4, 6),
    ]
    with pytest.raises(ConfigError, match="multiple of the 3 devices"):
        Workers(3, 1).part(8)
    monkeypatch.setattr(workers_module, "_device_count", lambda: 4)
    with pytest.raises(ConfigError, match="multiple of the 4 devices that share a batch, not 6"):
        Workers(2, 0).part(6)
