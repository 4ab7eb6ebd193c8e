"""All benchmarks in one run: each peer beside us, taking turns. Prints a table, writes JSON, Markdown and plots.

make bench                          # everything
make bench ARGS="encode bm25"       # some: tokenize encode generate callers precision bm25 hnsw filter engine latency stores quality train
make bench ARGS="--rounds 7"
make bench ARGS=adapt               # training on real data: 55 minutes, so only when asked for; parts: adapt-banking77 (12 minutes),
                                    # adapt-scifact (6), adapt-distill (20), adapt-chinese (14)
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
# The published tokenizers and long runs, which tests use too.
sys.path.insert(1, str(Path(__file__).resolve().parent.parent / "tests" / "parity"))

from measure import Result, machine

ALL = (
    "tokenize",
    "encode",
    "generate",
    "callers",
    "precision",
    "bm25",
    "hnsw",
    "filter",
    "engine",
    "latency",
    "stores",
    "quality",
    "train",
)
LONG = ("adapt", "adapt-banking77", "adapt-scifact", "adapt-distill", "adapt-chinese")


def main() -> int:
    """Exit code 1 if a benchmark failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("which", nargs="*", help=f"some of {', '.join(ALL)}; default: these; only when named: {', '.join(LONG)}")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each contender (default 5)")
    parser.add_argument("--models", type=Path, default=Path(os.environ.get("RAG_MODELS", "models")))
    parser.add_argument("--output", type=Path, default=Path("build/bench"), help="folder for results.json, results.md and plots")
    options = parser.parse_args()
    unknown = set(options.which) - {*ALL, *LONG}
    if unknown:
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join((*ALL, *LONG))}")
    options.output.mkdir(parents=True, exist_ok=True)
    results: list[Result] = []
    failed = False
    for name in options.which or ALL:
        print(f"== {name}", flush=True)
        try:
            module, *part = name.split("-")
            found = importlib.import_module(f"bench_{module}").run(options.models, options.rounds, *part)
        except (ImportError, FileNotFoundError) as missing:
            print(f"   not run: {missing}")
            failed = failed or "librag" in str(missing)
            continue
        results += found
        print(table(found), flush=True)
    report = {"machine": machine(), "results": [result.to_json() for result in results]}
    (options.output / "results.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    (options.output / "results.md").write_text(table(results) + "\n", "utf-8")
    plot(results, options.output)
    print(f"wrote {options.output}/results.json, results.md and plots")
    return 1 if failed else 0


def table(results: list[Result]) -> str:
    """Markdown: each contender's median and its ratio to the best peer."""
    lines = ["| benchmark | contender | median | beside the best peer | quality |", "|---|---|---|---|---|"]
    for result in results:
        peers = [r for r in results if r.benchmark == result.benchmark and not r.contender.startswith("librag")]
        ratio = ""
        if peers and result.contender.startswith("librag"):
            best = min(peers, key=lambda r: r.median) if result.lower_is_better else max(peers, key=lambda r: r.median)
            above, below = (best.median, result.median) if result.lower_is_better else (result.median, best.median)
            ratio = f"{above / below:.2f} x {best.contender}" if below > 0 else ""
        quality = ", ".join(f"{name} {value:.4g}" for name, value in result.quality.items())
        note = f" ({result.note})" if result.note else ""
        lines.append(
            f"| {result.benchmark} | {result.contender} | {result.median:.4g} {result.unit} | {ratio} | {quality}{note} |"
        )
    return "\n".join(lines)


def plot(results: list[Result], folder: Path) -> None:
    """One bar chart a benchmark, or a family of them ("family: case"); needs matplotlib, says so when it is missing."""
    try:
        import matplotlib
    except ImportError:
        print("no plots: matplotlib is not installed")
        return
    matplotlib.use("Agg")
    for family in dict.fromkeys(result.benchmark.split(":")[0] for result in results):
        rows = [result for result in results if result.benchmark.split(":")[0] == family]
        if len(rows) > 1:
            plot_family(family, rows, folder)
        if any(row.curve for row in rows):
            plot_curves(family, rows, folder)


def plot_curves(family: str, rows: list[Result], folder: Path) -> None:
    """The losses of trainings over each other."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 3.2))
    for row in rows:
        ours = row.contender.startswith("librag")
        colour, width = ("#2a6f97", 1.5) if ours else ("#b0b0b0", 4)
        axes.plot(range(1, len(row.curve) + 1), row.curve, color=colour, linewidth=width, label=row.contender, zorder=2 + ours)
    axes.set_xlabel("step")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    axes.set_title(f"{family}: loss on the same batches", loc="left")
    figure.tight_layout()
    figure.savefig(folder / (family.replace(" ", "-").replace(",", "") + "-curve.png"), dpi=110)
    pyplot.close(figure)


def plot_family(family: str, rows: list[Result], folder: Path) -> None:
    """Horizontal bars, ours in colour; the cases of a family stand apart, each named above its bars."""
    from matplotlib import pyplot

    places: list[float] = []
    cases: list[tuple[float, str]] = []
    place, last = 0.0, rows[0].benchmark
    for row in rows:
        if row.benchmark != last or (not places and ":" in row.benchmark):
            place += 1.1
            cases.append((place - 0.75, row.benchmark.partition(": ")[2]))
        last = row.benchmark
        places.append(place)
        place += 1
    figure, axes = pyplot.subplots(figsize=(8, 0.9 + 0.3 * place))
    colours = ["#2a6f97" if row.contender.startswith("librag") else "#b0b0b0" for row in rows]
    axes.barh(places, [row.median for row in rows], color=colours)
    axes.set_yticks(places, [row.contender for row in rows])
    for where, row in zip(places, rows):
        axes.text(row.median, where, f" {row.median:.4g}", va="center")
    for where, case in cases:
        axes.text(0, where, case, va="center", weight="bold")
    axes.set_ylim(place - 0.4, 0 if cases else -0.6)
    axes.margins(x=0.15)
    axes.spines[["top", "right"]].set_visible(False)
    better = "lower" if rows[0].lower_is_better else "higher"
    axes.set_title(f"{family}, {rows[0].unit} ({better} is better)", loc="left")
    figure.tight_layout()
    figure.savefig(folder / (re.sub(r"[ /]", "-", family.replace(",", "")) + ".png"), dpi=110)
    pyplot.close(figure)


if __name__ == "__main__":
    sys.exit(main())
