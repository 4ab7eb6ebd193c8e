"""librag.Tokenizer against Hugging Face tokenizers, through the whole Python face: ids, tokens, offsets in characters, type ids,
masks, decoded text. On small tokenizers of every option, on the published ones (tests/parity/published.py) with real texts, random
texts over all of Unicode and runs of 100 kB, and on the goldens that come with the shared data. The published ones are opened once
for all tests. Random tokenizers are in test_tokenizer_random.py, every code point in tests/tokenizer/test_parity.cpp."""

import gzip
import itertools
import json
import pathlib
import time
from collections.abc import Iterator

import compare
import librag
import published
import pytest
import random_texts
import real_texts

tokenizers = pytest.importorskip("tokenizers")

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FIXTURES = sorted((ROOT / "tests" / "tokenizer" / "fixtures").glob("*.jsonl"))
SEED = 20261125
SAMPLE_BYTES = 60_000  # of real texts for each tokenizer in CI; the reference does about 1 MB/s
RANDOM_TEXTS, MANY_RANDOM_TEXTS = 500, 25_000
RUN_BYTES = 100_000
# Far above what linear time takes on a busy machine (some ms), far below what quadratic time would (minutes).
RUN_SECONDS = 2.0


def agree(
    name: str,
    ours: compare.Encoder,
    theirs: compare.Encoder,
    cases: Iterator[tuple[str, str | None, bool]],
) -> int:
    """Compares every (text, pair, add_special_tokens); fails with the smallest texts that differ."""
    count = 0
    for text, pair, special in cases:
        count += 1
        if compare.difference(ours, theirs, text, pair, special) is not None:
            pytest.fail(compare.report(name, ours, theirs, text, pair, special), pytrace=False)
    return count


# --- small tokenizers --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_small_tokenizers(path: pathlib.Path, tmp_path: pathlib.Path) -> None:
    lines = path.read_text(encoding="utf-8").split("\n")
    (tmp_path / "tokenizer.json").write_text(lines[0], encoding="utf-8")
    ours = librag.Tokenizer.from_pretrained(tmp_path)
    theirs = tokenizers.Tokenizer.from_str(lines[0])
    assert ours.vocab_size == theirs.get_vocab_size()
    rows = [json.loads(line) for line in lines[1:] if line]
    for row in rows:
        if "error" in row:
            with pytest.raises(librag.RagError):
                ours.encode(row["text"], row.get("pair"), add_special_tokens=row["special"])
    agree(path.stem, ours, theirs, ((row["text"], row.get("pair"), row["special"]) for row in rows))
    for row in rows:
        pair = row.get("pair")
        found = compare.words_difference(ours, theirs, row["text"].split(" "), pair and pair.split(), row["special"])
        assert found is None, f"{path.stem}\n{found}"


# --- published tokenizers ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=published.ALL)
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> published.Both:
    try:
        return published.open_both(request.param, tmp_path_factory.mktemp("published"))
    except published.Missing as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def golden_texts(shared_data: pathlib.Path) -> list[str]:
    return real_texts.golden_texts(shared_data)


@pytest.mark.full
def test_vocabulary(both: published.Both) -> None:
    assert both.ours.vocab_size == both.theirs.get_vocab_size()
    for token, id in itertools.islice(both.theirs.get_vocab().items(), 0, None, 97):
        assert both.ours.token_to_id(token) == id
        assert both.ours.id_to_token(id) == both.theirs.id_to_token(id)


@pytest.mark.full
def test_texts_of_all_kinds(both: published.Both, golden_texts: list[str]) -> None:
    whole = ((text, None, True) for text in golden_texts)
    bare = ((text, None, False) for text in golden_texts[1::4])
    pairs = ((text, golden_texts[(index * 7) % len(golden_texts)], True) for index, text in enumerate(golden_texts[2::8]))
    assert agree(both.name, both.ours, both.theirs, itertools.chain(whole, bare, pairs)) > len(golden_texts)


@pytest.mark.full
def test_batches(both: published.Both, golden_texts: list[str]) -> None:
    texts = golden_texts[:60]
    mine = both.ours.encode_batch(texts)
    for ours, theirs in zip(mine, both.theirs.encode_batch(texts), strict=True):
        assert compare.encoding_fields(ours) == compare.encoding_fields(theirs)


def word_lists(texts: list[str], maker: random_texts.RandomTexts, count: int) -> Iterator[list[str]]:
    """Texts cut at their spaces, in single characters where there are none, and lists of random texts, empty ones among them."""
    for index in range(count):
        text = texts[index % len(texts)][:300]
        if index % 3 == 0:
            yield text.split()
        elif index % 3 == 1:
            yield list(text[:60]) if " " not in text else text.split(" ")
        else:
            yield [maker.next()[:40] for _ in range(index % 7)]


@pytest.mark.full
def test_words(both: published.Both, golden_texts: list[str]) -> None:
    maker = random_texts.RandomTexts(f"words {both.name}", real=golden_texts, fragments=both.added)
    lists = list(word_lists(golden_texts, maker, 300))
    for index, words in enumerate(lists):
        pair = lists[-index] if index % 4 == 0 else None
        found = compare.words_difference(both.ours, both.theirs, words, pair, special=index % 5 != 0)
        assert found is None, f"{both.name}\n{found}"
    mine = both.ours.encode_batch([*lists, (lists[0], lists[3])], is_pretokenized=True, threads=2)
    alone = [*(both.ours.encode(words, is_pretokenized=True) for words in lists)]
    alone.append(both.ours.encode(lists[0], lists[3], is_pretokenized=True))
    assert [compare.encoding_fields(one) for one in mine] == [compare.encoding_fields(one) for one in alone]


@pytest.mark.full
@pytest.mark.parametrize("stride", [0, 2])
def test_words_are_truncated(both: published.Both, golden_texts: list[str], stride: int) -> None:
    maker = random_texts.RandomTexts(f"windows {both.name}", real=golden_texts, fragments=both.added)
    both.theirs.enable_truncation(9, stride=stride)
    try:
        for index, words in enumerate(word_lists(golden_texts, maker, 60)):
            found = compare.words_difference(both.ours, both.theirs, words[:30], None, max_length=9, stride=stride)
            assert found is None, f"{both.name}, list {index}\n{found}"
    finally:
        both.theirs.no_truncation()


@pytest.mark.full
def test_sample_of_real_texts(both: published.Both, shared_data: pathlib.Path) -> None:
    texts = real_texts.sample(shared_data, SAMPLE_BYTES, SEED)
    assert agree(both.name, both.ours, both.theirs, ((text, None, True) for text in texts)) > 100


@pytest.mark.long
def test_all_real_texts(both: published.Both, shared_data: pathlib.Path) -> None:
    texts = real_texts.all_texts(shared_data)
    assert agree(both.name, both.ours, both.theirs, ((text, None, True) for text in texts)) > 50_000


def random_cases(both: published.Both, texts: list[str], count: int) -> Iterator[tuple[str, str | None, bool]]:
    maker = random_texts.RandomTexts(f"{SEED} {both.name}", real=texts, fragments=both.added)
    for index in range(count):
        yield maker.next(), maker.next() if index % 8 == 0 else None, index % 3 != 0


@pytest.mark.full
def test_random_texts(both: published.Both, golden_texts: list[str]) -> None:
    agree(both.name, both.ours, both.theirs, random_cases(both, golden_texts, RANDOM_TEXTS))


@pytest.mark.long
def test_many_random_texts(both: published.Both, golden_texts: list[str]) -> None:
    agree(both.name, both.ours, both.theirs, random_cases(both, golden_texts, MANY_RANDOM_TEXTS))


def check_runs(both: published.Both, names: list[str]) -> None:
    for name in names:
        text = random_texts.long_run(random_texts.RUNS[name], RUN_BYTES)
        started = time.perf_counter()
        both.ours.encode(text)
        assert time.perf_counter() - started < RUN_SECONDS, f"{both.name}: {len(text)} characters of {name!r}"
        agree(f"{both.name}, a run of {name!r}", both.ours, both.theirs, iter([(text, None, False)]))


@pytest.mark.full
def test_some_long_runs(both: published.Both) -> None:
    place = published.ALL.index(both.name)
    names = list(random_texts.RUNS)
    check_runs(both, [names[(3 * place + step) % len(names)] for step in range(3)])


@pytest.mark.long
def test_all_long_runs(both: published.Both) -> None:
    check_runs(both, list(random_texts.RUNS))


# --- other files of the same tokenizers --------------------------------------------------------------------------------------------


@pytest.mark.full
def test_minilm_truncates_and_pads_as_its_file_says(encoder_path: pathlib.Path, golden_texts: list[str]) -> None:
    theirs = tokenizers.Tokenizer.from_file(str(encoder_path / "tokenizer.json"))
    assert theirs.truncation is not None
    assert theirs.padding is not None
    ours = librag.Tokenizer.from_pretrained(encoder_path)
    agree("MiniLM", ours, theirs, ((text, None, True) for text in golden_texts))
    for mine, other in zip(ours.encode_batch(golden_texts[:50]), theirs.encode_batch(golden_texts[:50]), strict=True):
        assert compare.encoding_fields(mine) == compare.encoding_fields(other)


@pytest.mark.full
def test_vocabulary_text_is_the_same_bert(encoder_path: pathlib.Path, golden_texts: list[str]) -> None:
    theirs = tokenizers.Tokenizer.from_file(str(encoder_path / "tokenizer.json"))
    theirs.no_truncation()
    theirs.no_padding()
    agree(
        "vocab.txt", librag.Tokenizer.from_pretrained(encoder_path / "vocab.txt"), theirs, ((t, None, True) for t in golden_texts)
    )


# --- goldens of the shared data ----------------------------------------------------------------------------------------------------

# Vocabularies that Hugging Face's library does not read; their goldens come from tiktoken, sentencepiece and a greedy match.
OTHER_FILES = {
    "cl100k_base": ("cl100k_base.tiktoken", "pattern.txt"),
    "rwkv_world": ("rwkv_vocab_v20230424.txt",),
    "spm_bpemb_en_100k": ("model.spm",),
}


def golden_file(name: str, folder: pathlib.Path, scratch: pathlib.Path) -> pathlib.Path:
    if name in published.SHARED:
        return published.source_file(name, scratch)
    for file in OTHER_FILES[name]:
        packed = folder / f"{file}.gz"
        data = gzip.decompress(packed.read_bytes()) if packed.exists() else (folder / file).read_bytes()
        (scratch / file).write_bytes(data)
    return scratch / OTHER_FILES[name][0]


@pytest.mark.full
@pytest.mark.parametrize("name", [*published.SHARED, *OTHER_FILES])
def test_goldens(name: str, shared_data: pathlib.Path, tmp_path: pathlib.Path) -> None:
    folder = shared_data / "tokenizers" / name
    ours = librag.Tokenizer.from_pretrained(golden_file(name, folder, tmp_path))
    texts = {row["id"]: row["text"] for row in real_texts.rows(shared_data / "tokenizers" / "texts.jsonl.gz")}
    compared = 0
    for row in real_texts.rows(folder / "golden.jsonl.gz"):
        text = texts[row["id"]]
        encoding = ours.encode(text, add_special_tokens=False)
        assert list(encoding.ids) == row["ids"], ascii(text)
        compared += 1
        if "decoded" in row:
            assert list(ours.encode(text).ids) == (row["ids_special"] or row["ids"]), ascii(text)
            assert ours.decode(row["ids"], skip_special_tokens=False) == row["decoded"], ascii(text)
        if row.get("offsets") is not None:
            assert [list(pair) for pair in encoding.offsets] == row["offsets"], ascii(text)
        if "pieces" in row:
            assert list(encoding.tokens) == row["pieces"], ascii(text)
    assert compared > 1000


@pytest.mark.full
@pytest.mark.parametrize(
    ("name", "source"),
    [("GPT2Tokenizer", "gpt2"), ("RobertaTokenizer", "roberta-base"), ("CLIPTokenizer", "clip"), ("Qwen2Tokenizer", "qwen3")],
)
def test_a_folder_of_vocabulary_and_merges_is_transformers_class(
    name: str, source: str, golden_texts: list[str], tmp_path: pathlib.Path
) -> None:
    transformers = pytest.importorskip("transformers")
    try:
        model = json.loads(published.source_file(source, tmp_path).read_text(encoding="utf-8"))["model"]
    except published.Missing as missing:
        pytest.skip(str(missing))
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "vocab.json").write_text(json.dumps(model["vocab"]), encoding="utf-8")
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": name}), encoding="utf-8")
    theirs = getattr(transformers, name).from_pretrained(str(folder)).backend_tokenizer
    # transformers decodes CLIP's ids with a Python function around the tokenizer, which no file can say: as in tokenizer.json, what
    # ends a word stays visible here.
    ignore = ("decoded", "decoded_all") if name == "CLIPTokenizer" else ()
    ours = librag.Tokenizer.from_pretrained(folder)
    maker = random_texts.RandomTexts(f"{SEED} {name}", real=golden_texts, fragments=())
    for index, text in enumerate([*golden_texts[::3], *(maker.next() for _ in range(200))]):
        case = (text, golden_texts[index] if index % 5 == 0 else None, index % 3 != 0)
        assert compare.difference(ours, theirs, *case, ignore=ignore) is None, compare.report(
            name, ours, theirs, *case, ignore=ignore
        )
