"""JSON files of unknown origin, read field by field.

A file may hold anything: each field is taken by a method that checks its type and its range, and
whatever is wrong is a `FieldError` that names the field.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from tfrnnc.files import open_regular

T = TypeVar("T")

MAX_LINE = 100  #: characters of a string in a list
MAX_BYTES = 1 << 24  #: of a JSON file; those of a model take some kilobytes


class FieldError(ValueError):
    """A field is missing, not known, or not what it should be."""


def read_json(path: Path) -> Fields:
    """Reads a file that holds a JSON object.

    Args:
        path: of the file.

    Raises:
        OSError: if it cannot be read.
        FieldError: if it is no JSON, too large or too deep, or holds something else.
    """
    with open_regular(path) as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise FieldError(f"larger than {MAX_BYTES:,} bytes")
    try:
        values = json.loads(content.decode(), parse_constant=_refuse_constant)
    except RecursionError as error:
        raise FieldError("nested too deeply") from error
    except ValueError as error:
        raise FieldError(f"not JSON: {error}") from error
    return Fields(values)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


class Fields:
    """The fields of a JSON object, each to be taken once.

    Args:
        values: the object, as `json` reads it.
        place: where it is in its file, for messages; "" for the file itself.

    Raises:
        FieldError: if it is no object.

    Examples:
        >>> fields = Fields({"stride": 0})
        >>> fields.integer("stride", 1, 8)
        Traceback (most recent call last):
        tfrnnc.model_folder.json_fields.FieldError: stride must be a whole number from 1 to 8, not 0
    """

    def __init__(self, values: object, place: str = ""):
        if not isinstance(values, dict):
            raise FieldError(f"{place or 'it'} must be an object, not {_shown(values)}")
        self._values: dict[str, Any] = dict(values)
        self._place = place

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def integer(self, name: str, least: int, most: int) -> int:
        """A whole number in a range."""
        value = self._take(name)
        if type(value) is not int or not least <= value <= most:
            raise self._error(name, f"a whole number from {least} to {most}", value)
        return value

    def text(self, name: str, pattern: str, meaning: str) -> str:
        """A string that a regular expression matches as a whole; its meaning is for messages."""
        value = self._take(name)
        if not isinstance(value, str) or not re.fullmatch(pattern, value, re.ASCII):
            raise self._error(name, meaning, value)
        return value

    def hexadecimal(self, name: str, length: int) -> str:
        """A number of bytes in hexadecimal."""
        return self.text(name, f"[0-9a-f]{{{2 * length}}}", f"{2 * length} hexadecimal digits")

    def choice(self, name: str, choices: Sequence[T]) -> T:
        """One of a few values."""
        value = self._take(name)
        for choice in choices:
            if type(value) is type(choice) and value == choice:
                return choice
        raise self._error(name, " or ".join(json.dumps(choice) for choice in choices), value)

    def values(self) -> dict[str, Any]:
        """All fields that nobody took, as they are."""
        return dict(self._values)

    def is_null(self, name: str) -> bool:
        """Whether a field is null, which takes it."""
        if name in self._values and self._values[name] is None:
            del self._values[name]
            return True
        return False

    def integers(self, name: str, length: int, least: int, most: int) -> list[int]:
        """A list of whole numbers in a range."""
        return [
            Fields({place: value}).integer(place, least, most)
            for place, value in self.items(name, length, length)
        ]

    def items(self, name: str, least: int, most: int) -> list[tuple[str, Any]]:
        """The elements of a list of a length in a range, each with its place in the file."""
        value = self._take(name)
        if not isinstance(value, list) or not least <= len(value) <= most:
            raise self._error(name, f"a list of {least} to {most} elements", value)
        return [(f"{self._full(name)}[{i}]", element) for i, element in enumerate(value)]

    def texts(self, name: str, least: int, most: int) -> list[str]:
        """A list of strings of one line each."""
        values = self.items(name, least, most)
        for place, value in values:
            if not isinstance(value, str) or len(value) > MAX_LINE:
                raise FieldError(
                    f"{place} must be a string of at most {MAX_LINE} characters, not "
                    f"{_shown(value)}"
                )
        return [value for _, value in values]

    def objects(self, name: str, least: int, most: int, read: Callable[[Fields], T]) -> list[T]:
        """A list of objects, each read by a function, which takes all of its fields."""
        return [
            read_all(Fields(each, place), read) for place, each in self.items(name, least, most)
        ]

    def free(self, name: str) -> dict[str, Any]:
        """An object of any content, or an empty one if there is no such field."""
        value = self._values.pop(name, {})
        if not isinstance(value, dict):
            raise self._error(name, "an object", value)
        return value

    def finish(self) -> None:
        """Refuses fields that nobody took."""
        if self._values:
            names = ", ".join(sorted(self._full(name)[:80] for name in self._values)[:5])
            raise FieldError(f"unknown fields: {names}")

    def _take(self, name: str) -> Any:
        if name not in self._values:
            raise FieldError(f"{self._full(name)} is missing")
        return self._values.pop(name)

    def _full(self, name: str) -> str:
        return f"{self._place}.{name}" if self._place else name

    def _error(self, name: str, meaning: str, value: object) -> FieldError:
        return FieldError(f"{self._full(name)} must be {meaning}, not {_shown(value)}")


def read_all(fields: Fields, read: Callable[[Fields], T]) -> T:
    """What a function reads of an object, all of whose fields it must take.

    Raises:
        FieldError: if a field is missing, wrong, or left over.
    """
    value = read(fields)
    fields.finish()
    return value


def _shown(value: object) -> str:
    """A value as JSON writes it, cut to what fits in a message."""
    try:
        text = json.dumps(value)
    except RecursionError:
        return "something nested deeply"
    return text if len(text) <= 60 else f"{text[:60]}..."
