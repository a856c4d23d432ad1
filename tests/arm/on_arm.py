"""Runs a script of the repository, but only on a 64-bit ARM processor: on_arm.py SCRIPT [ARGS]."""

from __future__ import annotations

import platform
import runpy
import sys
from importlib.metadata import version
from pathlib import Path


def main() -> None:
    if platform.machine() != "aarch64":
        sys.exit(f"on_arm.py: this is {platform.machine()}, not aarch64; use tests/arm/run")
    if len(sys.argv) < 2:
        sys.exit("on_arm.py: which script? usage: on_arm.py SCRIPT [ARGS]")
    packages = ", ".join(f"{name} {version(name)}" for name in ("ai-edge-litert", "numpy"))
    print(f"{platform.machine()}, Python {platform.python_version()}, {packages}", flush=True)
    del sys.argv[0]
    sys.path[0] = str(Path(sys.argv[0]).parent)  # as if Python had been given the script
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
