"""Text to token ids and back, exactly as Hugging Face's tokenizers does it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from . import _librag
from ._librag import Encoding
from .types import Messages

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["Encoding", "Tokenizer"]


class Tokenizer:
    """Immutable; may be used by any number of threads."""

    def __init__(self, core: _librag.Tokenizer) -> None:
        self._core = core

    @classmethod
    def from_pretrained(cls, path: str | PathLike[str]) -> Tokenizer:
        """Reads a folder with tokenizer.json or vocab.txt, one of these files, or a GGUF file."""
        return cls(_librag.Tokenizer.from_pretrained(os.fspath(path)))

    def encode(self, text: str, pair: str | None = None, *, add_special_tokens: bool = True) -> Encoding:
        """Encodes a text, or a pair, with the file's truncation and padding. Offsets are in characters."""
        return self._core.encode(text, pair, add_special_tokens)

    def encode_batch(self, texts: Iterable[str], *, add_special_tokens: bool = True) -> list[Encoding]:
        """Encodes many texts; padded to the longest where the file says so."""
        return self._core.encode_batch(texts, add_special_tokens)

    def decode(self, ids: Iterable[int], *, skip_special_tokens: bool = True) -> str:
        """The text of these ids."""
        return self._core.decode(ids, skip_special_tokens)

    def token_to_id(self, token: str) -> int | None:
        """None if there is no such token."""
        return self._core.token_to_id(token)

    def id_to_token(self, id: int) -> str:
        """The token of an id; InvalidArgument outside the vocabulary."""
        return self._core.id_to_token(id)

    @property
    def vocab_size(self) -> int:
        """Tokens in the vocabulary, added ones included."""
        return self._core.vocab_size

    def apply_chat_template(self, messages: Messages, *, add_generation_prompt: bool = True) -> str:
        """Writes a conversation, [{"role": "user", "content": "..."}], as the model's chat template says."""
        return self._core.apply_chat_template(json.dumps(messages, ensure_ascii=False), add_generation_prompt)

    def __len__(self) -> int:
        return self.vocab_size

    def __repr__(self) -> str:
        return f"Tokenizer(vocab_size={self.vocab_size})"
