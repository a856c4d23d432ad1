"""A tiny model, and thumbnails."""

from __future__ import annotations

from pathlib import Path

import pytest

import tfrnnc
from helpers.models import write_tiny_model
from helpers.thumbnails import write_thumbnails


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory) -> Path:
    return write_tiny_model("fc", tmp_path_factory.mktemp("packing_model"))


@pytest.fixture(scope="session")
def codec(model_folder):
    return tfrnnc.load(model_folder, threads=1)


@pytest.fixture(scope="session")
def thumbnails(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("thumbnails") / "images"
    write_thumbnails(folder, 60)
    return folder


@pytest.fixture(scope="session")
def good_keys() -> set[str]:
    return {f"{'sub/' if index % 2 else ''}{index:05d}.png" for index in range(60)}


@pytest.fixture
def contents():
    """The content of each file in a folder, hidden ones too."""

    def read(folder: Path) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    return read
