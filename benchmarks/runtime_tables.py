"""The report of `benchmarks/runtime.py` as Markdown."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any


def to_markdown(report: dict[str, Any]) -> str:
    """The whole report as text and tables."""
    parts = [_machine_text(report), _iterations_table(report), _images_table(report)]
    parts.append(_peak_table(report))
    parts += [_profile_tables(entry) for entry in report["profile"]]
    if report["cold_start"]:
        parts.append(_cold_start_text(report["cold_start"]))
    return "\n\n".join(parts) + "\n"


def _machine_text(report) -> str:
    machine = report["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    details = ", ".join(
        [*filter(None, [machine["processor_model"]]), machine["architecture"]]
        + machine["instruction_sets"]
    )
    memory = f"{machine['memory_gb']:.0f} GB of memory, " if machine["memory_gb"] else ""
    limit = report["settings"]["memory_limit_gb"]
    limited = f" Processes were limited to {limit} GB of memory." if limit else ""
    return (
        f"{machine['processor']} ({details}), {machine['cores']} cores, {memory}"
        f"{machine['system']}; Python {machine['python']}, {packages}. "
        f"Load average {machine['load_at_start']} before, {machine['load_at_end']} after."
        f"{limited}"
    )


def _rows(results, figures) -> list[list]:
    """A row for each result: what was measured, and its figures or why there are none."""
    rows = []
    for result in results:
        row = [_size(result), result["threads"], _contender(result)]
        if "did_not_finish" in result:
            rows.append([*row, f"did not finish: {result['did_not_finish']}"])
        else:
            rows.append([*row, *figures(result)])
    return rows


def _iterations_table(report) -> str:
    def figures(result):
        for kind in ("encode", "decode"):
            yield _range(result[f"{kind}_iteration_ms"])
            yield _times(result, f"{kind}_iteration_ms")

    head = ["pixels", "threads", "model", "encode iteration, ms", "x Keras"]
    head += ["decode iteration, ms", "x Keras"]
    # Those of images that are computed in strips are not measured.
    results = [
        result
        for result in report["results"]
        if "did_not_finish" in result or "encode_iteration_ms" in result
    ]
    return f"### One iteration\n\n{_table(head, _rows(results, figures))}"


def _peak_table(report) -> str:
    gemm = {(each["width"], each["height"], each["threads"]): each for each in report["gemm"]}
    rows = []
    for result in report["results"]:
        if "gflops" not in result:
            continue
        product = gemm[result["width"], result["height"], result["threads"]]
        row = [_size(result), result["threads"], _contender(result)]
        for kind in ("encode", "decode"):
            row.append(_range(result[f"{kind}_iteration_cpu_ms"]))
            row.append(_times(result, f"{kind}_iteration_cpu_ms"))
            row.append(_number(result["gflops"][kind]))
            row.append(_percent(result.get("share_of_gemm", {}).get(kind)))
        row.append(_range(product.get(peak_key(result["threads"]))))
        rows.append(row)
    head = ["pixels", "threads", "model", "encode iteration, CPU ms", "x Keras"]
    head += [
        "GFLOP/s",
        "of GEMM",
        "decode iteration, CPU ms",
        "x Keras",
        "GFLOP/s",
        "of GEMM",
        "GEMM, GFLOP/s",
    ]
    return f"### Share of the CPU's peak\n\n{_table(head, rows)}"


def _images_table(report) -> str:
    def figures(result):
        yield result["iterations"]
        yield result["rounds"]
        for kind in ("encode", "decode"):
            yield _range(result[f"{kind}_s"])
            yield _number(result[f"{kind}_mp_per_s"])
            yield _times(result, f"{kind}_s")
        for when in ("loaded", "decode", "encode"):
            yield f"{result['memory_mb'][when]:,.0f}"

    head = ["pixels", "threads", "model", "iterations", "rounds", "encode, s", "MP/s", "x Keras"]
    head += ["decode, s", "MP/s", "x Keras", "memory, MB: loaded", "decode", "encode"]
    return f"### Whole images\n\n{_table(head, _rows(report['results'], figures))}"


def _profile_tables(entry) -> str:
    what = f"{Path(entry['model']).name}, {_size(entry)}, {threads_text(entry['threads'])}"
    title = f"### Where the time goes: {what}"
    if "did_not_finish" in entry:
        return f"{title}\n\nDid not finish: {entry['did_not_finish']}"
    tables = []
    for kind in ("encode", "decode"):
        facts = entry[kind]
        labels = {
            "inputs": "setting inputs",
            "invoke": f"invoke ({facts['invokes']})",
            "outputs": "getting outputs",
            "rest": "NumPy and Python",
        }
        rows = [
            [
                label,
                _number(facts[f"{part}_ms"]),
                "",
                _percent(facts[f"{part}_ms"] / facts["iteration_ms"]),
            ]
            for part, label in labels.items()
        ]
        if "ops" in facts:
            rows += _op_rows(facts)
        head = [
            f"{kind} iteration",
            f"{_number(facts['iteration_ms'])} ms",
            "GFLOP/s",
            "of the iteration",
        ]
        tables.append(_table(head, rows))
        if "ops_missing" in facts:
            tables.append(f"No times of operators: {facts['ops_missing']}")
    return "\n\n".join([title, *tables])


def _op_rows(facts) -> list[list[str]]:
    """What has kernels one by one, the rest by its kind, and how the sum compares."""
    groups: dict[str, dict[str, Any]] = {}
    for op in facts["ops"]:
        name = op["name"] if op["multiplications"] else op["kind"]
        group = groups.setdefault(name, {"ms": 0.0, "count": 0, "multiplications": 0})
        for key in group:
            group[key] += op[key]
    rows = []
    for name, group in sorted(groups.items(), key=lambda item: -item[1]["ms"]):
        speed = _number(2e-6 * group["multiplications"] / group["ms"])
        rows.append(
            [
                f"alone: {name}" + (f" ({group['count']})" if group["count"] > 1 else ""),
                _number(group["ms"]),
                speed if group["multiplications"] else "",
                _percent(group["ms"] / facts["iteration_ms"]),
            ]
        )
    total = sum(group["ms"] for group in groups.values())
    rows.append(["alone: sum", _number(total), "", _percent(total / facts["iteration_ms"])])
    return rows


def _cold_start_text(facts) -> str:
    labels = {
        "decode": f"`{facts['command']}` of 32x32 pixels",
        "imports": "`python -c 'import numpy, PIL.Image'`",
        "difference": "difference within a pair",
    }
    rows = [
        [label, _range(facts[f"{name}_ms"]), _range(facts[f"{name}_cpu_ms"])]
        for name, label in labels.items()
    ]
    head = [f"{facts['pairs']} pairs", "ms", "CPU ms"]
    return f"### Cold start\n\n{_table(head, rows)}"


def _table(head: list, rows: list[list]) -> str:
    lines = io.StringIO()
    for row in (head, ["---"] * len(head), *rows):
        cells = [str(cell).replace("|", "/") for cell in row] + [""] * (len(head) - len(row))
        lines.write(f"| {' | '.join(cells)} |\n")
    return lines.getvalue().rstrip("\n")


def _contender(result) -> str:
    return f"{Path(result['model']).name}, {'Keras' if result['runtime'] == 'keras' else 'LiteRT'}"


def _size(result) -> str:
    return f"{result['width']}x{result['height']}"


def peak_key(threads: int) -> str:
    """What the report calls the speed of a matrix product that shares are taken of."""
    return "cpu_gflops" if threads == 1 else "gflops"


def threads_text(count: int) -> str:
    """A number of threads as people read it."""
    return "1 thread" if count == 1 else f"{count} threads"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _range(spread: dict[str, float] | None) -> str:
    if spread is None:
        return ""
    if spread["least"] == spread["most"]:
        return _number(spread["median"])
    return f"{_number(spread['median'])} ({_number(spread['least'])}-{_number(spread['most'])})"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.0f} %"


def _times(result, figure: str) -> str:
    if result["runtime"] == "keras" or "times_keras" not in result:
        return ""
    return f"{result['times_keras'][figure]:.2f}"
