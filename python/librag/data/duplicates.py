"""Rows that say the same: exactly, but for case, punctuation and spaces, or nearly.

Near duplicates are pairs whose sets of character runs (rows.shingles) have a Jaccard similarity of at least ``near``; neighbours.py finds
them. Each row is compared with what stays of those before it, so that a thousand rows that say the same cost a thousand comparisons.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from .._arguments import number
from ..errors import InvalidArgument
from .neighbours import LEAST_NEAR, Neighbours, Signatures
from .rows import Row, asked_text, folded, row_text


@dataclass(frozen=True)
class Leak:
    """A row of one part that stands in another too."""

    train: int
    """Its place in the first list."""
    test: int
    """Its place in the second list."""
    similarity: float
    """1.0: equal but for case, punctuation and spaces."""
    part: Literal["row", "query"] = "row"
    """What is similar: the rows as wholes, or only what they ask (a query with another document, a question with another answer)."""


@dataclass(frozen=True)
class DuplicateReport:
    """What deduplicate() removed."""

    rows: int
    kept: int
    exact: int
    """Removed because a kept row is equal but for case, punctuation and spaces."""
    near: int
    """Removed because a kept row is similar."""
    removed: list[tuple[int, int]]
    """For each removed row its place, and the place of the row that stands for it."""

    def __str__(self) -> str:
        return f"{self.kept} of {self.rows} rows kept; {self.exact} equal and {self.near} nearly equal ones removed"


def duplicate_groups(rows: Iterable[Row], *, near: float | None = 0.8, fields: Sequence[str] | None = None) -> list[list[int]]:
    """Places of rows that say the same, in groups of at least two, in the rows' order.

    ``near``: the least Jaccard similarity, 0.5 to 1; None compares exactly. Groups are chains: each member is similar to another one.
    """
    threshold = _threshold(near)
    numbers, distinct = _distinct(_texts(rows, fields))
    groups = Groups(len(distinct))
    if threshold is not None:
        signatures = Signatures(distinct)
        before = Neighbours(signatures, threshold)
        for at in range(len(distinct)):
            for other, _ in before.of(at):
                groups.join(other, at)
            before.add(at)
    members: dict[int, list[int]] = {}
    for place, number_of_text in enumerate(numbers):
        members.setdefault(groups.first(number_of_text), []).append(place)
    return [group for group in members.values() if len(group) > 1]


def deduplicate(
    rows: Iterable[Row], *, near: float | None = 0.8, fields: Sequence[str] | None = None, within: str | None = None
) -> tuple[list[Row], DuplicateReport]:
    """The rows without those that repeat an earlier one, in their order, and what was removed.

    ``near``: see duplicate_groups; a row goes if it is equal or similar to a row that stays. ``within``: a member such as "label": only
    rows with equal values there are compared, so a text with two labels stays twice (and shows up in duplicate_groups).
    """
    kept_rows = list(rows)
    threshold = _threshold(near)
    texts = _texts(kept_rows, fields)
    values = [repr(row.get(within)) if within is not None else "" for row in kept_rows]
    numbers, distinct = _distinct(texts)
    signatures = Signatures(distinct) if threshold is not None else None
    kept: dict[tuple[int, str], int] = {}  # a text of a value to the row that stays
    before: dict[str, Neighbours] = {}
    removed: dict[int, tuple[int, bool]] = {}
    for place, (text, value) in enumerate(zip(numbers, values, strict=True)):
        if (text, value) in kept:
            removed[place] = (kept[text, value], True)
            continue
        if signatures is not None and threshold is not None:
            rows_before = before.setdefault(value, Neighbours(signatures, threshold))
            similar = [kept[other, value] for other, _ in rows_before.of(text)]
            if similar:
                removed[place] = (min(similar), False)
                continue
            rows_before.add(text)
        kept[text, value] = place
    exact_count = sum(exact for _, exact in removed.values())
    report = DuplicateReport(
        len(texts),
        len(texts) - len(removed),
        exact_count,
        len(removed) - exact_count,
        [(place, stays) for place, (stays, _) in sorted(removed.items())],
    )
    return [row for place, row in enumerate(kept_rows) if place not in removed], report


def query_groups(rows: Iterable[Row], *, near: float | None = 0.8) -> list[list[int]]:
    """Places of rows that ask the same (see find_leaks), whatever they answer or find, in groups of at least two, in the rows' order."""
    asked = [(place, text) for place, row in enumerate(rows) if (text := asked_text(row)) is not None and folded(text)]
    groups = duplicate_groups([{"text": text} for _, text in asked], near=near)
    return [[asked[member][0] for member in group] for group in groups]


def find_leaks(
    train: Iterable[Row], test: Iterable[Row], *, near: float | None = 0.8, fields: Sequence[str] | None = None
) -> list[Leak]:
    """Rows of ``test`` that training has seen: for each the most similar row of ``train``; empty where nothing leaks.

    Rows of queries, instructions and conversations leak too where only what they ask is the same: a query with two documents must not be
    trained with one of them and tested with the other. ``fields`` compares these members alone.
    """
    first_rows, second_rows = list(train), list(test)
    threshold = _threshold(near)
    found = _most_similar(_texts(first_rows, fields), _texts(second_rows, fields), threshold)
    best = {later: Leak(earlier, later, similarity) for later, (earlier, similarity) in found.items()}
    if fields is None:
        for leak in _query_leaks(first_rows, second_rows, threshold):
            if leak.test not in best or leak.similarity > best[leak.test].similarity:
                best[leak.test] = leak
    return [best[place] for place in sorted(best)]


def _query_leaks(train: Sequence[Row], test: Sequence[Row], near: float | None) -> list[Leak]:
    def asked(rows: Sequence[Row]) -> list[tuple[int, str]]:
        return [(place, text) for place, row in enumerate(rows) if (text := asked_text(row)) is not None and folded(text)]

    first, second = asked(train), asked(test)
    found = _most_similar([text for _, text in first], [text for _, text in second], near)
    return [Leak(first[earlier][0], second[later][0], similarity, "query") for later, (earlier, similarity) in found.items()]


def _most_similar(first: Sequence[str], second: Sequence[str], near: float | None) -> dict[int, tuple[int, float]]:
    """For each place of ``second`` that has a similar text in ``first``: the most similar one, of several the earliest."""
    numbers, distinct = _distinct([*first, *second])
    places: dict[int, int] = {}  # of a text in `first`
    for place, text in enumerate(numbers[: len(first)]):
        places.setdefault(text, place)
    similar: dict[int, list[tuple[int, float]]] = {}
    if near is not None:
        signatures = Signatures(distinct)
        trained = Neighbours(signatures, near)
        for text in places:
            trained.add(text)
        for text in set(numbers[len(first) :]):
            similar[text] = [(places[other], similarity) for other, similarity in trained.of(text) if other != text]
    best: dict[int, tuple[int, float]] = {}
    for later, text in enumerate(numbers[len(first) :]):
        candidates = [*similar.get(text, ()), *([(places[text], 1.0)] if text in places else ())]
        if candidates:
            best[later] = min(candidates, key=lambda one: (-one[1], one[0]))
    return best


def _threshold(near: float | None) -> float | None:
    if near is None:
        return None
    value = number("near", near)
    if not LEAST_NEAR <= value <= 1.0:
        raise InvalidArgument(f"near is {near}, it must be {LEAST_NEAR} to 1, or None for equal rows alone")
    return value


def _texts(rows: Iterable[Row], fields: Sequence[str] | None) -> list[str]:
    return [row_text(row, fields) for row in rows]


def _distinct(texts: Iterable[str]) -> tuple[list[int], list[str]]:
    """For each text its number among those that differ when folded, and of each of them the first as it stands."""
    known: dict[str, int] = {}
    firsts: list[str] = []
    numbers = []
    for text in texts:
        number_of_text = known.setdefault(folded(text), len(firsts))
        if number_of_text == len(firsts):
            firsts.append(text)
        numbers.append(number_of_text)
    return numbers, firsts


class Groups:
    """Numbers 0 to n - 1, each in a group of its own until it is joined with others."""

    def __init__(self, count: int) -> None:
        self._root = list(range(count))

    def first(self, one: int) -> int:
        """The least of its group."""
        root = self._root
        while root[one] != one:
            root[one] = root[root[one]]
            one = root[one]
        return one

    def join(self, one: int, other: int) -> None:
        a, b = sorted((self.first(one), self.first(other)))
        self._root[b] = a
