"""What a search can be asked for, from Python's names to the core's, checked where a message can still name the argument."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypedDict

from . import _librag
from ._arguments import number, optional, whole
from .errors import InvalidArgument
from .types import Link, Mode

Fusion = Literal["weighted", "rrf"]
Expand = Literal["neighbours", "section"]

RERANKED = 100  # chunks that rerank=True has read
_FUSIONS = {"weighted": 0, "rrf": 1}
_EXPANSIONS = {None: 0, "neighbours": 1, "section": 2}


class SearchOptions(TypedDict, total=False):
    """Further keyword arguments of Engine.search; its docstring says what they mean."""

    offset: int
    candidates: int | None
    fusion: Fusion
    vector_weight: float | None
    diversity: float
    group_by: Literal["document"] | None
    group_hits: int
    expand: Expand | None
    neighbours: int
    links: float
    link_damping: float
    min_score: float | None
    rerank: bool | int
    operators: bool
    highlight: bool
    threads: int | None
    show_progress: bool | None


def query_of(k: int, mode: Mode | None, where: str | None, explain: bool, options: Mapping[str, Any]) -> _librag.Query:
    """The core's settings; InvalidArgument or TypeError names an argument that is wrong or unknown."""
    unknown = set(options) - set(SearchOptions.__annotations__)
    if unknown:
        known = ", ".join(SearchOptions.__annotations__)
        raise TypeError(f"search() got an unexpected keyword argument {sorted(unknown)[0]!r}; further ones are {known}")
    more: dict[str, Any] = {
        "offset": whole("offset", options.get("offset", 0)),
        "candidates": optional("candidates", options.get("candidates")),
        "fusion": _choice("fusion", options.get("fusion", "weighted"), _FUSIONS),
        "expand": _choice("expand", options.get("expand"), _EXPANSIONS),
        "neighbours": whole("neighbours", options.get("neighbours", 1)),
    }
    group_by = options.get("group_by")
    if group_by not in (None, "document"):
        raise InvalidArgument(f"group_by is {group_by!r}, it must be 'document' or None")
    if group_by is not None:
        more["group_hits"] = whole("group_hits", options.get("group_hits", 1), 1)
    elif "group_hits" in options:
        raise InvalidArgument("group_hits is given without group_by='document'")
    if (weight := options.get("vector_weight")) is not None:
        more["vector_weight"] = _share("vector_weight", weight)
    more["diversity"] = _share("diversity", options.get("diversity", 0.0))
    more["link_weight"] = _share("links", options.get("links", 0.0))
    more["link_damping"] = number("link_damping", options.get("link_damping", 0.85))
    rerank = options.get("rerank", False)
    more["rerank"] = RERANKED if rerank is True else whole("rerank", rerank)
    for name in ("operators", "highlight"):
        more[name] = bool(options.get(name, False))
    if (least := options.get("min_score")) is not None:
        more["min_score"] = number("min_score", least)
    return _librag.Query(whole("k", k, 1), mode, where, explain, more)


def _share(name: str, value: Any) -> float:
    share = number(name, value)
    if not 0.0 <= share <= 1.0:
        raise InvalidArgument(f"{name} is {share:g}, it must be 0 to 1")
    return share


def _choice(name: str, value: Any, choices: Mapping[Any, int]) -> int:
    try:
        return choices[value]
    except (KeyError, TypeError):
        wanted = ", ".join(repr(choice) for choice in choices)
        raise InvalidArgument(f"{name} is {value!r}, it must be one of {wanted}") from None


def links_of(
    source: str | Link | Iterable[Any], target: str | None, type: str, weight: float
) -> list[tuple[str, str, str, float]]:
    """One link, or many as Link or (source, target), (source, target, type), (source, target, type, weight)."""
    if isinstance(source, str):
        if target is None:
            raise TypeError("a link needs a target")
        return [(source, target, type, number("weight", weight))]
    if not isinstance(source, Iterable | Link):
        raise TypeError(f"source must be str, a Link or a list of links, not {source.__class__.__name__}")
    if target is not None:
        raise TypeError("target goes with one source, not with a list of links")
    return [_link(one) for one in ([source] if isinstance(source, Link) else source)]


def _link(one: Any) -> tuple[str, str, str, float]:
    if isinstance(one, Link):
        return one.source, one.target, one.type, one.weight
    if not isinstance(one, tuple | list) or not 2 <= len(one) <= 4:
        raise TypeError(f"a link is a Link or (source, target, type, weight), not {one!r}")
    type = one[2] if len(one) > 2 else ""
    weight = one[3] if len(one) > 3 else 1.0
    return one[0], one[1], type, number("weight", weight)
