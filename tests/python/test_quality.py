"""The engine finds what people judged relevant: SciFact's nDCG@10 in the three modes with its default settings."""

from __future__ import annotations

import sys
from pathlib import Path

import librag
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from data import load, ndcg

BARS = {"bm25": 0.67, "vector": 0.64, "hybrid": 0.72}


@pytest.mark.full
def test_scifact(encoder_path: Path, shared_data: Path) -> None:
    """Embedded in int8, the dtype that a user in a hurry takes; float32 is benchmarked by benchmarks/bench_engine.py."""
    data = load("en_retrieval_scifact")
    with librag.Engine(embedder=librag.Encoder(encoder_path, dtype="int8")) as engine:
        engine.add(data.texts, ids=data.ids)
        figures = {}
        for mode in BARS:
            rankings = [list(dict.fromkeys(hit.doc_id for hit in hits)) for hits in engine.search(data.queries, k=20, mode=mode)]
            figures[mode] = ndcg(data, rankings)
    print("SciFact nDCG@10:", {mode: round(value, 4) for mode, value in figures.items()})
    for mode, bar in BARS.items():
        assert figures[mode] >= bar, figures
