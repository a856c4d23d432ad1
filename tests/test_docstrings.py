"""Docstrings are Google's style, so that every tool reads them without help."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "tfrnnc"
DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def docstrings(source: str) -> Iterator[tuple[str, str]]:
    """Names and docstrings of a module and of all that is in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, DOCUMENTED) and (text := ast.get_docstring(node)):
            yield getattr(node, "name", "the module"), text


def faults(text: str) -> list[str]:
    """What is not Google's style in a docstring."""
    found = []
    section = ""
    for line in inspect.cleandoc(text).splitlines():
        if line and not line.startswith(" "):
            section = line
        if line.lstrip().startswith(">>> ") and (section != "Examples:" or line[0] != " "):
            found.append("a doctest that is not indented under Examples:")
        if re.fullmatch(r" *Example:", line):
            found.append("Example: instead of Examples:")
    if re.fullmatch(r"As (for )?`[^`]*`\.?", text.strip()):
        found.append("nothing but a reference")
    return found


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_docstrings(path):
    for name, text in docstrings(path.read_text()):
        assert faults(text) == [], name


@pytest.mark.parametrize(
    "text",
    [
        "Adds.\n\n>>> 1 + 1\n2",
        "Adds.\n\nExample:\n    >>> 1 + 1\n    2",
        "Adds.\n\nExamples:\n>>> 1 + 1\n2",
        "Adds.\n\nArgs:\n    >>> 1 + 1\n    2",
        "As `Adder.add`.",
    ],
)
def test_faults_would_be_found(text):
    assert faults(text)
    assert not faults("Adds.\n\nExamples:\n    >>> 1 + 1\n    2\n\n    >>> 2 + 2\n    4")
