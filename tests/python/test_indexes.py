"""VectorIndex and BM25Index: arrays in, arrays out, nothing half done."""

from __future__ import annotations

from pathlib import Path

import librag
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st


def exact(vectors: np.ndarray, query: np.ndarray, metric: str) -> np.ndarray:
    """Scores of every row: the oracle."""
    if metric == "cosine":
        return (vectors @ query) / (np.linalg.norm(vectors, axis=1) * np.linalg.norm(query))
    if metric == "ip":
        return vectors @ query
    return -np.sum((vectors - query) ** 2, axis=1)


@pytest.mark.parametrize("metric", ["cosine", "ip", "l2"])
@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_vector_index_against_numpy(metric: str, dtype: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    vectors = rng.normal(size=(6000, 24)).astype(np.float32)
    ids = np.arange(6000) * 3
    index = librag.VectorIndex(24, metric=metric, dtype=dtype)
    index.add(ids, vectors)
    assert len(index) == 6000
    queries = rng.normal(size=(20, 24)).astype(np.float32)
    found, scores = index.search(queries, 10, ef=400)
    assert found.shape == scores.shape == (20, 10)
    hits = 0
    for row, query in enumerate(queries):
        truth = exact(vectors.astype(np.float64), query, metric)
        best = set(ids[np.argsort(-truth)[:10]])
        hits += len(best & set(found[row]))
        np.testing.assert_allclose(scores[row], truth[found[row] // 3], rtol=1e-4, atol=1e-4)
        assert (np.diff(scores[row]) <= 0).all()
    assert hits >= 198
    index.save(tmp_path / "v.idx")
    again = librag.VectorIndex.load(tmp_path / "v.idx")
    assert (again.dim, len(again)) == (24, 6000)
    np.testing.assert_array_equal(again.search(queries, 10, ef=400)[0], found)


def test_saving_shows_a_bar_and_can_be_interrupted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bm25 = librag.BM25Index()
    vectors = librag.VectorIndex(4)
    bm25.add([1], ["one"])
    vectors.add([1], np.eye(4)[:1])

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    for index, path in ((bm25, tmp_path / "b.idx"), (vectors, tmp_path / "v.idx")):
        index.save(path, show_progress=True)
        assert "saving" in capsys.readouterr().err
        before = path.read_bytes()
        with pytest.raises(KeyboardInterrupt):
            index._core.save(str(path), interrupt)
        assert path.read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["b.idx", "v.idx"]


def test_vector_index_remove_filter_and_short_rows() -> None:
    index = librag.VectorIndex(4)
    index.add([1, 2, 3], np.eye(4)[:3])
    assert index.remove([2, 99]) == 1
    ids, scores = index.search(np.ones(4), 5)
    assert sorted(ids[0][:2]) == [1, 3]
    assert list(ids[0][2:]) == [-1, -1, -1]
    assert np.isnan(scores[0][2:]).all()
    assert list(index.search(np.ones(4), 2, filter=[3])[0][0]) == [3, -1]
    assert list(index.search(np.ones(4), 2, filter=[])[0][0]) == [-1, -1]


@pytest.mark.parametrize(
    ("ids", "vectors", "text"),
    [
        ([5], np.ones((1, 3)), "dimension 3"),
        ([5], np.full((1, 4), np.nan), "nan|NaN"),
        ([5], np.zeros((1, 4)), "zero|length 0"),
        ([5, 5], np.ones((2, 4)), "5"),
        ([-1], np.ones((1, 4)), "-1"),
        ([5, 6], np.ones((1, 4)), "2 ids for 1"),
        ([5], np.ones((1, 1, 4)), "3 dimensions"),
    ],
)
def test_vector_index_refuses_and_stays(ids: list[int], vectors: np.ndarray, text: str) -> None:
    index = librag.VectorIndex(4)
    index.add([1], np.ones((1, 4)))
    with pytest.raises(librag.RagError, match=text):
        index.add(ids, vectors)
    assert len(index) == 1
    with pytest.raises(librag.AlreadyExists, match="1"):
        index.add([2, 1], np.ones((2, 4)))
    assert len(index) == 1


def test_types_that_are_no_ids() -> None:
    index = librag.VectorIndex(2)
    with pytest.raises(TypeError):
        index.add([0.5], np.ones((1, 2)))
    with pytest.raises(librag.InvalidArgument, match="metric"):
        librag.VectorIndex(2, metric="manhattan")
    with pytest.raises(librag.InvalidArgument, match="dim"):
        librag.VectorIndex(0)


def test_damaged_files_are_named(tmp_path: Path) -> None:
    index = librag.VectorIndex(8)
    index.add(np.arange(100), np.random.default_rng(1).normal(size=(100, 8)))
    path = tmp_path / "v.idx"
    index.save(path)
    data = bytearray(path.read_bytes())
    for cut in (0, 10, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:cut])
        with pytest.raises(librag.Corrupt, match=r"v\.idx"):
            librag.VectorIndex.load(path)
    data[len(data) // 2] ^= 0x40
    path.write_bytes(data)
    with pytest.raises(librag.Corrupt, match=r"v\.idx"):
        librag.VectorIndex.load(path)
    with pytest.raises(librag.NotFound):
        librag.VectorIndex.load(tmp_path / "none")


def test_bm25_add_search_explain_remove(tmp_path: Path) -> None:
    index = librag.BM25Index()
    index.add([10, 20, 30], ["the quick brown fox", "lazy dogs sleep", "\u654f\u6377\u7684\u68d5\u8272\u72d0\u72f8"])
    ids, scores = index.search(["foxes", "dog", "\u72d0\u72f8"], 2)
    assert ids[:, 0].tolist() == [10, 20, 30]
    assert ids[:, 1].tolist() == [-1, -1, -1]
    report = index.explain("quick fox", 10)
    assert report["score"] == pytest.approx(float(index.search("quick fox", 1)[1][0, 0]), abs=1e-5)
    with pytest.raises(librag.NotFound, match="11"):
        index.explain("fox", 11)
    with pytest.raises(librag.AlreadyExists, match="20"):
        index.add([40, 20], ["a", "b"])
    assert len(index) == 3
    index.save(tmp_path / "b.idx")
    assert index.remove([10, 77]) == 1
    assert index.search("fox", 1)[0][0, 0] == -1
    again = librag.BM25Index.load(tmp_path / "b.idx")
    assert len(again) == 3
    np.testing.assert_array_equal(again.search(["foxes", "dog", "\u72d0\u72f8"], 2)[1][:, 0], scores[:, 0])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=40), min_size=1, max_size=12), st.text(max_size=30))
def test_bm25_takes_any_text(texts: list[str], query: str) -> None:
    index = librag.BM25Index()
    ids = list(range(len(texts)))
    if any(0xD800 <= ord(c) < 0xE000 for text in texts for c in text):  # cannot be UTF-8
        with pytest.raises(librag.InvalidArgument, match="surrogate"):
            index.add(ids, texts)
        return
    index.add(ids, texts)
    found, scores = index.search(query, len(texts)) if query.isprintable() else index.search("x", len(texts))
    assert all(i in ids or i == -1 for i in found[0])
    assert (np.diff(scores[0][~np.isnan(scores[0])]) <= 1e-6).all()


def test_bm25_titles_variants_and_upsert(tmp_path: Path) -> None:
    with pytest.raises(librag.InvalidArgument, match="variant"):
        librag.BM25Index(variant="robertson")  # type: ignore[arg-type]
    with pytest.raises(librag.InvalidArgument, match="1/8"):
        librag.BM25Index(title_weight=1.3)
    for variant in ("lucene", "okapi", "plus", "l"):
        index = librag.BM25Index(variant=variant)  # type: ignore[arg-type]
        index.add([1, 2, 3, 4, 5], ["a fox", "some text", "dogs", "cats", "birds"], ["text", "fox", "", "", ""])
        ids, scores = index.search("fox", 5)
        assert ids[0].tolist() == [2, 1, -1, -1, -1]  # a word of a title weighs more
        report = index.explain("fox", 2)
        assert report["score"] == pytest.approx(float(scores[0, 0]), abs=1e-6)
        assert sum(term["score"] for term in report["terms"]) == pytest.approx(report["score"], abs=1e-6)
        assert index.upsert([2, 9], ["nothing here", "a fox"], ["", ""]) == 1
        assert index.search("fox", 3)[0][0].tolist() == [1, 9, -1] or index.search("fox", 3)[0][0].tolist() == [9, 1, -1]
        assert len(index) == 6
    with pytest.raises(librag.InvalidArgument, match="1 titles for 2 texts"):
        librag.BM25Index().add([1, 2], ["a", "b"], ["c"])


def test_bm25_operators_and_highlights() -> None:
    index = librag.BM25Index(positions=True)
    index.add([1, 2], ["the quick brown fox", "quick, a fox that is brown"])
    assert index.search('"brown fox"', 2, operators=True)[0][0].tolist() == [1, -1]
    assert sorted(index.search('"brown fox"', 2)[0][0].tolist()) == [1, 2]  # plain: quotes mean nothing
    assert index.search("fox -the", 2)[0][0, 1] != -1
    with pytest.raises(librag.InvalidArgument, match="byte 4"):
        index.search("fox (brown", operators=True)
    assert index.explain("quick -quick", 1)["matches"]
    text = "\U0001f98a Ein F\u00fcchs, \u9ad8\u8840\u538b: foxes"
    assert [text[a:b] for a, b in index.highlight("fox \u8840\u538b", text)] == ["\u8840\u538b", "foxes"]
    assert index.highlight("fo*", "foxes", operators=True) == [(0, 5)]
    assert index.highlight("fox", "") == []


def test_wrong_settings_and_files_are_named(tmp_path: Path) -> None:
    for name in ("k1", "b", "k3", "title_weight", "delta"):
        with pytest.raises(librag.InvalidArgument, match=f"{name} is -1"):
            librag.BM25Index(**{name: -1})
        with pytest.raises(TypeError, match=f"{name} must be a number"):
            librag.BM25Index(**{name: "1"})
    for content in (b"", b"x", b"something else than an index" * 10):
        (tmp_path / "file").write_bytes(content)
        with pytest.raises(librag.Corrupt, match="no BM25 index"):
            librag.BM25Index.load(tmp_path / "file")
        with pytest.raises(librag.Corrupt, match="no vector index"):
            librag.VectorIndex.load(tmp_path / "file")
