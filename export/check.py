"""Checks the files in this folder against their golden vectors, without TensorFlow.

    python export/check.py [PATTERN]

takes the folders whose names match, such as "*_32x32", or all. Bits and streams must be the same,
pictures the same to a grey level. Exit code 1 if they are not.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from tfrnnc.bitstream import pack_plane
from tfrnnc.codec import Codec
from tfrnnc.images import read_image
from tfrnnc.model_folder.model_folder import ModelFolder
from tfrnnc.runtimes.litert_runtime import LiteRTRuntime

HERE = Path(__file__).parent


def main(pattern: str = "*") -> int:
    """Checks the folders that match; returns the number of vectors that differ."""
    failures = checked = 0
    for path in sorted(HERE.glob(f"*/{pattern}/golden/golden.json")):
        folder = path.parents[1]
        codec = Codec(LiteRTRuntime(folder), ModelFolder(folder).read_entropy_model())
        for entry in json.loads(path.read_text()):
            bits, levels, same_stream = compare(codec, path.parent, entry)
            failed = bits > 0 or levels > 1 or not same_stream
            print(
                f"{path.parents[1].relative_to(HERE)} {entry['name']}: {bits} bits differ, "
                f"pictures by {levels} grey levels, the stream is "
                f"{'the same' if same_stream else 'another'}{' - FAILED' if failed else ''}"
            )
            failures += failed
            checked += 1
    if not checked:
        print(f"{HERE}: no golden vectors in {pattern}; run make export", file=sys.stderr)
        return 1
    print(f"{checked - failures} of {checked} golden vectors are right")
    return failures


def compare(codec: Codec, golden: Path, entry: dict) -> tuple[int, int, bool]:
    """Bits that differ in encoding, levels in decoding, and whether the stream is the same."""
    image = read_image(golden / f"{entry['name']}.png")
    expected_pictures = np.split(
        read_image(golden / f"{entry['name']}_steps.png"), len(entry["bits"])
    )
    bits = 0
    for (plane, _), expected in zip(codec.encode_iterations(image), entry["bits"], strict=True):
        found = np.frombuffer(pack_plane(plane), np.uint8)
        differing = found ^ np.frombuffer(bytes.fromhex(expected), np.uint8)
        bits += int(np.unpackbits(differing).sum())
    stream = (golden / f"{entry['name']}.rnnc").read_bytes()
    levels = max(
        int(np.abs(picture.astype(int) - expected).max())
        for picture, expected in zip(
            codec.decode_progressive(stream), expected_pictures, strict=True
        )
    )
    return bits, levels, codec.encode(image) == stream


if __name__ == "__main__":
    sys.exit(min(main(*sys.argv[1:2]), 1))
