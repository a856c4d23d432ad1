"""A hook of mkdocs.yml: notebooks' formulas as MathML, which browsers draw without scripts."""

from __future__ import annotations

import html
import re
from typing import Any

from latex2mathml.converter import convert

NOT_PROSE = re.compile(r"(<(pre|code|script|style)\b.*?</\2>)", re.DOTALL)
FORMULA = re.compile(r"\$\$(?P<block>.+?)\$\$|\$(?P<inline>[^$\n]+)\$", re.DOTALL)
NUMBER = re.compile(r"\\tag\{(.*?)\}")


def on_page_content(content: str, page: Any, **_: Any) -> str:
    """Called by MkDocs with the HTML of each page."""
    return with_mathml(content) if page.file.src_uri.endswith(".ipynb") else content


def with_mathml(content: str) -> str:
    """The HTML of a notebook with its formulas as MathML; code stays as it is."""
    parts = NOT_PROSE.split(content)
    # Three parts in turn: prose, a whole element that is no prose, and the element's name.
    return "".join(
        FORMULA.sub(mathml, prose) + element
        for prose, element in zip(parts[::3], [*parts[1::3], ""], strict=True)
    )


def mathml(formula: re.Match) -> str:
    """A formula in LaTeX as MathML; one that stands alone can have a number."""
    if formula["inline"]:
        return convert(html.unescape(formula["inline"]))
    latex = html.unescape(formula["block"])
    number = NUMBER.search(latex)
    label = f"<span>({html.escape(number[1])})</span>" if number else ""
    drawn = convert(NUMBER.sub("", latex).strip(), display="block")
    return f'<span class="formula">{drawn}{label}</span>'
