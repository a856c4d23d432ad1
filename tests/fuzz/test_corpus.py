"""Goes through inputs that once broke something, and those that fuzzing starts from."""

from __future__ import annotations

from pathlib import Path

import pytest
from make_seeds import main as make_seeds
from target import GOLDEN, one_input

CORPUS = sorted((Path(__file__).parent / "corpus").iterdir())


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_what_once_broke_something(path):
    one_input(path.read_bytes())


def test_seeds(tmp_path):
    make_seeds(str(tmp_path))
    seeds = sorted(tmp_path.iterdir())
    assert len(seeds) == 2 + 2 * len(GOLDEN["streams"])
    for seed in seeds:
        one_input(seed.read_bytes())
