"""The engine finds what people judged relevant, with its default settings: nDCG@10 in English and Chinese."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import librag
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from data import load, ndcg

BARS = {"bm25": 0.69, "vector": 0.64, "hybrid": 0.73}


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


@pytest.mark.full
@pytest.mark.parametrize("name", ["zh_faq_medical", "zh_qa_cmrc2018"])
def test_hybrid_does_not_harm_a_language_that_the_embedder_does_not_know(
    encoder_path: Path, shared_data: Path, name: str
) -> None:
    """MiniLM knows no Chinese: its vectors must not push down what BM25 finds. Of each set the first 150 queries, and 600 texts."""
    data = load(name)
    queries = data.queries[:150]
    wanted = {document for query in data.query_ids[:150] for document in data.relevance[query]}
    rows = sorted(zip(data.ids, data.texts, strict=True), key=lambda row: row[0] not in wanted)[:600]
    part = dataclasses.replace(data, query_ids=data.query_ids[:150])
    with librag.Engine(embedder=librag.Encoder(encoder_path, dtype="int8")) as engine:
        engine.add([text for _, text in rows], ids=[id for id, _ in rows])
        figures = {}
        for mode in ("bm25", "vector", "hybrid"):
            rankings = [list(dict.fromkeys(hit.doc_id for hit in hits)) for hits in engine.search(queries, k=20, mode=mode)]
            figures[mode] = ndcg(part, rankings)
    print(name, "nDCG@10:", {mode: round(value, 4) for mode, value in figures.items()})
    assert figures["vector"] < 0.5 * figures["bm25"]  # else it is no such embedder, and nothing is tested
    assert figures["hybrid"] >= figures["bm25"] - 0.005
