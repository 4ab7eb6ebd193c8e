"""A knowledge base as a whole: change feed, backup, export and import, compaction, verification."""

from __future__ import annotations

import io
import json
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import librag
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


def filled(path: Path | None = None, count: int = 20) -> librag.Engine:
    engine = librag.Engine(path)
    engine.add(
        [
            {
                "id": f"d{i}",
                "text": f"Text number {i} about marker{i}. \u77e5\u8bc6\u5e93 {i}",
                "title": f"T{i}" if i % 2 else "",
                "metadata": {"n": i, "nested": {"list": [1, 2.5, None, True, '\u00e9"\\\n']}},
                "source": f"file:///{i}",
                "language": "en",
                "vector": [float(i + 1), 1.0, -0.1],
            }
            for i in range(count)
        ]
    )
    engine.add({"id": "plain", "text": "word " * 700, "title": "Long"})
    return engine


def content(engine: librag.Engine, ids: list[str] | None = None) -> dict[str, Any]:
    """All that a document says but its times."""
    wanted = [change.id for change in everything(engine) if change.kind != "removed"] if ids is None else ids
    return {
        d.id: (d.text, d.title, d.metadata, d.source, d.language, d.chunks)
        for d in engine.get(sorted(set(wanted)))
        if d is not None
    }


def everything(engine: librag.Engine) -> list[librag.Change]:
    found = engine.changes()
    out = list(found)
    while found.more:
        found = engine.changes(found.next)
        out += found
    return out


def test_changes_tell_what_was_added_updated_and_removed() -> None:
    with librag.Engine() as engine:
        assert engine.changes() == []
        engine.add(["one", "two"], ids=["a", "b"])
        first = engine.changes()
        assert [(c.kind, c.sequence, c.id) for c in first] == [("added", 1, "a"), ("added", 1, "b")]
        assert (first.next, first.last, first.more) == (1, 1, False)
        engine.upsert("two", ids="b")  # equal: no change
        assert engine.changes(1) == []
        engine.upsert("two, changed", ids="b")
        engine.upsert({"id": "a", "text": "one", "metadata": {"k": 1}})
        engine.delete("a")
        engine.add("one again", ids="a")
        assert [(c.kind, c.sequence, c.id) for c in engine.changes(1)] == [
            ("updated", 2, "b"),
            ("removed", 4, "a"),
            ("added", 5, "a"),
        ]
        assert [c.id for c in engine.changes(4)] == ["a"]
        with pytest.raises(librag.InvalidArgument, match="no change 6"):
            engine.changes(6)
        with pytest.raises(librag.InvalidArgument, match="since"):
            engine.changes(-1)


def test_changes_come_in_whole_transactions() -> None:
    with librag.Engine() as engine:
        for batch in range(5):
            engine.add([f"text {i}" for i in range(10)], ids=[f"{batch}-{i}" for i in range(10)])
        found = engine.changes(0, 1)
        assert len(found) == 10
        assert (found.next, found.last, found.more) == (1, 5, True)
        found = engine.changes(1, 15)
        assert len(found) == 20
        assert found.next == 3


DOCUMENT_IDS = [f"id{i}" for i in range(6)]
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(
            st.just("upsert"),
            st.lists(st.sampled_from(DOCUMENT_IDS), min_size=1, max_size=4, unique=True),
            st.sampled_from(["one text", "another text", "a third\n\nwith two parts", "\u4e2d\u6587"]),
            st.integers(0, 2),
        ),
        st.tuples(st.just("delete"), st.lists(st.sampled_from(DOCUMENT_IDS), min_size=1, max_size=3), st.none(), st.none()),
        st.tuples(
            st.just("link"),
            st.lists(st.sampled_from(DOCUMENT_IDS), min_size=2, max_size=2, unique=True),
            st.integers(1, 3),
            st.none(),
        ),
        st.tuples(
            st.just("unlink"), st.lists(st.sampled_from(DOCUMENT_IDS), min_size=2, max_size=2, unique=True), st.none(), st.none()
        ),
        st.tuples(st.just("follow"), st.none(), st.integers(1, 5), st.none()),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(operations=OPERATIONS)
def test_a_second_base_that_follows_the_changes_stays_equal(operations: list[Any]) -> None:
    with librag.Engine() as first, librag.Engine() as second:
        state = 0

        def copy_links(id: str) -> None:
            """As they are now, where the other end is there: else that document's change is yet to come."""
            for link in second.links(id):
                second.unlink(link.source, link.target, type=link.type)
            for link in first.links(id):
                if second.get(link.source) is not None and second.get(link.target) is not None:
                    second.link(link.source, link.target, type=link.type, weight=link.weight)

        def follow(limit: int) -> None:
            nonlocal state
            while True:
                found = first.changes(state, limit)
                for change in found:
                    if change.kind == "removed":
                        second.delete(change.id)
                        continue
                    document = first.get(change.id)
                    if document is None:  # removed since: a later change says so
                        continue
                    second.upsert(document)
                    copy_links(change.id)
                state = found.next
                if not found.more:
                    return

        for kind, ids, value, number in operations:
            if kind == "upsert":
                first.upsert([{"id": id, "text": value, "metadata": {"n": number}} for id in ids])
            elif kind == "delete":
                first.delete(ids)
            elif kind == "link":
                if None not in first.get(ids):
                    first.link(ids[0], ids[1], type="t", weight=value)
            elif kind == "unlink":
                if None not in first.get(ids):
                    first.unlink(ids[0], ids[1])
            else:
                follow(value)
        follow(1)
        assert content(second, DOCUMENT_IDS) == content(first, DOCUMENT_IDS)
        assert links_of(second) == links_of(first)
        assert second.verify()
        assert state == first.stats()["sequence"]


def test_backup_is_a_knowledge_base_while_the_first_goes_on(tmp_path: Path) -> None:
    with filled(tmp_path / "kb") as engine:
        stop = threading.Event()
        added: list[str] = []

        def write() -> None:
            while not stop.is_set() and len(added) < 500:
                added.extend(engine.add("written meanwhile"))

        thread = threading.Thread(target=write)
        thread.start()
        try:
            engine.backup(tmp_path / "copy")
        finally:
            stop.set()
            thread.join()
        with librag.Engine(tmp_path / "copy") as copy:
            assert copy.verify()
            assert 21 <= len(copy) <= len(engine)
            assert copy.search("marker7")[0].doc_id == "d7"
            assert copy.search(vector=[8.0, 1.0, -0.1], k=1)[0].doc_id == "d7"
            assert copy.get("d7") == engine.get("d7")
            copy.add("written into the copy")
        with pytest.raises(librag.AlreadyExists, match="copy"):
            engine.backup(tmp_path / "copy")
        with pytest.raises(librag.NotFound, match="nowhere"):
            engine.backup(tmp_path / "nowhere" / "copy")
        (tmp_path / "empty").mkdir()
        engine.backup(tmp_path / "empty")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["copy", "empty", "kb"]


def test_backup_of_memory_and_of_a_reader(tmp_path: Path) -> None:
    with filled() as engine:
        engine.backup(tmp_path / "saved")
    with librag.Engine(tmp_path / "saved", read_only=True) as saved:
        assert len(saved) == 21
        saved.backup(tmp_path / "again")
    with librag.Engine(tmp_path / "again") as again:
        assert again.verify()
        assert again.search("marker7")[0].doc_id == "d7"


def test_a_stopped_or_failed_backup_leaves_nothing(tmp_path: Path) -> None:
    with filled(tmp_path / "kb") as engine:

        def stop(done: int, total: int) -> bool:
            return False

        with pytest.raises(librag.Stopped):
            engine._core.backup(str(tmp_path / "copy"), stop)
        assert [p.name for p in tmp_path.iterdir()] == ["kb"]
    # A page that cannot be read must not go into a backup in silence.
    database = tmp_path / "kb" / "knowledge.sqlite3"
    damaged = bytearray(database.read_bytes())
    page = damaged.index(b"Text number 12 ") // 4096 * 4096
    damaged[page : page + 64] = b"\xee" * 64
    database.write_bytes(damaged)
    with librag.Engine(tmp_path / "kb") as engine, pytest.raises(librag.Corrupt, match="damaged"):
        engine.backup(tmp_path / "copy")
    assert [p.name for p in tmp_path.iterdir()] == ["kb"]


KILLED_BACKUP = """
import sys, librag
engine = librag.Engine(sys.argv[1], read_only=True)
print("ready", flush=True)
while True:
    engine.backup(sys.argv[2])
    import shutil
    shutil.rmtree(sys.argv[2])
"""


def test_a_killed_backup_leaves_no_half_folder(tmp_path: Path) -> None:
    with filled(tmp_path / "kb", 3000):
        pass
    for delay in (0.001, 0.01, 0.03, 0.1):
        child = subprocess.Popen(
            [sys.executable, "-c", KILLED_BACKUP, tmp_path / "kb", tmp_path / "copy"], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        child.stdout.readline()
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(delay)
        child.kill()
        child.wait()
        child.stdout.close()
        if (tmp_path / "copy").exists() and (tmp_path / "copy" / "knowledge.sqlite3").exists():
            with librag.Engine(tmp_path / "copy", read_only=True) as copy:
                assert len(copy) == 3001
        for left in (tmp_path / "copy").glob("*"):
            left.unlink()
    # What a killed one left beside is taken away by the next.
    with librag.Engine(tmp_path / "kb") as engine:
        engine.backup(tmp_path / "copy")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["copy", "kb"]


def test_export_and_import_are_a_round_trip(tmp_path: Path) -> None:
    with filled() as engine, librag.Engine(tmp_path / "new") as new:
        assert engine.export(tmp_path / "all.jsonl") == 21
        assert new.import_(tmp_path / "all.jsonl") == 21
        assert content(new) == content(engine)
        for id in ("d3", "plain"):
            assert new.get(id) == engine.get(id)  # its times too
        assert new.search(vector=[8.0, 1.0, -0.1], k=1)[0].doc_id == "d7"
        assert new.verify()
        new.export(tmp_path / "again.jsonl")
        assert (tmp_path / "again.jsonl").read_bytes() == (tmp_path / "all.jsonl").read_bytes()
        # Once more changes nothing; the same documents neither.
        sequence = new.stats()["sequence"]
        new.import_(tmp_path / "all.jsonl")
        assert new.stats()["sequence"] == sequence
        new.upsert({"id": "d3", "text": engine.get("d3").text, "title": "T3", "metadata": engine.get("d3").metadata,
                    "source": "file:///3", "language": "en", "vector": [4.0, 1.0, -0.1]})  # fmt: skip
        assert new.stats()["sequence"] == sequence


def links_of(engine: librag.Engine) -> list[Any]:
    return sorted((link.source, link.target, link.type, link.weight) for link in engine.links())


def test_links_leave_with_an_export_and_come_back(tmp_path: Path) -> None:
    long_text = "\n\n".join(f"Paragraph {i} speaks of rivers. " * 30 for i in range(6))
    with librag.Engine(chunk_tokens=40) as old:
        old.add([long_text, "Levees hold rivers.", "\u6cb3\u6d41\u4e0e\u5824\u575d"], ids=["a", "b#1", "\u6cb3"])
        old.link("a", "b#1", type="see also", weight=0.1)
        old.link("a#2", "\u6cb3#0", type="\u53c2\u89c1", weight=3)
        old.link("\u6cb3", "a")
        assert old.export(tmp_path / "links.jsonl") == 3
        lines = [json.loads(line) for line in (tmp_path / "links.jsonl").read_text("utf-8").splitlines()]
        assert lines[0]["librag_export"] == 2
        assert lines[-3:] == [
            {"link": {"source": "a", "target": "b#1", "type": "see also", "weight": 0.1}},
            {
                "link": {
                    "source": "a",
                    "source_chunk": 2,
                    "target": "\u6cb3",
                    "target_chunk": 0,
                    "type": "\u53c2\u89c1",
                    "weight": 3.0,
                }
            },
            {"link": {"source": "\u6cb3", "target": "a", "weight": 1.0}},
        ]
        with librag.Engine(tmp_path / "new", chunk_tokens=40) as new:
            assert new.import_(tmp_path / "links.jsonl") == 3
            assert links_of(new) == links_of(old)
            assert new.export(tmp_path / "again.jsonl") == 3
            assert (tmp_path / "again.jsonl").read_bytes() == (tmp_path / "links.jsonl").read_bytes()
            sequence = new.stats()["sequence"]
            new.import_(tmp_path / "links.jsonl")  # once more changes nothing
            assert new.stats()["sequence"] == sequence
        # Texts that are cut anew: links of chunks that are not there any more are left out.
        old.export(tmp_path / "texts.jsonl", vectors=False)
        with librag.Engine() as new:
            new.import_(tmp_path / "texts.jsonl")
            assert ("a", "b#1#", "see also", 0.1) in links_of(new)  # the document that is called so
            assert new.verify()


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"link": {"source": "a", "target": "nobody"}}', "line 3.*no document .nobody."),
        ('{"link": {"source": "a", "target": "a"}}', "line 3.*to itself"),
        ('{"link": {"source": "a", "target": "b", "weight": -1}}', "line 3.*weight -1"),
        ('{"link": {"source": "a"}}', "line 3.*no .target."),
        ('{"link": {"source": "a", "target": "b", "colour": 1}}', "line 3.*unknown"),
    ],
)
def test_a_bad_link_is_named_by_its_line(tmp_path: Path, line: str, why: str) -> None:
    (tmp_path / "in.jsonl").write_text('{"id": "a", "text": "x"}\n{"id": "b", "text": "y"}\n' + line + "\n", "utf-8")
    with librag.Engine() as engine:
        with pytest.raises(librag.InvalidArgument, match=why) as raised:
            engine.import_(tmp_path / "in.jsonl")
        assert f"({engine.count()} documents before it" in str(raised.value)
        assert engine.links() == []


def test_links_are_in_the_change_feed() -> None:
    with librag.Engine() as engine:
        engine.add(["one", "two", "three"], ids=["a", "b", "c"])
        engine.link("a", "c#0", type="t")
        assert [(c.kind, c.sequence, c.id) for c in engine.changes(1)] == [("updated", 2, "a"), ("updated", 2, "c")]
        engine.link("a", "c#0", type="t")  # just so: no change
        assert engine.changes(2) == []
        engine.unlink("a", "c#0")
        assert [(c.kind, c.sequence, c.id) for c in engine.changes(2)] == [("updated", 3, "a"), ("updated", 3, "c")]


def test_export_into_files_that_are_open(tmp_path: Path) -> None:
    with filled() as engine:
        engine.export(tmp_path / "file.jsonl", vectors=False)
        data, text = io.BytesIO(), io.StringIO()
        assert engine.export(data, vectors=False) == engine.export(text, vectors=False) == 21
        assert data.getvalue() == text.getvalue().encode() == (tmp_path / "file.jsonl").read_bytes()
        lines = [json.loads(line) for line in text.getvalue().splitlines()]
        assert lines[0] == {"librag_export": 1}
        assert lines[8]["metadata"] == engine.get("d7").metadata
        assert "chunks" not in lines[8]

        class Full(io.RawIOBase):
            def write(self, data: Any) -> int:
                raise OSError("no space")

        with pytest.raises(OSError, match="no space"):
            engine.export(Full())
        with pytest.raises(TypeError, match="path or a file"):
            engine.export(7)


def test_plain_lines_are_imported(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_bytes(
        b"\xef\xbb\xbf" + '{"text": "first"}\r\n\n{"id": "b", "text": "second \u4e2d\u6587", "metadata": {"n": 1}}'.encode()
    )
    with librag.Engine() as engine:
        assert engine.import_(tmp_path / "in.jsonl") == 2
        assert engine.get("b").metadata == {"n": 1}
        assert engine.get("b").created_ms > 1_600_000_000_000
        assert engine.search("second")[0].doc_id == "b"


BAD_LINES = [
    ("not json", "not JSON"),
    ("[1]", "no JSON object"),
    ('{"id": "x"}', "no text"),
    ('{"text": 7}', "no text"),
    ('{"text": ""}', "empty"),
    ('{"text": "x", "sauce": 1}', "sauce"),
    ('{"text": "x", "metadata": [1]}', "metadata"),
    ('{"text": "x", "metadata": {"n": 123456789012345678901}}', "64 bits"),
    ('{"text": "x", "created_ms": -1}', "negative"),
    ('{"text": "x", "chunks": [{"start": 0, "stop": 5}]}', "chunk 0"),
    ('{"text": "\u4e2d", "chunks": [{"start": 0, "stop": 1}]}', "chunk 0"),
    ('{"text": "x", "chunks": [{"start": 0, "stop": 1, "vector": "AAA"}]}', "base64"),
    ('{"text": "x", "chunks": [{"start": 0, "stop": 1, "vector": "AADAfw==", "given": true}]}', "nan"),
    ('{"text": "x", "chunks": [{"start": 0, "stop": 1, "given": true}]}', "given"),
    ('{"librag_export": 1}', "first line"),
    ('{"text": "x", "text": "y"}', "twice"),
    ('{"text": "\\ud800"}', "not JSON"),
]


@pytest.mark.parametrize(("bad", "message"), BAD_LINES)
def test_a_bad_line_is_named_and_nothing_is_stored(bad: str, message: str, tmp_path: Path) -> None:
    lines = [f'{{"id": "d{i}", "text": "good text {i}"}}' for i in range(10)]
    (tmp_path / "in.jsonl").write_text("\n".join([*lines[:4], bad, *lines[4:]]), "utf-8")
    with librag.Engine() as engine:
        with pytest.raises(librag.InvalidArgument, match=r"line 5 of .*in\.jsonl") as caught:
            engine.import_(tmp_path / "in.jsonl")
        assert message in str(caught.value)
        assert "(0 documents before it were stored)" in str(caught.value)
        assert len(engine) == 0
        assert engine.verify()


def test_whole_batches_before_a_bad_line_stay(tmp_path: Path) -> None:
    lines = [f'{{"id": "d{i}", "text": "good text {i}"}}' for i in range(2500)]
    (tmp_path / "in.jsonl").write_text("\n".join([*lines, "{"]), "utf-8")
    with librag.Engine() as engine:
        with pytest.raises(librag.InvalidArgument, match=r"line 2501 .*\(2048 documents before it were stored\)"):
            engine.import_(tmp_path / "in.jsonl")
        assert len(engine) == 2048
        assert engine.verify()


def test_newer_exports_and_missing_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "new.jsonl").write_text('{"librag_export": 4}\n')
    with librag.Engine() as engine:
        with pytest.raises(librag.VersionMismatch, match="newer librag"):
            engine.import_(tmp_path / "new.jsonl")
        with pytest.raises(librag.NotFound, match="missing"):
            engine.import_(tmp_path / "missing.jsonl")
        with pytest.raises(librag.InvalidArgument, match="folder"):
            engine.import_(tmp_path)
        with pytest.raises(librag.IoError):
            engine.export(tmp_path / "no" / "folder.jsonl")


def test_vectors_of_another_embedder_are_not_mixed_in(tmp_path: Path) -> None:
    vector = "AACAPwAAAD8="  # 1.0, 0.5
    header = {"librag_export": 1, "dimension": 2, "embedder": "fingerprint-1", "embedder_name": "model one"}
    document = {"id": "a", "text": "text", "chunks": [{"start": 0, "stop": 4, "vector": vector}]}
    (tmp_path / "one.jsonl").write_text(json.dumps(header) + "\n" + json.dumps(document))
    (tmp_path / "two.jsonl").write_text(json.dumps({**header, "embedder": "fingerprint-2"}) + "\n" + json.dumps(document))
    (tmp_path / "none.jsonl").write_text(json.dumps(document))
    with librag.Engine() as engine:
        with pytest.raises(librag.InvalidArgument, match="embedder"):
            engine.import_(tmp_path / "none.jsonl")
        engine.import_(tmp_path / "one.jsonl")
        assert engine.stats()["vectors_made_by"] == "model one"
        assert engine.search(vector=[1.0, 0.5])[0].score > 0.999
        with pytest.raises(librag.InvalidArgument, match="model one"):
            engine.import_(tmp_path / "two.jsonl")
        assert engine.verify()


def test_wide_integers_are_refused_and_64_bits_are_exact() -> None:
    with librag.Engine() as engine:
        numbers = {"most": 2**64 - 1, "least": -(2**63), "some": 9007199254740993, "float": 1e300}
        engine.add({"id": "a", "text": "x", "metadata": numbers})
        assert engine.get("a").metadata == numbers
        assert engine.search("x", where={"some": 9007199254740993})
        assert not engine.search("x", where={"some": 9007199254740992})
        for wide in (2**64, -(2**63) - 1, 10**30):
            with pytest.raises(librag.InvalidArgument, match=f"the integer .{wide}.*64 bits"):
                engine.add({"id": "b", "text": "x", "metadata": {"n": [wide]}})
            with pytest.raises(librag.InvalidArgument, match="64 bits"):
                engine.search("x", where={"n": wide})
        engine.add({"id": "b", "text": "x", "metadata": {"n": str(10**30), "t": "[12345678901234567890123]"}})


def test_verify_names_a_changed_letter(tmp_path: Path) -> None:
    with filled(tmp_path / "kb"):
        pass
    with sqlite3.connect(tmp_path / "kb" / "knowledge.sqlite3") as database:
        database.execute("UPDATE documents SET title='T4' WHERE id='d3'")
    database.close()
    with librag.Engine(tmp_path / "kb") as engine:
        report = engine.verify()
        assert not report
        assert any('"d3"' in problem for problem in report.problems)
        engine.upsert({"id": "d3", "text": "written anew", "vector": [1.0, 2.0, 3.0]})
        assert engine.verify()


def test_space_comes_back_and_nothing_is_lost(tmp_path: Path) -> None:
    """The churn of chroma#7758: after it, compact() leaves at most 1.3 times what a fresh base of the same rows takes."""
    with librag.Engine(tmp_path / "kb") as engine:
        live: dict[str, list[float]] = {}
        for round in range(6):
            ids = [f"r{round}-{i}" for i in range(400)]
            vectors = [[float((round * 400 + i) * 37 % 101 + 1), float(i % 13), float(round), 1.0] * 16 for i in range(400)]
            engine.add([f"text of {id} " * 8 for id in ids], ids=ids, vectors=vectors)
            live.update(zip(ids, vectors, strict=True))
            gone = sorted(live)[::2]
            engine.delete(gone)
            for id in gone:
                del live[id]
            changed = sorted(live)[::3]
            engine.upsert(
                [f"changed text of {id} {round} " * 8 for id in changed], ids=changed, vectors=[live[id] for id in changed]
            )
        engine.compact()
        assert engine.verify()
        documents = engine.get(sorted(live))
    with librag.Engine(tmp_path / "fresh") as fresh:
        fresh.add(documents, vectors=[live[id] for id in sorted(live)])
        fresh.compact()

    def size(name: str) -> int:
        return sum(p.stat().st_size for p in (tmp_path / name).iterdir() if not p.name.endswith(("-wal", "-shm")))

    assert size("kb") < 1.3 * size("fresh")


def test_the_command_line_has_them_all(tmp_path: Path) -> None:
    def run(*arguments: str | Path, code: int = 0) -> str:
        done = subprocess.run([sys.executable, "-m", "librag", *arguments], capture_output=True, text=True)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    kb = tmp_path / "kb"
    with filled(kb):
        pass
    assert "21 documents" in run("backup", kb, tmp_path / "copy")
    assert "ok" in run("verify", tmp_path / "copy")
    assert "21 documents" in run("export", kb, tmp_path / "all.jsonl")
    assert run("export", kb) == (tmp_path / "all.jsonl").read_text("utf-8")
    assert "21 documents" in run("import", tmp_path / "new", tmp_path / "all.jsonl")
    assert "MB now" in run("compact", tmp_path / "new")
    lines = [json.loads(line) for line in run("changes", kb).splitlines()]
    assert len(lines) == 22
    assert lines[-1] == {"next": 2}
    assert run("changes", kb, "--since", "2") == '{"next": 2}\n'
    assert "no change 9" in run("changes", kb, "--since", "9", code=1)
    (tmp_path / "bad.jsonl").write_text("{")
    assert "line 1" in run("import", tmp_path / "new", tmp_path / "bad.jsonl", code=1)


def test_a_lost_log_is_told_and_accepted(tmp_path: Path) -> None:
    base = tmp_path / "kb"
    code = (
        "import librag, os, sys\n"
        "engine = librag.Engine(sys.argv[1])\n"
        "for i in range(5): engine.add(f'text {i}', ids=str(i))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(base)], check=False).returncode == -9
    log = base / "knowledge.sqlite3-wal"
    away = log.read_bytes()
    log.unlink()
    for read_only in (True, False):
        with pytest.raises(librag.Corrupt, match=r"last change is 1, 5 were acknowledged.*accept_loss"):
            librag.Engine(base, read_only=read_only)
    log.write_bytes(away)
    with librag.Engine(base, read_only=True) as engine:
        assert engine.count() == 5
    log.write_bytes(away[: len(away) // 2])
    with pytest.raises(librag.Corrupt, match="5 were acknowledged"):
        librag.Engine(base)
    with librag.Engine(base, accept_loss=True) as engine:
        assert 1 <= engine.count() < 5
        assert engine.verify().ok
        with pytest.raises(librag.NotFound, match="make a new copy"):
            engine.changes(5)
    with librag.Engine(base) as engine:
        assert engine.search("text")


def damage(base: Path, sql: str) -> None:
    database = sqlite3.connect(base / "knowledge.sqlite3")
    database.execute(sql)
    database.commit()
    database.close()


def test_damage_is_named_left_out_and_repaired(tmp_path: Path) -> None:
    filled(tmp_path / "kb").close()
    damage(tmp_path / "kb", "UPDATE documents SET text=replace(text, 'marker7', 'market7') WHERE id='d7'")
    with librag.Engine(tmp_path / "kb") as engine:
        assert any('"d7"' in problem for problem in engine.verify().problems)
        with pytest.raises(librag.Corrupt, match='"d7"'):
            engine.export(tmp_path / "all.jsonl")
        assert not (tmp_path / "all.jsonl").exists()
        with pytest.raises(librag.Corrupt, match='"d7"'):
            engine.backup(tmp_path / "backup")
        left_out: list[tuple[str | None, str]] = []
        for target in (tmp_path / "rest.jsonl", io.BytesIO(), io.StringIO()):
            assert engine.export(target, on_damaged=lambda id, problem: left_out.append((id, problem))) == 20
        assert [id for id, _ in left_out] == ["d7"] * 3
        assert all("checksum" in problem for _, problem in left_out)

        def stop(id: str | None, problem: str) -> None:
            raise RuntimeError("mine")

        with pytest.raises(RuntimeError, match="mine"):
            engine.export(tmp_path / "no.jsonl", on_damaged=stop)
        with filled() as whole:
            original = io.BytesIO()
            whole.export(original)
        (tmp_path / "original.jsonl").write_bytes(original.getvalue())
        engine.import_(tmp_path / "original.jsonl")
        assert engine.verify().ok
        engine.backup(tmp_path / "backup")


def test_damage_on_the_command_line(tmp_path: Path) -> None:
    filled(tmp_path / "kb").close()
    damage(tmp_path / "kb", "UPDATE documents SET title='x' WHERE id='d7'")

    def run(*arguments: str | Path, code: int = 0) -> str:
        done = subprocess.run([sys.executable, "-m", "librag", *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    assert '"d7"' in run("export", tmp_path / "kb", tmp_path / "all.jsonl", code=1)
    told = run("export", tmp_path / "kb", tmp_path / "rest.jsonl", "--skip-damaged")
    assert "left out 'd7'" in told
    assert "20 documents" in told
    assert "marker3" in run("search", tmp_path / "kb", "+marker3 -marker4", "--operators", "--mode", "bm25")
    assert "byte 0" in run("search", tmp_path / "kb", "(marker3", "--operators", "--mode", "bm25", code=1)


def test_an_unchanged_text_needs_no_embedder(tmp_path: Path, fixtures_dir: Path) -> None:
    with librag.Engine(tmp_path / "kb", fixtures_dir / "tiny_bert") as engine:
        engine.add(["Whales live in the sea.", "Cars"], ids=["a", "b"])
        before = engine.changes().last
    with librag.Engine(tmp_path / "kb") as engine:
        engine.upsert(["Whales live in the sea.", "Cars"], ids=["a", "b"])
        assert engine.changes().last == before
        engine.upsert({"id": "a", "text": "Whales live in the sea.", "metadata": {"k": 1}})
        assert engine.search("whales", where={"k": 1})[0].doc_id == "a"
        for changed in ({"id": "a", "text": "Whales live."}, {"id": "a", "text": "Whales live in the sea.", "title": "T"}):
            with pytest.raises(librag.InvalidState, match="without the embedder"):
                engine.upsert(changed)
    with librag.Engine(tmp_path / "kb", fixtures_dir / "tiny_bert") as engine:
        last = engine.changes().last
        engine.upsert({"id": "a", "text": "Whales live in the sea.", "metadata": {"k": 1}})
        assert engine.changes().last == last
        assert engine.verify().ok


@pytest.mark.parametrize("memory", [True, False])
def test_a_writer_inside_an_export(tmp_path: Path, memory: bool) -> None:
    with librag.Engine(None if memory else tmp_path / "kb") as engine:
        engine.add([f"t {i}" for i in range(5)])

        class Target(io.RawIOBase):
            def write(self, data: Any) -> int:
                engine.add("more")
                assert engine.search("t")
                with pytest.raises(librag.InvalidState, match="inside a call"):
                    engine.close()
                return len(data)

        assert engine.export(Target()) == 5
        assert engine.count() == 11
