"""Runtimes are safe to share: between threads, and with the process that they are in."""

from __future__ import annotations

import gc
import os
import pickle
import shutil
import subprocess
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import tfrnnc
from tfrnnc.bitstream import StreamSpec
from tfrnnc.errors import ModelError, RunError
from tfrnnc.model_folder.presets import DEFAULT_PRESET, find_model
from tfrnnc.runtimes import litert_runtime
from tfrnnc.runtimes.interpreter import Interpreter
from tfrnnc.runtimes.interpreter_pool import KEPT_INTERPRETERS
from tfrnnc.runtimes.keras_runtime import KerasRuntime
from tfrnnc.runtimes.litert_runtime import LiteRTRuntime
from tfrnnc.runtimes.runtime import Runtime

THREADS = 8
SIZES = [(16, 24), (24, 16), (40, 40), (8, 8), (17, 33)]


def test_a_runtime_that_forgets_a_method_cannot_be_made():
    class Forgetful(Runtime):
        def encode_iteration(self, residual, states, iteration):
            return residual, states

    with pytest.raises(TypeError, match="decode_iteration"):
        Forgetful(
            StreamSpec(b"1234", stride=8, bits=1, iterations=1),
            reconstruction="additive",
            encoder_margin=0,
            decoder_margin=0,
        )


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_the_memory_of_a_large_image_goes_back_to_the_system():
    """What is freed is not the system's yet: without `trim_memory` half a gigabyte stays."""
    script = """
import numpy as np, tfrnnc
def pages():
    return int(open("/proc/self/statm").read().split()[1])
codec = tfrnnc.load()
codec.encode(np.zeros((64, 64, 3), np.uint8), iterations=1)
before = pages()
image = np.random.default_rng(0).integers(0, 256, (1200, 1600, 3), np.uint8)
for _ in range(2):
    codec.encode(image, iterations=1)
print(4096 * (pages() - before))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 150e6


@pytest.mark.parametrize("fixed", [False, True], ids=["any size", "windows"])
def test_threads_get_what_one_thread_gets(tiny_codec, noise, monkeypatch, fixed):
    """Each image is encoded and decoded, image sizes mixed, by threads that share a codec."""
    if fixed:  # All but the smallest images are computed in windows.
        monkeypatch.setattr(litert_runtime, "MAX_PIXELS_AT_ONCE", 400)
        monkeypatch.setattr(litert_runtime, "WINDOW_SIDE", 16)
    images = [noise(*SIZES[seed % len(SIZES)], seed) for seed in range(40)]

    def there_and_back(image):
        data = tiny_codec.encode(image)
        return data, tiny_codec.decode(data), tiny_codec.decode(data, 2)

    expected = [there_and_back(image) for image in images]
    with ThreadPoolExecutor(THREADS) as pool:
        for result, wanted in zip(pool.map(there_and_back, images), expected, strict=True):
            assert result[0] == wanted[0]
            for picture, wanted_picture in zip(result[1:], wanted[1:], strict=True):
                np.testing.assert_array_equal(picture, wanted_picture)


def test_pickling_before_and_after_use(tiny_codec, noise):
    image = noise(16, 24)
    unused = pickle.loads(pickle.dumps(tiny_codec))
    data = tiny_codec.encode(image)
    used = pickle.loads(pickle.dumps(tiny_codec))
    for codec in (unused, used):
        assert codec.encode(image) == data
        np.testing.assert_array_equal(codec.decode(data), tiny_codec.decode(data))
        assert codec.identity == tiny_codec.identity


def test_what_was_pickled_is_what_is_run(tiny_folder, noise, tmp_path):
    """The files are read again, and must be the same; Keras's weights are in the pickle."""
    folder = shutil.copytree(tiny_folder, tmp_path / "model")
    litert, keras = (pickle.dumps(tfrnnc.load(folder, runtime=r)) for r in ("litert", "keras"))
    (folder / "encoder_1.tflite").write_bytes(b"another")
    with pytest.raises(ModelError, match=r"encoder_1.tflite: damaged, or not the file"):
        pickle.loads(litert).encode(noise(8, 8))
    shutil.rmtree(folder)
    with pytest.raises(ModelError, match="encoder_1.tflite"):
        pickle.loads(litert).encode(noise(8, 8))
    pickle.loads(keras).encode(noise(8, 8))


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("tensor #7 failed to allocate")])
@pytest.mark.parametrize("large", [False, True], ids=["whole", "windows"])
def test_a_failed_allocation(tiny_folder, noise, monkeypatch, error, large):
    """It is said, and the codec goes on as if nothing had been."""
    from ai_edge_litert.interpreter import Interpreter as LiteRT

    codec = tfrnnc.load(tiny_folder)
    image = noise(40, 48)
    if large:
        monkeypatch.setattr(litert_runtime, "MAX_PIXELS_AT_ONCE", 400)
        monkeypatch.setattr(litert_runtime, "WINDOW_SIDE", 32)
    expected = tfrnnc.load(tiny_folder).encode(image)

    def fail(self):
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(LiteRT, "allocate_tensors", fail)
        with pytest.raises(RunError, match="encoder_1.tflite: cannot be run on an image of 40x48"):
            codec.encode(image)
    assert codec.encode(image) == expected
    calls = []

    def fail_later(self, *arguments):
        calls.append(arguments)
        if len(calls) > 3:
            raise error

    with monkeypatch.context() as patched:
        patched.setattr(LiteRT, "invoke", fail_later)
        with pytest.raises(RunError, match="cannot be run on an image of 40x48"):
            for _ in range(9):
                codec.encode(image)
    assert codec.encode(image) == expected


def test_keras_without_memory(tiny_model_folder, noise, monkeypatch):
    codec = tfrnnc.load(tiny_model_folder)
    expected = codec.encode(noise(8, 8))

    def fail(*arguments):
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(codec.runtime, "_encoders", [fail])
        with pytest.raises(RunError, match="too little memory for an image of 8x8 pixels"):
            codec.encode(noise(8, 8))
    assert codec.encode(noise(8, 8)) == expected


@pytest.fixture
def made(monkeypatch):
    """Interpreters as they are made, by weak references."""
    made = weakref.WeakSet()
    initialize = Interpreter.__init__

    def remember(self, *arguments):
        initialize(self, *arguments)
        made.add(self)

    monkeypatch.setattr(Interpreter, "__init__", remember)
    return made


def test_large_interpreters_live_as_long_as_their_image(tiny_folder, noise, made):
    codec = tfrnnc.load(tiny_folder, threads=1)
    files = {each.sha256 for each in codec.runtime._arguments[1].encoders}
    codec.encode(noise(16, 24), iterations=2)
    small = len(made)
    assert small in (2, 4)  # an encoder and a decoder, or of each iteration its own
    states = None
    residual = np.zeros((512, 520, 3), np.float32)
    for iteration in range(2):
        _, states = codec.runtime.encode_iteration(residual, states, iteration)
    large = [each for each in made if each.largest_pixels == 512 * 520]
    assert len(large) == 1  # made once, if the iterations share it
    assert len(files) == 1 or small == 4
    del states, large
    gc.collect()
    assert not [each for each in made if each.largest_pixels == 512 * 520]
    assert len(made) <= small


def test_what_is_kept_is_bounded(tiny_folder, noise, made):
    codec = tfrnnc.load(tiny_folder, threads=1)
    with ThreadPoolExecutor(3 * KEPT_INTERPRETERS) as pool:
        list(pool.map(codec.encode, [noise(64, 64)] * 9 * KEPT_INTERPRETERS))
    gc.collect()
    files = len(codec.runtime._encoders) + len(codec.runtime._decoders)
    assert len(made) <= KEPT_INTERPRETERS * files
    pixels = sum(each.largest_pixels for each in made)
    assert pixels <= min(litert_runtime.KEPT_PIXELS, files * litert_runtime.KEPT_PIXELS_OF_A_FILE)


def test_an_interpreter_is_used_again(tiny_folder, noise, made):
    codec = tfrnnc.load(tiny_folder)
    for size in SIZES * 2:
        codec.decode(codec.encode(noise(*size)))
    assert len(made) == len(codec.runtime._encoders) + len(codec.runtime._decoders)


IN_AN_ODD_PROCESS = """
import os, sys
sys.stderr = None
before = os.fstat(2)
import tempfile
def refuse(*arguments, **keywords):
    raise OSError("read-only")
for name in ("mkstemp", "mkdtemp", "TemporaryFile", "NamedTemporaryFile", "TemporaryDirectory"):
    setattr(tempfile, name, refuse)
os.dup = os.dup2 = refuse
import numpy as np, tfrnnc
codec = tfrnnc.load(sys.argv[1], runtime=sys.argv[2])
image = np.arange(24 * 32 * 3).reshape(24, 32, 3).astype(np.uint8)
data, picture, *_ = codec.encode_with_picture(image)
assert (codec.decode(data) == picture).all()
assert sys.stderr is None
after = os.fstat(2)
assert (before.st_dev, before.st_ino) == (after.st_dev, after.st_ino)
if sys.argv[2] == "litert":
    environment = dict(os.environ)
    assert environment == eval(sys.argv[3]), environment
"""


@pytest.mark.parametrize("runtime", ["litert", "keras"])
def test_the_process_is_left_alone(tiny_model_folder, runtime, tmp_path):
    """No temporary files, no standard error, file descriptor 2 and environment as they were."""
    folder = str(tiny_model_folder if runtime == "keras" else find_model(DEFAULT_PRESET))
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "LC_CTYPE": "C.UTF-8"}
    words = [sys.executable, "-c", IN_AN_ODD_PROCESS, folder, runtime, repr(environment)]
    result = subprocess.run(
        words, env=environment, capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert result.returncode == 0, result.stderr
    assert list(tmp_path.iterdir()) == []


def test_standard_error_may_be_closed():
    program = (
        "import os, sys; os.close(2); import numpy as np, tfrnnc; "
        "codec = tfrnnc.load(); codec.decode(codec.encode(np.zeros((8, 8, 3), 'u1')))"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_a_forked_process():
    """It has interpreters of its own; the threads of its parent's are not there."""
    program = (
        "import os, sys, numpy as np, tfrnnc\n"
        "codec = tfrnnc.load(threads=2)\n"
        "image = np.zeros((64, 64, 3), np.uint8)\n"
        "expected = codec.encode(image)\n"
        "if child := os.fork():\n"
        "    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
        "os._exit(codec.encode(image) != expected)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_both_runtimes_are_runtimes(tiny_folder):
    kinds = {"litert": LiteRTRuntime, "keras": KerasRuntime}
    for name, kind in kinds.items():
        assert isinstance(tfrnnc.load(tiny_folder, runtime=name).runtime, kind)
