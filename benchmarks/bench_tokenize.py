"""Tokenizing beside Hugging Face's tokenizers, on the tokenizers of published models: encoding English and Chinese, batches on one and
two threads, decoding, loading tokenizer.json, memory after many texts, and time on long runs of one character.

Whole texts on both sides, truncation and padding off, ids and offsets made by both; ids are compared first. Of each side's calls the
quickest counts: `encode` text by text or `encode_batch`, on one thread unless a row says so. Rows of one thread count the
process's own time on a processor, so that another program's turn is nobody's; rows of several threads count seconds, and how they stand to
one thread is told of the best round of each. Both sides keep words that they have met. So in the rows of encoding every call of a side
has texts that this side has not seen, as an index of many documents has; the rows of batches and threads go through their texts again."""

from __future__ import annotations

import gc
import os
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import librag
import published
from measure import Result, per_second, take_turns
from random_texts import RUNS, long_run
from texts import by_language, english_and_chinese

# Of each language in a round: what librag does in a twentieth of a second, so that a round is not spent on fetching back the tables
# that the other side has driven out of the processor's caches in a second or two.
TEXT_BYTES = 2_000_000
# name in tests/parity/published.py: what it is called in the tables
WITH_BARS = {
    "minilm": "MiniLM",
    "smollm2": "SmolLM2",
    "llama3": "Llama 3",
    "qwen3": "Qwen3",
    "gemma3": "Gemma 3",
    "t5-small": "T5",
}
OTHERS = {"gpt4o": "GPT-4o", "deepseek_v3": "DeepSeek V3", "llama2": "Llama 2"}
ENCODE_BAR, LOAD_BAR, THREADS_BAR = 10.0, 4.0, 1.8
OURS, THEIRS = "librag", "tokenizers"
MEMORY_OF, MEMORY_TEXTS = "llama3", 100_000


def run(models: Path, rounds: int) -> list[Result]:
    """Rows of all tokenizers that are there; a missing one is said and left out."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    os.environ["RAG_MODELS"] = str(models)
    results: list[Result] = []
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        for name, title in {**WITH_BARS, **OTHERS}.items():
            try:
                both = published.open_both(name, scratch)
            except published.Missing as missing:
                print(f"   {title} not run: {missing}")
                continue
            for language, texts in by_language().items():
                results += _encode(f"encode {language}: {title}", both, _parts(texts, 2 * (rounds + 1)), rounds)
            texts = english_and_chinese(TEXT_BYTES * (rounds + 1))
            random.Random(1).shuffle(texts)
            results += _batch(f"encode a batch: {title}", both, _parts(texts, rounds + 1), rounds)
            results += _decode(f"decode: {title}", both, texts[: len(texts) // (rounds + 1)], rounds)
            results += _long_runs(f"long runs: {title}", both)
            if name == MEMORY_OF:
                results += _memory(f"memory: {title}", both)
            path = published.source_file(name, scratch)
            del both
            gc.collect()
            if path.suffix == ".json":  # SmolLM2 is a GGUF file, which the package does not read
                results += _load(f"load: {title}", path, rounds)
    return sorted(results, key=lambda result: result.benchmark.split(":")[0])


def _with_bar(
    results: list[Result],
    bar: float,
    peers: tuple[str, ...] | None = None,
    ours: str = OURS,
    figure: Callable[[Result], float] = lambda result: result.median,
) -> list[Result]:
    """Writes into our row how its figure stands to the best of the peers, and to the bar; of several of ours the best stays."""
    own = [result for result in results if result.contender.startswith(ours)]
    mine = min(own, key=figure) if own[0].lower_is_better else max(own, key=figure)
    results = [result for result in results if result is mine or result not in own]
    theirs = [figure(result) for result in results if (result.contender in peers if peers else result is not mine)]
    ratio = min(theirs) / figure(mine) if mine.lower_is_better else figure(mine) / max(theirs)
    mine.quality["ratio"] = ratio
    mine.quality["bar"] = bar
    mine.note = "met" if ratio >= bar else "missed"
    return results


def _speed(work: float, run: Callable[[], object]) -> float:
    """Work per second of processor time, of all threads of this process."""
    started = time.process_time()
    run()
    return work / (time.process_time() - started)


def _size(texts: list[str]) -> float:
    return sum(len(text.encode()) for text in texts) / 1e6


def _check(name: str, both: published.Both, texts: list[str]) -> None:
    for text in texts[:100]:
        mine, other = both.ours.encode(text), both.theirs.encode(text)
        if list(mine.ids) != other.ids or [tuple(pair) for pair in mine.offsets] != other.offsets:
            raise AssertionError(f"{name}: ids or offsets differ on {text[:60]!a}")


def _parts(texts: list[str], count: int) -> list[list[str]]:
    """The texts in `count` parts, one for the warm-up and one for each round."""
    size = len(texts) // count
    return [texts[index * size : (index + 1) * size] for index in range(count)]


def _part_by_part(
    parts: list[list[str]], encode: Callable[[list[str]], object], speed: Callable[[float, Callable[[], object]], float]
) -> Callable[[], float]:
    """A contender that goes on to the next part each time it is called. Its str objects are its own: Python keeps the UTF-8 of a
    str that has been asked for it, which who comes first would pay for all."""
    left = iter(parts)

    def measure() -> float:
        texts = [text.encode().decode() for text in next(left)]
        return speed(_size(texts), lambda: encode(texts))

    return measure


def _encode(name: str, both: published.Both, parts: list[list[str]], rounds: int) -> list[Result]:
    _check(name, both, parts[0])
    one, other = parts[::2], parts[1::2]
    contenders = {
        OURS: _part_by_part(one, lambda texts: [both.ours.encode(text) for text in texts], _speed),
        f"{OURS} encode_batch": _part_by_part(other, lambda texts: both.ours.encode_batch(texts, threads=1), _speed),
        THEIRS: _part_by_part(one, lambda texts: [both.theirs.encode(text) for text in texts], _speed),
        f"{THEIRS} encode_batch": _part_by_part(other, both.theirs.encode_batch, _speed),
    }
    return _with_bar(take_turns(name, "MB/s", contenders, rounds), ENCODE_BAR)


def _batch(name: str, both: published.Both, parts: list[list[str]], rounds: int) -> list[Result]:
    def theirs(texts: list[str], parallel: bool) -> None:
        os.environ["TOKENIZERS_PARALLELISM"] = "true" if parallel else "false"
        try:
            both.theirs.encode_batch(texts)
        finally:
            os.environ["TOKENIZERS_PARALLELISM"] = "false"

    one, two = f"{OURS}, 1 thread", f"{OURS}, 2 threads"
    contenders = {
        one: _part_by_part(parts, lambda texts: both.ours.encode_batch(texts, threads=1), per_second),
        two: _part_by_part(parts, lambda texts: both.ours.encode_batch(texts, threads=2), per_second),
        f"{THEIRS}, 1 thread": _part_by_part(parts, lambda texts: theirs(texts, False), per_second),
        f"{THEIRS}, all threads": _part_by_part(parts, lambda texts: theirs(texts, True), per_second),
    }
    # Two threads wait whenever another program has one of two cores, which no clock of this process can tell apart from waiting
    # for each other: so the best round of each is compared.
    return _with_bar(take_turns(name, "MB/s", contenders, rounds), THREADS_BAR, (one,), two, lambda result: max(result.values))


def _decode(name: str, both: published.Both, texts: list[str], rounds: int) -> list[Result]:
    ids = [both.theirs.encode(text).ids for text in texts]
    size = _size(texts)
    contenders: dict[str, Callable[[], float]] = {
        OURS: lambda: _speed(size, lambda: [both.ours.decode(row) for row in ids]),
        THEIRS: lambda: _speed(size, lambda: [both.theirs.decode(row) for row in ids]),
    }
    return take_turns(name, "MB/s", contenders, rounds)


def _load(name: str, path: Path, rounds: int) -> list[Result]:
    from tokenizers import Tokenizer

    def seconds(load: Callable[[str], object]) -> float:
        started = time.process_time()
        loaded = load(str(path))
        taken = time.process_time() - started
        del loaded  # not in the time
        return taken

    contenders: dict[str, Callable[[], float]] = {
        OURS: lambda: seconds(librag.Tokenizer.from_pretrained),
        THEIRS: lambda: seconds(Tokenizer.from_file),
    }
    return _with_bar(take_turns(name, "s", contenders, rounds), LOAD_BAR)


def _long_runs(name: str, both: published.Both) -> list[Result]:
    """How much longer 100 kB of one character take than 25 kB of it, for the worst character: 4 is linear, 16 quadratic."""

    def seconds(encode: Callable[[str], object], text: str, times: int) -> float:
        best = float("inf")
        for _ in range(times):
            started = time.thread_time()  # another program's turn is no time of ours
            encode(text)
            best = min(best, time.thread_time() - started)
        return best

    results = []
    for contender, encode, times in ((OURS, both.ours.encode, 5), (THEIRS, both.theirs.encode, 2)):
        worst, kind = 0.0, ""
        for run_name, unit in RUNS.items():
            short = seconds(encode, long_run(unit, 25_000), times)
            ratio = seconds(encode, long_run(unit, 100_000), times) / short
            if ratio > worst:
                worst, kind = ratio, run_name
        results.append(Result(name, contender, "times", [worst], note=f"worst: {kind}"))
    return results


def _resident() -> float:
    """MiB of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _memory(name: str, both: published.Both) -> list[Result]:
    """What the process grows by over 100,000 texts of random words, after some thousand to warm up."""
    results = []
    for contender, encode in ((OURS, both.ours.encode), (THEIRS, both.theirs.encode)):
        rng = random.Random(1)
        for index in range(MEMORY_TEXTS + MEMORY_TEXTS // 20):
            if index == MEMORY_TEXTS // 20:
                gc.collect()
                before = _resident()
            encode(
                " ".join("".join(rng.choices("abcdefghijklmnopqrstuvwxyz\u4e00\u4e8c", k=rng.randrange(2, 12))) for _ in range(8))
            )
        gc.collect()
        growth = max(0.0, _resident() - before)
        results.append(Result(name, contender, "MiB", [growth], note=f"growth over {MEMORY_TEXTS} texts"))
    return results
