"""Whole numbers on their way into the core, checked where a message can still name the argument."""

from __future__ import annotations

import operator
from typing import Any

from .errors import InvalidArgument

_UINT32 = 2**32 - 1
UINT64 = 2**64 - 1


def whole(name: str, value: Any, least: int = 0, most: int = _UINT32) -> int:
    """``value`` as an int from ``least`` to ``most``: another type is a TypeError, another value an InvalidArgument."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an int, not {type(value).__name__}") from None
    if not least <= number <= most:
        raise InvalidArgument(f"{name} is {number}, it must be {least} to {most}")
    return number


def optional(name: str, value: Any, least: int = 1, most: int = _UINT32) -> int:
    """As ``whole``; None is 0, which the core takes for "choose"."""
    return 0 if value is None else whole(name, value, least, most)


def place_in(name: str, value: Any, choices: tuple[str, ...]) -> int:
    """The index of ``value`` in ``choices``; what is none of them is an InvalidArgument that lists them."""
    try:
        return choices.index(value)
    except ValueError:
        raise InvalidArgument(f"{name} is {value!r}, it must be one of {', '.join(choices)}") from None


def number(name: str, value: Any) -> float:
    """``value`` as a float; what is no number is a TypeError."""
    if isinstance(value, str | bytes):
        raise TypeError(f"{name} must be a number, not {type(value).__name__}")
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, not {type(value).__name__}") from None
