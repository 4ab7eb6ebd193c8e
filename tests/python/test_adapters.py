"""Adapters that stay beside the weights: one, several with weights, another one for every call in a batch, from PEFT folders and
GGUF, against peft."""

from __future__ import annotations

import json
import queue
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import librag
import numpy as np
import numpy.typing as npt
import pytest
from peft_adapters import with_adapters

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
peft = pytest.importorskip("peft")

pytestmark = [pytest.mark.full, pytest.mark.filterwarnings("ignore")]

Floats = npt.NDArray[np.float32]
BAR = 1e-4
IDS = [0, 17, 260, 33, 90, 5, 301, 42, 42, 7, 288, 120]
CONFIGS = {
    "attention": {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj"]},
    "patterns": {
        "r": 3,
        "lora_alpha": 6,
        "use_rslora": True,
        "target_modules": r".*\.(k_proj|gate_proj|down_proj)",
        "rank_pattern": {r"layers\.0\..*proj": 5},
        "alpha_pattern": {"down_proj": 9},
    },
    "one layer": {
        "r": 2,
        "lora_alpha": 2,
        "target_modules": ["q_proj", "up_proj", "down_proj"],
        "layers_to_transform": [1],
        "exclude_modules": ["up_proj"],
    },
    "all": {"r": 2, "lora_alpha": 2, "target_modules": "all-linear"},
    "second": {"r": 2, "lora_alpha": 5, "target_modules": ["q_proj", "v_proj"]},
}


@pytest.fixture(scope="module")
def adapted(fixtures_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, dict[str, Path]]]:
    """peft's model with all adapters, and their folders."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        transformers.utils.logging.disable_progress_bar()
        base = transformers.AutoModelForCausalLM.from_pretrained(fixtures_dir / "tiny_llama", dtype=torch.float32).eval()
        model = with_adapters(base, CONFIGS)
        folder = tmp_path_factory.mktemp("adapters")
        model.save_pretrained(folder)
        yield model, {name: folder / name for name in CONFIGS}


@pytest.fixture
def generator(fixtures_dir: Path, adapted: tuple[Any, dict[str, Path]]) -> librag.Generator:
    loaded = librag.Generator(fixtures_dir / "tiny_llama", threads=1)
    for name, folder in adapted[1].items():
        loaded.load_adapter(folder, name)
    return loaded


def oracle(model: Any, adapter: str | None) -> Floats:
    with torch.inference_mode():
        if adapter is None:
            with model.disable_adapter():
                logits: Floats = model(torch.tensor([IDS])).logits[0].numpy()
                return logits
        model.set_adapter(adapter)
        found: Floats = model(torch.tensor([IDS])).logits[0].numpy()
        return found


def test_each_adapter_equals_peft(generator: librag.Generator, adapted: tuple[Any, dict[str, Path]]) -> None:
    base = generator.logits(IDS)
    np.testing.assert_allclose(base, oracle(adapted[0], None), atol=BAR)
    for name in CONFIGS:
        expected = oracle(adapted[0], name)
        generator.set_adapter(name)
        kept = generator.logits(IDS)
        np.testing.assert_allclose(kept, expected, atol=BAR)
        assert np.abs(kept - base).max() > 0.1
        generator.set_adapter(None)
        assert np.array_equal(generator.logits(IDS), base)
        generator.merge_adapter(name)
        np.testing.assert_allclose(generator.logits(IDS), expected, atol=BAR)
        generator.unmerge_adapter()
        assert np.array_equal(generator.logits(IDS), base)


def test_mixtures_equal_peft(generator: librag.Generator, adapted: tuple[Any, dict[str, Path]]) -> None:
    model = adapted[0]
    weights = {"attention": 0.7, "patterns": -0.4, "all": 1.5}
    deltas = {name: oracle(model, name) for name in weights}
    model.add_weighted_adapter(["attention", "second"], [0.7, 0.4], "two", combination_type="cat")
    generator.set_adapter({"attention": 0.7, "second": 0.4})
    np.testing.assert_allclose(generator.logits(IDS), oracle(model, "two"), atol=BAR)
    model.delete_adapter("two")
    generator.set_adapter(weights)
    mixed = generator.logits(IDS)
    assert all(np.abs(mixed - expected).max() > 0.1 for expected in deltas.values())
    # What is merged counts beside what is set.
    generator.set_adapter({"patterns": -0.4, "all": 1.5})
    generator.merge_adapter("attention")
    merged = generator.logits(IDS)
    generator.unmerge_adapter()
    generator.set_adapter({"attention": 1.0, "patterns": -0.4, "all": 1.5})
    np.testing.assert_allclose(generator.logits(IDS), merged, atol=BAR)


def test_unknown_names_and_weights_change_nothing(generator: librag.Generator) -> None:
    generator.set_adapter("all")
    before = generator.logits(IDS)
    with pytest.raises(librag.errors.NotFound, match="absent"):
        generator.set_adapter({"attention": 1.0, "absent": 1.0})
    with pytest.raises(librag.errors.InvalidArgument, match="attention"):
        generator.set_adapter({"attention": float("nan")})
    with pytest.raises(TypeError, match="adapter"):
        generator.set_adapter({"attention": "much"})  # type: ignore[dict-item]
    assert np.array_equal(generator.logits(IDS), before)
    with pytest.raises(librag.errors.NotFound, match="absent"):
        generator.generate("The river", adapter="absent")


def test_calls_with_different_adapters_share_a_batch(generator: librag.Generator) -> None:
    """Each result is what the call gives alone."""
    wanted: list[Any] = [None, "attention", "patterns", "all", {"attention": 0.5, "all": 0.5}, {"patterns": 2.0}]
    prompts = ["The river carries", "\u6cb3\u6c34\u6d41\u8fc7\u65e7", "12 boats", "Seven", "A knowledge base", "mill"]

    def run(index: int) -> list[int]:
        return generator.generate(prompts[index], max_tokens=24, adapter=wanted[index]).ids

    alone = [run(index) for index in range(len(wanted))]
    assert len({tuple(ids) for ids in alone}) > 3
    with ThreadPoolExecutor(len(wanted)) as pool:
        for _ in range(5):
            assert list(pool.map(run, range(len(wanted)))) == alone


class ChangeAtThird:
    """A stream's queue whose reader is as quick as can be: the change comes between two tokens for certain."""

    def __init__(self, change: Callable[[], object]) -> None:
        self._tokens: queue.SimpleQueue[librag.Token | None] = queue.SimpleQueue()
        self._change = change
        self._count = 0

    def put(self, token: librag.Token | None) -> None:
        self._tokens.put(token)
        self._count += 1
        if self._count == 3:
            self._change()

    def get(self) -> librag.Token | None:
        return self._tokens.get()


def test_a_merge_ends_the_streams_that_it_comes_into(generator: librag.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is given stays given; what begins afterwards is of one model."""
    whole = generator.generate("The river", max_tokens=24).ids
    assert len(whole) > 4

    def merge() -> None:
        generator.merge_adapter("all")

    def there_and_back() -> None:
        generator.unmerge_adapter()
        generator.merge_adapter("all")

    for change in (merge, there_and_back, generator.unmerge_adapter):
        before = generator.generate("The river", max_tokens=24).ids
        with monkeypatch.context() as patch:
            patch.setattr(librag._stream, "queue", SimpleNamespace(SimpleQueue=partial(ChangeAtThird, change)))
            stream = generator.generate("The river", max_tokens=24, stream=True)
            assert [next(stream).id for _ in range(3)] == before[:3]
            with pytest.raises(librag.InvalidState, match=r"an adapter was merged or unmerged .* again"):
                next(stream)
            with pytest.raises(librag.InvalidState, match="merged or unmerged"):
                _ = stream.result
    assert generator.generate("The river", max_tokens=24).ids == whole


def test_what_is_computed_beside_merges_is_of_one_model(fixtures_dir: Path, adapted: tuple[Any, dict[str, Path]]) -> None:
    """Callers and a thread that merges and takes back: an answer is the base's or the adapter's, or none."""
    # Logits of 60 ids are computed in eight parts.
    generator = librag.Generator(fixtures_dir / "tiny_llama", threads=1, batching=librag.Batching(tokens=8))
    generator.load_adapter(adapted[1]["all"], "all")
    ids = [int(one) for one in np.random.default_rng(3).integers(0, 300, 60)]

    def answers() -> tuple[Floats, list[int]]:
        return generator.logits(ids), generator.generate("The river", max_tokens=24).ids

    base = answers()
    generator.merge_adapter("all")
    merged = answers()
    generator.unmerge_adapter()
    rows, texts = zip(base, merged, strict=True)
    assert texts[0] != texts[1]
    assert np.abs(rows[0] - rows[1]).max() > 0.1
    done = threading.Event()

    def call(index: int) -> int:
        refused = 0
        while not done.is_set():
            try:
                if index % 2:
                    found = generator.logits(ids)
                    assert min(np.abs(found - expected).max() for expected in rows) < BAR
                else:
                    assert generator.generate("The river", max_tokens=24).ids in texts
            except librag.InvalidState:
                refused += 1
        return refused

    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(call, index) for index in range(4)]
        try:
            for _ in range(40):
                generator.merge_adapter("all")
                time.sleep(0.005)
                generator.unmerge_adapter()
                time.sleep(0.005)
        finally:
            done.set()
        assert sum(one.result() for one in calls) > 0
    assert np.array_equal(generator.logits(ids), base[0])


def write_gguf_lora(model: Any, name: str, path: Path) -> None:
    """As llama.cpp's converter: its names, the rows of q and k in pairs, alpha in the metadata (so one alpha for all)."""
    gguf = pytest.importorskip("gguf")
    config = model.config
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_string("general.type", "adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(CONFIGS[name]["lora_alpha"]))  # type: ignore[arg-type]
    mapping = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    for key, parameter in model.named_parameters():
        if f".{name}." not in key:
            continue
        module, half = key.removeprefix("base_model.model.").removesuffix(f".{name}.weight").rsplit(".lora_", 1)
        data = parameter.detach().numpy()
        if half == "B" and "q_proj" in module:
            heads = config.num_attention_heads
            data = data.reshape(heads, 2, data.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(data.shape)
        tensor = mapping.get_name(module + ".weight", try_suffixes=(".weight",))
        writer.add_tensor(f"{tensor}.lora_{half.lower()}", np.ascontiguousarray(data))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def test_gguf_adapters(fixtures_dir: Path, adapted: tuple[Any, dict[str, Path]], tmp_path: Path) -> None:
    """The same adapter from GGUF, on the model from a folder and from GGUF."""
    write_gguf_lora(adapted[0], "attention", tmp_path / "lora.gguf")
    expected = oracle(adapted[0], "attention")
    for model in ("tiny_llama", "tiny_llama.F32.gguf"):
        generator = librag.Generator(fixtures_dir / model, threads=1)
        generator.load_adapter(tmp_path / "lora.gguf", "lora")
        generator.set_adapter("lora")
        np.testing.assert_allclose(generator.logits(IDS), expected, atol=BAR)
    with pytest.raises(librag.errors.Unsupported, match=r"general\.type"):
        generator.load_adapter(fixtures_dir / "tiny_llama.F32.gguf", "model")
    data = (tmp_path / "lora.gguf").read_bytes()
    (tmp_path / "half.gguf").write_bytes(data.replace(b"blk.1.attn_v.weight.lora_b", b"blk.1.attn_v.weight.lora_x"))
    with pytest.raises(librag.errors.Corrupt, match=r"attn_v\.weight\.lora_b is missing"):
        generator.load_adapter(tmp_path / "half.gguf", "half")
    (tmp_path / "other.gguf").write_bytes(data.replace(b"blk.1.attn_v.weight", b"blk.7.attn_v.weight"))
    with pytest.raises(librag.errors.Unsupported, match=r"blk\.7\.attn_v"):
        generator.load_adapter(tmp_path / "other.gguf", "other")


def test_adapters_that_change_the_base_are_refused(fixtures_dir: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(fixtures_dir / "tiny_llama_lora", tmp_path / "adapter")
    settings = json.loads((folder / "adapter_config.json").read_text())
    model = librag.Generator(fixtures_dir / "tiny_llama")
    for number, value in enumerate(
        ["pissa", "pissa_niter_4", "olora", "corda", "loftq", "lora_ga", 7, True, "gaussian", "orthogonal"]
    ):
        (folder / "adapter_config.json").write_text(json.dumps({**settings, "init_lora_weights": value}))
        if value in (True, "gaussian", "orthogonal"):
            model.load_adapter(folder, f"adapter {number}")
        else:
            with pytest.raises(librag.Unsupported, match="changes the base model"):
                model.load_adapter(folder, f"adapter {number}")
