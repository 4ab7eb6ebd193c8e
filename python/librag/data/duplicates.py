"""Rows that say the same: exactly, but for case, punctuation and spaces, or nearly.

Near duplicates are pairs whose sets of character runs (rows.shingles) have a Jaccard similarity of at least ``near``. Candidates come
from MinHash signatures in bands (Broder 1997; Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, chapter 3) by datasketch; each is
then compared exactly, so what is reported is similar, and what is missed is what no band brought together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from .._arguments import number
from ..errors import InvalidArgument
from .rows import Row, asked_text, folded, need, row_text, shingles

_PERMUTATIONS = 128
_BANDS, _ROWS = 32, 4
# Bands of 4 rows bring pairs of similarity s together with probability 1 - (1 - s**4)**32: 0.88 at 0.5, 0.9999 at 0.7.
_LEAST_NEAR = 0.5


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
    texts = _texts(rows, fields)
    root = list(range(len(texts)))

    def find(place: int) -> int:
        while root[place] != place:
            root[place] = root[root[place]]
            place = root[place]
        return place

    for earlier, later, _ in _pairs(texts, _threshold(near)):
        a, b = sorted((find(earlier), find(later)))
        root[b] = a
    groups: dict[int, list[int]] = {}
    for place in range(len(texts)):
        groups.setdefault(find(place), []).append(place)
    return [group for group in groups.values() if len(group) > 1]


def deduplicate(
    rows: Iterable[Row], *, near: float | None = 0.8, fields: Sequence[str] | None = None, within: str | None = None
) -> tuple[list[Row], DuplicateReport]:
    """The rows without those that repeat an earlier one, in their order, and what was removed.

    ``near``: see duplicate_groups; a row goes if it is equal or similar to a row that stays. ``within``: a member such as "label": only
    rows with equal values there are compared, so a text with two labels stays twice (and shows up in duplicate_groups).
    """
    kept_rows = list(rows)
    texts = _texts(kept_rows, fields)
    values = [repr(row.get(within)) for row in kept_rows] if within is not None else None
    removed: dict[int, tuple[int, bool]] = {}
    for earlier, later, similarity in _pairs(texts, _threshold(near)):
        if earlier in removed or (values is not None and values[earlier] != values[later]):
            continue
        exact = similarity == 1.0 and folded(texts[earlier]) == folded(texts[later])
        if later not in removed or (exact and not removed[later][1]):
            removed[later] = (earlier, exact)
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
    first, second = _texts(first_rows, fields), _texts(second_rows, fields)
    best: dict[int, Leak] = {}
    for earlier, later, similarity in _pairs([*first, *second], _threshold(near), border=len(first)):
        place = later - len(first)
        if place not in best or similarity > best[place].similarity:
            best[place] = Leak(earlier, place, similarity)
    if fields is None:
        for leak in _query_leaks(first_rows, second_rows, near):
            if leak.test not in best or leak.similarity > best[leak.test].similarity:
                best[leak.test] = leak
    return [best[place] for place in sorted(best)]


def _query_leaks(train: Sequence[Row], test: Sequence[Row], near: float | None) -> Iterator[Leak]:
    def asked(rows: Sequence[Row]) -> list[tuple[int, str]]:
        return [(place, text) for place, row in enumerate(rows) if (text := asked_text(row)) is not None and folded(text)]

    first, second = asked(train), asked(test)
    texts = [text for _, text in (*first, *second)]
    for earlier, later, similarity in _pairs(texts, _threshold(near), border=len(first)):
        yield Leak(first[earlier][0], second[later - len(first)][0], similarity, "query")


def _threshold(near: float | None) -> float | None:
    if near is None:
        return None
    value = number("near", near)
    if not _LEAST_NEAR <= value <= 1.0:
        raise InvalidArgument(f"near is {near}, it must be {_LEAST_NEAR} to 1, or None for equal rows alone")
    return value


def _texts(rows: Iterable[Row], fields: Sequence[str] | None) -> list[str]:
    return [row_text(row, fields) for row in rows]


def _pairs(texts: Sequence[str], near: float | None, border: int | None = None) -> Iterator[tuple[int, int, float]]:
    """(earlier, later, similarity), by later, then earlier. With ``border`` only pairs across it.

    Rows of equal folded texts are compared once: all of them get the pairs of the first.
    """
    places: dict[str, list[int]] = {}
    for place, text in enumerate(texts):
        places.setdefault(folded(text), []).append(place)
    found = [(a, b, 1.0) for same in places.values() for i, b in enumerate(same) for a in same[:i] if _across(a, b, border)]
    if near is not None:
        firsts = [same[0] for same in places.values()]
        members = {same[0]: same for same in places.values()}
        for one, other, similarity in _near_pairs(firsts, [texts[place] for place in firsts], near):
            for x in members[one]:
                for y in members[other]:
                    a, b = min(x, y), max(x, y)
                    if _across(a, b, border):
                        found.append((a, b, similarity))
    yield from sorted(found, key=lambda pair: (pair[1], pair[0]))


def _across(a: int, b: int, border: int | None) -> bool:
    return border is None or a < border <= b


def _near_pairs(places: Sequence[int], texts: Sequence[str], near: float) -> Iterator[tuple[int, int, float]]:
    datasketch: Any = need("datasketch")
    sets = [shingles(text) for text in texts]
    table = datasketch.MinHashLSH(num_perm=_PERMUTATIONS, params=(_BANDS, _ROWS))
    encoded = [[shingle.encode("utf-8", "surrogatepass") for shingle in one] for one in sets]
    for at, signature in enumerate(datasketch.MinHash.generator(encoded, num_perm=_PERMUTATIONS, seed=1)):
        if not sets[at]:
            continue
        for other in table.query(signature):
            shared = len(sets[at] & sets[other])
            similarity = shared / (len(sets[at]) + len(sets[other]) - shared)
            if similarity >= near:
                yield places[other], places[at], similarity
        table.insert(at, signature, check_duplication=False)
