"""Random small tokenizer.json files: any stage with any option in any order, and vocabularies of a few dozen tokens made for them.

    spec = random_tokenizer(seed)   # the JSON, as a dict; the same for a seed everywhere
    texts_for(spec)                 # pieces of text that its vocabulary and added tokens know

Meant for comparing with Hugging Face's library, which may refuse a file: then there is nothing to compare."""

import random
import typing

import charsmap
import random_patterns
import random_texts

Json = dict[str, typing.Any]

SPLIT_PATTERNS = [
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}|\s+",
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+",
    "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
    r"\p{N}{1,3}",
    r"\p{N}",
    r"\s+",
    r"\s",
    r"[\r\n]",
    r"\w+|[^\w\s]+",
    r"\p{L}+",
    r"\s?\p{L}+",
    r"\s?\p{P}+",
    r"[^\s]+",
    r"\d{1,2}",
    r"[a-e]",
    r"\p{Lu}",
    r".",
    "a|b|ab",
]
STRINGS = ["a", " ", "ab", "\n", "\u2581", "-", "aa", "\u4e2d", "e\u0301", "''"]
BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
SPECIALS = ["<s>", "</s>", "[CLS]", "[SEP]", "<pad>"]
MAX_PIECE = 12


def byte_alphabet() -> list[str]:
    """The characters that ByteLevel writes the 256 bytes with."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    return [chr(byte) for byte in plain] + [chr(0x100 + index) for index in range(len(others))]


class _Maker:
    def __init__(self, seed: int | str) -> None:
        self.rng = random.Random(seed)

    def flag(self, chance: float = 0.5) -> bool:
        return self.rng.random() < chance

    def one(self, items: typing.Any) -> typing.Any:
        return self.rng.choice(items)

    def pattern(self) -> Json:
        if self.flag(0.25):
            return {"Regex": random_patterns.random_pattern(self.rng, stacked=1)}
        return {"Regex": self.one(SPLIT_PATTERNS)} if self.flag(0.6) else {"String": self.one(STRINGS)}

    # --- stages ----------------------------------------------------------------------------------------------------------------

    def normalizer(self, depth: int = 0) -> Json | None:
        kind = self.rng.randrange(14 if depth == 0 else 12)
        if self.flag(0.06):
            return self.precompiled()
        plain = ["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt"]
        if kind < 5:
            return {"type": self.one(plain)}
        if kind == 5:
            options = {name: self.flag() for name in ("clean_text", "handle_chinese_chars", "lowercase")}
            return {"type": "BertNormalizer", **options, "strip_accents": self.one([None, True, False])}
        if kind == 6:
            return {"type": "Strip", "strip_left": self.flag(), "strip_right": self.flag()}
        if kind in (7, 8):
            return {
                "type": "Replace",
                "pattern": self.pattern(),
                "content": self.one(["", "\u2581", " ", "a", "xyz", "\u00e9", "\n"]),
            }
        if kind == 9:
            return {"type": "Prepend", "prepend": self.one(["\u2581", " ", "ab", "\u4e2d"])}
        if kind in (10, 11) and depth < 2:
            parts = [self.normalizer(depth + 1) for _ in range(self.rng.randrange(4))]
            return {"type": "Sequence", "normalizers": [part for part in parts if part is not None]}
        if kind == 12:
            return {"type": "ByteLevel"}
        return None

    def precompiled(self) -> Json:
        keys = self.rng.sample(["a", "ab", "abc", "\u00e9", "e\u0301", "\u4e2d", "\ufb01", " ", "\n", "\u3000", "A", "\u0301"], 6)
        keys += self.rng.sample(random_texts.COMPATIBILITY, 6) + self.rng.sample(random_texts.LATIN, 6)
        texts = ["", " ", "a", "xyz", "\u00e9", "\u4e2d\u4e2d", "\u2581", "e\u0301"]
        return {"type": "Precompiled", "precompiled_charsmap": charsmap.charsmap({key: self.one(texts) for key in keys})}

    def pre_tokenizer(self, depth: int = 0) -> Json | None:
        kind = self.rng.randrange(16 if depth == 0 else 14)
        if kind < 2:
            return {"type": "ByteLevel", "add_prefix_space": self.flag(), "trim_offsets": self.flag(), "use_regex": self.flag()}
        if kind == 2:
            return {
                "type": "Metaspace",
                "replacement": self.one(["\u2581", "_", "\u4e2d"]),
                "prepend_scheme": self.one(["first", "never", "always"]),
                "split": self.flag(),
            }
        if kind in (3, 4, 5):
            return {"type": "Split", "pattern": self.pattern(), "behavior": self.one(BEHAVIORS), "invert": self.flag()}
        if kind == 6:
            return {"type": "Punctuation", "behavior": self.one(BEHAVIORS)}
        if kind == 7:
            return {"type": "Digits", "individual_digits": self.flag()}
        if kind == 8:
            return {"type": "CharDelimiterSplit", "delimiter": self.one([" ", "a", "-", "\u4e2d"])}
        if kind == 9:
            return {"type": "FixedLength", "length": self.rng.randrange(1, 8)}
        if kind in (10, 11):
            return {"type": self.one(["BertPreTokenizer", "Whitespace", "WhitespaceSplit", "UnicodeScripts"])}
        if kind in (12, 13) and depth < 2:
            parts = [self.pre_tokenizer(depth + 1) for _ in range(self.rng.randrange(4))]
            return {"type": "Sequence", "pretokenizers": [part for part in parts if part is not None]}
        return None

    def decoder(self, depth: int = 0) -> Json | None:
        kind = self.rng.randrange(14 if depth == 0 else 12)
        if kind == 0:
            return {"type": "WordPiece", "prefix": self.one(["##", "_", "a"]), "cleanup": self.flag()}
        if kind == 1:
            return {
                "type": "Metaspace",
                "replacement": self.one(["\u2581", "_"]),
                "prepend_scheme": self.one(["first", "never", "always"]),
                "split": self.flag(),
            }
        if kind == 2:
            return {"type": "BPEDecoder", "suffix": self.one(["</w>", "a", "_"])}
        if kind == 3:
            return {
                "type": "Strip",
                "content": self.one([" ", "a", "\u2581"]),
                "start": self.rng.randrange(3),
                "stop": self.rng.randrange(3),
            }
        if kind in (4, 5):
            return {"type": "Replace", "pattern": self.pattern(), "content": self.one(["", " ", "b", "\u4e2d"])}
        if kind == 6:
            return {
                "type": "CTC",
                "pad_token": self.one(["<pad>", "a"]),
                "word_delimiter_token": self.one(["|", "\u2581", "b"]),
                "cleanup": self.flag(),
            }
        if kind == 7:
            return {"type": "ByteLevel", "add_prefix_space": self.flag(), "trim_offsets": self.flag(), "use_regex": self.flag()}
        if kind == 8:
            return {"type": "ByteFallback"}
        if kind == 9:
            return {"type": "Fuse"}
        if kind in (10, 11) and depth < 2:
            parts = [self.decoder(depth + 1) for _ in range(self.rng.randrange(5))]
            return {"type": "Sequence", "decoders": [part for part in parts if part is not None]}
        return None

    def template(self, ids: dict[str, int], pair: bool) -> list[Json]:
        pieces: list[Json] = [{"Sequence": {"id": "A", "type_id": self.rng.randrange(3)}}]
        if pair:
            pieces.insert(self.rng.randrange(2), {"Sequence": {"id": "B", "type_id": self.rng.randrange(3)}})
        for _ in range(self.rng.randrange(4)):
            special = {"SpecialToken": {"id": self.one(list(ids)), "type_id": self.rng.randrange(3)}}
            pieces.insert(self.rng.randrange(len(pieces) + 1), special)
        return pieces

    def post_processor(self, ids: dict[str, int], depth: int = 0) -> Json | None:
        kind = self.rng.randrange(10 if depth == 0 else 7)
        sep, cls = ([name, ids[name]] for name in self.rng.sample(list(ids), 2))
        if kind == 0:
            return {"type": "BertProcessing", "sep": sep, "cls": cls}
        if kind == 1:
            return {
                "type": "RobertaProcessing",
                "sep": sep,
                "cls": cls,
                "trim_offsets": self.flag(),
                "add_prefix_space": self.flag(),
            }
        if kind in (2, 3):
            table = {name: {"id": name, "ids": [id] * self.one([1, 1, 1, 2]), "tokens": [name]} for name, id in ids.items()}
            for entry in table.values():
                entry["tokens"] = entry["tokens"] * len(entry["ids"])
            return {
                "type": "TemplateProcessing",
                "single": self.template(ids, False),
                "pair": self.template(ids, True),
                "special_tokens": table,
            }
        if kind == 4:
            return {"type": "ByteLevel", "add_prefix_space": self.flag(), "trim_offsets": self.flag(), "use_regex": self.flag()}
        if kind in (5, 6) and depth < 1:
            parts = [self.post_processor(ids, depth + 1) for _ in range(self.rng.randrange(4))]
            return {"type": "Sequence", "processors": [part for part in parts if part is not None]}
        return None

    # --- vocabularies ----------------------------------------------------------------------------------------------------------

    def alphabet(self, bytes_: bool) -> list[str]:
        if bytes_:
            letters = byte_alphabet()
            return letters if self.flag(0.8) else self.rng.sample(letters, 200)
        pools = self.rng.sample(random_texts.POOLS, self.rng.randrange(1, 5))
        letters = {letter for pool in pools for unit in self.rng.choices(pool, k=12) for letter in unit}
        return sorted(letters | set(self.rng.sample("abcde \u2581_\u4e2d\u00e9'1", 8)) | set("ab"))

    def pieces(self, letters: list[str], count: int) -> list[str]:
        return ["".join(self.rng.choices(letters, k=self.rng.randrange(1, 4))) for _ in range(count)]

    def bpe(self, letters: list[str]) -> tuple[Json, list[str]]:
        prefix = self.one(["", "", "", "##", "_"])
        suffix = self.one(["", "", "", "</w>", "a"])
        units = list(letters)
        if prefix:
            units += [prefix + letter for letter in letters]
        if suffix:
            units += [unit + suffix for unit in units]
        if self.flag(0.4):
            units = [unit for unit in units if self.flag(0.9)] or units
        tokens = dict.fromkeys(units)
        merges: list[list[str]] = []
        for _ in range(self.rng.randrange(60)):
            left, right = self.one(list(tokens)), self.one(list(tokens))
            merged = left + right[len(prefix) :]
            if (
                right.startswith(prefix)
                and (not suffix or not left.endswith(suffix))
                and len(merged) <= MAX_PIECE
                and merged
                and [left, right] not in merges
            ):
                merges.append([left, right])
                tokens[merged] = None
        self.rng.shuffle(merges) if self.flag(0.3) else None
        unk = self.one([None, "<unk>", "<unk>"])
        if unk and self.flag(0.95):
            tokens[unk] = None
        byte_fallback = self.flag(0.02 if prefix or suffix else 0.4)
        if byte_fallback:
            tokens.update(dict.fromkeys(f"<0x{byte:02X}>" for byte in range(256) if self.flag(0.999)))
        options = {
            "dropout": None,
            "unk_token": unk,
            "fuse_unk": self.flag(),
            "byte_fallback": byte_fallback,
            "ignore_merges": self.flag(0.3),
        }
        affixes = {
            "continuing_subword_prefix": prefix or self.one([None, ""]),
            "end_of_word_suffix": suffix or self.one([None, ""]),
        }
        return {"type": "BPE", **options, **affixes, "merges": merges}, list(tokens)

    def word_piece(self, letters: list[str]) -> tuple[Json, list[str]]:
        prefix = self.one(["##", "##", "_", ""])
        starts = letters + self.pieces(letters, 40)
        tokens = dict.fromkeys(["[UNK]"] * self.flag(0.95) + starts + [prefix + piece for piece in starts if self.flag(0.8)])
        longest = self.one([0, 1, 5, 100, 100])
        return {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": prefix,
            "max_input_chars_per_word": longest,
        }, list(tokens)

    def unigram(self, letters: list[str]) -> tuple[Json, list[str]]:
        tokens = list(dict.fromkeys(["<unk>", *letters, *self.pieces(letters, 60)]))
        if byte_fallback := self.flag(0.3):
            tokens += [token for token in (f"<0x{byte:02X}>" for byte in range(256)) if token not in tokens]
        scores = [round(-self.rng.random() * 12, self.one([0, 1, 6])) for _ in tokens]
        vocab = [[token, score] for token, score in zip(tokens, scores)]
        return {"type": "Unigram", "unk_id": self.one([0, 0, 0, 1, None]), "vocab": vocab, "byte_fallback": byte_fallback}, tokens

    def word_level(self, letters: list[str]) -> tuple[Json, list[str]]:
        tokens = dict.fromkeys(["<unk>"] * self.flag(0.9) + letters + self.pieces(letters, 60))
        return {"type": "WordLevel", "unk_token": "<unk>"}, list(tokens)

    def model(self, bytes_: bool) -> tuple[Json, list[str]]:
        letters = self.alphabet(bytes_)
        make = self.rng.choices([self.bpe, self.word_piece, self.unigram, self.word_level], [5, 2, 3, 1])[0]
        model, tokens = make(letters)
        if "vocab" not in model:
            ids = list(range(len(tokens)))
            if self.flag(0.3):
                self.rng.shuffle(ids)
            model["vocab"] = dict(zip(tokens, ids))
        return model, tokens

    def added_tokens(self, tokens: list[str]) -> list[Json]:
        contents = list(SPECIALS)
        others = ["<mask>", "ab", "AB", " x", "\u00c9", "\u4e2d\u4e2d", "don't", "\ufb01", "a b", "<s", "\u0130"]
        contents += self.rng.sample(others, self.rng.randrange(5))
        if self.flag(0.3):
            contents.append(self.one(tokens))
        known = {token: index for index, token in enumerate(tokens)}
        out = []
        for content in dict.fromkeys(contents):
            known.setdefault(content, len(known))
            flags = {name: self.flag(0.2) for name in ("single_word", "lstrip", "rstrip")}
            out.append({"id": known[content], "content": content, **flags, "normalized": self.flag(), "special": self.flag()})
        return out

    def truncation(self) -> Json | None:
        if self.flag(0.8):
            return None
        length = self.rng.randrange(8, 24)  # room for all special tokens: without it the package's count runs below zero
        strategy = self.one(["LongestFirst", "OnlyFirst", "OnlySecond"])
        return {
            "direction": self.one(["Left", "Right"]),
            "max_length": length,
            "strategy": strategy,
            "stride": self.rng.randrange(3),
        }

    def padding(self) -> Json | None:
        if self.flag(0.8):
            return None
        token = {
            "pad_id": self.rng.randrange(5),
            "pad_type_id": self.rng.randrange(3),
            "pad_token": self.one(["<pad>", "[NONE]"]),
        }
        strategy = self.one(["BatchLongest", {"Fixed": self.rng.randrange(1, 30)}])
        return {
            "strategy": strategy,
            "direction": self.one(["Left", "Right"]),
            "pad_to_multiple_of": self.one([None, 4]),
            **token,
        }

    def whole(self) -> Json:
        normalizer, pre_tokenizer = self.normalizer(), self.pre_tokenizer()
        text = repr((normalizer, pre_tokenizer))
        model, tokens = self.model("ByteLevel" in text)
        added = self.added_tokens(tokens)
        ids = {token["content"]: token["id"] for token in added if token["content"] in SPECIALS}
        return {
            "version": "1.0",
            "truncation": self.truncation(),
            "padding": self.padding(),
            "added_tokens": added,
            "normalizer": normalizer,
            "pre_tokenizer": pre_tokenizer,
            "post_processor": self.post_processor(ids),
            "decoder": self.decoder(),
            "model": model,
        }


def random_tokenizer(seed: int | str) -> Json:
    return _Maker(seed).whole()


def texts_for(spec: Json) -> list[str]:
    """What its vocabulary and its added tokens are written with: most random texts should hit some of it."""
    vocabulary = spec["model"]["vocab"]
    tokens = [entry[0] for entry in vocabulary] if isinstance(vocabulary, list) else list(vocabulary)
    return [*tokens, *(token["content"] for token in spec["added_tokens"])]


def numbers_pieces(spec: Json) -> bool:
    """Whether a post-processor stands behind one that puts pieces together: the package's sequence ids then count those pieces, not
    texts, which nobody can use and librag does not follow."""
    stage = spec["post_processor"]
    stages = stage["processors"] if stage and stage["type"] == "Sequence" else []
    return any(part["type"] != "ByteLevel" for part in stages[:-1])


def renumbered(spec: Json, without: int) -> list[Json]:
    """The added tokens but one, with the ids that they have then."""
    vocabulary = spec["model"]["vocab"]
    known = {entry[0]: id for id, entry in enumerate(vocabulary)} if isinstance(vocabulary, list) else dict(vocabulary)
    kept = spec["added_tokens"][:without] + spec["added_tokens"][without + 1 :]
    return [{**token, "id": known.setdefault(token["content"], len(known))} for token in kept]


def simpler(spec: Json) -> typing.Iterator[Json]:
    """Files with one thing less, for shrinking one that shows a difference."""
    for key in ("truncation", "padding", "normalizer", "pre_tokenizer", "post_processor", "decoder"):
        if spec[key] is not None:
            yield {**spec, key: None}
    for key, parts in (
        ("normalizer", "normalizers"),
        ("pre_tokenizer", "pretokenizers"),
        ("post_processor", "processors"),
        ("decoder", "decoders"),
    ):
        stage = spec[key]
        for index, part in enumerate(stage[parts] if stage and parts in stage else []):
            yield {**spec, key: {**stage, parts: stage[parts][:index] + stage[parts][index + 1 :]}}
            if len(stage[parts]) == 1:
                yield {**spec, key: part}
    if spec["post_processor"] is None:  # which names ids, and those are numbered on
        for index in range(len(spec["added_tokens"])):
            yield {**spec, "added_tokens": renumbered(spec, index)}
    merges = spec["model"].get("merges", [])
    for index in range(len(merges)):
        yield {**spec, "model": {**spec["model"], "merges": merges[:index] + merges[index + 1 :]}}
