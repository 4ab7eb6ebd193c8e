"""Arguments on their way into the core, checked where a message can still name them."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Iterable, Mapping
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
    except OverflowError:
        raise InvalidArgument(f"{name} is an int that no float is as large as") from None


def within(name: str, value: Any, good: Callable[[float], bool], range: str) -> float:
    """As ``number``; what is not ``good`` is an InvalidArgument that says the range."""
    found = number(name, value)
    if not good(found):
        raise InvalidArgument(f"{name} is {value!r}, it must be {range}")
    return found


def flag(name: str, value: Any) -> bool:
    """``value`` as a bool, numpy's too; another type is a TypeError."""
    if type(value).__name__ not in ("bool", "bool_"):
        raise TypeError(f"{name} must be a bool, not {type(value).__name__}")
    return bool(value)


def text(name: str, value: Any) -> str:
    """``value``, which is a str; another type is a TypeError."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {type(value).__name__}")
    return value


def place(name: str, value: Any) -> str | bytes:
    """A path as the core takes it: a str, or bytes where the file system has names that are no UTF-8 (os.fsdecode makes lone
    surrogates of them). What is no path is a TypeError, a surrogate that stands for no byte an InvalidArgument."""
    try:
        path: str | bytes = os.fspath(value)
    except TypeError:
        raise TypeError(f"{name} must be a str or an os.PathLike, not {type(value).__name__}") from None
    if isinstance(path, bytes):
        return path
    try:
        path.encode("utf-8")
        return path
    except UnicodeEncodeError:
        pass
    try:
        return os.fsencode(path)
    except UnicodeEncodeError:
        raise InvalidArgument(f"{name} is {path!r}, which no file can be called: a lone surrogate stands for no byte") from None


def texts(name: str, value: Any) -> list[Any]:
    """An iterable of texts as a list. One str or bytes, which would be taken apart, and what is no iterable are a TypeError; the
    core looks at the members."""
    if isinstance(value, str | bytes | bytearray | memoryview | Mapping) or not isinstance(value, Iterable):
        raise TypeError(f"{name} must be a list of str, not {type(value).__name__}")
    return list(value)
