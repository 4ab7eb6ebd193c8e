"""Folders of .txt, .md, .rst and .html files as documents.

The id is the path below the folder, so indexing the same folder again replaces what changed. Files that are not UTF-8 are read with
replacement characters and marked so in their metadata; bytes of a name that are not UTF-8 are written as \\xNN. Nothing is skipped
silently: a file that cannot be read is an error, or is handed to ``on_error``.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import InvalidArgument, NotFound
from .types import Document

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["SUFFIXES", "find_files", "read_file", "read_folder"]

SUFFIXES = (".txt", ".md", ".rst", ".html", ".htm")
_MAX_BYTES = 64 << 20


def find_files(folder: str | PathLike[str]) -> list[Path]:
    """The readable files below a folder (or the file itself), sorted; hidden folders are left out."""
    root = Path(folder)
    if root.is_file():
        if root.suffix.lower() not in SUFFIXES:
            raise InvalidArgument(f"{str(root)!r} is none of {', '.join(SUFFIXES)}")
        return [root]
    if not root.is_dir():
        raise NotFound(f"there is no folder {str(root)!r}")
    found = []
    for where, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(where, name) for name in sorted(files) if Path(name).suffix.lower() in SUFFIXES]
    return found


def read_file(path: Path, id: str) -> Document | None:
    """One file as a document, or None if it holds no text."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise InvalidArgument(f"{readable(path)!r} is no regular file")
    size = status.st_size
    if size > _MAX_BYTES:
        raise InvalidArgument(f"{readable(path)!r} has {size} bytes, at most {_MAX_BYTES} are read")
    raw = path.read_bytes()
    metadata = {"source": readable(path), "format": path.suffix.lower().lstrip(".")}
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("utf-8", "replace")
        metadata["encoding"] = "not UTF-8, replaced"
    title = ""
    if metadata["format"] in ("html", "htm"):
        text, title = html_text(text)
    elif metadata["format"] in ("md", "rst"):
        title = _first_heading(text)
    text = text.replace("\r\n", "\n").replace("\0", " ")
    return Document(text, id, title or readable(path.stem), dict(metadata)) if text.strip() else None


def read_folder(folder: str | PathLike[str], on_error: Callable[[Path, Exception], None] | None = None) -> Iterator[Document]:
    """The documents of a folder, one file each. ``on_error`` gets the files that cannot be read; without it they raise."""
    root = Path(folder)
    for path in find_files(root):
        id = readable(path.relative_to(root).as_posix() if root.is_dir() else path.name)
        try:
            document = read_file(path, id)
        except (OSError, InvalidArgument) as error:
            if on_error is None:
                raise
            on_error(path, error)
            continue
        if document is not None:
            yield document


def readable(path: str | PathLike[str]) -> str:
    """A path as text that UTF-8 can hold."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def html_text(source: str) -> tuple[str, str]:
    """The visible text of a page, block by block, and its title."""
    parser = _TextParser()
    parser.feed(source)
    parser.close()
    blocks = (" ".join(block.split()) for block in "".join(parser.parts).split("\n\n"))
    return "\n\n".join(block for block in blocks if block), " ".join("".join(parser.title).split())


class _TextParser(HTMLParser):
    """Collects text outside scripts and styles; a block element starts a paragraph."""

    _HIDDEN = frozenset({"script", "style", "template", "noscript", "svg"})
    _BLOCKS = frozenset(
        "address article aside blockquote body dd div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 header hr li main "
        "nav ol p pre section table td th tr ul".split()
    )

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.title: list[str] = []
        self._hidden = 0
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self._HIDDEN:
            self._hidden += 1
        elif tag == "title":
            self._in_title = True
        elif tag == "br":
            self.parts.append(" ")
        elif tag in self._BLOCKS:
            self.parts.append("\n\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._HIDDEN:
            self._hidden = max(0, self._hidden - 1)
        elif tag == "title":
            self._in_title = False
        elif tag in self._BLOCKS:
            self.parts.append("\n\n")

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title.append(data)
        elif not self._hidden:
            # Line breaks in the source are spaces on the page; only block elements part paragraphs.
            self.parts.append(re.sub(r"\s+", " ", data))


def _first_heading(text: str) -> str:
    """The first Markdown or reStructuredText heading, or ''."""
    lines = text.splitlines()
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        if match := re.match(r"#{1,6}\s+(.*\S)", line):
            return match.group(1).rstrip("#").strip()
        if (
            line.strip()
            and len(after) >= 3
            and re.fullmatch(r"([=\-~^\"'*+#])\1{2,}", after.rstrip())
            and len(after) >= len(line.rstrip()) - 2
        ):
            return line.strip()
    return ""
