"""Text to token ids and back, exactly as Hugging Face's tokenizers does it (docs/tokenizers.md)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, overload

from . import _librag
from ._arguments import optional, whole
from ._chat import FOREIGN, to_json, tools_json
from ._librag import DecodeStream, Encoding
from .errors import InvalidArgument
from .types import Messages

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["AddedToken", "DecodeStream", "Encoding", "Tokenizer"]

Text = str | bytes
Truncation = bool | Literal["longest_first", "only_first", "only_second"] | None
Padding = bool | int | Literal["longest"] | None
Side = Literal["left", "right"]
_MOST_TOKENS = 2**63 - 1
_AS_THE_FILE_SAYS = "without it everything is as the tokenizer's file says"


@dataclass(frozen=True)
class AddedToken:
    """A token that is cut out of the text before anything else looks at it."""

    content: str
    id: int
    single_word: bool
    lstrip: bool
    rstrip: bool
    normalized: bool
    special: bool


class Tokenizer:
    """Immutable; may be used by any number of threads, and in a child of ``fork()``. ``from_pretrained`` and ``from_json`` make it."""

    def __init__(self, core: object = None) -> None:
        if not isinstance(core, _librag.Tokenizer):
            raise TypeError("a tokenizer is made by Tokenizer.from_pretrained(path) or Tokenizer.from_json(text)")
        self._core = core

    @classmethod
    def from_pretrained(cls, path: str | PathLike[str]) -> Tokenizer:
        """Reads a folder, a file of a tokenizer, or a GGUF file.

        A folder has tokenizer.json, or else vocab.json and merges.txt, a .tiktoken file, a SentencePiece .model, vocab.txt, or
        an RWKV vocabulary.
        """
        return cls(_librag.Tokenizer.from_pretrained(os.fspath(path)))

    @classmethod
    def from_json(cls, text: Text, configuration: Text | None = None) -> Tokenizer:
        """Reads the content of a tokenizer.json, and of the tokenizer_config.json beside it."""
        return cls(_librag.Tokenizer.from_json(text, configuration))

    def save(self, path: str | PathLike[str]) -> None:
        """Writes a tokenizer.json that Hugging Face reads with the same results.

        All of the file or nothing is written. Names of special tokens and the chat template are not part of it. Unsupported: that
        file cannot say what RWKV's files and SentencePiece's .model do, but for byte pairs as Llama 2's; the error says why. What
        cannot be saved cannot be pickled either.
        """
        self._core.save(os.fspath(path))

    def to_json(self) -> str:
        """The text that ``save`` writes."""
        return self._core.to_json()

    def encode(
        self,
        text: Text | Sequence[Text],
        pair: Text | Sequence[Text] | None = None,
        *,
        add_special_tokens: bool = True,
        is_pretokenized: bool = False,
        truncation: Truncation = None,
        max_length: int | None = None,
        stride: int = 0,
        truncation_side: Side = "right",
        padding: Padding = None,
        pad_to_multiple_of: int | None = None,
        padding_side: Side = "right",
        pad_id: int | None = None,
        pad_token: str | None = None,
        pad_type_id: int = 0,
        errors: Literal["strict", "replace"] = "strict",
    ) -> Encoding:
        """Encodes a text, or a pair. Offsets are in characters of the text.

        ``is_pretokenized``: each text is a list of words. Each word is encoded as a text of its own, and they are put together:
        offsets are those in a token's word, ``word_ids`` indices of words. ``truncation``: None as the file says, False off, else
        the strategy (True: longest_first), to ``max_length`` tokens with the special ones; ``max_length`` alone means
        longest_first. What is cut off is in ``Encoding.overflowing``, in windows that share ``stride`` tokens. ``padding``: None
        as the file says, False off, True or "longest" to the longest of the batch, a number to that length;
        ``pad_to_multiple_of`` alone means "longest". Settings beside a truncation or padding that is not asked for are a
        TypeError. ``errors``: what happens to bytes that are not UTF-8 and to lone surrogates: InvalidArgument with the place, or
        U+FFFD for each ill-formed part, which counts as one character.
        """
        options = _options(
            truncation, max_length, stride, truncation_side, padding, pad_to_multiple_of, padding_side, pad_id, pad_token,
            pad_type_id, errors,
        )  # fmt: skip
        if is_pretokenized:
            return self._core.encode_words(text, pair, add_special_tokens, options)
        return self._core.encode(text, pair, add_special_tokens, options)

    def encode_batch(
        self,
        texts: Iterable[Text | Sequence[Text] | Sequence[Sequence[Text]]],
        *,
        add_special_tokens: bool = True,
        is_pretokenized: bool = False,
        threads: int | None = None,
        truncation: Truncation = None,
        max_length: int | None = None,
        stride: int = 0,
        truncation_side: Side = "right",
        padding: Padding = None,
        pad_to_multiple_of: int | None = None,
        padding_side: Side = "right",
        pad_id: int | None = None,
        pad_token: str | None = None,
        pad_type_id: int = 0,
        errors: Literal["strict", "replace"] = "strict",
    ) -> list[Encoding]:
        """Encodes texts, or pairs of them as tuples, in their order on ``threads`` threads (None: as many as the process may use).

        The options are those of ``encode``; with ``is_pretokenized`` each text is a list of words, a pair two such lists. Padding
        to the longest goes over all. Ctrl-C ends it within the time of one text.
        """
        options = _options(
            truncation, max_length, stride, truncation_side, padding, pad_to_multiple_of, padding_side, pad_id, pad_token,
            pad_type_id, errors,
        )  # fmt: skip
        encode = self._core.encode_words_batch if is_pretokenized else self._core.encode_batch
        return encode(texts, add_special_tokens, optional("threads", threads, 0), options)

    def decode(self, ids: Iterable[int], *, skip_special_tokens: bool = True) -> str:
        """The text of these ids; ids that no token has are left out."""
        return self._core.decode(ids, skip_special_tokens)

    def decode_batch(
        self, ids: Iterable[Iterable[int]], *, skip_special_tokens: bool = True, threads: int | None = None
    ) -> list[str]:
        """The texts of several lists of ids."""
        return self._core.decode_batch(ids, skip_special_tokens, optional("threads", threads, 0))

    def decode_stream(self, *, skip_special_tokens: bool = True) -> DecodeStream:
        """Decodes one id at a time: ``push(id)`` and, at the end, ``finish()`` return text in whole characters.

        All they return, put together, is ``decode`` of all ids. For one thread.
        """
        return self._core.decode_stream(skip_special_tokens)

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

    def get_vocab(self) -> dict[str, int]:
        """Tokens and ids, added ones included."""
        return self._core.get_vocab()

    @property
    def added_tokens(self) -> dict[int, AddedToken]:
        """Added tokens by id."""
        return {id: AddedToken(content, id, *flags) for id, content, *flags in self._core.added_tokens()}

    def _special(self, name: str) -> str | None:
        found = self._core.special_token(name)
        return found[0] if found else None

    def _special_id(self, name: str) -> int | None:
        found = self._core.special_token(name)
        return found[1] if found else None

    @property
    def bos_token(self) -> str | None:
        """As the tokenizer's configuration or its GGUF file names it; None if they do not. So are the others."""
        return self._special("bos_token")

    @property
    def bos_token_id(self) -> int | None:
        return self._special_id("bos_token")

    @property
    def eos_token(self) -> str | None:
        return self._special("eos_token")

    @property
    def eos_token_id(self) -> int | None:
        return self._special_id("eos_token")

    @property
    def unk_token(self) -> str | None:
        return self._special("unk_token")

    @property
    def unk_token_id(self) -> int | None:
        return self._special_id("unk_token")

    @property
    def pad_token(self) -> str | None:
        return self._special("pad_token")

    @property
    def pad_token_id(self) -> int | None:
        return self._special_id("pad_token")

    @property
    def cls_token(self) -> str | None:
        return self._special("cls_token")

    @property
    def cls_token_id(self) -> int | None:
        return self._special_id("cls_token")

    @property
    def sep_token(self) -> str | None:
        return self._special("sep_token")

    @property
    def sep_token_id(self) -> int | None:
        return self._special_id("sep_token")

    @property
    def mask_token(self) -> str | None:
        return self._special("mask_token")

    @property
    def mask_token_id(self) -> int | None:
        return self._special_id("mask_token")

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
        tokenize: gives the ids, without special tokens but those of the template, neither truncated nor padded.
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
        if not tokenize:
            return text
        return self.encode(text, add_special_tokens=False, truncation=False, padding=False).ids

    def __len__(self) -> int:
        return self.vocab_size

    def __repr__(self) -> str:
        return f"Tokenizer(vocab_size={self.vocab_size})"

    def __reduce__(self) -> tuple[object, ...]:
        return Tokenizer.from_json, (self._core.to_json(), self._core.configuration())


def _encoding_from_bytes(data: bytes) -> Encoding:
    """What a pickled ``Encoding`` is made by."""
    return Encoding._from_bytes(data)


def _options(
    truncation: Truncation,
    max_length: int | None,
    stride: int,
    truncation_side: Side,
    padding: Padding,
    pad_to_multiple_of: int | None,
    padding_side: Side,
    pad_id: int | None,
    pad_token: str | None,
    pad_type_id: int,
    errors: str,
) -> dict[str, object] | None:
    """What the core is told; None where everything is as the tokenizer's file says."""
    options: dict[str, object] = {}
    if errors != "strict":
        options["errors"] = errors
    if truncation is not None or max_length is not None:
        options |= _truncation_options(truncation, max_length, stride, truncation_side)
    elif stride != 0 or truncation_side != "right":
        raise TypeError(f"{'stride' if stride != 0 else 'truncation_side'} needs max_length: {_AS_THE_FILE_SAYS}")
    if padding is None and pad_to_multiple_of is None:
        if padding_side != "right" or pad_id is not None or pad_token is not None or pad_type_id != 0:
            raise TypeError(f"padding_side, pad_id, pad_token and pad_type_id need padding: {_AS_THE_FILE_SAYS}")
    else:
        options |= _padding_options(padding, pad_to_multiple_of, padding_side, pad_id, pad_token, pad_type_id)
    return options or None


def _truncation_options(truncation: Truncation, max_length: int | None, stride: int, truncation_side: Side) -> dict[str, object]:
    if truncation is False:
        return {"truncation": "off"}
    strategy = "longest_first" if truncation is None or truncation is True else truncation
    if strategy not in ("longest_first", "only_first", "only_second"):
        raise InvalidArgument(
            f"truncation is {truncation!r}, it must be True or 'longest_first', 'only_first', 'only_second', False (off) or None "
            "(as the tokenizer's file says)"
        )
    if max_length is None:
        raise TypeError("truncation needs max_length")
    return {
        "truncation": strategy,
        "max_length": whole("max_length", max_length, 0, _MOST_TOKENS),
        "stride": whole("stride", stride, 0, _MOST_TOKENS),
        "truncation_side": truncation_side,
    }


def _padding_options(
    padding: Padding,
    pad_to_multiple_of: int | None,
    padding_side: Side,
    pad_id: int | None,
    pad_token: str | None,
    pad_type_id: int,
) -> dict[str, object]:
    if padding is False:
        return {"padding": "off"}
    options: dict[str, object] = {
        "padding_side": padding_side,
        "pad_type_id": whole("pad_type_id", pad_type_id),
        "pad_to_multiple_of": optional("pad_to_multiple_of", pad_to_multiple_of, 0),
    }
    if padding is None or padding is True or padding == "longest":
        options["padding"] = "longest"
    elif isinstance(padding, str):
        raise InvalidArgument(
            f"padding is {padding!r}, it must be True or 'longest' (to the longest of the batch), a number (to that length), False "
            "(off) or None (as the tokenizer's file says)"
        )
    else:
        options |= {"padding": "length", "padding_length": whole("padding", padding)}
    if pad_id is not None:
        options["pad_id"] = whole("pad_id", pad_id, 0, 2**31 - 1)
    if pad_token is not None:
        options["pad_token"] = pad_token
    return options
