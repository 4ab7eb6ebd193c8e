"""A filtered search finds what a filter written in Python finds in the metadata of every document, whatever hypothesis makes up."""

from __future__ import annotations

from typing import Any

import librag
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

KEYS = ["a", "b", "c.d"]

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.integers(2**53 - 1, 2**53 + 2),
    st.sampled_from([0.5, -0.0, 1.0, 1e300, float(2**53)]),
    st.sampled_from(["", "a", "ab", "b", "\u5317\u4eac", "1"]),
)
values = st.one_of(scalars, st.lists(scalars, max_size=3), st.dictionaries(st.sampled_from(["d", "x"]), scalars, max_size=2))
metadata = st.dictionaries(st.sampled_from([*KEYS, "c"]), values, max_size=4)
ordered = st.one_of(st.integers(-3, 3), st.sampled_from([0.5, 1e300, "a", "ab", "\u5317"]))
tests = st.one_of(
    st.fixed_dictionaries({}, optional={"$eq": values, "$gte": ordered, "$lt": ordered}),
    st.fixed_dictionaries({}, optional={"$ne": values, "$gt": ordered, "$lte": ordered, "$exists": st.booleans()}),
    st.fixed_dictionaries({"$in": st.lists(values, max_size=3)}),
    st.fixed_dictionaries({"$nin": st.lists(values, max_size=3)}),
    st.fixed_dictionaries({"$contains": scalars}),
    st.fixed_dictionaries({"$not": st.fixed_dictionaries({"$gt": ordered})}),
).filter(bool)
fields = st.dictionaries(st.sampled_from([*KEYS, "c"]), st.one_of(tests, scalars), max_size=2)
filters = st.recursive(
    fields,
    lambda inner: st.one_of(
        st.fixed_dictionaries({"$and": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"$or": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"$not": inner}),
    ),
    max_leaves=6,
)

MISSING = object()


def equal(a: Any, b: Any) -> bool:
    """JSON's equality: Python's, but True is not 1, at any depth."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    return bool(a == b)


def before(a: Any, b: Any) -> bool | None:
    """a < b, or None where the two have no order."""
    numbers = all(isinstance(x, int | float) and not isinstance(x, bool) for x in (a, b))
    if numbers or (isinstance(a, str) and isinstance(b, str)):
        return bool(a < b)
    return None


def lookup(document: dict[str, Any], field: str) -> Any:
    if field in document:
        return document[field]
    at: Any = document
    for part in field.split("."):
        if not isinstance(at, dict) or part not in at:
            return MISSING
        at = at[part]
    return at


def has(value: Any, part: Any) -> bool:
    if isinstance(value, list):
        return any(equal(element, part) for element in value)
    return isinstance(value, str) and isinstance(part, str) and part in value


def holds(name: str, value: Any, wanted: Any) -> bool:
    there = value is not MISSING
    match name:
        case "$eq":
            return there and equal(value, wanted)
        case "$ne":
            return not holds("$eq", value, wanted)
        case "$in":
            return there and any(equal(value, one) for one in wanted)
        case "$nin":
            return not holds("$in", value, wanted)
        case "$gt":
            return before(wanted, value) is True
        case "$lt":
            return before(value, wanted) is True
        case "$gte":
            return before(value, wanted) is False
        case "$lte":
            return before(wanted, value) is False
        case "$contains":
            return has(value, wanted)
        case "$exists":
            return there is wanted
        case "$not":
            return not all(holds(inner, value, operand) for inner, operand in wanted.items())
    raise AssertionError(name)


def matches(where: dict[str, Any], document: dict[str, Any]) -> bool:
    """The twin: knows nothing of columns, bitmaps or the parser."""
    for key, wanted in where.items():
        if key == "$and":
            good = all(matches(part, document) for part in wanted)
        elif key == "$or":
            good = any(matches(part, document) for part in wanted)
        elif key == "$not":
            good = not matches(wanted, document)
        else:
            value = lookup(document, key)
            conditions = wanted if isinstance(wanted, dict) else {"$eq": wanted}
            good = all(holds(name, value, operand) for name, operand in conditions.items())
        if not good:
            return False
    return True


@settings(max_examples=150, deadline=None)
@given(st.lists(metadata, min_size=1, max_size=12), st.lists(metadata, max_size=4), st.lists(filters, min_size=1, max_size=5))
def test_where_finds_what_python_finds(first: list[dict[str, Any]], second: list[dict[str, Any]], wheres: list[Any]) -> None:
    with librag.Engine() as engine:
        documents = {str(i): one for i, one in enumerate(first)}
        vectors = [[1.0, float(i)] for i in range(len(first))]
        engine.add([{"id": id, "text": "word", "metadata": one} for id, one in documents.items()], vectors=vectors)
        for step in range(2):
            for where in wheres:
                expected = {id for id, one in documents.items() if matches(where, one)}
                for mode in ("bm25", "vector", "hybrid"):
                    hits = engine.search("word", vector=[1.0, 2.0], k=100, mode=mode, where=where)
                    assert {hit.doc_id for hit in hits} == expected, (mode, where)
            if step == 0:  # the columns follow what changes, what goes and what comes
                for i, one in enumerate(second):
                    engine.upsert({"id": str(i * 2), "text": "word", "metadata": one, "vector": [1.0, 0.5]})
                    documents[str(i * 2)] = one
                engine.delete("0")
                documents.pop("0", None)


@pytest.mark.parametrize("where", [{"a": {"$near": 1}}, {"$nor": [{}]}, {"a": {"$gt": None}}, {"$or": []}])
def test_what_is_no_filter_is_refused(where: dict[str, Any]) -> None:
    with librag.Engine() as engine:
        engine.add("word")
        with pytest.raises(librag.InvalidArgument, match=r"where: .*\$"):
            engine.search("word", where=where)
