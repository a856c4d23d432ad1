"""Advice at the end of errors, in the words of whoever is to follow it."""

from __future__ import annotations

import re
from collections.abc import Mapping

# A parameter of Python with the option behind it, or an option alone, in parentheses:
# allow_truncated=True (--partial), max_pixels=, --max-pixels, (--background white).
_ADVICE = re.compile(r"\w+=\w*(?:, (--[\w-]+)| \((--[\w-]+)\))|\((--[\w-]+)[^()]*\)")


def reworded(message: str, words: Mapping[str, str]) -> str:
    """An error's message for callers who have other words for options, or do not have them.

    Advice, which follows a semicolon, is left out if it names an option that has no word.

    Args:
        message: of an error of this package.
        words: what stands for an option, by its name on the command line.

    Examples:
        >>> message = "it is cut; decode it with allow_truncated=True (--partial)"
        >>> reworded(message, {"--partial": "partial=true"})
        'it is cut; decode it with partial=true'
        >>> reworded(message, {})
        'it is cut'
    """

    def replace(match: re.Match[str]) -> str:
        word = words[_option(match)]
        return f"({word})" if match[3] else word

    kept = [
        _ADVICE.sub(replace, clause)
        for clause in message.split("; ")
        if all(_option(match) in words for match in _ADVICE.finditer(clause))
    ]
    return "; ".join(kept) or message


def _option(match: re.Match[str]) -> str:
    return match[1] or match[2] or match[3]
