"""Files of training data as rows: JSON lines, lists in JSON, tables, folders of BEIR; the shapes of Alpaca and ShareGPT too."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from .. import _librag
from .._arguments import UINT64, place_in, whole
from ..errors import InvalidArgument

if TYPE_CHECKING:
    from os import PathLike

Kind: TypeAlias = Literal["any", "text", "labelled", "chat", "retrieval"]
_KINDS = ("any", "text", "labelled", "chat", "retrieval")
_COLUMNS = ("text", "pair", "label", "query", "positive", "negatives", "messages")
_MAX_UNPACKED = 4 << 30


class Rows(list[dict[str, Any]]):
    """Rows of one kind, as dicts, with what is known of the file they came from."""

    kind: str
    """"text", "labelled", "chat" or "retrieval"."""
    lines: list[int]
    """For each row its line in the file, from 1."""
    labels: list[str]
    """Of labelled rows: those given, or those that occur, sorted."""
    skipped_count: int
    skipped: list[tuple[int, str]]
    """(line, reason) of the first 1,000 bad rows, with ``on_bad_row="skip"``."""


def read(
    path: str | PathLike[str],
    *,
    kind: Kind = "any",
    columns: Mapping[str, str] | None = None,
    labels: Sequence[str] = (),
    on_bad_row: Literal["error", "skip"] = "error",
    split: str = "train",
    format: str | None = None,
    encoding: str | None = None,
    max_row_bytes: int = 1 << 20,
) -> Rows:
    """The rows of a file (.jsonl, .json, .csv, .tsv, each also with .gz) or of a BEIR folder (its ``split``).

    Rows may be ``{"text", "label"}``; ``{"query", "positive", "negatives"}`` ("anchor", "pos", "neg"); ``{"messages"}``; Alpaca's
    "instruction", "input" and "output"; ShareGPT's "conversations"; "prompt" and "completion" (all three become messages); "text" alone.
    ``columns`` names other members, such as ``{"text": "question", "label": "intent"}``. ``labels``: those that may be.

    All rows are of one ``kind``. A bad row is an InvalidArgument with file, line and reason, or with ``on_bad_row="skip"`` is counted and
    named in ``.skipped``; a file without a good row, or with one label only, is an error anyway. Ctrl-C stops.
    """
    if on_bad_row not in ("error", "skip"):
        raise InvalidArgument(f"on_bad_row is {on_bad_row!r}, it must be 'error' or 'skip'")
    if isinstance(labels, str):
        raise TypeError("labels must be a list of texts, not one text")
    given = dict(columns or {})
    if unknown := [name for name in given if name not in _COLUMNS]:
        raise InvalidArgument(f"columns has {unknown[0]!r}, it may have {', '.join(_COLUMNS)}")
    options: dict[str, Any] = {
        **given,
        "kind": place_in("kind", kind, _KINDS),
        "labels": list(labels),
        "skip_bad_rows": on_bad_row == "skip",
        "split": split,
        "format": format,
        "encoding": encoding,
        "max_row_bytes": whole("max_row_bytes", max_row_bytes, 1, UINT64),
    }
    file = Path(path)
    if file.suffix.lower() == ".gz" and not file.is_dir():
        found = _librag.read_training_bytes(unpacked(file), file.name[:-3], options)
    else:
        found = _librag.read_training_rows(os.fsencode(file), options)
    number, texts, lines, used, skipped_count, skipped = found
    rows = Rows(json.loads(text) for text in texts)
    rows.kind, rows.lines, rows.labels = _KINDS[number], lines, used
    rows.skipped_count, rows.skipped = skipped_count, skipped
    return rows


def unpacked(file: Path) -> bytes:
    """What a gzip file holds, at most 4 GB; InvalidArgument names one that is damaged."""
    try:
        with gzip.open(file) as stream:
            data = stream.read(_MAX_UNPACKED + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InvalidArgument(f"{str(file)!r} is no whole gzip file: {error}") from error
    if len(data) > _MAX_UNPACKED:
        raise InvalidArgument(f"{str(file)!r} unpacks to more than {_MAX_UNPACKED} bytes; unpack it and read the file")
    return data
