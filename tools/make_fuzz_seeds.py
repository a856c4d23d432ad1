"""Writes what fuzzing starts from, the golden streams and their entropy model, into a folder.

python tools/make_fuzz_seeds.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

from fuzz_target import ENTROPY_MODEL, GOLDEN, MODEL, RAW, WITH_CHECK, WITH_HEADER
from tfrnnc.bitstream import read_header


def main(folder: str) -> None:
    """Writes the seeds."""
    seeds = {"model": bytes([ENTROPY_MODEL]) + MODEL.to_bytes()}
    seeds["model_without_check"] = bytes([WITH_CHECK]) + MODEL.to_bytes()[:-4]
    for number, entry in enumerate(GOLDEN["streams"]):
        stream = bytes.fromhex(entry["stream"])
        _, offset = read_header(stream)
        seeds[f"stream_{number}"] = bytes([RAW]) + stream
        fields = bytes(
            [stream[2], entry["width"] & 0x7F, entry["height"] & 0x7F, entry["iterations"]]
        )
        seeds[f"code_{number}"] = bytes([WITH_HEADER]) + fields + stream[offset:]
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name, seed in seeds.items():
        (Path(folder) / name).write_bytes(seed)


if __name__ == "__main__":
    main(*sys.argv[1:])
