"""Vector search over 20,000 clustered vectors of 384 dimensions beside hnswlib, faiss and usearch, at equal M and ef_construction."""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path

import librag
import numpy as np
from measure import Result, take_turns

ROWS, DIM, QUERIES = 20_000, 384, 500


def run(models: Path, rounds: int) -> list[Result]:
    """Built by one thread; queries by one thread at the smallest ef with recall@10 of at least 0.99."""
    rng = np.random.default_rng(3)
    centres = rng.normal(size=(500, DIM)).astype(np.float32)
    rows = (centres[rng.integers(500, size=ROWS)] + rng.normal(scale=0.7, size=(ROWS, DIM))).astype(np.float32)
    queries = (centres[rng.integers(500, size=QUERIES)] + rng.normal(scale=0.7, size=(QUERIES, DIM))).astype(np.float32)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    truth = np.argsort(-(queries @ unit.T), axis=1)[:, :10]
    contenders = {"librag float32": Librag("float32"), "librag int8": Librag("int8"), "hnswlib": Hnswlib()}
    for name, peer in (("faiss", Faiss), ("usearch", Usearch)):
        if importlib.util.find_spec(name):
            contenders[name] = peer()
        else:
            print(f"   without {name}: it is not installed")

    def build(contender) -> float:
        started = time.perf_counter()
        contender.build(rows if isinstance(contender, Librag) else unit)
        return ROWS / (time.perf_counter() - started)

    results = take_turns("HNSW build", "vectors/s", {n: (lambda c=c: build(c)) for n, c in contenders.items()}, 1, warm_up=False)
    found = {}
    for name, contender in contenders.items():
        for ef in (10, 20, 30, 40, 60, 80, 120, 160, 240, 320, 640, 1280):
            recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(contender.search(queries, ef), truth, strict=True)])
            found[name] = (ef, float(recall))
            if recall >= 0.99:
                break

    def search(contender, ef: int) -> float:
        started = time.perf_counter()
        contender.search(queries, ef)
        return QUERIES / (time.perf_counter() - started)

    searched = take_turns(
        "HNSW search", "queries/s", {n: (lambda c=c, n=n: search(c, found[n][0])) for n, c in contenders.items()}, rounds
    )
    for result in searched:
        result.quality["recall@10"] = found[result.contender][1]
        result.quality["ef"] = found[result.contender][0]
    return results + searched


class Librag:
    """VectorIndex, sealed as it comes."""

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype

    def build(self, rows: np.ndarray) -> None:
        self.index = librag.VectorIndex(DIM, dtype=self.dtype)
        self.index.add(np.arange(len(rows)), rows, show_progress=False)

    def search(self, queries: np.ndarray, ef: int) -> np.ndarray:
        return self.index.search(queries, 10, ef=ef)[0]


class Hnswlib:
    """hnswlib's own Python package."""

    def build(self, rows: np.ndarray) -> None:
        import hnswlib

        self.index = hnswlib.Index("ip", DIM)
        self.index.init_index(len(rows), M=16, ef_construction=200, random_seed=100)
        self.index.add_items(rows, np.arange(len(rows)), num_threads=1)

    def search(self, queries: np.ndarray, ef: int) -> np.ndarray:
        self.index.set_ef(max(ef, 10))
        return self.index.knn_query(queries, 10, num_threads=1)[0]


class Faiss:
    """faiss' HNSW with flat storage."""

    def build(self, rows: np.ndarray) -> None:
        import faiss

        faiss.omp_set_num_threads(1)
        self.index = faiss.IndexHNSWFlat(DIM, 16, faiss.METRIC_INNER_PRODUCT)
        self.index.hnsw.efConstruction = 200
        self.index.add(rows)

    def search(self, queries: np.ndarray, ef: int) -> np.ndarray:
        self.index.hnsw.efSearch = ef
        return self.index.search(queries, 10)[1]


class Usearch:
    """usearch with float32 vectors, its quickest exact type."""

    def build(self, rows: np.ndarray) -> None:
        from usearch.index import Index

        self.index = Index(ndim=DIM, metric="ip", dtype="f32", connectivity=16, expansion_add=200)
        self.index.add(np.arange(len(rows)), rows, threads=1)

    def search(self, queries: np.ndarray, ef: int) -> np.ndarray:
        self.index.expansion_search = ef
        return self.index.search(queries, 10, threads=1).keys
