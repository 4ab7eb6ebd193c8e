"""PEFT adapters that bring tensors whole (modules_to_save, trained biases) against peft: merged, unmerged, saved, refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import librag
import numpy as np
import numpy.typing as npt
import pytest
from decoder_models import CASES, SHAPES, distance, ids_for, make, oracle_logits
from encoder_models import SHAPES as ENCODER_SHAPES
from encoder_models import TEXTS, edit_json, make_config, randomize, spread, write_tokenizer

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
peft = pytest.importorskip("peft")
safetensors = pytest.importorskip("safetensors.torch")

pytestmark = [pytest.mark.full, pytest.mark.filterwarnings("ignore")]

Floats = npt.NDArray[np.float32]
BAR = 1e-4
TARGETS = {
    "bert": ["query", "value", "intermediate.dense"],
    "roberta": ["query", "key"],
    "xlm-roberta": ["value"],
    "distilbert": ["q_lin", "lin2"],
    "mpnet": ["attn.q", "attn.o"],
    "modernbert": ["Wqkv", "Wo"],
}


def train_at_random(model: Any, seed: int) -> None:
    """Every tensor that would be trained becomes another one."""
    noise = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.3 * torch.randn(parameter.shape, generator=noise))


def logits(model: Any, folder: Path) -> Floats:
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    batch = tokenizer(TEXTS, padding=True, truncation=True, max_length=190, return_tensors="pt")
    with torch.inference_mode():
        found: Floats = model(**batch).logits.numpy()
    return found


def ours(model: librag.CrossEncoder) -> Floats:
    return model.predict(TEXTS, raw=True)


@pytest.mark.parametrize("bias", ["none", "all", "lora_only"])
@pytest.mark.parametrize("family", TARGETS)
def test_trained_heads_and_biases_equal_peft(family: str, bias: str, tmp_path: Path) -> None:
    config = make_config(family, ENCODER_SHAPES[0], num_labels=3)
    base = transformers.AutoModelForSequenceClassification.from_config(config).eval()
    randomize(base, 7)
    base.save_pretrained(tmp_path / "base")
    write_tokenizer(tmp_path / "base", family)
    settings = peft.LoraConfig(r=3, lora_alpha=6, target_modules=TARGETS[family], bias=bias, task_type="SEQ_CLS")
    adapted = peft.get_peft_model(base, settings).eval()
    train_at_random(adapted, 3)
    adapted.save_pretrained(tmp_path / "adapter")
    edit_json(tmp_path / "adapter" / "adapter_config.json", fan_in_fan_out=True)  # without a meaning for linear layers
    whole = [key for key in safetensors.load_file(tmp_path / "adapter" / "adapter_model.safetensors") if "lora_" not in key]
    assert whole
    expected = logits(adapted, tmp_path / "base")
    model = librag.CrossEncoder(tmp_path / "base", threads=1)
    before = ours(model)
    model.load_adapter(tmp_path / "adapter", "lora")
    model.merge_adapter("lora")
    assert np.abs(ours(model) - expected).max() <= BAR * spread(expected)
    assert np.abs(before - expected).max() > 0.05 * spread(expected)
    model.save(tmp_path / "merged")
    merged = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "merged").eval()
    assert np.abs(logits(merged, tmp_path / "base") - expected).max() <= BAR * spread(expected)
    assert np.abs(ours(librag.CrossEncoder(tmp_path / "merged")) - expected).max() <= BAR * spread(expected)
    model.unmerge_adapter()
    assert np.array_equal(ours(model), before)
    # A mutant: what lies there whole is seen.
    file = tmp_path / "adapter" / "adapter_model.safetensors"
    tensors = safetensors.load_file(file)
    for key in whole:
        if "modules_to_save" not in key and "original_module" not in key:
            tensors[key] = torch.zeros_like(tensors[key])
    safetensors.save_file(tensors, file)
    model.load_adapter(tmp_path / "adapter", "mutant")
    model.merge_adapter("mutant")
    assert np.abs(ours(model) - expected).max() > 0.02 * spread(expected)


@pytest.mark.parametrize("name", ["llama_biases", "qwen2", "gemma3"])
def test_trained_norms_and_output_layers_of_decoders_equal_peft(name: str, tmp_path: Path) -> None:
    case = next(case for case in CASES if case.name == name)
    base = make(case, SHAPES[1], tmp_path / "base")
    ids = ids_for(case)
    whole = ["norm"] if base.config.tie_word_embeddings else ["norm", "lm_head"]
    settings = peft.LoraConfig(r=2, lora_alpha=4, target_modules=["q_proj", "down_proj"], bias="all", modules_to_save=whole)
    adapted = peft.get_peft_model(base, settings).eval()
    train_at_random(adapted, 5)
    adapted.save_pretrained(tmp_path / "adapter")
    expected = oracle_logits(adapted, ids)
    model = librag.Generator(tmp_path / "base", threads=1)
    before = model.logits(ids)
    model.load_adapter(tmp_path / "adapter", "lora")
    with pytest.raises(librag.Unsupported, match="it can be merged, and not be used beside the weights"):
        model.set_adapter("lora")
    model.merge_adapter("lora")
    assert distance(model.logits(ids), expected) <= BAR
    assert distance(before, expected) > 0.02
    model.unmerge_adapter()
    assert np.array_equal(model.logits(ids), before)


def test_what_the_model_does_not_have_is_refused_by_name(tmp_path: Path) -> None:
    config = make_config("bert", ENCODER_SHAPES[0], num_labels=3)
    base = transformers.AutoModelForSequenceClassification.from_config(config).eval()
    base.save_pretrained(tmp_path / "base")
    write_tokenizer(tmp_path / "base", "bert")
    adapted = peft.get_peft_model(base, peft.LoraConfig(r=2, target_modules=["query"], task_type="SEQ_CLS"))
    adapted.save_pretrained(tmp_path / "adapter")
    file = tmp_path / "adapter" / "adapter_model.safetensors"
    tensors = safetensors.load_file(file)
    model = librag.CrossEncoder(tmp_path / "base")

    def merge(folder: Path) -> None:
        model.load_adapter(folder, "lora")
        model.merge_adapter("lora")

    def refused(pattern: str, **changed: Any) -> None:
        safetensors.save_file({**tensors, **{"base_model.model." + key: value for key, value in changed.items()}}, file)
        with pytest.raises(librag.RagError, match=pattern):
            merge(tmp_path / "adapter")

    refused(r"classifier\.weight.* has shape \[4, 32\], the model's has \[3, 32\]", **{"classifier.weight": torch.zeros(4, 32)})
    refused('the model has no tensor "score.weight"', **{"score.weight": torch.zeros(3, 32)})
    refused(r"pooler\.dense\.bias.* is neither of the form", **{"bert.pooler.dense.bias": torch.zeros(32)})
    edit_json(tmp_path / "adapter" / "adapter_config.json", modules_to_save=["word_embeddings"])
    words = torch.zeros(base.config.vocab_size, 32)
    tensors = {key: value for key, value in tensors.items() if "lora" in key}
    refused(
        "word_embeddings.weight.* would take the place of a table of the model's",
        **{"bert.embeddings.word_embeddings.weight": words},
    )


def test_an_output_layer_with_the_base_that_peft_writes_beside_it(tmp_path: Path) -> None:
    torch.manual_seed(3)
    case = next(case for case in CASES if case.name == "qwen2")
    base = make(case, SHAPES[1], tmp_path / "base")
    assert not base.config.tie_word_embeddings
    ids = ids_for(case)
    before = oracle_logits(base, ids)
    adapted = peft.get_peft_model(base, peft.LoraConfig(r=3, target_modules=["q_proj", "lm_head"], task_type="CAUSAL_LM")).eval()
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                parameter.copy_(0.3 * torch.randn(parameter.shape))
    adapted.save_pretrained(tmp_path / "adapter")
    assert "base_model.model.lm_head.base_layer.weight" in safetensors.load_file(
        tmp_path / "adapter" / "adapter_model.safetensors"
    )
    expected = oracle_logits(adapted, ids)
    model = librag.Generator(tmp_path / "base")
    model.load_adapter(tmp_path / "adapter", "own")
    model.set_adapter("own")
    assert distance(model.logits(ids), expected) <= 1e-4 < distance(before, expected)
    model.set_adapter(None)
    model.merge_adapter("own")
    assert distance(model.logits(ids), expected) <= 1e-4


@pytest.mark.parametrize("module", ["embed_tokens", "lm_head"])
def test_tables_of_a_tied_model_are_refused_by_name(module: str, fixtures_dir: Path, tmp_path: Path) -> None:
    base = transformers.AutoModelForCausalLM.from_pretrained(fixtures_dir / "tiny_llama")
    settings = peft.LoraConfig(r=2, target_modules=["q_proj"], modules_to_save=[module], task_type="CAUSAL_LM")
    peft.get_peft_model(base, settings).save_pretrained(tmp_path / "adapter")
    with pytest.raises(librag.Unsupported, match=rf"{module}\.weight.*merge the adapter with peft"):
        librag.Generator(fixtures_dir / "tiny_llama").load_adapter(tmp_path / "adapter", "own")
