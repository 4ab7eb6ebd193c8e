"""What is compared of a row, and how a text is cut for comparing."""

from __future__ import annotations

import importlib
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from ..errors import InvalidArgument

Row: TypeAlias = "Mapping[str, Any]"

# Members that say what a row is about, in the order in which people read them: all that training reads, and some of other files; labels,
# ids and sources are not among them.
_TEXT_MEMBERS = (
    "text", "sentence", "sentence1", "text_pair", "sentence2", "title", "query", "anchor", "question", "positive", "pos", "negatives",
    "negative", "neg", "system", "history", "instruction", "input", "output", "messages", "conversations", "prompt", "completion",
    "chosen", "rejected", "answer", "content", "value",
)  # fmt: skip
_SPACE_OR_MARK = re.compile(r"[\W_]+")
# Han, Kana and Hangul: one character says about as much as a short word of a Latin script.
_DENSE = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003134f]")
_TERM = re.compile(rf"{_DENSE.pattern}+|[^\W_]+")


def need(module: str) -> Any:
    """A module of the extra ``librag[data]``; its absence is an ImportError that says what to install."""
    try:
        return importlib.import_module(module)
    except ImportError as missing:
        raise ImportError(f"librag.data needs {missing.name}: pip install 'librag[data]'") from missing


def row_text(row: Row, fields: Sequence[str] | None = None) -> str:
    """The text of a row, its parts on lines of their own.

    ``fields``: the members to take; None takes those that hold text (``text``, ``query``, ``positive``, ``messages``, ``instruction``,
    ...), never labels or ids. InvalidArgument: the row is no dict, or holds none of them.
    """
    if not isinstance(row, Mapping):
        raise InvalidArgument(f"a row must be a dict, not {type(row).__name__}")
    names = _TEXT_MEMBERS if fields is None else tuple(fields)
    texts = [text for name in names if name in row for text in _texts_of(row[name])]
    if not texts and not any(name in row for name in names):
        raise InvalidArgument(f"a row has no text: its members are {sorted(map(str, row))}, wanted is one of {list(names)}")
    return "\n".join(texts)


def asked_text(row: Row) -> str | None:
    """What a row asks, without what it answers or finds: a query, an instruction with its input, what a conversation says before the first
    answer (but for the system). None for a row that asks nothing."""
    for name in ("query", "anchor", "question", "prompt"):
        if isinstance(row.get(name), str):
            return str(row[name])
    if isinstance(row.get("instruction"), str):
        return "\n".join(_texts_of([row["instruction"], row.get("input") or ""])).strip()
    for name in ("messages", "conversations"):
        turns = row.get(name)
        if not isinstance(turns, Sequence) or isinstance(turns, str | bytes):
            continue
        asked: list[str] = []
        for turn in turns:
            role = turn.get("role", turn.get("from")) if isinstance(turn, Mapping) else None
            if role in ("assistant", "gpt", "model"):
                break
            if role != "system":
                asked += _texts_of(turn)
        return "\n".join(asked)
    return None


def _texts_of(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):  # a message, or a part of one
        for name in ("content", "value", "text"):
            if name in value:
                yield from _texts_of(value[name])
    elif isinstance(value, Sequence) and not isinstance(value, bytes):
        for item in value:
            yield from _texts_of(item)


def folded(text: str) -> str:
    """What two texts have in common if only case, width, accents' spelling, punctuation and spaces differ."""
    return _SPACE_OR_MARK.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()


def shingles(text: str) -> set[str]:
    """All runs of 5 characters of the folded text, of 2 in Chinese, Japanese and Korean; a shorter text is its own only one."""
    plain = folded(text)
    found = set()
    for word in _runs(plain):
        size = 2 if _DENSE.match(word) else 5
        found |= {word[i : i + size] for i in range(len(word) - size + 1)} or {word}
    return found


def _runs(plain: str) -> Iterator[str]:
    """Stretches of dense script, and the stretches between them with a space at each end, so that words' ends count."""
    at = 0
    for match in re.finditer(rf"{_DENSE.pattern}+", plain):
        if between := plain[at : match.start()].strip():
            yield f" {between} "
        yield match.group()
        at = match.end()
    if rest := plain[at:].strip():
        yield f" {rest} "


def terms(text: str) -> list[str]:
    """Words, and pairs of neighbours in Chinese, Japanese and Korean."""
    found = []
    for word in _TERM.findall(unicodedata.normalize("NFKC", text).casefold()):
        if len(word) > 1 and _DENSE.match(word):
            found += [word[i : i + 2] for i in range(len(word) - 1)]
        else:
            found.append(word)
    return found
