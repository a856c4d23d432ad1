"""The part of a document that a script writes, between two lines that name the script."""

from __future__ import annotations

from pathlib import Path

import click

from tfrnnc.files import replacing


def markers(script: str) -> tuple[str, str]:
    """The lines before and after the part that a script of this folder writes."""
    begin, end = (f"<!-- written by benchmarks/{script}: {which} -->" for which in ("begin", "end"))
    return begin, end


def put_between_markers(text: str, script: str, tables: str) -> str:
    """Replaces the part of a script.

    Args:
        text: of the document.
        script: the script's file name.
        tables: Markdown that ends in a line break.

    Returns:
        the document's new text.

    Raises:
        click.UsageError: if the text does not have the markers once, in their order.
    """
    begin, end = markers(script)
    if not (text.count(begin) == text.count(end) == 1 and text.index(begin) < text.index(end)):
        raise click.UsageError(f"the file for the tables must have the lines {begin} and {end}")
    before, rest = text.split(begin)
    return f"{before}{begin}\n\n{tables}\n{end}{rest.split(end)[1]}"


def check_markers(document: Path, script: str) -> None:
    """Fails before hours of measuring rather than after them, as `put_between_markers` does."""
    put_between_markers(document.read_text(), script, "")


def write_part(document: Path, script: str, tables: str) -> None:
    """Replaces the part of a script in a document."""
    text = put_between_markers(document.read_text(), script, tables)
    with replacing(document) as temporary:
        temporary.write_text(text)
