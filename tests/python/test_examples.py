"""The examples are run: the quickstarts, the notebooks, the demo on a folder, the command line, a C++ and a C program against an
installed librag."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


def run(*command: str | Path, **options: object) -> str:
    """Runs a command that must succeed and gives what it printed."""
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **options)
    assert result.returncode == 0, f"{command}: {result.stdout}\n{result.stderr}"
    return result.stdout


def test_python_quickstart_by_words() -> None:
    assert "returns: Goods can be returned" in run(sys.executable, EXAMPLES / "python" / "quickstart.py")


@pytest.mark.full
def test_python_quickstart_with_models(encoder_path: Path, generator_path: Path) -> None:
    models = generator_path.parents[1]
    printed = run(sys.executable, EXAMPLES / "python" / "quickstart.py", models)
    assert "returns" in printed
    assert "30 days" in printed


def pictures(name: str, kind: str) -> list[str]:
    """Runs a notebook from its first cell to its last; what it shows of a kind such as "text/html"."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(EXAMPLES / "notebooks" / name, as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells), "the notebook is committed without outputs"
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    outputs = [output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])]
    return [data[kind] for data in outputs if kind in data]


@pytest.mark.full
def test_notebook(encoder_path: Path, generator_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_MODELS", str(generator_path.parents[1]))
    assert any("<table>" in page for page in pictures("quickstart.ipynb", "text/html"))


@pytest.mark.full
def test_training_notebook(encoder_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_MODELS", str(encoder_path.parents[1]))
    shown = pictures("training.ipynb", "image/svg+xml")
    assert len(shown) == 2, "a curve for each training"
    assert all("<polyline" in curve and "step 40 of 40" in curve for curve in shown)


@pytest.mark.full
def test_demo_on_a_folder_and_the_command_line(encoder_path: Path, generator_path: Path, tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "returns.md").write_text("# Returns\n\nGoods can be returned within 30 days of delivery.\n", "utf-8")
    (docs / "shipping.html").write_text(
        "<html><title>Shipping</title><p>Shipping takes <b>two</b> working days.</p></html>", "utf-8"
    )
    (docs / "zh.txt").write_text("\u5546\u54c1\u53ef\u5728\u4e09\u5341\u5929\u5185\u9000\u8d27\u3002", "utf-8")
    base = tmp_path / "kb"
    printed = run(
        sys.executable,
        EXAMPLES / "python" / "demo.py",
        *("--models", generator_path.parents[1], "--knowledge", base, "--docs", docs),
        *("--question", "Within how many days can goods be returned?"),
    )
    assert "3 documents" in printed
    assert "where the time went" in printed
    cli = [sys.executable, "-m", "librag"]
    assert "returns.md" in run(*cli, "search", base, "returned goods", "--mode", "bm25")
    assert "zh.txt" in run(*cli, "search", base, "\u9000\u8d27", "-k", "1")
    rows = [json.loads(line) for line in run(*cli, "search", base, "goods", "--json").splitlines()]
    assert rows[0]["id"].startswith("returns.md")
    assert json.loads(run(*cli, "stats", base, "--json"))["documents"] == 3
    assert run(*cli, "verify", base).strip() == "ok"
    assert "new tokens" in run(*cli, "ask", base, "How long does shipping take?", "--max-tokens", "30")
    (docs / "zh.txt").write_text("Now in English: coffee is free.", "utf-8")
    assert "3 documents" in run(*cli, "index", base, docs)
    assert "zh.txt" in run(*cli, "search", base, "coffee", "-k", "1")


def test_command_line_says_what_is_wrong(tmp_path: Path) -> None:
    for arguments, text in [
        (["search", str(tmp_path / "none"), "x"], "there is no knowledge base"),
        (["index", str(tmp_path / "kb"), str(tmp_path / "no-docs")], "there is no folder"),
        (["search", str(tmp_path), "x", "--where", "{"], "no JSON"),
    ]:
        result = subprocess.run([sys.executable, "-m", "librag", *arguments], capture_output=True, text=True, check=False)
        assert result.returncode == 1
        assert result.stderr.startswith("librag: ")
        assert text in result.stderr
        assert len(result.stderr.splitlines()) == 1
    helped = run(sys.executable, "-m", "librag", "--help")
    for command in ("index", "search", "ask", "stats", "verify"):
        assert command in helped


@pytest.mark.full
@pytest.mark.parametrize("language", ["cpp", "c"])
def test_quickstart_against_an_installed_librag(language: str, tmp_path: Path, encoder_path: Path, generator_path: Path) -> None:
    build = ROOT / "build" / "release"
    prefix = tmp_path / "prefix"
    run("cmake", "--install", build, "--prefix", prefix)
    assert sorted(path.name for path in (prefix / "include").iterdir()) == ["rag"]
    run("cmake", "-S", EXAMPLES / language, "-B", tmp_path / "build", f"-DCMAKE_PREFIX_PATH={prefix}")
    run("cmake", "--build", tmp_path / "build")
    program = tmp_path / "build" / "quickstart"
    assert "returns: Goods can be returned" in run(program)
    import torch

    environment = {**os.environ, "RAG_LIBTORCH_DIR": str(Path(torch.__file__).parent)}
    printed = run(program, encoder_path, generator_path, env=environment)
    assert "30 days" in printed
    shutil.rmtree(prefix)
