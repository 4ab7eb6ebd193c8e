"""What goes into an engine and what comes out: documents, hits, citations, answers.

All are plain values. Offsets into texts are in characters, except ``Hit.start`` and ``Hit.end``, which are bytes of the document's
UTF-8, as the knowledge base stores them.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ._arguments import number, whole
from .errors import InvalidArgument

# "[1]", "[2, 3]" and their wide forms, with the spaces before them.
_OWN_MARKERS = re.compile(r" *[\[\u3010\uff3b][,\-^ ]*[0-9][0-9,\-^ ]*[\]\u3011\uff3d]")

Mode = Literal["hybrid", "vector", "bm25"]
Kind = Literal["text", "markdown", "rst", "html", "code", "code-indented", "code-shell"]
KINDS: tuple[Kind, ...] = ("text", "markdown", "rst", "html", "code", "code-indented", "code-shell")
ChunkerName = Literal["auto", "tokens", "sentences"]
CHUNKERS: tuple[ChunkerName, ...] = ("auto", "tokens", "sentences")
Metric = Literal["cosine", "ip", "l2"]
Finish = Literal["stop", "length", "stopped"]
FINISHES: tuple[Finish, ...] = ("stop", "length", "stopped")


@dataclass
class Document:
    """A document to be stored, or as it is stored."""

    text: str
    id: str | None = None
    title: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    created_ms: int | None = None
    """Unix time; None before it is stored."""
    updated_ms: int | None = None
    chunks: int | None = None
    """Into how many chunks it was cut; None before it is stored."""
    source: str = ""
    """Where it came from, such as a URI."""
    language: str = ""
    """Such as "en" or "zh-Hans"."""
    kind: Kind = "text"
    """What it is written in, which tells where chunks may be cut; not kept by a knowledge base."""

    def _repr_html_(self) -> str:
        return f"<p><b>{html.escape(self.title or self.id or '')}</b><br>{html.escape(shorten(self.text, 600))}</p>"


@dataclass(frozen=True)
class Hit:
    """A chunk that a search found."""

    id: str
    """The chunk's: the document's id, '#', and the chunk's number."""
    doc_id: str
    text: str
    score: float
    """Higher is better; comparable within one search only."""
    metadata: dict[str, Any]
    start: int
    """First byte of the chunk in the document's UTF-8."""
    end: int
    scores: dict[str, float]
    """What the scorers gave: "vector" (by the metric: cosine, inner product, or minus the squared distance), "bm25"; only those
    that had a part."""
    title: str = ""
    explain: dict[str, Any] | None = None
    """How the score came about; its parts sum to it."""
    title_path: str = ""
    """Headings above the chunk, joined by " > "."""
    context: str | None = None
    """The text around the chunk that ``expand`` asked for."""
    context_start: int = 0
    """First byte of ``context`` in the document's UTF-8."""
    context_end: int = 0
    highlights: list[tuple[int, int]] = field(default_factory=list)
    """What ``highlight`` asked for: ``text[start:end]`` has what the query looks for, ascending."""

    def __repr__(self) -> str:
        return f"Hit({self.id!r}, {self.score:.3f}, {shorten(self.text, 60)!r})"


@dataclass(frozen=True)
class Link:
    """An edge between documents (by id) or chunks (by Hit.id)."""

    source: str
    target: str
    type: str = ""
    weight: float = 1.0
    """Above 0."""


class Hits(list[Hit]):
    """The hits of a search, best first; a table in notebooks."""

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{rank}</td><td>{hit.score:.3f}</td><td>{html.escape(hit.id)}</td>"
            f"<td style='text-align:left'>{html.escape(shorten(hit.text, 240))}</td></tr>"
            for rank, hit in enumerate(self, 1)
        )
        return f"<table><tr><th></th><th>score</th><th>chunk</th><th>text</th></tr>{rows}</table>"


@dataclass(frozen=True)
class Token:
    """A piece of text while it is generated."""

    id: int
    text: str
    """May be empty: a character is given only when it is whole."""

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Citation:
    """A sentence of an answer, and the span of a passage in the prompt that supports it."""

    start: int
    end: int
    hit: int
    """Which of ``Answer.hits``."""
    hit_start: int
    hit_end: int
    score: float
    """(0, 1]: how much of the sentence the span covers."""
    text: str
    """The sentence."""
    quote: str
    """The span."""
    doc_id: str


@dataclass(frozen=True)
class Batching:
    """How calls of concurrent threads are computed together: at most ``requests`` of them with at most ``tokens`` tokens in all (a
    larger one computes alone), after waiting ``wait_ms`` at most for those that are under way. A caller who is alone never waits.
    """

    requests: int = 32
    tokens: int = 2048
    wait_ms: float = 3.0

    def _limits(self) -> tuple[int, int, int]:
        wait_ms = number("wait_ms", self.wait_ms)
        if not 0 <= wait_ms <= 1000:
            raise InvalidArgument(f"wait_ms is {wait_ms}, it must be 0 to 1000")
        return whole("requests", self.requests, 1, 4096), whole("tokens", self.tokens, 1), round(wait_ms * 1000)

    @staticmethod
    def _limits_of(batching: Batching | None) -> tuple[int, int, int]:
        if not isinstance(batching, Batching | None):
            raise TypeError(f"batching must be a librag.Batching or None, not {type(batching).__name__}")
        return (batching or Batching())._limits()


@dataclass(frozen=True)
class Usage:
    """Tokens of a generation and why it ended."""

    prompt_tokens: int
    new_tokens: int
    finish: Finish


@dataclass(frozen=True)
class Answer:
    """An answer with checked citations."""

    text: str
    citations: list[Citation]
    unsupported: list[tuple[int, int]]
    """Sentences that no passage supports, as (start, end) in ``text``."""
    hits: Hits
    usage: Usage
    timings: dict[str, float]
    """Milliseconds: search, prompt, prefill, decode, citations."""

    def __str__(self) -> str:
        return self.text

    def marked(self) -> str:
        """The text with [1], [2] ... (which of ``hits``) behind supported sentences and [?] behind the others.

        Markers that the model wrote itself are left out: nobody has checked them.
        """
        return "".join(piece if mark is None else f"{piece} [{mark}]" for piece, mark in self._pieces())

    def _pieces(self) -> Iterator[tuple[str, str | None]]:
        marks = [(c.start, c.end, str(c.hit + 1)) for c in self.citations] + [(s, e, "?") for s, e in self.unsupported]
        at = 0
        for start, end, mark in sorted(marks):
            if start < at:
                continue
            if start > at:
                yield _OWN_MARKERS.sub("", self.text[at:start]), None
            yield _OWN_MARKERS.sub("", self.text[start:end]), mark
            at = end
        if at < len(self.text):
            yield _OWN_MARKERS.sub("", self.text[at:]), None

    def _repr_html_(self) -> str:
        parts = []
        for piece, mark in self._pieces():
            text = html.escape(piece)
            if mark is None:
                parts.append(text)
            elif mark == "?":
                parts.append(f"<span style='color:#a33' title='no passage supports this'>{text}</span>")
            else:
                parts.append(f"{text}<sup>[{mark}]</sup>")
        cited = sorted({c.hit for c in self.citations})
        sources = "".join(
            f"<li value='{i + 1}'><b>{html.escape(self.hits[i].id)}</b>: {html.escape(shorten(self.hits[i].text, 160))}</li>"
            for i in cited
        )
        return f"<p>{''.join(parts)}</p><ol>{sources}</ol>"


@dataclass(frozen=True)
class Generation:
    """A generated text; ``str()`` of it is the new text alone."""

    text: str
    ids: list[int]
    usage: Usage
    timings: dict[str, float]

    def __str__(self) -> str:
        return self.text


ChangeKind = Literal["added", "updated", "removed"]


@dataclass(frozen=True)
class Change:
    """What a transaction did to a document."""

    kind: ChangeKind
    sequence: int
    """Of the transaction; it rises with every one that changes content."""
    id: str


class Changes(list[Change]):
    """A part of the change feed, in order."""

    def __init__(self, changes: Sequence[Change], following: int, last: int) -> None:
        super().__init__(changes)
        self.next = following
        """Where to go on."""
        self.last = last
        """The last change that there is."""

    @property
    def more(self) -> bool:
        """Whether there are changes after these."""
        return self.next < self.last


@dataclass(frozen=True)
class VerifyReport:
    """What ``Engine.verify`` found."""

    ok: bool
    problems: list[str]
    details: dict[str, Any]

    def __bool__(self) -> bool:
        return self.ok


def shorten(text: str, limit: int) -> str:
    """One line of at most ``limit`` characters, without control characters: a document must not steer the terminal."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * limit]).split())
    return line if len(line) <= limit else line[: limit - 1] + "\u2026"


Messages = Sequence[Mapping[str, Any]]
