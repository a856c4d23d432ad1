"""Runs notebooks from top to bottom and keeps what they show.

    python notebooks/run.py [NOTEBOOK ...]

Without names all of them, in place. With TFRNNC_NOTEBOOKS=small in the environment they take
seconds, as the tests run them; what they then show is not worth keeping.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parent


def run(path: Path) -> nbformat.NotebookNode:
    """A notebook with the outputs of a new run.

    Args:
        path: of the notebook; its folder is where the code runs.

    Raises:
        nbclient.exceptions.CellExecutionError: if a cell fails.
    """
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.pop("widgets", None)
    # Times and the widgets' state would differ at each run, and say nothing on a page.
    client = NotebookClient(
        notebook,
        timeout=3600,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=False,
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.execute()
    # The versions of Python and of its tools are no part of a notebook either.
    notebook.metadata["language_info"] = {"name": "python"}
    return notebook


def main(names: list[str]) -> None:
    """Runs notebooks in place."""
    for path in map(Path, names) if names else sorted(FOLDER.glob("*.ipynb")):
        print(f"running {path}", flush=True)
        nbformat.write(run(path), path)


if __name__ == "__main__":
    main(sys.argv[1:])
