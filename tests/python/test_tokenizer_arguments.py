"""What a tokenizer's Python face says to wrong arguments, and what it shows of itself: nothing that is mistyped is left unheard, no
message is one of the binding's own, and no object's code, run on the way in, reaches memory that is gone."""

from __future__ import annotations

import json
from typing import Any

import librag
import numpy as np
import pytest

tokenizers = pytest.importorskip("tokenizers")


def added(id: int, content: str, special: bool) -> dict[str, Any]:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": not special, "special": special}
    return {"id": id, "content": content, **flags}


SPEC: dict[str, Any] = {
    "version": "1.0",
    "truncation": None,
    "padding": None,
    "added_tokens": [added(0, "<s>", True), added(1, "<pad>", True)],
    "normalizer": {"type": "Lowercase"},
    "pre_tokenizer": {"type": "Whitespace"},
    "post_processor": {"type": "BertProcessing", "cls": ["<s>", 0], "sep": ["<s>", 0]},
    "decoder": None,
    "model": {
        "type": "WordLevel",
        "unk_token": "<unk>",
        "vocab": {"<s>": 0, "<pad>": 1, "<unk>": 2, "a": 3, "b": 4, "\u00e9": 5, "<b>": 6},
    },
}


@pytest.fixture
def tokenizer() -> librag.Tokenizer:
    return librag.Tokenizer.from_json(json.dumps(SPEC))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"stride": 2}, TypeError, "stride needs max_length"),
        ({"truncation_side": "lef"}, TypeError, "truncation_side needs max_length"),
        ({"padding_side": "left"}, TypeError, "padding_side, pad_id, pad_token and pad_type_id need padding"),
        ({"pad_id": 1, "max_length": 4}, TypeError, "need padding"),
        ({"truncation": True}, TypeError, "truncation needs max_length"),
        ({"truncation": "first"}, librag.InvalidArgument, "truncation is 'first', it must be True or 'longest_first'"),
        (
            {"truncation": "off", "max_length": 4},
            librag.InvalidArgument,
            "truncation is 'off', it must be True or 'longest_first'",
        ),
        ({"truncation_side": "lef", "max_length": 4}, librag.InvalidArgument, "truncation_side is 'lef', it must be one of"),
        ({"max_length": "4"}, TypeError, "max_length must be an int, not str"),
        ({"max_length": 10**30}, librag.InvalidArgument, "max_length is 1000000000000000000000000000000"),
        ({"max_length": 4, "stride": -1}, librag.InvalidArgument, "stride is -1"),
        ({"padding": "max_length"}, librag.InvalidArgument, "padding is 'max_length', it must be True or 'longest'.* a number"),
        ({"padding": "length"}, librag.InvalidArgument, "padding is 'length'"),
        ({"padding": 1.5}, TypeError, "padding must be an int, not float"),
        ({"padding": 9, "pad_id": 2**40}, librag.InvalidArgument, "pad_id is 1099511627776"),
        ({"padding": 9, "pad_type_id": 2**40}, librag.InvalidArgument, "pad_type_id is 1099511627776"),
        ({"pad_to_multiple_of": -8}, librag.InvalidArgument, "pad_to_multiple_of is -8"),
        ({"errors": "ignore"}, librag.InvalidArgument, "errors is 'ignore', it must be one of: strict, replace"),
        ({"add_special_tokens": "no"}, TypeError, "add_special_tokens must be bool, not str"),
    ],
)
def test_options_are_refused_by_name(
    tokenizer: librag.Tokenizer, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    for encode in (lambda: tokenizer.encode("a b", **options), lambda: tokenizer.encode_batch(["a b"], **options)):
        with pytest.raises(error, match=message):
            encode()


def test_numbers_of_numpy_are_numbers(tokenizer: librag.Tokenizer) -> None:
    length, id = np.int64(4), np.int32(1)
    assert tokenizer.encode("a b a", max_length=length, padding=np.uint8(6), pad_id=id).ids == [0, 3, 4, 0, 1, 1]
    assert tokenizer.decode(np.array([3, 4])) == tokenizer.decode([np.int64(3), 4]) == "a b"
    assert tokenizer.id_to_token(np.int64(3)) == "a"  # type: ignore[arg-type]


def test_other_arguments_are_refused_by_name(tokenizer: librag.Tokenizer) -> None:
    untyped: Any = tokenizer
    with pytest.raises(TypeError, match="threads must be an int, not str"):
        untyped.encode_batch(["a"], threads="2")
    with pytest.raises(librag.InvalidArgument, match="threads is -1"):
        tokenizer.decode_batch([[3]], threads=-1)
    with pytest.raises(TypeError, match="texts must be a list of str, not NoneType"):
        untyped.encode_batch(None)
    with pytest.raises(TypeError, match=r"texts\[2\] must be str, not int"):
        untyped.encode_batch(["a", "b", 5])
    with pytest.raises(TypeError, match=r"texts\[1\]\[1\] must be str, not NoneType"):
        untyped.encode_batch(["a", ("b", None)])
    with pytest.raises(librag.InvalidArgument, match=r"texts\[1\]: .*lone surrogate at index 1"):
        tokenizer.encode_batch(["a", "b\ud800"])
    with pytest.raises(TypeError, match="id must be int, not str"):
        untyped.id_to_token("a")
    with pytest.raises(librag.InvalidArgument, match="id is 1000000000000"):
        tokenizer.id_to_token(10**12)
    with pytest.raises(TypeError, match="id must be int, not float"):
        untyped.decode_stream().push(1.0)
    with pytest.raises(TypeError, match="skip_special_tokens must be bool, not str"):
        untyped.decode([1], skip_special_tokens="no")
    with pytest.raises(TypeError, match="ids must be a list of lists of int, not NoneType"):
        untyped.decode_batch(None)
    for wrong in ((), ("tokenizer.json",)):
        with pytest.raises(TypeError, match=r"Tokenizer\.from_pretrained"):
            librag.Tokenizer(*wrong)
    with pytest.raises(librag.NotFound, match="no such file or folder, and nothing is downloaded"):
        librag.Tokenizer.from_pretrained("bert-base-uncased")


def test_a_list_that_changes_while_it_is_read(tokenizer: librag.Tokenizer) -> None:
    ids: list[Any] = []

    class Emptying:
        def __index__(self) -> int:
            ids.clear()
            return 3

    ids.extend([Emptying(), *[4] * 1000])
    assert tokenizer.decode(ids) == "a"


def test_added_tokens_do_not_hide_others_in_the_vocabulary() -> None:
    # Normalized, it reads as a token of the model.
    text = json.dumps({**SPEC, "added_tokens": [*SPEC["added_tokens"], added(7, "\u00c9", False)]})
    vocabulary = librag.Tokenizer.from_json(text).get_vocab()
    assert vocabulary == tokenizers.Tokenizer.from_str(text).get_vocab()
    assert (vocabulary["\u00e9"], vocabulary["\u00c9"]) == (5, 7)


def test_encodings_show_their_tokens(tokenizer: librag.Tokenizer) -> None:
    assert repr(tokenizer.encode("a B")) == "Encoding(4 tokens: '<s>' 'a' 'b' '<s>')"
    assert repr(tokenizer.encode("a", add_special_tokens=False)) == "Encoding(1 token: 'a')"
    assert repr(tokenizer.encode("a " * 50)) == "Encoding(52 tokens: '<s>'" + " 'a'" * 7 + " ...)"
    table = tokenizer.encode("a <b>")._repr_html_()
    assert "&lt;s&gt;" in table
    assert "<s>" not in table
    assert table.count("<tr>") == 1 + len(tokenizer.encode("a <b>"))
    assert "and 102 more tokens" in tokenizer.encode("a " * 300)._repr_html_()
