"""Texts for benchmarks: real ones where RAG_SHARED_DATA has them, else Python's own docstrings."""

from __future__ import annotations

import inspect
import random
import sys
from itertools import cycle, islice

from data import data_folder, load


def by_language() -> dict[str, list[str]]:
    """All texts of each language that is there, each once, mixed."""
    if data_folder() is None:
        languages = {"English": _docstrings()}
    else:
        languages = {
            "English": load("en_retrieval_scifact").texts,
            "Chinese": load("zh_qa_cmrc2018").texts + load("zh_faq_medical").texts,
        }
    languages = {language: list(dict.fromkeys(texts)) for language, texts in languages.items()}
    for texts in languages.values():
        random.Random(1).shuffle(texts)
    return languages


def english_and_chinese(size: int) -> list[str]:
    """About `size` bytes, half English and half Chinese where both are there."""
    languages = by_language()
    return [text for texts in languages.values() for text in _fill(texts, size // len(languages))]


def abstracts(count: int) -> list[str]:
    """Scientific abstracts of about 240 tokens."""
    if data_folder() is None:
        return list(islice(cycle(_docstrings()), count))
    return load("en_retrieval_scifact").texts[:count]


def prompt(tokens: int, encode) -> list[int]:
    """Exactly `tokens` ids of running text; `encode` gives ids of a text."""
    ids: list[int] = []
    for text in cycle(abstracts(200)):
        ids += encode(text + "\n")
        if len(ids) >= tokens:
            return ids[:tokens]
    raise AssertionError("no text")


def _docstrings() -> list[str]:
    # Lists, because reading a docstring may import a module or set a lazy name.
    found = {
        inspect.getdoc(value) or ""
        for module in list(sys.modules.values())
        for value in list(vars(module).values())
        if callable(value)
    }
    return sorted(text for text in found if len(text) > 200)


def _fill(texts: list[str], size: int) -> list[str]:
    out, filled = [], 0
    for text in cycle(texts):
        out.append(text)
        filled += len(text.encode())
        if filled >= size:
            return out
    raise AssertionError("no text")
