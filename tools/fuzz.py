"""Looks for bytes that break decoding, guided by coverage.

    python tools/fuzz.py [libFuzzer's options] [CORPUS...]

`make fuzz` installs atheris, which it needs (Linux, Python 3.11 or later), and calls it. An input
that breaks something is written as `crash-*`; once it is mended, it belongs in `tests/fuzz/corpus`,
which the tests go through.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    import atheris

    with atheris.instrument_imports(include=["tfrnnc"]):
        from fuzz_target import one_input
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
