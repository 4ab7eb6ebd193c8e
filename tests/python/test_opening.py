"""Opening models: the dtype that a measurement chooses, one copy of the weights for models of the same files, files compared with
their sums first, and Ctrl-C."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import librag
import numpy as np
import pytest
from encoder_models import TEXTS, edit_json, write_encoder, write_json

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

pytestmark = [pytest.mark.full, pytest.mark.filterwarnings("ignore")]

IDS = [0, 17, 260, 33, 90, 5, 301, 42, 42, 7, 288, 120]


def test_auto_chooses_by_measuring(fixtures_dir: Path, tmp_path: Path) -> None:
    for make in (librag.Encoder, librag.Generator):
        path = fixtures_dir / ("tiny_bert" if make is librag.Encoder else "tiny_llama")
        model: Any = make(path, dtype="auto")
        assert model.dtype in ("float32", "bfloat16", "int8")
        text = model.describe()
        assert f"{model.dtype} (auto: a layer takes " in text
        assert all(f"ms in {name}" in text for name in ("float32", "bfloat16", "int8"))
        assert repr(model).endswith(f"dtype='auto' ({model.dtype}))")
        # Measured once a process.
        assert make(path, dtype="auto").describe() == text
        plain: Any = make(path, dtype=model.dtype)
        if make is librag.Encoder:
            assert np.array_equal(model.encode(TEXTS), plain.encode(TEXTS))
        else:
            assert np.array_equal(model.logits(IDS), plain.logits(IDS))
        assert "auto" not in plain.describe()
    four = librag.Generator(fixtures_dir / "tiny_llama.Q4_1.gguf", dtype="auto")
    assert "ms in int4" in four.describe()
    librag.Generator(fixtures_dir / "tiny_llama").save(tmp_path / "packed", dtype="int8")
    packed = librag.Generator(tmp_path / "packed", dtype="auto")
    assert packed.dtype == "int8"
    assert "the weights are packed so" in packed.describe()
    with pytest.raises(librag.InvalidArgument, match="auto"):
        packed.save(tmp_path / "no", dtype="auto")  # type: ignore[arg-type]
    with pytest.raises(librag.InvalidArgument, match="int4 or auto"):
        librag.Encoder(fixtures_dir / "tiny_bert", dtype="fast")  # type: ignore[arg-type]


# Memory is measured in a process of its own: in this one the allocator has room left over from other tests.
SHARING = """
import os, sys
from pathlib import Path
import librag, numpy as np

def resident():
    for line in Path("/proc/self/status").read_text("utf-8").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024

folder, dtype, text = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
models = [librag.Encoder(folder, dtype=dtype, threads=1)]
expected = models[0].encode([text])
before = resident()
models += [librag.Encoder(folder, dtype=dtype, threads=1) for _ in range(3)]
assert all(np.array_equal(model.encode([text]), expected) for model in models)
shared = resident() - before
for second in (1, 2, 3):  # another state of the file is another model
    os.utime(folder / "model.safetensors", (second, second))
    models.append(librag.Encoder(folder, dtype=dtype, threads=1))
    assert np.array_equal(models[-1].encode([text]), expected)
print(shared, resident() - before - shared)
"""


@pytest.mark.parametrize("dtype", ["bfloat16", "int8"])
def test_models_of_the_same_files_share_their_weights(dtype: librag.models.Dtype, tmp_path: Path) -> None:
    write_encoder(tmp_path, "bert", (768, 4, 12, 3072))  # 28 million weights
    size = 4 * (4 * 768 * 768 + 2 * 768 * 3072) * (2 if dtype == "bfloat16" else 1)
    done = subprocess.run([sys.executable, "-c", SHARING, tmp_path, dtype, TEXTS[0]], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    shared, apart = (int(word) for word in done.stdout.split())
    print(f"{size >> 20} MiB of weights: three more that share take {shared >> 20}, three that do not {apart >> 20}")
    # Each has threads and scratch memory of its own, and what the first one's loading left over may hold one more.
    assert shared < 0.3 * apart
    assert apart > 1.5 * size


def test_a_merged_adapter_changes_its_own_model_alone(fixtures_dir: Path) -> None:
    first = librag.Generator(fixtures_dir / "tiny_llama", dtype="int8")
    second = librag.Generator(fixtures_dir / "tiny_llama", dtype="int8")
    base = second.logits(IDS)
    first.load_adapter(fixtures_dir / "tiny_llama_lora", "lora")
    first.merge_adapter("lora")
    assert np.abs(first.logits(IDS) - base).max() > 0.01
    assert np.array_equal(second.logits(IDS), base)
    assert np.array_equal(librag.Generator(fixtures_dir / "tiny_llama", dtype="int8").logits(IDS), base)
    first.unmerge_adapter()
    assert np.array_equal(first.logits(IDS), base)


def test_files_are_compared_with_their_sums(fixtures_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    write_encoder(folder, "bert", (32, 2, 4, 64))
    with pytest.raises(librag.NotFound, match="SHA256SUMS"):
        librag.Encoder(folder, verify=True)
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    lines = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (folder / "SHA256SUMS").write_text("".join(lines), "utf-8")
    assert np.array_equal(librag.Encoder(folder, verify=True).encode(TEXTS), librag.Encoder(folder).encode(TEXTS))
    (folder / "SHA256SUMS").write_text("".join(line for line in lines if "safetensors" not in line), "utf-8")
    with pytest.raises(librag.Corrupt, match=r"model\.safetensors.* is not listed"):
        librag.Encoder(folder, verify=True)
    (folder / "SHA256SUMS").write_text("".join(lines), "utf-8")
    edit_json(folder / "config.json", layer_norm_eps=1e-6)
    with pytest.raises(librag.Corrupt, match=r"config\.json.* differs"):
        librag.Encoder(folder, verify=True)
    gguf = tmp_path / "tiny.gguf"
    gguf.write_bytes((fixtures_dir / "tiny_llama.Q4_1.gguf").read_bytes())
    (tmp_path / "SHA256SUMS").write_text(f"{hashlib.sha256(gguf.read_bytes()).hexdigest()}  tiny.gguf\n", "utf-8")
    librag.Generator(gguf, verify=True)
    content = bytearray(gguf.read_bytes())
    content[-1] ^= 1
    gguf.write_bytes(content)
    with pytest.raises(librag.Corrupt, match="differs"):
        librag.Generator(gguf, verify=True)


@pytest.fixture(scope="module")
def large_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of 1.1 GB in float32, all weights 0.01: seconds of packing in int8."""
    folder = tmp_path_factory.mktemp("large")
    config = {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "vocab_size": 2000,
        "hidden_size": 1536,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "num_key_value_heads": 12,
        "intermediate_size": 3072,
        "max_position_embeddings": 128,
        "rms_norm_eps": 1e-5,
        "tie_word_embeddings": True,
    }
    write_json(folder / "config.json", config)
    hidden, inner = 1536, 3072
    shapes: dict[str, list[int]] = {"model.embed_tokens.weight": [2000, hidden], "model.norm.weight": [hidden]}
    for i in range(12):
        layer = f"model.layers.{i}."
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            shapes[f"{layer}self_attn.{name}.weight"] = [hidden, hidden]
        shapes |= {f"{layer}mlp.{name}.weight": [inner, hidden] for name in ("gate_proj", "up_proj")}
        shapes[f"{layer}mlp.down_proj.weight"] = [hidden, inner]
        shapes |= {f"{layer}{name}.weight": [hidden] for name in ("input_layernorm", "post_attention_layernorm")}
    header: dict[str, Any] = {}
    end = 0
    for name, shape in shapes.items():
        begin, end = end, end + 4 * int(np.prod(shape))
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        block = np.full(1 << 20, 0.01, np.float32).tobytes()
        for start in range(0, end, len(block)):
            file.write(block[: end - start])
    return folder


def test_opening_is_stopped(large_folder: Path) -> None:
    """Ctrl-C while weights are packed ends the call in half a second (and what a loaded machine adds), with nothing left."""
    script = textwrap.dedent("""
        import sys, time, librag
        librag.Generator(sys.argv[2], dtype="int8")  # LibTorch is loaded
        print("ready", flush=True)
        try:
            librag.Generator(sys.argv[1], dtype="int8", threads=1)
        except KeyboardInterrupt:
            print("stopped", time.time(), flush=True)
            print("memory", [line for line in open("/proc/self/status") if line.startswith("RssAnon")][0].split()[1], flush=True)
        else:
            print("opened", flush=True)
    """)
    tiny = Path(os.environ["RAG_FIXTURES"]) / "tiny_llama"
    process = subprocess.Popen([sys.executable, "-c", script, large_folder, tiny], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.6)
    asked = time.time()
    process.send_signal(signal.SIGINT)
    found = process.communicate(timeout=120)[0].split()
    assert found[0] == "stopped", found
    print(f"stopped after {float(found[1]) - asked:.2f} s, {int(found[3]) // 1024} MiB left")
    assert float(found[1]) - asked < 3.0
    assert int(found[3]) < 400 * 1024


def test_two_threads_open_the_same_model(fixtures_dir: Path) -> None:
    expected = librag.Generator(fixtures_dir / "tiny_llama", dtype="int8").logits(IDS)
    results: list[Any] = []
    work: Callable[[], None] = lambda: results.append(  # noqa: E731
        librag.Generator(fixtures_dir / "tiny_llama", dtype="int8").logits(IDS)
    )
    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 6
    assert all(np.array_equal(result, expected) for result in results)
