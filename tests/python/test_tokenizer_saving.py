"""Saved tokenizers: Hugging Face reads the tokenizer.json with the same results, and so do we; what it cannot say is refused by name."""

import gzip
import json
import pathlib
import pickle

import librag
import pytest
from compare import encoding_fields

tokenizers = pytest.importorskip("tokenizers")

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "tokenizer" / "fixtures"
PUBLISHED = [
    "bert-base-cased",
    "bert-base-uncased",
    "gpt2",
    "roberta-base",
    "whisper-tiny",
    "deepseek-coder",
    "refact",
    "clip",
    "t5-small",
]


def unpack(file: pathlib.Path, to: pathlib.Path) -> pathlib.Path:
    to.write_bytes(gzip.decompress(file.read_bytes()))
    return to


def golden_texts(shared_data: pathlib.Path) -> list[str]:
    lines = gzip.decompress((shared_data / "tokenizers" / "texts.jsonl.gz").read_bytes()).decode().split("\n")
    return [json.loads(line)["text"] for line in lines if line]


def check_saved(original: librag.Tokenizer, path: pathlib.Path, texts: list[str]) -> None:
    theirs = tokenizers.Tokenizer.from_file(str(path))
    again = librag.Tokenizer.from_pretrained(path)
    assert original.get_vocab() == theirs.get_vocab() == again.get_vocab()
    for text in texts:
        try:
            expected = original.encode(text)
        except librag.InvalidArgument:
            continue
        assert encoding_fields(expected) == encoding_fields(again.encode(text)) == encoding_fields(theirs.encode(text))
        assert original.decode(expected.ids) == theirs.decode(expected.ids) == again.decode(expected.ids)


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*.jsonl")), ids=lambda path: path.stem)
def test_saved_tokenizers_are_read_by_hugging_face(path: pathlib.Path, tmp_path: pathlib.Path) -> None:
    lines = path.read_text(encoding="utf-8").split("\n")
    original = librag.Tokenizer.from_json(lines[0])
    original.save(tmp_path / "tokenizer.json")
    check_saved(original, tmp_path / "tokenizer.json", [json.loads(line)["text"] for line in lines[1:] if line])
    assert librag.Tokenizer.from_pretrained(tmp_path).to_json() == original.to_json()


def test_a_vocabulary_text_and_a_gguf_file_are_saved(
    encoder_path: pathlib.Path, generator_path: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    texts = ["Hello, world! 1234", "caf\u00e9 \u4e2d\u6587 \U0001f469\u200d\U0001f4bb", "", "a" * 300, "[MASK]<|im_start|>"]
    for source in (encoder_path / "vocab.txt", encoder_path / "tokenizer.json", generator_path):
        original = librag.Tokenizer.from_pretrained(source)
        original.save(tmp_path / "saved.json")
        check_saved(original, tmp_path / "saved.json", texts)


@pytest.mark.full
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_tokenizers_are_saved(name: str, shared_data: pathlib.Path, tmp_path: pathlib.Path) -> None:
    source = unpack(shared_data / "tokenizers" / name / "tokenizer.json.gz", tmp_path / "tokenizer.json")
    original = librag.Tokenizer.from_pretrained(source)
    original.save(tmp_path / "saved.json")
    check_saved(original, tmp_path / "saved.json", golden_texts(shared_data)[::5])
    # Scores are the same to the last bit, as the package itself has them: it rounds when it reads.
    before, after = (
        json.loads(tokenizers.Tokenizer.from_file(str(file)).to_str())["model"] for file in (source, tmp_path / "saved.json")
    )
    if before["type"] == "Unigram":
        assert before["vocab"] == after["vocab"]


@pytest.mark.full
def test_vocabularies_of_other_formats_are_saved_or_refused_by_name(shared_data: pathlib.Path, tmp_path: pathlib.Path) -> None:
    folder = shared_data / "tokenizers"
    for name in ("vocab.json", "merges.txt"):
        unpack(folder / "gpt2" / f"{name}.gz", tmp_path / name)
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "GPT2Tokenizer"}')
    original = librag.Tokenizer.from_pretrained(tmp_path)
    original.save(tmp_path / "saved.json")
    check_saved(original, tmp_path / "saved.json", golden_texts(shared_data)[::5])
    tiktoken = unpack(folder / "cl100k_base" / "cl100k_base.tiktoken.gz", tmp_path / "cl100k_base.tiktoken")
    ranked = librag.Tokenizer.from_pretrained(tiktoken)
    ranked.save(tmp_path / "tiktoken.json")
    texts = golden_texts(shared_data) + [" " * count for count in range(100)] + ["\n " * count for count in range(30)]
    check_saved(ranked, tmp_path / "tiktoken.json", texts)
    assert pickle.loads(pickle.dumps(ranked)).encode(texts[0]) == ranked.encode(texts[0])
    rwkv = unpack(folder / "rwkv_world" / "rwkv_vocab_v20230424.txt.gz", tmp_path / "rwkv_vocab.txt")
    with pytest.raises(librag.Unsupported, match="longest token"):
        librag.Tokenizer.from_pretrained(rwkv).save(tmp_path / "rwkv.json")
    assert not (tmp_path / "rwkv.json").exists()


@pytest.mark.full
def test_sentencepiece_models_are_saved_where_hugging_face_can_do_the_same(
    shared_data: pathlib.Path, tokenizers_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    pytest.importorskip("sentencepiece")
    from make_vocabularies import hard_texts, llama2_as_sentencepiece, trained

    texts = [*golden_texts(shared_data), *hard_texts()]
    plain = {"normalization_rule_name": "identity", "remove_extra_whitespaces": False}
    small = trained(vocab_size=600, model_type="bpe", byte_fallback=True, **plain)
    no_prefix = trained(vocab_size=600, model_type="bpe", byte_fallback=True, add_dummy_prefix=False, **plain)
    published = tokenizers_dir / "llama2" / "tokenizer.json"
    llama2 = llama2_as_sentencepiece(json.loads(published.read_text(encoding="utf-8")))
    for model in (small, no_prefix, llama2):
        (tmp_path / "tokenizer.model").write_bytes(model)
        original = librag.Tokenizer.from_pretrained(tmp_path / "tokenizer.model")
        original.save(tmp_path / "saved.json")
        check_saved(original, tmp_path / "saved.json", texts)
    # In a folder that names the class: what Hugging Face publishes for that model.
    (tmp_path / "tokenizer_config.json").write_text(
        '{"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}'
    )
    original = librag.Tokenizer.from_pretrained(tmp_path)
    original.save(tmp_path / "saved.json")
    saved, theirs = (tokenizers.Tokenizer.from_file(str(file)) for file in (tmp_path / "saved.json", published))
    for text in texts:
        expected = theirs.encode(text)
        for found in (original.encode(text), saved.encode(text)):
            assert (found.ids, found.offsets, found.tokens) == (expected.ids, expected.offsets, expected.tokens)
        assert original.decode(expected.ids) == saved.decode(expected.ids) == theirs.decode(expected.ids)
    (tmp_path / "other.model").write_bytes(trained(vocab_size=300, model_type="unigram"))
    other = librag.Tokenizer.from_pretrained(tmp_path / "other.model")
    with pytest.raises(librag.Unsupported, match="single precision"):
        other.save(tmp_path / "other.json")
    assert not (tmp_path / "other.json").exists()
