"""A page of headings, paragraphs, tables and plots, as Markdown and as HTML that needs no other file. Pure functions; texts from outside are
escaped in both."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Heading:
    text: str


@dataclass(frozen=True)
class Paragraph:
    text: str


@dataclass(frozen=True)
class Table:
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    texts: int = 1
    """So many first columns hold texts, the others numbers, which stand right."""


@dataclass(frozen=True)
class Figure:
    name: str
    file: str
    """To which Markdown refers."""
    svg: str


Block: TypeAlias = "Heading | Paragraph | Table | Figure"

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1c2733; background: #fff; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; margin-top: 2.2rem; border-bottom: 1px solid #d5dbe1; padding-bottom: 0.2rem; }
table { border-collapse: collapse; margin: 1rem 0; font-size: 0.92rem; }
th, td { padding: 0.3rem 0.7rem; text-align: left; border-bottom: 1px solid #d5dbe1; vertical-align: top; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
figure { margin: 1rem 0; } svg { max-width: 100%; height: auto; } p { max-width: 45rem; overflow-wrap: anywhere; }
@media (prefers-color-scheme: dark) {
  body { color: #dfe5ea; background: #15191d; } th, td, h2 { border-color: #37414a; } }
""".strip()


def markdown_page(title: str, blocks: Sequence[Block]) -> str:
    parts = [f"# {_markdown(title)}"]
    for block in blocks:
        if isinstance(block, Heading):
            parts.append(f"## {_markdown(block.text)}")
        elif isinstance(block, Paragraph):
            parts.append(_markdown(block.text))
        elif isinstance(block, Figure):
            parts.append(f"![{_markdown(block.name)}]({block.file})")
        else:
            marks = ["---" if i < block.texts else "---:" for i in range(len(block.header))]
            rows = [block.header, *block.rows]
            lines = ["| " + " | ".join(_markdown(cell) for cell in row) + " |" for row in rows]
            parts.append("\n".join([lines[0], "|" + "|".join(marks) + "|", *lines[1:]]))
    return "\n\n".join(parts) + "\n"


def html_page(title: str, blocks: Sequence[Block], *, whole: bool = True) -> str:
    """``whole=False``: only what stands in the body, for a notebook."""
    parts = [f"<h1>{html.escape(title)}</h1>"]
    for block in blocks:
        if isinstance(block, Heading):
            parts.append(f"<h2>{html.escape(block.text)}</h2>")
        elif isinstance(block, Paragraph):
            parts.append(f"<p>{html.escape(block.text)}</p>")
        elif isinstance(block, Figure):
            parts.append(f"<figure>{block.svg}</figure>")
        else:
            head = _row(block.header, block.texts, "th")
            body = "\n".join(_row(row, block.texts, "td") for row in block.rows)
            parts.append(f"<table>\n<thead>{head}</thead>\n<tbody>\n{body}\n</tbody>\n</table>")
    body = "\n".join(parts)
    if not whole:
        return body
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{html.escape(title)}</title>\n'
        f"<style>\n{_STYLE}\n</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _row(cells: Sequence[str], texts: int, tag: str) -> str:
    shown = [
        f"<{tag}>{html.escape(cell)}</{tag}>" if i < texts else f'<{tag} class="number">{html.escape(cell)}</{tag}>'
        for i, cell in enumerate(cells)
    ]
    return "<tr>" + "".join(shown) + "</tr>"


def _markdown(text: str) -> str:
    """On one line, with nothing that Markdown or HTML would read as a mark."""
    return re.sub(r"([\\`*_\[\]<>|#&!~$])", r"\\\1", " ".join(text.split()))
