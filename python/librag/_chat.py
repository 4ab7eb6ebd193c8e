"""Conversations, tools and documents as the JSON that the library takes, by the rules of transformers' apply_chat_template: rich
objects become plain data, what has no plain form becomes a placeholder that names its type. One difference is stated in
Tokenizer.apply_chat_template: a tuple becomes a list."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from .errors import InvalidArgument

# Arguments of transformers' method that are no variables of a template: a spelling that is right there must not be taken for one.
FOREIGN = frozenset(
    {
        "max_length",
        "padding",
        "return_assistant_tokens_mask",
        "return_dict",
        "return_tensors",
        "sanitize_control_tokens",
        "tokenizer_kwargs",
        "truncation",
    }
)


def plain(value: Any) -> Any:
    """Plain data of the types that JSON has."""
    if value is None or type(value) in (str, int, float, bool):
        return value
    if isinstance(value, str):  # an enumeration's member, numpy's text
        return str.__str__(value)
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise InvalidArgument(f"a key of {type(value).__name__} is {key!r}, only texts can be keys")
        return {str.__str__(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if type(value).__module__ == "numpy" and hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        return plain(value.item())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if callable(dump := getattr(value, "model_dump", None)):  # pydantic
        return plain(dump())
    return f"<{type(value).__name__}>"


def to_json(value: Any, what: str) -> str:
    """JSON of plain(value); InvalidArgument names `what`."""
    try:
        return json.dumps(plain(value), ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise InvalidArgument(f"{what}: {error}") from None
    except RecursionError:
        raise InvalidArgument(f"{what} is nested too deeply, or holds itself") from None


def tools_json(tools: Sequence[Any] | None) -> str | None:
    """The schemas as JSON. Functions are refused by name: their schema is for the caller to make."""
    if tools is None:
        return None
    for number, tool in enumerate(tools):
        if isinstance(tool, Mapping):
            continue
        name = getattr(tool, "__name__", type(tool).__name__)
        raise InvalidArgument(
            f"tools[{number}] is {name!r}, not a dict: pass the JSON schema of the function, "
            '{"type": "function", "function": {"name": ..., "description": ..., "parameters": ...}} '
            "(transformers.utils.get_json_schema makes one from a function)"
        )
    return to_json(list(tools), "tools")
