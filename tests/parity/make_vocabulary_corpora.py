#!/usr/bin/env python3
"""Makes the fuzz corpora of vocabularies: small valid files of every kind, in tests/fuzz/corpus/tiktoken, sentencepiece and
gguf_vocabulary.

    python tests/parity/make_vocabulary_corpora.py
"""

import base64
import json
import pathlib
import tempfile

from make_vocabularies import SENTENCES, trained, with_unused, write_gguf
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

CORPUS = pathlib.Path(__file__).resolve().parent.parent / "fuzz" / "corpus"


def tiktoken_files(folder):
    tokens = [bytes([byte]) for byte in range(256)] + [b" t", b"ex", b" text", "\u4e2d".encode(), b"\xe4\xb8", b"12"]
    lines = b"".join(base64.b64encode(token) + b" %d\n" % rank for rank, token in enumerate(tokens))
    (folder / "small.tiktoken").write_bytes(lines)
    literals = [token.decode() if token.isascii() else token for token in tokens]
    lines = "".join(f"{i + 1} {literal!r} {len(token)}\n" for i, (literal, token) in enumerate(zip(literals, tokens)))
    (folder / "small_rwkv.txt").write_text(lines, encoding="ascii")


def sentencepiece_files(folder):
    with tempfile.NamedTemporaryFile("w", suffix=".tsv", encoding="ascii") as rules:
        rules.write("9\t20\nFB01\t66 69\n41\t61\n3000\t20\nAD\t\n")  # code points; the published rules take 200 kB
        rules.flush()
        options = {"normalization_rule_tsv": rules.name, "user_defined_symbols": ["<sep>"], "vocab_size": 120}
        (folder / "unigram.model").write_bytes(trained(model_type="unigram", **options))
        bpe = trained(model_type="bpe", **options)
    (folder / "bpe.model").write_bytes(bpe)
    (folder / "bpe_unused.model").write_bytes(with_unused(bpe))
    options = {"normalization_rule_name": "identity", "byte_fallback": True, "vocab_size": 360}
    (folder / "unigram_bytes.model").write_bytes(trained(model_type="unigram", **options))


def small_bpe(byte_level):
    tokenizer = Tokenizer(models.BPE(unk_token=None if byte_level else "<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False) if byte_level else pre_tokenizers.Metaspace()
    special = ["<s>"] if byte_level else ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    alphabet = pre_tokenizers.ByteLevel.alphabet() if byte_level else []
    trainer = trainers.BpeTrainer(
        show_progress=False, vocab_size=len(special) + 300, special_tokens=special, initial_alphabet=alphabet
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    value = json.loads(tokenizer.to_str())
    value["added_tokens"] = [token for token in value["added_tokens"] if not token["content"].startswith("<0x")]
    return value


def gguf_files(folder):
    write_gguf(folder / "bpe.gguf", "gpt2", "gpt-2", small_bpe(True))
    value = small_bpe(False)
    value["normalizer"] = {"type": "Prepend"}
    write_gguf(folder / "sentence_piece.gguf", "llama", "default", value)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "some", "text", ",", "##t", "1", "##2", "\u4e2d"]
    special = {"cls": 2, "sep": 3}
    value = {
        "model": {"vocab": {word: i for i, word in enumerate(words)}, "unk_token": "[UNK]"},
        "added_tokens": [{"id": i, "content": words[i], "special": True} for i in range(5)],
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "cls"}}, {"Sequence": {"id": "A"}}, {"SpecialToken": {"id": "sep"}}],
            "special_tokens": {name: {"ids": [i]} for name, i in special.items()},
        },
    }
    write_gguf(folder / "word_piece.gguf", "bert", "bert-bge", value)
    pieces = [["<pad>", 0.0], ["</s>", 0.0], ["<unk>", 0.0], ["\u2581", -2.0], ["\u2581some", -3.5], ["text", -4.0], ["t", -5.0]]
    charsmap = base64.b64encode(bytes([4, 0, 0, 0, 0, 0, 0, 0, 0])).decode()  # a trie of one unit without keys
    value = {
        "model": {"vocab": pieces, "unk_id": 2},
        "added_tokens": [{"id": i, "content": pieces[i][0], "special": True} for i in range(3)],
        "normalizer": {"precompiled_charsmap": charsmap},
    }
    write_gguf(folder / "unigram.gguf", "t5", "default", value)


def main():
    for name, make in (
        ("tiktoken", tiktoken_files),
        ("sentencepiece", sentencepiece_files),
        ("gguf_vocabulary", gguf_files),
    ):
        folder = CORPUS / name
        folder.mkdir(parents=True, exist_ok=True)
        make(folder)


if __name__ == "__main__":
    main()
