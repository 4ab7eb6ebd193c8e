"""BM25 over SciFact beside bm25s and tantivy, one thread: documents and queries a second with tokenizing, and nDCG@10."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import librag
import numpy as np
from data import load, ndcg
from measure import Result, take_turns


def run(models: Path, rounds: int) -> list[Result]:
    """Needs RAG_SHARED_DATA. librag's index stays mutable; the others' do not (bm25s) or commit in batches (tantivy)."""
    data = load("en_retrieval_scifact")
    contenders = {"librag": Librag(), "bm25s": Bm25s()}
    with contextlib.suppress(ImportError):
        contenders["tantivy"] = Tantivy()

    def index(contender) -> float:
        started = time.perf_counter()
        contender.index(data.texts)
        return len(data.texts) / (time.perf_counter() - started)

    def search(contender) -> float:
        started = time.perf_counter()
        contender.search(data.queries, 10)
        return len(data.queries) / (time.perf_counter() - started)

    results = take_turns("BM25 index SciFact", "docs/s", {n: (lambda c=c: index(c)) for n, c in contenders.items()}, rounds)
    searched = take_turns("BM25 search SciFact", "queries/s", {n: (lambda c=c: search(c)) for n, c in contenders.items()}, rounds)
    for result in searched:
        rows = contenders[result.contender].search(data.queries, 10)
        result.quality["nDCG@10"] = ndcg(data, [[data.ids[i] for i in row if i >= 0] for row in rows])
    return results + searched


class Librag:
    """BM25Index with its defaults."""

    def index(self, texts: list[str]) -> None:
        self.bm25 = librag.BM25Index()
        self.bm25.add(np.arange(len(texts)), texts, show_progress=False)

    def search(self, queries: list[str], k: int) -> list[list[int]]:
        return self.bm25.search(queries, k)[0].tolist()


class Bm25s:
    """bm25s with Snowball stems and English stop words, Lucene variant, librag's k1 and b."""

    def __init__(self) -> None:
        import bm25s
        import Stemmer

        self.module, self.stemmer = bm25s, Stemmer.Stemmer("english")

    def _tokens(self, texts: list[str]):
        return self.module.tokenize(texts, stopwords="en", stemmer=self.stemmer, show_progress=False)

    def index(self, texts: list[str]) -> None:
        self.bm25 = self.module.BM25(method="lucene", k1=1.2, b=0.75)
        self.bm25.index(self._tokens(texts), show_progress=False)

    def search(self, queries: list[str], k: int) -> list[list[int]]:
        return self.bm25.retrieve(self._tokens(queries), k=k, n_threads=1, show_progress=False)[0].tolist()


class Tantivy:
    """tantivy with its English stemmer, one writer thread."""

    def __init__(self) -> None:
        import tantivy

        self.module = tantivy

    def index(self, texts: list[str]) -> None:
        builder = self.module.SchemaBuilder()
        builder.add_text_field("text", tokenizer_name="en_stem")
        builder.add_integer_field("row", stored=True)
        self.handle = self.module.Index(builder.build())
        writer = self.handle.writer(128_000_000, 1)
        for row, text in enumerate(texts):
            writer.add_document(self.module.Document(text=text, row=row))
        writer.commit()
        self.handle.reload()

    def search(self, queries: list[str], k: int) -> list[list[int]]:
        searcher, rows = self.handle.searcher(), []
        for query in queries:
            words = "".join(c if c.isalnum() else " " for c in query)
            hits = searcher.search(self.handle.parse_query(words, ["text"]), k).hits
            rows.append([searcher.doc(address)["row"][0] for _, address in hits])
        return rows
