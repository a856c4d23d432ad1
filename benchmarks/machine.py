"""The machine that a measurement was made on."""

from __future__ import annotations

import os
import platform
import re
from importlib import metadata
from pathlib import Path
from typing import Any

INSTRUCTION_SETS = (
    *("sse4_2", "avx", "fma", "avx2", "avx_vnni", "avx512f", "avx512bw", "avx512_vnni"),
    *("avx512_bf16", "amx_int8", "amx_bf16", "asimd", "asimddp", "i8mm", "bf16", "sve"),
)
PACKAGES = ("tfrnnc", "numpy", "ai-edge-litert", "tensorflow", "keras", "Pillow")


def describe_machine() -> dict[str, Any]:
    """Processor, memory, operating system, versions, and how busy it is."""
    text = ""
    if (path := Path("/proc/cpuinfo")).is_file():
        text = path.read_text()
    facts: dict[str, str] = dict(re.findall(r"^([^\t\n]+?)\s*: (.*)$", text, re.M))
    flags = facts.get("flags", facts.get("Features", "")).split()
    try:
        system = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        system = platform.system()
    model = "family {cpu family}, model {model}".format_map(facts) if "model" in facts else ""
    return {
        "processor": facts.get("model name", platform.processor() or "unknown"),
        "processor_model": model,
        "architecture": platform.machine(),
        "instruction_sets": [name for name in INSTRUCTION_SETS if name in flags],
        "cores": os.cpu_count(),
        "memory_gb": _total_memory(),
        "system": f"{system}, {platform.system()} {_kernel()}",
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "load_at_start": load_average(),
    }


def _kernel() -> str:
    """The first two numbers of the kernel's version; what follows is the distributor's."""
    return ".".join(platform.release().split(".")[:2])


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def load_average() -> float | None:
    """Processes that were running or waiting in the last minute, on average."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def _meminfo() -> dict[str, int]:
    path = Path("/proc/meminfo")
    text = path.read_text() if path.is_file() else ""
    return {
        name: 1024 * int(value) for name, value in re.findall(r"^(\w+):\s+(\d+) kB", text, re.M)
    }


def _total_memory() -> float | None:
    total = _meminfo().get("MemTotal")
    return total and round(total / 1e9, 1)


def free_memory() -> int | None:
    """Bytes that a new process may take, with a tenth left over; None if unknown."""
    available = _meminfo().get("MemAvailable")
    return available and int(0.9 * available)
