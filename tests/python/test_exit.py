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

# Two threads share passes; the program ends in the middle of one, also of the very first, which sets up LibTorch's operators.
ENCODE = """
import sys, threading, time, librag
model = librag.Encoder(sys.argv[1], dtype=sys.argv[2])
texts = ["returns and shipping of goods that were bought " * 8] * 16
def work():
    while True:
        model.encode(texts)
for _ in range(2):
    threading.Thread(target=work, daemon=True).start()
time.sleep(float(sys.argv[3]))
print("end")
sys.exit(7)
"""

GENERATE = """
import sys, threading, time, librag
model = librag.Generator(sys.argv[1], dtype=sys.argv[2])
def work():
    while True:
        model.generate("Once upon a time", max_tokens=12)
for _ in range(2):
    threading.Thread(target=work, daemon=True).start()
time.sleep(float(sys.argv[3]))
print("end")
sys.exit(7)
"""

TRAIN = """
import sys, threading, time, librag
def work():
    rows = [{"text": f"the boat of number {i} waits for wind"} for i in range(400)]
    model = librag.Generator(sys.argv[1])
    config = {"method": "lora", "epochs": 1000, "output": sys.argv[2]}
    librag.Trainer(model, "causal_lm", config).fit(rows)
threading.Thread(target=work, daemon=True).start()
time.sleep(float(sys.argv[3]))
print("end")
sys.exit(7)
"""


def run(source: str, *arguments: str, code: int = 0) -> str:
    done = subprocess.run([sys.executable, "-c", source, *arguments], capture_output=True, text=True, timeout=300)
    assert done.returncode == code, (done.returncode, done.stderr[-2000:])
    assert done.stderr == ""
    return done.stdout


def test_daemon_threads() -> None:
    for _ in range(3):
        assert run(DAEMON).endswith("end\n")


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int8"])
def test_daemon_threads_with_small_models(fixtures_dir: Path, dtype: str) -> None:
    for i in range(4):
        assert run(ENCODE, str(fixtures_dir / "tiny_bert"), dtype, str(i * 0.1), code=7) == "end\n"
        assert run(GENERATE, str(fixtures_dir / "tiny_llama"), dtype, str(i * 0.1), code=7) == "end\n"


@pytest.mark.full
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int8"])
def test_daemon_threads_encode(encoder_path: Path, dtype: str) -> None:
    for i in range(8):
        assert run(ENCODE, str(encoder_path), dtype, str(i * 0.07), code=7) == "end\n"


@pytest.mark.full
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int8"])
def test_daemon_threads_generate(generator_path: Path, dtype: str) -> None:
    for i in range(8):
        assert run(GENERATE, str(generator_path), dtype, str(i * 0.1), code=7) == "end\n"


@pytest.mark.full
def test_a_daemon_thread_trains(fixtures_dir: Path, tmp_path: Path) -> None:
    for i in range(3):
        assert run(TRAIN, str(fixtures_dir / "tiny_llama"), str(tmp_path / str(i)), str(0.5 + i), code=7) == "end\n"


@pytest.mark.full
def test_unfinished_stream(generator_path: Path) -> None:
    for _ in range(3):
        assert run(STREAM, str(generator_path)).endswith("end\n")
