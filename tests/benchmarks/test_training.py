"""The script that measures training runs and its report is whole. Nothing is timed here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from marked_part import markers
from training import QUARTER, layout, ratios, to_markdown

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"

BEGIN, END = markers("training.py")


def run(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, BENCHMARKS / "training.py", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},  # The package beside the script.
    )


def test_report_without_pytorch(tmp_path):
    document, report_file = tmp_path / "tables.md", tmp_path / "report.json"
    document.write_text(f"before\n{BEGIN}\nto be replaced\n{END}\nafter\n")
    options = ["--layout", "small", "--iterations", 1, "--threads", 1, "--rounds", 1]
    options += ["--json", report_file, "--markdown", document]
    for batch_size in (3, 2):
        done = run(*options, "--batch-size", batch_size, "--add")
        assert done.returncode == 0, done.stderr
    report = json.loads(report_file.read_text())
    assert [case["batch_size"] for case in report["cases"]] == [2, 3]
    for case in report["cases"]:
        assert 34e6 < case["multiplications"] < 35e6  # What the class says of its layout.
        assert case["gemm_gflops"] > 0
        (result,) = case["results"]
        assert result["framework"] == "tfrnnc"
        assert result["parameters"] == 1_299_640
        assert len(result["rounds"]) == 1
        assert 0 < result["import_mb"] < result["memory_mb"]
        for figure in ("patches_per_s", "cpu_ms_per_patch", "share_of_gemm", "first_batch_s"):
            assert result[figure] > 0
    text = document.read_text()
    assert text.startswith(f"before\n{BEGIN}\n")
    assert text.endswith(f"\n{END}\nafter\n")
    assert "to be replaced" not in text
    assert "| small | 1 | 3 | 1 | tfrnnc |" in text


def test_wrong_usage(tmp_path):
    (tmp_path / "tables.md").write_text("no place for tables\n")
    assert run("--markdown", tmp_path / "tables.md").returncode == 2
    assert run("--layout", "paper").returncode == 2


def test_a_quarter_of_the_width():
    quarter = layout(QUARTER)
    assert quarter["encoder"][:2] == ["conv 3x3/16 s2", "conv_lstm 3x3/64 s2"]
    assert quarter["decoder"][-2:] == ["depth_to_space 2", "conv 1x1/3"]
    assert quarter["bits"] == 32


def test_compared_with_the_faster_rival():
    def result(framework, patches, cpu_ms, **others):
        return {
            **{"framework": framework, "dtype": "float32", "version": "1", "memory_mb": 1.0},
            **{"patches_per_s": patches, "cpu_ms_per_patch": cpu_ms, "share_of_gemm": 0.5},
            **{"import_s": 1.0, "build_s": 1.0, "first_batch_s": 1.0, **others},
        }

    results = [
        result("tfrnnc", 120.0, 20.0),
        result("torch", 60.0, 25.0, channels_last=False),
        result("torch", 80.0, 30.0, channels_last=True),
    ]
    assert ratios(results[0], results[1:]) == (1.5, 1.25)
    case = {
        "layout": "small",
        "iterations": 8,
        "batch_size": 32,
        "threads": 2,
        "load_at_start": 0.5,
    }
    machine = dict.fromkeys(["processor", "processor_model", "system", "python"], "x")
    text = to_markdown(
        {"machine": {**machine, "cores": 2}, "cases": [{**case, "results": results}]}
    )
    assert "| tfrnnc | 120 | 20.0 | 1.50 (1.25) | 50% |" in text
    assert "| PyTorch, channels last | 80 | 30.0 |  | 50% |" in text
