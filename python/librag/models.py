"""Encoder, CrossEncoder, Classifier and Generator: the kinds of model that librag runs.

The first model that is opened loads LibTorch; ``BackendMissing`` says what to install when it is not there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import EllipsisType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, overload

from . import _librag
from ._arguments import UINT64, flag, number, optional, place, text, whole, within
from ._arguments import texts as _texts
from ._chat import to_json
from ._progress import Bar
from ._stream import TokenFunction, TokenStream
from .errors import InvalidArgument
from .tokenizer import Tokenizer
from .types import FINISHES, Batching, Generation, Messages, Usage

if TYPE_CHECKING:
    from os import PathLike

    import numpy as np
    import numpy.typing as npt

__all__ = ["CachedText", "Classification", "Classifier", "CrossEncoder", "Dtype", "Encoder", "Generator", "inspect"]

Dtype = Literal["float32", "bfloat16", "float16", "int8", "int4"]
# What a model is opened in: "auto" measures.
OpenDtype = Literal["float32", "bfloat16", "float16", "int8", "int4", "auto"]


_DTYPES = ("float32", "bfloat16", "float16", "int8", "int4")
_MOST_THREADS = 1024
_MOST_WEIGHT = 10000  # of an adapter

# An adapter's name, names with weights, or None for the base.
Adapter = str | Mapping[str, float] | None


def inspect(
    path: str | PathLike[str], *, sums: bool = False, verify: bool = False, show_progress: bool | None = False
) -> dict[str, Any]:
    """What a model file (.gguf, .safetensors) or folder holds, from its headers alone; nothing is computed or loaded.

    Keys: path, format, architecture, tokenizer, chat_template, parameters, tensor_bytes, tensors (name, type, shape, bytes, file),
    files (name, bytes; with ``sums`` or ``verify`` sha256) and verified. ``verify`` compares with the folder's SHA256SUMS, as the
    program sha256sum writes it: files get a state (ok, differs, missing, unlisted), and verified is True when all weights are
    listed and every listed file is ok. NotFound: there is no SHA256SUMS.
    """
    with Bar(show_progress, "reading", "B", None) as bar:
        found = _librag.inspect_model(place("path", path), flag("sums", sums), flag("verify", verify), bar.callback)
        report: dict[str, Any] = json.loads(found)
    return report


def _shown(path: Any) -> str:
    """The path for people."""
    return os.fsdecode(place("path", path))


def _settings(
    device: str, threads: int | None, batching: Batching | None, verify: bool
) -> tuple[str, int, tuple[int, int, int], bool]:
    """What all kinds of model are opened with, checked."""
    return (
        text("device", device),
        optional("threads", threads, most=_MOST_THREADS),
        Batching._limits_of(batching),
        flag("verify", verify),
    )


class _Model:
    """What all kinds of model share: adapters, sizes, the tokenizer, saving."""

    _core: Any
    _path: str
    _dtype: str

    @property
    def dtype(self) -> str:
        """The dtype in use: what ``dtype="auto"`` chose, where that was asked for."""
        dtype: str = self._core.dtype
        return dtype

    def describe(self) -> str:
        """One line: path, architecture, sizes, dtype (after ``"auto"`` with what was measured), backend."""
        text: str = self._core.describe()
        return text

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
        self._core.load_adapter(place("path", path), name)

    def merge_adapter(self, name: str) -> None:
        """Adds a loaded adapter to the weights, one at a time. Engines that use this model see it.

        Calls of other threads that it comes into end with ``InvalidState``: they would be of two models.
        """
        self._core.merge_adapter(name)

    def unmerge_adapter(self) -> None:
        """Puts the base weights back, bit for bit."""
        self._core.unmerge_adapter()

    def set_adapter(self, adapter: Adapter) -> None:
        """What later calls add to the base without touching the weights: an adapter's name, names with weights, or None.

        A switch takes microseconds once an adapter was used. An adapter that is merged stays so. ``NotFound``: a name that is not
        loaded; nothing changes then. To an engine an embedder with adapters is another embedder.
        """
        self._core.set_adapter(adapter_shares(adapter))

    def unload_adapter(self, name: str) -> None:
        """Forgets a loaded adapter; its name is free then, and calls that use it go on. ``InvalidState``: it is merged, or set."""
        self._core.unload_adapter(name)

    def save(
        self,
        path: str | PathLike[str],
        *,
        dtype: Dtype | None = None,
        shard_bytes: int | None = None,
        show_progress: bool | None = None,
    ) -> None:
        """Writes the model into a new folder that loads again, a merged adapter included; ``dtype`` None is the model's own, with
        the exceptions for layers that it was opened with: opened again in its default, the folder brings them along.

        float32, bfloat16 and float16 give a Hugging Face folder, which transformers and sentence-transformers read too; int8 and
        int4 give librag's own, from which a model of that dtype computes the same bits. ``shard_bytes``: at most so many bytes of
        weights a file (None: 5 GB). Something at ``path`` is an AlreadyExists; after a failure or Ctrl-C nothing is left.
        """
        if dtype is not None and dtype not in _DTYPES:
            raise InvalidArgument(f"dtype is {dtype!r}, it must be {', '.join(_DTYPES)}, or None for the model's own")
        limit = optional("shard_bytes", shard_bytes, most=UINT64)
        with Bar(show_progress, "saving", "tensor", None) as bar:
            self._core.save(place("path", path), dtype, limit, bar.callback)

    def __repr__(self) -> str:
        chosen = f" ({self.dtype})" if self._dtype.split(",")[0] == "auto" else ""
        return f"{type(self).__name__}({self._path!r}, dtype={self._dtype!r}{chosen})"


# rag_prompt of rag.h.
_PROMPT_DEFAULT, _PROMPT_NAMED, _PROMPT_TEXT, _PROMPT_QUERY, _PROMPT_DOCUMENT = range(5)


def _prompt(prompt_name: str | None, prompt: str | None) -> tuple[int, str]:
    """Kind and text of a prompt."""
    if prompt is not None and prompt_name is not None:
        raise ValueError("give prompt or prompt_name, not both")
    if prompt is not None:
        return _PROMPT_TEXT, text("prompt", prompt)
    if prompt_name is not None:
        return _PROMPT_NAMED, text("prompt_name", prompt_name)
    return _PROMPT_DEFAULT, ""


class _CalibratedModel(_Model):
    """What encoders and generators have besides."""

    def calibrate(self, texts: Iterable[str], *, show_progress: bool | None = None) -> None:
        """Lets the linear layers see what their inputs look like over a text sample: ``save(path, dtype="int4")`` then compensates
        rounding errors (GPTQ). Some 16,000 tokens of the kind of text that the model will see are enough. The model itself stays
        as it is; a new sample takes the place of the one before. Best on a model opened in float32 or bfloat16.
        """
        rows = _texts("texts", texts)
        with Bar(show_progress, "calibrating", "", None) as bar:
            self._core.calibrate(rows, bar.callback)


class Encoder(_CalibratedModel):
    """A sentence-transformers folder: BERT, RoBERTa, XLM-RoBERTa, DistilBERT, MPNet, ModernBERT, or a decoder (Qwen3-Embedding and
    its like), with the pooling, Dense and Normalize modules, the prompts and the limit that the folder names. Any thread; calls of
    several are computed together as ``batching`` says (a ``Batching``).

    ``dtype="auto"`` takes the one of float32, bfloat16 and int8 in which the first layer is clearly fastest on this machine, by a
    short measurement once a process; ``describe()`` says what was measured. Models of the same files and dtype share one copy of
    their weights in memory. Exceptions for layers by name, ``{"default": "int8", "encoder.layer.0.*": "float32"}``: as
    ``Generator``'s. ``verify=True`` compares every file with the folder's SHA256SUMS first (``Corrupt`` names one that
    differs, ``NotFound``: there is none). Ctrl-C ends the opening of a large model.

    ``device``: "cpu", or another of LibTorch's ("cuda"; experimental, in float32, bfloat16 and float16: docs/encoders.md).
    ``truncate_dim``: vectors are cut to so many first dimensions (Matryoshka)."""

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        dtype: OpenDtype | str | Mapping[str, str] = "float32",
        device: str = "cpu",
        threads: int | None = None,
        batching: Batching | None = None,
        verify: bool = False,
        truncate_dim: int | None = None,
    ) -> None:
        chosen, exceptions = _dtype_and_exceptions(dtype)
        self._path, self._dtype = _shown(path), chosen + ("," + exceptions if exceptions else "")
        settings = _settings(device, threads, batching, verify)
        self._core: _librag.Encoder = _librag.Encoder(
            place("path", path), chosen, *settings, exceptions, optional("truncate_dim", truncate_dim)
        )

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self._core.dimension

    @property
    def max_tokens(self) -> int:
        """Longer texts are cut after so many tokens."""
        return self._core.max_tokens

    @property
    def prompts(self) -> dict[str, str]:
        """The folder's prompts by name."""
        prompts: dict[str, str] = json.loads(self._core.prompts)
        return prompts

    def encode(
        self,
        texts: str | Iterable[str],
        *,
        batch_tokens: int | None = None,
        normalize: bool = True,
        prompt_name: str | None = None,
        prompt: str | None = None,
        adapter: Adapter | EllipsisType = ...,
        show_progress: bool | None = None,
    ) -> npt.NDArray[np.float32]:
        """Vectors of texts, float32 of shape (n, dimension); of one str, (dimension,).

        ``prompt`` is put before every text; ``prompt_name`` takes the folder's prompt of this name (NotFound lists those it has);
        without both the folder's default prompt is taken, if it has one. ``batch_tokens`` is how many tokens are computed at once,
        None lets librag choose. ``adapter``: a loaded adapter's name, names with weights, or None for the base, for this call;
        without it as set_adapter says. Ctrl-C stops within a batch.
        """
        kind, text = _prompt(prompt_name, prompt)
        return self._encode(texts, batch_tokens, normalize, show_progress, kind, text, adapter)

    def encode_query(
        self,
        texts: str | Iterable[str],
        *,
        batch_tokens: int | None = None,
        normalize: bool = True,
        adapter: Adapter | EllipsisType = ...,
        show_progress: bool | None = None,
    ) -> npt.NDArray[np.float32]:
        """As encode, with the folder's prompt "query", if it has one."""
        return self._encode(texts, batch_tokens, normalize, show_progress, _PROMPT_QUERY, "", adapter)

    def encode_document(
        self,
        texts: str | Iterable[str],
        *,
        batch_tokens: int | None = None,
        normalize: bool = True,
        adapter: Adapter | EllipsisType = ...,
        show_progress: bool | None = None,
    ) -> npt.NDArray[np.float32]:
        """As encode, with the folder's prompt "document", "passage" or "corpus", if it has one."""
        return self._encode(texts, batch_tokens, normalize, show_progress, _PROMPT_DOCUMENT, "", adapter)

    def _encode(
        self,
        texts: str | Iterable[str],
        batch_tokens: int | None,
        normalize: bool,
        show_progress: bool | None,
        prompt_kind: int,
        prompt: str,
        adapter: Adapter | EllipsisType,
    ) -> npt.NDArray[np.float32]:
        single = isinstance(texts, str)
        rows = [texts] if isinstance(texts, str) else _texts("texts", texts)
        show = False if single and show_progress is None else show_progress
        limit = optional("batch_tokens", batch_tokens)
        unit, shares = flag("normalize", normalize), _shares_of_call(adapter)
        with Bar(show, "embedding", "text", len(rows)) as bar:
            vectors = self._core.encode(rows, unit, limit, bar.callback, prompt_kind, prompt, shares)
        return vectors[0] if single else vectors


# rag_scores of rag.h.
_SCORES_CROSS_ENCODER, _SCORES_RAW, _SCORES_PROBABILITIES = range(3)


class Classification(NamedTuple):
    """What a Classifier says of a text: the likeliest label, its score, and the scores of all labels."""

    label: str
    score: float
    scores: dict[str, float]


class _Scorer(_Model):
    """What Classifier and CrossEncoder share."""

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        dtype: OpenDtype | str | Mapping[str, str] = "float32",
        device: str = "cpu",
        threads: int | None = None,
        batching: Batching | None = None,
        verify: bool = False,
    ) -> None:
        chosen, exceptions = _dtype_and_exceptions(dtype)
        self._path, self._dtype = _shown(path), chosen + ("," + exceptions if exceptions else "")
        settings = _settings(device, threads, batching, verify)
        self._core: _librag.Classifier = _librag.Classifier(place("path", path), chosen, *settings, exceptions)

    @property
    def prompts(self) -> dict[str, str]:
        """The folder's prompts by name."""
        prompts: dict[str, str] = json.loads(self._core.prompts)
        return prompts

    @property
    def labels(self) -> list[str]:
        """The labels in the order of the scores."""
        return self._core.labels

    @property
    def max_tokens(self) -> int:
        """Longer texts are cut after so many tokens; of a pair the longer text first."""
        return self._core.max_tokens

    def _predict(
        self,
        rows: list[Any],
        scores: int,
        batch_tokens: int | None,
        show_progress: bool | None,
        prompt: tuple[int, str] = (_PROMPT_DEFAULT, ""),
        adapter: Adapter | EllipsisType = ...,
    ) -> npt.NDArray[np.float32]:
        texts, pairs = _texts_and_pairs(rows)
        with Bar(show_progress, "scoring", "pair" if pairs is not None else "text", len(rows)) as bar:
            limit, shares = optional("batch_tokens", batch_tokens), _shares_of_call(adapter)
            return self._core.predict(texts, pairs, scores, limit, bar.callback, *prompt, shares)


class CrossEncoder(_Scorer):
    """A model that reads two texts together and says how well they fit: a folder of transformers' NAMEForSequenceClassification
    (BERT, RoBERTa, XLM-RoBERTa, DistilBERT, MPNet, ModernBERT, decoders), or a language model that is a reranker (Qwen3-Reranker: a
    LogitScore in modules.json, or a Qwen3ForCausalLM without modules.json), whose score is the logit of "yes" less that of "no"
    behind its prompt. Any thread; calls of several are computed together. Options as ``Encoder``'s."""

    def predict(
        self,
        pairs: tuple[str, str] | Iterable[Sequence[str]],
        *,
        raw: bool = False,
        prompt_name: str | None = None,
        prompt: str | None = None,
        adapter: Adapter | EllipsisType = ...,
        batch_tokens: int | None = None,
        show_progress: bool | None = None,
    ) -> npt.NDArray[np.float32]:
        """Scores of pairs of texts, float32 of shape (n,), or (n, labels) for several labels; of one pair, one score or row.

        They are sentence-transformers' scores: through the function that config.json names, else through sigmoid for one label and
        as they are for several. ``raw``: the logits. ``prompt`` (or the folder's of this name; without both its default prompt)
        is the instruction of a language model, and stands in front of the first text for others. ``adapter``: as
        of ``Encoder.encode``. Ctrl-C stops within a batch.
        """
        if isinstance(pairs, str | bytes | Mapping) or not isinstance(pairs, Iterable):
            raise TypeError(f"pairs must be a pair of str or a list of pairs, not {type(pairs).__name__}")
        held = list(pairs)
        single = len(held) == 2 and all(isinstance(part, str) for part in held)
        rows = [tuple(held)] if single else held
        show = False if single and show_progress is None else show_progress
        function = _SCORES_RAW if raw else _SCORES_CROSS_ENCODER
        scores = self._predict(rows, function, batch_tokens, show, _prompt(prompt_name, prompt), adapter)
        if scores.shape[1] == 1:
            scores = scores[:, 0]
        result: npt.NDArray[np.float32] = scores[0] if single else scores
        return result

    def rank(
        self,
        query: str,
        docs: Iterable[str],
        k: int | None = None,
        *,
        return_documents: bool = False,
        prompt_name: str | None = None,
        prompt: str | None = None,
        adapter: Adapter | EllipsisType = ...,
        batch_tokens: int | None = None,
        show_progress: bool | None = None,
    ) -> list[dict[str, Any]]:
        """The ``k`` best documents for a query (None: all), best first: dicts with "corpus_id", the document's place in ``docs``,
        and "score", and with ``return_documents`` "text", as sentence-transformers gives them."""
        if len(self.labels) != 1:
            raise InvalidArgument(f"rank needs one score a pair, the model has {len(self.labels)} labels")
        texts = _texts("docs", docs)
        question = text("query", query)
        for i, doc in enumerate(texts):
            text(f"docs[{i}]", doc)
        scores = self.predict(
            [(question, doc) for doc in texts],
            prompt_name=prompt_name,
            prompt=prompt,
            adapter=adapter,
            batch_tokens=batch_tokens,
            show_progress=show_progress,
        )
        order = sorted(range(len(texts)), key=lambda i: -float(scores[i]))[: None if k is None else whole("k", k, 1)]
        return [{"corpus_id": i, "score": float(scores[i]), **({"text": texts[i]} if return_documents else {})} for i in order]


class Classifier(_Scorer):
    """A folder of transformers' NAMEForSequenceClassification (BERT, RoBERTa, XLM-RoBERTa, DistilBERT, MPNet, ModernBERT,
    decoders), which says what a text, or a pair of texts, is. Any thread; calls of several are computed together. Options as
    ``Encoder``'s."""

    def probabilities(
        self,
        texts: Iterable[str | Sequence[str]],
        *,
        adapter: Adapter | EllipsisType = ...,
        batch_tokens: int | None = None,
        show_progress: bool | None = None,
    ) -> npt.NDArray[np.float32]:
        """float32 of shape (n, labels), as transformers' text-classification gives them: softmax, or sigmoid for one label and where
        config.json says that a text may have several. ``texts``: str, or pairs of str. ``adapter``: as of ``Encoder.encode``."""
        return self._predict(_texts("texts", texts), _SCORES_PROBABILITIES, batch_tokens, show_progress, adapter=adapter)

    @overload
    def predict(
        self,
        texts: str,
        *,
        adapter: Adapter | EllipsisType = ...,
        batch_tokens: int | None = None,
        show_progress: bool | None = None,
    ) -> Classification: ...
    @overload
    def predict(
        self,
        texts: list[str] | list[tuple[str, str]],
        *,
        adapter: Adapter | EllipsisType = ...,
        batch_tokens: int | None = None,
        show_progress: bool | None = None,
    ) -> list[Classification]: ...
    def predict(
        self,
        texts: str | Iterable[str | Sequence[str]],
        *,
        adapter: Adapter | EllipsisType = ...,
        batch_tokens: int | None = None,
        show_progress: bool | None = None,
    ) -> Classification | list[Classification]:
        """The likeliest label of each text with its score, and the scores of all; of one str, one."""
        single = isinstance(texts, str)
        rows = [texts] if isinstance(texts, str) else _texts("texts", texts)
        show = False if single and show_progress is None else show_progress
        found = [
            _classification(self.labels, row)
            for row in self.probabilities(rows, adapter=adapter, batch_tokens=batch_tokens, show_progress=show).tolist()
        ]
        return found[0] if single else found


def _classification(labels: list[str], scores: list[float]) -> Classification:
    best = max(range(len(scores)), key=scores.__getitem__)
    return Classification(labels[best], scores[best], dict(zip(labels, scores, strict=True)))


def _texts_and_pairs(rows: list[Any]) -> tuple[list[str], list[str] | None]:
    """Texts alone, or first and second texts; a mixture of both is refused."""
    if all(isinstance(row, str) for row in rows):
        return rows, None
    for i, row in enumerate(rows):
        pair = not isinstance(row, str | bytes) and isinstance(row, Sequence) and len(row) == 2
        if not pair or not all(isinstance(part, str | bytes) for part in row):
            raise TypeError(f"row {i} is {row!r}, a pair of str is expected")
    return [row[0] for row in rows], [row[1] for row in rows]


def _dtype_and_exceptions(dtype: str | Mapping[str, str]) -> tuple[str, str]:
    """What most layers have, and "pattern=dtype,..." for the others."""
    if isinstance(dtype, str):
        default, _, exceptions = dtype.partition(",")
        return default, exceptions
    if not isinstance(dtype, Mapping):
        raise TypeError(f"dtype must be a str or a mapping of layers to dtypes, not {type(dtype).__name__}")
    if "default" not in dtype:
        raise InvalidArgument(f'dtype is {dict(dtype)!r}, it needs a "default"')
    for pattern, name in dtype.items():
        if not isinstance(pattern, str) or not isinstance(name, str):
            raise TypeError(f"dtype holds {pattern!r}: {name!r}, layers and dtypes must be str")
        if name not in _DTYPES and not (name == "auto" and pattern == "default"):
            raise InvalidArgument(f"dtype holds {pattern!r}: {name!r}, dtypes are {', '.join(_DTYPES)}")
        if "," in pattern or "=" in pattern:
            raise InvalidArgument(f"dtype holds the layer {pattern!r}: names of layers have neither ',' nor '='")
    return dtype["default"], ",".join(f"{pattern}={name}" for pattern, name in dtype.items() if pattern != "default")


class CachedText:
    """Keys and values of a text that a generator computed once (``Generator.cache``), to be put before prompts at any position."""

    def __init__(self, core: _librag.CachedText) -> None:
        self._core = core

    @property
    def tokens(self) -> int:
        """Tokens of the text."""
        return self._core.tokens

    @property
    def size_bytes(self) -> int:
        """Bytes of keys and values, held as long as this object lives; a short text takes some more."""
        return self._core.size_bytes

    def __len__(self) -> int:
        return self.tokens

    def __repr__(self) -> str:
        return f"CachedText({self.tokens} tokens, {self.size_bytes} bytes)"


def _cached(prefix: CachedText | Iterable[CachedText]) -> list[_librag.CachedText]:
    """The core's objects of one or several cached texts."""
    if isinstance(prefix, str | bytes | Mapping) or not isinstance(prefix, CachedText | Iterable):
        raise TypeError(f"prefix must be a CachedText or a list of them, not {type(prefix).__name__}")
    texts = [prefix] if isinstance(prefix, CachedText) else list(prefix)
    for i, one in enumerate(texts):
        if not isinstance(one, CachedText):
            raise TypeError(f"prefix[{i}] is {one!r}, a CachedText of Generator.cache is expected")
    return [text._core for text in texts]


class Generator(_CalibratedModel):
    """A GGUF file or a Hugging Face folder of a decoder: Llama, Mistral, Qwen2, Qwen3, Gemma 2 and 3, Mixtral, Qwen3-MoE.

    Any thread; steps of concurrent calls are computed together.

    ``dtype`` may make exceptions for layers by name: ``{"default": "int8", "lm_head": "bfloat16", "model.layers.0.*": "float32"}``,
    or the same as ``"int8,lm_head=bfloat16,model.layers.0.*=float32"``. ``*`` stands for anything, a later pattern goes before an
    earlier one, q, k and v take one dtype, gate and up too. ``InvalidArgument``: a pattern that fits no layer.
    ``dtype="auto"`` and ``verify``: as ``Encoder``'s.
    ``kv_dtype="int8"`` keeps keys and values in bytes with a scale for every head and position: half of bfloat16's memory.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        dtype: OpenDtype | str | Mapping[str, str] = "float32",
        device: str = "cpu",
        threads: int | None = None,
        batching: Batching | None = None,
        verify: bool = False,
        kv_dtype: Literal["int8"] | None = None,
    ) -> None:
        if kv_dtype not in (None, "int8"):
            raise ValueError(f'kv_dtype is {kv_dtype!r}, it must be None or "int8"')
        chosen, exceptions = _dtype_and_exceptions(dtype)
        self._path, self._dtype = _shown(path), chosen + ("," + exceptions if exceptions else "")
        settings = _settings(device, threads, batching, verify)
        self._core: _librag.Generator = _librag.Generator(place("path", path), chosen, *settings, exceptions, kv_dtype == "int8")

    @property
    def context_length(self) -> int:
        """Prompt and new tokens together."""
        return self._core.context_length

    @property
    def vocab_size(self) -> int:
        """Columns of ``logits``."""
        return self._core.vocab_size

    def logits(
        self,
        ids: Sequence[int] | npt.NDArray[np.int64],
        *,
        prefix: CachedText | Iterable[CachedText] = (),
        show_progress: bool | None = False,
    ) -> npt.NDArray[np.float32]:
        """Logits of every position, float32 of shape (n, vocab_size); ``prefix``: cached texts that stand before the ids. Ctrl-C
        stops within a layer. ``InvalidState``: an adapter was merged or unmerged meanwhile."""
        with Bar(show_progress, "computing", "token", None) as bar:
            return self._core.logits(ids, _cached(prefix), bar.callback)

    def cache(
        self,
        text: str | Sequence[int] | npt.NDArray[np.int64],
        *,
        add_special_tokens: bool = True,
        adapter: Adapter | EllipsisType = ...,
    ) -> CachedText:
        """Computes the keys and values of a text, or of ids as they are, once, for ``generate(prompt, prefix=[...])``, where they take a place at any position.

        One text before a prompt gives what the whole text as a prompt gives: a system prompt is computed once. Texts behind the
        first do not see what stands before them, so with several of them answers differ from those of the whole text.
        ``add_special_tokens`` puts those around it that the tokenizer puts around a prompt: True for what comes first, False for
        the others. ``adapter``: as of ``generate``, which must be asked for the same. Ctrl-C ends it within a layer.
        """
        return CachedText(self._core.cache(text, add_special_tokens, _shares_of_call(adapter)))

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
        None for the base; without it as set_adapter says), prefix (texts of ``cache`` that stand before a prompt that is a
        str, in this order; special tokens stand with the first of them then). ``stream=True`` gives an iterator of Token whose
        ``.result`` is the Generation.

        ``InvalidState``: an adapter was merged or unmerged meanwhile; a stream raises it behind the tokens of the weights before.
        """
        options = generation_options(generation)
        if isinstance(prompt, bytes | Mapping) or not isinstance(prompt, Iterable):
            raise TypeError(f"prompt must be a str or a list of messages, not {type(prompt).__name__}")
        messages = None if isinstance(prompt, str) else list(prompt)

        def run(on_token: TokenFunction | None) -> Generation:
            arguments = options if on_token is None else {**options, "on_token": on_token}
            if isinstance(prompt, str):
                core = self._core.generate(prompt, arguments)
            else:
                core = self._core.chat(to_json(messages, "messages"), arguments)
            return Generation(core.text, list(core.ids), usage_of(core.usage), timings_of(core.usage))

        return TokenStream[Generation](run) if stream else run(None)


_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "max_tokens": lambda name, value: whole(name, value, 1),
    "temperature": number,
    "top_p": lambda name, value: within(name, value, lambda p: 0 < p <= 1, "above 0 and at most 1"),
    "top_k": whole,
    "min_p": number,
    "repeat_penalty": lambda name, value: within(name, value, lambda p: p == 0 or 1 <= p <= 1000, "0 (off), or 1 to 1000"),
    "seed": lambda name, value: whole(name, value, 0, UINT64),
}


def adapter_shares(adapter: Adapter) -> dict[str, float]:
    """One adapter or a mixture as names with weights."""
    if adapter is None:
        return {}
    if isinstance(adapter, str):
        return {adapter: 1.0}
    if not isinstance(adapter, Mapping):
        raise TypeError(f"adapter must be a name, a mapping of names to weights, or None, not {type(adapter).__name__}")
    for name in adapter:
        if not isinstance(name, str):
            raise TypeError(f"adapter holds the name {name!r}, a name must be a str, not {type(name).__name__}")
    return {name: _weight(f"the weight of adapter {name!r}", weight) for name, weight in adapter.items()}


def _weight(name: str, value: Any) -> float:
    """What an adapter counts. True is no weight: who writes it means something else."""
    if type(value).__name__ in ("bool", "bool_"):
        raise TypeError(f"{name} must be a number, not {type(value).__name__}")
    return within(name, value, lambda weight: abs(weight) <= _MOST_WEIGHT, f"{-_MOST_WEIGHT} to {_MOST_WEIGHT}")


def _shares_of_call(adapter: Adapter | EllipsisType) -> dict[str, float] | None:
    """The adapters of a call; None: those that are set."""
    return None if isinstance(adapter, EllipsisType) else adapter_shares(adapter)


def generation_options(given: dict[str, Any]) -> dict[str, Any]:
    """Generation keywords as the core takes them; an unknown one is a TypeError that lists the known ones."""
    options: dict[str, Any] = {}
    for name, value in given.items():
        if name == "stop":
            options["stop"] = [value] if isinstance(value, str) else _texts("stop", value)
        elif name == "adapter":
            options["adapters"] = adapter_shares(value)
        elif name == "prefix":
            options["prefix"] = _cached(value)
        elif name in _CHECKS:
            options[name] = _CHECKS[name](name, value)
        else:
            known = ", ".join([*_CHECKS, "stop", "adapter", "prefix", "stream"])
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
