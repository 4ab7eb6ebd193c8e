"""The settings of a training: those of the core (include/rag/rag.h, rag_train_config) as a dataclass."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from .errors import InvalidArgument


@dataclass
class TrainConfig:
    """The settings of a run. Zero, an empty text and an empty list mean "what suits the task" where a field says so."""

    method: Literal["lora", "full", "qlora"] = "lora"
    """LoRA pairs beside frozen layers, all weights, or pairs beside layers in ``base_dtype``."""
    r: int = 16
    """Rank of the pairs."""
    alpha: float = 32.0
    """The pairs' scale is alpha / r, with ``rslora`` alpha / sqrt(r)."""
    rslora: bool = False
    lora_dropout: float = 0.0
    """Of the pairs' inputs."""
    target_modules: list[str] | str = field(default_factory=list)
    """Layers with pairs, by the last parts of their names, or "all-linear". Empty: queries and values."""
    base_dtype: Literal["int8", "int4"] = "int4"
    """Of the frozen layers with method "qlora"."""
    dtype: Literal["bfloat16", "float32"] = "bfloat16"
    """Of matrix products; masters, norms, sums and the optimiser are float32."""
    freeze_embeddings: bool = False
    """With method "full"."""
    freeze_layers: int = 0
    """With method "full": so many first layers stay as they are."""
    recompute_layers: bool = False
    """Gradient checkpointing: less memory, a third slower."""
    fake_int8: bool = False
    """Quantisation-aware: for a model that will run in int8."""

    epochs: int = 3
    max_steps: int = 0
    """0: no limit."""
    max_minutes: float = 0.0
    """0: no limit. A run that reaches it ends as if it were done."""

    learning_rate: float = 0.0
    """The highest. 0: 2e-4, with method "full" 5e-5."""
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    warmup_ratio: float = 0.1
    """Share of all steps in which the rate rises."""
    warmup_steps: int = 0
    """Instead of the ratio."""
    weight_decay: float = 0.01
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    max_grad_norm: float = 1.0
    """Gradients are scaled down to this norm. 0: never."""
    dropout: float = -1.0
    """Below 0: 0.1 for encoders, 0 for decoders."""
    batch_size: int = 0
    """Rows of a batch. 0: 8 (causal_lm), 64 (contrastive), 32; no limit where ``batch_tokens`` is given."""
    batch_tokens: int = 0
    """Tokens of a batch at most. 0: no limit."""
    accumulation: int = 1
    """Batches a step."""
    micro_tokens: int = 4096
    """Tokens computed at once: less memory with fewer, the same gradients but for rounding."""
    shuffle: bool = True
    """Batches of random rows of about one length. False: the rows in their own order, in every epoch."""
    seed: int = 42

    max_tokens: int = 0
    """Longest text, special tokens included. 0: 1024 (causal_lm), else what the model takes."""
    long_texts: Literal["cut", "skip", "error"] = "cut"
    labels: list[str] = field(default_factory=list)
    """Of classification, in the order of their numbers. Empty: those of the data, sorted."""

    scale: float = 20.0
    """contrastive: of the cosines."""
    rerank_loss: Literal["listwise", "binary"] = "listwise"
    """Softmax over a query's documents, or a sigmoid for each."""
    negatives: int = 4
    """rerank: documents drawn from other rows where a row has no negatives."""
    teacher: str = ""
    """distill: folder or file of the model to learn from."""
    temperature: float = 2.0
    """distill, decoders."""
    hard_weight: float = 0.5
    """distill, decoders: weight of the data's own tokens; the rest is the teacher's."""
    keep_layers: list[int] = field(default_factory=list)
    """distill, encoders: the layers of the model that the student is made of. Empty: all."""
    mask_ratio: float = 0.15
    """masked_lm: share of the tokens that are asked for."""

    eval_steps: int = 0
    """Steps between evaluations. 0: after each epoch."""
    save_steps: int = 0
    """Steps between checkpoints. 0: with each evaluation, or after each epoch."""
    keep: int = 1
    """Best checkpoints that stay, beside the newest."""
    metric: str = ""
    """What is best. Empty: accuracy (classification), ndcg@10 (contrastive), mrr@10 (rerank), eval_loss."""
    patience: int = 0
    """Evaluations without a better metric before the run ends early. 0: it does not."""

    output: str = ""
    """Folder of the run. Empty: a new one in ``librag_runs``."""
    save: Literal["", "adapter", "merged", "both"] = ""
    """Empty: an adapter where pairs are trained; of classification and rerank the whole model too."""
    save_dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """Of a whole model; refused where an adapter alone is written."""
    """Of a whole model."""
    resume: bool = False
    """Goes on from the newest checkpoint in ``output``, if there is one, bit for bit (with one thread)."""
    threads: int = 0
    """0: as many as the process may use."""
    device: str = "cpu"


def config_of(settings: Mapping[str, Any]) -> TrainConfig:
    """A TrainConfig of a dict. A name that is no setting is an InvalidArgument that lists those there are."""
    known = [entry.name for entry in fields(TrainConfig)]
    if unknown := [name for name in settings if name not in known]:
        raise InvalidArgument(f"{unknown[0]!r} is no setting of a training; there are {', '.join(known)}")
    values = dict(settings)
    for name in ("output", "teacher"):
        if values.get(name) is not None and name in values:
            values[name] = os.fspath(values[name])
    return TrainConfig(**values)
