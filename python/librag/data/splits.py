"""Parts of a data set that share nothing, and classes of equal weight."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from .._arguments import UINT64, number, whole
from ..errors import InvalidArgument
from .duplicates import Groups, duplicate_groups, query_groups
from .rows import Row


def split(
    rows: Iterable[Row],
    shares: Mapping[str, float] | None = None,
    *,
    seed: int = 1,
    stratify: str | None = None,
    near: float | None = 0.8,
    fields: Sequence[str] | None = None,
) -> dict[str, list[Row]]:
    """Cuts rows into parts, such as ``{"train": 0.8, "valid": 0.1, "test": 0.1}`` (the default); shares are made to sum to 1.

    Rows that say the same (see duplicate_groups; ``near=None``: equal ones), and rows that ask the same (a query with several documents, a
    question with several answers), land in one part, so nothing leaks; ``fields`` compares these members alone. ``stratify``: a member
    such as "label" whose values keep their shares in each part, as far as groups allow. Equal rows, shares and seed give equal parts,
    each in the rows' order. InvalidArgument: shares that are not positive, more parts than rows.
    """
    all_rows = list(rows)
    wanted = _normalised({"train": 0.8, "valid": 0.1, "test": 0.1} if shares is None else shares)
    if len(all_rows) < len(wanted):
        raise InvalidArgument(f"{len(all_rows)} rows cannot be cut into {len(wanted)} parts")
    groups = duplicate_groups(all_rows, near=near, fields=fields)
    if fields is None:
        groups = _joined([*groups, *query_groups(all_rows, near=near)])
    grouped = {place for group in groups for place in group}
    units = [*groups, *([place] for place in range(len(all_rows)) if place not in grouped)]
    units.sort()
    random.Random(whole("seed", seed, 0, UINT64)).shuffle(units)
    units.sort(key=len, reverse=True)  # large groups while there is room for them everywhere
    names = list(wanted)
    totals: dict[str, int] = {}
    for row in all_rows:
        key = _key(row, stratify)
        totals[key] = totals.get(key, 0) + 1
    filled = {key: dict.fromkeys(names, 0) for key in totals}
    sizes = dict.fromkeys(names, 0)
    parts: dict[str, list[int]] = {name: [] for name in names}
    for unit in units:
        key = _key(all_rows[unit[0]], stratify)

        def room(name: str, key: str = key) -> tuple[float, float]:
            return (wanted[name] * totals[key] - filled[key][name], wanted[name] * len(all_rows) - sizes[name])

        name = max(names, key=room)
        parts[name] += unit
        sizes[name] += len(unit)
        for place in unit:
            filled[_key(all_rows[place], stratify)][name] += 1
    return {name: [all_rows[place] for place in sorted(places)] for name, places in parts.items()}


def _joined(groups: Iterable[Sequence[int]]) -> list[list[int]]:
    """Groups that share a place are one."""
    found = [list(group) for group in groups]
    numbers: dict[int, int] = {}
    for group in found:
        for place in group:
            numbers.setdefault(place, len(numbers))
    joined = Groups(len(numbers))
    for group in found:
        for place in group[1:]:
            joined.join(numbers[group[0]], numbers[place])
    members: dict[int, list[int]] = {}
    for place in sorted(numbers):
        members.setdefault(joined.first(numbers[place]), []).append(place)
    return list(members.values())


def balance(rows: Iterable[Row], by: str = "label", *, method: Literal["down", "up"] = "down", seed: int = 1) -> list[Row]:
    """As many rows of each value of ``by``: "down" leaves rows of the frequent ones out, "up" repeats rows of the rare ones.

    The order is that of the rows; repeated ones follow at the end. InvalidArgument: a row without ``by``, another method.
    """
    if method not in ("down", "up"):
        raise InvalidArgument(f"method is {method!r}, it must be 'down' or 'up'")
    all_rows = list(rows)
    classes: dict[str, list[int]] = {}
    for place, row in enumerate(all_rows):
        if by not in row:
            raise InvalidArgument(f"row {place} has no {by!r}: its members are {sorted(map(str, row))}")
        classes.setdefault(repr(row[by]), []).append(place)
    if not classes:
        return []
    chance = random.Random(whole("seed", seed, 0, UINT64))
    counts = [len(places) for places in classes.values()]
    if method == "down":
        chosen = sorted(place for places in classes.values() for place in chance.sample(places, min(counts)))
        return [all_rows[place] for place in chosen]
    extra = [place for places in classes.values() for place in _repeats(places, max(counts), chance)]
    return all_rows + [all_rows[place] for place in extra]


def _repeats(places: list[int], count: int, chance: random.Random) -> list[int]:
    """What is missing to ``count``: each place as often as the others, give or take one."""
    missing = count - len(places)
    return places * (missing // len(places)) + chance.sample(places, missing % len(places))


def _normalised(shares: Mapping[str, float]) -> dict[str, float]:
    values = {str(name): number(f"the share of {name!r}", share) for name, share in shares.items()}
    if not values or not all(0.0 < share < float("inf") for share in values.values()):
        raise InvalidArgument(f"shares are {dict(shares)}, each must be above 0")
    total = sum(values.values())
    return {name: share / total for name, share in values.items()}


def _key(row: Row, stratify: str | None) -> str:
    if stratify is None:
        return ""
    if stratify not in row:
        raise InvalidArgument(f"a row has no {stratify!r} to stratify by: its members are {sorted(map(str, row))}")
    return repr(row[stratify])
