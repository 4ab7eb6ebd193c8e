"""Retrieval sets in the common format (corpus.jsonl.gz, queries.jsonl, qrels.tsv) and nDCG@k."""

from __future__ import annotations

import gzip
import json
import math
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass
class RetrievalSet:
    """Texts (title and text joined, and apart) in the order of the file; judgments by query id."""

    name: str
    ids: list[str]
    texts: list[str]
    query_ids: list[str]
    queries: list[str]
    relevance: dict[str, dict[str, int]]
    titles: list[str]
    bodies: list[str]


def data_folder() -> Path | None:
    """RAG_SHARED_DATA, if it is there."""
    root = os.environ.get("RAG_SHARED_DATA", "")
    return Path(root) if root and Path(root).is_dir() else None


def load(name: str, queries: str = "queries.jsonl", qrels: str = "qrels.tsv") -> RetrievalSet:
    """A set of RAG_SHARED_DATA."""
    root = data_folder()
    if root is None:
        raise FileNotFoundError("RAG_SHARED_DATA names no folder")
    folder = root / name
    with gzip.open(folder / "corpus.jsonl.gz", "rt", encoding="utf-8", newline="\n") as lines:
        rows = [json.loads(line) for line in lines]
    relevance: dict[str, dict[str, int]] = {}
    for line in (folder / qrels).read_text("utf-8").split("\n")[1:]:
        if line:
            query, document, score = line.split("\t")
            relevance.setdefault(query, {})[document] = int(score)
    asked = [json.loads(line) for line in (folder / queries).read_text("utf-8").split("\n") if line]
    asked = [row for row in asked if row["id"] in relevance]
    return RetrievalSet(
        name,
        [row["id"] for row in rows],
        [(row.get("title", "") + " " + row["text"]).strip() for row in rows],
        [row["id"] for row in asked],
        [row["text"] for row in asked],
        relevance,
        [row.get("title") or "" for row in rows],
        [row["text"] for row in rows],
    )


def ndcg(data: RetrievalSet, rankings: list[list[str]], k: int = 10) -> float:
    """Mean nDCG@k with linear gains, as trec_eval computes it."""
    total = 0.0
    for query, ranking in zip(data.query_ids, rankings, strict=True):
        judged = data.relevance[query]
        gains = [judged.get(document, 0) for document in ranking[:k]]
        best = sorted((score for score in judged.values() if score > 0), reverse=True)[:k]
        ideal = sum(gain / math.log2(rank + 2) for rank, gain in enumerate(best))
        found = sum(gain / math.log2(rank + 2) for rank, gain in enumerate(gains))
        total += found / ideal if ideal else 0.0
    return total / len(data.query_ids)
