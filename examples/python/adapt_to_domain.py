"""Teaches an embedder the language of a domain and shows whether search got better: nDCG@10 before and after, by vectors and hybrid.

    python adapt_to_domain.py MODEL DATA [--minutes 6] [--hard-negatives N] [--output adapted] [--report FOLDER]

DATA is a folder with corpus.jsonl(.gz) ({"id", "title", "text"}), queries.jsonl ({"id", "text"}), qrels_train.tsv and qrels.tsv (query, document,
score; a header line), such as the SciFact folder of BEIR. Training sees the queries of qrels_train.tsv, the figures are of qrels.tsv. The report is a page (HTML, Markdown) with plots, the queries that
changed most, and whether the difference is more than chance."""

from __future__ import annotations

import argparse
import gzip
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

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


MODES: tuple[Literal["vector", "hybrid"], ...] = ("vector", "hybrid")
SETTINGS: dict[str, Any] = {
    "method": "full",
    "epochs": 3,
    "batch_size": 32,
    "learning_rate": 1e-4,
    "dropout": 0.0,  # so few steps fit nothing by heart
    "scale": 20.0,
}


@dataclass
class Domain:
    """Documents, and queries with the documents that answer them: those to learn from and those to measure with."""

    documents: dict[str, str]
    queries: dict[str, str]
    train: dict[str, dict[str, int]]
    test: dict[str, dict[str, int]]


def read_domain(folder: Path) -> Domain:
    return Domain(
        {row["id"]: f"{row.get('title', '')}\n{row['text']}".strip() for row in read_lines(folder / "corpus.jsonl")},
        {row["id"]: row["text"] for row in read_lines(folder / "queries.jsonl")},
        read_judgements(folder / "qrels_train.tsv"),
        read_judgements(folder / "qrels.tsv"),
    )


def rankings(
    engine: librag.Engine, domain: Domain, modes: tuple[Literal["vector", "hybrid"], ...] = MODES
) -> dict[str, dict[str, list[str]]]:
    """Of each mode, what is found for each query of the test; a document stands where its best chunk does."""
    found = {}
    for mode in modes:
        hits = engine.search([domain.queries[name] for name in domain.test], k=30, mode=mode)
        found[mode] = {name: list(dict.fromkeys(hit.doc_id for hit in row)) for name, row in zip(domain.test, hits, strict=True)}
    return found


def training_rows(engine: librag.Engine, domain: Domain, hard: int) -> list[dict[str, Any]]:
    """A row for each judged pair. Hard negatives are what the search takes for answers and the judges do not."""
    rows = []
    names = list(domain.train)
    found = engine.search([domain.queries[name] for name in names], k=30, mode="hybrid") if hard else [[] for _ in names]
    for name, hits in zip(names, found, strict=True):
        # The first few may be answers that nobody judged.
        wrong = [document for document in dict.fromkeys(hit.doc_id for hit in hits) if document not in domain.train[name]]
        for document in domain.train[name]:
            row: dict[str, Any] = {"query": domain.queries[name], "positive": domain.documents[document]}
            if hard:
                row["negatives"] = [domain.documents[other] for other in wrong[5 : 5 + hard]]
            rows.append(row)
    return rows


def open_engine(model: str | Path, domain: Domain) -> librag.Engine:
    engine = librag.Engine(embedder=librag.Encoder(model, dtype="bfloat16"))
    engine.add({"id": name, "text": text} for name, text in domain.documents.items())
    return engine


def adapt(model: str | Path, domain: Domain, settings: dict[str, Any], hard: int = 0) -> tuple[librag.TrainResult, librag.Report]:
    """The trained model, and a report whose `changes` hold nDCG@10 of each mode before and after."""
    with open_engine(model, domain) as engine:
        before = rankings(engine, domain)
        rows = training_rows(engine, domain, hard)
    result = librag.Trainer(model, "contrastive", SETTINGS | settings).fit(rows)
    with open_engine(result.path, domain) as engine:
        after = rankings(engine, domain)
    report = librag.Report("Search before and after training on the domain")
    report.add_text(
        f"{len(domain.documents):,} documents, {len(domain.test):,} queries to measure with, {len(rows):,} training rows."
    )
    for mode in MODES:
        report.add_retrieval(
            f"search, {mode}", before[mode], after[mode], domain.test, ("ndcg@10", "recall@10"), texts=domain.queries
        )
    report.add_training(result)
    return result, report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a sentence-transformers folder")
    parser.add_argument("data", type=Path)
    parser.add_argument("--minutes", type=float, default=6.0, help="of training at most (default 6)")
    parser.add_argument("--epochs", type=int, default=SETTINGS["epochs"])
    parser.add_argument(
        "--hard-negatives", type=int, default=0, metavar="N", help="mined for each row (default 0: the batch's alone)"
    )
    parser.add_argument("--output", type=Path, default=None, help="where the adapted model goes (default: a new folder)")
    parser.add_argument(
        "--report", type=Path, default=None, metavar="FOLDER", help="where the report goes (default: OUTPUT/report)"
    )
    options = parser.parse_args()
    output = options.output or Path(tempfile.mkdtemp(prefix="adapted-"))

    domain = read_domain(options.data)
    settings = {"epochs": options.epochs, "max_minutes": options.minutes, "output": str(output)}
    result, report = adapt(options.model, domain, settings, options.hard_negatives)
    page = report.write(options.report or output / "report")
    print(f"{result.steps} steps in {result.seconds / 60:.1f} minutes ({result.ended}); model in {result.path}, report in {page}")
    print("| | before | after | verdict |\n|---|---|---|---|")
    for change in report.changes:
        print(f"| {change.metric}, {change.part} | {change.before:.3f} | {change.after:.3f} | {change.verdict} |")


if __name__ == "__main__":
    main()
