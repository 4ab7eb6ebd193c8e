"""What a `where` costs over 100,000 chunks: the first use of a metadata key, a new filter over known keys, a filter seen before. And
what a filter costs a vector search over as many vectors, clustered and uniform, with its recall (by bench_filters.cpp).
"""

from __future__ import annotations

import re
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import librag
from measure import Result

CHUNKS = 100_000
QUERY = "marker17"  # one document has it, so that what is measured is the filter


def run(models: Path, rounds: int) -> list[Result]:
    """Times of whole searches without vectors, in milliseconds; what the same search takes without a filter is told apart."""
    with librag.Engine() as engine:
        engine.add(
            [
                {
                    "id": str(i),
                    "text": f"text marker{i}",
                    "metadata": {
                        "n": i,
                        "group": f"group {i % 1000}",
                        "day": f"2024-{i % 12 + 1:02}-{i % 28 + 1:02}",
                        "tags": [f"t{i % 7}", f"t{i % 11}"],
                        "flag": i % 10 == 0,
                    },
                }
                for i in range(CHUNKS)
            ],
            show_progress=False,
        )

        def search(where: dict[str, Any] | None) -> float:
            started = time.perf_counter()
            engine.search(QUERY, where=where)
            return (time.perf_counter() - started) * 1000

        search(None)
        kinds: dict[str, Callable[[int], dict[str, Any]]] = {
            "a range of 100,000 numbers": lambda i: {"n": {"$gte": i}},
            "one of 1,000 strings": lambda i: {"group": f"group {i}"},
            "a substring of 336 dates": lambda i: {"day": {"$contains": f"-{i % 28 + 1:02}"}},
            "a list that contains": lambda i: {"tags": {"$contains": f"t{i % 11}"}},
            "three conditions and an alternative": lambda i: {
                "flag": False,
                "n": {"$lt": CHUNKS - i},
                "$or": [{"tags": {"$contains": "t3"}}, {"group": {"$in": [f"group {i}", "group 5"]}}],
            },
        }
        results = [Result("search without a filter", "librag", "ms", [search(None) for _ in range(rounds)])]
        first = search({"$and": [{"n": 1}, {"group": "x"}, {"day": "x"}, {"tags": "x"}, {"flag": True}]})
        results.append(Result("first use of five keys", "librag", "ms", [first]))
        for name, make in kinds.items():
            search(make(999))
            fresh, again = [], []
            for i in range(max(rounds, 5)):
                fresh.append(search(make(i)))
                again.append(search(make(i)))
            results.append(Result(f"new filter: {name}", "librag", "ms", fresh, {"seen before, ms": statistics.median(again)}))
    return results + vector_search("clustered") + vector_search("uniform")


LINE = re.compile(r"\s*([\d.]+)%\s+recall@10 ([\d.]+) \(without a filter ([\d.]+)\)\s+([\d.]+) us,\s+([\d.]+) times")


def vector_search(distribution: str) -> list[Result]:
    """One thread, 384 dimensions, int8, the filter made before."""
    program = Path(__file__).resolve().parent.parent / "build/release/tests/index_vector/bench_filters"
    if not program.exists():
        raise FileNotFoundError(f"{program} is not built: make build")
    done = subprocess.run([str(program), str(CHUNKS), "384", distribution], capture_output=True, text=True, check=True)
    results = []
    for line in done.stdout.splitlines()[1:]:
        found = LINE.match(line)
        if not found:
            raise ValueError(f"bench_filters printed {line!r}")
        share, recall, plain, microseconds, times = map(float, found.groups())
        quality = {"recall@10": recall, "recall@10 without a filter": plain, "times the search without a filter": times}
        name = f"vector search, {distribution}: {share:g}% allowed"
        results.append(Result(name, "librag", "ms", [microseconds / 1000], quality))
    return results
