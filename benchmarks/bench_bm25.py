"""BM25 beside bm25s and tantivy, one thread: documents and queries a second with tokenizing, and nDCG@10.

All retrieval sets of RAG_SHARED_DATA, English and Chinese, and a generated collection whose words are as frequent as Zipf says
(RAG_BENCH_DOCUMENTS of them, a million if it is not set; RAG_BENCH_SETS names the sets with commas, none if it is empty). librag's index stays mutable; bm25s cannot change, tantivy commits in
batches. The peers get title and text as one text; Chinese they get as bigrams, since their own tokenizers make one word of a
sentence: bm25s from a function of Python, tantivy from its n-gram tokenizer, its queries cut before the clock runs. tantivy's index
has frequencies and no positions, as librag's default.
"""

from __future__ import annotations

import contextlib
import gc
import os
import re
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import librag
import numpy as np
from data import RetrievalSet, load, ndcg
from measure import Result, take_turns

SETS = ("en_retrieval_scifact", "en_retrieval_cranfield", "en_retrieval_vaswani", "zh_faq_medical", "zh_qa_cmrc2018")
HAN = re.compile("[\u3400-\u9fff]+|[a-z0-9]+")


def run(models: Path, rounds: int) -> list[Result]:
    """Needs RAG_SHARED_DATA for all but the generated collection."""
    results: list[Result] = []
    for name in filter(None, os.environ.get("RAG_BENCH_SETS", ",".join(SETS)).split(",")):
        results += compare(name, load(name), name.startswith("zh"), rounds)
    size = int(os.environ.get("RAG_BENCH_DOCUMENTS", "1000000"))
    if size:
        results += compare(f"{size:,} generated", zipf(size), False, 1 if size > 200_000 else rounds)
    return results


def compare(name: str, data: RetrievalSet, chinese: bool, rounds: int) -> list[Result]:
    """Indexing and searching of one collection by all contenders."""
    contenders: dict[str, Librag | Bm25s | Tantivy] = {"librag": Librag(data, chinese), "bm25s": Bm25s(data, chinese)}
    with contextlib.suppress(ImportError):
        contenders["tantivy"] = Tantivy(data, chinese)
    large = len(data.texts) > 200_000

    def timed(work: int, call: Callable[[], object], least_seconds: float = 0) -> float:
        gc.collect()
        started = time.perf_counter()
        call()
        calls = 1
        while time.perf_counter() - started < least_seconds:
            call()
            calls += 1
        return calls * work / (time.perf_counter() - started)

    index = {n: (lambda c=c: timed(len(data.texts), c.index)) for n, c in contenders.items()}
    # 300 queries are answered in a twentieth of a second, which is no measurement.
    search = {n: (lambda c=c: timed(len(data.queries), c.search, 1.0 if large else 0.3)) for n, c in contenders.items()}
    indexed = take_turns(f"BM25 index {name}", "docs/s", index, rounds, warm_up=not large)
    searched = take_turns(f"BM25 search {name}", "queries/s", search, 3 if large else rounds, warm_up=not large)
    for result in searched if data.relevance else []:
        rows = contenders[result.contender].search()
        result.quality["nDCG@10"] = ndcg(data, [[data.ids[i] for i in row if i >= 0] for row in rows])
    return indexed + searched


def zipf(size: int) -> RetrievalSet:
    """Texts of some 40 words from a vocabulary of 200,000; queries are 2 to 6 words that stand together in a text, none of the 100
    most frequent ones."""
    random = np.random.default_rng(5)
    syllables = [a + b for a in "bcdfghklmnprstvz" for b in ("a", "e", "i", "o", "u", "ar", "en", "il", "or", "um")]
    vocabulary = np.array(sorted({"".join(random.choice(syllables, random.integers(2, 5))) for _ in range(260_000)}))
    random.shuffle(vocabulary)
    vocabulary = vocabulary[:200_000]
    weights = 1 / np.arange(1, len(vocabulary) + 1)
    steps = np.cumsum(weights / weights.sum())
    texts: list[str] = []
    queries: list[str] = []
    lengths = np.clip(random.lognormal(3.6, 0.5, size), 5, 400).astype(int)
    every = max(1, size // 300)
    for start in range(0, size, 10_000):
        part = lengths[start : start + 10_000]
        words = np.minimum(np.searchsorted(steps, random.random(int(part.sum()))), len(vocabulary) - 1)
        ends = np.cumsum(part)
        names = vocabulary[words]
        for row, end in enumerate(ends):
            first = end - part[row]
            texts.append(" ".join(names[first:end]))
            if (start + row) % every == 0:
                rare = [vocabulary[w] for w in words[first:end] if w >= 100]
                queries.append(" ".join(rare[: int(random.integers(2, 7))]))
    queries = [query for query in queries if query]
    numbers = [str(i) for i in range(size)]
    return RetrievalSet("zipf", numbers, texts, [str(i) for i in range(len(queries))], queries, {}, [""] * size, texts)


def bigrams(text: str) -> list[str]:
    """Pairs of Han characters, Latin words as they are."""
    out: list[str] = []
    for run_of in HAN.findall(text.lower()):
        if run_of[0] >= "\u3400" and len(run_of) > 1:
            out += [a + b for a, b in pairwise(run_of)]
        else:
            out.append(run_of)
    return out


class Librag:
    """BM25Index with its defaults."""

    def __init__(self, data: RetrievalSet, chinese: bool) -> None:
        self.data = data
        self.numbers = np.arange(len(data.texts))

    def index(self) -> None:
        self.bm25 = librag.BM25Index()
        self.bm25.add(self.numbers, self.data.bodies, self.data.titles, show_progress=False)

    def search(self) -> list[list[int]]:
        return self.bm25.search(self.data.queries, 10)[0].tolist()


class Bm25s:
    """bm25s, Lucene variant, k1 1.2 and b 0.75; English with Snowball stems and stop words."""

    def __init__(self, data: RetrievalSet, chinese: bool) -> None:
        import bm25s
        import Stemmer

        self.data, self.chinese = data, chinese
        self.module, self.stemmer = bm25s, Stemmer.Stemmer("english")

    def _tokens(self, texts: list[str]) -> object:
        if self.chinese:
            return [bigrams(text) for text in texts]
        return self.module.tokenize(texts, stopwords="en", stemmer=self.stemmer, show_progress=False)

    def index(self) -> None:
        self.bm25 = self.module.BM25(method="lucene", k1=1.2, b=0.75)
        self.bm25.index(self._tokens(self.data.texts), show_progress=False)

    def search(self) -> list[list[int]]:
        tokens = self._tokens(self.data.queries)
        return self.bm25.retrieve(tokens, k=10, n_threads=1, show_progress=False)[0].tolist()


class Tantivy:
    """tantivy, one writer thread; English with its stemmer, Chinese as n-grams of two characters."""

    def __init__(self, data: RetrievalSet, chinese: bool) -> None:
        import tantivy

        self.module, self.data, self.chinese = tantivy, data, chinese
        # Words in capitals (AND, IN, ...) would be operators of its query language.
        plain = ["".join(c if c.isalnum() else " " for c in query.lower()) for query in data.queries]
        self.queries = plain if not chinese else [" ".join(a + b for w in q.split() for a, b in pairwise(w)) for q in plain]

    def index(self) -> None:
        name = "bigrams" if self.chinese else "en_stem"
        builder = self.module.SchemaBuilder()
        builder.add_text_field("text", tokenizer_name=name, index_option="freq")
        builder.add_integer_field("row", stored=True)
        self.handle = self.module.Index(builder.build())
        if self.chinese:
            grams = self.module.TextAnalyzerBuilder(self.module.Tokenizer.ngram(2, 2, False))
            self.handle.register_tokenizer(name, grams.filter(self.module.Filter.lowercase()).build())
        writer = self.handle.writer(128_000_000, 1)
        for row, text in enumerate(self.data.texts):
            writer.add_document(self.module.Document(text=text, row=row))
        writer.commit()
        self.handle.reload()

    def search(self) -> list[list[int]]:
        searcher, rows = self.handle.searcher(), []
        for query in self.queries:
            hits = searcher.search(self.handle.parse_query(query, ["text"]), 10).hits
            rows.append([searcher.doc(address)["row"][0] for _, address in hits])
        return rows
