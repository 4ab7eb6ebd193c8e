"""Teaches an embedder the language of a domain and shows whether search got better: nDCG@10 before and after, by vectors and hybrid.

    python adapt_to_domain.py MODEL DATA [--minutes 6] [--hard-negatives N] [--output adapted]

DATA is a folder with corpus.jsonl(.gz) ({"id", "title", "text"}), queries.jsonl ({"id", "text"}), qrels_train.tsv and qrels.tsv (query, document,
score; a header line), such as the SciFact folder of BEIR. Training sees the queries of qrels_train.tsv, the figures are of qrels.tsv."""

from __future__ import annotations

import argparse
import gzip
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import librag


def read_lines(path: Path) -> list[dict[str, Any]]:
    packed = path.with_name(path.name + ".gz")
    data = gzip.decompress(packed.read_bytes()) if packed.exists() else path.read_bytes()
    return [json.loads(line) for line in data.decode("utf-8").split("\n") if line]


def read_judgements(path: Path) -> dict[str, dict[str, int]]:
    judged: dict[str, dict[str, int]] = {}
    for line in path.read_text(encoding="utf-8").split("\n")[1:]:
        if line:
            query, document, score = line.split("\t")
            judged.setdefault(query, {})[document] = int(score)
    return judged


def measure(engine: librag.Engine, queries: dict[str, str], judged: dict[str, dict[str, int]]) -> dict[str, float]:
    """nDCG@10 by vectors and hybrid; a document counts where its best chunk stands."""
    figures = {}
    for mode in ("vector", "hybrid"):
        found = engine.search([queries[name] for name in judged], k=30, mode=mode)
        run = {
            name: {document: -float(place) for place, document in enumerate(dict.fromkeys(hit.doc_id for hit in hits))}
            for name, hits in zip(judged, found, strict=True)
        }
        figures[mode] = librag.evaluate(run, judged, metrics=("ndcg@10",))["ndcg@10"]
    return figures


def training_rows(
    engine: librag.Engine, documents: dict[str, str], queries: dict[str, str], judged: dict[str, dict[str, int]], hard: int
) -> list[dict[str, Any]]:
    """A row for each judged pair. Hard negatives are what the search takes for answers and the judges do not."""
    rows = []
    names = list(judged)
    found = engine.search([queries[name] for name in names], k=30, mode="hybrid") if hard else [[] for _ in names]
    for name, hits in zip(names, found, strict=True):
        # The first few may be answers that nobody judged.
        wrong = [document for document in dict.fromkeys(hit.doc_id for hit in hits) if document not in judged[name]]
        for document in judged[name]:
            row: dict[str, Any] = {"query": queries[name], "positive": documents[document]}
            if hard:
                row["negatives"] = [documents[other] for other in wrong[5 : 5 + hard]]
            rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a sentence-transformers folder")
    parser.add_argument("data", type=Path)
    parser.add_argument("--minutes", type=float, default=6.0, help="of training at most (default 6)")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument(
        "--hard-negatives", type=int, default=0, metavar="N", help="mined for each row (default 0: the batch's alone)"
    )
    parser.add_argument("--output", type=Path, default=None, help="where the adapted model goes (default: a new folder)")
    options = parser.parse_args()
    output = options.output or Path(tempfile.mkdtemp(prefix="adapted-"))

    documents = {row["id"]: f"{row.get('title', '')}\n{row['text']}".strip() for row in read_lines(options.data / "corpus.jsonl")}
    queries = {row["id"]: row["text"] for row in read_lines(options.data / "queries.jsonl")}
    test = read_judgements(options.data / "qrels.tsv")
    train = read_judgements(options.data / "qrels_train.tsv")

    with librag.Engine(embedder=librag.Encoder(options.model, dtype="bfloat16")) as engine:
        engine.add({"id": name, "text": text} for name, text in documents.items())
        before = measure(engine, queries, test)
        rows = training_rows(engine, documents, queries, train, options.hard_negatives)

    settings = {
        "method": "full",
        "epochs": options.epochs,
        "max_minutes": options.minutes,
        "batch_size": 32,
        "learning_rate": 1e-4,
        "dropout": 0.0,  # so few steps fit nothing by heart
        "scale": 20.0,
        "output": str(output),
    }
    started = time.perf_counter()
    result = librag.Trainer(options.model, "contrastive", settings).fit(rows)
    minutes = (time.perf_counter() - started) / 60

    with librag.Engine(embedder=librag.Encoder(result.path, dtype="bfloat16")) as engine:
        engine.add({"id": name, "text": text} for name, text in documents.items())
        after = measure(engine, queries, test)

    print(f"{len(rows)} rows, {result.steps} steps in {minutes:.1f} minutes ({result.ended}); model in {result.path}")
    print("| nDCG@10 | before | after |\n|---|---|---|")
    for mode in before:
        print(f"| {mode} | {before[mode]:.3f} | {after[mode]:.3f} |")


if __name__ == "__main__":
    main()
