"""Text to token ids and back, exactly as Hugging Face's tokenizers does it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, overload

from . import _librag
from ._chat import FOREIGN, to_json, tools_json
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

    @overload
    def apply_chat_template(
        self,
        messages: Messages,
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        documents: Sequence[Mapping[str, Any]] | None = None,
        chat_template: str | None = None,
        add_generation_prompt: bool | None = None,
        continue_final_message: bool | str = False,
        tokenize: Literal[False] = False,
        **variables: Any,
    ) -> str: ...
    @overload
    def apply_chat_template(
        self,
        messages: Messages,
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        documents: Sequence[Mapping[str, Any]] | None = None,
        chat_template: str | None = None,
        add_generation_prompt: bool | None = None,
        continue_final_message: bool | str = False,
        tokenize: Literal[True],
        **variables: Any,
    ) -> list[int]: ...
    def apply_chat_template(
        self,
        messages: Messages,
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        documents: Sequence[Mapping[str, Any]] | None = None,
        chat_template: str | None = None,
        add_generation_prompt: bool | None = None,
        continue_final_message: bool | str = False,
        tokenize: bool = False,
        **variables: Any,
    ) -> str | list[int]:
        """Writes a conversation, [{"role": "user", "content": "..."}], as the model's chat template says.

        The text is the one of transformers' apply_chat_template, whose names the arguments have. Its defaults differ: a text comes
        back, not ids, and the answer is opened (``add_generation_prompt``) unless the last message is to be continued.

        tools: JSON schemas of functions, as dicts. documents: dicts, such as {"title": ..., "text": ...}.
        chat_template: the name of one of the file's templates, or a template itself. None: the file's own; where it has several,
        "tool_use" when there are tools, else "default".
        continue_final_message: leaves the last message open; a text names its field, True means "content".
        tokenize: gives the ids, without special tokens but those of the template.
        variables: whatever else the template reads, such as enable_thinking=False.

        Keys of messages that hold None are left out, and rich objects become plain data, as in transformers; but a tuple becomes a
        list. NotFound: there is no template. InvalidArgument: the template refuses the messages, or runs into the limits on its
        steps, output and depth. Unsupported: it uses something that librag does not know.
        """
        if foreign := sorted(FOREIGN & variables.keys()):
            raise TypeError(f"apply_chat_template() takes no argument {foreign[0]!r}: encode the text that it gives")
        continued = "content" if continue_final_message is True else continue_final_message or None
        text = self._core.apply_chat_template(
            to_json(messages, "messages"),
            continued is None if add_generation_prompt is None else add_generation_prompt,
            tools_json(tools),
            None if documents is None else to_json(list(documents), "documents"),
            to_json(variables, "variables") if variables else None,
            chat_template,
            continued,
        )
        return self.encode(text, add_special_tokens=False).ids if tokenize else text

    def __len__(self) -> int:
        return self.vocab_size

    def __repr__(self) -> str:
        return f"Tokenizer(vocab_size={self.vocab_size})"
