"""The Engine's Python face: documents in, hits out, errors that name the object. Vectors are given, so no model is needed."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import librag
import numpy as np
import pytest

DOCS = [
    {
        "id": "returns",
        "text": "Goods can be returned within 30 days of delivery.",
        "title": "Returns",
        "metadata": {"lang": "en", "year": 2021},
    },
    {"id": "shipping", "text": "Shipping takes two working days.", "metadata": {"lang": "en", "year": 2019}},
    {
        "id": "tuihuo",
        "text": "\u5546\u54c1\u53ef\u5728\u6536\u8d27\u540e\u4e09\u5341\u5929\u5185\u9000\u8d27\u3002",
        "metadata": {"lang": "zh", "year": 2021},
    },
]


@pytest.fixture
def engine() -> Iterator[librag.Engine]:
    with librag.Engine() as engine:
        engine.add(DOCS)
        yield engine


def test_add_gives_ids_in_order_and_makes_missing_ones() -> None:
    with librag.Engine() as engine:
        assert engine.add(["one", "two"], ids=["a", "b"]) == ["a", "b"]
        made = engine.add([{"text": "three"}, librag.Document("four", id="d"), "five"])
        assert made[1] == "d"
        assert len(set(made)) == 3
        assert len(engine) == engine.count() == 5
        assert all(id in engine for id in ["a", "b", *made])
        assert "nobody" not in engine


def test_one_document_and_beside_it(engine: librag.Engine) -> None:
    engine.add("Opening hours are nine to five.", ids="hours", metadata={"lang": "en"})
    assert engine.search("opening hours")[0].doc_id == "hours"
    assert engine.get("hours").metadata == {"lang": "en"}


def test_source_and_language_are_kept_and_change_without_the_text(engine: librag.Engine) -> None:
    engine.upsert({"id": "a", "text": "A text.", "source": "file:///a.txt", "language": "en"})
    stored = engine.get("a")
    assert (stored.source, stored.language) == ("file:///a.txt", "en")
    assert stored.created_ms == stored.updated_ms
    engine.upsert(librag.Document("A text.", "a", source="https://example.org/\u6587", language="zh"))
    changed = engine.get("a")
    assert (changed.source, changed.language) == ("https://example.org/\u6587", "zh")
    assert changed.created_ms == stored.created_ms
    assert engine.get("returns").source == ""
    with pytest.raises(librag.InvalidArgument, match="language of document"):
        engine.upsert({"id": "a", "text": "A text.", "language": "x" * 65})
    with pytest.raises(TypeError, match="source"):
        engine.upsert({"id": "a", "text": "A text.", "sauce": "x"})


def test_search_finds_english_and_chinese(engine: librag.Engine) -> None:
    assert engine.search("returned goods")[0].doc_id == "returns"
    assert engine.search("\u9000\u8d27")[0].doc_id == "tuihuo"
    assert engine.search("zebra") == []
    batches = engine.search(["shipping", "\u9000\u8d27"], k=1)
    assert [hits[0].doc_id for hits in batches] == ["shipping", "tuihuo"]


def test_hit_says_where_it_stands(engine: librag.Engine) -> None:
    hit = engine.search("returned goods", mode="bm25", explain=True)[0]
    document = engine.get(hit.doc_id)
    assert document.text.encode()[hit.start : hit.end].decode() == hit.text
    assert hit.id == "returns#0"
    assert hit.metadata == {"lang": "en", "year": 2021}
    assert hit.scores.keys() == {"bm25"}
    assert hit.explain
    assert hit.title == "Returns"


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ({"lang": "zh"}, {"tuihuo"}),
        ({"year": {"$gte": 2020}}, {"returns", "tuihuo"}),
        ({"$and": [{"lang": "en"}, {"year": {"$lt": 2020}}]}, {"shipping"}),
        ({"$or": [{"lang": "zh"}, {"year": 2019}]}, {"shipping", "tuihuo"}),
        ({"lang": {"$in": ["en", "de"]}}, {"returns", "shipping"}),
        ({"lang": {"$ne": "en"}}, {"tuihuo"}),
        ({"$not": {"lang": "en"}}, {"tuihuo"}),
        ({"missing": {"$exists": False}}, {"returns", "shipping", "tuihuo"}),
        ({"lang": "fr"}, set()),
    ],
)
def test_where(engine: librag.Engine, where: dict[str, object], found: set[str]) -> None:
    query = "goods returned shipping \u9000\u8d27"
    assert {hit.doc_id for hit in engine.search(query, where=where)} == found


@pytest.mark.parametrize("where", [{"year": {"$near": 3}}, {"$or": 5}, {"year": {"$gte": []}}])
def test_where_that_makes_no_sense_is_named(engine: librag.Engine, where: dict[str, object]) -> None:
    with pytest.raises(librag.InvalidArgument) as error:
        engine.search("goods", where=where)
    assert "$" in str(error.value)


def test_existing_id_adds_nothing(engine: librag.Engine) -> None:
    with pytest.raises(librag.AlreadyExists, match="shipping"):
        engine.add([{"id": "new", "text": "new text"}, {"id": "shipping", "text": "again"}])
    assert len(engine) == 3
    assert "new" not in engine
    with pytest.raises(librag.AlreadyExists, match="twice"):
        engine.add(["a", "b"], ids=["twice", "twice"])
    assert len(engine) == 3


def test_upsert_replaces_and_equal_costs_nothing(engine: librag.Engine) -> None:
    before = engine.get("shipping").updated_ms
    engine.upsert([DOCS[1], {"id": "returns", "text": "Goods cannot be sent back."}])
    assert engine.get("shipping").updated_ms == before
    assert engine.get("returns").text == "Goods cannot be sent back."
    assert engine.search("delivery", mode="bm25") == []
    assert len(engine) == 3
    assert engine.verify()


def test_delete(engine: librag.Engine) -> None:
    assert engine.delete("nobody") == 0
    assert engine.delete(["shipping", "nobody"]) == 1
    assert engine.delete(where={"lang": "zh"}) == 1
    assert [hit.doc_id for hit in engine.search("goods shipping \u9000\u8d27")] == ["returns"]
    with pytest.raises(librag.InvalidArgument):
        engine.delete()
    assert engine.delete([]) == 0
    assert len(engine) == 1


def test_delete_stops_at_an_exception(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 20_000

    class Interrupted:
        def __init__(self, *args: object, **kwargs: object) -> None:
            pass

        def __enter__(self) -> Interrupted:
            return self

        def __exit__(self, *args: object) -> None:
            pass

        def callback(self, done: int, total: int) -> bool:
            raise KeyboardInterrupt

    with librag.Engine(tmp_path / "kb") as engine:
        engine.add([{"id": str(i), "text": f"document {i}"} for i in range(count)], show_progress=False)
        with monkeypatch.context() as patch:
            patch.setattr("librag.engine.Bar", Interrupted)
            with pytest.raises(KeyboardInterrupt):
                engine.delete(where={})
        # Nothing, or (within the first 50 ms) all of it.
        left = engine.count()
        assert left in (0, count)
        assert engine.delete(where={}, show_progress=False) == left
        assert engine.count() == 0


def test_vectors_of_the_caller() -> None:
    rng = np.random.default_rng(5)
    vectors = rng.normal(size=(300, 16)).astype(np.float32)
    with librag.Engine() as engine:
        engine.add([f"document number {i}" for i in range(300)], ids=[f"d{i}" for i in range(300)], vectors=vectors)
        for i in (0, 7, 299):
            assert engine.search(vector=vectors[i], k=1, mode="vector")[0].doc_id == f"d{i}"
            hit = engine.search(f"number {i}", vector=vectors[i], k=1)[0]
            assert hit.doc_id == f"d{i}"
            assert hit.scores.keys() == {"vector", "bm25"}
        with pytest.raises(librag.InvalidArgument, match=r"17.*16|16.*17"):
            engine.search(vector=np.ones(17), mode="vector")
        with pytest.raises(librag.InvalidArgument, match=r"bad.*NaN|NaN.*bad|nan.*bad|bad.*nan"):
            engine.add("text", ids="bad", vectors=np.full(16, np.nan))
        with pytest.raises(librag.InvalidArgument, match="bad"):
            engine.add("text", ids="bad", vectors=np.ones(8))
        assert len(engine) == 300
        assert engine.verify()


def test_bad_texts_are_named_and_add_nothing(engine: librag.Engine) -> None:
    for text in ["", "   \n\t "]:
        with pytest.raises(librag.InvalidArgument, match="blank"):
            engine.add([{"id": "fine", "text": "fine"}, {"id": "blank", "text": text}])
    with pytest.raises(librag.InvalidArgument, match="UTF-8"):
        engine.add([{"id": "bytes", "text": b"\xff\xfe"}])
    with pytest.raises(librag.InvalidArgument, match="surrogate"):
        engine.add([{"id": "surrogate", "text": "a\ud800b"}])
    with pytest.raises(TypeError, match="text"):
        engine.add([{"id": "x"}])
    with pytest.raises(TypeError, match="unknown"):
        engine.add([{"id": "x", "text": "y", "colour": 3}])
    with pytest.raises(ValueError, match="more docs than ids"):
        engine.add(["a", "b"], ids=["one"])
    with pytest.raises(ValueError, match="more ids than docs"):
        engine.add(["a"], ids=["one", "two"])
    with pytest.raises(TypeError, match="JSON"):
        engine.add("a", metadata={"x": object()})
    assert len(engine) == 3


def test_search_without_vectors_says_so(engine: librag.Engine) -> None:
    with pytest.raises(librag.InvalidState):
        engine.search("goods", mode="vector")
    with pytest.raises(librag.InvalidArgument, match="mode"):
        engine.search("goods", mode="magic")
    with pytest.raises(librag.InvalidState, match="generator"):
        engine.ask("why?")


def test_stream_of_documents(tmp_path: Path) -> None:
    with librag.Engine(tmp_path / "kb") as engine:
        ids = engine.add({"id": f"s{i}", "text": f"streamed text {i}"} for i in range(2500))
        assert ids == [f"s{i}" for i in range(2500)]
        assert len(engine) == 2500


def test_reopen_and_read_only(tmp_path: Path) -> None:
    path = tmp_path / "\u77e5\u8bc6 base"
    with librag.Engine(path) as engine:
        engine.add(DOCS)
        with librag.Engine(path, read_only=True) as reader:
            assert reader.search("shipping")[0].doc_id == "shipping"
            engine.add("Coffee is free.", ids="coffee")
            assert reader.search("coffee")[0].doc_id == "coffee"
            with pytest.raises(librag.ReadOnly):
                reader.add("no")
    with librag.Engine(path) as engine:
        assert len(engine) == 4
        assert engine.search("\u9000\u8d27")[0].doc_id == "tuihuo"
        report = engine.verify()
        assert report
        assert report.problems == []
        engine.compact()
        assert engine.stats()["documents"] == 4


def test_second_writer_is_refused(tmp_path: Path) -> None:
    with librag.Engine(tmp_path / "kb"), pytest.raises(librag.Busy):
        librag.Engine(tmp_path / "kb")


def test_paths_that_are_no_knowledge_base(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("hello")
    with pytest.raises(librag.InvalidArgument, match="file"):
        librag.Engine(tmp_path / "file")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"\xff\xd8")
    with pytest.raises(librag.InvalidArgument, match="photos"):
        librag.Engine(tmp_path / "photos")
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["cat.jpg"]
    with pytest.raises(librag.NotFound):
        librag.Engine(tmp_path / "nothing", read_only=True)
    assert not (tmp_path / "nothing").exists()


def test_closed_engine_says_so(engine: librag.Engine) -> None:
    engine.close()
    engine.close()
    with pytest.raises(librag.InvalidState, match="closed"):
        engine.search("goods")


def test_progress_callback_can_raise_and_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(Exception):
        pass

    with librag.Engine(tmp_path / "kb") as engine:
        calls = []

        def progress(done: int, total: int) -> None:
            calls.append((done, total))
            raise Interrupted

        rows = [(f"p{i}", f"progress text {i}", None, None, None, None, None, 0) for i in range(5000)]
        with pytest.raises(Interrupted):
            engine._core.write(rows, False, 100, progress)
        assert calls
        assert len(engine) % 100 == 0
        assert engine.verify()


def test_many_threads_search_while_one_writes(engine: librag.Engine) -> None:
    failures: list[BaseException] = []
    stop = threading.Event()

    def look() -> None:
        try:
            while not stop.is_set():
                assert engine.search("shipping", k=3)[0].doc_id == "shipping"
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for i in range(60):
        engine.add(f"unrelated words number {i}", ids=f"w{i}")
        if i % 3 == 0:
            engine.delete(f"w{i}")
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures
    assert engine.verify()


def test_stats_and_reprs(engine: librag.Engine) -> None:
    stats = engine.stats()
    assert stats["documents"] == 3
    assert stats["chunks"] == 3
    assert "in memory" in repr(engine)
    hits = engine.search("goods")
    assert "returns" in repr(hits[0])
    assert "<table>" in hits._repr_html_()
    assert "Returns" in engine.get("returns")._repr_html_()
    json.dumps(stats)


def test_long_document_becomes_chunks_with_exact_offsets() -> None:
    sentences = [f"Sentence {i} speaks of topic {i % 7} \u4e2d\u6587 and ends." for i in range(400)]
    text = " ".join(sentences)
    with librag.Engine(chunk_tokens=50) as engine:
        engine.add(text, ids="long")
        assert engine.get("long").chunks > 10
        data = text.encode()
        seen = {}
        for i in range(400):
            for hit in engine.search(f"sentence {i} topic", k=3):
                assert data[hit.start : hit.end].decode() == hit.text
                seen[hit.id] = hit
        assert len(seen) > 10
