"""A program may end while threads are inside librag: no crash, no abort, no hang."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

# A daemon thread is inside a call, or inside its callback, at almost any moment.
DAEMON = """
import threading, time, librag
engine = librag.Engine()
engine.add([f"document number {i} about returns and shipping" for i in range(2000)])
def search():
    while True:
        engine.search("returns of document 7", k=50)
def add():
    n = 0
    while True:
        engine.add([f"more words {n} {i}" for i in range(50)]); n += 1
for work in (search, search, add):
    threading.Thread(target=work, daemon=True).start()
time.sleep(0.4)
print("end")
"""

STREAM = """
import sys, librag
generator = librag.Generator(sys.argv[1])
stream = generator.generate("Once upon a time", stream=True, max_tokens=400)
print(next(stream).text)
print("end")
"""


def run(source: str, *arguments: str) -> str:
    done = subprocess.run([sys.executable, "-c", source, *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, (done.returncode, done.stderr[-2000:])
    return done.stdout


def test_daemon_threads() -> None:
    for _ in range(3):
        assert run(DAEMON).endswith("end\n")


@pytest.mark.full
def test_unfinished_stream(generator_path: Path) -> None:
    for _ in range(3):
        assert run(STREAM, str(generator_path)).endswith("end\n")
