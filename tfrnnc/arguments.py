"""Checks of what callers pass. Whatever is wrong is a `ConfigError` that names the argument."""

from __future__ import annotations

import math
import numbers
import operator
from typing import Any

import numpy as np

from tfrnnc.errors import ConfigError


def require_int(name: str, value: Any, least: int, most: int | None = None) -> int:
    """An argument as an int.

    Args:
        name: of the argument.
        value: what the caller passed; NumPy's integers are taken, bools are not.
        least: the smallest value that is allowed.
        most: the largest; None for any.

    Raises:
        ConfigError: if it is no whole number, or out of range.

    Examples:
        >>> require_int("effort", np.int64(3), 0)
        3
    """
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
        raise ConfigError(f"{name} must be a whole number, not {value!r}")
    number = operator.index(value)
    if most is not None and not least <= number <= most:
        raise ConfigError(f"{name} must be from {least:,} to {most:,}, not {number}")
    if number < least:
        raise ConfigError(f"{name} must be at least {least}, not {number}")
    return number


def require_number(
    name: str, value: Any, above: float = -math.inf, most: float = math.inf
) -> float:
    """An argument as a float.

    Args:
        name: of the argument.
        value: what the caller passed; NumPy's numbers are taken, bools are not.
        above: the value must be greater.
        most: the largest value that is allowed.

    Raises:
        ConfigError: if it is no finite number, or out of range.

    Examples:
        >>> require_number("bpp", 1, above=0)
        1.0
    """
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real | np.floating):
        raise ConfigError(f"{name} must be a number, not {value!r}")
    try:
        number = float(value)
    except OverflowError as error:
        raise ConfigError(f"{name} must be a finite number, not {value}") from error
    if not (math.isfinite(number) and above < number <= most):
        bounds = [f"above {above:g}"] * (above > -math.inf) + [f"{most:g} at most"] * (
            most < math.inf
        )
        raise ConfigError(f"{name} must be a finite number {' and '.join(bounds)}, not {value}")
    return number


def require_bool(name: str, value: Any) -> bool:
    """An argument as a bool.

    Args:
        name: of the argument.
        value: what the caller passed.

    Raises:
        ConfigError: if it is neither True nor False.

    Examples:
        >>> require_bool("adaptive", True)
        True
    """
    if not isinstance(value, bool | np.bool_):
        raise ConfigError(f"{name} must be True or False, not {value!r}")
    return bool(value)
