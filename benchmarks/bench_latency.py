"""Latency of one knowledge base: hybrid searches by one thread over 100,000 chunks with the query's vector given, opening in a fresh
process, and memory; and the same searches alone and beside a writer, once by as many threads as cores with the writer as one more,
once by as many threads as cores with the writer among them.

RAG_BENCH_CHUNKS=1000000: a million, which takes most of an hour to build. RAG_BENCH_FOLDER=folder: where the knowledge base is kept;
one that is there with as many chunks is not built again, and nothing is written to it.
Generated data: texts of words with Zipf's frequencies, vectors of 384 dimensions around 500 centres.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import librag
import numpy as np
from measure import Result

DIM, CENTRES, QUERIES, WORDS = 384, 500, 1_000, 50_000
SECONDS = 6  # of searches alone, and beside the writer

OPEN = """
import sys, time
vector = [(i * 37 % 101 - 50) / 100 for i in range({dim})]
started = time.perf_counter()
import librag
engine = librag.Engine({path!r}, read_only=True)
assert engine.search("w77 w1234", mode="bm25")
words = time.perf_counter()
assert len(engine.search(vector=vector, k=10)) == 10
vectors = time.perf_counter()
memory = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS"))
private = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("RssAnon"))
print((words - started) * 1000, (vectors - words) * 1000, memory / 1024, private / 1024)
"""


class Data:
    """Documents and queries of one distribution, the same in every run."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.centres = np.random.default_rng(1).standard_normal((CENTRES, DIM)).astype(np.float32)

    def vectors(self, count: int) -> np.ndarray:
        spread = 0.7 * self.rng.standard_normal((count, DIM)).astype(np.float32)
        return self.centres[self.rng.integers(0, CENTRES, count)] + spread

    def text(self, words: int) -> str:
        return " ".join(f"w{rank}" for rank in self.rng.zipf(1.2, words) % WORDS)

    def documents(self, first: int, count: int) -> Iterator[dict[str, Any]]:
        for begin in range(0, count, 1000):
            for i, vector in enumerate(self.vectors(min(1000, count - begin))):
                yield {"id": str(first + begin + i), "text": self.text(60), "vector": vector}


def indexed(engine: librag.Engine) -> float:
    """Seconds until the graph of nearly all vectors is built."""
    started = time.perf_counter()
    while True:
        stats = engine.stats()["vector"]
        if stats["segments"] and stats["tail"] <= max(16_384, stats["chunks"] // 32):
            return time.perf_counter() - started
        time.sleep(0.2)


def latencies(engine: librag.Engine, queries: list[tuple[str, np.ndarray]]) -> list[float]:
    """Milliseconds of each."""
    times = []
    for text, vector in queries:
        started = time.perf_counter()
        hits = engine.search(text, vector=vector, k=10, mode="hybrid")
        times.append((time.perf_counter() - started) * 1000)
        assert len(hits) == 10
    return times


def percentiles(name: str, contender: str, times: list[float]) -> list[Result]:
    return [Result(name, contender, "ms", [float(np.percentile(times, p))], note=f"p{p}") for p in (50, 99)]


def memory_mb() -> float:
    """Of this process, but for mapped files."""
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("RssAnon")) / 1024


def build(path: str, chunks: int, size: str, data: Data) -> list[Result]:
    """Adds from a stream; the memory that grows meanwhile beside the bytes of the indexes."""
    results = []
    most = before = memory_mb()

    def watched() -> Iterator[dict[str, Any]]:
        nonlocal most
        for i, document in enumerate(data.documents(0, chunks)):
            if i % 10_000 == 0:
                most = max(most, memory_mb())
            yield document

    with librag.Engine(path) as engine:
        started = time.perf_counter()
        engine.add(watched(), show_progress=False)
        acknowledged = time.perf_counter() - started
        wait = indexed(engine)
        stats = engine.stats()
        index = (stats["vector"]["vector_bytes"] + stats["vector"]["graph_bytes"] + stats["bm25"]["bytes"]) / 2**20
        results.append(Result(f"adding {size}", "librag: acknowledged", "documents/s", [chunks / acknowledged]))
        results.append(Result(f"adding {size}", "librag: with a graph", "documents/s", [chunks / (acknowledged + wait)]))
        quality = {"index MiB": index, "most while adding": most - before, "indexed": memory_mb() - before}
        results.append(Result(f"adding {size}", "librag: memory", "MiB", [most - before], quality))
    return results


def beside_writer(chunks: int, size: str, cases: dict[int, str]) -> list[Result]:
    """By bench_beside_writer.cpp: in Python threads would wait for the interpreter's lock. ``cases``: what each number of threads is."""
    program = Path(__file__).resolve().parent.parent / "build/release/tests/engine/bench_beside_writer"
    if not program.exists():
        raise FileNotFoundError(f"{program} is not built: make build")
    command = [str(program), str(chunks), str(SECONDS), ",".join(str(threads) for threads in cases)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    results: list[Result] = []
    case = ""
    found: dict[str, float] = {}
    for what, kind, *rest in (line.split("\t") if "\t" in line else (line, "ratio") for line in done.stdout.splitlines()):
        benchmark = f"hybrid search, {size}, {case}, {what}"
        if what == "threads":
            case = cases[int(kind)]
        elif kind == "searches":
            results.append(Result(benchmark, "librag", "ms", [float(rest[2])], note="p50"))
            results.append(Result(benchmark, "librag", "ms", [float(rest[4])], found := {}, note="p99"))
        elif kind == "ratio":
            results[-1].note += f"; {what}"
        else:
            found |= {f"{kind}, {name}": float(ms) for name, ms in zip(rest[::2], rest[1::2], strict=True)}
    return results


def run(models: Path, rounds: int) -> list[Result]:
    """Needs no model."""
    chunks = int(os.environ.get("RAG_BENCH_CHUNKS", "100000"))
    size = f"{chunks:,} chunks"
    data = Data(2)
    queries = [(data.text(5), vector) for vector in data.vectors(QUERIES)]
    results = []
    with tempfile.TemporaryDirectory() as temporary:
        path = str(Path(os.environ.get("RAG_BENCH_FOLDER", temporary)) / "kb")
        if not Path(path).exists():
            results += build(path, chunks, size, data)
        with librag.Engine(path, read_only=True) as engine:
            if engine.stats()["chunks"] != chunks:
                raise ValueError(f"{path} has {engine.stats()['chunks']} chunks, not {chunks}")
            latencies(engine, queries[:100])
            results += percentiles(f"hybrid search, {size}", "librag", latencies(engine, queries))
        names = ("first BM25 answer", "first vector answer", "memory", "memory but mapped files")
        units = ("ms", "ms", "MiB", "MiB")
        opened: list[list[float]] = []
        for _ in range(rounds):
            command = [sys.executable, "-c", OPEN.format(dim=DIM, path=path)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            opened.append([float(word) for word in done.stdout.split()])
        for name, unit, values in zip(names, units, zip(*opened, strict=True), strict=True):
            results.append(Result(f"opening {size}", f"librag: {name}", unit, list(values)))
    if chunks > 100_000:
        return results
    cores = len(os.sched_getaffinity(0))
    cases = {max(1, cores - 1): "a thread a core, the writer's among them", cores: "a thread a core"}
    return results + beside_writer(chunks, size, cases)
