"""Another embedder for a knowledge base, and other models for an engine that runs."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import librag
import pytest
from librag import cli

TEXTS = [f"The {color} {thing} number {n} is in room {n % 7}." for n, (color, thing) in enumerate(
    [(color, thing) for color in ("red", "blue", "green", "old") for thing in ("boat", "mill", "letter", "river", "lamp")] * 10
)]  # fmt: skip


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two small encoders of other dimensions, from random weights."""
    folder = tmp_path_factory.mktemp("models")
    first = librag.new_encoder(folder / "first", TEXTS, hidden=64, layers=1, seed=1)
    second = librag.new_encoder(folder / "second", TEXTS, hidden=32, layers=1, seed=2)
    return Path(first), Path(second)


def filled(path: Path | None, embedder: Path) -> librag.Engine:
    engine = librag.Engine(path, embedder)
    engine.add(TEXTS, ids=[f"d{i}" for i in range(len(TEXTS))])
    return engine


def found(engine: librag.Engine) -> list[list[tuple[str, float]]]:
    queries = ["old mill number 9", "the blue letter", "room 3"]
    return [[(hit.doc_id, round(hit.score, 4)) for hit in hits] for hits in engine.search(queries, mode="vector", k=20)]


def test_it_finds_what_a_fresh_base_finds(tmp_path: Path, models: tuple[Path, Path]) -> None:
    seen: list[tuple[int, int]] = []
    with filled(None, models[1]) as fresh, filled(tmp_path / "kb", models[0]) as engine:
        report = engine.reembed(models[1], progress=lambda done, total: seen.append((done, total)))
        assert report == {"documents": 200, "chunks": 200, "embedded": 200, "taken_over": 0, "cut_anew": 0, "cut_short": 0}
        assert found(engine) == found(fresh)
        assert seen
        assert seen[-1] == (200, 200)
        assert engine.embedder is not None
        assert engine.embedder.dimension == 32
        assert engine.stats()["dimension"] == 32
        assert engine.verify()
        assert engine.reembed(models[1])["embedded"] == 0
    with pytest.raises(librag.InvalidArgument, match="re-embed"):
        librag.Engine(tmp_path / "kb", models[0])
    with librag.Engine(tmp_path / "kb", models[1]) as again:
        assert len(again) == 200


def test_in_the_background(tmp_path: Path, models: tuple[Path, Path]) -> None:
    with filled(None, models[1]) as fresh, filled(tmp_path / "kb", models[0]) as engine:
        before = found(engine)
        held = threading.Event()
        begun = threading.Event()

        def progress(done: int, total: int) -> None:
            begun.set()
            held.wait(30)

        work = engine.reembed(models[1], wait=False, progress=progress)
        assert begun.wait(30)
        assert work.running
        with pytest.raises(TimeoutError, match="of 200 documents"):
            work.wait(0.01)
        assert found(engine) == before  # the old vectors serve
        with pytest.raises(librag.Busy, match="already"):
            engine.reembed(models[1])
        held.set()
        assert work.wait()["documents"] == 200
        assert not work.running
        assert found(engine) == found(fresh)


def test_stopped_it_changes_nothing(tmp_path: Path, models: tuple[Path, Path]) -> None:
    with filled(tmp_path / "kb", models[0]) as engine:
        before = found(engine)
        with pytest.raises(librag.Stopped):
            engine.reembed(models[1], progress=lambda done, total: False)
        assert found(engine) == before
        with pytest.raises(ZeroDivisionError):
            engine.reembed(models[1], progress=lambda done, total: 1 / 0)
        work = engine.reembed(models[1], wait=False, progress=lambda done, total: time.sleep(0.01))
        work.cancel()
        with pytest.raises(librag.Stopped):
            work.wait()
        assert "ended" in repr(work)
        assert engine.verify()
        assert engine.embedder is not None
        assert engine.embedder.dimension == 64
        with pytest.raises(TypeError):
            engine.reembed(None)  # type: ignore[call-overload]
        work = engine.reembed(models[1], wait=False, progress=lambda done, total: time.sleep(0.05))
    with pytest.raises(librag.RagError):  # closing ended it, or came before it
        work.wait()
    with librag.Engine(tmp_path / "kb", models[0], read_only=True) as reader, pytest.raises(librag.ReadOnly):
        reader.reembed(models[1])


class Interrupted:
    """Ctrl-C on the way back from the core, when all is committed."""

    def __init__(self, core: Any) -> None:
        self._core = core

    def __getattr__(self, name: str) -> Any:
        return getattr(self._core, name)

    def reembed(self, *arguments: Any) -> None:
        self._core.reembed(*arguments)
        raise KeyboardInterrupt


def test_interrupted_when_all_is_committed(
    tmp_path: Path, models: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    dimensions: list[int] = []
    with filled(tmp_path / "kb", models[0]) as engine:
        engine.reembed(models[1], progress=lambda done, total: dimensions.append(engine.stats()["dimension"]))
        assert set(dimensions) == {64}  # nobody is asked any more
        monkeypatch.setattr(engine, "_core", Interrupted(engine._core))
        with pytest.raises(KeyboardInterrupt):
            engine.reembed(models[0])
        assert engine.embedder is not None
        assert engine.embedder.dimension == 64
        assert len(engine.search("old mill", mode="vector", k=3)) == 3

    original = librag.Engine.reembed

    def interrupted(self: librag.Engine, embedder: librag.Encoder) -> None:
        original(self, embedder)
        raise KeyboardInterrupt

    monkeypatch.setattr(librag.Engine, "reembed", interrupted)
    cli.remember_models(tmp_path / "kb", embedder=models[0])
    with pytest.raises(cli.typer.Exit):
        cli.reembed(tmp_path / "kb", models[1])
    assert "the new embedder serves" in capsys.readouterr().err
    assert cli._settings(tmp_path / "kb")["embedder"] == str(models[1].resolve())


PROGRAM = """
import sys, time, librag
engine = librag.Engine(sys.argv[1], sys.argv[2])
engine.reembed(sys.argv[3], wait=False, progress=lambda done, total: time.sleep(0.02))
print("end")
"""


def test_a_program_may_end_meanwhile(tmp_path: Path, models: tuple[Path, Path]) -> None:
    filled(tmp_path / "kb", models[0]).close()
    arguments = [sys.executable, "-c", PROGRAM, str(tmp_path / "kb"), str(models[0]), str(models[1])]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == "end\n"


def test_other_models_for_an_engine_that_runs(tmp_path: Path, models: tuple[Path, Path], fixtures_dir: Path) -> None:
    cross_encoder = fixtures_dir / "tiny_cross_encoder"
    with filled(tmp_path / "kb", models[0]) as engine, librag.Engine(tmp_path / "kb", models[0], read_only=True) as reader:
        before = found(engine)
        assert found(reader) == before
        with pytest.raises(librag.InvalidArgument, match="re-embed"):
            engine.use(embedder=models[1])
        assert found(engine) == before
        with pytest.raises(librag.InvalidArgument, match="re-embed"):
            engine.use(embedder=models[1], generator=None, reranker=cross_encoder)
        assert (engine.reranker, engine.stats()["reranker"]) == (None, None)
        engine.use(reranker=cross_encoder)
        assert engine.reranker is not None
        assert engine.stats()["reranker"] is not None
        engine.use(embedder=None)
        assert engine.embedder is None
        with pytest.raises(librag.InvalidState):
            found(engine)
        engine.use(embedder=librag.Encoder(models[0]), generator=None, reranker=None)
        assert found(engine) == before
        engine.reembed(models[1])
        with pytest.raises(librag.InvalidArgument, match="were made by"):
            found(reader)
        reader.use(embedder=models[1])
        assert found(reader) == found(engine)


def test_the_command_line(tmp_path: Path, models: tuple[Path, Path]) -> None:
    def run(*arguments: str | Path) -> str:
        done = subprocess.run([sys.executable, "-m", "librag", *map(str, arguments)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    (tmp_path / "docs").mkdir()
    for i, text in enumerate(TEXTS[:20]):
        (tmp_path / "docs" / f"{i}.txt").write_text(text)
    run("index", tmp_path / "kb", tmp_path / "docs", "--embedder", models[0])
    assert "20 chunks of 20 documents" in run("reembed", tmp_path / "kb", models[1])
    assert "mill" in run("search", tmp_path / "kb", "the old mill", "--mode", "vector")  # by the new one, which it remembers
    assert '"dimension": 32' in run("stats", tmp_path / "kb", "--json")
