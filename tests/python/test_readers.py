"""Folders that people really have: odd names, files that cannot be read, terminals that are not UTF-8."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from librag.readers import read_folder


@pytest.fixture
def odd_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "good.txt").write_text("Goods can be returned.", "utf-8")
    (folder / "dangling.txt").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "pipe.txt")
    (folder / "latin1.txt").write_bytes(b"caf\xe9 is not UTF-8")
    Path(os.fsdecode(os.fsencode(folder) + b"/name-\xff.txt")).write_text("A name that is not UTF-8.", "utf-8")
    return folder


def test_unreadable_files_are_told_and_the_others_read(odd_folder: Path) -> None:
    skipped: list[str] = []
    documents = {d.id: d for d in read_folder(odd_folder, lambda path, error: skipped.append(path.name))}
    assert sorted(skipped) == ["dangling.txt", "pipe.txt"]
    assert sorted(documents, key=str) == ["good.txt", "latin1.txt", r"name-\xff.txt"]
    assert documents["latin1.txt"].metadata["encoding"] == "not UTF-8, replaced"
    with pytest.raises(OSError, match="dangling"):
        list(read_folder(odd_folder))


def test_command_line(odd_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("typer")

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
        command = [sys.executable, "-m", "librag", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)

    (odd_folder / "zh.txt").write_text("\u5546\u54c1\u53ef\u9000\u8d27\u3002", "utf-8")
    indexed = run("index", tmp_path / "kb", odd_folder)
    assert indexed.returncode == 0, indexed.stderr
    assert "4 documents" in indexed.stdout
    for told in ("skipped", "No such file", "no regular file"):
        assert told in indexed.stderr
    found = run("search", tmp_path / "kb", "\u9000\u8d27")
    assert found.returncode == 0, found.stderr
    assert "zh.txt" in found.stdout
