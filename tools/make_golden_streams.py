"""Writes the golden file of the stream format.

    python tools/make_golden_streams.py FILE

What is in `tests/golden` pins streams that exist: once released, it never changes. A new kind of
stream is added to it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from golden_streams import STRIDE, cases, describe, error_of, refused, small_model


def main(path: str) -> None:
    """Writes the file."""
    model = small_model()
    streams = cases(model)
    content = {
        "format_versions": [2, 3],
        "stride": STRIDE,
        "bits": model.bits,
        "entropy_model": model.to_bytes().hex(),
        "streams": [describe(name, stream, model) for name, stream in streams.items()],
        "refused": [
            {"name": name, "stream": stream.hex(), "error": error_of(stream, model)}
            for name, stream in refused(streams, model).items()
        ],
    }
    Path(path).write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
