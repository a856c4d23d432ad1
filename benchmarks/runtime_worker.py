"""One contender of `benchmarks/runtime.py`, in a process of its own.

It is given its settings as JSON, and then reads one question a line: `round`, `profile`. It
answers each with one line of JSON; the first line, unasked, says that it is ready.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import statistics
import sys
import time
from collections import Counter, defaultdict
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

MATRIX_SIDE = 2048
MATRIX_PRODUCTS = 3
ROUND_SECONDS = 0.5  #: small images are coded again and again for so long in each round
PROFILED_ITERATIONS = 5


def main() -> None:
    """Answers questions until there are no more."""
    # Libraries that print must not disturb the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    settings = json.loads(sys.argv[1])
    _limit_memory(settings["memory_limit"])
    try:
        contender = GemmContender(settings) if "library" in settings else CodecContender(settings)
        _answer(answers, contender.describe())
        for line in sys.stdin:
            _answer(answers, getattr(contender, line.strip())())
    except Exception as error:
        lines = str(error).strip().splitlines()
        _answer(answers, {"error": ": ".join([type(error).__name__, *lines[:1]])[:200]})


def peak_memory() -> float:
    """The most memory that this process has had resident so far, in MB."""
    status = Path("/proc/self/status")
    if status.is_file():
        # The same as ru_maxrss, but for what the process had of its parent when it was forked.
        (kilobytes,) = re.findall(r"^VmHWM:\s+(\d+) kB", status.read_text(), re.M)
        return 1024 * int(kilobytes) / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


class GemmContender:
    """The product of two square float32 matrices, by one library."""

    def __init__(self, settings: dict[str, Any]):
        threads = settings["threads"]
        matrix = np.random.default_rng(0).random((MATRIX_SIDE, MATRIX_SIDE), np.float32)
        if settings["library"] == "tensorflow":
            tf = _tensorflow(threads)
            tensor = tf.constant(matrix)
            self._multiply = lambda: tf.matmul(tensor, tensor).numpy()
        else:
            self._multiply = lambda: matrix @ matrix
        self._multiply()

    def describe(self) -> dict[str, Any]:
        return {}

    def round(self) -> dict[str, Any]:
        """Billions of float operations per second, by the clock and of CPU time.

        A multiply-accumulate is two.
        """
        samples = [_timed(self._multiply)[:2] for _ in range(MATRIX_PRODUCTS)]
        seconds, cpu_seconds = (statistics.median(column) for column in zip(*samples, strict=True))
        operations = 2e-9 * MATRIX_SIDE**3
        return {"gflops": operations / seconds, "cpu_gflops": operations / cpu_seconds}


class CodecContender:
    """A codec on one runtime with one image."""

    def __init__(self, settings: dict[str, Any]):
        self._settings = settings
        self._is_keras = settings["runtime"] == "keras"
        self._profiler = None
        if self._is_keras:
            _tensorflow(settings["threads"])
        elif settings["profile"]:
            self._profiler = LiteRTProfiler(settings["threads"])
        import tfrnnc
        from tfrnnc.codec.strips import takes_strips

        # Keras has no argument for it: its threads were set above.
        threads = {} if self._is_keras else {"threads": settings["threads"]}
        self._codec = tfrnnc.load(settings["model"], runtime=settings["runtime"], **threads)
        self._memory = {"loaded": peak_memory()}
        width, height = settings["width"], settings["height"]
        self._pixels = load_photo(settings["image"], width, height)
        self._iterations = min(self._codec.max_iterations, settings["most_iterations"])
        self._stream = self._random_stream(width, height)
        # An iteration of a strip is none of the image.
        self._in_strips = takes_strips(self._codec.runtime, self._pixels.shape)
        # For each iteration that ran, by whole images: seconds by the clock and of the CPUs.
        self._times: dict[str, list[list[tuple[float, float]]]] = {
            "encode_iteration": [],
            "decode_iteration": [],
        }
        for name in self._times:
            setattr(self._codec.runtime, name, self._clocked(name))

    def describe(self) -> dict[str, Any]:
        """Its stride, how many iterations it takes, and with Keras the multiplications of each."""
        facts: dict[str, Any] = {
            "stride": self._codec.runtime.stride,
            "iterations": self._iterations,
        }
        if self._is_keras:
            from multiplications import stage_multiplications

            model = self._codec.runtime.model
            height, width = (
                -(-self._settings[side] // model.stride) for side in ("height", "width")
            )
            pixels = (height * model.stride, width * model.stride)
            facts["multiplications"] = {
                "encode": stage_multiplications(model.encoders[0], *pixels),
                "decode": stage_multiplications(model.decoders[0], height, width),
            }
        return facts

    def round(self) -> dict[str, Any]:
        """Decodes and encodes; the first round of a small image begins with a warm-up.

        Decoding comes first, because the peak of the memory can only rise and encoding, which
        decodes as well, needs more.
        """
        if "decode" not in self._memory and self._settings["warm_up"]:
            self._decode()
        decode = self._repeat(self._decode, "decode")
        self._memory.setdefault("decode", peak_memory())
        if "encode" not in self._memory and self._settings["warm_up"]:
            self._encode()
        iterations = () if self._in_strips else tuple(self._times)
        encode = self._repeat(self._encode, "encode", iterations)
        self._memory.setdefault("encode", peak_memory())
        return {"memory_mb": self._memory, **decode, **encode}

    def profile(self) -> dict[str, Any]:
        """Where LiteRT's time goes: see `LiteRTProfiler`."""
        assert self._profiler is not None
        return {
            name.removesuffix("_iteration"): self._profiler.profile(self._one_iteration(name))
            for name in self._times
        }

    def _encode(self) -> None:
        # Without the entropy coder, as the stream that is decoded: it is the same for all runtimes.
        self._codec.encode(self._pixels, iterations=self._iterations, entropy_coding=False)

    def _decode(self) -> None:
        self._codec.decode(self._stream)

    def _repeat(self, run, name: str, iterations: tuple[str, ...] = ()) -> dict[str, float]:
        """Medians of a whole image and of iterations; the first, from zeros, is left out."""
        for times in self._times.values():
            times.clear()
        seconds: list[float] = []
        while not seconds or sum(seconds) < ROUND_SECONDS:
            for times in self._times.values():
                times.append([])
            seconds.append(_timed(run)[0])
        medians = {f"{name}_s": statistics.median(seconds)}
        for iteration in iterations:
            samples = [each for times in self._times[iteration] for each in times[1:] or times]
            seconds_of_iteration, cpu_seconds = (
                statistics.median(column) for column in zip(*samples, strict=True)
            )
            medians[f"{iteration}_ms"] = 1000 * seconds_of_iteration
            medians[f"{iteration}_cpu_ms"] = 1000 * cpu_seconds
        return medians

    def _clocked(self, name: str):
        function = getattr(self._codec.runtime, name)

        @wraps(function)
        def clocked(*arguments, **options):
            seconds, cpu_seconds, result = _timed(lambda: function(*arguments, **options))
            if self._times[name]:
                self._times[name][-1].append((seconds, cpu_seconds))
            return result

        return clocked

    def _one_iteration(self, name: str):
        """A function that runs one iteration with the states of the one before."""
        from tfrnnc.images import pad_to_multiple, to_float
        from tfrnnc.runtimes.runtime import binarize

        runtime = self._codec.runtime
        residual = to_float(pad_to_multiple(self._pixels, runtime.stride))
        logits, encoder_states = runtime.encode_iteration(residual, None, 0)
        plane = binarize(logits)
        picture, decoder_states = runtime.decode_iteration(plane, None, None, 0)
        if name == "encode_iteration":
            return lambda: runtime.encode_iteration(residual, encoder_states, 0)
        return lambda: runtime.decode_iteration(plane, decoder_states, picture, 0)

    def _random_stream(self, width: int, height: int) -> bytes:
        """A stream of random bits, which take as long to decode as any others."""
        from tfrnnc.bitstream import StreamWriter, as_plane

        runtime = self._codec.runtime
        spec = self._codec.spec.without_entropy_model()
        header = spec.header(width, height)
        random = np.random.default_rng(0)
        writer = StreamWriter(header, spec)
        shape = header.plane_shape(runtime.stride, runtime.bits)
        for _ in range(self._iterations):
            writer.add(as_plane(random.random(shape, np.float32) < 0.5))
        return writer.stream()


class LiteRTProfiler:
    """Times the calls of LiteRT's interpreter; made before any interpreter is."""

    PARTS = {"set_tensor": "inputs", "invoke": "invoke", "get_tensor": "outputs"}

    def __init__(self, threads: int):
        from ai_edge_litert.interpreter import Interpreter

        self._threads = threads
        # With one thread its processor's time, which other programs do not lengthen.
        self._clock = 1 if threads == 1 else 0
        self._seconds: dict[str, float] = defaultdict(float)
        self._contents: dict[int, bytes] = {}
        self._runs: Counter | None = None
        create = Interpreter.__init__

        @wraps(create)
        def created(interpreter, *arguments, **settings):
            create(interpreter, *arguments, **settings)
            content = settings.get("model_content")
            if content is None:
                content = Path(settings.get("model_path") or arguments[0]).read_bytes()
            self._contents[id(interpreter)] = content

        Interpreter.__init__ = created
        for method, part in self.PARTS.items():
            setattr(Interpreter, method, self._clocked(getattr(Interpreter, method), part))

    def profile(self, iteration) -> dict[str, Any]:
        """Milliseconds of an iteration, of its parts, and of each operator.

        Args:
            iteration: a function that runs it.

        Returns:
            `iteration_ms`; `inputs_ms`, `invoke_ms` and `outputs_ms`, what the interpreter's
            set_tensor, invoke and get_tensor take; `rest_ms`, all else, in NumPy and Python;
            `invokes`, their number; `ops`, as `op_times.op_times` gives them, summed up over
            the invokes, or `ops_missing`, why there are none.
        """
        iteration()
        samples = []
        for _ in range(PROFILED_ITERATIONS):
            self._seconds.clear()
            total = _timed(iteration)[self._clock]
            parts = {part: self._seconds[part] for part in self.PARTS.values()}
            samples.append({"iteration": total, **parts, "rest": total - sum(parts.values())})
        medians = {
            f"{part}_ms": 1000 * statistics.median(sample[part] for sample in samples)
            for part in samples[0]
        }
        self._runs = Counter()
        iteration()
        runs, self._runs = self._runs, None
        facts: dict[str, Any] = {**medians, "invokes": sum(runs.values())}
        try:
            facts["ops"] = self._ops(runs)
        except (ValueError, RuntimeError, KeyError, AttributeError, ImportError) as error:
            facts["ops_missing"] = f"{type(error).__name__}: {error}"
        return facts

    def _ops(self, runs: Counter) -> list[dict[str, Any]]:
        from op_times import op_times

        ops: dict[tuple[str, str], dict[str, Any]] = {}
        for (interpreter, shapes), count in runs.items():
            for op in op_times(self._contents[interpreter], dict(shapes), self._threads):
                entry = ops.setdefault(
                    (op["kind"], op["name"]),
                    {**op, "multiplications": 0, "ms": 0.0, "count": 0},
                )
                entry["multiplications"] += count * op["multiplications"]
                entry["ms"] += count * op["ms"]
                entry["count"] += count
        return list(ops.values())

    def _clocked(self, function, part: str):
        @wraps(function)
        def clocked(interpreter, *arguments, **settings):
            if part == "invoke" and self._runs is not None:
                shapes = tuple(
                    (details["index"], tuple(int(side) for side in details["shape"]))
                    for details in interpreter.get_input_details()
                )
                self._runs[id(interpreter), shapes] += 1
            *seconds, result = _timed(lambda: function(interpreter, *arguments, **settings))
            self._seconds[part] += seconds[self._clock]
            return result

        return clocked


def load_photo(path: str, width: int, height: int) -> np.ndarray:
    """A photo as uint8 (height, width, 3), resized if it has another size."""
    with Image.open(path) as image:
        photo = image.convert("RGB")
    if photo.size != (width, height):
        photo = photo.resize((width, height), Image.Resampling.BICUBIC)
    return np.array(photo)


def _tensorflow(threads: int):
    from tfrnnc.backend import require_tensorflow

    # Before TensorFlow's first use, and Keras uses it when it is imported.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    # Side by side, operators would take more threads than they were given.
    tf.config.threading.set_inter_op_parallelism_threads(1)
    require_tensorflow()
    return tf


def _limit_memory(limit: int | None) -> None:
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    # If the machine runs out nevertheless, this process is the one to go.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _timed(function) -> tuple[float, float, Any]:
    """Seconds by the clock, seconds of all CPUs, and the result."""
    start, start_cpu = time.perf_counter(), time.process_time()
    result = function()
    return time.perf_counter() - start, time.process_time() - start_cpu, result


def _answer(answers, facts: dict[str, Any]) -> None:
    answers.write(json.dumps(facts) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
