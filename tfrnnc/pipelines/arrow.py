"""PyArrow, which is an optional dependency, imported when it is needed."""

from __future__ import annotations

import importlib
from typing import Any

from tfrnnc.errors import InstallationError


def import_arrow(name: str) -> Any:
    """A module of PyArrow.

    Args:
        name: of the module, as in "pyarrow.parquet".

    Raises:
        InstallationError: if PyArrow is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise InstallationError(
            "shards are Parquet files, which need PyArrow; pip install 'tfrnnc[shards]'"
        ) from error
