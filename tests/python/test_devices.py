"""Every architecture on a device of LibTorch's whose memory the host cannot read, against transformers and against the processor.
All models are computed by one process, in which LibTorch knows the device (tests/parity/on_device.py)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import librag
import numpy as np
import pytest
from decoder_models import CASES, SHAPES, distance, ids_for, make, oracle_logits
from encoder_models import FAMILIES, TEXTS, spread, write_encoder
from encoder_models import SHAPES as ENCODER_SHAPES
from rerankers import write_embedder, write_reranker

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

pytestmark = [pytest.mark.full, pytest.mark.filterwarnings("ignore")]

FP32, BF16 = 1e-4, 2e-2
PAIRS = [[TEXTS[0], text] for text in TEXTS]
DTYPES = ("float32", "bfloat16", "float16")


def pooled(model: Any, folder: Path) -> Any:
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    batch = tokenizer(TEXTS, padding=True, truncation=True, return_tensors="pt")
    with torch.inference_mode():
        hidden = model(**batch).last_hidden_state
    mask = batch["attention_mask"].unsqueeze(-1)
    return ((hidden * mask).sum(1) / mask.sum(1)).float().numpy()


class Jobs:
    def __init__(self) -> None:
        self.jobs: list[dict[str, Any]] = []
        self.expected: dict[str, Any] = {}
        self.found: dict[str, Any] = {}

    def add(self, name: str, kind: str, path: Path, expected: Any, dtypes: tuple[str, ...] = DTYPES, **more: Any) -> None:
        self.expected[name] = expected
        self.jobs += [{"name": f"{name}:{dtype}", "kind": kind, "path": str(path), "dtype": dtype, **more} for dtype in dtypes]


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory, fixtures_dir: Path, device_library: Path) -> Jobs:
    folder = tmp_path_factory.mktemp("devices")
    out = Jobs()
    transformers.utils.logging.disable_progress_bar()
    for family in FAMILIES:
        model = write_encoder(folder / family, family, ENCODER_SHAPES[1], seed=7)
        out.add(family, "encoder", folder / family, pooled(model, folder / family), texts=TEXTS)
    for case in CASES:
        model = make(case, SHAPES[1], folder / case.name)
        ids = ids_for(case)
        out.add(case.name, "generator", folder / case.name, oracle_logits(model, ids), ids=ids)
    write_embedder(folder / "embedder")
    out.add(
        "embedder",
        "encoder",
        folder / "embedder",
        librag.Encoder(folder / "embedder").encode(TEXTS, normalize=False),
        texts=TEXTS,
    )
    write_reranker(folder / "reranker")
    for name, path in (("reranker", folder / "reranker"), ("cross encoder", fixtures_dir / "tiny_cross_encoder")):
        scores = librag.CrossEncoder(path).predict([tuple(pair) for pair in PAIRS])
        out.add(name, "cross_encoder", path, scores, pairs=PAIRS)
    ids = [3, 14, 15, 92, 65, 35] * 5
    for name, kind, more in (("tiny_bert", "encoder", {"texts": TEXTS}), ("tiny_llama", "generator", {"ids": ids})):
        out.add(f"{name}:auto", kind, fixtures_dir / name, None, ("auto",), **more)
        out.add(name, kind, fixtures_dir / name, None, ("float32",), adapter=str(fixtures_dir / f"{name}_lora"), **more)
    (folder / "jobs.json").write_text(json.dumps(out.jobs), encoding="utf-8")
    script = Path(__file__).parent.parent / "parity" / "on_device.py"
    ended = subprocess.run(
        [sys.executable, script, device_library, folder / "jobs.json", folder / "found.npz"], capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    with np.load(folder / "found.npz") as found:
        out.found = dict(found)
    return out


@pytest.mark.parametrize("name", [*FAMILIES, "embedder", "reranker", "cross encoder"])
def test_encoders_on_a_device(name: str, jobs: Jobs) -> None:
    expected = jobs.expected[name]
    for dtype, bar in (("float32", FP32), ("float16", 1e-2), ("bfloat16", BF16)):
        errors = np.abs(jobs.found[f"{name}:{dtype}"] - expected) / spread(expected)
        # A score of the random reranker may turn on one rounding (test_decoder_encoders.py).
        worst = float(errors.mean() if (name, dtype) == ("reranker", "bfloat16") else errors.max())
        print(f"{name} {dtype}: {worst:.1e} of the range")
        assert worst <= bar


@pytest.mark.parametrize("name", [case.name for case in CASES])
def test_decoders_on_a_device(name: str, jobs: Jobs) -> None:
    expected = jobs.expected[name]
    assert distance(jobs.found[f"{name}:float32"], expected) <= FP32
    # As on the processor (test_decoder_parity.py): attention is so peaked that single roundings turn to another key.
    mean = float(np.abs(jobs.found[f"{name}:bfloat16"] - expected).mean() / np.ptp(expected))
    print(f"{name}: bfloat16 {mean:.1e} mean")
    assert mean <= BF16
    assert float(np.abs(jobs.found[f"{name}:float16"] - expected).mean() / np.ptp(expected)) <= 1e-2


@pytest.mark.parametrize("name", ["tiny_bert", "tiny_llama"])
def test_adapters_on_a_device(name: str, jobs: Jobs, fixtures_dir: Path) -> None:
    ids = next(job for job in jobs.jobs if job["name"] == "tiny_llama:float32")["ids"]
    model: Any
    if name == "tiny_bert":
        model = librag.Encoder(fixtures_dir / name)
        base = model.encode(TEXTS, normalize=False)
    else:
        model = librag.Generator(fixtures_dir / name)
        base = model.logits(ids)
    model.load_adapter(fixtures_dir / f"{name}_lora", "own")
    model.merge_adapter("own")
    merged = model.encode(TEXTS, normalize=False) if name == "tiny_bert" else model.logits(ids)
    assert float(np.abs(merged - base).max()) > 1e-2  # it does something
    # dtype="auto" measures what a device computes.
    assert float(np.abs(jobs.found[f"{name}:auto:auto"] - base).mean()) / spread(base) <= BF16
    for kind, expected in (("kept", merged), ("merged", merged), ("base", base)):
        assert float(np.abs(jobs.found[f"{name}:float32/{kind}"] - expected).max()) / spread(expected) <= FP32, kind


def test_int8_on_a_device_is_refused_by_name(fixtures_dir: Path, device_library: Path, tmp_path: Path) -> None:
    job = {"name": "int8", "kind": "encoder", "path": str(fixtures_dir / "tiny_bert"), "dtype": "int8", "texts": ["one"]}
    (tmp_path / "jobs.json").write_text(json.dumps([job]), encoding="utf-8")
    script = Path(__file__).parent.parent / "parity" / "on_device.py"
    ended = subprocess.run(
        [sys.executable, script, device_library, tmp_path / "jobs.json", tmp_path / "found.npz"], capture_output=True, text=True
    )
    assert ended.returncode == 1
    assert 'on device "ragtest" use float32, bfloat16 or float16' in ended.stderr
