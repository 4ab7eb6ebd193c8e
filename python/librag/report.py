"""Before and after: what a training, another model or another setting changed, as a page with plots.

    report = librag.Report("SciFact: MiniLM before and after")
    report.add_training(result)
    report.add_retrieval("search by vectors", run_before, run_after, qrels, texts=queries)
    report.write("report")      # report.md, report.html, plots as SVG

Whether a difference is more than chance is said by Fisher's two-sided randomisation test over the same items (queries, texts, answers) before
and after. In: values that stay unchanged; out: files. One thread at a time.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import _librag
from ._evaluate import DEFAULT_METRICS, Qrels, Run, evaluate, evaluate_labels
from ._pages import Block, Figure, Heading, Paragraph, Table, html_page, markdown_page
from ._plots import differences_svg, line_svg, pairs_svg
from .errors import InvalidArgument

if TYPE_CHECKING:
    from .training import TrainResult

_TRIALS, _SEED = 100_000, 1
_LEVEL = 0.05
_EXAMPLES = 5
_LABELS = 12


@dataclass(frozen=True)
class Change:
    """A figure before and after."""

    part: str
    """Of the report, as it was added."""
    metric: str
    before: float
    after: float
    p_value: float | None
    """Chance of so large a difference where there is none; None for a figure that is not a mean over items."""

    @property
    def verdict(self) -> str:
        """ "better", "worse", "no more than chance"; without a p-value "higher", "lower", "the same"."""
        if self.p_value is None:
            return "higher" if self.after > self.before else "lower" if self.after < self.before else "the same"
        if self.p_value >= _LEVEL:
            return "no more than chance"
        return "better" if self.after > self.before else "worse"


class Report:
    """A page of parts, in the order in which they are added; ``changes`` holds its figures."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.changes: list[Change] = []
        self._blocks: list[Block] = []
        self._figures = 0

    def add_text(self, text: str) -> None:
        """A paragraph."""
        self._blocks.append(Paragraph(text))

    def add_training(self, result: TrainResult, name: str = "Training") -> None:
        """How a run went: its length, the curve of the loss, its metrics over held-out rows by step."""
        self._blocks.append(Heading(name))
        self._blocks.append(
            Paragraph(
                f"{result.steps:,} steps, {result.tokens:,} tokens in {result.seconds / 60:.1f} minutes ({result.ended}). "
                f"Model: {result.path}"
            )
        )
        losses = [(entry["step"], entry["loss"]) for entry in result.history if "loss" in entry]
        if losses:
            self._figure(f"Loss of {name}", line_svg(losses, result.steps, "loss of each step", label="step", smooth=True))
        evaluations = [entry for entry in result.history if "loss" not in entry]
        for metric in result.metrics if len(evaluations) > 2 else ():
            points = [(entry["step"], entry[metric]) for entry in evaluations if metric in entry]
            self._figure(
                f"{metric} of {name}", line_svg(points, result.steps, f"{metric}, held-out rows", label="step", height=200)
            )
        if result.before:
            rows = [(metric, f"{value:.4g}", f"{result.metrics[metric]:.4g}") for metric, value in result.before.items()]
            self._blocks.append(Table(("held-out rows", "before", "after"), rows))

    def add_retrieval(
        self,
        name: str,
        before: Run,
        after: Run,
        qrels: Qrels,
        metrics: Sequence[str] = DEFAULT_METRICS,
        *,
        texts: Mapping[str, str] | None = None,
    ) -> None:
        """Two rankings of the same judged queries, as ``librag.compare`` takes them. ``texts``: the queries', to show those that changed most
        by the first metric."""
        names = [str(metric) for metric in metrics]
        if not names:
            raise InvalidArgument("metrics is empty")
        values_before = evaluate(before, qrels, names, per_query=True)
        values_after = evaluate(after, qrels, names, per_query=True)
        queries = list(values_before[names[0]])
        items = {
            metric: ([values_before[metric][query] for query in queries], [values_after[metric][query] for query in queries])
            for metric in names
        }
        shown = [(texts or {}).get(query, query) for query in queries]
        self._add(name, items, shown, "queries", {})

    def add_labels(
        self,
        name: str,
        truth: Iterable[Any],
        before: Iterable[Any],
        after: Iterable[Any],
        *,
        texts: Iterable[str] | None = None,
    ) -> None:
        """Labels that two classifiers gave to the same items: accuracy, macro F1, the labels that changed most, the commonest mistakes left."""
        true, first, second = list(truth), list(before), list(after)
        if not len(true) == len(first) == len(second):
            raise InvalidArgument(f"{len(true)} labels stand beside {len(first)} before and {len(second)} after")
        if not true:
            raise InvalidArgument("there are no labels to compare")
        shown = [str(text) for text in texts] if texts is not None else [f"item {i + 1}" for i in range(len(true))]
        if len(shown) != len(true):
            raise InvalidArgument(f"{len(true)} labels stand beside {len(shown)} texts")
        right = [[float(label == said) for label, said in zip(true, guesses)] for guesses in (first, second)]
        f1 = [evaluate_labels(true, guesses)["macro_f1"] for guesses in (first, second)]
        self._add(name, {"accuracy": (right[0], right[1])}, shown, "texts", {"macro_f1": (f1[0], f1[1])})
        totals: Counter[Any] = Counter(true)
        hits = [Counter(label for label, ok in zip(true, row) if ok) for row in right]
        shares = [(str(label), hits[0][label] / count, hits[1][label] / count) for label, count in totals.items()]
        shares.sort(key=lambda row: (-abs(row[2] - row[1]), row[0]))
        caption = "share found of each label" + (f", the {_LABELS} that changed most" if len(shares) > _LABELS else "")
        self._figure(f"Labels of {name}", pairs_svg(shares[:_LABELS], caption))
        mistakes = Counter((str(label), str(said)) for label, said in zip(true, second) if label != said)
        if mistakes:
            rows = [(label, said, f"{count:,}") for (label, said), count in mistakes.most_common(_EXAMPLES)]
            self._blocks.append(Table(("commonest mistakes left", "taken for", "times"), rows, texts=2))

    def add_answers(
        self,
        name: str,
        references: Iterable[str | Sequence[str]],
        before: Iterable[str],
        after: Iterable[str],
        *,
        questions: Iterable[str] | None = None,
    ) -> None:
        """Two answers to the same questions beside references: exact match, token F1, ROUGE-L, as ``librag.evaluate_answers``."""
        lists = [[row] if isinstance(row, str) else list(row) for row in references]
        answers = [[str(answer) for answer in side] for side in (before, after)]
        shown = [str(text) for text in questions] if questions is not None else [f"question {i + 1}" for i in range(len(lists))]
        if not len(lists) == len(answers[0]) == len(answers[1]) == len(shown):
            raise InvalidArgument(
                f"{len(shown)} questions, {len(lists)} references, {len(answers[0])} answers before and {len(answers[1])} after"
            )
        if not lists:
            raise InvalidArgument("there are no answers to compare")
        rows = [[_librag.evaluate_text(answer, known) for answer, known in zip(side, lists)] for side in answers]
        places = {"token_f1": 1, "exact_match": 0, "rouge_l": 4}
        items = {metric: ([row[i] for row in rows[0]], [row[i] for row in rows[1]]) for metric, i in places.items()}
        self._add(name, items, shown, "questions", {})

    def write(self, folder: str | os.PathLike[str]) -> Path:
        """Writes report.md, report.html and the plots into ``folder``, which is made, and gives the path of report.html. What has these names
        is replaced. The HTML needs no other file."""
        root = Path(folder)
        root.mkdir(parents=True, exist_ok=True)
        blocks = [*self._summary(), *self._blocks]
        for block in blocks:
            if isinstance(block, Figure):
                (root / block.file).write_text(block.svg + "\n", "utf-8")
        (root / "report.md").write_text(markdown_page(self.title, blocks), "utf-8")
        page = root / "report.html"
        page.write_text(html_page(self.title, blocks), "utf-8")
        return page

    def _repr_html_(self) -> str:
        return html_page(self.title, [*self._summary(), *self._blocks], whole=False)

    def __repr__(self) -> str:
        return f"Report({self.title!r}, {len(self.changes)} figures)"

    def _add(
        self,
        name: str,
        items: Mapping[str, tuple[list[float], list[float]]],
        texts: Sequence[str],
        kind: str,
        totals: Mapping[str, tuple[float, float]],
    ) -> None:
        """``items``: values of each item before and after, by metric; ``totals``: figures that are no means over items."""
        changes = []
        for metric, (before, after) in items.items():
            _, p_value = _librag.significance(before, after, _TRIALS, _SEED)
            changes.append(Change(name, metric, _mean(before), _mean(after), p_value))
        changes += [Change(name, metric, before, after, None) for metric, (before, after) in totals.items()]
        self.changes += changes
        self._blocks.append(Heading(name))
        self._blocks.append(Paragraph(f"{len(texts):,} {kind}, the same before and after."))
        self._figure(f"Figures of {name}", pairs_svg([(c.metric, c.before, c.after) for c in changes], name))
        first = next(iter(items))
        before, after = items[first]
        differences = [b - a for a, b in zip(before, after)]
        self._figure(f"Differences of {name}", differences_svg(differences, f"{first} of each of the {kind}, after less before"))
        for what, sign in (("gained most", 1), ("lost most", -1)):
            chosen = sorted((i for i in range(len(texts)) if sign * differences[i] > 0), key=lambda i: -sign * differences[i])
            rows = [(_one_line(texts[i]), f"{before[i]:.3f}", f"{after[i]:.3f}") for i in chosen[:_EXAMPLES]]
            if rows:
                self._blocks.append(Table((f"{kind} that {what}", f"{first} before", "after"), rows))

    def _summary(self) -> list[Block]:
        if not self.changes:
            return []
        rows = [
            (c.part, c.metric, c.verdict, f"{c.before:.4f}", f"{c.after:.4f}", f"{c.after - c.before:+.4f}", _chance(c.p_value))
            for c in self.changes
        ]
        header = ("what", "figure", "verdict", "before", "after", "difference", "p")
        note = (
            f"p: how often so large a difference comes about by chance where there is none (two-sided randomisation test over the same "
            f"items, {_TRIALS:,} trials); better or worse is said below {_LEVEL}."
        )
        return [Table(header, rows, texts=3), Paragraph(note)]

    def _figure(self, name: str, svg: str) -> None:
        self._figures += 1
        slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
        self._blocks.append(Figure(name, f"{self._figures:02d}-{slug or 'plot'}.svg", svg))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _chance(p_value: float | None) -> str:
    if p_value is None:
        return ""
    return "below 0.0001" if p_value < 0.0001 else f"{p_value:.4f}"


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 160 else line[:157] + "..."
