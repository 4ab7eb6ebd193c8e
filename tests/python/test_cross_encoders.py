"""CrossEncoder and Classifier against sentence-transformers and transformers, on small random models of every family; and the
reranking stage of an engine's search."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import librag
import numpy as np
import numpy.typing as npt
import pytest
from encoder_models import (
    FAMILIES,
    SHAPES,
    TEXTS,
    edit_json,
    make_config,
    randomize,
    spread,
    write_encoder,
    write_json,
    write_modules,
    write_tokenizer,
)

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
sentence_transformers = pytest.importorskip("sentence_transformers")
safetensors = pytest.importorskip("safetensors.torch")

# The oracles warn about themselves.
pytestmark = [pytest.mark.full, pytest.mark.filterwarnings("ignore")]

Floats = npt.NDArray[np.float32]
FP32, BF16 = 1e-4, 2e-2
QUERY = "Who remembers the small boats of the harbour?"
# Long ones on either side, so that pairs are cut at the limit of 190 tokens in the three ways there are.
LONG = " ".join(TEXTS)
PAIRS = [(QUERY, text) for text in TEXTS] + [(LONG, QUERY), (QUERY, LONG), (LONG, LONG), ("", "river"), ("\u6cb3\u6c34", "")]


def write_classifier(folder: Path, family: str, labels: int = 1, shape: int = 0, **changes: Any) -> Any:
    config = make_config(family, SHAPES[shape], num_labels=labels, **changes)
    model = transformers.AutoModelForSequenceClassification.from_config(config).eval()
    randomize(model, 7)
    model.save_pretrained(folder)
    write_tokenizer(folder, family)
    return model


def logits(model: Any, folder: Path, rows: list[Any]) -> Floats:
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    texts = rows if isinstance(rows[0], str) else [row[0] for row in rows]
    pairs = None if isinstance(rows[0], str) else [row[1] for row in rows]
    batch = tokenizer(texts, pairs, padding=True, truncation=True, max_length=190, return_tensors="pt")
    with torch.inference_mode():
        values: Floats = model(**batch).logits.float().numpy()
    return values


@pytest.mark.parametrize("family", FAMILIES)
def test_cross_encoder_equals_sentence_transformers(family: str, tmp_path: Path) -> None:
    model = write_classifier(tmp_path, family)
    oracle = sentence_transformers.CrossEncoder(str(tmp_path), device="cpu")
    ours = librag.CrossEncoder(tmp_path, threads=2)
    assert ours.max_tokens == 190
    raw = logits(model, tmp_path, PAIRS)[:, 0]
    assert np.abs(ours.predict(PAIRS, raw=True) - raw).max() <= FP32 * spread(raw)
    scores = oracle.predict(PAIRS, show_progress_bar=False)
    assert np.abs(ours.predict(PAIRS) - scores).max() <= FP32
    half = librag.CrossEncoder(tmp_path, dtype="bfloat16").predict(PAIRS, raw=True)
    theirs = logits(model.to(torch.bfloat16), tmp_path, PAIRS)[:, 0]
    error, their_error = np.abs(half - raw).max() / spread(raw), np.abs(theirs - raw).max() / spread(raw)
    print(f"{family}: bfloat16 {error:.1e} (transformers: {their_error:.1e}) of the range")
    assert error <= max(BF16, 1.5 * their_error)
    expected = oracle.rank(QUERY, TEXTS, top_k=4, return_documents=True)
    ranked = ours.rank(QUERY, TEXTS, 4, return_documents=True)
    assert [(r["corpus_id"], r["text"]) for r in ranked] == [(r["corpus_id"], r["text"]) for r in expected]
    assert np.abs(np.array([r["score"] for r in ranked]) - np.array([r["score"] for r in expected])).max() <= FP32
    single = ours.predict((QUERY, TEXTS[0]))
    assert np.ndim(single) == 0
    assert abs(float(single) - float(scores[0])) <= FP32


def test_token_types_tell_the_texts_of_a_pair_apart(tmp_path: Path) -> None:
    """A mutant: without type ids the pairs of a BERT get other scores."""
    model = write_classifier(tmp_path, "bert")
    raw = logits(model, tmp_path, PAIRS)[:, 0]
    assert np.abs(librag.CrossEncoder(tmp_path).predict(PAIRS, raw=True) - raw).max() <= FP32 * spread(raw)
    weights = safetensors.load_file(tmp_path / "model.safetensors")
    weights["bert.embeddings.token_type_embeddings.weight"][1] = weights["bert.embeddings.token_type_embeddings.weight"][0]
    safetensors.save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    assert np.abs(librag.CrossEncoder(tmp_path).predict(PAIRS, raw=True) - raw).max() > BF16 * spread(raw)


def test_the_score_is_what_the_configuration_says(tmp_path: Path) -> None:
    write_classifier(tmp_path, "roberta")
    raw = librag.CrossEncoder(tmp_path).predict(PAIRS, raw=True)
    before = (tmp_path / "config.json").read_text(encoding="utf-8")
    for name in ("linear.Identity", "activation.Sigmoid", "activation.Tanh", "activation.ReLU"):
        for key in ("sentence_transformers", "sbert_ce_default_activation_function"):
            path = "torch.nn.modules." + name
            edit_json(tmp_path / "config.json", **{key: {"activation_fn": path} if key == "sentence_transformers" else path})
            oracle = sentence_transformers.CrossEncoder(str(tmp_path), device="cpu")
            assert np.abs(librag.CrossEncoder(tmp_path).predict(PAIRS) - oracle.predict(PAIRS)).max() <= FP32 * spread(raw)
            (tmp_path / "config.json").write_text(before, encoding="utf-8")
    edit_json(tmp_path / "config.json", sentence_transformers={"activation_fn": "torch.nn.modules.activation.Mish"})
    with pytest.raises(librag.Unsupported, match='activation_fn "Mish"'):
        librag.CrossEncoder(tmp_path)


def test_a_folder_that_sentence_transformers_saved(tmp_path: Path) -> None:
    write_classifier(tmp_path / "plain", "bert")
    oracle = sentence_transformers.CrossEncoder(str(tmp_path / "plain"), device="cpu")
    oracle.save_pretrained(str(tmp_path / "saved"))
    ours = librag.CrossEncoder(tmp_path / "saved")
    assert np.abs(ours.predict(PAIRS) - oracle.predict(PAIRS)).max() <= FP32


@pytest.mark.parametrize("family", FAMILIES)
def test_classifier_equals_transformers(family: str, tmp_path: Path) -> None:
    names = {0: "calm", 1: "windy", 2: "\u98ce"}
    model = write_classifier(tmp_path, family, 3, 1, id2label=names, label2id={name: i for i, name in names.items()})
    ours = librag.Classifier(tmp_path)
    assert ours.labels == list(names.values())
    raw = logits(model, tmp_path, TEXTS)
    shifted = np.exp(raw - raw.max(axis=1, keepdims=True))
    expected = shifted / shifted.sum(axis=1, keepdims=True)
    assert np.abs(ours.probabilities(TEXTS) - expected).max() <= FP32
    found = ours.predict(TEXTS)
    assert [one.label for one in found] == [names[int(i)] for i in raw.argmax(axis=1)]
    for one, row in zip(found, expected, strict=True):
        assert one.scores == pytest.approx(dict(zip(names.values(), row.tolist(), strict=True)), abs=FP32)
        assert one.score == max(one.scores.values())
    alone = ours.predict(TEXTS[0])
    assert alone.label == found[0].label
    assert alone.scores == pytest.approx(found[0].scores, abs=FP32)
    edit_json(tmp_path / "config.json", problem_type="multi_label_classification")
    several = librag.Classifier(tmp_path).probabilities(TEXTS)
    assert np.abs(several - 1 / (1 + np.exp(-raw))).max() <= FP32
    # Several labels: sentence-transformers gives the logits.
    assert np.abs(librag.CrossEncoder(tmp_path).predict(TEXTS) - raw).max() <= FP32 * spread(raw)
    with pytest.raises(librag.InvalidArgument, match="one score a pair, the model has 3 labels"):
        librag.CrossEncoder(tmp_path).rank(QUERY, TEXTS)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int8", "int4"])
@pytest.mark.parametrize("family", FAMILIES)
def test_saved_cross_encoders_compute_the_same(family: str, dtype: librag.models.Dtype, tmp_path: Path) -> None:
    model = write_classifier(tmp_path / "source", family, 3)
    ours = librag.CrossEncoder(tmp_path / "source", dtype=dtype, threads=1)
    scores = ours.predict(PAIRS, raw=True)
    ours.save(tmp_path / "saved")
    again = librag.CrossEncoder(tmp_path / "saved", dtype=dtype, threads=1)
    assert np.array_equal(again.predict(PAIRS, raw=True), scores)
    assert again.labels == ours.labels
    if dtype in ("float32", "bfloat16"):
        theirs = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "saved", dtype=torch.float32)
        raw = logits(model, tmp_path / "source", PAIRS)
        bar = FP32 if dtype == "float32" else BF16
        assert np.abs(logits(theirs.eval(), tmp_path / "saved", PAIRS) - raw).max() <= bar * spread(raw)


def test_heads_of_modernbert(tmp_path: Path) -> None:
    """Pooling, biases and activation of its head; each is seen."""
    seen: list[Floats] = []
    options: list[dict[str, Any]] = [
        {},
        {"classifier_pooling": "mean"},
        {"classifier_bias": True, "norm_bias": True, "attention_bias": True, "mlp_bias": True},
        {"classifier_activation": "relu"},
    ]
    for i, changes in enumerate(options):
        model = write_classifier(tmp_path / str(i), "modernbert", 2, **changes)
        raw = logits(model, tmp_path / str(i), PAIRS)
        got = librag.CrossEncoder(tmp_path / str(i)).predict(PAIRS)
        assert np.abs(got - raw).max() <= FP32 * spread(raw), changes
        for other in seen:
            assert np.abs(got - other).max() > BF16 * spread(raw), changes
        seen.append(got)


def test_a_bad_folder_is_refused_by_name(tmp_path: Path) -> None:
    write_classifier(tmp_path / "head", "bert")
    edit_json(tmp_path / "head" / "config.json", id2label={"0": "a", "1": "b"})
    with pytest.raises(librag.Corrupt, match=r"classifier.weight.* has shape \[1, 32\], the configuration asks for \[2, 32\]"):
        librag.CrossEncoder(tmp_path / "head")
    write_encoder(tmp_path / "body", "roberta", SHAPES[0])
    with pytest.raises(librag.Corrupt, match=r"classifier\.dense\.weight.* is missing"):
        librag.Classifier(tmp_path / "body")
    write_classifier(tmp_path / "fine", "bert")
    fine = librag.CrossEncoder(tmp_path / "fine")
    with pytest.raises(TypeError, match="row 1 is 'b', a pair of str is expected"):
        fine.predict([("a", "b"), "b"])


@pytest.fixture(scope="module")
def reranker(tmp_path_factory: pytest.TempPathFactory) -> librag.CrossEncoder:
    folder = tmp_path_factory.mktemp("reranker")
    write_classifier(folder, "bert")
    return librag.CrossEncoder(folder)


DOCUMENTS = [f"The boat {i} waits in the harbour of the river. {TEXTS[i % 3]}" for i in range(40)]


def test_an_engine_reranks(reranker: librag.CrossEncoder) -> None:
    with librag.Engine(reranker=reranker) as engine:
        assert engine.reranker is reranker
        engine.add(DOCUMENTS, ids=[str(i) for i in range(40)])
        query = "boats in the harbour"
        found = engine.search(query, k=40)
        scores = dict(zip((hit.id for hit in found), reranker.predict([(query, hit.text) for hit in found]), strict=True))
        expected = sorted(scores, key=lambda id: -float(scores[id]))
        hits = engine.search(query, k=5, rerank=True, explain=True)
        assert [hit.id for hit in hits] == expected[:5]
        for hit in hits:
            assert hit.score == pytest.approx(float(scores[hit.id]), abs=1e-5)
            part = hit.explain["reranker"]
            assert part["part"] == pytest.approx(hit.score)
            assert part["score"] == pytest.approx(hit.score)
        # Pages of the same ranking; a list of queries; only the best few read.
        assert [hit.id for hit in engine.search(query, k=5, offset=5, rerank=40)] == expected[5:10]
        assert [[hit.id for hit in one] for one in engine.search([query, query], k=5, rerank=True)] == [expected[:5]] * 2
        first = {hit.id for hit in engine.search(query, k=3)}
        assert {hit.id for hit in engine.search(query, k=3, rerank=3)} == first
        grouped = engine.search(query, k=4, rerank=True, group_by="document")
        assert [hit.id for hit in grouped] == expected[:4]
        diverse = engine.search(query, k=4, rerank=True, diversity=0.5)
        assert diverse[0].id == expected[0]
        assert engine.search(query, k=5, rerank=True, min_score=2.0) == []
        assert json.loads(json.dumps(engine.stats()))["reranker"] is not None
        with pytest.raises(librag.InvalidArgument, match="at most 1000 chunks are reranked"):
            engine.search(query, rerank=1001)


def test_reranking_needs_a_reranker_of_one_label(tmp_path: Path) -> None:
    with librag.Engine() as engine:
        engine.add("The boats wait.")
        with pytest.raises(librag.InvalidState, match="needs a reranker"):
            engine.search("boats", rerank=True)
    write_classifier(tmp_path, "bert", 3)
    with pytest.raises(librag.InvalidArgument, match="3 labels"):
        librag.Engine(reranker=tmp_path)


def test_an_engine_puts_prompts_before_queries_and_documents(tmp_path: Path) -> None:
    write_encoder(tmp_path, "bert", SHAPES[0])
    write_modules(tmp_path, 32, {"pooling_mode_mean_tokens": True}, normalize=True)
    write_json(
        tmp_path / "config_sentence_transformers.json",
        {"prompts": {"query": "river of: ", "document": "old mill: "}, "default_prompt_name": None},
    )
    encoder = librag.Encoder(tmp_path)
    with librag.Engine(embedder=encoder, vector_dtype="float32") as engine:
        engine.add(TEXTS[:7])
        hits = engine.search("boats", k=7, mode="vector")
        query, documents = encoder.encode_query("boats"), encoder.encode_document([hit.text for hit in hits])
        assert [hit.score for hit in hits] == pytest.approx((documents @ query).tolist(), abs=1e-5)
        plain = encoder.encode([hit.text for hit in hits]) @ encoder.encode("boats")
        assert np.abs(np.array([hit.score for hit in hits]) - plain).max() > 1e-2
