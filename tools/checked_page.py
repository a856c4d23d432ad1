"""What the generators of pages share."""

from __future__ import annotations

import sys
from pathlib import Path

from tfrnnc.files import replacing


def write_or_check(path: Path, text: str) -> bool:
    """Writes a page; with `--check` on the command line, compares it with the file only.

    Args:
        path: of the page.
        text: that it should have.

    Returns:
        whether it was written.

    Raises:
        SystemExit: if `--check` finds another text; the exit code is 1.
    """
    if sys.argv[1:] == ["--check"]:
        if not path.is_file() or path.read_text() != text:
            sys.exit(f"{path} is out of date; run python {sys.argv[0]}")
        return False
    if sys.argv[1:]:
        sys.exit(f"{sys.argv[0]} takes nothing but --check")
    with replacing(path) as temporary:
        temporary.write_text(text)
    return True


def between_markers(text: str, script: str, part: str) -> str:
    """Replaces the part of a page that a script writes, between two lines that name the script.

    Args:
        text: of the page.
        script: the script's path in the repository.
        part: Markdown.

    Raises:
        SystemExit: if the text does not have the two lines.
    """
    begin, end = (f"<!-- written by {script}: {which} -->" for which in ("begin", "end"))
    before, _, rest = text.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise SystemExit(f"the page must have the lines {begin} and {end}")
    return f"{before}{begin}\n\n{part}\n\n{end}{after}"
