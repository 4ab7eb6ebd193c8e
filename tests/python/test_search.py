"""What Engine.search can be asked for in Python: pages, groups, diversity, context, links, batches, and how mistakes are told."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import librag
import numpy as np
import pytest

ZH = "\u957f\u57ce\u5728\u5317\u4eac\u7684\u5317\u9762\u3002"


@pytest.fixture
def engine() -> Iterator[librag.Engine]:
    """Thirty documents with vectors on a circle, one in Chinese."""
    with librag.Engine() as engine:
        angles = [i * math.pi / 40 for i in range(30)]
        engine.add(
            [{"id": f"d{i}", "text": f"the text of number {i} about rivers", "metadata": {"n": i}} for i in range(29)]
            + [{"id": "zh", "text": ZH}],
            vectors=[[math.cos(a), math.sin(a)] for a in angles],
        )
        yield engine


def ids(hits: list[librag.Hit]) -> list[str]:
    return [hit.id for hit in hits]


@pytest.mark.parametrize("mode", ["bm25", "vector", "hybrid"])
def test_pages_are_cut_from_one_ranking(engine: librag.Engine, mode: Any) -> None:
    whole = ids(engine.search("rivers number", vector=[1.0, 0.1], k=20, mode=mode))
    pages = [engine.search("rivers number", vector=[1.0, 0.1], k=5, offset=at, mode=mode) for at in range(0, 20, 5)]
    assert [id for page in pages for id in ids(page)] == whole
    assert engine.search("rivers", vector=[1.0, 0.1], offset=1000, mode=mode) == []


def test_fusion_and_weights(engine: librag.Engine) -> None:
    def search(**options: Any) -> librag.Hit:
        return engine.search("number 17", vector=[1.0, 0.0], explain=True, **options)[0]

    assert search(vector_weight=0.0).doc_id == "d17"
    assert search(vector_weight=1.0).doc_id == "d0"
    hit = search(fusion="rrf")
    assert hit.explain is not None
    assert hit.explain["fusion"]["method"] == "reciprocal rank"


@pytest.mark.parametrize("options", [{}, {"diversity": 0.4}, {"links": 0.3}, {"links": 0.3, "diversity": 0.4, "fusion": "rrf"}])
@pytest.mark.parametrize("mode", ["bm25", "vector", "hybrid"])
def test_parts_of_a_score_sum_to_it(engine: librag.Engine, mode: Any, options: Any) -> None:
    engine.link("d3", "zh")
    hits = engine.search("number 3", vector=[1.0, 0.2], mode=mode, explain=True, k=15, **options)
    assert len(hits) == 15
    for hit in hits:
        assert hit.explain is not None
        parts = [value["part"] for value in hit.explain.values() if isinstance(value, dict) and "part" in value]
        assert sum(parts) == pytest.approx(hit.score, abs=1e-5)
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("\U0001f600", ["laugh"]),
        ("\U0001f44d\U0001f3fd", ["thumb"]),  # whatever the shade
        ("\u2764", ["heart"]),
        ("C++", ["cpp", "standard", "sharp", "vitamin"]),
        ("c#", ["sharp", "cpp", "standard", "vitamin"]),
        (".net", ["sharp", "fishing"]),
        ("AB-123/4.5", ["part", "other part"]),
        ("ab/123-4.5", ["part", "other part"]),
        ("XK7", ["device"]),
        ("IL-6", ["interleukin"]),
        ("IL6", ["interleukin"]),
        ("XEA12S", ["relay"]),
        ("xea\u201312s", ["relay"]),
        ("C++17", ["standard", "cpp", "sharp", "vitamin"]),
    ],
)
def test_pictures_names_with_signs_and_codes_are_found(query: str, found: list[str]) -> None:
    texts = {
        "laugh": "that was good \U0001f600\U0001f600",
        "thumb": "agreed\U0001f44d",
        "heart": "\u6211\u2764\ufe0f\u4f60",
        "cpp": "Written in C++.",
        "sharp": "A C# program for .NET",
        "vitamin": "Vitamin C is in oranges",
        "fishing": "the net of a fisher",
        "part": "spare part AB-123/4.5",
        "other part": "AB: 123 pieces",
        "device": "the device XK-7",
        "relay": "the relay XEA-12S",
        "standard": "a compiler for C++17 and more",
        "interleukin": "levels of IL\u20116 rose",
    }
    with librag.Engine() as engine:
        engine.add(list(texts.values()), ids=list(texts))
        hits = [hit.doc_id for hit in engine.search(query)]
        assert hits[0] == found[0]
        assert sorted(hits) == sorted(found)


def test_groups_and_context() -> None:
    text = " ".join(f"Sentence {i} is about whales and the sea." for i in range(40))
    with librag.Engine(chunk_tokens=16) as engine:
        engine.add([{"id": "long", "text": text}, {"id": "zh", "text": ZH}, {"id": "short", "text": "whales"}])
        assert {hit.doc_id for hit in engine.search("whales sea", k=3)} == {"long"}
        hits = engine.search("whales sea", k=3, group_by="document", group_hits=2)
        assert [hit.doc_id for hit in hits] == ["long", "long", "short"]
        hit = engine.search("sentence 20", k=1, expand="neighbours", neighbours=2)[0]
        assert hit.context is not None
        assert hit.context == text.encode()[hit.context_start : hit.context_end].decode()
        assert hit.text in hit.context
        assert len(hit.context) > len(hit.text)
        assert engine.search("sentence 20", k=1)[0].context is None
        section = engine.search("\u957f\u57ce", k=1, expand="section")[0]
        assert section.context == ZH


def test_links(engine: librag.Engine) -> None:
    engine.link("d1", "d2", type="cites", weight=2)
    engine.link([("d1#0", "zh"), ("d2", "d5", "cites"), librag.Link("d5", "d6", "see", 0.5)])
    assert set(engine.links("d2")) == {librag.Link("d1", "d2", "cites", 2.0), librag.Link("d2", "d5", "cites")}
    assert len(engine.links()) == 4
    assert engine.links([]) == []
    found = engine.search("number 1", mode="bm25", where={"n": 1}, links=0.5)
    assert ids(found) == ["d1#0"]
    assert "zh#0" in ids(engine.search("number 1", mode="bm25", links=0.5, k=40))
    assert "zh#0" not in ids(engine.search("number 1", mode="bm25", k=40))
    assert engine.unlink("d1", "d2") == 1
    assert engine.unlink([("d1#0", "zh")]) == 1
    engine.delete("d5")
    assert engine.links() == []
    with pytest.raises(librag.NotFound, match="nobody"):
        engine.link("d1", "nobody")
    with pytest.raises(TypeError, match="target"):
        engine.link("d1")
    with pytest.raises(TypeError, match="a link is"):
        engine.link([("d1",)])


def test_batches_find_what_single_searches_find(engine: librag.Engine) -> None:
    queries = [f"number {i}" for i in range(40)] + ["\u957f\u57ce"]
    batch = engine.search(queries, k=3, mode="bm25", threads=3)
    assert [ids(hits) for hits in batch] == [ids(engine.search(query, k=3, mode="bm25")) for query in queries]
    vectors = np.random.default_rng(1).normal(size=(41, 2)).astype(np.float32)
    batch = engine.search(queries, vector=vectors, k=4)
    assert [ids(hits) for hits in batch] == [
        ids(engine.search(query, vector=row, k=4)) for query, row in zip(queries, vectors, strict=True)
    ]
    assert engine.search([]) == []
    with pytest.raises(ValueError, match="41 queries and 40 vectors"):
        engine.search(queries, vector=vectors[:40])
    with pytest.raises(librag.InvalidArgument, match="query 1: the query is empty"):
        engine.search(["one", ""])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"diversity": 1.5}, librag.InvalidArgument, "diversity is 1.5"),
        ({"links": -0.1}, librag.InvalidArgument, "links is -0.1"),
        ({"vector_weight": 2}, librag.InvalidArgument, "vector_weight is 2"),
        ({"fusion": "best"}, librag.InvalidArgument, "'weighted', 'rrf'"),
        ({"expand": "all"}, librag.InvalidArgument, "'neighbours', 'section'"),
        ({"group_by": "id"}, librag.InvalidArgument, "'document'"),
        ({"group_hits": 2}, librag.InvalidArgument, "group_by"),
        ({"offset": -1}, librag.InvalidArgument, "offset is -1"),
        ({"offset": 100_000}, librag.InvalidArgument, "at most 100000 hits"),
        ({"link_damping": 1.0}, librag.InvalidArgument, "link_damping"),
        ({"diversity": "much"}, TypeError, "diversity must be a number"),
        ({"diverse": 1}, TypeError, "'diverse'.*diversity"),
        ({"rerank": True}, librag.InvalidState, "open the engine with one"),
    ],
)
def test_mistakes_are_named(engine: librag.Engine, options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        engine.search("number", vector=[1.0, 0.0], **options)


def test_least_score(engine: librag.Engine) -> None:
    hits = engine.search(vector=[1.0, 0.0], k=30)
    assert len(engine.search(vector=[1.0, 0.0], k=30, min_score=hits[4].score)) == 5


def test_operators_and_highlights() -> None:
    with librag.Engine(bm25={"positions": True}) as engine:
        engine.add(["A quick brown fox.", "A brown dog and a fox.", "\u9ad8\u8840\u538b\u60a3\u8005\u3002"], ids=["a", "b", "zh"])
        assert ids(engine.search("fox -dog", operators=True)) == ["a#0"]
        assert ids(engine.search('"brown fox"', operators=True)) == ["a#0"]
        assert sorted(ids(engine.search('"brown fox" -dog'))) == ["a#0", "b#0"]  # a plain query is words
        hit = engine.search('"brown fox" OR dog', operators=True, highlight=True)[0]
        assert [hit.text[a:b] for a, b in hit.highlights] in (["brown fox"], ["dog"])
        zh = engine.search("\u8840\u538b", highlight=True)[0]
        assert [zh.text[a:b] for a, b in zh.highlights] == ["\u8840\u538b"]
        assert engine.search("fox")[0].highlights == []
        with pytest.raises(librag.InvalidArgument, match="byte 0"):
            engine.search("(fox", operators=True)
        found = engine.search(["+quick fox", "dog"], operators=True)
        assert [ids(hits) for hits in found] == [["a#0"], ["b#0"]]
    with librag.Engine() as engine:
        engine.add("a brown fox")
        with pytest.raises(librag.InvalidArgument, match="positions"):
            engine.search('"brown fox"', operators=True)


def test_bm25_settings_are_the_bases(tmp_path: Any) -> None:
    with librag.Engine(tmp_path / "kb", bm25={"k1": 0.5, "b": 0.25, "variant": "plus", "positions": True}) as engine:
        engine.add(["brown fox", "fox and dog"])
    with librag.Engine(tmp_path / "kb", read_only=True) as engine:
        settings = engine.stats()["bm25_settings"]
        assert (settings["k1"], settings["b"], settings["positions"]) == (0.5, 0.25, True)
        assert len(engine.search('"brown fox"', operators=True)) == 1
    with pytest.raises(librag.InvalidArgument, match="only a writer"):
        librag.Engine(tmp_path / "kb", bm25={"k1": 1.5}, read_only=True)
    for wrong in ({"k1": -1.0}, {"variant": "best"}, {"language": "klingon"}, {"b": 2.0}):
        with pytest.raises(librag.InvalidArgument):
            librag.Engine(bm25=wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        librag.Engine(bm25={"k2": 1})  # type: ignore[typeddict-unknown-key]


def test_links_of_chunks_keep_to_the_number_when_a_document_is_cut_again() -> None:
    long = " ".join(f"word{i}." for i in range(40))
    with librag.Engine(chunk_tokens=8) as engine:
        engine.add([{"id": "a", "text": long}, {"id": "b", "text": "another text"}])
        for source in ("a", "a#1", "a#3"):
            engine.link(source, "b", type="see")
        every = [librag.Link(source, "b", "see", 1.0) for source in ("a", "a#1", "a#3")]
        assert engine.links("a") == every
        engine.upsert({"id": "a", "text": " ".join(f"other{i}." for i in range(12))})
        assert engine.links("a") == every[:2]
        assert "b" in [hit.doc_id for hit in engine.search("other1", links=0.5)]
        assert engine.verify().ok
        engine.upsert({"id": "a", "text": long})
        assert engine.links("a") == every
