"""A signal during a long call of the knowledge base ends it: in searches over long texts, and where no model is at work. The bar is 100 ms;
these tests compare with the whole call instead, so that a busy machine fails none: a call that takes long enough to tell must end before
half of it is over."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import librag
import pytest


class Interrupted(BaseException):
    """What the handler raises, as KeyboardInterrupt is raised for Ctrl-C."""


@pytest.fixture
def handler() -> Iterator[None]:
    def raise_it(*_: Any) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGALRM, raise_it)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def text_of(size: int, seed: int) -> str:
    generator = random.Random(seed)
    letters = "abcdefgh"
    words = ["".join(generator.choice(letters) for _ in range(5)) for _ in range(20000)]
    return " ".join(generator.choices(words, k=size // 6))


@pytest.fixture(scope="module")
def engine() -> Iterator[librag.Engine]:
    with librag.Engine() as engine:
        engine.add([{"id": str(i), "text": text_of(4_000_000, i), "vector": [1.0, float(i)]} for i in range(8)])
        yield engine


LONG_QUERY = text_of(1_000_000, 99)
SHORT_QUERY = LONG_QUERY[:300]
ACCENTS = "e\u0301a\u0308 " * 12_000_000

CALLS: dict[str, Callable[[librag.Engine], Any]] = {
    "highlight": lambda engine: engine.search(SHORT_QUERY, highlight=True),
    "explain": lambda engine: engine.search(LONG_QUERY, explain=True),
    "highlight of a long query": lambda engine: engine.search(LONG_QUERY, highlight=True),
    "diversity": lambda engine: engine.search(SHORT_QUERY, diversity=0.5),
    "batch": lambda engine: engine.search([SHORT_QUERY] * 8, highlight=True),
    "clean": lambda _: librag.clean(ACCENTS),
    "verify": lambda engine: engine.verify(),
    "get": lambda engine: engine.get([str(i % 8) for i in range(100)]),
}


@pytest.mark.full
@pytest.mark.parametrize("name", CALLS)
def test_a_signal_ends_a_long_call(handler: None, engine: librag.Engine, name: str) -> None:
    call = CALLS[name]
    started = time.perf_counter()
    call(engine)
    whole = time.perf_counter() - started
    if whole < 0.4:  # then nothing holds Ctrl-C back for long
        return
    for _ in range(3):  # a machine may stand still in one of them
        started = time.perf_counter()
        signal.setitimer(signal.ITIMER_REAL, whole / 10)
        with pytest.raises(Interrupted):
            call(engine)
        took = time.perf_counter() - started
        if took < whole / 2:
            break
    assert took < whole / 2, f"{took:.3f} s of {whole:.3f} s"
    assert engine.search(SHORT_QUERY, k=1)


def test_the_handler_may_search_and_write(handler: None) -> None:
    """Python runs signal handlers inside the call that was interrupted."""
    found: list[str] = []
    with librag.Engine() as engine:
        engine.add([{"id": str(i), "text": text_of(1_000_000, i), "vector": [1.0, float(i)]} for i in range(8)])

        def use(*_: Any) -> None:
            found.extend(hit.doc_id for hit in engine.search(SHORT_QUERY, k=3))
            engine.upsert({"id": "new", "text": "other words", "vector": [0.0, 1.0]})

        signal.signal(signal.SIGALRM, use)
        expected = [hit.id for hit in engine.search(SHORT_QUERY, highlight=True)]
        for _ in range(20):
            signal.setitimer(signal.ITIMER_REAL, 0.002)
            assert [hit.id for hit in engine.search(SHORT_QUERY, highlight=True)] == expected
        assert found
        assert engine.search("other words")[0].doc_id == "new"
        assert engine.verify().ok
