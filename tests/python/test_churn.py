"""Churn over an Engine: the recipe by which other stores lose rows (chroma-core/chroma#7758). Insert, delete half of all, replace 30% of
the rest, ten times; then every live document is found by its own vector and by its text, no deleted one is, and the folder is about
as large as a fresh one with the same documents.
"""

from __future__ import annotations

from pathlib import Path

import librag
import numpy as np
import pytest

DIM, ROUNDS = 32, 10


def text_of(number: int, version: int) -> str:
    """A word that no other document has, in both languages."""
    return f"The record unique{number}x{version} is kept here. \u7f16\u53f7\u4e3a{number}\u7684\u8bb0\u5f55,\u7b2c{version}\u7248\u3002"


def size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


def test_vector_dtype() -> None:
    rng = np.random.default_rng(3)
    vectors = rng.standard_normal((300, DIM)).astype(np.float32)
    scores = {}
    for dtype in ("float32", "int8"):
        with librag.Engine(vector_dtype=dtype) as engine:
            engine.add([text_of(n, 0) for n in range(300)], vectors=vectors, show_progress=False)
            engine.compact()
            assert engine.stats()["vector"]["dtype"] == dtype
            scores[dtype] = [[hit.score for hit in engine.search(vector=vector, k=5)] for vector in vectors[:20]]
    assert scores["float32"] == scores["int8"]
    with pytest.raises(librag.InvalidArgument, match="int4"):
        librag.Engine(vector_dtype="int4")


@pytest.mark.parametrize("inserts", [400, pytest.param(4000, marks=pytest.mark.full)])
def test_churn(tmp_path: Path, inserts: int) -> None:
    rng = np.random.default_rng(7)
    live: dict[int, tuple[int, np.ndarray]] = {}

    def vectors(count: int) -> np.ndarray:
        return rng.standard_normal((count, DIM)).astype(np.float32)

    def documents(rows: dict[int, tuple[int, np.ndarray]]) -> list[dict[str, object]]:
        return [{"id": str(n), "text": text_of(n, version), "vector": vector} for n, (version, vector) in rows.items()]

    with librag.Engine(tmp_path / "churned") as engine:
        for step in range(ROUNDS):
            fresh = {step * inserts + i: (0, vector) for i, vector in enumerate(vectors(inserts))}
            engine.add(documents(fresh), show_progress=False)
            live.update(fresh)
            gone = rng.choice(sorted(live), len(live) // 2, replace=False).tolist()
            assert engine.delete([str(n) for n in gone]) == len(gone)
            for n in gone:
                del live[n]
            chosen = rng.choice(sorted(live), len(live) * 3 // 10, replace=False).tolist()
            replaced = {n: (live[n][0] + 1, vector) for n, vector in zip(chosen, vectors(len(chosen)), strict=True)}
            engine.upsert(documents(replaced), show_progress=False)
            live.update(replaced)
        assert len(engine) == len(live)
        for n, (version, vector) in live.items():
            near = engine.search(vector=vector, k=200)
            assert near[0].doc_id == str(n)
            assert all(int(hit.doc_id) in live for hit in near)
            assert [hit.doc_id for hit in engine.search(f"unique{n}x{version}", k=5, mode="bm25")] == [str(n)]
            if version > 0:
                assert engine.search(f"unique{n}x{version - 1}", k=5, mode="bm25") == []
        assert engine.verify().ok
    with librag.Engine(tmp_path / "fresh") as engine:
        engine.add(documents(live), show_progress=False)
    # Closing gives the space back, nobody has to ask for it.
    assert size_of(tmp_path / "churned") <= 1.3 * size_of(tmp_path / "fresh")
    for name in ("churned", "fresh"):
        with librag.Engine(tmp_path / name) as engine:
            engine.compact()
    assert size_of(tmp_path / "churned") <= 1.3 * size_of(tmp_path / "fresh")
    with librag.Engine(tmp_path / "churned", read_only=True) as engine:
        for n, (_, vector) in list(live.items())[::10]:
            assert engine.search(vector=vector, k=1)[0].doc_id == str(n)
