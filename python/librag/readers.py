"""Files and folders as documents.

The formats that the core reads (``SUFFIXES``: text, Markdown, reStructuredText, HTML, JSON, tables, source code) come from there; PDF and
DOCX are read by pypdf and python-docx, which the extra ``librag[documents]`` brings. docs/reading-documents.md tells what each gives.

The id of a file is its path below the folder, so indexing the same folder again replaces what changed; rows without an id of their own
are "path:row", and in a folder those with one are "path:id". Nothing is skipped silently: what cannot be read is an error, or is handed to ``on_error``.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import _librag
from .errors import InvalidArgument, NotFound, RagError, Unsupported
from .text import clean as clean_text
from .types import KINDS, Document

if TYPE_CHECKING:
    from os import PathLike

    OnError = Callable[[Path, Exception], None]
    OnBlank = Callable[[Path, int], None]

__all__ = ["OFFICE_SUFFIXES", "SUFFIXES", "find_files", "read_bytes", "read_documents", "readable"]

SUFFIXES: tuple[str, ...] = tuple("." + name for name in _librag.Reader.formats())
"""What the core reads."""
OFFICE_SUFFIXES: tuple[str, ...] = (".docx", ".pdf")
"""What needs ``librag[documents]``."""
_MAX_OFFICE_BYTES = 256 << 20


def find_files(folder: str | PathLike[str]) -> list[Path]:
    """The readable files below a folder (or the file itself), sorted; hidden files and folders are left out."""
    root = Path(folder)
    if root.is_file():
        return [root]
    if not root.is_dir():
        raise NotFound(f"there is no folder {str(root)!r}")
    known = frozenset(SUFFIXES + OFFICE_SUFFIXES)
    found = []
    for where, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(where, name) for name in sorted(files) if Path(name).suffix.lower() in known and not name.startswith(".")]
    return found


def read_documents(
    path: str | PathLike[str],
    *,
    format: str | None = None,
    encoding: str | None = None,
    text: str | None = None,
    title: str | None = None,
    id: str | None = None,
    delimiter: str | None = None,
    clean: bool = True,
    on_error: OnError | None = None,
    on_blank: OnBlank | None = None,
) -> Iterator[Document]:
    """The documents of a file, or of all files below a folder that can be read, one by one: any amount needs the memory of one.

    ``format``: the suffix to read a file by, such as "md"; None: its own. ``encoding``: None finds UTF-8, UTF-16 with a mark, what a page
    declares, and GB18030 where that is clear. ``text``, ``title`` and ``id``: columns of tables and members of JSON objects; None is
    "text", "title", and "id" or "_id"; the rest is metadata. ``clean``: see librag.clean. ``on_error`` gets a file and what is wrong with
    it or with one of its rows, and reading goes on; without it that is raised. ``on_blank`` gets a file and how many documents in it
    have no text.
    """
    root = Path(path)
    options: dict[str, Any] = {
        "format": format,
        "encoding": encoding,
        "text_field": text,
        "title_field": title,
        "id_field": id,
        "delimiter": delimiter,
    }
    if not clean:
        options |= {"control": False, "whitespace": False, "nfc": False}
    for file in find_files(root):
        name = readable(file.relative_to(root).as_posix() if root.is_dir() else file.name)
        try:
            if (format or file.suffix.lstrip(".")).lower() in ("pdf", "docx"):
                office = _read_office(file, name, (format or file.suffix.lstrip(".")).lower(), clean)
                if office is not None:
                    yield office
                elif on_blank is not None:
                    on_blank(file, 1)
                continue
            reader = _librag.Reader.open(os.fsencode(file), {**options, "id": name, "source": readable(file)})
        except (OSError, RagError) as error:
            if on_error is None:
                raise
            on_error(file, error)
            continue
        for document in _documents_of(reader, file, on_error, on_blank):
            # The ids of a table are its own: those of the next file may be the same.
            if root.is_dir() and document.id != name and not str(document.id).startswith(name + ":"):
                document.id = f"{name}:{document.id}"
            yield document


def read_bytes(data: bytes, name: str, **options: Any) -> list[Document]:
    """The documents of a file that is in memory; ``name`` stands for the file's. ``options``: as in read_documents."""
    known = {"format", "encoding", "text", "title", "id", "delimiter"}
    if unknown := set(options) - known:
        raise TypeError(f"unknown options {sorted(unknown)}; known are {sorted(known)}")
    renamed = {f"{key}_field" if key in ("text", "title", "id") else key: value for key, value in options.items()}
    return list(_documents_of(_librag.Reader.of_bytes(data, name, renamed), Path(name), None, None))


def _documents_of(reader: _librag.Reader, file: Path, on_error: OnError | None, on_blank: OnBlank | None) -> Iterator[Document]:
    while True:
        try:
            document = reader.next()
        except (OSError, RagError) as error:
            if on_error is None:
                raise
            on_error(file, error)
            continue
        if document is None:
            break
        yield Document(
            document.text,
            document.id,
            document.title,
            json.loads(document.metadata),
            source=document.source,
            language=document.language,
            kind=KINDS[document.kind],
        )
    if on_blank is not None and reader.blank_count:
        on_blank(file, reader.blank_count)


def readable(path: str | PathLike[str]) -> str:
    """A path as text that UTF-8 can hold: bytes that are not UTF-8 are written as \\xNN."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _read_office(path: Path, id: str, format: str, clean: bool) -> Document | None:
    """A PDF or DOCX file as one document, or None if it holds no text (a PDF of scanned pages)."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise InvalidArgument(f"{readable(path)!r} is no regular file")
    if status.st_size > _MAX_OFFICE_BYTES:
        raise InvalidArgument(f"{readable(path)!r} has {status.st_size} bytes, at most {_MAX_OFFICE_BYTES} are read")
    try:
        title, text, metadata = _read_pdf(path) if format == "pdf" else _read_docx(path)
    except ImportError as missing:
        raise Unsupported(
            f"{readable(path)!r}: reading .{format} needs {missing.name}: pip install 'librag[documents]'"
        ) from missing
    except (RagError, OSError):
        raise
    except Exception as error:  # these libraries let through whatever a damaged file makes them stumble over
        raise InvalidArgument(f"{readable(path)!r} cannot be read as .{format}: {type(error).__name__}: {error}") from error
    # Characters that UTF-8 cannot hold come out of broken fonts.
    text = text.encode("utf-8", "replace").decode("utf-8")
    title = " ".join(title.encode("utf-8", "replace").decode("utf-8").split()) or readable(path.stem)
    if clean:
        text, title = clean_text(text), clean_text(title)
    if not text.strip():
        return None
    kind = KINDS[1] if format == "docx" else KINDS[0]
    return Document(text, id, title, {"format": format, **metadata}, source=readable(path), kind=kind)


def _read_pdf(path: Path) -> tuple[str, str, dict[str, Any]]:
    """Pages, a blank line between; an encrypted file is read if it opens without a password."""
    import logging

    from pypdf import PdfReader

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # what it warns about is either read or an exception
    reader = PdfReader(path)
    if reader.is_encrypted and not reader.decrypt(""):
        raise InvalidArgument(f"{readable(path)!r} is encrypted")
    pages = [page.extract_text() for page in reader.pages]
    title = str(reader.metadata.title or "") if reader.metadata else ""
    return title, "\n\n".join(pages), {"pages": len(pages)}


def _read_docx(path: Path) -> tuple[str, str, dict[str, Any]]:
    """Paragraphs and tables in their order, as Markdown: headings by their styles, rows as "a | b"."""
    import docx
    from docx.table import Table

    document = docx.Document(str(path))
    blocks = []
    for item in document.iter_inner_content():
        if isinstance(item, Table):
            rows = [" | ".join(" ".join(cell.text.split()) for cell in row.cells) for row in item.rows]
            blocks.append("\n".join(rows))
            continue
        text = item.text.strip()
        style = item.style.name if item.style is not None and item.style.name else ""
        level = 1 if style == "Title" else int(style[8:]) if style.startswith("Heading ") and style[8:].isdigit() else 0
        if level and text:
            text = "#" * min(level, 6) + " " + " ".join(text.split())
        elif text.startswith("#"):
            text = "\\" + text
        if text:
            blocks.append(text)
    return str(document.core_properties.title or ""), "\n\n".join(blocks), {}
