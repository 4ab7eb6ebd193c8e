"""What concerns a knowledge base as a whole: verify, compact, the change feed, backup, export and import. Engine is made of it."""

from __future__ import annotations

import io
import json
import os
from typing import TYPE_CHECKING, Any, cast

from . import _librag
from ._arguments import UINT64, whole
from ._progress import Bar
from .types import Change, ChangeKind, Changes, VerifyReport

if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike
    from typing import BinaryIO, TextIO

_KINDS: tuple[ChangeKind, ...] = ("added", "updated", "removed")


def _path(path: str | PathLike[str]) -> str:
    return os.fsdecode(path)


class Maintenance:
    """The part of Engine that needs to know nothing of documents or queries."""

    _core: _librag.Engine

    def stats(self) -> dict[str, Any]:
        """Counts, sizes, models and settings."""
        report: dict[str, Any] = json.loads(self._core.stats())
        return report

    def verify(self, *, show_progress: bool | None = None) -> VerifyReport:
        """Checks everything stored against everything else: every letter and every vector against its checksum, the vectors and words
        of the indexes against what is stored."""
        with Bar(show_progress, "verifying", "doc") as bar:
            report: dict[str, Any] = json.loads(self._core.verify(bar.callback))
        return VerifyReport(bool(report.pop("ok")), list(report.pop("problems")), report)

    def compact(self, *, show_progress: bool | None = None) -> None:
        """Gives back the space of deleted documents and rebuilds the indexes as one segment each.

        Others may read meanwhile; a crash, Ctrl-C or a full disk leaves everything as it was.
        """
        with Bar(show_progress, "compacting", "step") as bar:
            self._core.compact(bar.callback)

    def changes(self, since: int = 0, limit: int = 1000) -> Changes:
        """What a copy of the state ``since`` (0: empty) has to do to follow.

        In order: take over each document that was added or updated (or linked, or unlinked), as it is now, with links(id), and
        remove the others. Whole transactions, until
        there are ``limit`` changes or more; go on from ``.next`` while ``.more``. NotFound: removals after ``since`` are not kept any
        more (the last 100,000 are), so a new copy must begin with 0.
        """
        rows, following, last = self._core.changes(whole("since", since, 0, UINT64), whole("limit", limit, 1, UINT64))
        return Changes([Change(_KINDS[kind], sequence, id) for kind, sequence, id in rows], following, last)

    def backup(self, path: str | PathLike[str], *, show_progress: bool | None = None) -> None:
        """Writes the last commit as a knowledge base of its own into a new folder, while others read and write.

        The folder appears when it is whole and durable: after a failure, Ctrl-C or a crash there is none. A damaged document is
        Corrupt, which names it: upsert or delete it, or export() the rest.
        """
        with Bar(show_progress, "backing up", "page") as bar:
            self._core.backup(_path(path), bar.callback)

    def export(
        self,
        target: str | PathLike[str] | BinaryIO | TextIO,
        *,
        vectors: bool = True,
        on_damaged: Callable[[str | None, str], object] | None = None,
        show_progress: bool | None = None,
    ) -> int:
        """Writes all documents and the links between them as lines of JSON, in constant memory; how many documents were written.

        ``target``: a path (the file appears when it is whole), or a file that is open for writing. Without ``vectors``,
        import_() cuts and embeds the texts anew. A document that is damaged (bits that changed, a page that cannot be read) is
        Corrupt, which names it; with ``on_damaged`` it is left out, and on_damaged(id, problem) is called (id None: links).
        """
        if isinstance(target, str | os.PathLike):
            with Bar(show_progress, "exporting", "doc") as bar:
                return self._core.export_file(_path(target), vectors, bar.callback, on_damaged)
        if not hasattr(target, "write"):
            raise TypeError(f"target must be a path or a file, not {type(target).__name__}")
        if isinstance(target, io.TextIOBase):
            text = cast("TextIO", target)
            return self._core.export_lines(lambda line: text.write(line.decode()), vectors, on_damaged)
        return self._core.export_lines(cast("BinaryIO", target).write, vectors, on_damaged)

    def import_(self, path: str | PathLike[str], *, show_progress: bool | None = None) -> int:
        """Upserts the documents of an export, or of any file with lines like {"text": "..."}; how many there were.

        A bad line is an InvalidArgument that names its number; whole batches before it stay, and after Ctrl-C too. Vectors are taken
        over where the same embedder made them for the same metric; else texts are cut and embedded anew. A base without vectors for which
        no metric was chosen gets that of the export.
        """
        with Bar(show_progress, "importing", "B") as bar:
            return self._core.import_file(_path(path), bar.callback)
