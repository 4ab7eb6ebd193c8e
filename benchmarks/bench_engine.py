"""The engine as a whole: import + open + first search of 10,000 chunks, each time in a fresh process."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import librag
from measure import Result, take_turns

FRESH = """
import time
started = time.perf_counter()
import librag
imported = time.perf_counter()
with librag.Engine({path!r}, read_only=True) as engine:
    assert engine.search("text about number 77", mode="bm25")
    done = time.perf_counter()
import sys
assert not {{"numpy", "tqdm", "torch"}} & set(sys.modules)
print((done - started) * 1000)
"""


def run(models: Path, rounds: int) -> list[Result]:
    """By the clock of the fresh process, the start of the interpreter left out. Needs no model."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "kb")
        with librag.Engine(path) as engine:
            engine.add(
                [f"text number {i} about {'abcdefghij'[i % 10] * 5} and number {i % 997}" for i in range(10_000)],
                show_progress=False,
            )

        def fresh() -> float:
            command = [sys.executable, "-c", FRESH.format(path=path)]
            return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

        return take_turns("import, open, first search of 10,000 chunks", "ms", {"librag": fresh}, max(rounds, 5))
