"""The recipes' commands exist, with the options that they are given; nothing is trained here."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RECIPES = sorted((ROOT / "recipes").glob("*.sh"))

#: Stands for each command: keeps the words that it was called with.
STUB = f"""#!{sys.executable}
import json, os, sys
with open(os.environ["CALLS"], "a") as file:
    file.write(json.dumps([os.path.basename(sys.argv[0]), *sys.argv[1:]]) + "\\n")
"""


@pytest.fixture
def run(tmp_path):
    """Runs a script with stubs for the commands, and returns what they were called with."""
    for name in ("tfrnnc-train", "tfrnnc-evaluate", "tfrnnc-export", "python"):
        stub = tmp_path / "bin" / name
        stub.parent.mkdir(exist_ok=True)
        stub.write_text(STUB)
        stub.chmod(0o755)
    (tmp_path / "data").mkdir()

    def call(*words) -> list[list[str]]:
        path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
        variables = {"PATH": path, "CALLS": tmp_path / "calls", "DATA": tmp_path / "data"}
        environment = {**os.environ, **{name: str(value) for name, value in variables.items()}}
        subprocess.run([*map(str, words)], check=True, env=environment)
        return [json.loads(line) for line in (tmp_path / "calls").read_text().splitlines()]

    return call


def check_options(name: str, *words: str) -> None:
    """Raises what click says of wrong options; Python's scripts must exist."""
    if name == "python":
        assert words[0] == "-m" or (ROOT / words[0]).is_file()
        return
    main = importlib.import_module(f"tfrnnc.cli.{name.removeprefix('tfrnnc-')}").main
    main.make_context(name, list(words))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.name)
def test_recipe(run, recipe):
    calls = run(recipe, "runs/mine")  # Some take the folder of the run.
    assert calls
    for call in calls:
        check_options(*call)


@pytest.mark.parametrize("name", ["runtime", "compression", "entropy", "adaptive"])
def test_benchmark(run, name):
    calls = run(ROOT / "benchmarks" / "run", name)
    for call in calls:
        check_options(*call)


@pytest.mark.parametrize("script", [*RECIPES, ROOT / "benchmarks" / "run"], ids=lambda p: p.name)
def test_without_data_it_says_what_is_missing(script):
    environment = {name: value for name, value in os.environ.items() if name != "DATA"}
    result = subprocess.run([script, "x"], capture_output=True, text=True, env=environment)
    assert result.returncode != 0
    assert "set DATA" in result.stderr
