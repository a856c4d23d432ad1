"""Runs a notebook from top to bottom and keeps what it shows, in few bytes."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

JPEG_QUALITY = 60
NATIVE_MESSAGE = re.compile(
    r"INFO: Created TensorFlow Lite|[IW]\d{4} |WARNING: All log messages before absl"
)


def run(path: Path) -> nbformat.NotebookNode:
    """A notebook with the outputs of a new run, and its figures in few bytes.

    Args:
        path: of the notebook; its folder is where the code runs.

    Raises:
        nbclient.exceptions.CellExecutionError: if a cell fails.
    """
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.pop("widgets", None)
    # Times, the widgets' state and where a text is cut would differ at each run, and say nothing.
    client = NotebookClient(
        notebook,
        timeout=3600,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.execute()
    for cell in notebook.cells:
        if "outputs" in cell:
            cell.outputs = [output for output in cell.outputs if not is_native_message(output)]
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                output.data |= compact(base64.b64decode(output.data.pop("image/png")))
    # The versions of Python and of its tools are no part of a notebook either.
    notebook.metadata["language_info"] = {"name": "python"}
    return notebook


def is_native_message(output: dict) -> bool:
    """Whether an output is only what TensorFlow and LiteRT print when they start."""
    lines = output.get("text", "").splitlines() if output.get("name") == "stderr" else []
    return bool(lines) and all(NATIVE_MESSAGE.match(line) for line in lines)


def compact(png: bytes) -> dict[str, str]:
    """A figure as PNG of 256 colours or as JPEG, by type, in base64: the smaller one.

    That is the PNG for most curves and for bit planes, which lose next to nothing, and the JPEG for
    photos.
    """
    figure = Image.open(io.BytesIO(png)).convert("RGB")
    few, photo = io.BytesIO(), io.BytesIO()
    figure.quantize(256, dither=Image.Dither.NONE).save(few, "PNG", optimize=True)
    figure.save(photo, "JPEG", quality=JPEG_QUALITY, optimize=True, progressive=True)
    files = {"image/png": few.getvalue(), "image/jpeg": photo.getvalue()}
    kind = min(files, key=lambda kind: len(files[kind]))
    return {kind: base64.b64encode(files[kind]).decode()}
