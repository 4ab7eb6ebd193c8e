"""All benchmarks in one run: each peer beside us, taking turns. Prints a table, writes JSON, Markdown and plots.

make bench                          # everything
make bench ARGS="encode bm25"       # some: tokenize encode generate bm25 hnsw engine
make bench ARGS="--rounds 7"
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from measure import Result, machine

ALL = ("tokenize", "encode", "generate", "bm25", "hnsw", "engine")


def main() -> int:
    """Exit code 1 if a benchmark failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("which", nargs="*", help=f"some of {', '.join(ALL)}; default: all")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each contender (default 5)")
    parser.add_argument("--models", type=Path, default=Path(os.environ.get("RAG_MODELS", "models")))
    parser.add_argument("--output", type=Path, default=Path("build/bench"), help="folder for results.json, results.md and plots")
    options = parser.parse_args()
    unknown = set(options.which) - set(ALL)
    if unknown:
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(ALL)}")
    options.output.mkdir(parents=True, exist_ok=True)
    results: list[Result] = []
    failed = False
    for name in options.which or ALL:
        print(f"== {name}", flush=True)
        try:
            found = importlib.import_module(f"bench_{name}").run(options.models, options.rounds)
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
            value = best.median / result.median if result.lower_is_better else result.median / best.median
            ratio = f"{value:.2f} x {best.contender}"
        quality = ", ".join(f"{name} {value:.4g}" for name, value in result.quality.items())
        note = f" ({result.note})" if result.note else ""
        lines.append(
            f"| {result.benchmark} | {result.contender} | {result.median:.4g} {result.unit} | {ratio} | {quality}{note} |"
        )
    return "\n".join(lines)


def plot(results: list[Result], folder: Path) -> None:
    """One bar chart a benchmark with peers; needs matplotlib, says so when it is missing."""
    try:
        import matplotlib
    except ImportError:
        print("no plots: matplotlib is not installed")
        return
    matplotlib.use("Agg")
    from matplotlib import pyplot

    for benchmark in dict.fromkeys(result.benchmark for result in results):
        rows = [result for result in results if result.benchmark == benchmark]
        if len(rows) < 2:
            continue
        figure, axes = pyplot.subplots(figsize=(7, 0.5 + 0.45 * len(rows)))
        colours = ["#2a6f97" if row.contender.startswith("librag") else "#b0b0b0" for row in rows]
        axes.barh([row.contender for row in rows], [row.median for row in rows], color=colours)
        for place, row in enumerate(rows):
            axes.text(row.median, place, f" {row.median:.4g}", va="center")
        axes.invert_yaxis()
        axes.margins(x=0.15)
        axes.spines[["top", "right"]].set_visible(False)
        better = "lower" if rows[0].lower_is_better else "higher"
        axes.set_title(f"{benchmark}, {rows[0].unit} ({better} is better)", loc="left")
        figure.tight_layout()
        figure.savefig(folder / (benchmark.replace(" ", "-").replace(",", "") + ".png"), dpi=110)
        pyplot.close(figure)


if __name__ == "__main__":
    sys.exit(main())
