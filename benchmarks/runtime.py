"""LiteRT against Keras: speed, memory, share of the CPU's peak, cold start.

    python benchmarks/runtime.py [--model NAME]... [--sizes WxH]... [--threads N]...
        [--images FOLDER]... [--repeats N] [--json FILE] [--markdown FILE]

Each runtime, size and number of threads has a process of its own. The processes of one size and
number of threads take turns, round by round, so that whatever else the machine does meets all of
them; medians over the rounds count. A product of two large matrices takes its turn too: it is the
peak that the model's speed is compared with. Large images are coded once, by one process after
the other, because they do not fit in memory together.
"""

from __future__ import annotations

import json
import os
import re
import resource
import selectors
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from PIL import Image

import tfrnnc
from machine import describe_machine, free_memory, load_average
from marked_part import check_markers, write_part
from runtime_tables import peak_key, threads_text, to_markdown
from tfrnnc.cli.common import command
from tfrnnc.cli.options import gathered
from tfrnnc.files import replacing
from tfrnnc.images import find_images
from tfrnnc.model_folder.presets import DEFAULT_PRESET, find_model

ROOT = Path(__file__).parents[1]
WORKER = Path(__file__).with_name("runtime_worker.py")
DEFAULT_PHOTO = ROOT / "examples" / "photos" / "coffee.png"
LARGE_PIXELS = 4_000_000  #: above it an image is large
PROFILED_PIXELS = 1_000_000  #: most pixels of the image on which operators are timed
FIGURES = (
    *(
        "encode_iteration_ms",
        "decode_iteration_ms",
        "encode_iteration_cpu_ms",
        "decode_iteration_cpu_ms",
    ),
    *("encode_s", "decode_s"),
)
TENSORFLOW_LOG = re.compile(r"[IW]\d{4} |\d{4}-\d\d-\d\d |WARNING: |To enable ")
GEMM_LIBRARIES = ("tensorflow", "numpy")


class Size(click.ParamType):
    """WIDTHxHEIGHT in pixels."""

    name = "WxH"

    def convert(self, value, param, ctx):
        if not isinstance(value, str):
            return value
        match = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", value, re.ASCII)
        if not match:
            self.fail(f"{value!r} is not like 768x512 (width x height)", param, ctx)
        return int(match[1]), int(match[2])


@dataclass(frozen=True)
class Options:
    """What is measured, and where the results go."""

    models: tuple[str, ...]
    sizes: tuple[tuple[int, int], ...]
    threads: tuple[int, ...]
    folders: tuple[Path, ...]
    repeats: int
    large_iterations: int
    pairs: int
    memory: float | None
    timeout: float
    json_file: Path | None
    markdown_file: Path | None


@command()
@gathered(
    Options,
    "options",
    click.option(
        "--model",
        "models",
        multiple=True,
        default=(DEFAULT_PRESET,),
        show_default=True,
        help="A preset or a folder, on LiteRT if it has TFLite files and on Keras if it has "
        "weights.",
    ),
    click.option(
        "--sizes",
        type=Size(),
        multiple=True,
        default=((32, 32), (768, 512), (4000, 3000)),
        show_default="32x32, 768x512, 4000x3000",
        help="Width and height in pixels.",
    ),
    click.option(
        "--threads", type=click.IntRange(1), multiple=True, default=(1, 2), show_default=True
    ),
    click.option(
        "--images",
        "folders",
        type=click.Path(file_okay=False, path_type=Path),
        multiple=True,
        help="Take an image of the right size from this folder; else an example photo is resized.",
    ),
    click.option(
        "--repeats",
        type=click.IntRange(1),
        default=5,
        show_default=True,
        help="Rounds for images that are not large.",
    ),
    click.option(
        "--large-iterations",
        type=click.IntRange(1),
        default=2,
        show_default=True,
        help="Iterations for images above 4 megapixels.",
    ),
    click.option(
        "--pairs",
        type=click.IntRange(0),
        default=40,
        show_default=True,
        help="Pairs of cold starts.",
    ),
    click.option(
        "--memory",
        type=click.FloatRange(0, min_open=True),
        help="Most memory of a process in GB; else 90 % of what is free.",
    ),
    click.option(
        "--timeout",
        type=click.FloatRange(0, min_open=True),
        default=1200.0,
        show_default=True,
        help="Most seconds of a round.",
    ),
    click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path)),
    click.option(
        "--markdown",
        "markdown_file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Put the tables into this file, between their markers.",
    ),
)
def main(options: Options) -> None:
    """Measure codecs on LiteRT and on Keras, and compare."""
    contenders = [
        {"model": model, "runtime": runtime}
        for model in options.models
        for runtime in runtimes_of(model)
    ]
    if options.markdown_file:
        check_markers(options.markdown_file, "runtime.py")
    report: dict[str, Any] = {"machine": describe_machine()}
    limit = int(1e9 * options.memory) if options.memory else free_memory()
    common = {"memory_limit": limit, "profile": False, "timeout": options.timeout}
    report["settings"] = {
        "repeats": options.repeats,
        "large_iterations": options.large_iterations,
        "memory_limit_gb": limit and round(limit / 1e9, 1),
        "timeout_s": options.timeout,
    }
    photos = {size: find_photo(options.folders, size) for size in options.sizes}
    # First, because a mistake in the installation shows itself here within seconds.
    report["cold_start"] = cold_start(options.pairs) if options.pairs else None
    report["results"], report["gemm"] = [], []
    for width, height in options.sizes:
        large = width * height > LARGE_PIXELS
        for count in options.threads:
            _say(f"{width}x{height}, {threads_text(count)}")
            settings = {
                **common,
                "threads": count,
                "width": width,
                "height": height,
                "image": str(photos[width, height]),
                "most_iterations": options.large_iterations if large else 255,
                "warm_up": not large,
            }
            gemm, results = measure(settings, contenders, 1 if large else options.repeats, large)
            report["gemm"].append(gemm)
            report["results"] += results
    report["profile"] = profile(common, contenders, options.sizes, min(options.threads), photos)
    compare(report)
    report["machine"]["load_at_end"] = load_average()

    tables = to_markdown(report)
    click.echo(tables)
    if options.json_file:
        with replacing(options.json_file) as temporary:
            temporary.write_text(json.dumps(report, indent=2) + "\n")
    if options.markdown_file:
        write_part(options.markdown_file, "runtime.py", tables)


# Measuring.


class DidNotFinish(Exception):
    """A contender's process failed, or took too much time or memory."""


class Worker:
    """A contender's process; see `runtime_worker.py`.

    Args:
        settings: as JSON the last argument of the command.
        command: what runs.
    """

    def __init__(
        self, settings: dict[str, Any], command: Sequence[str] = (sys.executable, str(WORKER))
    ):
        self._timeout = settings["timeout"]
        limit = settings["memory_limit"]
        # Libraries seldom say that memory was what they lacked.
        self._limited = f"; its memory was limited to {limit / 1e9:.1f} GB" if limit else ""
        threads = str(settings["threads"])
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(
                [str(Path(tfrnnc.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
            ).rstrip(os.pathsep),
            **dict.fromkeys(
                ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"), threads
            ),
        }
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the process)
        self._process = subprocess.Popen(
            [*command, json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment,
        )
        assert self._process.stdin
        assert self._process.stdout
        self._questions, self._answers = self._process.stdin, self._process.stdout
        try:
            self.facts = self._answer()
        except DidNotFinish:
            self.close()
            raise

    def ask(self, question: str) -> dict[str, Any]:
        """The answer to a question.

        Raises:
            DidNotFinish: with the reason.
        """
        try:
            self._questions.write(question.encode() + b"\n")
            self._questions.flush()
        except BrokenPipeError:
            raise DidNotFinish(self._end()) from None
        return self._answer()

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _answer(self) -> dict[str, Any]:
        with selectors.DefaultSelector() as selector:
            selector.register(self._answers, selectors.EVENT_READ)
            if not selector.select(self._timeout):
                raise DidNotFinish(f"took more than {self._timeout:g} s")
        line = self._answers.readline()
        if not line:
            raise DidNotFinish(self._end())
        answer = json.loads(line)
        if "error" in answer:
            raise DidNotFinish(answer["error"] + self._limited)
        return answer

    def _end(self) -> str:
        """How the process ended, with its last words."""
        code = self._process.wait()
        how = f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        words = [line.strip() for line in lines if not TENSORFLOW_LOG.match(line)]
        return how + (f" ({words[-1][:200]})" if words else "") + self._limited


def measure(
    settings: dict[str, Any], contenders: list[dict[str, str]], rounds: int, alone: bool
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Measures all contenders at one size and number of threads.

    Args:
        settings: of `runtime_worker.py`, without the contender.
        contenders: model and runtime of each.
        rounds: how often each has its turn.
        alone: whether each has a process only while it is its turn.

    Returns:
        the speed of the faster library's matrix product, and the results of the contenders.
    """
    entries: list[dict[str, Any]] = [{"library": library} for library in GEMM_LIBRARIES]
    entries += contenders
    samples: list[list[dict[str, Any]]] = [[] for _ in entries]
    facts: list[dict[str, Any]] = [{} for _ in entries]
    with ExitStack() as stack:
        workers: dict[int, Worker] = {}
        for number in range(rounds):
            for i, entry in enumerate(entries):
                if "did_not_finish" in facts[i]:
                    continue
                try:
                    if i not in workers:
                        workers[i] = stack.enter_context(Worker({**settings, **entry}))
                        facts[i] = workers[i].facts
                    samples[i].append(workers[i].ask("round"))
                except DidNotFinish as reason:
                    facts[i] = {"did_not_finish": str(reason)}
                    _say(f"  {' '.join(entry.values())}: did not finish: {reason}")
                if alone and i in workers:
                    workers.pop(i).close()
            _say(f"  round {number + 1} of {rounds}")
    size = {key: settings[key] for key in ("width", "height", "threads")}
    products = [
        {
            **size,
            **entry,
            **{key: _spread([sample[key] for sample in found]) for key in ("gflops", "cpu_gflops")},
        }
        for entry, found in zip(entries, samples, strict=True)
        if "library" in entry and found
    ]
    speed = peak_key(settings["threads"])
    gemm = max(products, key=lambda product: product[speed]["median"], default=dict(size))
    results = []
    for entry, fact, found in zip(entries, facts, samples, strict=True):
        if "library" not in entry:
            results.append({**entry, **size, "image": Path(settings["image"]).name, **fact})
            if "did_not_finish" not in fact:
                results[-1].update(_figures(found, settings["width"] * settings["height"]))
    return gemm, results


def _figures(samples: list[dict[str, Any]], pixels: int) -> dict[str, Any]:
    figures: dict[str, Any] = {"rounds": len(samples)}
    for key in FIGURES:
        if key in samples[0]:
            figures[key] = _spread([sample[key] for sample in samples])
    for kind in ("encode", "decode"):
        figures[f"{kind}_mp_per_s"] = pixels / 1e6 / figures[f"{kind}_s"]["median"]
    figures["memory_mb"] = samples[0]["memory_mb"]
    return figures


def compare(report: dict[str, Any]) -> None:
    """Adds what follows from the measurements of several contenders.

    `multiplications` of an encode and a decode iteration, `gflops` and `share_of_gemm`, with one
    thread of CPU time, which other programs do not lengthen, else by the clock; and
    `times_keras`: how many times as fast as Keras on the same model it is, or, if that has no
    weights, on the first model that has some.
    """
    finished = [result for result in report["results"] if "did_not_finish" not in result]
    keras: dict[tuple, dict[str, Any]] = {}
    for result in finished:
        if result["runtime"] == "keras":
            keras[(*_case(result), result["model"])] = result
            keras.setdefault(_case(result), result)
    gemm = {_case(product): product for product in report["gemm"]}
    for result in finished:
        rival = keras.get((*_case(result), result["model"]))
        count = rival["multiplications"] if rival else _count_ops(result, report["profile"])
        if count and "encode_iteration_ms" in result:
            result["multiplications"] = count
            cpu = "cpu_" if result["threads"] == 1 else ""
            result["gflops"] = {
                kind: 2e-6 * count[kind] / result[f"{kind}_iteration_{cpu}ms"]["median"]
                for kind in count
            }
            if peak := gemm[_case(result)].get(peak_key(result["threads"])):
                result["share_of_gemm"] = {
                    kind: speed / peak["median"] for kind, speed in result["gflops"].items()
                }
        if rival := rival or keras.get(_case(result)):
            result["times_keras"] = {
                figure: rival[figure]["median"] / result[figure]["median"]
                for figure in FIGURES
                if figure in rival and figure in result
            }


def _case(result: dict[str, Any]) -> tuple[int, int, int]:
    return result["width"], result["height"], result["threads"]


def _count_ops(result: dict[str, Any], profiles: list[dict[str, Any]]) -> dict[str, int] | None:
    """Multiplications of a model without weights for Keras, from those of its operators.

    They grow with the area, padded to a multiple of the stride.
    """

    def area(size: dict[str, Any]) -> int:
        stride = result["stride"]
        return -(-size["width"] // stride) * -(-size["height"] // stride)

    for entry in profiles:
        if entry["model"] == result["model"] and "ops" in entry.get("encode", {}):
            return {
                kind: sum(op["multiplications"] for op in entry[kind].get("ops", ()))
                * area(result)
                // area(entry)
                for kind in ("encode", "decode")
            }
    return None


def profile(common, contenders, sizes, threads, photos) -> list[dict[str, Any]]:
    """Where LiteRT's time goes, on the largest image that is not too large."""
    fitting = [size for size in sizes if size[0] * size[1] <= PROFILED_PIXELS]
    if not fitting:
        return []
    width, height = max(fitting, key=lambda size: size[0] * size[1])
    results = []
    for contender in contenders:
        if contender["runtime"] != "litert":
            continue
        _say(f"operators of {contender['model']} at {width}x{height}")
        size = {"width": width, "height": height, "threads": threads}
        settings = {
            **common,
            **contender,
            **size,
            "image": str(photos[width, height]),
            "most_iterations": 1,
            "warm_up": True,
            "profile": True,
        }
        entry: dict[str, Any] = {"model": contender["model"], **size}
        try:
            with Worker(settings) as worker:
                entry.update(worker.ask("profile"))
        except DidNotFinish as reason:
            entry["did_not_finish"] = str(reason)
        results.append(entry)
    return results


def cold_start(pairs: int) -> dict[str, Any]:
    """Whole processes in turn: decoding a file of 32x32 pixels, and importing NumPy and Pillow."""
    program = Path(sys.executable).with_name("tfrnnc-decode")
    decode = [str(program)]
    if not program.is_file():
        decode = [sys.executable, "-c", "from tfrnnc.cli.decode import main; main()"]
    _say(f"{pairs} pairs of cold starts")
    milliseconds: dict[str, list[float]] = {"decode": [], "imports": []}
    cpu_milliseconds: dict[str, list[float]] = {"decode": [], "imports": []}
    with tempfile.TemporaryDirectory() as folder:
        stream = Path(folder) / "photo.rnnc"
        with Image.open(DEFAULT_PHOTO) as photo:
            stream.write_bytes(tfrnnc.load().encode(photo.convert("RGB").resize((32, 32))))
        commands = {
            "decode": [*decode, "--quiet", str(stream), str(Path(folder) / "photo.png")],
            "imports": [sys.executable, "-c", "import numpy, PIL.Image"],
        }
        for number in range(pairs + 1):
            for name, arguments in commands.items():
                start, start_cpu = time.perf_counter(), _cpu_of_children()
                subprocess.run(arguments, check=True)
                if number:  # The first pair brings the files into the cache.
                    milliseconds[name].append(1000 * (time.perf_counter() - start))
                    cpu_milliseconds[name].append(1000 * (_cpu_of_children() - start_cpu))
    facts: dict[str, Any] = {
        "pairs": pairs,
        "command": "tfrnnc-decode" if program.is_file() else "tfrnnc.cli.decode",
    }
    for unit, columns in (("ms", milliseconds), ("cpu_ms", cpu_milliseconds)):
        differences = [a - b for a, b in zip(columns["decode"], columns["imports"], strict=True)]
        for name, values in {**columns, "difference": differences}.items():
            facts[f"{name}_{unit}"] = _spread(values)
    return facts


def _cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


# What is measured, and on what.


def runtimes_of(model: str) -> list[str]:
    """The runtimes that a preset or folder can be run with."""
    folder = find_model(model)
    usable = {"litert": folder.is_exported, "keras": folder.has_config}
    if not any(usable.values()):
        raise click.UsageError(f"{model} holds no model")
    return [runtime for runtime, is_usable in usable.items() if is_usable]


def find_photo(folders: tuple[Path, ...], size: tuple[int, int]) -> Path:
    """The first image of that width and height in the folders, or a photo to be resized."""
    for folder in folders:
        for path in find_images(folder):
            with Image.open(path) as image:
                if image.size == size:
                    return path
    return DEFAULT_PHOTO


def _spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


def _say(line: str) -> None:
    click.echo(line, err=True)


if __name__ == "__main__":
    main()
