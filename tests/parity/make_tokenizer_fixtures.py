#!/usr/bin/env python3
"""Makes tests/tokenizer/fixtures/*.jsonl: small tokenizers trained on the project's own text, each with what Hugging Face
tokenizers gives for texts that touch every option. The tests that read them need neither Python nor a real model.

    python tests/parity/make_tokenizer_fixtures.py [NAME ...]

Also tests/fuzz/corpus/tokenizer/: the same stages with a vocabulary of a few tokens, a NUL byte, a text.

Training breaks ties by chance, so the vocabularies differ from run to run; what is compared does not depend on them.

First line: the tokenizer.json itself; then rows as in make_tokenizer_goldens.py, with "error" where the package refuses.
"""

import json
import pathlib
import sys

from make_tokenizer_goldens import SOME_CHARS, charsmap, row
from tokenizers import AddedToken, Regex, Tokenizer, trainers
from tokenizers import decoders as D
from tokenizers import models as M
from tokenizers import normalizers as N
from tokenizers import pre_tokenizers as P
from tokenizers import processors as X

CORPUS = [
    "A knowledge base answers questions from the documents that it holds, and says where it read the answer.",
    "The answer is cited: every sentence names the passage that it came from, or says that there is none.",
    "Documents are cut into passages, passages into words, words into tokens; tokens are what a model reads.",
    "Nothing is sent anywhere. The models run where the documents are, on an ordinary machine without a network.",
    "It's fast enough, isn't it? They'll see, we've measured: 12,345 passages in 67.8 seconds on 2 cores.",
    "\u77e5\u8bc6\u5e93\u6839\u636e\u5b83\u4fdd\u5b58\u7684\u6587\u6863\u56de\u7b54\u95ee\u9898\uff0c\u5e76\u8bf4\u660e\u7b54\u6848\u51fa\u81ea\u54ea\u91cc\u3002\u6bcf\u53e5\u8bdd\u90fd\u6ce8\u660e\u6765\u6e90\u3002",
    "\u6587\u6863\u88ab\u5207\u6210\u6bb5\u843d\uff0c\u6bb5\u843d\u88ab\u5207\u6210\u8bcd\uff0c\u8bcd\u88ab\u5207\u6210\u8bb0\u53f7\uff1b\u6a21\u578b\u8bfb\u7684\u662f\u8bb0\u53f7\u3002\u6ca1\u6709\u4efb\u4f55\u5185\u5bb9\u88ab\u53d1\u9001\u51fa\u53bb\u3002",
    "Gr\u00f6\u00dfe, na\u00efve caf\u00e9, \u00c5ngstr\u00f6m, \u0130stanbul, \u0391\u0392\u0393 \u03b4\u03bf\u03ba\u03b9\u03bc\u03ae, \u043f\u0440\u0438\u0432\u0435\u0442 \u043c\u0438\u0440, \ud55c\uad6d\uc5b4 \ubb38\uc7a5, \u0939\u093f\u0928\u094d\u0926\u0940, \u0627\u0644\u0639\u0631\u0628\u064a\u0629, \u0e44\u0e17\u0e22.",
]
TEXTS = [
    *CORPUS,
    "",
    " ",
    "  a  ",
    "\t\n x\r\n",
    "[MASK] is[MASK]here [MASK]",
    "a<sep>b <sep> c",
    "x <end>",
    "<end>x",
    "un<w>able <w> .<w>!",
    "Hello  World\u3000\u4e2d\u6587 \u5b57",
    "e\u0301 \u00e9 \ufb01 \u00bd \u00b2 \u2167",
    "don't we'll they've I'm he'd it's",
    "'s's''s",
    "a" * 130,
    "ab" * 60 + " tail",
    "2024\u5e7412\u67083\u65e5",
    "  leading",
    "trailing  ",
    "\u00a0\u2003<l>\u2003<r>\u2003x",
    "\u0000\u0001 control \ufffd\u00ad",
    "\U0001f469\u200d\U0001f4bb \U0001f1e9\U0001f1ea emoji",
    "UPPER lower MiXeD",
    "a\u0301\u0323\u0301b",
    "\ud55c\uad6d\uc5b4",
    "\u1112\u1161\u11ab",
    "\u4e2d" * 20,
    "!!! ... ???",
    "a_b-c/d\\e",
    "x" * 99 + " y",
]


def trained(model, trainer, pre_tokenizer, normalizer=None):
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizer
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def word_piece():
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = trained(
        M.WordPiece(unk_token="[UNK]"),
        trainers.WordPieceTrainer(show_progress=False, vocab_size=400, special_tokens=special),
        P.BertPreTokenizer(),
        N.BertNormalizer(),
    )
    tokenizer.post_processor = X.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.decoder = D.WordPiece()
    return tokenizer


def byte_bpe(**options):
    tokenizer = trained(
        M.BPE(**options),
        trainers.BpeTrainer(
            show_progress=False, vocab_size=500, special_tokens=["<end>"], initial_alphabet=P.ByteLevel.alphabet()
        ),
        P.ByteLevel(add_prefix_space=False),
    )
    tokenizer.decoder = D.ByteLevel()
    return tokenizer


def tokenizers():
    tokenizer = word_piece()
    tokenizer.add_special_tokens([AddedToken("[MASK]", lstrip=True, normalized=False, special=True)])
    yield "word_piece", tokenizer

    tokenizer = word_piece()
    tokenizer.enable_truncation(12)
    tokenizer.enable_padding(length=16, pad_id=0, pad_token="[PAD]")
    yield "word_piece_fixed", tokenizer

    tokenizer = word_piece()
    tokenizer.normalizer = N.BertNormalizer(lowercase=False, strip_accents=True, handle_chinese_chars=False)
    tokenizer.post_processor = X.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.enable_truncation(7, strategy="only_first", direction="left")
    tokenizer.enable_padding(direction="left", pad_to_multiple_of=4, pad_id=1, pad_type_id=5, pad_token="[NONE]")
    tokenizer.decoder = D.WordPiece(cleanup=False)
    yield "word_piece_left", tokenizer

    tokenizer = word_piece()
    tokenizer.normalizer = N.Sequence([N.NFD(), N.Lowercase(), N.StripAccents()])
    tokenizer.add_tokens(
        [
            AddedToken("<sep>", normalized=True),
            AddedToken("<w>", single_word=True),
            AddedToken("<l>", lstrip=True),
            AddedToken("<r>", rstrip=True, normalized=False),
            AddedToken("\u00c9ND", normalized=True),
            AddedToken("mixed"),
        ]
    )
    yield "added_tokens", tokenizer

    yield "byte_level", byte_bpe()

    tokenizer = byte_bpe()
    tokenizer.pre_tokenizer = P.ByteLevel(add_prefix_space=True)
    tokenizer.post_processor = X.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=True)
    tokenizer.add_special_tokens([AddedToken("<sep>", lstrip=True, rstrip=True), AddedToken("<s>"), AddedToken("</s>")])
    tokenizer.add_tokens([AddedToken("mixed", normalized=True)])
    yield "byte_level_prefix", tokenizer

    tokenizer = byte_bpe(ignore_merges=True)
    tokenizer.normalizer = N.NFC()
    tokenizer.pre_tokenizer = P.Sequence(
        [
            P.Split(
                Regex(
                    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
                ),
                "isolated",
            ),
            P.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.post_processor = X.Sequence(
        [
            X.ByteLevel(trim_offsets=True),
            X.TemplateProcessing(single="<end> $A", pair="<end> $A <end>:1 $B:1", special_tokens=[("<end>", 0)]),
        ]
    )
    tokenizer.enable_truncation(20)
    yield "byte_level_split", tokenizer

    tokenizer = byte_bpe()
    tokenizer.pre_tokenizer = P.Sequence([P.Digits(individual_digits=True), P.ByteLevel(add_prefix_space=False)])
    yield "byte_level_digits", tokenizer

    for name, options in (
        ("unknown", dict(unk_token="<unk>")),
        ("fused", dict(unk_token="<unk>", fuse_unk=True)),
        ("dropped", {}),
    ):
        tokenizer = trained(
            M.BPE(**options),
            trainers.BpeTrainer(show_progress=False, vocab_size=200, special_tokens=["<unk>"], limit_alphabet=40),
            P.BertPreTokenizer(),
        )
        yield "characters_" + name, tokenizer

    tokenizer = trained(
        M.BPE(unk_token="<unk>", end_of_word_suffix="</w>", continuing_subword_prefix="~"),
        trainers.BpeTrainer(
            show_progress=False,
            vocab_size=300,
            special_tokens=["<unk>"],
            end_of_word_suffix="</w>",
            continuing_subword_prefix="~",
        ),
        P.BertPreTokenizer(),
        N.NFKC(),
    )
    yield "characters_affixes", tokenizer

    # Some bytes have a token and some have none: what is unknown waits behind the byte tokens.
    for name, options in (("bytes", {}), ("bytes_fused", dict(fuse_unk=True))):
        tokenizer = trained(
            M.BPE(unk_token="<unk>", byte_fallback=True, **options),
            trainers.BpeTrainer(
                show_progress=False,
                vocab_size=200,
                special_tokens=["<unk>", *(f"<0x{byte:02X}>" for byte in range(0x20, 0xC8))],
                limit_alphabet=25,
            ),
            P.BertPreTokenizer(),
        )
        yield "characters_" + name, tokenizer

    for name, special, pre_tokenizer in (
        ("unigram", ["<unk>"], P.BertPreTokenizer()),
        ("unigram_bytes", ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256))], None),
    ):
        trainer = trainers.UnigramTrainer(
            show_progress=False, vocab_size=len(special) + 250, special_tokens=special, unk_token="<unk>"
        )
        tokenizer = trained(M.Unigram(), trainer, P.BertPreTokenizer())
        model = json.loads(tokenizer.to_str())["model"]
        # Half of the letters go, so that there is something unknown.
        vocab = [(t, s) for i, (t, s) in enumerate(model["vocab"]) if i < len(special) or len(t) > 1 or ord(t) % 2 == 0]
        tokenizer.model = M.Unigram(vocab, 0, len(special) > 1)
        if pre_tokenizer is None:
            tokenizer = Tokenizer(tokenizer.model)  # whole texts
        yield name, tokenizer


def sentence_bpe(pre_tokenizer, normalizer=None):
    """A model of characters with byte tokens, as converted SentencePiece models are."""
    return trained(
        M.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True),
        trainers.BpeTrainer(
            show_progress=False,
            vocab_size=600,
            special_tokens=["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))],
            limit_alphabet=60,
        ),
        pre_tokenizer,
        normalizer,
    )


def stage_tokenizers():
    """Every stage that the tokenizers above leave out."""
    space = "\u2581"
    tokenizer = sentence_bpe(P.Metaspace(prepend_scheme="first"))
    tokenizer.decoder = D.Metaspace(prepend_scheme="first")
    tokenizer.add_special_tokens([AddedToken("<sep>", normalized=False), AddedToken("[MASK]", lstrip=True)])
    yield "sentence_first", tokenizer

    tokenizer = sentence_bpe(P.Metaspace(), None)
    tokenizer.pre_tokenizer = None
    tokenizer.normalizer = N.Sequence([N.Prepend(space), N.Replace(" ", space)])
    tokenizer.decoder = D.Sequence([D.Replace(space, " "), D.ByteFallback(), D.Fuse(), D.Strip(" ", 1, 0)])
    tokenizer.post_processor = X.TemplateProcessing(
        single="<s> $A", pair="<s> $A </s>:1 $B:1", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    tokenizer.add_special_tokens(["<s>", "</s>", "<sep>"])
    yield "sentence_prepend", tokenizer

    tokenizer = sentence_bpe(P.Split(" ", "merged_with_previous"), N.Replace(" ", space))
    tokenizer.decoder = D.Sequence([D.Replace(space, " "), D.ByteFallback(), D.Fuse()])
    tokenizer.add_tokens([AddedToken("<sep>", rstrip=True), AddedToken("\n\n"), AddedToken("  ", normalized=False)])
    yield "sentence_split", tokenizer

    tokenizer = sentence_bpe(
        P.Sequence([P.WhitespaceSplit(), P.Metaspace()]),
        N.Sequence([N.Precompiled(charsmap(SOME_CHARS)), N.Strip(left=False), N.Replace(Regex(" {2,}"), space)]),
    )
    tokenizer.decoder = D.Metaspace()
    tokenizer.post_processor = X.TemplateProcessing(single="$A </s>:3", pair="$A </s> $B:1 </s>:1", special_tokens=[("</s>", 2)])
    yield "sentence_precompiled", tokenizer

    words = [
        "<unk>",
        "a",
        "is",
        "the",
        "Documents",
        "documents",
        "into",
        "passages",
        ",",
        ".",
        "1",
        "2",
        "don",
        "x",
        "<b>",
        "<e>",
    ]
    tokenizer = Tokenizer(M.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.normalizer = N.Sequence([N.Nmt(), N.Strip(), N.Replace(Regex(r"[\p{P}&&[^,.]]+"), " "), N.StripAccents()])
    tokenizer.pre_tokenizer = P.Sequence([P.Whitespace(), P.Digits(individual_digits=True)])
    tokenizer.post_processor = X.TemplateProcessing(
        single="<both>:2 $A:3",
        pair="$B:1 <both> $A",
        special_tokens=[{"id": "<both>", "ids": [14, 15], "tokens": ["<b>", "<e>"]}],
    )
    tokenizer.add_tokens([AddedToken("\u0301", normalized=False), AddedToken("<w>", single_word=True), AddedToken("x")])
    yield "words", tokenizer

    tokenizer = Tokenizer(M.WordLevel({c: i for i, c in enumerate(["?", "|", "<pad>", *"abcdefghijklmnopqrstuvwxyz '"])}, "?"))
    tokenizer.normalizer = N.Lowercase()
    tokenizer.pre_tokenizer = P.Sequence(
        [P.UnicodeScripts(), P.Punctuation("contiguous"), P.CharDelimiterSplit("e"), P.FixedLength(1)]
    )
    tokenizer.decoder = D.CTC(word_delimiter_token="t")
    yield "scripts", tokenizer

    tokenizer = trained(
        M.BPE(unk_token="<unk>", end_of_word_suffix="</w>"),
        trainers.BpeTrainer(show_progress=False, vocab_size=300, special_tokens=["<unk>"], end_of_word_suffix="</w>"),
        P.Sequence([P.Split(Regex(r"'s|'t|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"), "removed", invert=True), P.ByteLevel(False)]),
        N.Sequence([N.NFC(), N.Replace(Regex(r"\s+"), " "), N.Lowercase()]),
    )
    tokenizer.decoder = D.BPEDecoder("</w>")
    tokenizer.post_processor = X.Sequence([X.ByteLevel(trim_offsets=True), X.RobertaProcessing(("b", 2), ("a", 1), False)])
    yield "suffix", tokenizer

    tokenizer = trained(
        M.WordPiece(unk_token="<unk>"),
        trainers.WordPieceTrainer(
            show_progress=False, vocab_size=500, special_tokens=["<unk>"], initial_alphabet=P.ByteLevel.alphabet()
        ),
        P.Sequence([P.ByteLevel(add_prefix_space=True, use_regex=False), P.Split("\u0120", "merged_with_next")]),
        N.ByteLevel(),
    )
    tokenizer.decoder = D.Sequence([D.WordPiece(cleanup=False), D.ByteLevel()])
    yield "bytes_written", tokenizer


def row_or_error(tokenizer, text, pair, special):
    try:
        return row(tokenizer, text, pair, special)
    except Exception:  # the package raises nothing more exact
        return {"text": text, **({} if pair is None else {"pair": pair}), "special": special, "error": True}


def corpus(json_text):
    """A small file of the same stages: only the shortest tokens, and the merges that need no others."""
    value = json.loads(json_text)
    model = value["model"]
    if model["type"] == "Unigram":
        model["vocab"] = model["vocab"][:1] + sorted(model["vocab"][1:], key=lambda item: len(item[0]))[:60]
        return packed(value)
    vocab = dict(sorted(model["vocab"].items(), key=lambda item: (len(item[0]), item[1]))[:60])
    vocab.update(
        {
            token["content"]: model["vocab"][token["content"]]
            for token in value["added_tokens"]
            if token["content"] in model["vocab"]
        }
    )
    vocab.update({token: model["vocab"][token] for token in ("[UNK]", "<unk>") if token in model["vocab"]})
    model["vocab"] = vocab
    if "merges" in model:
        prefix = model["continuing_subword_prefix"] or ""
        model["merges"] = [[a, b] for a, b in model["merges"] if a in vocab and b in vocab and a + b[len(prefix) :] in vocab]
    return packed(value)


def packed(value):
    return (
        json.dumps(value, separators=(",", ":")).encode() + b"\0" + "Don't [MASK]<w> e\u0301 12 \u4e2d\u6587 <sep>\n  x".encode()
    )


def main():
    corpus_folder = pathlib.Path(__file__).resolve().parent.parent / "fuzz" / "corpus" / "tokenizer"
    corpus_folder.mkdir(parents=True, exist_ok=True)
    folder = pathlib.Path(__file__).resolve().parent.parent / "tokenizer" / "fixtures"
    folder.mkdir(exist_ok=True)
    wanted = sys.argv[1:]
    for name, tokenizer in [*tokenizers(), *stage_tokenizers()]:
        if wanted and name not in wanted:
            continue
        lines = [json.loads(tokenizer.to_str())]
        lines += [row_or_error(tokenizer, text, None, i % 3 != 2) for i, text in enumerate(TEXTS)]
        lines += [row_or_error(tokenizer, a, b, i % 3 != 1) for i, (a, b) in enumerate(zip(TEXTS[8:], TEXTS[11:] + TEXTS[8:11]))]
        (folder / f"{name}.jsonl").write_text(
            "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines), encoding="ascii"
        )
        (corpus_folder / f"{name}.bin").write_bytes(corpus(tokenizer.to_str()))
        print(name, tokenizer.get_vocab_size())


if __name__ == "__main__":
    main()
