"""Shows the examples and the arguments in docstrings as what they are.

An extension of Griffe, which reads the docstrings for the site. It knows sections whose text is
indented; this package's examples are not. Keras's "Call arguments" are none of its sections, and
two names before one colon are one to it.
"""

from __future__ import annotations

import re

import griffe

_EXAMPLE = re.compile(r"(?:^Example:\n+)?((?:^>>> .*\n?)(?:^\S.*\n?|^ .*\n?)*)", re.M)
_SEVERAL_NAMES = re.compile(r"^( +)(\w+(?:, \w+)+): ((?:.*\n?)(?:^\1 +.*\n?)*)", re.M)
_CALL_ARGUMENTS = re.compile(r"^Call arguments:\n((?:^ +.*\n?)+)", re.M)


class DocstringExamples(griffe.Extension):
    """Rewrites each docstring once, before its sections are looked for."""

    def on_object(self, *, obj, **kwargs):
        """Called for every module, class, function and attribute."""
        if obj.docstring is not None:
            text = _CALL_ARGUMENTS.sub(_as_list, obj.docstring.value)
            text = _SEVERAL_NAMES.sub(_one_by_one, text)
            obj.docstring.value = _EXAMPLE.sub(_as_code, text)


def _one_by_one(match: re.Match) -> str:
    return "".join(f"{match[1]}{name}: {match[3].rstrip()}\n" for name in match[2].split(", "))


def _as_code(match: re.Match) -> str:
    return f"**Example:**\n\n```pycon\n{match[1].rstrip()}\n```\n"


def _as_list(match: re.Match) -> str:
    # A line that is indented no further than the first begins an argument.
    lines = match[1].splitlines()
    least = len(lines[0]) - len(lines[0].lstrip())
    items = []
    for line in lines:
        begins = len(line) - len(line.lstrip()) == least
        name, _, rest = line.strip().partition(": ")
        items.append(f"- `{name}`: {rest}" if begins else f"    {line.strip()}")
    return "**Call arguments:**\n\n" + "\n".join(items) + "\n\n"
