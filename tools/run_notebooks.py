"""Runs notebooks from top to bottom and keeps what they show.

    python tools/run_notebooks.py [NOTEBOOK ...]

Without names all of them, in place. With TFRNNC_NOTEBOOKS=small in the environment they take
seconds, as the tests run them; what they then show is not worth keeping.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat

from notebook_runner import run

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def main(names: list[str]) -> None:
    """Runs notebooks in place."""
    for path in map(Path, names) if names else sorted(NOTEBOOKS.glob("*.ipynb")):
        print(f"running {path}", flush=True)
        nbformat.write(run(path), path)


if __name__ == "__main__":
    main(sys.argv[1:])
