"""Computes with models on the test device in a process of its own, since LibTorch knows a device for the rest of a process:
`python on_device.py LIBRARY JOBS.json OUT.npz`. A job: name, kind ("encoder", "cross_encoder", "generator"), path, dtype, and texts,
pairs or ids; optionally `adapter`, a folder, which is kept beside the weights, merged and unmerged ("name/kept", "name/merged",
"name/base" in the result)."""

from __future__ import annotations

import ctypes
import json
import sys
from collections.abc import Callable
from typing import Any

import librag
import numpy as np

DEVICE = "ragtest"


def computing(model: Any, job: dict[str, Any]) -> Callable[[], Any]:
    if job["kind"] == "encoder":
        return lambda: model.encode(job["texts"], normalize=False)
    if job["kind"] == "cross_encoder":
        return lambda: model.predict([tuple(pair) for pair in job["pairs"]])
    return lambda: model.logits(job["ids"])


def run(job: dict[str, Any]) -> dict[str, Any]:
    kinds = {"encoder": librag.Encoder, "cross_encoder": librag.CrossEncoder, "generator": librag.Generator}
    model = kinds[job["kind"]](job["path"], dtype=job["dtype"], device=DEVICE)
    assert f", on {DEVICE}" in model.describe(), model.describe()
    compute = computing(model, job)
    if "adapter" not in job:
        return {job["name"]: compute()}
    model.load_adapter(job["adapter"], "own")
    model.set_adapter("own")
    results = {f"{job['name']}/kept": compute()}
    model.set_adapter(None)
    model.merge_adapter("own")
    results[f"{job['name']}/merged"] = compute()
    model.unmerge_adapter()
    results[f"{job['name']}/base"] = compute()
    return results


def main() -> None:
    library, jobs, out = sys.argv[1:]
    ctypes.CDLL(library).rag_test_register_device()
    with open(jobs, encoding="utf-8") as file:
        found: dict[str, Any] = {}
        for job in json.load(file):
            found |= run(job)
    np.savez(out, **found)


if __name__ == "__main__":
    main()
