"""Quality as numbers: rankings against judgments, answers against references, labels against labels, one system against another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from . import _librag
from ._arguments import UINT64, number, whole
from .errors import InvalidArgument

# What a system returned for a query: scores by document, documents from best to worst, or hits of Engine.search.
Ranking: TypeAlias = "Mapping[str, float] | Iterable[Any]"
Run: TypeAlias = "Mapping[str, Ranking]"
Qrels: TypeAlias = "Mapping[str, Mapping[str, int]]"

DEFAULT_METRICS = ("ndcg@10", "recall@10", "mrr@10")


def evaluate(run: Run, qrels: Qrels, metrics: Sequence[str] = DEFAULT_METRICS, *, per_query: bool = False) -> dict[str, Any]:
    """Mean of each metric over the judged queries, as trec_eval computes it.

    ``run`` maps a query's id to what was found for it: ``{document: score}``, a list of document ids from best to worst, or the
    hits of ``Engine.search`` (a document counts with its best chunk). ``qrels`` maps it to ``{document: relevance}``, relevant
    from 1 on. ``metrics``: ``ndcg@k``, ``recall@k``, ``precision@k``, ``map@k``, ``mrr@k``, ``hit@k``, all but precision also
    without a depth. Every judged query counts: with 0 where the run has nothing for it. With equal scores the larger document id
    comes first. ``per_query=True`` gives ``{query: value}`` for each metric instead of the mean.

    Raises InvalidArgument that names an unknown metric, a score that is not a number, or the lack of judgments.
    """
    names = _names(metrics)
    queries, means, values = _librag.evaluate_retrieval(_rows(run), _judgments(qrels), names)
    if per_query:
        return {name: dict(zip(queries, row)) for name, row in zip(names, values)}
    return dict(zip(names, means))


def compare(
    run_a: Run, run_b: Run, qrels: Qrels, metrics: Sequence[str] = DEFAULT_METRICS, *, trials: int = 100_000, seed: int = 1
) -> dict[str, dict[str, float]]:
    """Is system b better than a by more than chance? For each metric ``{"a", "b", "difference", "p_value"}``.

    The p-value is that of Fisher's two-sided randomisation test over the judged queries: exact where at most 20 of them differ,
    else over ``trials`` random changes of sign from ``seed``. Arguments otherwise as in ``evaluate``.
    """
    names = _names(metrics)
    trials, seed = whole("trials", trials, 1), whole("seed", seed, 0, UINT64)
    judged = _judgments(qrels)
    _, means_a, values_a = _librag.evaluate_retrieval(_rows(run_a), judged, names)
    _, means_b, values_b = _librag.evaluate_retrieval(_rows(run_b), judged, names)
    result = {}
    for name, a, b, row_a, row_b in zip(names, means_a, means_b, values_a, values_b):
        difference, p_value = _librag.significance(row_a, row_b, trials, seed)
        result[name] = {"a": a, "b": b, "difference": difference, "p_value": p_value}
    return result


def evaluate_answers(
    answers: Iterable[str], references: Iterable[str | Sequence[str]], *, bleu: bool = False
) -> dict[str, float]:
    """Means of exact match and token F1 (SQuAD's normalisation; each Chinese character is a token) and ROUGE-1, -2 and -L (F1).

    ``references`` has one text, or several, for each answer; of several the best counts. ``bleu=True`` adds the corpus BLEU of
    sacrebleu (``pip install 'librag[data]'``), with its Chinese tokenizer where references hold Chinese.
    """
    texts = [str(answer) for answer in answers]
    lists = [[row] if isinstance(row, str) else list(row) for row in references]
    if len(texts) != len(lists):
        raise InvalidArgument(f"{len(texts)} answers stand beside {len(lists)} references")
    if not texts:
        raise InvalidArgument("there are no answers to compare")
    rows = [_librag.evaluate_text(text, row) for text, row in zip(texts, lists)]
    names = ("exact_match", "token_f1", "rouge1", "rouge2", "rouge_l")
    result = {name: sum(row[i] for row in rows) / len(rows) for i, name in enumerate(names)}
    if bleu:
        result["bleu"] = _bleu(texts, lists)
    return result


def evaluate_labels(truth: Iterable[Any], predicted: Iterable[Any]) -> dict[str, Any]:
    """Accuracy, macro F1 and confusion of predicted labels: ``{"accuracy", "macro_f1", "labels", "confusion"}``.

    Labels are any values that can be sorted and hashed; ``labels`` lists those that occur, ``confusion[i][j]`` counts items of
    label i that were predicted as j. At most 4,096 labels.
    """
    true, said = list(truth), list(predicted)
    labels = sorted({*true, *said})
    places = {label: i for i, label in enumerate(labels)}
    accuracy, macro_f1, flat = _librag.evaluate_labels([places[x] for x in true], [places[x] for x in said], max(len(labels), 1))
    size = len(labels)
    confusion = [list(flat[i * size : (i + 1) * size]) for i in range(size)]
    return {"accuracy": accuracy, "macro_f1": macro_f1, "labels": labels, "confusion": confusion}


def _names(metrics: Sequence[str]) -> list[str]:
    if isinstance(metrics, str):
        return [metrics]
    return [str(name) for name in metrics]


def _rows(run: Run) -> list[tuple[str, str, float]]:
    """(query, document, score), a document once a query."""
    if not isinstance(run, Mapping):
        raise TypeError(f"run must map queries to what was found, not be {type(run).__name__}")
    rows = []
    for query, found in run.items():
        if isinstance(found, Mapping):
            scores = {document: number("a score of the run", score) for document, score in found.items()}
        elif isinstance(found, str | bytes):
            raise TypeError(f"run[{query!r}] must be scores by document or a list of documents, not {type(found).__name__}")
        else:
            # From best to worst; a document that comes again (another chunk of it) counts where it came first.
            names = dict.fromkeys(str(getattr(item, "doc_id", item)) for item in found)
            scores = {name: -float(rank) for rank, name in enumerate(names)}
        rows += [(str(query), str(document), score) for document, score in scores.items()]
    return rows


def _judgments(qrels: Qrels) -> list[tuple[str, str, int]]:
    if not isinstance(qrels, Mapping):
        raise TypeError(f"qrels must map queries to judged documents, not be {type(qrels).__name__}")
    return [
        (str(query), str(document), whole("a relevance of qrels", relevance, -(2**31), 2**31 - 1))
        for query, judged in qrels.items()
        for document, relevance in judged.items()
    ]


def _bleu(answers: list[str], references: list[list[str]]) -> float:
    try:
        import sacrebleu
    except ImportError:
        raise ImportError("BLEU is computed by sacrebleu: pip install 'librag[data]'") from None
    chinese = any("\u4e00" <= char <= "\u9fff" for row in references for text in row for char in text)
    most = max(len(row) for row in references)
    # sacrebleu takes a list for each place of a reference; None where an answer has fewer.
    columns: list[Any] = [[row[i] if i < len(row) else None for row in references] for i in range(most)]
    score = sacrebleu.corpus_bleu(answers, columns, tokenize="zh" if chinese else "13a")
    return float(score.score)
