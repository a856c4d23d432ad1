"""The measuring script runs and its report is whole. Nothing is timed here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from ai_edge_litert.interpreter import Interpreter

from marked_part import markers, put_between_markers
from multiplications import stage_multiplications
from op_times import op_times
from runtime_tables import to_markdown
from runtime_worker import CodecContender
from tfrnnc.codec import strips
from tfrnnc.model_folder.presets import DEFAULT_PRESET, find_model
from tfrnnc.models.stage import Stage

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"
PHOTO = ROOT / "examples" / "photos" / "coffee.png"
BEGIN, END = markers("runtime.py")


@pytest.mark.parametrize(
    ("layout", "channels", "expected"),
    [
        (["conv 3x3/8 s2"], 3, 12 * 3 * 3 * 3 * 8),
        (["conv 1x1/5 linear", "conv 3x3/2 s2"], 3, 48 * 3 * 5 + 12 * 9 * 5 * 2),
        (["deconv 2x2/7 s2"], 4, 48 * 4 * 4 * 7),
        (["conv_lstm 3x3/6 s2"], 3, 12 * (9 * 3 + 6) * 4 * 6),
        (["conv_lstm 3x3/6 h3"], 3, 48 * (9 * 3 + 9 * 6) * 4 * 6),
        (["deconv_lstm 2x2/5 s2"], 3, 48 * 4 * 3 * 20 + 192 * 5 * 20),
        (["space_to_depth 2", "dense 10", "lstm 4"], 3, 12 * (12 * 10 + 10 * 16 + 4 * 16)),
        (["depth_to_space 2", "conv 1x1/3"], 8, 192 * 2 * 3),
    ],
)
def test_multiplications_by_hand(layout, channels, expected):
    """On a grid of 6x8 locations."""
    stage = Stage(layout)
    stage.build((None, None, None, channels))
    assert stage_multiplications(stage, 6, 8) == expected


def test_weights_of_8_bits_are_constants():
    """Not tensors to be computed: convolutions with such kernels run on slow code."""
    content = (find_model(DEFAULT_PRESET).path / "encoder_1.tflite").read_bytes()
    strides = {3: 1, 64: 4, 160: 8}  # of the inputs, by their channels
    inputs = Interpreter(model_content=content).get_input_details()
    shapes = {}
    for details in inputs:
        channels = int(details["shape"][3])
        shapes[details["index"]] = (1, *[32 // strides[channels]] * 2, channels)
    ops = op_times(content, shapes, threads=1, repeats=1)
    kinds = [op["kind"] for op in ops]
    assert kinds.count("CONV_2D") == 6
    assert "DEQUANTIZE" not in kinds


def run(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, BENCHMARKS / "runtime.py", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},  # The package beside the script.
    )


@pytest.fixture(scope="module")
def models(tiny_model_folder, tmp_path_factory) -> tuple[Path, Path]:
    """Weights with TFLite files, and TFLite files alone."""
    from tfrnnc.export.tflite import export_tflite
    from tfrnnc.model_folder.keras_model import load_model, save_model

    model = load_model(tiny_model_folder)
    both, exported = (tmp_path_factory.mktemp(name) for name in ("both", "exported"))
    save_model(model, both)
    export_tflite(model, both)
    export_tflite(model, exported)
    return both, exported


def test_report(models, tmp_path):
    document = tmp_path / "tables.md"
    document.write_text(f"before\n{BEGIN}\nto be replaced\n{END}\nafter\n")
    options = ["--sizes", "20x12", "--threads", 1, "--repeats", 2, "--pairs", 1]
    options += ["--json", tmp_path / "report.json", "--markdown", document]
    done = run("--model", models[0], "--model", models[1], *options)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "report.json").read_text())

    assert {"processor", "instruction_sets", "cores", "system", "packages"} <= set(
        report["machine"]
    )
    assert [(Path(each["model"]), each["runtime"]) for each in report["results"]] == [
        (models[0], "litert"),
        (models[0], "keras"),
        (models[1], "litert"),
    ]
    # By hand for the tiny conv_lstm on 24x16 pixels: see TINY_LAYOUTS in conftest.py.
    encode = 96 * 9 * 3 * 4 + 24 * (9 * 4 + 6) * 24 + 6 * (9 * 6 + 8) * 32 + 6 * 8 * 8
    decode = 6 * (9 * 8 + 8) * 32 + 24 * 9 * 2 * 48
    for result in report["results"]:
        assert (result["width"], result["height"], result["threads"]) == (20, 12, 1)
        assert (result["iterations"], result["rounds"]) == (3, 2)
        assert result["multiplications"] == {"encode": encode, "decode": decode}
        for figure in ("encode_iteration_ms", "decode_iteration_ms", "encode_s", "decode_s"):
            spread = result[figure]
            assert 0 < spread["least"] <= spread["median"] <= spread["most"]
            assert result["times_keras"][figure] > 0
        assert len(result["times_keras"]) == 6
        memory = result["memory_mb"]
        assert 0 < memory["loaded"] <= memory["decode"] <= memory["encode"]
        assert set(result["gflops"]) == set(result["share_of_gemm"]) == {"encode", "decode"}
    assert report["gemm"][0]["gflops"]["median"] > 0
    assert len(report["profile"]) == 2
    for entry in report["profile"]:
        for kind, multiplications in (("encode", encode), ("decode", decode)):
            facts = entry[kind]
            parts = ("inputs_ms", "invoke_ms", "outputs_ms", "rest_ms")
            assert all(0 < facts[part] < facts["iteration_ms"] for part in parts)
            assert facts["invokes"] == 1
            assert sum(op["multiplications"] for op in facts["ops"]) == multiplications
            assert all(op["ms"] > 0 for op in facts["ops"])
            assert {"CONV_2D", "LOGISTIC"} <= {op["kind"] for op in facts["ops"]}
    assert report["cold_start"]["pairs"] == 1

    text = document.read_text()
    assert text.startswith(f"before\n{BEGIN}\n")
    assert text.endswith(f"\n{END}\nafter\n")
    assert "to be replaced" not in text
    assert "### Cold start" in text
    assert str(models[0].parent) not in text


def test_iterations_of_strips_are_not_measured(monkeypatch):
    """They are not those of the image, and would look like a multiple of the CPU's peak."""
    settings = {"model": DEFAULT_PRESET, "runtime": "litert", "threads": 1, "profile": False}
    settings |= {"width": 192, "height": 96, "image": str(PHOTO), "warm_up": False}
    measured = {}
    for at_once in (192 * 96, 192 * 96 - 1):
        monkeypatch.setattr(strips, "MAX_PIXELS_AT_ONCE", at_once)
        contender = CodecContender({**settings, "most_iterations": 1})
        measured[at_once] = contender.round()
    whole, in_strips = measured.values()
    assert {"encode_s", "decode_s", "memory_mb"} <= in_strips.keys()
    assert {name for name in whole if "_iteration_" in name} == whole.keys() - in_strips.keys()
    tables = to_markdown(json.loads((ROOT / "docs" / "benchmarks.json").read_text()))
    _, iterations, images, peak, *_ = tables.split("\n### ")
    assert ["4000x3000" in each for each in (iterations, images, peak)] == [False, True, False]


def test_what_does_not_finish_is_reported(models, tmp_path):
    options = ["--sizes", "8x8", "--threads", 1, "--repeats", 1, "--pairs", 0]
    done = run("--model", models[1], *options, "--timeout", 1e-3, "--json", tmp_path / "r.json")
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "r.json").read_text())
    assert [each["did_not_finish"] for each in report["results"]] == ["took more than 0.001 s"]
    assert "did not finish: took more than 0.001 s" in done.stdout


@pytest.mark.parametrize("text", ["", BEGIN, f"{END}\n{BEGIN}", f"{BEGIN}{END}{BEGIN}{END}"])
def test_markers_are_needed(text):
    with pytest.raises(click.UsageError):
        put_between_markers(text, "runtime.py", "tables")


def test_wrong_usage(tmp_path):
    (tmp_path / "empty").mkdir()
    assert run("--model", tmp_path / "empty").returncode == 2
    assert run("--sizes", "large").returncode == 2
