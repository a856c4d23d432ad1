"""Goes through inputs that once broke something, and those that fuzzing starts from."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fuzz_target import GOLDEN, one_input

TOOLS = Path(__file__).parents[2] / "tools"
CORPUS = sorted((Path(__file__).parent / "corpus").iterdir())


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_what_once_broke_something(path):
    one_input(path.read_bytes())


def test_seeds(tmp_path):
    subprocess.run([sys.executable, TOOLS / "make_fuzz_seeds.py", tmp_path], check=True)
    seeds = sorted(tmp_path.iterdir())
    assert len(seeds) == 2 + 2 * len(GOLDEN["streams"])
    for seed in seeds:
        one_input(seed.read_bytes())
