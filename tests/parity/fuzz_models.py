#!/usr/bin/env python3
"""Broken and malicious model folders, GGUF files and adapters against the loader, for minutes or hours.

    fuzz_models.py --cases 20000 [--seed 1] [--fixtures build/fixtures] [--families]

Each case is a small random model (tests/fixtures/make_tiny_models.py; with --families of every architecture too) with a few faults: settings of another type or size, tensors that
overlap, grow, vanish or change their names, lengths of 2^60, cut, flipped and inserted bytes. A process of its own opens the model and
uses it. It must say `RagError` with one line or compute; a crash, another exception, output, more than MOST_MIB of memory or more than
MOST_SECONDS is printed with the seed that makes it again, and the exit status is 1. tests/python/test_model_fuzz.py calls the same
functions with smaller numbers."""

import argparse
import collections
import dataclasses
import json
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from typing import Any

MOST_MIB = 700  # LibTorch's own first uses take 300
MOST_SECONDS = 20.0
FOLDERS = ("tiny_bert", "tiny_cross_encoder", "tiny_llama", "tiny_llama_untied", "tiny_bert_lora", "tiny_llama_lora")
FILES = ("tiny_llama.F32.gguf", "tiny_llama.Q4_0.gguf", "tiny_llama.Q5_1.gguf", "tiny_llama.Q8_0.gguf", "tiny_llama.BF16.gguf")
NUMBERS: tuple[Any, ...] = (
    *(
        0,
        -1,
        1,
        2,
        3,
        7,
        255,
        65_537,
        2**24,
        2**31 - 1,
        2**31,
        2**32,
        2**53 + 1,
        2**60,
        2**63 - 1,
        2**63,
        2**64,
        -(2**31),
        -(2**63),
    ),
    *(0.5, -0.0, 1e-320, 1e308, -1e308, float("nan"), float("inf")),
)
OTHERS: tuple[Any, ...] = (
    None,
    True,
    False,
    "",
    "0",
    "gelu",
    "F64",
    "../../etc/passwd",
    "\0",
    "\ud7ff" * 9,
    "a" * 70_000,
    [],
    {},
    [[]],
    [2**60],
)

WORKER = """
import os, resource, sys, json, time
import librag

def use(path, kind, dtype, fixtures):
    if kind == "adapter":
        bert = "bert" in path
        kind, adapter, path = "encoder" if bert else "generator", path, fixtures + ("/tiny_bert" if bert else "/tiny_llama")
    else:
        adapter = None
    model = {"encoder": librag.Encoder, "reranker": librag.CrossEncoder, "generator": librag.Generator}[kind](path, dtype=dtype)
    if adapter:
        model.load_adapter(adapter, "fuzzed")
        model.merge_adapter("fuzzed")
    if kind == "encoder":
        model.encode(["one text", "another one, longer than the first", ""], show_progress=False)
    elif kind == "reranker":
        model.predict([("a question", "an answer")])
    else:
        model.generate("one text", max_tokens=3)

def peak():
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))

def now():
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmRSS"))

fixtures, answers = sys.argv[1], os.fdopen(int(sys.argv[2]), "w", buffering=1)
for line in sys.stdin:
    path, kind, dtype = json.loads(line)
    with open("/proc/self/clear_refs", "w") as reset:
        reset.write("5")
    before, started = now(), time.monotonic()
    try:
        use(path, kind, dtype, fixtures)
        said = "computed"
    except librag.RagError as error:
        said = f"{type(error).__name__}: {error}"
    except BaseException as error:
        said = f"!{type(error).__name__}: {error}"
    answers.write(json.dumps([said, peak() - before, time.monotonic() - started]) + "\\n")
"""


@dataclasses.dataclass
class Case:
    seed: str
    kind: str
    dtype: str
    path: pathlib.Path
    faults: list[str]

    def __str__(self) -> str:
        return f"seed {self.seed}, {self.kind} {self.path.name} in {self.dtype}: {'; '.join(self.faults)}"


# --- faults ---


def leaves(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The places of a JSON document, the containers too."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [place for key, item in inside for place in leaves(item, (*at, key))]
    return [*found, at] if at else found


def spoil_json(draw: random.Random, document: Any) -> str:
    """One fault in a document, in place."""
    places = leaves(document)
    if not places:
        return "nothing to spoil"
    *way, last = draw.choice(places)
    holder = document
    for key in way:
        holder = holder[key]
    name = "/".join(map(str, (*way, last)))
    choice = draw.randrange(8)
    if choice == 0:
        del holder[last]
        return f"{name} removed"
    old = holder[last]
    if choice == 1 and isinstance(holder, dict):
        del holder[last]
        holder[draw.choice(["", "x" + str(last), str(last)[:-1], str(last) + "\0"])] = old
        return f"{name} renamed"
    if choice == 2 and isinstance(old, int) and not isinstance(old, bool):
        holder[last] = old + draw.choice([-1, 1, 2, 64, -old * 2, old])
    elif choice == 3 and isinstance(old, list):
        holder[last] = old * draw.choice([2, 1000]) if draw.random() < 0.5 else old[::-1][:-1]
    elif choice <= 5 or isinstance(old, int | float):
        holder[last] = draw.choice(NUMBERS)
    else:
        holder[last] = draw.choice(OTHERS)
    return f"{name} = {repr(holder[last])[:60]}"


def spoil_json_file(draw: random.Random, file: pathlib.Path) -> str:
    document = json.loads(file.read_text(encoding="utf-8"))
    said = [spoil_json(draw, document) for _ in range(draw.choice([1, 1, 1, 2, 4]))]
    file.write_text(json.dumps(document, ensure_ascii=draw.random() < 0.5), encoding="utf-8", errors="surrogatepass")
    return f"{file.name}: {', '.join(said)}"


def spoil_header(draw: random.Random, file: pathlib.Path) -> str:
    """A safetensors header."""
    data = file.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    if draw.random() < 0.15:
        told = draw.choice([0, 1, length - 1, length + 1, len(data), len(data) - 8, 2**31, 2**60, 2**63, 2**64 - 1, 2**64 - 8])
        file.write_bytes(struct.pack("<Q", told) + data[8:])
        return f"{file.name}: header of {told} bytes"
    header = json.loads(data[8 : 8 + length])
    said = [spoil_json(draw, header) for _ in range(draw.choice([1, 1, 2, 3]))]
    names = [name for name in header if name != "__metadata__" and isinstance(header[name], dict)]
    if len(names) > 1 and draw.random() < 0.3:
        one, other = draw.sample(names, 2)
        header[one]["data_offsets"] = header[other].get("data_offsets")
        said.append(f"{one} lies where {other} does")
    written = json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(written)) + written + data[8 + length :])
    return f"{file.name}: {', '.join(said)}"


def spoil_bytes(draw: random.Random, file: pathlib.Path, head: int) -> str:
    """Bytes, mostly among the first `head`."""
    data = bytearray(file.read_bytes())
    if not data:
        return "nothing to spoil"
    end = min(head, len(data)) if draw.random() < 0.8 else len(data)
    place = draw.randrange(end)
    choice = draw.randrange(6)
    if choice == 0:
        del data[place:]
        said = f"cut at {place}"
    elif choice == 1:
        more = draw.randbytes(draw.choice([1, 8, 4096]))
        data[place:place] = more
        said = f"{len(more)} bytes put in at {place}"
    elif choice <= 3:
        number = draw.choice([n for n in NUMBERS if isinstance(n, int)]) & (2**64 - 1)
        wide = draw.choice([4, 8])
        data[place : place + wide] = number.to_bytes(8, "little")[:wide]
        said = f"{number} in {wide} bytes at {place}"
    else:
        count = draw.choice([1, 1, 3, 20])
        for _ in range(count):
            data[draw.randrange(end)] ^= 1 << draw.randrange(8)
        said = f"{count} bits flipped before {end}"
    file.write_bytes(data)
    return f"{file.name}: {said}"


def spoil_tensors(draw: random.Random, file: pathlib.Path) -> str:
    """Values that are no numbers, or huge; the header stays."""
    data = bytearray(file.read_bytes())
    begin = 8 + struct.unpack("<Q", data[:8])[0]
    value = draw.choice([b"\x00\x00\xc0\x7f", b"\x00\x00\x80\x7f", b"\xff\xff\x7f\x7f", b"\xff\xff\xff\xff", b"\x01\x00\x00\x00"])
    for place in range(begin + 4 * draw.randrange(64), len(data) - 4, 4 * draw.choice([1, 17, 1001])):
        data[place : place + 4] = value
    file.write_bytes(data)
    return f"{file.name}: values {value.hex()}"


def spoil(draw: random.Random, root: pathlib.Path) -> str:
    """One fault somewhere in a model."""
    if root.is_file():
        return spoil_bytes(draw, root, 6000)
    files = sorted(path for path in root.rglob("*") if path.is_file() and path.suffix in {".json", ".safetensors"})
    if not files:
        return "nothing left"
    # A tokenizer has fuzzers of its own.
    weights = [0.2 if path.name.startswith("tokenizer") else 2.0 if path.suffix == ".safetensors" else 1.0 for path in files]
    file = draw.choices(files, weights)[0]
    chance = draw.random()
    if chance < 0.03:
        file.unlink()
        return f"{file.name} removed"
    if chance < 0.06:
        file.write_bytes(b"")
        return f"{file.name} emptied"
    try:
        if file.suffix == ".json":
            return spoil_json_file(draw, file) if chance < 0.9 else spoil_bytes(draw, file, 4000)
        if chance < 0.5:
            return spoil_header(draw, file)
    except (ValueError, struct.error, TypeError, KeyError, OverflowError, MemoryError):
        return f"{file.name}: was broken before"
    return spoil_bytes(draw, file, 3000) if chance < 0.8 or file.stat().st_size < 16 else spoil_tensors(draw, file)


def write_families(fixtures: pathlib.Path) -> None:
    """A model of every architecture that transformers can make, beside the fixtures."""
    import decoder_models
    import encoder_models

    decoder_models.VOCABULARY = json.loads((fixtures / "tiny_llama" / "config.json").read_text())["vocab_size"]
    for case in decoder_models.CASES:
        folder = fixtures / f"family_{case.name}"
        decoder_models.make(case, decoder_models.SHAPES[0], folder)
        shutil.copyfile(fixtures / "tiny_llama" / "tokenizer.json", folder / "tokenizer.json")
        shutil.copyfile(fixtures / "tiny_llama" / "tokenizer_config.json", folder / "tokenizer_config.json")
    for family in encoder_models.FAMILIES:
        encoder_models.write_encoder(fixtures / f"family_encoder_{family}", family, encoder_models.SHAPES[0])


def kind_of(name: str) -> str:
    if name.endswith("lora"):
        return "adapter"
    if name == "tiny_bert" or name.startswith("family_encoder"):
        return "encoder"
    return "reranker" if name == "tiny_cross_encoder" else "generator"


def make_case(seed: str, fixtures: pathlib.Path, scratch: pathlib.Path) -> Case:
    draw = random.Random(seed)
    families = sorted(path.name for path in fixtures.glob("family_*"))
    name = draw.choice([*FOLDERS, *families]) if draw.random() < 0.75 else draw.choice(FILES)
    path = scratch / name
    if (fixtures / name).is_dir():
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(fixtures / name, path)
    else:
        shutil.copyfile(fixtures / name, path)
    kind = kind_of(name)
    dtype = draw.choice(["float32", "float32", "bfloat16", "int8", "int4" if kind == "generator" else "float16"])
    return Case(seed, kind, dtype, path, [spoil(draw, path) for _ in range(draw.choice([1, 1, 1, 2, 3]))])


# --- the process that opens them ---


class Worker:
    """A process that opens what it is told; what it prints goes to `output`."""

    def __init__(self, fixtures: pathlib.Path, output: pathlib.Path) -> None:
        self.output = output
        answers, to_us = os.pipe()
        self._said = output.open("wb")
        command = [sys.executable, "-c", WORKER, str(fixtures), str(to_us)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=self._said, stderr=self._said, pass_fds=[to_us], text=True
        )
        os.close(to_us)
        self._answers = os.fdopen(answers)

    def ask(self, case: Case) -> tuple[str, int, float]:
        """What the process said, MiB and seconds; ("!died", ...) where it died."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps([str(case.path), case.kind, case.dtype]) + "\n")
            self.process.stdin.flush()
            line = self._answers.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            return f"!died with {self.process.wait()}", 0, 0.0
        said, mib, seconds = json.loads(line)
        return said, mib, seconds

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.kill()
        self.process.wait()
        self._answers.close()
        self._said.close()


def fault_of(answer: tuple[str, int, float], printed: int) -> str | None:
    """What is wrong with an answer, or None."""
    said, mib, seconds = answer
    if said.startswith("!"):
        return said
    if "\n" in said or said.endswith(": "):
        return f"not one line: {said!r}"
    if mib > MOST_MIB:
        return f"{mib} MiB more memory ({said[:100]})"
    if seconds > MOST_SECONDS:
        return f"{seconds:.0f} seconds ({said[:100]})"
    return f"{printed} bytes printed" if printed else None


def run(
    first: int, last: int, seed: int, fixtures: pathlib.Path, scratch: pathlib.Path
) -> tuple[collections.Counter[str], list[str]]:
    """How often each kind of answer came, and the faults found."""
    counts: collections.Counter[str] = collections.Counter()
    found: list[str] = []
    worker = Worker(fixtures, scratch / "printed")
    for index in range(first, last):
        case = make_case(f"{seed}-{index}", fixtures, scratch)
        answer = worker.ask(case)
        counts[answer[0].split(":")[0]] += 1
        fault = fault_of(answer, worker.output.stat().st_size)
        if fault is not None:
            found.append(f"{case}: {fault}")
            worker.close()
            worker = Worker(fixtures, scratch / "printed")
    worker.close()
    return counts, found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fixtures", type=pathlib.Path, default=pathlib.Path(os.environ.get("RAG_FIXTURES", "build/fixtures")))
    parser.add_argument("--families", action="store_true", help="models of every architecture too (needs transformers)")
    options = parser.parse_args()
    started = time.monotonic()
    counts: collections.Counter[str] = collections.Counter()
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        scratch, fixtures = pathlib.Path(folder), options.fixtures.resolve()
        if options.families:
            fixtures = shutil.copytree(fixtures, scratch / "models")
            write_families(fixtures)
        for first in range(0, options.cases, 500):
            last = min(first + 500, options.cases)
            some, found = run(first, last, options.seed, fixtures, scratch)
            counts += some
            failed = failed or bool(found)
            print(*found, f"{last} cases, {time.monotonic() - started:.0f} s: {dict(counts.most_common())}", sep="\n", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
