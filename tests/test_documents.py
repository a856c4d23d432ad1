"""What the documents show is true."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from tfrnnc.bitstream import Header, read_planes

ROOT = Path(__file__).parents[1]


def code_blocks(document: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / document).read_text(), re.M | re.S)


def test_example_of_the_format():
    (example,) = (block for block in code_blocks("docs/FORMAT.md", "") if "magic" in block)
    stream = bytes.fromhex("".join(re.findall(r"^((?:[0-9a-f]{2} )+)", example, re.M)))
    header, planes = read_planes(stream)
    assert header == Header(bytes.fromhex("c0ffee01"), 10, 5, 8, 3, 2)
    assert planes[0].tolist() == [[[True, False, True], [True, False, True]]]
    assert planes[1].tolist() == [[[False, False, False], [True, False, True]]]


@pytest.mark.parametrize("block", code_blocks("README.md", "python"))
def test_python_in_the_readme_runs(block, monkeypatch):
    monkeypatch.chdir(ROOT)
    exec(compile(block, "README.md", "exec"), {})


@pytest.mark.parametrize("document", ["README.md", "docs/EVALUATION.md", "docs/EXPORT.md"])
def test_commands_in_the_documents_exist(document):
    for block in code_blocks(document, ""):
        for name, options in re.findall(r"^tfrnnc-(\w+)([^#\n]*)", block, re.M):
            command = importlib.import_module(f"tfrnnc.cli.{name}").main
            known = {option for parameter in command.params for option in parameter.opts}
            for option in re.findall(r"--[a-z-]+", options):
                assert option in known, f"tfrnnc-{name} {option}"
