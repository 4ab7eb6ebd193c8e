"""Every encoder architecture against transformers, and sentence-transformers folders against sentence-transformers, on small random
models: packed here, padded there. For each feature a mutant without it must give other vectors, so that no test passes without it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import librag
import numpy as np
import numpy.typing as npt
import pytest
from encoder_models import FAMILIES, SHAPES, TEXTS, edit_json, spread, write_encoder, write_json, write_modules

torch = pytest.importorskip("torch")
sentence_transformers = pytest.importorskip("sentence_transformers")
safetensors = pytest.importorskip("safetensors.torch")

# The oracles warn about themselves.
pytestmark = [pytest.mark.full, pytest.mark.filterwarnings("ignore")]

Floats = npt.NDArray[np.float32]
FP32, BF16 = 1e-4, 2e-2


def oracle(model: Any, folder: Path, texts: list[str]) -> Floats:
    """Mean of the tokens' vectors, as transformers computes them in one padded batch."""
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    batch = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
    with torch.inference_mode():
        hidden = model(**batch).last_hidden_state
    mask = batch["attention_mask"].unsqueeze(-1)
    vectors: Floats = ((hidden * mask).sum(1) / mask.sum(1)).float().numpy()
    return vectors


def ours(folder: Path, texts: list[str] = TEXTS, dtype: str = "float32", **options: Any) -> Floats:
    return librag.Encoder(folder, dtype=dtype, threads=2).encode(texts, normalize=False, **options)


def sentence_oracle(folder: Path, texts: list[str] = TEXTS, **options: Any) -> Floats:
    model = sentence_transformers.SentenceTransformer(str(folder), device="cpu")
    return np.asarray(model.encode(texts, show_progress_bar=False, **options), dtype=np.float32)


def worst(a: Floats, b: Floats) -> float:
    """The largest difference as a part of the expected values' range."""
    return float(np.abs(a - b).max()) / spread(b)


@pytest.mark.parametrize("shape", range(len(SHAPES)))
@pytest.mark.parametrize("family", FAMILIES)
def test_architecture_equals_transformers(family: str, shape: int, tmp_path: Path) -> None:
    model = write_encoder(tmp_path, family, SHAPES[shape], seed=10 + shape)
    expected = oracle(model, tmp_path, TEXTS)
    full = worst(ours(tmp_path), expected)
    half = worst(ours(tmp_path, dtype="bfloat16"), expected)
    theirs = worst(oracle(model.to(torch.bfloat16), tmp_path, TEXTS), expected)
    print(f"{family} {SHAPES[shape]}: float32 {full:.1e}, bfloat16 {half:.1e} (transformers: {theirs:.1e}) of the range")
    assert full <= FP32
    assert half <= BF16
    # One by one as in one batch.
    alone = np.stack([ours(tmp_path, [text])[0] for text in TEXTS[:3]])
    assert worst(alone, expected[:3]) <= FP32


# What config.json is changed to, so that a feature is left out or becomes another; the vectors must leave the bar behind.
MUTANTS: list[tuple[str, str, dict[str, Any]]] = [
    ("bert", "activation", {"hidden_act": "relu"}),
    ("bert", "norm epsilon", {"layer_norm_eps": 0.1}),
    ("bert", "heads", {"num_attention_heads": 2}),
    ("modernbert", "local window", {"local_attention": 8}),
    ("modernbert", "no local layers", {"layer_types": ["full_attention"] * 3}),
    ("modernbert", "activation", {"hidden_activation": "silu"}),
    ("modernbert", "global theta", {"rope_parameters": {"full_attention": {"rope_theta": 10.0}}}),
    ("modernbert", "local theta", {"rope_parameters": {"sliding_attention": {"rope_theta": 10.0}}}),
    ("modernbert", "global theta, old spelling", {"rope_parameters": None, "global_rope_theta": 10.0}),
]


@pytest.mark.parametrize(("family", "feature", "changes"), MUTANTS, ids=[f"{m[0]} {m[1]}" for m in MUTANTS])
def test_a_mutant_of_the_configuration_fails(family: str, feature: str, changes: dict[str, Any], tmp_path: Path) -> None:
    model = write_encoder(tmp_path, family, SHAPES[1])
    expected = oracle(model, tmp_path, TEXTS)
    assert worst(ours(tmp_path), expected) <= FP32
    edit_json(tmp_path / "config.json", **changes)
    assert worst(ours(tmp_path), expected) > BF16, f"{feature} makes no difference"


def rewrite(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    weights = safetensors.load_file(folder / "model.safetensors")
    change(weights)
    safetensors.save_file(
        {name: tensor.contiguous() for name, tensor in weights.items()}, folder / "model.safetensors", {"format": "pt"}
    )


def test_a_mutant_of_the_weights_fails(tmp_path: Path) -> None:
    """Relative buckets, token types, rows of positions: what has no key in config.json."""
    for family, name in (("mpnet", "relative_attention_bias"), ("bert", "token_type"), ("distilbert", "position_embeddings")):
        folder = tmp_path / family
        model = write_encoder(folder, family, SHAPES[0])
        expected = oracle(model, folder, TEXTS)
        assert worst(ours(folder), expected) <= FP32

        def without(weights: dict[str, Any], part: str = name) -> None:
            for key in weights:
                if part in key:
                    weights[key] = torch.zeros_like(weights[key])

        rewrite(folder, without)
        assert worst(ours(folder), expected) > BF16, name


def test_positions_begin_behind_the_padding(tmp_path: Path) -> None:
    """Rows 0 and padding_idx of RoBERTa's table are not met, row padding_idx + 1 is; a padding token in a text does not count."""
    for family in ("roberta", "mpnet"):
        folder = tmp_path / family
        model = write_encoder(folder, family, SHAPES[0])
        texts = [*TEXTS, "the <pad> mill <pad> river"]
        expected = oracle(model, folder, texts)
        before = ours(folder, texts)
        assert worst(before, expected) <= FP32

        def set_row(weights: dict[str, Any], row: int) -> None:
            key = next(name for name in weights if name.endswith("position_embeddings.weight"))
            weights[key][row] += 5.0 * torch.linspace(-1.0, 1.0, 32)

        rewrite(folder, lambda weights: set_row(weights, 0))
        assert np.array_equal(ours(folder, texts), before)
        rewrite(folder, lambda weights: set_row(weights, 2))
        assert worst(ours(folder, texts), expected) > BF16


@pytest.mark.parametrize("family", FAMILIES)
def test_prefixes_and_buffers_of_published_checkpoints(family: str, tmp_path: Path) -> None:
    """Names with the family's prefix, position_ids buffers, other heads' weights, TensorFlow's gamma and beta."""
    prefix = {"xlm-roberta": "roberta", "modernbert": "model"}.get(family, family) + "."
    write_encoder(tmp_path, family, SHAPES[0])
    expected = ours(tmp_path)

    def publish(weights: dict[str, Any]) -> None:
        for name in list(weights):
            tensor = weights.pop(name)
            if family == "bert":
                name = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
            weights[prefix + name] = tensor
        weights[prefix + "embeddings.position_ids"] = torch.arange(200).unsqueeze(0)
        weights["cls.predictions.bias"] = torch.zeros(300)
        weights["lm_head.decoder.weight"] = torch.zeros(300, 32)

    rewrite(tmp_path, publish)
    assert np.array_equal(ours(tmp_path), expected)


POOLINGS: list[dict[str, Any]] = [
    {"pooling_mode_mean_tokens": True},
    {"pooling_mode_cls_token": True},
    {"pooling_mode_max_tokens": True},
    {"pooling_mode_mean_sqrt_len_tokens": True},
    {"pooling_mode_weightedmean_tokens": True},
    {"pooling_mode_lasttoken": True},
    {"pooling_mode_cls_token": True, "pooling_mode_max_tokens": True, "pooling_mode_weightedmean_tokens": True},
    {"pooling_mode": ["mean", "cls"]},
]


@pytest.fixture(scope="module")
def sentence_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT, a folder to be copied."""
    folder = tmp_path_factory.mktemp("sentence")
    write_encoder(folder, "bert", SHAPES[0])
    write_json(
        folder / "config_sentence_transformers.json",
        {"prompts": {"query": "river of: ", "passage": "old mill: ", "sts": "boats "}, "default_prompt_name": None},
    )
    return folder


@pytest.fixture
def sentence_copy(sentence_folder: Path, tmp_path: Path) -> Path:
    shutil.copytree(sentence_folder, tmp_path, dirs_exist_ok=True)
    return tmp_path


def test_pooling_equals_sentence_transformers(sentence_copy: Path) -> None:
    seen: list[Floats] = []
    for pooling in POOLINGS:
        write_modules(sentence_copy, 32, pooling)
        expected = sentence_oracle(sentence_copy)
        got = ours(sentence_copy)
        assert got.shape == expected.shape, pooling
        assert worst(got, expected) <= FP32, pooling
        for other in seen:
            assert other.shape != got.shape or worst(got, other) > BF16, pooling
        seen.append(got)


def write_dense(folder: Path, inputs: int, outputs: int, activation: str, bias: bool, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    weights = {"linear.weight": torch.randn(outputs, inputs, generator=generator) / inputs**0.5}
    if bias:
        weights["linear.bias"] = 0.3 * torch.randn(outputs, generator=generator)
    folder.mkdir(exist_ok=True)
    safetensors.save_file(weights, folder / "model.safetensors")
    write_json(
        folder / "config.json",
        {"in_features": inputs, "out_features": outputs, "bias": bias, "activation_function": activation},
    )


def test_dense_modules_equal_sentence_transformers(sentence_copy: Path) -> None:
    seen: list[Floats] = []
    names = ["activation.Tanh", "linear.Identity", "activation.ReLU", "activation.GELU", "activation.SiLU", "activation.Sigmoid"]
    for i, name in enumerate(names):
        write_modules(sentence_copy, 32, {"pooling_mode": ["mean", "cls"]}, dense=2, normalize=i % 2 == 0)
        write_dense(sentence_copy / "2_Dense", 64, 40, "torch.nn.modules." + name, True, 1)
        write_dense(sentence_copy / "3_Dense", 40, 24, "torch.nn.modules.linear.Identity", False, 2)
        expected = sentence_oracle(sentence_copy)
        got = ours(sentence_copy)
        assert got.shape == (len(TEXTS), 24)
        assert worst(got, expected) <= FP32, name
        assert worst(ours(sentence_copy, dtype="int8"), expected) <= 0.2
        for other in seen:
            assert worst(got, other) > BF16, name
        seen.append(got)


def test_prompts_equal_sentence_transformers(sentence_copy: Path) -> None:
    for include in (True, False):
        for pooling in POOLINGS[:6]:
            write_modules(sentence_copy, 32, {**pooling, "include_prompt": include})
            encoder = librag.Encoder(sentence_copy)
            for options in ({}, {"prompt_name": "sts"}, {"prompt": "7 boats: "}):
                expected = sentence_oracle(sentence_copy, **options)
                got = encoder.encode(TEXTS, normalize=False, **options)
                assert worst(got, expected) <= FP32, (include, pooling, options)
    # The prompt is seen, whether or not its tokens are pooled.
    assert worst(ours(sentence_copy, prompt_name="sts"), ours(sentence_copy)) > BF16
    model = sentence_transformers.SentenceTransformer(str(sentence_copy), device="cpu")
    encoder = librag.Encoder(sentence_copy)
    assert encoder.prompts == {"query": "river of: ", "passage": "old mill: ", "sts": "boats "}
    assert worst(encoder.encode_query(TEXTS, normalize=False), model.encode_query(TEXTS)) <= FP32
    # sentence-transformers puts an empty "document" beside the folder's prompts, so that its "passage" is never met.
    passages = encoder.encode_document(TEXTS, normalize=False)
    assert worst(passages, np.asarray(model.encode(TEXTS, prompt_name="passage"))) <= FP32
    edit_json(sentence_copy / "config_sentence_transformers.json", default_prompt_name="sts")
    assert worst(ours(sentence_copy), sentence_oracle(sentence_copy)) <= FP32
    with pytest.raises(librag.NotFound, match=r"no prompt \"stz\"; it has \"passage\", \"query\", \"sts\""):
        encoder.encode("text", prompt_name="stz")
    with pytest.raises(ValueError, match="prompt_name"):
        encoder.encode("text", prompt_name="sts", prompt="boats ")


def test_truncated_dimensions_equal_sentence_transformers(sentence_copy: Path) -> None:
    for normalize_module in (False, True):
        write_modules(sentence_copy, 32, POOLINGS[0], normalize=normalize_module)
        encoder = librag.Encoder(sentence_copy, truncate_dim=12)
        assert encoder.dimension == 12
        for normalize in (False, True):
            expected = sentence_oracle(sentence_copy, truncate_dim=12, normalize_embeddings=normalize)
            assert worst(encoder.encode(TEXTS, normalize=normalize), expected) <= FP32
    with pytest.raises(librag.InvalidArgument, match="truncate_dim is 33"):
        librag.Encoder(sentence_copy, truncate_dim=33)


def test_truncated_dimensions_of_the_folder(sentence_copy: Path, tmp_path: Path) -> None:
    write_modules(sentence_copy, 32, POOLINGS[0])
    sentence_transformers.SentenceTransformer(str(sentence_copy), device="cpu", truncate_dim=12).save(str(tmp_path / "theirs"))
    encoder = librag.Encoder(tmp_path / "theirs")
    assert encoder.dimension == 12
    assert worst(encoder.encode(TEXTS, normalize=False), sentence_oracle(tmp_path / "theirs")) <= FP32
    assert librag.Encoder(tmp_path / "theirs", truncate_dim=32).dimension == 32
    encoder.save(tmp_path / "same")
    librag.Encoder(sentence_copy, truncate_dim=5).save(tmp_path / "ours")
    for name, dimension in (("same", 12), ("ours", 5)):
        assert librag.Encoder(tmp_path / name).dimension == dimension
        assert worst(ours(tmp_path / name), sentence_oracle(tmp_path / name)) <= FP32
    edit_json(tmp_path / "ours" / "config_sentence_transformers.json", truncate_dim=33)
    with pytest.raises(librag.Corrupt, match="truncate_dim is 33, the vectors have 32 dimensions"):
        librag.Encoder(tmp_path / "ours")


def test_max_seq_length_of_the_folder(sentence_copy: Path) -> None:
    write_modules(sentence_copy, 32, POOLINGS[0])
    write_json(sentence_copy / "sentence_bert_config.json", {"max_seq_length": 9, "do_lower_case": False})
    assert librag.Encoder(sentence_copy).max_tokens == 9
    expected = sentence_oracle(sentence_copy)
    assert worst(ours(sentence_copy), expected) <= FP32
    edit_json(sentence_copy / "sentence_bert_config.json", max_seq_length=12)
    assert worst(ours(sentence_copy), expected) > BF16


def test_what_is_not_known_is_refused_by_name(sentence_copy: Path) -> None:
    write_modules(sentence_copy, 32, POOLINGS[0])

    def refused(pattern: str, file: str, **changes: Any) -> None:
        before = (sentence_copy / file).read_text(encoding="utf-8")
        edit_json(sentence_copy / file, **changes)
        with pytest.raises(librag.RagError, match=pattern):
            librag.Encoder(sentence_copy)
        (sentence_copy / file).write_text(before, encoding="utf-8")

    refused('model_type "deberta-v2"; encoders of type bert, roberta, xlm-roberta', "config.json", model_type="deberta-v2")
    refused('hidden_act "mish"', "config.json", hidden_act="mish")
    refused("is_decoder", "config.json", is_decoder=True)
    refused('position_embedding_type "relative_key"', "config.json", position_embedding_type="relative_key")
    refused("shape \\[300, 32\\], the configuration asks for \\[301, 32\\]", "config.json", vocab_size=301)
    refused("encoder.layer.2.*missing", "config.json", num_hidden_layers=3)
    refused("max_position_embeddings", "config.json", max_position_embeddings=2**60)
    refused("32 is no multiple of num_attention_heads 5", "config.json", num_attention_heads=5)
    refused('pooling mode "attention"', "1_Pooling/config.json", pooling_mode="attention")
    modules = json.loads((sentence_copy / "modules.json").read_text(encoding="utf-8"))
    write_json(
        sentence_copy / "modules.json", [*modules, {"idx": 2, "path": "2_LSTM", "type": "sentence_transformers.models.LSTM"}]
    )
    with pytest.raises(librag.Unsupported, match='module "LSTM"'):
        librag.Encoder(sentence_copy)
    write_modules(sentence_copy, 32, POOLINGS[0], dense=1)
    write_dense(sentence_copy / "2_Dense", 32, 24, "torch.nn.modules.activation.Hardtanh", True, 1)
    with pytest.raises(librag.Unsupported, match='activation_function "Hardtanh"'):
        librag.Encoder(sentence_copy)
    write_dense(sentence_copy / "2_Dense", 33, 24, "torch.nn.modules.activation.Tanh", True, 1)
    with pytest.raises(librag.Corrupt, match="33 inputs stands behind 32 dimensions"):
        librag.Encoder(sentence_copy)


@pytest.mark.parametrize("batching", [librag.Batching(), librag.Batching(requests=3, tokens=20, wait_ms=0)])
def test_callers_at_once_get_what_one_gets(batching: librag.Batching, tmp_path: Path) -> None:
    write_encoder(tmp_path, "bert", SHAPES[0], seed=3)
    encoder = librag.Encoder(tmp_path, threads=2, batching=batching)
    texts = TEXTS * 8
    alone = [encoder.encode(text) for text in texts]
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(encoder.encode, texts))
    assert max(float(np.abs(a - b).max()) for a, b in zip(alone, together, strict=True)) <= FP32


def test_limits_of_batches_are_checked(tmp_path: Path) -> None:
    for bad in (
        librag.Batching(requests=0),
        librag.Batching(tokens=0),
        librag.Batching(wait_ms=-1),
        librag.Batching(requests=5000),
    ):
        with pytest.raises(librag.InvalidArgument):
            librag.Encoder(tmp_path, batching=bad)
