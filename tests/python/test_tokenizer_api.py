"""The tokenizer's Python face: options a call, overflowing windows, batches, streams, pickles; compared with Hugging Face tokenizers
on small vocabularies, with texts and settings that hypothesis makes up."""

import copy
import json
import pathlib
import pickle
import threading
import time
from collections.abc import Iterator

import librag
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

tokenizers = pytest.importorskip("tokenizers")

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "tokenizer" / "fixtures"
# One for each way of post-processing: BERT's template, RoBERTa's, trimmed offsets, none.
NAMES = ["word_piece", "byte_level", "byte_level_prefix", "byte_level_split", "added_tokens", "characters_fused"]


def fixture_json(name: str) -> str:
    document = json.loads((FIXTURES / f"{name}.jsonl").read_text(encoding="utf-8").split("\n")[0])
    document["truncation"] = document["padding"] = None
    return json.dumps(document, ensure_ascii=False)


POST = {
    "none": None,
    "bert": tokenizers.processors.BertProcessing(("[SEP]", 1), ("[CLS]", 0)),
    "roberta": tokenizers.processors.RobertaProcessing(("[SEP]", 1), ("[CLS]", 0)),
    "template": tokenizers.processors.TemplateProcessing(
        "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", [("[CLS]", 0), ("[SEP]", 1)]
    ),
    "backwards": tokenizers.processors.TemplateProcessing("$A [SEP] $A:3", "[CLS] $B:4 [SEP] $A:2", [("[CLS]", 0), ("[SEP]", 1)]),
    "twice": tokenizers.processors.TemplateProcessing("$A $A:2", "$A:1 $B:2 [SEP]:3 $A:4", [("[SEP]", 1)]),
}


def words(post: str) -> "tokenizers.Tokenizer":
    """Every word is a token, unknown ones too: what is compared is everything around the model."""
    vocabulary = {word: id for id, word in enumerate(["[CLS]", "[SEP]", "[UNK]", *"abcdefgh"])}
    model = tokenizers.models.WordPiece(vocabulary, unk_token="[UNK]")
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    if POST[post] is not None:
        tokenizer.post_processor = POST[post]
    return tokenizer


def pairs_of(name: str) -> "tuple[librag.Tokenizer, tokenizers.Tokenizer]":
    text = words(name).to_str() if name in POST else fixture_json(name)
    return librag.Tokenizer.from_json(text), tokenizers.Tokenizer.from_str(text)


TOKENIZERS = {name: pairs_of(name) for name in [*POST, *NAMES]}
TEXTS = st.one_of(
    st.lists(st.sampled_from([*"abcdefgh", "x", "\u4e2d", "caf\u00e9", ".", "[SEP]"]), max_size=12).map(" ".join),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
)


def compare(ours: librag.Encoding, theirs: "tokenizers.Encoding") -> None:
    assert ours.ids == theirs.ids
    assert ours.tokens == theirs.tokens
    assert ours.offsets == theirs.offsets
    assert ours.type_ids == theirs.type_ids
    assert ours.attention_mask == theirs.attention_mask
    assert ours.special_tokens_mask == theirs.special_tokens_mask
    assert ours.sequence_ids == theirs.sequence_ids
    assert ours.word_ids == theirs.word_ids
    assert len(ours.overflowing) == len(theirs.overflowing)
    for mine, other in zip(ours.overflowing, theirs.overflowing, strict=True):
        compare(mine, other)


@settings(deadline=None, max_examples=400)
@given(
    name=st.sampled_from(sorted(TOKENIZERS)),
    text=TEXTS,
    pair=st.none() | TEXTS,
    special=st.booleans(),
    length=st.integers(0, 14),
    stride=st.integers(0, 4),
    strategy=st.sampled_from(["longest_first", "only_first", "only_second"]),
    side=st.sampled_from(["left", "right"]),
    padding=st.none() | st.integers(0, 12),
    multiple=st.none() | st.integers(1, 5),
    pad_side=st.sampled_from(["left", "right"]),
)
def test_truncation_and_padding_are_those_of_hugging_face(
    name, text, pair, special, length, stride, strategy, side, padding, multiple, pad_side
) -> None:
    ours, theirs = TOKENIZERS[name]
    added = theirs.num_special_tokens_to_add(pair is not None)
    options = {"truncation": strategy, "max_length": length, "stride": stride, "truncation_side": side}
    if padding is not None:
        options |= {"padding": padding, "pad_to_multiple_of": multiple, "padding_side": pad_side}
        options |= {"pad_id": 2, "pad_token": "[PAD]", "pad_type_id": 7}
    room = length - (added if special else 0)
    if room < 0 or (stride > 0 and stride >= room):
        # Hugging Face wraps around or panics: here it is an error before anything is cut.
        with pytest.raises(librag.InvalidArgument):
            ours.encode(text, pair, add_special_tokens=special, **options)
        return
    document = json.loads(TEXT_OF[name])
    names = {"longest_first": "LongestFirst", "only_first": "OnlyFirst", "only_second": "OnlySecond"}
    document["truncation"] = {
        "max_length": length,
        "strategy": names[strategy],
        "stride": stride,
        "direction": side.capitalize(),
    }
    if padding is not None:
        document["padding"] = {
            "strategy": {"Fixed": padding},
            "direction": pad_side.capitalize(),
            "pad_to_multiple_of": multiple,
            "pad_id": 2,
            "pad_type_id": 7,
            "pad_token": "[PAD]",
        }
    text_of_file = json.dumps(document)
    theirs = tokenizers.Tokenizer.from_str(text_of_file)
    try:
        expected = theirs.encode(text, pair, add_special_tokens=special)
    except BaseException as error:  # a panic of Rust's is no Exception
        if isinstance(error, KeyboardInterrupt):
            raise
        with pytest.raises(librag.InvalidArgument):
            ours.encode(text, pair, add_special_tokens=special, **options)
        return
    compare(ours.encode(text, pair, add_special_tokens=special, **options), expected)
    compare(librag.Tokenizer.from_json(text_of_file).encode(text, pair, add_special_tokens=special), expected)


TEXT_OF = {name: words(name).to_str() if name in POST else fixture_json(name) for name in TOKENIZERS}


@settings(deadline=None, max_examples=100)
@given(
    name=st.sampled_from(sorted(TOKENIZERS)),
    texts=st.lists(st.one_of(TEXTS, st.tuples(TEXTS, TEXTS)), max_size=6),
    threads=st.sampled_from([None, 1, 2]),
    multiple=st.none() | st.integers(1, 5),
)
def test_batches_are_padded_over_all(name, texts, threads, multiple) -> None:
    ours, _ = TOKENIZERS[name]
    theirs = tokenizers.Tokenizer.from_str(TEXT_OF[name])
    theirs.enable_padding(pad_to_multiple_of=multiple, pad_id=2, pad_token="[PAD]")
    expected = theirs.encode_batch(texts)
    found = ours.encode_batch(
        iter(texts), threads=threads, padding="longest", pad_to_multiple_of=multiple, pad_id=2, pad_token="[PAD]"
    )
    for mine, other in zip(found, expected, strict=True):
        compare(mine, other)


def test_big_batches_keep_their_order_on_any_number_of_threads() -> None:
    ours, theirs = TOKENIZERS["byte_level"]
    texts = [f"number {i} " * (i % 50) for i in range(4000)]
    expected = [encoding.ids for encoding in theirs.encode_batch(texts)]
    for threads in (None, 1, 2, 5):
        assert [encoding.ids for encoding in ours.encode_batch(texts, threads=threads)] == expected
    assert ours.decode_batch(expected, threads=2) == theirs.decode_batch(expected)
    with pytest.raises(librag.InvalidArgument, match=r"texts\[2000\]"):
        ours.encode_batch([*texts[:2000], b"a\xff", *texts])


@settings(deadline=None, max_examples=200)
@given(data=st.binary(max_size=40), name=st.sampled_from(["byte_level", "word_piece", "none"]))
def test_bytes_that_are_not_utf8_are_refused_or_replaced(data: bytes, name: str) -> None:
    ours, theirs = TOKENIZERS[name]
    text = data.decode("utf-8", "replace")  # Python replaces maximal ill-formed parts, as Rust and browsers do
    compare(ours.encode(data, errors="replace"), theirs.encode(text))
    try:
        data.decode()
    except UnicodeDecodeError as error:
        with pytest.raises(librag.InvalidArgument, match=f"offset {error.start}"):
            ours.encode(data)
    else:
        compare(ours.encode(data), theirs.encode(text))


def test_lone_surrogates_are_refused_or_replaced() -> None:
    ours, theirs = TOKENIZERS["byte_level"]
    text = "a\ud800b\udfff\u00e9\U0001f600"
    with pytest.raises(librag.InvalidArgument, match="index 1"):
        ours.encode(text)
    compare(ours.encode(text, errors="replace"), theirs.encode("a\ufffdb\ufffd\u00e9\U0001f600"))
    compare(
        ours.encode_batch([(text, text)], errors="replace")[0],
        theirs.encode("a\ufffdb\ufffd\u00e9\U0001f600", "a\ufffdb\ufffd\u00e9\U0001f600"),
    )


@settings(deadline=None, max_examples=150)
@given(name=st.sampled_from(NAMES), text=st.text(st.characters(exclude_categories=["Cs"]), max_size=60), skip=st.booleans())
def test_streams_give_what_decode_gives(name: str, text: str, skip: bool) -> None:
    ours, theirs = TOKENIZERS[name]
    ids = theirs.encode(text).ids
    stream = ours.decode_stream(skip_special_tokens=skip)
    for _ in range(2):  # finish() makes it as new
        parts = [stream.push(id) for id in ids]
        whole = "".join(parts) + stream.finish()
        assert whole == ours.decode(ids, skip_special_tokens=skip) == theirs.decode(ids, skip_special_tokens=skip)


def test_vocabulary() -> None:
    ours, theirs = TOKENIZERS["added_tokens"]
    assert ours.get_vocab() == theirs.get_vocab()
    assert len(ours) == ours.vocab_size == theirs.get_vocab_size()
    expected = theirs.get_added_tokens_decoder()
    assert sorted(ours.added_tokens) == sorted(expected)
    for id, token in ours.added_tokens.items():
        other = expected[id]
        assert (token.content, token.single_word, token.lstrip, token.rstrip, token.normalized, token.special) == (
            other.content, other.single_word, other.lstrip, other.rstrip, other.normalized, other.special,
        )  # fmt: skip
        assert ours.id_to_token(id) is not None


def test_encodings_are_equal_when_all_of_them_is() -> None:
    ours, _ = TOKENIZERS["template"]
    text = "a b a"
    assert ours.encode(text) == ours.encode(text)
    assert ours.encode(text) != ours.encode(text + " b")
    assert ours.encode(text) != ours.encode(text, add_special_tokens=False)
    assert ours.encode("a  b") != ours.encode("a b")  # offsets
    assert ours.encode(text, truncation=True, max_length=4) != ours.encode("a b b", truncation=True, max_length=4)
    assert ours.encode(text) != text
    with pytest.raises(TypeError, match="unhashable"):
        hash(ours.encode(text))


@pytest.mark.parametrize(
    ("configuration", "special_map"),
    [
        ({"bos_token": "<b>", "additional_special_tokens": ["<x>", "<y>"]}, None),
        ({"extra_special_tokens": {"image_token": "<img>"}, "pad_token": "<p>"}, None),
        ({}, {"additional_special_tokens": ["<q>", "<r>"], "eos_token": "<e>"}),
        (
            {
                "added_tokens_decoder": {
                    "7": {"content": "<d>", "lstrip": False, "rstrip": True, "normalized": True, "single_word": False},
                    "5": {"content": "<c>", "lstrip": False, "rstrip": False, "normalized": False, "single_word": True},
                },
                "additional_special_tokens": ["<x>"],
                "cls_token": "<c>",
            },
            None,
        ),
    ],
)
def test_a_folder_adds_tokens_as_transformers_does(
    configuration: dict[str, object], special_map: dict[str, object] | None, tmp_path: pathlib.Path
) -> None:
    transformers = pytest.importorskip("transformers")
    unknown = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    spec = dict.fromkeys(("truncation", "padding", "normalizer", "post_processor", "decoder"))
    vocabulary = {"<unk>": 0, "a": 1, "b": 2, "<b>": 3}
    spec |= {
        "version": "1.0",
        "added_tokens": [{"id": 0, "content": "<unk>", **unknown}],
        "pre_tokenizer": {"type": "Whitespace"},
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "<unk>"},
    }
    (tmp_path / "tokenizer.json").write_text(json.dumps(spec))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", **configuration}))
    if special_map is not None:
        (tmp_path / "special_tokens_map.json").write_text(json.dumps(special_map))
    theirs = transformers.AutoTokenizer.from_pretrained(str(tmp_path)).backend_tokenizer
    ours = librag.Tokenizer.from_pretrained(tmp_path)
    expected = {
        id: (token.content, token.single_word, token.lstrip, token.rstrip, token.normalized, token.special)
        for id, token in theirs.get_added_tokens_decoder().items()
    }
    found = {
        id: (token.content, token.single_word, token.lstrip, token.rstrip, token.normalized, token.special)
        for id, token in ours.added_tokens.items()
    }
    assert found == expected
    for text in ("a <x>b <y>", "<img><p> a", "<q>a<r><e>", "<c> a <d> b<c>b"):
        assert ours.encode(text).ids == theirs.encode(text).ids


def test_special_tokens_by_name_and_pickles() -> None:
    configuration = json.dumps({"eos_token": "[SEP]", "pad_token": {"content": "[CLS]"}, "bos_token": "nowhere"})
    tokenizer = librag.Tokenizer.from_json(TEXT_OF["template"], configuration)
    for twin in (tokenizer, pickle.loads(pickle.dumps(tokenizer))):
        assert (twin.eos_token, twin.eos_token_id) == ("[SEP]", 1)
        assert (twin.pad_token, twin.pad_token_id) == ("[CLS]", 0)
        assert twin.bos_token is None
        assert twin.bos_token_id is None
        assert twin.mask_token is None
        assert twin.encode("a b", padding=5).tokens[-1] == "[CLS]"
        assert twin.encode("a b").ids == tokenizer.encode("a b").ids
    with pytest.raises(librag.InvalidArgument, match="pad_id"):
        TOKENIZERS["template"][0].encode("a", padding=5)


def test_encodings_are_copied_and_pickled() -> None:
    ours, _ = TOKENIZERS["template"]
    encoding = ours.encode("a b c a b c", truncation=True, max_length=4, stride=1)
    assert encoding.overflowing
    for twin in (pickle.loads(pickle.dumps(encoding)), copy.copy(encoding), copy.deepcopy([encoding])[0]):
        assert twin == encoding
        assert twin.tokens == encoding.tokens
        assert twin.overflowing == encoding.overflowing
        assert repr(twin) == repr(encoding)
    assert pickle.loads(pickle.dumps(encoding.overflowing[0])) == encoding.overflowing[0]
    with pytest.raises(librag.Corrupt, match="an encoding"):
        type(encoding)._from_bytes(b"RAGE\x01\0\0\0\xff\xff\xff\xff")


def test_wrong_arguments_say_what_to_pass(tmp_path: pathlib.Path) -> None:
    ours, _ = TOKENIZERS["template"]
    with pytest.raises(TypeError, match="text must be str, not int"):
        ours.encode(5)
    with pytest.raises(TypeError, match="list of str"):
        ours.encode_batch("abc")
    with pytest.raises(TypeError, match="a pair must have 2 texts, not 3"):
        ours.encode_batch([("a", "b", "c")])
    with pytest.raises(TypeError, match="write \\[id\\]"):
        ours.decode(5)
    with pytest.raises(TypeError, match=r"ids\[1\] must be int, not str"):
        ours.decode([1, "a"])
    with pytest.raises(librag.InvalidArgument, match=r"ids\[0\] is 4294967296"):
        ours.decode([1 << 32])
    with pytest.raises(TypeError, match="needs max_length"):
        ours.encode("a", truncation=True)
    with pytest.raises(librag.InvalidArgument, match="longest_first"):
        ours.encode("a", truncation="shortest", max_length=3)
    with pytest.raises(librag.InvalidArgument, match="-1"):
        ours.encode("a", max_length=-1)
    with pytest.raises(librag.InvalidArgument, match="'ignore'"):
        ours.encode("a", errors="ignore")
    with pytest.raises(librag.InvalidArgument, match="100000000"):
        ours.encode("a", padding=100_000_000, pad_id=0)
    with pytest.raises(librag.IoError):
        ours.save(tmp_path / "no" / "folder.json")
    assert ours.decode([-7, 3, 1 << 30]) == "a"
    assert ours.encode("a\0b").offsets == [
        (0, 0),
        *TOKENIZERS["template"][1].encode("a\0b", add_special_tokens=False).offsets,
        (0, 0),
    ]


def test_windows_as_many_as_the_square_of_a_text_are_refused() -> None:
    ours, _ = TOKENIZERS["template"]
    encoding = ours.encode("a " * 100_000, max_length=50_002, stride=49_999)
    assert len(encoding) == 50_002
    with pytest.raises(librag.InvalidArgument, match="tokens"):
        encoding.overflowing  # noqa: B018


@pytest.fixture
def interrupted() -> Iterator[None]:
    import _thread

    timer = threading.Timer(0.3, _thread.interrupt_main)
    timer.start()
    yield
    timer.cancel()


def test_control_c_ends_a_batch(interrupted: None) -> None:
    ours, _ = TOKENIZERS["byte_level"]
    texts = ["some words and numbers 123 " * 40] * 400_000
    begin = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        ours.encode_batch(texts, threads=1)
    assert time.perf_counter() - begin < 5  # of a minute or so; the machine may be busy
