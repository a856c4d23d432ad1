"""The notebooks run from top to bottom, and what they show is kept whole."""

from __future__ import annotations

import ast
import base64
import io
from pathlib import Path

import nbformat
import numpy as np
import pytest
from PIL import Image

from notebook_runner import compact, is_native_message, run

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
LARGEST = 500_000  # bytes
FIGURES = {"image/jpeg", "image/png"}


def code_cells(notebook) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def check_outputs(notebook) -> None:
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    assert any(FIGURES & output.get("data", {}).keys() for output in outputs)


def test_there_are_notebooks():
    assert len(NOTEBOOKS) >= 5


def test_figures_are_kept_small():
    """Noise as JPEG; what has few colours as PNG, whose every pixel is right."""
    random = np.random.default_rng(0)
    plane = 255 * random.integers(0, 2, (8, 8)).repeat(16, 0).repeat(16, 1).astype(np.uint8)
    noise = random.integers(0, 256, (128, 128, 3)).astype(np.uint8)
    for pixels, expected in ((plane, "image/png"), (noise, "image/jpeg")):
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG")
        ((kind, data),) = compact(file.getvalue()).items()
        kept = Image.open(io.BytesIO(base64.b64decode(data)))
        assert kind == expected == kept.get_format_mimetype()
        assert kept.size == (128, 128)
        if kind == "image/png":
            assert (np.asarray(kept.convert("L")) == pixels).all()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path, monkeypatch):
    """At small settings, in seconds, and changes nothing in the notebook's own folder."""
    monkeypatch.setenv("TFRNNC_NOTEBOOKS", "small")
    before = sorted(FOLDER.iterdir())
    kept = path.read_bytes()
    check_outputs(run(path))
    assert sorted(FOLDER.iterdir()) == before
    assert path.read_bytes() == kept


def test_start_up_messages_are_not_kept():
    message = "INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n"
    assert is_native_message({"name": "stderr", "text": message})
    assert not is_native_message({"name": "stderr", "text": f"{message}UserWarning: look\n"})
    assert not is_native_message({"name": "stdout", "text": message})
    assert not is_native_message({"data": {"image/png": ""}})


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
