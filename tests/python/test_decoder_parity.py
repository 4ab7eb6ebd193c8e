"""Every decoder architecture against transformers, on small random models in three shapes each, with weights large enough that
attention is peaked: logits in float32 and bfloat16, token by token and in pieces against all at once. For every feature of an
architecture there is a mutant of the folder whose configuration drops it, and its logits must differ beyond the bar: so the test
fails when the feature is not computed."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import librag
import numpy as np
import pytest
from decoder_models import CASES, SHAPES, Case, distance, ids_for, make, oracle_logits, write_gguf

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

pytestmark = [pytest.mark.full, pytest.mark.filterwarnings("ignore")]

FLOAT32_BAR = 1e-4  # of the largest logit
# Of the range of logits. Attention is so peaked here that a rounding now and then turns to another key: weights in bfloat16 alone,
# with float32 arithmetic over them, take single logits of most of these models beyond the bar (up to 0.15 of the range), so it holds
# on average over all logits, which are compared with transformers' bfloat16 too. Where queries and keys are normed, it holds for
# every single logit.
BFLOAT16_BAR = 2e-2
HEAD_NORMS = ("qwen3", "qwen3_biases", "gemma3")


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


def round_weights(model: Any) -> Any:
    """A copy whose matrices are those of bfloat16, computed in float32."""
    rounded = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in rounded.parameters():
            if parameter.dim() > 1:
                parameter.copy_(parameter.to(torch.bfloat16).float())
    return rounded


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
        rounded = oracle_logits(round_weights(model), ids)
        model = model.to(torch.bfloat16)
        ours, least, theirs = (np.abs(x - expected) / np.ptp(expected) for x in (narrow, rounded, oracle_logits(model, ids)))
        print(
            f"{case.name} {shape}: float32 {distance(found, expected):.1e}; bfloat16 {ours.mean():.1e} mean, {ours.max():.1e} worst "
            f"(rounded weights alone {least.max():.1e}, transformers' own {theirs.mean():.1e}, {theirs.max():.1e})"
        )
        if case.name in HEAD_NORMS:
            assert ours.max() <= BFLOAT16_BAR
        assert ours.mean() <= BFLOAT16_BAR
        assert ours.mean() <= 1.5 * theirs.mean() + 1e-4


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


# GGUF cannot say all: llama.cpp's code has Gemma's pattern of windows, local base and scale of queries, and Qwen3's normalisation.
GGUF_CASES: dict[str, dict[str, Any]] = {
    "llama": {},
    "llama_linear": {},
    "llama_yarn": {
        "rope_parameters": {"rope_type": "yarn", "rope_theta": 1000.0, "factor": 4.0, "original_max_position_embeddings": 16}
    },
    "mistral": {},
    "qwen2": {},
    "qwen3": {},
    "gemma2": {"query_pre_attn_scalar": 16, "layer_types": ["sliding_attention", "full_attention", "sliding_attention"]},
    "gemma3": {
        "query_pre_attn_scalar": 16,
        "layer_types": ["sliding_attention"] * 3,
        "rope_parameters": {
            "full_attention": {"rope_type": "default", "rope_theta": 5000.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
        },
    },
    "mixtral": {},
    "qwen3_moe": {"norm_topk_prob": True},
}


@pytest.mark.parametrize("name", GGUF_CASES)
def test_gguf_equals_transformers(name: str, tmp_path: Path) -> None:
    case = next(case for case in CASES if case.name == name)
    case = Case(case.name, case.model_type, {**case.settings, **GGUF_CASES[name]})
    ids = ids_for(case)
    model = make(case, SHAPES[1], tmp_path / "folder")
    path = write_gguf(model, tmp_path / "model.gguf")
    expected = oracle_logits(model, ids)
    ours = librag.Generator(path, threads=1)
    assert distance(ours.logits(ids), expected) <= FLOAT32_BAR
    # Saved as a folder, transformers and librag read the same from it.
    ours.save(tmp_path / "saved")
    again = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "saved", dtype=torch.float32).eval()
    again.set_attn_implementation("eager")
    assert type(again) is type(model)
    assert distance(oracle_logits(again, ids), expected) <= FLOAT32_BAR
    assert distance(librag.Generator(tmp_path / "saved", threads=1).logits(ids), expected) <= FLOAT32_BAR
    ours.save(tmp_path / "packed", dtype="int8")
    packed = librag.Generator(tmp_path / "packed", dtype="int8", threads=1).logits(ids)
    assert distance(packed, librag.Generator(path, dtype="int8", threads=1).logits(ids)) <= FLOAT32_BAR


def write_with_rope_factors(model: Any, base: float, path: Path) -> Path:
    """As GGUF has Llama 3's scaling: one factor a pair beside the plain base."""
    scaled = model.model.rotary_emb.inv_freq.numpy()
    plain = base ** (-np.arange(len(scaled), dtype=np.float64) / len(scaled))
    model.config.rope_parameters = {"rope_type": "default", "rope_theta": base}
    model.config.rope_freqs = (plain / scaled).tolist()
    return write_gguf(model, path)


def test_rope_factors_of_gguf(tmp_path: Path) -> None:
    """Llama 3's scaling comes as one factor a pair."""
    case = next(case for case in CASES if case.name == "llama_llama3")
    ids = ids_for(case)
    model = make(case, SHAPES[1], tmp_path / "folder")
    expected = oracle_logits(model, ids)
    path = write_with_rope_factors(model, 1000.0, tmp_path / "model.gguf")
    ours = librag.Generator(path, threads=1)
    assert distance(ours.logits(ids), expected) <= FLOAT32_BAR
    with pytest.raises(librag.Unsupported, match="not those of a published Llama 3"):
        ours.save(tmp_path / "saved")


def test_a_llama_3_out_of_gguf_is_saved_with_its_scaling(tmp_path: Path) -> None:
    published = {"factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
    settings = {"rope_parameters": {"rope_type": "llama3", "rope_theta": 500000.0, **published}, "max_position_embeddings": 16384}
    case = Case("llama_3", "llama", settings)
    ids = ids_for(case)
    model = make(case, SHAPES[2], tmp_path / "folder")
    expected = oracle_logits(model, ids)
    path = write_with_rope_factors(model, 500000.0, tmp_path / "model.gguf")
    librag.Generator(path, threads=1).save(tmp_path / "saved")
    again = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "saved", dtype=torch.float32).eval()
    assert again.config.rope_parameters["rope_type"] == "llama3"
    assert distance(oracle_logits(again, ids), expected) <= FLOAT32_BAR


@pytest.mark.parametrize("window", [None, 100])
def test_contexts_of_32768_tokens(window: int | None, tmp_path: Path) -> None:
    settings = {
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6},
        "sliding_window": window,
        "max_position_embeddings": 32768,
    }
    model = make(Case("long", "mistral", settings), (16, 1, 2, 1, 8, 24), tmp_path / "folder")
    model.set_attn_implementation("sdpa")
    ids = np.random.default_rng(3).integers(0, 97, 32768).tolist()
    ours = librag.Generator(tmp_path / "folder", threads=1)
    assert ours.context_length == 32768
    # Of one layer with a window only the last tokens matter.
    first = 0 if window is None else 32768 - 400
    with torch.inference_mode():
        places = torch.arange(first, 32768)[None]
        expected = model(torch.tensor([ids[first:]]), position_ids=places).logits[0, -300:].numpy()
    assert distance(ours.logits(ids)[-300:], expected) <= FLOAT32_BAR
