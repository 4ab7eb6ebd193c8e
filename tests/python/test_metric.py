"""Engine(metric=): every metric against numpy, over vectors of many lengths and of none, with filters, in both dtypes of the index, after
reopening and compacting, alone and in hybrid searches; and that the base keeps what it began with."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import librag
import numpy as np
import numpy.typing as npt
import pytest
from librag.types import Metric

Array = npt.NDArray[np.float32]
METRICS: tuple[Metric, ...] = ("cosine", "ip", "l2")
ROWS, DIMENSION, K = 3000, 48, 10


def oracle(metric: Metric, queries: Array, rows: Array) -> npt.NDArray[np.float64]:
    """[queries, rows], higher is better."""
    a, b = queries.astype(np.float64), rows.astype(np.float64)
    products = a @ b.T
    if metric == "ip":
        return products
    if metric == "l2":
        return 2 * products - (a * a).sum(1)[:, None] - (b * b).sum(1)[None, :]
    return products / np.sqrt((a * a).sum(1)[:, None] * (b * b).sum(1)[None, :])


@pytest.fixture(scope="module")
def rows() -> Array:
    """Clusters; lengths from 0.1 to 10."""
    random = np.random.default_rng(5)
    centres = random.normal(size=(60, DIMENSION))
    rows = centres[random.integers(0, 60, ROWS)] + 0.6 * random.normal(size=(ROWS, DIMENSION))
    return (rows * 10.0 ** random.uniform(-1, 1, (ROWS, 1))).astype(np.float32)


@pytest.fixture(scope="module")
def queries() -> Array:
    random = np.random.default_rng(6)
    return (random.normal(size=(40, DIMENSION)) * 10.0 ** random.uniform(-1, 1, (40, 1))).astype(np.float32)


def check(engine: librag.Engine, metric: Metric, queries: Array, rows: Array, live: npt.NDArray[np.bool_], where: Any) -> None:
    """Hits are the oracle's (0.99 of them: graphs are searched by a beam), and each score is the oracle's."""
    truth = np.where(live[None, :], oracle(metric, queries, rows), -np.inf)
    found = 0
    for query, row in zip(queries, truth, strict=True):
        hits = engine.search(vector=query, k=K, where=where)
        assert len(hits) == min(K, live.sum())
        numbers = [int(hit.doc_id) for hit in hits]
        assert live[numbers].all()
        scale = 1.0 if metric == "cosine" else float(np.abs(row[live]).max())
        np.testing.assert_allclose([hit.score for hit in hits], row[numbers], atol=2e-5 * scale)
        kth = np.sort(row)[-len(hits)]
        found += int((row[numbers] >= kth - 2e-5 * scale).sum())
    assert found >= 0.99 * len(queries) * min(K, live.sum())


@pytest.mark.parametrize("dtype", ["int8", "float32"])
@pytest.mark.parametrize("metric", METRICS)
def test_hits_and_scores_are_those_of_numpy(tmp_path: Path, metric: Metric, dtype: str, rows: Array, queries: Array) -> None:
    if metric != "cosine":
        rows = rows.copy()
        rows[:5] = 0
        queries = np.concatenate([queries, np.zeros((1, DIMENSION), np.float32)])
    texts = [f"row {i} of group {i % 7}" for i in range(ROWS)]
    metadata = [{"n": i, "part": i % 50} for i in range(ROWS)]
    live = np.ones(ROWS, dtype=bool)
    parts = np.arange(ROWS) % 50
    with librag.Engine(tmp_path / "kb", metric=metric, vector_dtype=dtype) as engine:
        assert engine.stats()["metric"] == metric
        engine.add(texts, ids=[str(i) for i in range(ROWS)], metadata=metadata, vectors=rows)
        check(engine, metric, queries, rows, live, None)
        check(engine, metric, queries, rows, live & (parts == 3), {"part": 3})
        engine.delete(where={"part": {"$in": [1, 2]}})
        live &= ~np.isin(parts, [1, 2])
    for attempt in range(2):
        with librag.Engine(tmp_path / "kb", vector_dtype=dtype) as engine:
            check(engine, metric, queries, rows, live, None)
            check(engine, metric, queries, rows, live & (parts < 20), {"part": {"$lt": 20}})
            check(engine, metric, queries, rows, live & (np.arange(ROWS) < 4), {"n": {"$lt": 4}})
            if attempt == 0:
                engine.compact()  # from here on by a graph
                assert engine.stats()["vector"]["segments"] == 1
                check(engine, metric, queries, rows, live, None)
            assert engine.verify().ok


@pytest.mark.parametrize("metric", METRICS)
def test_a_hybrid_search_is_the_documented_fusion(metric: Metric, rows: Array, queries: Array) -> None:
    """Shares of the best vector from 0, or from the least where that is below 0; BM25's from 0; half of each."""
    rows = rows[:200]
    words = np.random.default_rng(7).integers(0, 30, (200, 12))
    with librag.Engine(metric=metric) as engine:
        engine.add([" ".join(f"w{word}" for word in line) for line in words], ids=[str(i) for i in range(200)], vectors=rows)
        for query, scores in zip(queries, oracle(metric, queries, rows), strict=True):
            hits = engine.search("w1 w2 w3", vector=query, k=200, candidates=200, explain=True)
            assert len(hits) == 200
            low, high = min(0.0, scores.min()), scores.max()
            bm25 = {hit.doc_id: hit.scores["bm25"] for hit in hits}
            best = max(bm25.values())
            for hit in hits:
                share = (scores[int(hit.doc_id)] - low) / (high - low)
                assert hit.scores["vector"] == pytest.approx(scores[int(hit.doc_id)], rel=1e-4, abs=1e-4)
                assert hit.score == pytest.approx(0.5 * share + 0.5 * bm25[hit.doc_id] / best, abs=1e-4)


def test_unit_vectors_have_one_order(rows: Array, queries: Array) -> None:
    unit = rows[:500] / np.linalg.norm(rows[:500], axis=1, keepdims=True)
    found = []
    for metric in METRICS:
        with librag.Engine(metric=metric, vector_dtype="float32") as engine:
            engine.add([f"row {i}" for i in range(500)], ids=[str(i) for i in range(500)], vectors=unit)
            found.append([[hit.doc_id for hit in engine.search(vector=query, k=20)] for query in queries])
    assert found[0] == found[1] == found[2]


def test_another_metric_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    with librag.Engine(tmp_path / "kb", metric="ip") as engine:
        engine.add("one", ids="a", vectors=[[3.0, 4.0]])
    with pytest.raises(librag.InvalidArgument, match=r"compared by ip, l2 is asked for: export it"):
        librag.Engine(tmp_path / "kb", metric="l2")
    with pytest.raises(librag.InvalidArgument, match=r'metric is "dot", it must be cosine, ip or l2'):
        librag.Engine(tmp_path / "other", metric="dot")  # type: ignore[arg-type]
    assert not (tmp_path / "other").exists()
    with pytest.raises(TypeError):
        librag.Engine(metric=1)  # type: ignore[arg-type]
    with librag.Engine(tmp_path / "kb", metric="ip") as engine:
        assert engine.search(vector=[1.0, 1.0])[0].score == 7.0
        engine.delete("a")
    with pytest.raises(
        librag.InvalidArgument, match=r"has no vectors any more, but keeps the metric .* ip; l2 is asked for: make a new"
    ):
        librag.Engine(tmp_path / "kb", metric="l2")


def test_an_export_brings_a_base_to_another_metric(tmp_path: Path) -> None:
    with librag.Engine(metric="l2") as engine:
        engine.add(["one", "two"], ids=["a", "b"], vectors=[[3.0, 4.0], [0.0, 1.0]])
        engine.export(tmp_path / "file.jsonl")
    header = json.loads((tmp_path / "file.jsonl").read_text().splitlines()[0])
    assert header == {"librag_export": 3, "dimension": 2, "metric": "l2"}
    with librag.Engine() as same, librag.Engine(metric="cosine") as other:
        same.import_(tmp_path / "file.jsonl")
        other.import_(tmp_path / "file.jsonl")
        assert same.stats()["metric"] == "l2"
        assert other.stats()["metric"] == "cosine"
        assert [hit.score for hit in same.search(vector=[0.0, 0.0], k=2)] == [-1.0, -25.0]
        assert other.search(vector=[3.0, 4.0], k=1)[0].score == pytest.approx(1.0)


def test_an_embedder_gives_lengths_where_they_count(tmp_path: Path, encoder_path: Path) -> None:
    """Of a folder without a Normalize module: unit vectors for cosine, the model's own for the others."""
    shutil.copytree(encoder_path, tmp_path / "model", copy_function=os.symlink)
    modules = json.loads((encoder_path / "modules.json").read_text())
    (tmp_path / "model" / "modules.json").unlink()
    kept = [module for module in modules if not module["type"].endswith("Normalize")]
    assert len(kept) == len(modules) - 1
    (tmp_path / "model" / "modules.json").write_text(json.dumps(kept))
    encoder = librag.Encoder(tmp_path / "model")
    texts = ["The river floods the low fields in spring.", "A short text.", "Cats sleep for most of the day, and so do kittens."]
    query = "flooded fields"
    raw, asked = encoder.encode(texts, normalize=False), encoder.encode([query], normalize=False)
    assert abs(np.linalg.norm(raw[0]) - 1) > 0.1
    for metric in METRICS:
        with librag.Engine(tmp_path / metric, encoder, metric=metric) as engine:
            engine.add(texts, ids=["0", "1", "2"])
            expected = oracle(metric, asked, raw)[0]
            for hit in engine.search(query, mode="vector", k=3):
                assert hit.score == pytest.approx(expected[int(hit.doc_id)], rel=1e-3)
            engine.export(tmp_path / f"{metric}.jsonl")
    # What was made for one metric is made anew for another.
    with librag.Engine(None, encoder, metric="ip") as engine:
        engine.import_(tmp_path / "cosine.jsonl")
        assert engine.search(query, mode="vector", k=1)[0].score == pytest.approx(oracle("ip", asked, raw).max(), rel=1e-3)
