"""A small BERT that knows nothing yet: random weights, and a vocabulary made of the texts that it will read.

For languages and domains in which no trained encoder is at hand. Training is ``librag.Trainer``'s: ``masked_lm`` on plain texts first, then
the task. In: texts; out: a Hugging Face folder. Not for continuing a trained model, whose vocabulary must stay. The vocabulary: characters,
the most frequent first, then words, which are ICU's (UAX #29, dictionaries for Chinese, Japanese and Thai).
"""

from __future__ import annotations

import json
import re
import shutil
import struct
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from os import PathLike
from pathlib import Path
from typing import Any

from ._arguments import UINT64, whole
from .errors import AlreadyExists, InvalidArgument
from .text import chunk

_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_LETTERS = re.compile(r"[^\W_]+")
_LONGEST_WORD = 32
# Characters without a space or punctuation among them; longer ones become [UNK]. Chinese clauses, not words, are meant.
_MAX_RUN = 10_000
_DEVIATION = 0.02


def new_encoder(
    path: str | PathLike[str],
    texts: Iterable[str],
    *,
    vocab_size: int = 8000,
    hidden: int = 256,
    layers: int = 4,
    heads: int = 4,
    max_tokens: int = 512,
    min_count: int = 5,
    seed: int = 42,
) -> Path:
    """Writes the folder of an untrained BERT (transformers' ``BertModel``) and gives its path.

    ``texts``: what the vocabulary is made of, at most ``vocab_size`` tokens, five of them special; a token occurs ``min_count`` times. Letters
    are folded to lower case without accents, as BERT's. ``hidden``: width of the vectors, a multiple of ``heads``; feed-forward layers are four
    times as wide. ``max_tokens``: longest text. The same arguments give the same bytes.

    Memory: the texts' different words. A million characters of Chinese take some 15 seconds. ``path`` must not exist (AlreadyExists) and appears only when it is whole. Sizes out of range, and texts that hold
    no token, are an InvalidArgument.
    """
    vocab_size, hidden = whole("vocab_size", vocab_size, len(_SPECIAL) + 1, 1 << 20), whole("hidden", hidden, 1, 1 << 14)
    layers, heads = whole("layers", layers, 1, 1 << 10), whole("heads", heads, 1, 1 << 10)
    max_tokens, min_count = whole("max_tokens", max_tokens, 3, 1 << 20), whole("min_count", min_count, 1, UINT64)
    seed = whole("seed", seed, 0, UINT64)
    if hidden % heads:
        raise InvalidArgument(f"hidden is {hidden}, no multiple of the {heads} heads")
    if isinstance(texts, str | bytes):
        raise TypeError("texts must be several texts, not one")
    folder = Path(path)
    if folder.exists():
        raise AlreadyExists(f"{str(folder)!r} exists already")
    vocabulary = [*_SPECIAL, *_tokens(texts, min_count, vocab_size - len(_SPECIAL))]
    if len(vocabulary) == len(_SPECIAL):
        raise InvalidArgument(f"no character occurs {min_count} times in the texts")
    config = _config(len(vocabulary), hidden, layers, heads, max_tokens)
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Beside its place, so that it appears in one step.
    fresh = Path(tempfile.mkdtemp(prefix=folder.name + ".", dir=folder.parent))
    try:
        _write_json(fresh / "config.json", config)
        _write_json(fresh / "tokenizer.json", _tokenizer(vocabulary))
        _write_json(fresh / "tokenizer_config.json", _tokenizer_config(max_tokens))
        _write_weights(fresh / "model.safetensors", config, seed)
        fresh.chmod(0o755)
        fresh.rename(folder)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    return folder


def _folded(text: str) -> str:
    """Lower case without accents, as BertNormalizer leaves a text."""
    apart = unicodedata.normalize("NFD", text)
    if not apart.isascii():
        apart = "".join(char for char in apart if unicodedata.category(char) != "Mn")
    return apart.lower()


def _tokens(texts: Iterable[str], min_count: int, most: int) -> Iterator[str]:
    """Characters, then words, each the most frequent first (of equals the smaller), at most ``most``."""
    characters: Counter[str] = Counter()
    words: Counter[str] = Counter()
    for text in texts:
        folded = _folded(text)
        characters.update(folded)
        for piece in chunk(folded, size=1, chunker="tokens"):  # a word, with the punctuation behind it
            words.update(word for word in _LETTERS.findall(piece.text) if 1 < len(word) <= _LONGEST_WORD)
    for character in [character for character in characters if character.isspace() or not character.isprintable()]:
        del characters[character]
    chosen = 0
    for counts in (characters, words):
        for token, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
            if count < min_count or chosen == most:
                break
            chosen += 1
            yield token


def _config(vocab_size: int, hidden: int, layers: int, heads: int, max_tokens: int) -> dict[str, Any]:
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "vocab_size": vocab_size,
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": 4 * hidden,
        "hidden_act": "gelu",
        "max_position_embeddings": max_tokens,
        "type_vocab_size": 2,
        "layer_norm_eps": 1e-12,
        "initializer_range": _DEVIATION,
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "pad_token_id": 0,
    }


def _tokenizer(vocabulary: list[str]) -> dict[str, Any]:
    """WordPiece that takes the longest token at each place. Tokens have no mark for "inside a word": Chinese has no spaces to tell."""
    places = {token: i for i, token in enumerate(_SPECIAL)}
    special = {
        "id": 0,
        "content": "",
        "special": True,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
    }
    begin, end = {"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"SpecialToken": {"id": "[SEP]", "type_id": 0}}
    first, second = {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [special | {"id": i, "content": token} for token, i in places.items()],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": False,
            "strip_accents": True,
            "lowercase": True,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [begin, first, end],
            "pair": [begin, first, end, second, {"SpecialToken": {"id": "[SEP]", "type_id": 1}}],
            "special_tokens": {token: {"id": token, "ids": [places[token]], "tokens": [token]} for token in ("[CLS]", "[SEP]")},
        },
        "decoder": {"type": "WordPiece", "prefix": "", "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "",
            "max_input_chars_per_word": _MAX_RUN,
            "vocab": {token: i for i, token in enumerate(vocabulary)},
        },
    }


def _tokenizer_config(max_tokens: int) -> dict[str, Any]:
    names = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
    return {f"{name}_token": token for name, token in names.items()} | {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": max_tokens,
    }


def _shapes(config: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Names of BertModel's tensors, without a pooler: what needs one makes it."""
    wide, inner = config["hidden_size"], config["intermediate_size"]
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (config["vocab_size"], wide),
        "embeddings.position_embeddings.weight": (config["max_position_embeddings"], wide),
        "embeddings.token_type_embeddings.weight": (config["type_vocab_size"], wide),
        "embeddings.LayerNorm.weight": (wide,),
        "embeddings.LayerNorm.bias": (wide,),
    }
    square, up, down = (wide, wide), (inner, wide), (wide, inner)
    linear = {
        "attention.self.query": square,
        "attention.self.key": square,
        "attention.self.value": square,
        "attention.output.dense": square,
        "intermediate.dense": up,
        "output.dense": down,
    }
    for layer in range(config["num_hidden_layers"]):
        start = f"encoder.layer.{layer}."
        for name, shape in linear.items():
            shapes[f"{start}{name}.weight"] = shape
            shapes[f"{start}{name}.bias"] = shape[:1]
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes[f"{start}{name}.weight"] = shapes[f"{start}{name}.bias"] = (wide,)
    return shapes


def _write_weights(path: Path, config: dict[str, Any], seed: int) -> None:
    """A safetensors file (its length in 8 bytes, a JSON header, values): matrices normal, biases 0, norms 1, as BERT begins."""
    import numpy as np

    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    shapes = _shapes(config)
    for name, shape in shapes.items():
        begin, end = end, end + 4 * int(np.prod(shape))
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    random = np.random.default_rng(seed)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, shape in shapes.items():
            if len(shape) == 1:
                values = np.full(shape, 1.0 if name.endswith(".weight") else 0.0, dtype="<f4")
            else:
                values = (_DEVIATION * random.standard_normal(shape, dtype=np.float32)).astype("<f4")
            file.write(values.tobytes())


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", "utf-8")
