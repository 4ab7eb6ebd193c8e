"""Small random decoders made by transformers, for the tests that compare with it: cases by architecture and setting, weights large
enough that attention is peaked, and the same models written as GGUF."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

Floats = npt.NDArray[np.float32]
VOCABULARY = 97

# hidden, layers, heads, kv_heads, head_dim, intermediate
LENGTH = 48
SHAPES = [(32, 2, 4, 2, 8, 48), (48, 3, 3, 1, 16, 80), (64, 2, 2, 2, 64, 96)]


@dataclass
class Case:
    """An architecture with some settings, and what each mutant changes in config.json."""

    name: str
    model_type: str
    settings: dict[str, Any] = field(default_factory=dict)
    mutants: dict[str, dict[str, Any]] = field(default_factory=dict)


def rope(kind: str, **more: Any) -> dict[str, Any]:
    return {"rope_parameters": {"rope_type": kind, "rope_theta": 1000.0, **more}}


PLAIN = rope("default")
LLAMA3 = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 16}
YARN = {"factor": 4.0, "original_max_position_embeddings": 16, "beta_fast": 4.0}
GEMMA_TYPES = ["sliding_attention", "full_attention", "sliding_attention"]
GEMMA3_ROPE = {
    "full_attention": {"rope_type": "linear", "factor": 4.0, "rope_theta": 100000.0},
    "sliding_attention": {"rope_type": "default", "rope_theta": 100.0},
}


def gemma3_rope(full: dict[str, Any] | None = None, local: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "rope_parameters": {
            "full_attention": {**GEMMA3_ROPE["full_attention"], **(full or {})},
            "sliding_attention": {**GEMMA3_ROPE["sliding_attention"], **(local or {})},
        }
    }


CASES = [
    Case("llama", "llama", PLAIN, {"theta": rope("default", rope_theta=10000.0)}),
    Case("llama_biases", "llama", {**PLAIN, "attention_bias": True, "mlp_bias": True}),
    Case("llama_linear", "llama", rope("linear", factor=4.0), {"linear": PLAIN}),
    Case(
        "llama_dynamic",
        "llama",
        {**rope("dynamic", factor=4.0), "max_position_embeddings": 24},
        {"dynamic": {**PLAIN, "max_position_embeddings": 128}},
    ),
    Case("llama_llama3", "llama", rope("llama3", **LLAMA3), {"llama3": PLAIN}),
    Case("llama_yarn", "llama", rope("yarn", **YARN), {"yarn": PLAIN, "magnitude": rope("yarn", **YARN, attention_factor=1.0)}),
    Case(
        "llama_old_spelling",
        "llama",
        rope("llama3", **LLAMA3),
        {"rope_scaling": {"rope_parameters": None, "rope_theta": 1000.0}},
    ),
    Case("mistral", "mistral", {**PLAIN, "sliding_window": 11}, {"window": {"sliding_window": None}}),
    Case("qwen2", "qwen2", PLAIN),
    Case(
        "qwen2_window",
        "qwen2",
        {**PLAIN, "use_sliding_window": True, "sliding_window": 9, "max_window_layers": 1},
        {"window": {"use_sliding_window": False, "layer_types": None}},
    ),
    Case("qwen3", "qwen3", PLAIN),
    Case("qwen3_biases", "qwen3", {**PLAIN, "attention_bias": True}),
    Case(
        "gemma2",
        "gemma2",
        {
            **PLAIN,
            "sliding_window": 10,
            "layer_types": GEMMA_TYPES,
            "query_pre_attn_scalar": 3,
            "attn_logit_softcapping": 2.0,
            "final_logit_softcapping": 3.0,
        },
        {
            "window": {"layer_types": ["full_attention"] * 3},
            "query scale": {"query_pre_attn_scalar": 64},
            "cap of scores": {"attn_logit_softcapping": None},
            "cap of logits": {"final_logit_softcapping": None},
        },
    ),
    Case(
        "gemma3",
        "gemma3_text",
        {**gemma3_rope(), "sliding_window": 10, "layer_types": GEMMA_TYPES, "query_pre_attn_scalar": 3},
        {
            "window": {"sliding_window": 1000},
            "kinds of layers": {"layer_types": ["full_attention"] * 3},
            "query scale": {"query_pre_attn_scalar": 64},
            "local theta": gemma3_rope(local={"rope_theta": 100000.0}),
            "linear": gemma3_rope(full={"rope_type": "default"}),
        },
    ),
    Case("mixtral", "mixtral", {**PLAIN, "num_local_experts": 4}, {"chosen": {"num_experts_per_tok": 1}}),
    Case(
        "qwen3_moe",
        "qwen3_moe",
        {**PLAIN, "num_experts": 6, "num_experts_per_tok": 3, "moe_intermediate_size": 24, "norm_topk_prob": False},
        {"weights of experts": {"norm_topk_prob": True}, "chosen": {"num_experts_per_tok": 2}},
    ),
    Case(
        "qwen3_moe_mixed",
        "qwen3_moe",
        {
            **PLAIN,
            "num_experts": 5,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 24,
            "norm_topk_prob": True,
            "mlp_only_layers": [1],
        },
        {"weights of experts": {"norm_topk_prob": False}},
    ),
]


def randomize(model: Any, seed: int) -> None:
    """Attention is peaked: queries and keys are several times as large as training begins with."""
    noise = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            values = torch.randn(parameter.shape, generator=noise)
            if parameter.dim() == 1:
                centre = 1.0 if "norm" in name and "gemma" not in model.config.model_type else 0.0
                parameter.copy_(centre + 0.3 * values)
            else:
                scale = 3.0 if "q_proj" in name or "k_proj" in name else 1.0
                parameter.copy_(values * (0.5 if "embed" in name else scale / parameter.shape[-1] ** 0.5))


def make(case: Case, shape: tuple[int, ...], folder: Path) -> Any:
    """A random model of the architecture, saved to the folder."""
    hidden, layers, heads, kv_heads, head_dim, intermediate = shape
    settings = dict(case.settings)
    if "layer_types" in settings:
        settings["layer_types"] = settings["layer_types"][:layers]
    sizes = {
        "vocab_size": VOCABULARY,
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "head_dim": head_dim,
        "intermediate_size": intermediate,
        "max_position_embeddings": 128,
        "rms_norm_eps": 1e-5,
        "tie_word_embeddings": heads == 2 or "gemma" in case.model_type,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 0,
    }
    if case.model_type == "qwen2":
        sizes["hidden_size"] = heads * head_dim  # it has no head_dim of its own
        del sizes["head_dim"]
    config = transformers.AutoConfig.for_model(case.model_type, **{**sizes, **settings})
    config._attn_implementation = "eager"
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    randomize(model, len(case.name) + hidden)
    model.save_pretrained(folder)
    return model


def oracle_logits(model: Any, ids: list[int]) -> Floats:
    with torch.inference_mode():
        logits: Floats = model(torch.tensor([ids])).logits[0].float().numpy()
    return logits


def distance(a: Floats, b: Floats) -> float:
    """The largest difference, of the largest value."""
    return float(np.abs(a - b).max() / np.abs(b).max())


def ids_for(case: Case) -> list[int]:
    return np.random.default_rng(len(case.name)).integers(0, VOCABULARY, LENGTH).tolist()  # type: ignore[no-any-return]


def write_gguf(model: Any, path: Path) -> Path:
    """The model as llama.cpp's converter lays it: its names, rows of q and k in pairs where it wants them, Gemma's norms plus one,
    experts stacked."""
    gguf = pytest.importorskip("gguf")
    config = model.config
    names = {"mistral": "llama", "mixtral": "llama", "qwen3_moe": "qwen3moe", "gemma3_text": "gemma3"}
    architecture = names.get(config.model_type, config.model_type)
    writer = gguf.GGUFWriter(path, architecture)
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    write_metadata(writer, config, head_dim)
    enum = next(value for value, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture)
    mapping = gguf.get_tensor_name_map(enum, config.num_hidden_layers)
    tied = config.tie_word_embeddings
    for name, tensor in model.state_dict().items():
        data = tensor.float().numpy()
        if name == "lm_head.weight" and tied:
            continue
        if "gemma" in config.model_type and name.endswith("norm.weight"):
            data = data + 1.0
        if architecture == "llama" and ("q_proj" in name or "k_proj" in name):
            heads = config.num_attention_heads if "q_proj" in name else config.num_key_value_heads
            data = data.reshape(heads, 2, head_dim // 2, -1).swapaxes(1, 2).reshape(data.shape)
        if name.endswith("experts.gate_up_proj"):
            layer = name.split(".")[2]
            for part, piece in zip(("gate", "up"), np.split(data, 2, axis=1), strict=True):
                writer.add_tensor(f"blk.{layer}.ffn_{part}_exps.weight", np.ascontiguousarray(piece))
        elif name.endswith("experts.down_proj"):
            writer.add_tensor(f"blk.{name.split('.')[2]}.ffn_down_exps.weight", data)
        else:
            writer.add_tensor(mapping.get_name(name, try_suffixes=(".weight", ".bias")), np.ascontiguousarray(data))
    if "rope_freqs" in vars(config):
        writer.add_tensor("rope_freqs.weight", np.asarray(config.rope_freqs, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_metadata(writer: Any, config: Any, head_dim: int) -> None:
    rope = config.rope_parameters
    full = rope.get("full_attention", rope)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(head_dim)
    writer.add_value_length(head_dim)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    writer.add_rope_freq_base(full["rope_theta"])
    if full["rope_type"] in ("linear", "yarn"):
        from gguf import RopeScalingType

        writer.add_rope_scaling_type(RopeScalingType(full["rope_type"]))
        writer.add_rope_scaling_factor(full["factor"])
        if "original_max_position_embeddings" in full:
            writer.add_rope_scaling_orig_ctx_len(full["original_max_position_embeddings"])
    if getattr(config, "sliding_window", None):
        writer.add_sliding_window(config.sliding_window)
    if config.model_type == "gemma2":
        writer.add_attn_logit_softcapping(config.attn_logit_softcapping)
        writer.add_final_logit_softcapping(config.final_logit_softcapping)
    experts = getattr(config, "num_local_experts", None) or getattr(config, "num_experts", None)
    if experts:
        writer.add_expert_count(experts)
        writer.add_expert_used_count(config.num_experts_per_tok)
        if getattr(config, "moe_intermediate_size", None):
            writer.add_expert_feed_forward_length(config.moe_intermediate_size)
