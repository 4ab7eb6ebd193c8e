"""Losses and optimiser steps of the tasks over vectors and scores, beside sentence-transformers' own losses and torch's AdamW: one batch holds
all rows, so that both see the same, without dropout, in float32."""

import pathlib
from typing import Any

import librag
import numpy as np
import pytest
from librag.models import CrossEncoder

pytestmark = pytest.mark.full
torch = pytest.importorskip("torch")
sentence_transformers = pytest.importorskip("sentence_transformers")

THINGS = ("red house", "green water", "blue time", "first people", "other words", "new city", "old year", "long day")
ROWS = [
    {"query": f"what is {t}", "positive": f"{t} is good", "negatives": [f"no {u}"]}
    for t, u in zip(THINGS, THINGS[1:] + THINGS[:1], strict=True)
]
STEPS = 10
SETTINGS: dict[str, Any] = {
    "method": "full",
    "dtype": "float32",
    "dropout": 0.0,
    "threads": 1,
    "epochs": STEPS,
    "batch_size": len(ROWS),
    "schedule": "constant",
    "warmup_ratio": 0.0,
    "learning_rate": 1e-3,
    "max_grad_norm": 0.0,
    "weight_decay": 0.0,
}


def losses_of(result: librag.TrainResult) -> list[float]:
    return [line["loss"] for line in result.history if "loss" in line]


def oracle_losses(model: Any, loss: Any) -> list[float]:
    """``loss()`` before each of STEPS steps of AdamW on all parameters of ``model``."""
    model.eval()
    optimizer = torch.optim.AdamW(model.parameters(), lr=SETTINGS["learning_rate"], weight_decay=0.0)
    out = []
    for _ in range(STEPS):
        value = loss()
        out.append(float(value.detach()))
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    return out


def features(model: Any, texts: list[str]) -> Any:
    return model.preprocess(texts) if hasattr(model, "preprocess") else model.tokenize(texts)


@pytest.fixture
def bert(fixtures_dir: pathlib.Path) -> pathlib.Path:
    return fixtures_dir / "tiny_bert"


@pytest.mark.parametrize("micro_tokens", [4096, 25])
def test_contrastive_is_multiple_negatives_ranking(bert: pathlib.Path, tmp_path: pathlib.Path, micro_tokens: int) -> None:
    result = librag.Trainer(bert, "contrastive", SETTINGS, micro_tokens=micro_tokens, output=tmp_path / "run").fit(ROWS)
    model = sentence_transformers.SentenceTransformer(str(bert))
    from sentence_transformers.sentence_transformer import losses

    criterion = losses.MultipleNegativesRankingLoss(model)
    columns = [[row["query"] for row in ROWS], [row["positive"] for row in ROWS], [row["negatives"][0] for row in ROWS]]
    theirs = oracle_losses(model, lambda: criterion([features(model, column) for column in columns], None))
    assert losses_of(result) == pytest.approx(theirs, rel=1e-3, abs=1e-4)
    assert theirs[-1] < 0.5 * theirs[0]
    texts = [row["query"] for row in ROWS]
    np.testing.assert_allclose(librag.Encoder(result.path).encode(texts), model.encode(texts), atol=1e-3)


@pytest.mark.parametrize("loss", ["listwise", "binary"])
def test_rerank_is_cross_entropy_over_scores(fixtures_dir: pathlib.Path, tmp_path: pathlib.Path, loss: str) -> None:
    path = fixtures_dir / "tiny_cross_encoder"
    result = librag.Trainer(path, "rerank", SETTINGS, rerank_loss=loss, output=tmp_path / "run").fit(ROWS)
    import transformers

    model = transformers.AutoModelForSequenceClassification.from_pretrained(path)
    tokenizer = transformers.AutoTokenizer.from_pretrained(path)
    pairs = [(row["query"], text) for row in ROWS for text in (row["positive"], row["negatives"][0])]
    batch = tokenizer([one for one, _ in pairs], [two for _, two in pairs], padding=True, truncation=True, return_tensors="pt")

    def value() -> Any:
        scores = model(**batch).logits.view(len(ROWS), 2)
        if loss == "listwise":
            return torch.nn.functional.cross_entropy(scores, torch.zeros(len(ROWS), dtype=torch.long))
        targets = torch.tensor([[1.0, 0.0]] * len(ROWS))
        return torch.nn.functional.binary_cross_entropy_with_logits(scores, targets)

    theirs = oracle_losses(model, value)
    assert losses_of(result) == pytest.approx(theirs, rel=1e-3, abs=1e-4)
    assert theirs[-1] < theirs[0]
    with torch.no_grad():
        scores = model(**batch).logits[:, 0].sigmoid().numpy()
    np.testing.assert_allclose(CrossEncoder(result.path).predict(pairs), scores, atol=1e-3)


def test_distill_is_the_mean_squared_error_of_vectors(bert: pathlib.Path, tmp_path: pathlib.Path) -> None:
    texts = [f"{thing} is good" for thing in THINGS]
    result = librag.Trainer(bert, "distill", SETTINGS, teacher=bert, keep_layers=[1], output=tmp_path / "run").fit(
        [{"text": text} for text in texts]
    )
    teacher = torch.tensor(librag.Encoder(bert).encode(texts))
    model = sentence_transformers.SentenceTransformer(str(bert))
    layers = model[0].auto_model.encoder.layer
    model[0].auto_model.encoder.layer = torch.nn.ModuleList([layers[1]])
    from sentence_transformers.sentence_transformer import losses

    criterion = losses.MSELoss(model)
    theirs = oracle_losses(model, lambda: criterion([features(model, texts)], teacher))
    assert losses_of(result) == pytest.approx(theirs, rel=1e-3, abs=1e-6)
    assert theirs[-1] < 0.5 * theirs[0]


def test_the_command_line_trains_resumes_and_repeats(
    bert: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import json

    from librag.cli import app
    from typer.testing import CliRunner

    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"text": thing, "label": thing.split()[0][0] > "m"}) + "\n" for thing in THINGS))
    config = tmp_path / "config.toml"
    config.write_text('method = "full"\nepochs = 2\nbatch_size = 4\nthreads = 1\n')
    run = CliRunner().invoke
    common = [str(bert), "classification", str(rows), "--config", str(config)]
    first = run(app, ["train", *common, "--eval", str(rows), "--set", "seed=7", "--output", str(tmp_path / "one")])
    assert first.exit_code == 0, first.output
    assert "accuracy" in first.output
    assert "4 steps" in first.output
    assert json.loads((tmp_path / "one/manifest.json").read_text())["config"]["seed"] == 7
    again = run(app, ["train", "--manifest", str(tmp_path / "one/manifest.json"), "--output", str(tmp_path / "two")])
    assert again.exit_code == 0, again.output
    weights = "model/model.safetensors"
    assert (tmp_path / "one" / weights).read_bytes() == (tmp_path / "two" / weights).read_bytes()
    refused = run(app, ["train", *common, "--output", str(tmp_path / "one")])
    assert refused.exit_code == 1
    assert "holds a run" in refused.output
    other = run(app, ["train", *common, "--eval", str(rows), "--output", str(tmp_path / "one"), "--resume"])
    assert other.exit_code == 1
    assert "the setting seed" in other.output
    for arguments in (["train", "model"], ["train", *common, "--set", "seed"], ["train", *common, "--manifest", "x"]):
        assert run(app, arguments).exit_code != 0
    assert "no setting" in run(app, ["train", *common, "--set", "sed=1"]).output
