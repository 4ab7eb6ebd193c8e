"""Files and folders that people really have: every format, odd names, files that cannot be read, terminals that are not UTF-8."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import librag
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from librag.readers import OFFICE_SUFFIXES, SUFFIXES, read_bytes, read_documents

CHINESE = "\u77e5\u8bc6\u5e93\u662f\u4eba\u4eec\u4fe1\u4efb\u8fd9\u4e2a\u7a0b\u5e8f\u7684\u539f\u56e0\uff0c\u6240\u6709\u7684\u5185\u5bb9\u90fd\u5fc5\u987b\u80fd\u88ab\u627e\u5230\u3002"


@pytest.fixture
def odd_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "good.txt").write_text("Goods can be returned.", "utf-8")
    (folder / "dangling.txt").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "pipe.txt")
    (folder / "latin1.txt").write_bytes(b"caf\xe9 is not UTF-8")
    (folder / "gbk.md").write_bytes(f"# \u6807\u9898\n\n{CHINESE}".encode("gbk"))
    (folder / "empty.py").write_bytes(b"\n")
    (folder / "table.csv").write_text("id,text\n1,one\n1,again\n2,\n", "utf-8")
    (folder / "more").mkdir()
    (folder / "more" / "table.csv").write_text("id,text\n1,other\n", "utf-8")
    (folder / ".hidden.txt").write_text("no", "utf-8")
    Path(os.fsdecode(os.fsencode(folder) + b"/name-\xff.txt")).write_text("A name that is not UTF-8.", "utf-8")
    return folder


def test_unreadable_files_are_told_and_the_others_read(odd_folder: Path) -> None:
    skipped: dict[str, str] = {}
    blank: dict[str, int] = {}
    found = list(
        read_documents(
            odd_folder,
            on_error=lambda path, error: skipped.update({path.name: str(error)}),
            on_blank=lambda path, count: blank.update({path.name: count}),
        )
    )
    assert sorted(skipped) == ["dangling.txt", "latin1.txt", "pipe.txt"]
    assert "byte 0xe9 at offset 3" in skipped["latin1.txt"]
    assert blank == {"empty.py": 1, "table.csv": 1}
    ids = sorted(str(document.id) for document in found)
    assert ids == ["gbk.md", "good.txt", "more/table.csv:1", r"name-\xff.txt", "table.csv:1", "table.csv:1"]
    documents = {document.id: document for document in found}
    assert documents["gbk.md"].text.endswith(CHINESE)
    assert documents["gbk.md"].title == "\u6807\u9898"
    assert documents["gbk.md"].metadata == {"format": "md", "encoding": "gb18030"}
    assert documents["gbk.md"].kind == "markdown"
    assert documents["good.txt"].source.endswith("docs/good.txt")
    with pytest.raises(librag.RagError, match="dangling"):
        list(read_documents(odd_folder))
    assert next(read_documents(odd_folder / "latin1.txt", encoding="latin-1")).text == "caf\u00e9 is not UTF-8"


def test_command_line(odd_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("typer")

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
        command = [sys.executable, "-m", "librag", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)

    (odd_folder / "zh.txt").write_text("\u5546\u54c1\u53ef\u9000\u8d27\u3002", "utf-8")
    indexed = run("index", tmp_path / "kb", odd_folder)
    assert indexed.returncode == 0, indexed.stderr
    assert "6 documents" in indexed.stdout
    for told in ("skipped 3 cannot be read", "skipped 2 without text", "skipped 1 with an id that stood before"):
        assert told in indexed.stdout
    for told in ("cannot open", "no regular file", "byte 0xe9 at offset 3", "without text", "a second document 'table.csv:1'"):
        assert told in indexed.stderr
    found = run("search", tmp_path / "kb", "\u9000\u8d27")
    assert found.returncode == 0, found.stderr
    assert "zh.txt" in found.stdout
    assert run("index", tmp_path / "kb", odd_folder, "--chunker", "bad").returncode == 1


def test_bytes_and_options() -> None:
    (row,) = read_bytes(b"q;a\nwhy;because\n", "faq.csv", text="a", title="q", delimiter=";")
    assert (row.id, row.title, row.text, row.metadata) == ("faq.csv:1", "why", "because", {})
    (page,) = read_bytes(b"<html lang=en><title>T</title><p>x", "a.html")
    assert (page.title, page.language, page.kind) == ("T", "en", "html")
    assert ".md" in SUFFIXES
    assert not set(SUFFIXES) & set(OFFICE_SUFFIXES)
    with pytest.raises(TypeError, match="unknown options"):
        read_bytes(b"", "a.txt", colour="red")
    with pytest.raises(librag.Unsupported):
        read_bytes(b"", "a.exe")
    with pytest.raises(librag.InvalidArgument, match="delimiter"):
        read_bytes(b"", "a.csv", delimiter="ab")
    with pytest.raises(librag.NotFound):
        list(read_documents("nowhere"))


def test_rows_that_are_wrong_leave_the_others(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "a"}\n{"text": \n["no"]\n{"text": "b", "n": 1}\n', "utf-8")
    errors: list[str] = []
    rows = list(read_documents(path, on_error=lambda _, error: errors.append(str(error))))
    assert [row.text for row in rows] == ["a", "b"]
    assert rows[1].metadata == {"n": 1}
    assert "row 2" in errors[0]
    assert "row 3" in errors[1]
    with pytest.raises(librag.InvalidArgument, match="row 2"):
        list(read_documents(path))


def test_an_engine_takes_what_is_read(odd_folder: Path) -> None:
    with librag.Engine() as engine:
        engine.upsert(read_documents(odd_folder / "gbk.md"))
        stored = engine.get("gbk.md")
        assert stored is not None
        assert stored.source.endswith("gbk.md")
        assert engine.search("\u77e5\u8bc6\u5e93")[0].doc_id == "gbk.md"


@settings(max_examples=200, deadline=None)
@given(
    text=st.text(),
    kind=st.sampled_from(("text", "markdown", "rst", "html", "code", "code-indented", "code-shell")),
    size=st.integers(1, 30),
)
def test_chunks_hold_all_of_a_text_that_is_not_white_space(text: str, kind: librag.types.Kind, size: int) -> None:
    chunks = librag.chunk(text, kind=kind, size=size)
    covered = 0
    for chunk in chunks:
        assert chunk.text == text[chunk.start : chunk.end]
        assert text[covered : chunk.start].strip() == ""
        assert chunk.parent_start <= chunk.start <= chunk.end <= chunk.parent_end
        covered = chunk.end
    assert text[covered:].strip() == ""


@settings(max_examples=300, deadline=None)
@given(text=st.text(), control=st.booleans(), whitespace=st.booleans(), nfc=st.booleans())
def test_cleaning_twice_does_nothing_more(text: str, control: bool, whitespace: bool, nfc: bool) -> None:
    once = librag.clean(text, control=control, whitespace=whitespace, nfc=nfc)
    assert librag.clean(once, control=control, whitespace=whitespace, nfc=nfc) == once


@settings(max_examples=200, deadline=None)
@given(
    rows=st.lists(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",))), min_size=2, max_size=2))
)
def test_tables_of_the_standard_library_come_back(tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]) -> None:
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerows([["text", "other"], *rows])
    path = tmp_path_factory.mktemp("tables") / "t.csv"
    path.write_bytes(table.getvalue().encode())
    read = [document.text for document in read_documents(path, delimiter=",", clean=False)]
    assert [text for text in read if text.strip()] == [text for text, _ in rows if text.strip()]


def test_pdf(tmp_path: Path) -> None:
    pypdf = pytest.importorskip("pypdf")
    path = tmp_path / "a.pdf"
    path.write_bytes(_pdf("Goods can be returned."))
    (document,) = read_documents(path)
    assert "Goods can be returned." in document.text
    assert document.metadata == {"format": "pdf", "pages": 1}
    assert document.id == "a.pdf"
    blank = pypdf.PdfWriter()
    blank.add_blank_page(100, 100)
    blank.write(tmp_path / "blank.pdf")
    counts: list[int] = []
    assert list(read_documents(tmp_path / "blank.pdf", on_blank=lambda _, count: counts.append(count))) == []
    assert counts == [1]
    (tmp_path / "torn.pdf").write_bytes(path.read_bytes()[:90])
    with pytest.raises(librag.InvalidArgument, match=r"torn\.pdf"):
        list(read_documents(tmp_path / "torn.pdf"))
    secret = pypdf.PdfWriter(clone_from=path)
    secret.encrypt("password", algorithm="RC4-128")
    secret.write(tmp_path / "secret.pdf")
    with pytest.raises(librag.InvalidArgument, match="encrypted"):
        list(read_documents(tmp_path / "secret.pdf"))


def test_docx(tmp_path: Path) -> None:
    docx = pytest.importorskip("docx")
    document = docx.Document()
    document.core_properties.title = "Terms"
    document.add_heading("Returns", level=1)
    document.add_paragraph("Goods can be \u9000\u8d27.")
    table = document.add_table(rows=1, cols=2)
    table.rows[0].cells[0].text = "days"
    table.rows[0].cells[1].text = "30"
    document.save(str(tmp_path / "a.docx"))
    (read,) = read_documents(tmp_path / "a.docx")
    assert read.title == "Terms"
    assert read.text == "# Returns\n\nGoods can be \u9000\u8d27.\n\ndays | 30"
    assert read.kind == "markdown"
    with zipfile.ZipFile(tmp_path / "no.docx", "w") as archive:
        archive.writestr("x", "y")
    with pytest.raises(librag.InvalidArgument, match=r"no\.docx"):
        list(read_documents(tmp_path / "no.docx"))


def _pdf(text: str) -> bytes:
    """The smallest PDF with a line of text."""
    stream = f"BT /F1 12 Tf 10 50 Td ({text}) Tj ET".encode()
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 100]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    out = b"%PDF-1.4\n"
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj%s endobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return out + b"xref\n0 6\n0000000000 65535 f \n%strailer<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (table, len(out))
