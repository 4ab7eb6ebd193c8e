"""Long inputs of a language model: others are served between their parts, results stay what they are, and a signal ends them."""

from __future__ import annotations

import pathlib
import signal
import threading
import time
from typing import Any

import librag
import numpy as np
import pytest

TEXT = "The river carries the letter past the old mill, and seven boats wait for wind in the harbour. "


def test_parts_give_the_same_logits(fixtures_dir: pathlib.Path) -> None:
    ids = np.random.default_rng(0).integers(0, 320, 64)
    # In int8 few rows and many go through kernels that round their inputs in different places.
    bars: dict[librag.models.Dtype, float] = {"float32": 1e-4, "int8": 2e-3}
    for dtype, bar in bars.items():
        whole = librag.Generator(fixtures_dir / "tiny_llama", dtype=dtype).logits(ids)
        for tokens in (1, 7, 63):
            parts = librag.Generator(fixtures_dir / "tiny_llama", dtype=dtype, batching=librag.Batching(tokens=tokens))
            assert np.abs(parts.logits(ids) - whole).max() < bar * np.abs(whole).max()


@pytest.mark.full
def test_others_are_served_between_the_parts_of_a_prompt(generator_path: pathlib.Path) -> None:
    generator = librag.Generator(generator_path, dtype="int8")
    prompt = TEXT * 250
    ids = generator.tokenizer.encode(TEXT).ids
    generator.generate("warm", max_tokens=2)
    alone = generator.generate(prompt, max_tokens=4).ids
    done = threading.Event()
    found: list[list[int]] = []

    def read_prompt() -> None:
        found.append(generator.generate(prompt, max_tokens=4).ids)
        done.set()

    thread = threading.Thread(target=read_prompt)
    thread.start()
    steps = 0
    expected = generator.logits(ids)
    while not done.is_set():
        assert np.abs(generator.logits(ids) - expected).max() < 0.02 * np.abs(expected).max()
        steps += not done.is_set()
    thread.join()
    # Before the prompt was cut up, one call of another could come before it and the next one behind it.
    assert steps >= 4
    assert found == [alone]


class Interrupted(BaseException):
    """What the handler raises, as KeyboardInterrupt is raised for Ctrl-C."""


@pytest.mark.full
def test_a_signal_ends_logits(generator_path: pathlib.Path) -> None:
    generator = librag.Generator(generator_path)
    ids = (generator.tokenizer.encode(TEXT).ids * 100)[:1500]
    started = time.perf_counter()
    expected = generator.logits(ids[:600])
    whole = time.perf_counter() - started

    def raise_it(*_: Any) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGALRM, raise_it)
    try:
        for _ in range(3):  # a machine may stand still in one of them
            started = time.perf_counter()
            signal.setitimer(signal.ITIMER_REAL, 0.3)
            with pytest.raises(Interrupted):
                generator.logits(ids)
            took = time.perf_counter() - started
            if took < 0.3 + whole / 4:
                break
        assert took < 0.3 + max(whole / 4, 0.3), f"{took:.3f} s, 600 tokens take {whole:.3f} s"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert np.array_equal(generator.logits(ids[:600]), expected)


def test_logits_show_their_progress(fixtures_dir: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    generator = librag.Generator(fixtures_dir / "tiny_llama", batching=librag.Batching(tokens=8))
    generator.logits(list(range(40)), show_progress=True)
    assert "40" in capsys.readouterr().err
