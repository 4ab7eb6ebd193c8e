"""librag.new_encoder: what its vocabulary is made of, that transformers reads the folder with the same ids and vectors, and that it learns."""

import pathlib
from typing import Any

import librag
import numpy as np
import pytest

CHINESE = [
    "\u9ad8\u8840\u538b\u60a3\u8005\u53ef\u4ee5\u559d\u9152\u5417\uff1f",
    "\u9ad8\u8840\u538b\u7684\u75c7\u72b6\u6709\u54ea\u4e9b?",
    "\u80c3\u75db\u600e\u4e48\u529e",
    "\u60a3\u8005\u80c3\u75db\uff0c\u9ad8\u8840\u538b\u3002",
]
ENGLISH = ["The Caf\u00e9 opens at nine.", "the cafe's patients, 42 of them", "Nine patients drink coffee"]
TEXTS = 2 * (CHINESE + ENGLISH)
SMALL = {"hidden": 32, "layers": 2, "heads": 2, "max_tokens": 64, "min_count": 2}
HIGH_BLOOD_PRESSURE, PATIENT, STOMACH_ACHE = "\u9ad8\u8840\u538b", "\u60a3\u8005", "\u80c3\u75db"


def test_the_vocabulary_is_characters_and_words(tmp_path: pathlib.Path) -> None:
    folder = librag.new_encoder(tmp_path / "base", TEXTS, **SMALL)
    tokenizer = librag.Tokenizer.from_pretrained(folder)
    assert tokenizer.encode(CHINESE[3]).tokens == [
        "[CLS]",
        PATIENT,
        STOMACH_ACHE,
        "\uff0c",
        HIGH_BLOOD_PRESSURE,
        "\u3002",
        "[SEP]",
    ]
    assert tokenizer.encode("CAF\u00c9 patients 42!").tokens == ["[CLS]", "cafe", "patients", "42", "[UNK]", "[SEP]"]
    # A word that was never seen is read by its characters.
    assert tokenizer.encode("canoe").tokens == ["[CLS]", "c", "a", "n", "o", "e", "[SEP]"]
    assert "[UNK]" not in [token for text in TEXTS for token in tokenizer.encode(text).tokens]


def test_characters_come_before_words(tmp_path: pathlib.Path) -> None:
    folder = librag.new_encoder(tmp_path / "base", TEXTS, vocab_size=20, **SMALL)
    tokenizer = librag.Tokenizer.from_pretrained(folder)
    assert tokenizer.vocab_size == 20
    assert tokenizer.token_to_id("e") is not None
    assert tokenizer.token_to_id("patients") is None


def test_the_same_arguments_give_the_same_bytes(tmp_path: pathlib.Path) -> None:
    one, other, third = (librag.new_encoder(tmp_path / str(seed), TEXTS, seed=seed // 2, **SMALL) for seed in (2, 3, 4))
    files = sorted(path.name for path in one.iterdir())
    assert files == ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
    assert all((one / name).read_bytes() == (other / name).read_bytes() for name in files)
    assert (one / "model.safetensors").read_bytes() != (third / "model.safetensors").read_bytes()


def test_transformers_reads_the_same(tmp_path: pathlib.Path) -> None:
    import torch
    import transformers

    folder = librag.new_encoder(tmp_path / "base", TEXTS, **SMALL)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    ours = librag.Tokenizer.from_pretrained(folder)
    for text in [*TEXTS, "na\u00efve " + CHINESE[0] * 40, ""]:
        assert tokenizer(text)["input_ids"] == ours.encode(text).ids
    vectors = librag.Encoder(folder).encode(CHINESE + ENGLISH, normalize=False)
    with torch.no_grad():
        for text, vector in zip(CHINESE + ENGLISH, vectors, strict=True):
            states = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
            np.testing.assert_allclose(vector, states.mean(0).numpy(), atol=1e-4)


def test_it_learns_words_and_then_labels(tmp_path: pathlib.Path) -> None:
    folder = librag.new_encoder(tmp_path / "base", TEXTS, **SMALL)
    quick: dict[str, Any] = {"method": "full", "dtype": "float32", "threads": 1, "batch_size": 8, "dropout": 0.0}
    plain = [{"text": text} for text in TEXTS]
    words = librag.Trainer(folder, "masked_lm", quick, epochs=10, learning_rate=1e-2, output=tmp_path / "words").fit(
        plain, eval=plain
    )
    assert words.metrics["eval_loss"] < words.before["eval_loss"] - 0.5
    rows = [{"text": text, "label": "zh" if text in CHINESE else "en"} for text in TEXTS]
    labels = librag.Trainer(words.path, "classification", quick, epochs=20, learning_rate=3e-3, output=tmp_path / "labels").fit(
        rows, eval=rows
    )
    assert labels.metrics["accuracy"] == 1.0
    assert librag.Classifier(labels.path).predict(CHINESE[1]).label == "zh"


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"heads": 3}, librag.InvalidArgument, "hidden is 32, no multiple of the 3 heads"),
        ({"vocab_size": 5}, librag.InvalidArgument, "vocab_size is 5"),
        ({"layers": 0}, librag.InvalidArgument, "layers is 0"),
        ({"min_count": 10_000}, librag.InvalidArgument, "no character occurs 10000 times"),
        ({"texts": "one text"}, TypeError, "texts must be several"),
    ],
)
def test_what_is_wrong_is_named_and_leaves_nothing(
    arguments: dict[str, Any], error: type[Exception], said: str, tmp_path: pathlib.Path
) -> None:
    given = {"texts": TEXTS, **SMALL, **arguments}
    with pytest.raises(error, match=said):
        librag.new_encoder(tmp_path / "base", **given)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_stays(tmp_path: pathlib.Path) -> None:
    with pytest.raises(librag.AlreadyExists, match="exists already"):
        librag.new_encoder(tmp_path, TEXTS, **SMALL)

    def failing() -> Any:
        yield TEXTS[0]
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        librag.new_encoder(tmp_path / "base", failing(), **SMALL)
    assert list(tmp_path.iterdir()) == []
