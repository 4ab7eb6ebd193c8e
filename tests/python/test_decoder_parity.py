"""Every decoder architecture against transformers, on small random models in three shapes each, with weights large enough that
attention is peaked: logits in float32 and bfloat16, token by token and in pieces against all at once. For every feature of an
architecture there is a mutant of the folder whose configuration drops it, and its logits must differ beyond the bar: so the test
fails when the feature is not computed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import librag
import numpy as np
import numpy.typing as npt
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

pytestmark = [pytest.mark.full, pytest.mark.filterwarnings("ignore")]

Floats = npt.NDArray[np.float32]
FLOAT32_BAR = 1e-4  # of the largest logit
BFLOAT16_BAR = 2e-2
LENGTH = 48

# hidden, layers, heads, kv_heads, head_dim, intermediate
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
    Case("llama_dynamic", "llama", {**rope("dynamic", factor=4.0), "max_position_embeddings": 24}, {"dynamic": PLAIN}),
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
# Tensors that a mutant lacks: their values are replaced by what leaves the feature without effect.
WEIGHT_MUTANTS = {
    "llama_biases": ("bias", 0.0),
    "qwen2": ("bias", 0.0),
    "qwen3": ("q_norm", 1.0),
    "qwen3_biases": ("bias", 0.0),
    "gemma2": ("post_feedforward_layernorm", 0.0),
    "gemma3": ("k_norm", 0.0),
    "mixtral": ("gate.weight", 0.0),
}


@pytest.fixture(scope="module", autouse=True)
def offline() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        transformers.utils.logging.disable_progress_bar()
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        yield
        torch.set_num_threads(threads)


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
        "vocab_size": 97,
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


def change(folder: Path, target: Path, values: dict[str, Any]) -> Path:
    """A copy with other settings in config.json; None removes one."""
    shutil.copytree(folder, target)
    config = json.loads((target / "config.json").read_text(encoding="utf-8"))
    config.update(values)
    layers = config["num_hidden_layers"]
    if config.get("layer_types"):
        config["layer_types"] = config["layer_types"][:layers]
    (target / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return target


def replace_weights(folder: Path, target: Path, part: str, value: float) -> Path:
    """A copy in which all tensors with `part` in their name are filled with a value."""
    numpy_files = pytest.importorskip("safetensors.numpy")
    shutil.copytree(folder, target)
    tensors = numpy_files.load_file(target / "model.safetensors")
    assert any(part in name for name in tensors)
    changed = {name: np.full_like(values, value) if part in name else values for name, values in tensors.items()}
    numpy_files.save_file(changed, target / "model.safetensors", metadata={"format": "pt"})
    return target


def ids_for(case: Case) -> list[int]:
    return np.random.default_rng(len(case.name)).integers(0, 97, LENGTH).tolist()  # type: ignore[no-any-return]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_logits_equal_transformers(case: Case, tmp_path: Path) -> None:
    ids = ids_for(case)
    for index, shape in enumerate(SHAPES):
        folder = tmp_path / f"shape{index}"
        model = make(case, shape, folder)
        if case.name == "llama_old_spelling":
            parameters = {**case.settings["rope_parameters"], "type": "llama3"}
            del parameters["rope_type"], parameters["rope_theta"]
            folder = change(
                folder, tmp_path / f"old{index}", {"rope_parameters": None, "rope_theta": 1000.0, "rope_scaling": parameters}
            )
        expected = oracle_logits(model, ids)
        found = librag.Generator(folder, threads=1).logits(ids)
        assert distance(found, expected) <= FLOAT32_BAR
        narrow = librag.Generator(folder, dtype="bfloat16", threads=1).logits(ids)
        model = model.to(torch.bfloat16)
        range_of = float(expected.max() - expected.min())
        ours, theirs = (float(np.abs(x - expected).max()) / range_of for x in (narrow, oracle_logits(model, ids)))
        print(f"{case.name} {shape}: float32 {distance(found, expected):.1e}, bfloat16 {ours:.1e} (transformers' {theirs:.1e})")
        assert ours <= max(BFLOAT16_BAR, theirs)


@pytest.mark.parametrize("case", [case for case in CASES if case.mutants], ids=lambda case: case.name)
def test_dropped_settings_fail(case: Case, tmp_path: Path) -> None:
    """Each setting matters: without it the same weights give other logits than transformers' with it."""
    ids = ids_for(case)
    expected = oracle_logits(make(case, SHAPES[1], tmp_path / "whole"), ids)
    for name, values in case.mutants.items():
        mutant = change(tmp_path / "whole", tmp_path / name.replace(" ", "_"), values)
        assert distance(librag.Generator(mutant, threads=1).logits(ids), expected) > 100 * FLOAT32_BAR, name


@pytest.mark.parametrize("name", WEIGHT_MUTANTS)
def test_dropped_weights_fail(name: str, tmp_path: Path) -> None:
    case = next(case for case in CASES if case.name == name)
    ids = ids_for(case)
    expected = oracle_logits(make(case, SHAPES[1], tmp_path / "whole"), ids)
    mutant = replace_weights(tmp_path / "whole", tmp_path / "mutant", *WEIGHT_MUTANTS[name])
    assert distance(librag.Generator(mutant, threads=1).logits(ids), expected) > 100 * FLOAT32_BAR
