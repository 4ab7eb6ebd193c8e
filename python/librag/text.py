"""Texts before they are stored: chunks and cleaning. Reading files is in ``librag.readers``.

Offsets are in characters of the Python str.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import _librag
from ._arguments import place_in, whole
from .tokenizer import Tokenizer
from .types import CHUNKERS, KINDS, ChunkerName, Kind

__all__ = ["Chunk", "chunk", "clean"]


@dataclass(frozen=True)
class Chunk:
    """A piece of a text: ``text`` is the text from ``start`` to ``end``."""

    text: str
    start: int
    end: int
    parent_start: int
    """The smallest section that holds more than the chunk; else as ``start``."""
    parent_end: int
    title_path: str
    """Headings above it, outermost first, joined by " > "."""


def chunk(
    text: str,
    *,
    kind: Kind = "text",
    size: int = 200,
    overlap: int = 0,
    chunker: ChunkerName = "auto",
    tokenizer: Tokenizer | None = None,
) -> list[Chunk]:
    """Cuts a text as an Engine does: into chunks of at most ``size`` tokens, at sections, paragraphs, sentences, then words.

    ``size`` and ``overlap`` are tokens of ``tokenizer``, or words without one. Together the chunks hold all that is not white space.
    """
    core = None if tokenizer is None else tokenizer._core
    numbers = (
        place_in("kind", kind, KINDS),
        place_in("chunker", chunker, CHUNKERS),
        whole("size", size, 1),
        whole("overlap", overlap),
    )
    return [
        Chunk(text[start:end], start, end, parent_start, parent_end, title_path)
        for start, end, parent_start, parent_end, title_path in _librag.chunk(text, *numbers, core)
    ]


def clean(text: str, *, control: bool = True, whitespace: bool = True, nfc: bool = True) -> str:
    """``text`` as it should be stored; cleaning twice does nothing more.

    ``control`` removes control characters and byte order marks; ``whitespace`` makes line ends, no-break spaces and blank lines plain;
    ``nfc`` brings characters to Unicode's normal form C.
    """
    return _librag.clean(text, control, whitespace, nfc)
