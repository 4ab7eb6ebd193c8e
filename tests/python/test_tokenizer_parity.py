"""librag.Tokenizer against Hugging Face tokenizers, through the whole Python face: ids, tokens, offsets in characters, masks, decoded
text. The wide comparison (random texts, every code point, every stage) is tests/tokenizer/test_parity.cpp."""

import gzip
import json
import pathlib

import librag
import pytest

tokenizers = pytest.importorskip("tokenizers")

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FIXTURES = sorted((ROOT / "tests" / "tokenizer" / "fixtures").glob("*.jsonl"))


def compare(ours: librag.Encoding, theirs: "tokenizers.Encoding") -> None:
    assert list(ours.ids) == theirs.ids
    assert list(ours.tokens) == theirs.tokens
    assert [tuple(o) for o in ours.offsets] == theirs.offsets
    assert list(ours.type_ids) == theirs.type_ids
    assert list(ours.attention_mask) == theirs.attention_mask


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_small_tokenizers(path: pathlib.Path, tmp_path: pathlib.Path) -> None:
    lines = path.read_text(encoding="utf-8").split("\n")
    (tmp_path / "tokenizer.json").write_text(lines[0], encoding="utf-8")
    ours = librag.Tokenizer.from_pretrained(tmp_path)
    theirs = tokenizers.Tokenizer.from_str(lines[0])
    assert ours.vocab_size == theirs.get_vocab_size()
    for line in lines[1:]:
        if not line:
            continue
        row = json.loads(line)
        arguments = (row["text"], row.get("pair"))
        if "error" in row:
            with pytest.raises(librag.RagError):
                ours.encode(*arguments, add_special_tokens=row["special"])
            continue
        encoding = theirs.encode(*arguments, add_special_tokens=row["special"])
        compare(ours.encode(*arguments, add_special_tokens=row["special"]), encoding)
        for skip in (True, False):
            assert ours.decode(encoding.ids, skip_special_tokens=skip) == theirs.decode(encoding.ids, skip_special_tokens=skip)


def real_texts(shared_data: pathlib.Path) -> list[str]:
    with gzip.open(shared_data / "tokenizers" / "texts.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line)["text"] for line in file]


def check_texts(ours: librag.Tokenizer, theirs: "tokenizers.Tokenizer", texts: list[str]) -> None:
    for text in texts:
        encoding = theirs.encode(text)
        compare(ours.encode(text), encoding)
        assert ours.decode(encoding.ids) == theirs.decode(encoding.ids)
    for mine, encoding in zip(ours.encode_batch(texts[:50]), theirs.encode_batch(texts[:50]), strict=True):
        compare(mine, encoding)


def test_minilm(encoder_path: pathlib.Path, shared_data: pathlib.Path) -> None:
    theirs = tokenizers.Tokenizer.from_file(str(encoder_path / "tokenizer.json"))
    check_texts(librag.Tokenizer.from_pretrained(encoder_path), theirs, real_texts(shared_data))


def test_vocabulary_text_is_the_same_bert(encoder_path: pathlib.Path, shared_data: pathlib.Path) -> None:
    theirs = tokenizers.Tokenizer.from_file(str(encoder_path / "tokenizer.json"))
    theirs.no_truncation()
    theirs.no_padding()
    check_texts(librag.Tokenizer.from_pretrained(encoder_path / "vocab.txt"), theirs, real_texts(shared_data))


def test_smollm2(generator_path: pathlib.Path, shared_data: pathlib.Path) -> None:
    transformers = pytest.importorskip("transformers")
    folder, file = str(generator_path.parent), generator_path.name
    theirs = transformers.AutoTokenizer.from_pretrained(folder, gguf_file=file).backend_tokenizer
    # What the file's pre-tokenizer name stands for; transformers' own conversion forgets the digits.
    theirs.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
        [
            tokenizers.pre_tokenizers.Digits(individual_digits=True),
            tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    check_texts(librag.Tokenizer.from_pretrained(generator_path), theirs, real_texts(shared_data))
