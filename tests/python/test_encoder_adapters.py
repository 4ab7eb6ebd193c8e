"""Adapters of encoders and classifiers that stay beside the weights: chosen for a call or set, mixed with weights, in one batch with
others, against peft and against the merged model; and dtypes of single layers of encoders."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import librag
import numpy as np
import numpy.typing as npt
import pytest
from encoder_models import FAMILIES, SHAPES, TEXTS, make_config, randomize, spread, write_encoder, write_modules, write_tokenizer
from peft_adapters import with_adapters
from rerankers import write_embedder

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
peft = pytest.importorskip("peft")

pytestmark = [pytest.mark.full, pytest.mark.filterwarnings("ignore")]

Floats = npt.NDArray[np.float32]
BAR = 1e-4
QUERY = "Who remembers the small boats of the harbour?"
ATTENTION = {
    "distilbert": ["q_lin", "v_lin", "out_lin"],
    "mpnet": ["attn.q", "attn.v", "attn.o"],
    "modernbert": ["Wqkv"],
}


def worst(a: Floats, b: Floats) -> float:
    """The largest difference as a part of the expected values' range."""
    return float(np.abs(a - b).max()) / spread(b)


def write_adapters(model: Any, folder: Path, family: str) -> Any:
    """Two adapters, of all linear layers and of attention's; peft's model."""
    targets = ATTENTION.get(family, ["query", "value"])
    settings = {"all": {"r": 3, "lora_alpha": 6, "target_modules": "all-linear"}, "some": {"r": 2, "target_modules": targets}}
    adapted = with_adapters(model, settings)
    adapted.save_pretrained(folder)
    return adapted


def load(model: Any, folder: Path) -> Any:
    for name in ("all", "some"):
        model.load_adapter(folder / name, name)
    return model


def oracle(model: Any, folder: Path, adapter: str) -> Floats:
    """Mean of the tokens' vectors, as transformers and peft compute them in one padded batch."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    batch = tokenizer(TEXTS, padding=True, truncation=True, return_tensors="pt")
    model.set_adapter(adapter)
    with torch.inference_mode():
        hidden = model(**batch).last_hidden_state
    mask = batch["attention_mask"].unsqueeze(-1)
    vectors: Floats = ((hidden * mask).sum(1) / mask.sum(1)).float().numpy()
    return vectors


@pytest.mark.parametrize("family", FAMILIES)
def test_each_adapter_equals_peft(family: str, tmp_path: Path) -> None:
    model = write_adapters(write_encoder(tmp_path / "model", family, SHAPES[1]), tmp_path / "adapters", family)
    ours = load(librag.Encoder(tmp_path / "model", threads=2), tmp_path / "adapters")

    def encode(**options: Any) -> Floats:
        vectors: Floats = ours.encode(TEXTS, normalize=False, **options)
        return vectors

    base = encode()
    for name in ("all", "some"):
        expected = oracle(model, tmp_path / "model", name)
        kept = encode(adapter=name)
        assert worst(kept, expected) <= BAR
        assert worst(kept, base) > 100 * BAR
        ours.set_adapter(name)
        assert np.array_equal(encode(), kept)
        assert np.array_equal(encode(adapter=None), base)
        ours.set_adapter(None)
        ours.merge_adapter(name)
        assert worst(encode(), expected) <= BAR
        ours.unmerge_adapter()
    assert np.array_equal(encode(), base)
    # Mixed with weights, and beside one that is merged.
    mixed = encode(adapter={"all": 0.6, "some": -0.8})
    model.add_weighted_adapter(["all", "some"], [0.6, 1.0], "mixed", combination_type="cat")
    assert worst(encode(adapter={"all": 0.6, "some": 1.0}), oracle(model, tmp_path / "model", "mixed")) <= BAR
    assert worst(mixed, encode(adapter={"all": 0.6, "some": 1.0})) > 10 * BAR
    both = encode(adapter={"all": 1.0, "some": 1.0})
    ours.merge_adapter("all")
    assert worst(encode(adapter="some"), both) <= BAR


@pytest.mark.parametrize("dtype", ["bfloat16", "int8", "int4"])
@pytest.mark.parametrize("family", ["bert", "modernbert"])
def test_adapters_beside_rounded_weights(family: str, dtype: Any, tmp_path: Path) -> None:
    """They are float32 there too: the model is at least as near to the exact one as when they are merged and rounded with it."""
    write_adapters(write_encoder(tmp_path / "model", family, SHAPES[1]), tmp_path / "adapters", family)
    exact, ours = (load(librag.Encoder(tmp_path / "model", dtype=d), tmp_path / "adapters") for d in ("float32", dtype))
    expected = exact.encode(TEXTS, adapter="all")
    kept = (expected * ours.encode(TEXTS, adapter="all")).sum(axis=1)
    ours.merge_adapter("all")
    merged = (expected * ours.encode(TEXTS)).sum(axis=1)
    print(f"{family} {dtype}: cosine mean {kept.mean():.4f} beside the weights, {merged.mean():.4f} merged")
    assert kept.mean() > merged.mean() - 0.02
    without = (expected * exact.encode(TEXTS)).sum(axis=1)
    assert kept.mean() > without.mean() + 0.1  # the adapter is what makes the difference


def test_first_tokens_and_decoders(tmp_path: Path) -> None:
    """Where only the first token is pooled the last layer computes no other; decoders are encoders by another way."""
    write_adapters(write_encoder(tmp_path / "bert", "bert", SHAPES[1]), tmp_path / "bert_adapters", "bert")
    write_modules(tmp_path / "bert", SHAPES[1][0], {"pooling_mode": "cls"})
    write_embedder(tmp_path / "qwen", 1)
    qwen = transformers.AutoModel.from_pretrained(tmp_path / "qwen", dtype=torch.float32)
    shapes = {"all": {"r": 2, "target_modules": ["q_proj", "down_proj"]}, "some": {"r": 2, "target_modules": ["v_proj"]}}
    adapted = with_adapters(qwen, shapes)
    adapted.save_pretrained(tmp_path / "qwen_adapters")
    for name in ("bert", "qwen"):
        ours = load(librag.Encoder(tmp_path / name), tmp_path / f"{name}_adapters")
        for adapter in ("all", "some"):
            kept = ours.encode(TEXTS, adapter=adapter)
            ours.merge_adapter(adapter)
            assert worst(kept, ours.encode(TEXTS)) <= BAR
            ours.unmerge_adapter()
            assert worst(kept, ours.encode(TEXTS)) > 10 * BAR


def test_callers_with_different_adapters_share_passes(tmp_path: Path) -> None:
    write_adapters(write_encoder(tmp_path / "model", "bert", SHAPES[1]), tmp_path / "adapters", "bert")
    ours = load(librag.Encoder(tmp_path / "model", threads=2), tmp_path / "adapters")
    choices: list[Any] = [None, "all", "some", {"all": 0.5, "some": 0.5}]
    alone = [ours.encode(TEXTS, adapter=adapter) for adapter in choices]
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda i: ours.encode(TEXTS, adapter=choices[i % 4]), range(160)))
    for i, vectors in enumerate(found):
        assert worst(vectors, alone[i % 4]) <= BAR


def test_classifiers_and_their_heads(tmp_path: Path) -> None:
    config = make_config("bert", SHAPES[0], num_labels=1)
    model = transformers.AutoModelForSequenceClassification.from_config(config).eval()
    randomize(model, 7)
    model.save_pretrained(tmp_path / "model")
    write_tokenizer(tmp_path / "model", "bert")
    adapted = write_adapters(model, tmp_path / "adapters", "bert")
    cross = load(librag.CrossEncoder(tmp_path / "model"), tmp_path / "adapters")
    pairs = [(QUERY, text) for text in TEXTS]
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "model")
    batch = tokenizer(
        [a for a, _ in pairs], [b for _, b in pairs], padding=True, truncation=True, max_length=190, return_tensors="pt"
    )
    base = cross.predict(pairs, raw=True)
    for name in ("all", "some"):
        adapted.set_adapter(name)
        with torch.inference_mode():
            expected = adapted(**batch).logits.float().numpy()[:, 0]
        kept = cross.predict(pairs, raw=True, adapter=name)
        assert worst(kept, expected) <= BAR
        assert worst(kept, base) > 10 * BAR
    ranked = cross.rank(QUERY, TEXTS, adapter="all")
    assert [row["corpus_id"] for row in ranked] == np.argsort(-cross.predict(pairs, adapter="all"), kind="stable").tolist()
    labels = load(librag.Classifier(tmp_path / "model"), tmp_path / "adapters")
    assert not np.array_equal(labels.probabilities(TEXTS, adapter="all"), labels.probabilities(TEXTS))
    assert labels.predict(TEXTS[0], adapter="all").score == labels.probabilities([TEXTS[0]], adapter="all")[0, 0]


def test_unloading(tmp_path: Path) -> None:
    write_adapters(write_encoder(tmp_path / "model", "bert", SHAPES[0]), tmp_path / "adapters", "bert")
    ours = load(librag.Encoder(tmp_path / "model"), tmp_path / "adapters")
    kept = ours.encode(TEXTS, adapter="all")
    ours.set_adapter({"all": 1.0})
    with pytest.raises(librag.InvalidState, match='set to the adapter "all"'):
        ours.unload_adapter("all")
    ours.set_adapter(None)
    ours.merge_adapter("all")
    with pytest.raises(librag.InvalidState, match='"all" is merged'):
        ours.unload_adapter("all")
    ours.unmerge_adapter()
    ours.unload_adapter("all")
    with pytest.raises(librag.NotFound, match="all"):
        ours.encode(TEXTS, adapter="all")
    with pytest.raises(librag.NotFound, match="all"):
        ours.unload_adapter("all")
    # The name is free, and means what is loaded now.
    ours.load_adapter(tmp_path / "adapters" / "some", "all")
    assert np.array_equal(ours.encode(TEXTS, adapter="all"), ours.encode(TEXTS, adapter="some"))
    ours.unload_adapter("all")
    ours.load_adapter(tmp_path / "adapters" / "all", "all")
    assert np.array_equal(ours.encode(TEXTS, adapter="all"), kept)


def test_a_cached_text_belongs_to_its_adapters(fixtures_dir: Path) -> None:
    ours = librag.Generator(fixtures_dir / "tiny_llama", threads=1)
    ours.load_adapter(fixtures_dir / "tiny_llama_lora", "lora")
    ours.set_adapter("lora")
    text = ours.cache("The river")
    before = ours.logits([7], prefix=text)
    ours.set_adapter(None)
    with pytest.raises(librag.InvalidState, match="other adapters"):
        ours.logits([7], prefix=text)
    with pytest.raises(librag.InvalidState, match="other adapters"):
        ours.generate("a", prefix=text)
    # A call that began before the adapter is unloaded goes on; nothing that begins later can use the text.
    whole = ours.generate(" runs", prefix=text, adapter="lora", max_tokens=12).ids
    stream = ours.generate(" runs", prefix=text, adapter="lora", max_tokens=12, stream=True)
    first = next(iter(stream)).id
    ours.unload_adapter("lora")
    assert [first, *(token.id for token in stream)] == whole
    ours.load_adapter(fixtures_dir / "tiny_llama_lora", "lora")
    with pytest.raises(librag.InvalidState, match="other adapters"):
        ours.generate(" runs", prefix=text, adapter="lora")
    base = ours.cache("The river")
    ours.merge_adapter("lora")
    with pytest.raises(librag.InvalidState, match="before an adapter was merged or unmerged"):
        ours.logits([7], prefix=base)
    # What was taken back was there: the count of merges decides, not what is merged.
    ours.unmerge_adapter()
    with pytest.raises(librag.InvalidState, match="before an adapter was merged or unmerged"):
        ours.logits([7], prefix=base)
    assert not np.array_equal(ours.logits([7], prefix=ours.cache("The river")), before)


def test_an_engine_takes_an_embedder_with_adapters_for_another(tmp_path: Path) -> None:
    write_adapters(write_encoder(tmp_path / "model", "bert", SHAPES[0]), tmp_path / "adapters", "bert")
    ours = load(librag.Encoder(tmp_path / "model"), tmp_path / "adapters")
    with librag.Engine(tmp_path / "base", embedder=ours) as engine:
        engine.add(TEXTS)
    ours.set_adapter("all")
    with pytest.raises(librag.RagError, match="embedder"):
        librag.Engine(tmp_path / "base", embedder=ours)
    ours.set_adapter(None)
    with librag.Engine(tmp_path / "base", embedder=ours) as engine:
        assert len(engine) == len(TEXTS)


@pytest.mark.parametrize("family", FAMILIES)
def test_layers_with_a_dtype_of_their_own(family: str, tmp_path: Path) -> None:
    write_encoder(tmp_path / "model", family, SHAPES[1])
    layers = {"distilbert": "transformer.layer.{}.*", "modernbert": "layers.{}.*"}.get(family, "encoder.layer.{}.*")

    def encode(dtype: Any) -> Floats:
        return librag.Encoder(tmp_path / "model", dtype=dtype).encode(TEXTS, normalize=False)

    exact, plain = encode("float32"), encode("int8")
    most = encode({"default": "int8", layers.format(0): "float32", layers.format(1): "float32"})
    assert np.abs(most - exact).mean() < np.abs(plain - exact).mean()
    assert not np.array_equal(most, exact)
    # All layers and tables by exceptions are the dtype as a whole.
    if family != "mpnet":  # its table of distances is float32 in every dtype
        assert np.array_equal(encode({"default": "float32", "*": "int8"}), encode("int8,*=int8"))
    assert np.array_equal(encode({"default": "int8", "*": "float32"}) - exact, np.zeros_like(exact)) or (
        worst(encode({"default": "int8", "*": "float32"}), exact) < 2e-2  # attention stays that of the default
    )
    mixed = librag.Encoder(tmp_path / "model", dtype={"default": "float32", layers.format(2): "bfloat16"})
    assert 0 < worst(mixed.encode(TEXTS, normalize=False), exact) < 2e-2
    assert "bfloat16" in mixed.describe()
    assert mixed.dtype == "float32"
    with pytest.raises(librag.InvalidArgument, match=r'name like "layers\.77'):
        encode({"default": "int8", "layers.77.*": "float32"})


def test_parts_that_are_computed_together_take_one_dtype(tmp_path: Path) -> None:
    write_encoder(tmp_path / "model", "bert", SHAPES[0])
    with pytest.raises(librag.InvalidArgument, match="take one precision"):
        librag.Encoder(tmp_path / "model", dtype={"default": "int8", "*.query": "float32"})
    with pytest.raises(librag.InvalidArgument, match="half"):
        librag.Encoder(tmp_path / "model", dtype={"default": "int8", "*.query": "half"})
    with pytest.raises(ValueError, match="default"):
        librag.Encoder(tmp_path / "model", dtype={"*.query": "float32"})


def test_classifiers_have_layers_with_a_dtype_of_their_own(fixtures_dir: Path) -> None:
    """Names may be the file's, which has a prefix there."""
    path = fixtures_dir / "tiny_cross_encoder"
    pairs = [(QUERY, text) for text in TEXTS]
    exact = librag.CrossEncoder(path).predict(pairs, raw=True)
    one = librag.CrossEncoder(path, dtype={"default": "float32", "bert.encoder.layer.0.*": "int8"}).predict(pairs, raw=True)
    same = librag.CrossEncoder(path, dtype="float32,encoder.layer.0.*=int8").predict(pairs, raw=True)
    assert np.array_equal(one, same)
    assert not np.array_equal(one, exact)
    head = librag.CrossEncoder(path, dtype={"default": "int8", "classifier": "bfloat16"})
    assert "classifier bfloat16" in head.describe()
