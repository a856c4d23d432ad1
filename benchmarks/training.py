"""Training: patches per second, memory and start-up, against the same layers in plain PyTorch.

    python benchmarks/training.py [--torch PYTHON] [--layout NAME]... [--iterations N]...
        [--batch-size N]... [--rounds N] [--add] [--json FILE] [--markdown FILE]

Each contender has a process of its own. Those of one layout, number of iterations and batch size
take turns, round by round, so that whatever else the machine does meets all of them; medians over
the rounds count. The product of two large matrices takes its turn too: it is the peak.

PYTHON is the interpreter of an environment that has PyTorch and NumPy. Before the first round the
PyTorch model is given the Keras model's weights, and must compute the same outputs and gradients.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import statistics
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from machine import describe_machine, load_average
from marked_part import check_markers, write_part
from runtime import Worker
from tfrnnc.cli.common import command
from tfrnnc.cli.options import gathered
from tfrnnc.files import replacing
from tfrnnc.models import ConvLSTM
from training_protocol import MATRIX_SIDE

HERE = Path(__file__).parent
QUARTER = "cvpr2017/4"
LAYOUTS = ("small", QUARTER)
TIMEOUT = 600.0  #: seconds for an answer
TOLERANCE = 1e-5  #: of outputs, and of gradients relative to their largest entry
GEMM = "gemm"


def quarter_width(layers) -> list[str]:
    """The layers with a quarter of the filters, except for the three channels of the picture."""

    def quarter(match: re.Match) -> str:
        filters = int(match[2])
        return f"{match[1]}{filters // 4 if filters > 3 else filters}"

    return [re.sub(r"(\d+x\d+/)(\d+)", quarter, line) for line in layers]


def layout(name: str) -> dict[str, Any]:
    """The arguments of a model by the name of its layout."""
    if name == QUARTER:
        full = ConvLSTM.layouts["cvpr2017"]
        return {
            "encoder": quarter_width(full.encoder),
            "bits": full.bits,
            "decoder": quarter_width(full.decoder),
        }
    known = ConvLSTM.layouts[name]
    return {"encoder": list(known.encoder), "bits": known.bits, "decoder": list(known.decoder)}


@dataclass(frozen=True)
class Options:
    """What is measured, and where the results go."""

    torch_python: Path | None
    layouts: tuple[str, ...]
    iterations: tuple[int, ...]
    batch_sizes: tuple[int, ...]
    dtypes: tuple[str, ...]
    threads: int
    rounds: int
    add: bool
    json_file: Path | None
    markdown_file: Path | None


@command()
@gathered(
    Options,
    "options",
    click.option(
        "--torch",
        "torch_python",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Python of an environment with PyTorch; without it only Keras is measured.",
    ),
    click.option(
        "--layout",
        "layouts",
        type=click.Choice(LAYOUTS),
        multiple=True,
        default=LAYOUTS,
        show_default=True,
    ),
    click.option(
        "--iterations", type=click.IntRange(1), multiple=True, default=(8, 16), show_default=True
    ),
    click.option(
        "--batch-size",
        "batch_sizes",
        type=click.IntRange(1),
        multiple=True,
        default=(16, 32, 64, 128),
        show_default=True,
    ),
    click.option(
        "--dtype",
        "dtypes",
        type=click.Choice(["float32", "bfloat16"]),
        multiple=True,
        default=("float32",),
        show_default=True,
        help="Of the arithmetic; weights are float32.",
    ),
    click.option(
        "--threads", type=click.IntRange(1), default=os.cpu_count(), show_default="all cores"
    ),
    click.option("--rounds", type=click.IntRange(1), default=5, show_default=True),
    click.option("--add", is_flag=True, help="Keep the other cases that the JSON file has."),
    click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path)),
    click.option(
        "--markdown", "markdown_file", type=click.Path(exists=True, dir_okay=False, path_type=Path)
    ),
)
def main(options: Options) -> None:
    """Measure the training of conv_lstm models."""
    if options.markdown_file:
        check_markers(options.markdown_file, "training.py")
    contenders = [{"framework": "tfrnnc", "dtype": dtype} for dtype in options.dtypes]
    if options.torch_python:
        contenders += [
            {"framework": "torch", "dtype": dtype, "channels_last": channels_last}
            for dtype in options.dtypes
            for channels_last in (False, True)
        ]
    contenders.append({"framework": GEMM, "dtype": "float32"})
    report = {"machine": describe_machine(), "cases": []}
    if options.add and options.json_file and options.json_file.is_file():
        report["cases"] = json.loads(options.json_file.read_text())["cases"]
    for name, number, batch_size in itertools.product(
        options.layouts, options.iterations, options.batch_sizes
    ):
        click.echo(f"{name}, {number} iterations, batches of {batch_size}", err=True)
        case = {
            "layout": name,
            "iterations": number,
            "batch_size": batch_size,
            "threads": options.threads,
        }
        settings = {**case, **layout(name), "timeout": TIMEOUT, "memory_limit": None}
        case["load_at_start"] = load_average()
        case.update(measure(settings, contenders, options.rounds, options.torch_python))
        kept = [each for each in report["cases"] if _key(each) != _key(case)]
        report["cases"] = sorted([*kept, case], key=_key)
        report["machine"]["load_at_end"] = load_average()
        if options.json_file:  # After each case, so that an interruption loses one only.
            with replacing(options.json_file) as temporary:
                temporary.write_text(json.dumps(report, indent=2) + "\n")
    tables = to_markdown(report)
    click.echo(tables)
    if options.markdown_file:
        write_part(options.markdown_file, "training.py", tables)


def _key(case) -> tuple:
    return LAYOUTS.index(case["layout"]), case["iterations"], case["batch_size"], case["threads"]


def measure(settings, contenders, rounds: int, torch_python: Path | None) -> dict[str, Any]:
    """Measures all contenders in one case; the report of it."""
    with ExitStack() as stack:
        workers = []
        for contender in contenders:
            is_torch = contender["framework"] == "torch"
            program = (
                [str(torch_python), str(HERE / "training_torch.py")]
                if is_torch
                else [sys.executable, str(HERE / "training_worker.py")]
            )
            workers.append(stack.enter_context(Worker({**settings, **contender}, program)))
        report: dict[str, Any] = {}
        if torch_python:
            report["differences"] = compare(contenders, workers)
        samples: list[list[dict]] = [[] for _ in workers]
        for _ in range(rounds):
            for worker, found in zip(workers, samples, strict=True):
                found.append(worker.ask(json.dumps(["round", None])))
    (peak,) = (
        found
        for contender, found in zip(contenders, samples, strict=True)
        if contender["framework"] == GEMM
    )
    # By CPU time, for which what else runs hardly counts.
    gemm_seconds = statistics.median(sample["cpu_seconds"] for sample in peak)
    multiplications = workers[0].facts["multiplications"]
    report["multiplications"] = multiplications
    report["gemm_gflops"] = settings["threads"] * 2e-9 * MATRIX_SIDE**3 / gemm_seconds
    report["results"] = []
    for contender, worker, found in zip(contenders, workers, samples, strict=True):
        if contender["framework"] == GEMM:
            continue
        seconds = statistics.median(sample["seconds"] for sample in found)
        cpu_seconds = statistics.median(sample["cpu_seconds"] for sample in found)
        batch_size = settings["batch_size"]
        # Forward once and backward twice, as is usual to count; a multiplication is two.
        operations = 2 * 3 * multiplications * batch_size
        report["results"].append(
            {
                **contender,
                "version": worker.facts["version"],
                "patches_per_s": batch_size / seconds,
                "cpu_ms_per_patch": 1000 * cpu_seconds / batch_size,
                "share_of_gemm": operations
                / cpu_seconds
                / (1e9 * report["gemm_gflops"] / settings["threads"]),
                "rounds": [batch_size / sample["seconds"] for sample in found],
                "memory_mb": found[-1]["memory_mb"],
                **{
                    key: worker.facts[key]
                    for key in ("import_s", "build_s", "first_batch_s", "import_mb", "parameters")
                },
            }
        )
    return report


def compare(contenders, workers) -> dict[str, float]:
    """Whether PyTorch computes what Keras does; the largest differences.

    Raises:
        click.ClickException: if they are more than rounding.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "keras.npz")
        pairs = list(zip(contenders, workers, strict=True))
        for contender, worker in pairs:
            if contender["framework"] == "tfrnnc" and contender["dtype"] == "float32":
                worker.ask(json.dumps(["save", file]))
        found = [
            worker.ask(json.dumps(["compare", file]))
            for contender, worker in pairs
            if contender["framework"] == "torch" and contender["dtype"] == "float32"
        ]
    worst = {key: max(each[key] for each in found) for key in ("outputs", "gradients")}
    if max(worst.values()) > TOLERANCE:
        raise click.ClickException(f"PyTorch computes something else than Keras: {worst}")
    return worst


# The tables.


def to_markdown(report) -> str:
    """The report as text and tables."""
    machine = report["machine"]
    versions = {
        result["framework"]: result["version"]
        for case in report["cases"]
        for result in case["results"]
    }
    text = (
        f"{machine['processor']} ({machine['processor_model']}), {machine['cores']} cores, "
        f"{machine['system']}; Python {machine['python']}, TensorFlow {versions['tfrnnc']}"
    )
    if "torch" in versions:
        text += f", PyTorch {versions['torch']}"
    loads = [case["load_at_start"] for case in report["cases"]]
    text += f". Load average before a case {min(loads)} to {max(loads)}."
    rows = [
        "| layout | iterations | batch | cores | contender | patches/s | CPU ms per patch | times "
        "PyTorch "
        "| of GEMM | memory, MB | import, s | first batch, s |",
        "|---" * 12 + "|",
    ]
    for case in report["cases"]:
        rivals = [result for result in case["results"] if result["framework"] == "torch"]
        for result in case["results"]:
            same = [rival for rival in rivals if rival["dtype"] == result["dtype"]]
            times = ""
            if result["framework"] == "tfrnnc" and same:
                by_clock, by_cpu = ratios(result, same)
                times = f"{by_clock:.2f} ({by_cpu:.2f})"
            rows.append(
                f"| {case['layout']} | {case['iterations']} | {case['batch_size']} | "
                f"{case['threads']} "
                f"| {_name(result)} "
                f"| {result['patches_per_s']:.0f} | {result['cpu_ms_per_patch']:.1f} | {times} "
                f"| {result['share_of_gemm']:.0%} | {result['memory_mb']:.0f} "
                f"| {result['import_s']:.1f} | {result['build_s'] + result['first_batch_s']:.1f} |"
            )
    return text + "\n\n" + "\n".join(rows) + "\n"


def ratios(result, rivals) -> tuple[float, float]:
    """How many times as fast as the fastest rival: by the clock, and by CPU time."""
    return (
        result["patches_per_s"] / max(rival["patches_per_s"] for rival in rivals),
        min(rival["cpu_ms_per_patch"] for rival in rivals) / result["cpu_ms_per_patch"],
    )


def _name(result) -> str:
    name = {"tfrnnc": "tfrnnc", "torch": "PyTorch"}[result["framework"]]
    if result.get("channels_last"):
        name += ", channels last"
    return name if result["dtype"] == "float32" else f"{name}, {result['dtype']}"


if __name__ == "__main__":
    main()
