"""The models against the libraries that users come from, on the same files: sentence-transformers (embeddings), transformers
(logits, greedy tokens) and peft (adapters); int8 against our own float32. Each test prints the figure that it checks (pytest -s)."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import librag
import numpy as np
import numpy.typing as npt
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
sentence_transformers = pytest.importorskip("sentence_transformers")
peft = pytest.importorskip("peft")

# The oracles warn about themselves.
pytestmark = [pytest.mark.full, pytest.mark.filterwarnings("ignore")]

Floats = npt.NDArray[np.float32]


@pytest.fixture(scope="module", autouse=True)
def offline() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        transformers.utils.logging.disable_progress_bar()
        yield


@pytest.fixture(scope="module")
def abstracts(shared_data: Path) -> list[str]:
    """The first 500 documents of SciFact, title and text."""
    with gzip.open(shared_data / "en_retrieval_scifact" / "corpus.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for _, line in zip(range(500), lines, strict=False)]
    return [f"{row.get('title', '')} {row['text']}".strip() for row in rows]


@pytest.fixture(scope="module")
def claims(shared_data: Path) -> list[str]:
    """Twenty questions as prompts."""
    lines = (shared_data / "en_retrieval_scifact" / "queries.jsonl").read_text(encoding="utf-8").splitlines()
    return [f"Explain in simple words: {json.loads(line)['text']}\n" for line in lines[:20]]


@pytest.fixture(scope="module")
def oracle_encoder(encoder_path: Path) -> Any:
    model = sentence_transformers.SentenceTransformer(str(encoder_path), device="cpu")
    model.max_seq_length = 256
    return model


@pytest.fixture(scope="module")
def oracle_decoder(generator_path: Path) -> Any:
    return transformers.AutoModelForCausalLM.from_pretrained(
        generator_path.parent, gguf_file=generator_path.name, dtype=torch.float32
    ).eval()


@pytest.fixture(scope="module")
def encoder(encoder_path: Path) -> librag.Encoder:
    return librag.Encoder(encoder_path)


@pytest.fixture(scope="module")
def generator(generator_path: Path) -> librag.Generator:
    return librag.Generator(generator_path)


def cosines(a: Floats, b: Floats) -> Floats:
    product: Floats = (a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
    return product


def oracle_logits(model: Any, ids: list[int]) -> Floats:
    with torch.inference_mode():
        logits: Floats = model(torch.tensor([ids])).logits[0].float().numpy()
    return logits


def random_adapter(model: Any, folder: Path, targets: list[str], seed: int) -> Any:
    """A LoRA adapter whose both halves are random (peft begins with B = 0), saved to the folder; returns peft's model."""
    adapted = peft.get_peft_model(model, peft.LoraConfig(r=8, lora_alpha=16, target_modules=targets)).eval()
    noise = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_" in name:
                parameter.copy_(0.02 * torch.randn(parameter.shape, generator=noise))
    adapted.save_pretrained(folder)
    return adapted


def test_embeddings_equal_sentence_transformers(encoder: librag.Encoder, oracle_encoder: Any, abstracts: list[str]) -> None:
    expected = oracle_encoder.encode(abstracts, batch_size=32, show_progress_bar=False)
    difference = float(np.abs(encoder.encode(abstracts) - expected).max())
    print(f"embeddings, float32, 500 abstracts: max abs difference {difference:.2e}")
    assert difference <= 1e-4


@pytest.mark.parametrize(("dtype", "bar"), [("bfloat16", 0.999), ("float16", 0.9999), ("int8", 0.99)])
def test_embeddings_of_lower_precision(
    encoder: librag.Encoder, encoder_path: Path, abstracts: list[str], dtype: librag.models.Dtype, bar: float
) -> None:
    lower = librag.Encoder(encoder_path, dtype=dtype)
    similar = cosines(lower.encode(abstracts), encoder.encode(abstracts))
    share = lower.weight_bytes / encoder.weight_bytes
    print(f"embeddings, {dtype}: cosine mean {similar.mean():.5f}, min {similar.min():.5f}; weights {share:.3f} of float32")
    assert similar.min() >= bar
    assert share <= (0.3 if dtype == "int8" else 0.55)


def test_logits_equal_transformers(
    generator: librag.Generator, oracle_decoder: Any, claims: list[str], abstracts: list[str]
) -> None:
    worst = 0.0
    for text in [*claims, " ".join(abstracts[:3])]:
        ids = generator.tokenizer.encode(text).ids[:900]
        worst = max(worst, float(np.abs(generator.logits(ids) - oracle_logits(oracle_decoder, ids)).max()))
    print(f"logits, float32, 21 texts: max abs difference {worst:.2e}")
    assert worst <= 1e-2


def test_greedy_tokens_equal_transformers(generator: librag.Generator, oracle_decoder: Any, claims: list[str]) -> None:
    """If each of the oracle's tokens is the likeliest after those before it, our greedy continuation is the same."""
    for text in claims:
        ids = generator.tokenizer.encode(text).ids
        with torch.inference_mode():
            continued = oracle_decoder.generate(
                torch.tensor([ids]),
                attention_mask=torch.ones(1, len(ids)),
                min_new_tokens=64,
                max_new_tokens=64,
                do_sample=False,
                pad_token_id=0,
            )[0].tolist()
        # min_new_tokens forbids the end of text in the oracle; ours looks past it in the same way.
        ends = oracle_decoder.generation_config.eos_token_id
        logits = generator.logits(continued[:-1])[len(ids) - 1 :].copy()
        logits[:, [ends] if isinstance(ends, int) else list(ends or [])] = -np.inf
        assert logits.argmax(axis=1).tolist() == continued[len(ids) :], text


@pytest.mark.parametrize(("dtype", "bar"), [("bfloat16", 0.995), ("float16", 0.999), ("int8", 0.98)])
def test_logits_of_lower_precision(
    generator: librag.Generator, generator_path: Path, abstracts: list[str], dtype: librag.models.Dtype, bar: float
) -> None:
    lower = librag.Generator(generator_path, dtype=dtype)
    ids = generator.tokenizer.encode(" ".join(abstracts[:3])).ids[:600]
    similar = cosines(lower.logits(ids), generator.logits(ids))
    print(f"logits, {dtype}: cosine mean {similar.mean():.5f}, min {similar.min():.5f}; {lower.weight_bytes / 1e6:.0f} MB")
    assert similar.mean() >= bar


def test_encoder_adapter_equals_peft(encoder_path: Path, abstracts: list[str], tmp_path: Path) -> None:
    texts = abstracts[:40]
    oracle = sentence_transformers.SentenceTransformer(str(encoder_path), device="cpu")
    oracle.max_seq_length = 256
    ours = librag.Encoder(encoder_path)
    base = ours.encode(texts)
    oracle[0].auto_model = random_adapter(oracle[0].auto_model, tmp_path, ["query", "value", "dense"], 1)
    expected = oracle.encode(texts, show_progress_bar=False)
    ours.load_adapter(tmp_path, "random")
    ours.merge_adapter("random")
    merged = ours.encode(texts)
    difference = float(np.abs(merged - expected).max())
    print(
        f"encoder with adapter against peft: max abs difference {difference:.2e}; the adapter moves {np.abs(merged - base).max():.3f}"
    )
    assert difference <= 1e-4
    assert np.abs(merged - base).max() > 1e-2
    ours.unmerge_adapter()
    assert np.array_equal(ours.encode(texts), base)


def test_generator_adapter_equals_peft(generator_path: Path, claims: list[str], tmp_path: Path) -> None:
    oracle = transformers.AutoModelForCausalLM.from_pretrained(
        generator_path.parent, gguf_file=generator_path.name, dtype=torch.float32
    ).eval()
    ours = librag.Generator(generator_path)
    ids = ours.tokenizer.encode(claims[0]).ids
    base = ours.logits(ids)
    adapted = random_adapter(oracle, tmp_path, ["q_proj", "k_proj", "v_proj", "up_proj", "down_proj"], 2)
    expected = oracle_logits(adapted, ids)
    ours.load_adapter(tmp_path, "random")
    ours.merge_adapter("random")
    merged = ours.logits(ids)
    difference = float(np.abs(merged - expected).max())
    print(
        f"generator with adapter against peft: max abs difference {difference:.2e}; the adapter moves {np.abs(merged - base).max():.3f}"
    )
    assert difference <= 1e-3
    assert np.abs(merged - base).max() > 1e-1
    ours.unmerge_adapter()
    assert np.array_equal(ours.logits(ids), base)


def test_tiny_models_equal_their_oracles(fixtures_dir: Path) -> None:
    """What transformers, sentence-transformers and peft computed when the fixtures were made."""
    expected = pytest.importorskip("safetensors.numpy").load_file(fixtures_dir / "expected.safetensors")
    texts = json.loads((fixtures_dir / "texts.json").read_text(encoding="utf-8"))
    tiny = librag.Encoder(fixtures_dir / "tiny_bert")
    np.testing.assert_allclose(tiny.encode(texts), expected["bert.embeddings"], atol=1e-5)
    cross = librag.CrossEncoder(fixtures_dir / "tiny_cross_encoder")
    np.testing.assert_allclose(cross.predict([(texts[0], text) for text in texts]), expected["cross_encoder.scores"], atol=1e-5)
    tiny.load_adapter(fixtures_dir / "tiny_bert_lora", "lora")
    tiny.merge_adapter("lora")
    np.testing.assert_allclose(tiny.encode(texts), expected["bert.embeddings.lora"], atol=1e-4)
    ids = expected["llama.ids"].tolist()
    for name in ("F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"):
        tiny_llama = librag.Generator(fixtures_dir / f"tiny_llama.{name}.gguf")
        np.testing.assert_allclose(tiny_llama.logits(ids), expected[f"llama.logits.{name}"], atol=1e-4)
    untied = librag.Generator(fixtures_dir / "tiny_llama_untied")
    np.testing.assert_allclose(untied.logits(ids), expected["llama_untied.logits"], atol=1e-4)
