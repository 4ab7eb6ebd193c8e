"""Training against transformers and peft on small random models of every family: twenty AdamW steps in float32, full and LoRA. The
loss of each step and the weights after the last one must agree, and what is written must give the same outputs there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import librag
import numpy as np
import pytest
from decoder_models import CASES, SHAPES, VOCABULARY, Case, make
from encoder_models import FAMILIES, TEXTS, make_config, make_tokenizer

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
peft = pytest.importorskip("peft")
safetensors = pytest.importorskip("safetensors.torch")

pytestmark = [pytest.mark.full, pytest.mark.filterwarnings("ignore")]

STEPS = 20
LOSS_BAR, WEIGHT_BAR = 1e-4, 1e-3
LABELS = ["air", "earth", "water"]
DECODERS = ["llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3", "mixtral", "qwen3_moe"]
SETTINGS: dict[str, Any] = {
    "dtype": "float32",
    "epochs": STEPS,
    "schedule": "constant",
    "warmup_ratio": 0.0,
    "weight_decay": 0.01,
    "dropout": 0.0,
    "batch_size": 64,
    "threads": 1,
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


def adamw(model: Any, rate: float) -> Any:
    """As transformers groups parameters: vectors do not decay."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [parameter for parameter in trained if parameter.dim() > 1], "weight_decay": SETTINGS["weight_decay"]},
        {"params": [parameter for parameter in trained if parameter.dim() <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=rate)


def train(model: Any, batch: dict[str, Any], rate: float) -> list[float]:
    """The oracle: the losses of all steps."""
    optimizer = adamw(model, rate)
    losses = []
    model.eval()  # without dropout; gradients flow all the same
    for _ in range(STEPS):
        loss = model(**batch).loss
        losses.append(float(loss))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    return losses


def losses_of(result: librag.TrainResult) -> list[float]:
    return [entry["loss"] for entry in result.history if "loss" in entry]


def check_losses(ours: list[float], theirs: list[float], what: str) -> None:
    worst = float(np.abs(np.asarray(ours) - np.asarray(theirs)).max())
    print(f"{what}: loss {theirs[0]:.4f} -> {theirs[-1]:.4f}, at most {worst:.1e} apart")
    assert len(ours) == STEPS
    assert worst <= LOSS_BAR
    assert theirs[-1] < theirs[0] - 0.01, "nothing was learnt, so nothing was compared"


def check_weights(folder: Path, model: Any, what: str, base: Path | None = None) -> None:
    """Every tensor that the folder holds against those of the oracle's own folder."""
    model.save_pretrained(folder / "oracle")
    expected = safetensors.load_file(folder / "oracle" / "model.safetensors")
    found = safetensors.load_file(folder / "model.safetensors")
    assert len(found) > 10
    worst = max(float((tensor - expected[name]).abs().max()) for name, tensor in found.items())
    print(f"{what}: weights at most {worst:.1e} apart")
    assert worst <= WEIGHT_BAR
    if base is not None:
        before = safetensors.load_file(base / "model.safetensors")
        assert max(float((before[name] - expected[name]).abs().max()) for name in before) > 5 * WEIGHT_BAR


def write_classifier(family: str, folder: Path) -> Any:
    torch.manual_seed(3)
    config = make_config(family, (32, 2, 4, 64))
    config.id2label = dict(enumerate(LABELS))
    config.label2id = {label: i for i, label in enumerate(LABELS)}
    if family == "modernbert":
        config.classifier_pooling = "mean"
    model = transformers.AutoModelForSequenceClassification.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape))
    model.save_pretrained(folder)
    make_tokenizer(family).save(str(folder / "tokenizer.json"))
    return model


def classification_rows() -> list[dict[str, str]]:
    return [{"text": text, "label": LABELS[(7 * i + i * i) % 3]} for i, text in enumerate(TEXTS)]


def classification_batch(folder: Path, rows: list[dict[str, str]]) -> dict[str, Any]:
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    tokenizer.pad_token = tokenizer.convert_ids_to_tokens(1 if tokenizer.convert_ids_to_tokens(1) == "<pad>" else 0)
    texts = [tokenizer(row["text"], return_token_type_ids=False) for row in rows]
    batch = dict(tokenizer.pad(texts, return_tensors="pt"))
    batch["labels"] = torch.tensor([LABELS.index(row["label"]) for row in rows])
    return batch


@pytest.mark.parametrize("family", FAMILIES)
def test_classification_in_full(family: str, tmp_path: Path) -> None:
    base = tmp_path / "base"
    model = write_classifier(family, base)
    rows = classification_rows()
    settings = {**SETTINGS, "method": "full", "learning_rate": 1e-3, "labels": LABELS, "output": str(tmp_path / "run")}
    result = librag.Trainer(base, "classification", settings).fit(rows)
    check_losses(losses_of(result), train(model, classification_batch(base, rows), 1e-3), f"{family}, full")
    check_weights(Path(result.path), model, f"{family}, full", base)


@pytest.mark.parametrize("family", FAMILIES)
def test_classification_with_pairs(family: str, tmp_path: Path) -> None:
    """LoRA beside every layer's queries and values and a trained head, as the whole folder that a classifier is written to."""
    base = tmp_path / "base"
    model = write_classifier(family, base)
    rows = classification_rows()
    first = {**SETTINGS, "learning_rate": 5e-3, "labels": LABELS, "save": "both", "r": 4, "alpha": 8.0}
    # One step at rate 0: the pairs as they begin.
    unmoved = {**first, "max_steps": 1, "warmup_steps": 1, "output": str(tmp_path / "start")}
    start = librag.Trainer(base, "classification", unmoved).fit(rows)
    result = librag.Trainer(base, "classification", {**first, "output": str(tmp_path / "run")}).fit(rows)
    adapter = next(Path(start.path).parent.glob("**/adapter_config.json")).parent
    adapted = peft.PeftModel.from_pretrained(model, adapter, is_trainable=True)
    check_losses(losses_of(result), train(adapted, classification_batch(base, rows), 5e-3), f"{family}, LoRA")
    check_weights(Path(result.path), adapted.merge_and_unload(), f"{family}, LoRA")


def write_decoder(case: Case, folder: Path) -> Any:
    model = make(case, SHAPES[0], folder)
    with torch.no_grad():
        for parameter in model.parameters():  # not peaked: twenty steps would fly apart
            if parameter.dim() > 1:
                parameter.mul_(0.5)
    model.save_pretrained(folder)
    words = {f"w{i}": i for i in range(VOCABULARY)}
    tokenizer = {
        "version": "1.0",
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": words, "unk_token": "w0"},
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    return model


def decoder_ids() -> list[list[int]]:
    generator = np.random.default_rng(11)
    return [[int(i) for i in generator.integers(3, VOCABULARY, length)] for length in (12, 31, 12, 24, 5)]


def decoder_batch(texts: list[list[int]]) -> dict[str, Any]:
    longest = max(len(ids) for ids in texts)
    padded = [ids + [0] * (longest - len(ids)) for ids in texts]
    mask = [[1] * len(ids) + [0] * (longest - len(ids)) for ids in texts]
    labels = [ids + [-100] * (longest - len(ids)) for ids in texts]
    return {"input_ids": torch.tensor(padded), "attention_mask": torch.tensor(mask), "labels": torch.tensor(labels)}


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("method", ["full", "lora"])
def test_causal_language_models(name: str, method: str, tmp_path: Path) -> None:
    base = tmp_path / "base"
    case = next(case for case in CASES if case.name == name)
    model = write_decoder(case, base)
    texts = decoder_ids()
    rows = [{"text": " ".join(f"w{i}" for i in ids)} for ids in texts]
    # peft has its own way with experts, which transformers keeps in one tensor.
    targets: str | list[str] = [] if name in ("mixtral", "qwen3_moe") else "all-linear"
    settings = {**SETTINGS, "method": method}
    if method != "full":
        settings |= {"r": 4, "alpha": 8.0, "target_modules": targets}
    rate = 1e-3 if method == "full" else 5e-3
    settings |= {"learning_rate": rate, "save": "merged" if method == "full" else "adapter", "output": str(tmp_path / "run")}
    result = librag.Trainer(base, "causal_lm", settings).fit(rows)
    what = f"{name}, {method}"
    if method == "full":
        check_losses(losses_of(result), train(model, decoder_batch(texts), rate), what)
        check_weights(Path(result.path), model, what, base)
        return
    unmoved = {**settings, "max_steps": 1, "warmup_steps": 1, "output": str(tmp_path / "start")}
    start = librag.Trainer(base, "causal_lm", unmoved).fit(rows)
    adapted = peft.PeftModel.from_pretrained(model, start.path, is_trainable=True)
    check_losses(losses_of(result), train(adapted, decoder_batch(texts), rate), what)
    expected = peft.get_peft_model_state_dict(adapted)
    found = safetensors.load_file(Path(result.path) / "adapter_model.safetensors")
    assert set(found) == set(expected)
    worst = max(float((found[key] - expected[key]).abs().max()) for key in found)
    print(f"{what}: pairs at most {worst:.1e} apart")
    assert worst <= WEIGHT_BAR
