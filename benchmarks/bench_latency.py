"""Latency of one knowledge base: hybrid searches by one thread over 100,000 chunks (RAG_BENCH_CHUNKS=1000000 for a million, which takes
an hour) with the query's vector given, the same while another thread writes, opening in a fresh process, and memory.

Generated data: texts of words with Zipf's frequencies, vectors of 384 dimensions around 500 centres.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import librag
import numpy as np
from measure import Result

DIM, CENTRES, QUERIES, WORDS = 384, 500, 1_000, 50_000

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


def while_writing(engine: librag.Engine, queries: list[tuple[str, np.ndarray]], first: int) -> tuple[list[float], float]:
    """Latencies beside one writer, and the documents a second that it wrote."""
    done = threading.Event()
    written = 0

    def write() -> None:
        nonlocal written
        data = Data(5)
        while not done.is_set():
            engine.add(list(data.documents(first + written, 100)), show_progress=False)
            written += 100

    writer = threading.Thread(target=write)
    started = time.perf_counter()
    writer.start()
    times = latencies(engine, queries)
    done.set()
    writer.join()
    return times, written / (time.perf_counter() - started)


def run(models: Path, rounds: int) -> list[Result]:
    """Needs no model."""
    chunks = int(os.environ.get("RAG_BENCH_CHUNKS", "100000"))
    size = f"{chunks:,} chunks"
    data = Data(2)
    queries = [(data.text(5), vector) for vector in data.vectors(QUERIES)]
    results = []
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "kb")
        with librag.Engine(path) as engine:
            started = time.perf_counter()
            engine.add(data.documents(0, chunks), show_progress=False)
            acknowledged = time.perf_counter() - started
            wait = indexed(engine)
            results.append(Result(f"adding {size}", "librag: acknowledged", "documents/s", [chunks / acknowledged]))
            results.append(Result(f"adding {size}", "librag: with a graph", "documents/s", [chunks / (acknowledged + wait)]))
            latencies(engine, queries[:100])
            idle = latencies(engine, queries)
            results += percentiles(f"hybrid search, {size}", "librag", idle)
            beside, written = while_writing(engine, queries, chunks)
            found = percentiles(f"hybrid search beside a writer, {size}", "librag", beside)
            found[-1].quality = {
                "times idle p99": float(np.percentile(beside, 99) / np.percentile(idle, 99)),
                "written/s": written,
            }
            results += found
        names = ("first BM25 answer", "first vector answer", "memory", "memory but mapped files")
        units = ("ms", "ms", "MiB", "MiB")
        opened: list[list[float]] = []
        for _ in range(rounds):
            command = [sys.executable, "-c", OPEN.format(dim=DIM, path=path)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            opened.append([float(word) for word in done.stdout.split()])
        for name, unit, values in zip(names, units, zip(*opened, strict=True), strict=True):
            results.append(Result(f"opening {size}", f"librag: {name}", unit, list(values)))
    return results
