"""VectorIndex and BM25Index: search by id without an engine. Ids are int64 of 0 or more.

Searches may go on in any number of threads while one adds or removes. ``add`` of an id that exists raises AlreadyExists and adds
nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from . import _librag
from ._arguments import UINT64, number, optional, whole
from ._progress import Bar
from .errors import InvalidArgument

if TYPE_CHECKING:
    from os import PathLike

    import numpy as np
    import numpy.typing as npt

    from .types import Metric

    Ids = Sequence[int] | npt.NDArray[np.int64]
    Found = tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]

__all__ = ["BM25Index", "VectorIndex"]


class BM25Settings(TypedDict, total=False):
    """The keyword arguments of BM25Index, as Engine(bm25=) takes them; what is left out is the default."""

    k1: float
    b: float
    language: str
    variant: Literal["lucene", "okapi", "plus", "l"]
    delta: float | None
    k3: float
    title_weight: float
    positions: bool


def bm25_settings(
    k1: float = 1.2,
    b: float = 0.5,
    language: str = "auto",
    variant: str = "lucene",
    delta: float | None = None,
    k3: float = 1.0,
    title_weight: float = 2.0,
    positions: bool = False,
) -> tuple[float, float, str, str, float, float, float, bool]:
    """As the core takes them; InvalidArgument names a number below 0."""
    given = {"k1": k1, "b": b, "k3": k3, "title_weight": title_weight} | ({} if delta is None else {"delta": delta})
    for name, value in given.items():
        if not number(name, value) >= 0:
            raise InvalidArgument(f"{name} is {value}, it must be 0 or more")
    return k1, b, language, variant, -1.0 if delta is None else delta, k3, title_weight, positions


class VectorIndex:
    """Nearest neighbours by cosine, inner product or squared distance."""

    def __init__(
        self,
        dim: int,
        *,
        metric: Metric = "cosine",
        dtype: Literal["float32", "int8"] = "float32",
        M: int = 16,
        ef_construction: int = 200,
        seed: int = 100,
    ) -> None:
        self._core = _librag.VectorIndex(
            whole("dim", dim, 1),
            metric,
            dtype,
            whole("M", M, 1),
            whole("ef_construction", ef_construction, 1),
            whole("seed", seed, 0, UINT64),
        )

    def add(self, ids: Ids, vectors: Any, *, show_progress: bool | None = None) -> None:
        """Adds vectors (n, dim) under ``ids`` (n,); they are found at once."""
        with Bar(show_progress, "adding", "vector", len(ids)) as bar:
            self._core.add(ids, vectors, bar.callback)

    def search(self, vectors: Any, k: int = 10, *, ef: int | None = None, filter: Ids | None = None) -> Found:
        """The k nearest of each query: ids and scores, both (n, k), best first; -1 and NaN where fewer are there.

        ``vectors`` is (n, dim) or (dim,). ``ef``: larger is more exact. ``filter``: the allowed ids.
        """
        return self._core.search(vectors, whole("k", k, 1), optional("ef", ef), filter)

    def remove(self, ids: Ids) -> int:
        """How many of these ids were there."""
        return self._core.remove(ids)

    def save(self, path: str | PathLike[str], *, show_progress: bool | None = None) -> None:
        """Writes one file, replacing an older one at once; after Ctrl-C or a failure the older one is as it was."""
        with Bar(show_progress, "saving", "B") as bar:
            self._core.save(os.fspath(path), bar.callback)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> VectorIndex:
        """Reads a file that save() wrote; Corrupt names what is damaged."""
        index = cls.__new__(cls)
        index._core = _librag.VectorIndex.load(os.fspath(path))
        return index

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self._core.dim

    def __len__(self) -> int:
        return len(self._core)

    def __repr__(self) -> str:
        return f"VectorIndex(dim={self.dim}, {len(self)} vectors)"


class BM25Index:
    """Lexical search; English and Chinese alike.

    ``variant``: "lucene", "okapi", "plus" (BM25+) or "l" (BM25L). ``title_weight``: an occurrence in a title counts as so many in
    the text. ``k3`` dampens words that a query repeats. ``positions=True`` keeps where words stand, which phrases need. How the
    defaults were chosen: docs/bm25.md.
    """

    def __init__(
        self,
        *,
        k1: float = 1.2,
        b: float = 0.5,
        language: str = "auto",
        variant: Literal["lucene", "okapi", "plus", "l"] = "lucene",
        delta: float | None = None,
        k3: float = 1.0,
        title_weight: float = 2.0,
        positions: bool = False,
    ) -> None:
        self._core = _librag.BM25Index(*bm25_settings(k1, b, language, variant, delta, k3, title_weight, positions))

    def add(
        self, ids: Ids, texts: Iterable[str], titles: Iterable[str] | None = None, *, show_progress: bool | None = None
    ) -> None:
        """Adds texts, with their titles if there are any, under ``ids``; they are found at once."""
        with Bar(show_progress, "indexing", "text", len(ids)) as bar:
            self._core.add(ids, texts, titles, bar.callback)

    def upsert(
        self, ids: Ids, texts: Iterable[str], titles: Iterable[str] | None = None, *, show_progress: bool | None = None
    ) -> int:
        """As add, but texts whose id is there already are replaced; how many were."""
        with Bar(show_progress, "indexing", "text", len(ids)) as bar:
            return self._core.upsert(ids, texts, titles, bar.callback)

    def search(self, queries: str | Sequence[str], k: int = 10, *, filter: Ids | None = None, operators: bool = False) -> Found:
        """The k best of each query: ids and scores, both (n, k), best first; -1 and NaN where fewer match.

        A query is words to look for, whatever signs it holds. With ``operators=True`` it is read as the query language:
        ``"a phrase"``, ``pre*``, ``+must``, ``-not``, ``AND``, ``OR``, ``NOT``, parentheses, a backslash before a character without
        its meaning. InvalidArgument says where a query is none.
        """
        return self._core.search([queries] if isinstance(queries, str) else queries, whole("k", k, 1), filter, operators)

    def explain(self, query: str, id: int, *, operators: bool = False) -> dict[str, Any]:
        """How the score of one text came about; the parts sum to it."""
        import json

        report: dict[str, Any] = json.loads(self._core.explain(query, id, operators))
        return report

    def highlight(self, query: str, text: str, *, operators: bool = False) -> list[tuple[int, int]]:
        """Where ``text`` (it need not be in the index) has what the query looks for: ``text[start:end]``, ascending."""
        return self._core.highlight(query, text, operators)

    def remove(self, ids: Ids) -> int:
        """How many of these ids were there."""
        return self._core.remove(ids)

    def save(self, path: str | PathLike[str], *, show_progress: bool | None = None) -> None:
        """Writes one file, replacing an older one at once; after Ctrl-C or a failure the older one is as it was."""
        with Bar(show_progress, "saving", "B") as bar:
            self._core.save(os.fspath(path), bar.callback)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> BM25Index:
        """Reads a file that save() wrote; Corrupt names what is damaged."""
        index = cls.__new__(cls)
        index._core = _librag.BM25Index.load(os.fspath(path))
        return index

    def __len__(self) -> int:
        return len(self._core)

    def __repr__(self) -> str:
        return f"BM25Index({len(self)} texts)"
