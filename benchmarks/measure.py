"""Measuring on a shared machine: contenders take turns, each round is one measurement of each, medians count.

A figure is work per second (higher is better) or seconds (lower is better). Only ratios within one run mean anything.
"""

from __future__ import annotations

import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Result:
    """One contender in one benchmark."""

    benchmark: str
    contender: str
    unit: str
    values: list[float]
    quality: dict[str, float] = field(default_factory=dict)
    note: str = ""
    curve: list[float] = field(default_factory=list)  # losses of a training, step by step

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def lower_is_better(self) -> bool:
        return self.unit in ("s", "ms", "MiB", "times")

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "median": self.median}


def per_second(work: float, run: Callable[[], Any]) -> float:
    """Runs once and gives work per second."""
    started = time.perf_counter()
    run()
    return work / (time.perf_counter() - started)


def take_turns(
    benchmark: str, unit: str, contenders: dict[str, Callable[[], float]], rounds: int, warm_up: bool = True
) -> list[Result]:
    """Each contender's callable gives one figure; round by round, so that a slow minute hits all of them."""
    values: dict[str, list[float]] = {name: [] for name in contenders}
    if warm_up:
        for run in contenders.values():
            run()
    for _ in range(rounds):
        for name, run in contenders.items():
            values[name].append(run())
    return [Result(benchmark, name, unit, found) for name, found in values.items()]


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    model, flags = "", ""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name") and not model:
            model = line.split(":", 1)[1].strip()
        if line.startswith("flags") and not flags:
            flags = line.split(":", 1)[1]
    wanted = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8", "amx_bf16")
    import os

    return {
        "cpu": model,
        "cpus": len(os.sched_getaffinity(0)),
        "instructions": [flag for flag in wanted if flag in flags.split()],
        "python": platform.python_version(),
        "kernel": platform.release(),
        "date": time.strftime("%Y-%m-%d"),
        "commit": _git("rev-parse", "--short", "HEAD"),
        "uncommitted_changes": bool(_git("status", "--porcelain")),
    }


def _git(*arguments: str) -> str:
    root = Path(__file__).resolve().parent
    result = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False, cwd=root)
    return result.stdout.strip()
