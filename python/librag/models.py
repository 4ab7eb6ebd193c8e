"""Encoder and Generator: the two kinds of model that librag runs.

The first model that is opened loads LibTorch; ``BackendMissing`` says what to install when it is not there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, overload

from . import _librag
from ._arguments import UINT64, number, optional, whole
from ._chat import to_json
from ._progress import Bar
from ._stream import TokenFunction, TokenStream
from .tokenizer import Tokenizer
from .types import FINISHES, Generation, Messages, Usage

if TYPE_CHECKING:
    from os import PathLike

    import numpy as np
    import numpy.typing as npt

__all__ = ["Dtype", "Encoder", "Generator"]

Dtype = Literal["float32", "bfloat16", "float16", "int8", "int4"]


# An adapter's name, names with weights, or None for the base.
Adapter = str | Mapping[str, float] | None


class _Model:
    """What both kinds of model share: adapters, sizes, the tokenizer."""

    _core: Any
    _path: str
    _dtype: str

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's own tokenizer."""
        return Tokenizer(self._core.tokenizer)

    @property
    def weight_bytes(self) -> int:
        """Bytes of the weights at this dtype."""
        size: int = self._core.weight_bytes
        return size

    def load_adapter(self, path: str | PathLike[str], name: str) -> None:
        """Reads a PEFT LoRA folder (generators: or a LoRA in GGUF) and keeps it under ``name``."""
        self._core.load_adapter(os.fspath(path), name)

    def merge_adapter(self, name: str) -> None:
        """Adds a loaded adapter to the weights, one at a time. Engines that use this model see it."""
        self._core.merge_adapter(name)

    def unmerge_adapter(self) -> None:
        """Puts the base weights back, bit for bit."""
        self._core.unmerge_adapter()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._path!r}, dtype={self._dtype!r})"


class Encoder(_Model):
    """A sentence-transformers folder. Any thread; calls are served one after another."""

    def __init__(
        self, path: str | PathLike[str], *, dtype: Dtype = "float32", device: str = "cpu", threads: int | None = None
    ) -> None:
        self._path, self._dtype = os.fspath(path), dtype
        self._core: _librag.Encoder = _librag.Encoder(self._path, dtype, device, optional("threads", threads))

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self._core.dimension

    @property
    def max_tokens(self) -> int:
        """Longer texts are cut after so many tokens."""
        return self._core.max_tokens

    def encode(
        self,
        texts: str | Iterable[str],
        *,
        batch_tokens: int | None = None,
        normalize: bool = True,
        show_progress: bool | None = None,
    ) -> npt.NDArray[np.float32]:
        """Vectors of texts, float32 of shape (n, dimension); of one str, (dimension,).

        ``batch_tokens`` is how many tokens are computed at once, None lets librag choose. Ctrl-C stops within a batch.
        """
        single = isinstance(texts, str)
        rows = [texts] if isinstance(texts, str) else list(texts)
        show = False if single and show_progress is None else show_progress
        with Bar(show, "embedding", "text", len(rows)) as bar:
            vectors = self._core.encode(rows, normalize, optional("batch_tokens", batch_tokens), bar.callback)
        return vectors[0] if single else vectors


class Generator(_Model):
    """A GGUF file or a Hugging Face folder of a decoder: Llama, Mistral, Qwen2, Qwen3, Gemma 2 and 3, Mixtral, Qwen3-MoE.

    Any thread; steps of concurrent calls are computed together.
    """

    def __init__(
        self, path: str | PathLike[str], *, dtype: Dtype = "float32", device: str = "cpu", threads: int | None = None
    ) -> None:
        self._path, self._dtype = os.fspath(path), dtype
        self._core: _librag.Generator = _librag.Generator(self._path, dtype, device, optional("threads", threads))

    @property
    def context_length(self) -> int:
        """Prompt and new tokens together."""
        return self._core.context_length

    @property
    def vocab_size(self) -> int:
        """Columns of ``logits``."""
        return self._core.vocab_size

    def logits(self, ids: Sequence[int] | npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Logits of every position, float32 of shape (n, vocab_size)."""
        return self._core.logits(ids)

    def set_adapter(self, adapter: Adapter) -> None:
        """What later calls add to the base without touching the weights: an adapter's name, names with weights, or None.

        A switch takes microseconds once an adapter was used. An adapter that is merged stays so. ``NotFound``: a name that is not
        loaded; nothing changes then.
        """
        self._core.set_adapter(adapter_shares(adapter))

    @overload
    def generate(self, prompt: str | Messages, *, stream: Literal[False] = False, **generation: Any) -> Generation: ...
    @overload
    def generate(self, prompt: str | Messages, *, stream: Literal[True], **generation: Any) -> TokenStream[Generation]: ...
    def generate(
        self, prompt: str | Messages, *, stream: bool = False, **generation: Any
    ) -> Generation | TokenStream[Generation]:
        """Continues raw text (str), or answers a conversation (a list of messages) through the model's chat template.

        Keywords: max_tokens=256, temperature=0.0 (greedy), top_p=1.0, top_k=0 (off), min_p=0.0, repeat_penalty=1.0 (over the last
        64 tokens), seed=0, stop=() (texts that end it and are not part of it), adapter (a name, names with weights, or
        None for the base; without it as set_adapter says). ``stream=True`` gives an iterator of Token whose
        ``.result`` is the Generation.
        """
        options = generation_options(generation)

        def run(on_token: TokenFunction | None) -> Generation:
            arguments = options if on_token is None else {**options, "on_token": on_token}
            if isinstance(prompt, str):
                core = self._core.generate(prompt, arguments)
            else:
                core = self._core.chat(to_json(list(prompt), "messages"), arguments)
            return Generation(core.text, list(core.ids), usage_of(core.usage), timings_of(core.usage))

        return TokenStream[Generation](run) if stream else run(None)


_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "max_tokens": lambda name, value: whole(name, value, 1),
    "temperature": number,
    "top_p": number,
    "top_k": whole,
    "min_p": number,
    "repeat_penalty": number,
    "seed": lambda name, value: whole(name, value, 0, UINT64),
}


def adapter_shares(adapter: Adapter) -> dict[str, float]:
    """One adapter or a mixture as names with weights."""
    if adapter is None:
        return {}
    if isinstance(adapter, str):
        return {adapter: 1.0}
    return {name: number("adapter", weight) for name, weight in adapter.items()}


def generation_options(given: dict[str, Any]) -> dict[str, Any]:
    """Generation keywords as the core takes them; an unknown one is a TypeError that lists the known ones."""
    options: dict[str, Any] = {}
    for name, value in given.items():
        if name == "stop":
            options["stop"] = [value] if isinstance(value, str) else list(value)
        elif name == "adapter":
            options["adapters"] = adapter_shares(value)
        elif name in _CHECKS:
            options[name] = _CHECKS[name](name, value)
        else:
            known = ", ".join([*_CHECKS, "stop", "adapter", "stream"])
            raise TypeError(f"unknown generation option {name!r}; known are {known}")
    return options


def usage_of(usage: _librag.Usage) -> Usage:
    """The counts of a core usage."""
    return Usage(usage.prompt_tokens, usage.new_tokens, FINISHES[usage.finish])


def timings_of(usage: _librag.Usage) -> dict[str, float]:
    """The milliseconds of a core usage, without parts that did not take place."""
    parts = {
        "search": usage.search_ms,
        "prompt": usage.prompt_ms,
        "prefill": usage.prefill_ms,
        "decode": usage.decode_ms,
        "citations": usage.citation_ms,
    }
    return {name: value for name, value in parts.items() if value > 0}
