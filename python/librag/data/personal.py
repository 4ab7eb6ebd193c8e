"""Personal data in texts, found and replaced, in Chinese and English. Nothing is sent anywhere.

Phone numbers are libphonenumber's (its Python port), numbers of cards, identities and accounts are those whose check digits hold
(python-stdnum: Luhn; GB 11643, China; social security, United States; ISO 13616, IBAN), so that order numbers stay. Names need a model: pass
``names=`` a spaCy pipeline or a function of your own.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ..errors import InvalidArgument
from .rows import Row, need

PERSONAL_KINDS = ("identity", "card", "account", "email", "phone", "name")
"""From the surest to the least sure: where two finds overlap, the earlier kind stays."""

# A spaCy pipeline, or a function that gives (start, end) of each name in a text.
NameFinder: TypeAlias = "Callable[[str], Any]"

_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9])"
)
_CHINESE_IDENTITY = re.compile(r"(?<![0-9A-Za-z])[1-9][0-9]{16}[0-9Xx](?![0-9A-Za-z])")
_SOCIAL_SECURITY = re.compile(r"(?<![0-9A-Za-z-])[0-9]{3}-[0-9]{2}-[0-9]{4}(?![0-9A-Za-z-])")
_CARD = re.compile(r"(?<![0-9A-Za-z])[2-6](?:[ -]?[0-9]){12,18}(?![0-9A-Za-z]|[ -][0-9])")
_IBAN = re.compile(r"(?<![0-9A-Za-z])[A-Z]{2}[0-9]{2}(?: ?[0-9A-Z]){11,30}(?![0-9A-Za-z])")
_REGIONS = ("CN", "US", "GB")


@dataclass(frozen=True)
class PersonalData:
    """Where a text holds personal data, in characters of the str."""

    kind: str
    start: int
    end: int
    text: str


@dataclass
class RedactionReport:
    """What redact_rows() replaced."""

    rows: int = 0
    changed: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    """Finds by kind."""

    def __str__(self) -> str:
        found = ", ".join(f"{count} {kind}" for kind, count in sorted(self.counts.items())) or "nothing"
        return f"{self.changed} of {self.rows} rows changed: {found}"


def find_personal_data(
    text: str,
    kinds: Sequence[str] | None = None,
    *,
    regions: Sequence[str] = _REGIONS,
    names: NameFinder | None = None,
) -> list[PersonalData]:
    """Personal data of a text, in its order, none overlapping.

    ``kinds``: of PERSONAL_KINDS; None is all, "name" only with ``names``. ``regions``: the countries (ISO 3166, two letters) whose phone
    numbers are found without their country code; numbers with one are found always. Digits of full width count as digits.
    """
    wanted = _kinds(kinds, names)
    # Width alone is folded, one character for one, so that offsets stay.
    plain = "".join(folded if len(folded := unicodedata.normalize("NFKC", c)) == 1 else c for c in text)
    taken: list[PersonalData] = []
    for kind in wanted:
        for start, end in _FINDERS[kind](plain, regions) if kind != "name" else _names_of(text, names):
            if all(end <= other.start or start >= other.end for other in taken):
                taken.append(PersonalData(kind, start, end, text[start:end]))
    return sorted(taken, key=lambda find: find.start)


def redact(
    text: str,
    kinds: Sequence[str] | None = None,
    *,
    regions: Sequence[str] = _REGIONS,
    names: NameFinder | None = None,
    replacement: str = "[{kind}]",
) -> tuple[str, list[PersonalData]]:
    """The text with personal data replaced, and what was found. ``{kind}`` in ``replacement`` becomes the kind in capitals."""
    finds = find_personal_data(text, kinds, regions=regions, names=names)
    pieces, at = [], 0
    for find in finds:
        pieces += [text[at : find.start], replacement.replace("{kind}", find.kind.upper())]
        at = find.end
    return "".join([*pieces, text[at:]]), finds


def redact_rows(
    rows: Iterable[Row],
    kinds: Sequence[str] | None = None,
    *,
    fields: Sequence[str] | None = None,
    regions: Sequence[str] = _REGIONS,
    names: NameFinder | None = None,
    replacement: str = "[{kind}]",
) -> tuple[list[Row], RedactionReport]:
    """Rows with personal data replaced in all their texts (messages, lists and members of members too), and the counts.

    ``fields``: the members to look into; None is all but ``label`` and ``id``. Other arguments: see find_personal_data and redact.
    """
    report = RedactionReport()

    def clean(value: Any) -> Any:
        if isinstance(value, str):
            text, finds = redact(value, kinds, regions=regions, names=names, replacement=replacement)
            for find in finds:
                report.counts[find.kind] = report.counts.get(find.kind, 0) + 1
            return text
        if isinstance(value, Mapping):
            return {key: clean(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [clean(item) for item in value]
        return value

    result: list[Row] = []
    for row in rows:
        if not isinstance(row, Mapping):
            raise InvalidArgument(f"a row must be a dict, not {type(row).__name__}")
        new = {
            key: clean(value) if (key not in ("label", "id") if fields is None else key in fields) else value
            for key, value in row.items()
        }
        report.rows += 1
        report.changed += new != row
        result.append(new)
    return result, report


def _kinds(kinds: Sequence[str] | None, names: NameFinder | None) -> list[str]:
    if kinds is None:
        return [kind for kind in PERSONAL_KINDS if kind != "name" or names is not None]
    if isinstance(kinds, str):
        kinds = [kinds]
    if unknown := [kind for kind in kinds if kind not in PERSONAL_KINDS]:
        raise InvalidArgument(f"there is no kind {unknown[0]!r} of personal data, known are {', '.join(PERSONAL_KINDS)}")
    if "name" in kinds and names is None:
        raise InvalidArgument("names are found by a model: pass names= a spaCy pipeline, or a function that gives (start, end)")
    return [kind for kind in PERSONAL_KINDS if kind in kinds]


def _emails(text: str, _regions: Sequence[str]) -> Iterator[tuple[int, int]]:
    for match in _EMAIL.finditer(text):
        local = match.group().partition("@")[0]
        if ".." not in local and not local.endswith("."):
            yield match.span()


def _phones(text: str, regions: Sequence[str]) -> Iterator[tuple[int, int]]:
    phonenumbers: Any = need("phonenumbers")
    if unknown := [region for region in regions if region not in phonenumbers.SUPPORTED_REGIONS]:
        raise InvalidArgument(f"regions has {unknown[0]!r}, which is no country with phone numbers; write it as 'CN' or 'US'")
    for region in regions or (None,):
        for match in phonenumbers.PhoneNumberMatcher(text, region, leniency=phonenumbers.Leniency.VALID):
            yield match.start, match.end


def _identities(text: str, _regions: Sequence[str]) -> Iterator[tuple[int, int]]:
    chinese, social = need("stdnum.cn.ric"), need("stdnum.us.ssn")
    for match in _CHINESE_IDENTITY.finditer(text):
        if _is_chinese_identity(chinese, match.group().upper()):
            yield match.span()
    for match in _SOCIAL_SECURITY.finditer(text):
        if social.is_valid(match.group()):
            yield match.span()


def _is_chinese_identity(ric: Any, value: str) -> bool:
    """Check digit and birthday. The list of counties is left out: it changes, and a number that leaks is worse than one too many."""
    try:
        return bool(ric.calc_check_digit(value) == value[-1] and ric.get_birth_date(value))
    except ValueError:  # python-stdnum's errors are of this kind
        return False


def _cards(text: str, _regions: Sequence[str]) -> Iterator[tuple[int, int]]:
    luhn = need("stdnum.luhn")
    for match in _CARD.finditer(text):
        digits = re.sub("[ -]", "", match.group())
        if len(set(digits)) > 1 and luhn.is_valid(digits):
            yield match.span()


def _accounts(text: str, _regions: Sequence[str]) -> Iterator[tuple[int, int]]:
    iban = need("stdnum.iban")
    for match in _IBAN.finditer(text):
        # Words in capitals behind an account look like more of it: the longest beginning that is one.
        for end in range(match.end(), match.start() + 14, -1):
            if text[end - 1] != " " and iban.is_valid(text[match.start() : end]):
                yield match.start(), end
                break


def _names_of(text: str, names: NameFinder | None) -> Iterator[tuple[int, int]]:
    if names is None:
        return
    found = names(text)
    if hasattr(found, "ents"):  # a spaCy Doc
        for entity in found.ents:
            if entity.label_ in ("PERSON", "PER"):
                yield entity.start_char, entity.end_char
        return
    for start, end in found:
        if not 0 <= start < end <= len(text):
            raise InvalidArgument(f"names gave ({start}, {end}) in a text of {len(text)} characters")
        yield start, end


_FINDERS: dict[str, Callable[[str, Sequence[str]], Iterator[tuple[int, int]]]] = {
    "identity": _identities,
    "card": _cards,
    "account": _accounts,
    "email": _emails,
    "phone": _phones,
}
