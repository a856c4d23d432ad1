"""The notebooks run from top to bottom, and what they show is kept whole."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

import nbformat
import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
LARGEST = 1_500_000  # bytes


def load_runner():
    specification = importlib.util.spec_from_file_location("run_notebooks", FOLDER / "run.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def code_cells(notebook) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def check_outputs(notebook) -> None:
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    assert any("image/jpeg" in output.get("data", {}) for output in outputs)


def test_there_are_notebooks():
    assert len(NOTEBOOKS) >= 5


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path, monkeypatch):
    """At small settings, in seconds, and changes nothing in the notebook's own folder."""
    monkeypatch.setenv("TFRNNC_NOTEBOOKS", "small")
    before = sorted(FOLDER.iterdir())
    kept = path.read_bytes()
    check_outputs(load_runner().run(path))
    assert sorted(FOLDER.iterdir()) == before
    assert path.read_bytes() == kept


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_kept(path):
    """Every code cell ran, in order and without an error, and the file is small enough to load."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    check_outputs(notebook)
    warnings = [each for cell in code_cells(notebook) for each in cell.outputs]
    assert not [output for output in warnings if output.get("name") == "stderr"]
    assert path.stat().st_size < LARGEST
    (parameters,) = (
        cell for cell in code_cells(notebook) if "parameters" in cell.metadata.get("tags", [])
    )
    assert parameters is code_cells(notebook)[0]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_parameters_can_be_injected(path):
    """Only the first code cell sets them, so that a cell put behind it, as papermill does, wins."""
    first, *others = code_cells(nbformat.read(path, as_version=4))
    parameters = assigned(first.source)
    assert {"small"} < parameters
    for cell in others:
        assert not assigned(cell.source) & parameters
        assert "TFRNNC_NOTEBOOKS" not in cell.source


def assigned(source: str) -> set[str]:
    """The names that a cell's statements set, outside of its functions."""
    code = "\n".join(line for line in source.splitlines() if not line.startswith("%"))
    names = set()
    for statement in ast.parse(code).body:
        if not isinstance(statement, ast.FunctionDef | ast.ClassDef):
            names |= {
                node.id
                for node in ast.walk(statement)
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
            }
    return names
