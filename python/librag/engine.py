"""Engine: a knowledge base with local models. Documents go in, hits and cited answers come out."""

from __future__ import annotations

import itertools
import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast, overload

from . import _librag
from ._arguments import optional, place_in, whole
from ._maintenance import Maintenance
from ._progress import Bar
from ._reembed import Reembedding
from ._search import SearchOptions, links_of, query_of
from ._stream import TokenFunction, TokenStream
from .indexes import BM25Settings, bm25_settings
from .models import CrossEncoder, Encoder, Generator, generation_options, timings_of, usage_of
from .types import CHUNKERS, KINDS, Answer, ChunkerName, Citation, Document, Hit, Hits, Link, Metric, Mode

if TYPE_CHECKING:
    from os import PathLike

    from typing_extensions import Unpack

    DocumentLike = str | Mapping[str, Any] | Document
    Where = Mapping[str, Any]

__all__ = ["AnswerStream", "Engine", "Reembedding"]

_STREAM_BATCH = 1024
_Row = tuple[str | None, str, str | None, str | None, Any, str | None, str | None, int]
_KEYS = ("id", "text", "title", "metadata", "source", "language", "kind", "vector")


class _Same:
    """Stands for the model that the engine has."""


_SAME = _Same()
_Model = TypeVar("_Model", Encoder, CrossEncoder, Generator)


def _model(given: str | PathLike[str] | _Model | _Same | None, kind: type[_Model]) -> _Model | _Same | None:
    if given is None or isinstance(given, kind | _Same):
        return given
    return kind(cast("str | PathLike[str]", given))


class AnswerStream(TokenStream[Answer]):
    """Iterates over the tokens of an answer; ``answer`` is the whole of it."""

    @property
    def answer(self) -> Answer:
        """The answer with its citations; reads the tokens that nobody has read yet."""
        return self.result


class Engine(Maintenance):
    """A knowledge base in a folder, or in memory.

    Any thread may use it at any time; one process writes at a time, any number read. Use it as a context manager, or call close():
    nothing acknowledged is lost without it, the next open is only slower. ``vector_dtype``: "int8" walks the vector index in int8 and
    scores what it finds in float32; "float32" does both in float32, which is slower.
    """

    def __init__(
        self,
        path: str | PathLike[str] | None = None,
        embedder: str | PathLike[str] | Encoder | None = None,
        reranker: str | PathLike[str] | CrossEncoder | None = None,
        *,
        generator: str | PathLike[str] | Generator | None = None,
        read_only: bool = False,
        chunk_tokens: int | None = None,
        chunk_overlap: int = 0,
        vector_dtype: str = "int8",
        chunker: ChunkerName = "auto",
        bm25: BM25Settings | None = None,
        metric: Metric | None = None,
        accept_loss: bool = False,
        show_progress: bool | None = None,
    ) -> None:
        """``chunker``: "auto" cuts by the kind of each document (sections, definitions, sentences), "tokens" fills chunks with words,
        "sentences" keeps to sentences and paragraphs, whatever the kind. Where neither it nor ``chunk_tokens`` nor ``chunk_overlap`` is
        given, those that the base keeps hold. ``bm25``: settings of BM25Index, such as {"k1": 0.9, "positions": True} (which phrases
        need); the base keeps them, and None leaves them as they are; a reader cannot change them. ``metric``: how vectors
        are compared, "cosine", "ip" (inner product) or "l2" (Euclidean distance); the base keeps that of its first vector and refuses
        another, and None takes it as it is, cosine for a new one. A base of an older format is brought to the present one,
        behind a bar; Ctrl-C leaves it as it was. One that lost commits which were acknowledged, because its log (``*-wal``) was removed,
        cut or damaged, is Corrupt and left as it is: put the log or a backup back, or open it with ``accept_loss``, which goes on from
        what is left."""
        self._path = None if path is None else os.fspath(path)
        self._embedder = embedder if embedder is None or isinstance(embedder, Encoder) else Encoder(embedder)
        self._generator = generator if generator is None or isinstance(generator, Generator) else Generator(generator)
        self._reranker = reranker if reranker is None or isinstance(reranker, CrossEncoder) else CrossEncoder(reranker)
        with Bar(show_progress, "migrating", "doc", late=True) as bar:
            self._core = _librag.Engine(
                self._path,
                None if self._embedder is None else self._embedder._core,
                None if self._generator is None else self._generator._core,
                None if self._reranker is None else self._reranker._core,
                read_only,
                optional("chunk_tokens", chunk_tokens, 0),
                whole("chunk_overlap", chunk_overlap),
                vector_dtype,
                place_in("chunker", chunker, CHUNKERS),
                bar.callback,
                accept_loss,
                None if bm25 is None else bm25_settings(**bm25),
                metric,
            )

    @property
    def embedder(self) -> Encoder | None:
        """The model that makes vectors of texts."""
        return self._embedder

    @property
    def reranker(self) -> CrossEncoder | None:
        """The model that reads a query beside a chunk, for search(rerank=True)."""
        return self._reranker

    @property
    def generator(self) -> Generator | None:
        """The model that answers."""
        return self._generator

    def use(
        self,
        *,
        embedder: str | PathLike[str] | Encoder | _Same | None = _SAME,
        reranker: str | PathLike[str] | CrossEncoder | _Same | None = _SAME,
        generator: str | PathLike[str] | Generator | _Same | None = _SAME,
    ) -> None:
        """Other models from the next call on, such as one that was fine-tuned meanwhile; None: none. What is not named stays.

        Calls that are under way end with the model that they began with. An embedder must be the one that made the vectors
        (InvalidArgument names both): reembed() takes another one. All are taken at one moment, or none.
        """
        new_embedder = _model(embedder, Encoder)
        new_reranker = _model(reranker, CrossEncoder)
        new_generator = _model(generator, Generator)
        given: tuple[object, ...] = (new_embedder, new_reranker, new_generator)
        self._core.use(
            sum(1 << place for place, model in enumerate(given) if not isinstance(model, _Same)),
            None if new_embedder is None or isinstance(new_embedder, _Same) else new_embedder._core,
            None if new_reranker is None or isinstance(new_reranker, _Same) else new_reranker._core,
            None if new_generator is None or isinstance(new_generator, _Same) else new_generator._core,
        )
        if not isinstance(new_embedder, _Same):
            self._embedder = new_embedder
        if not isinstance(new_reranker, _Same):
            self._reranker = new_reranker
        if not isinstance(new_generator, _Same):
            self._generator = new_generator

    @overload
    def reembed(
        self,
        embedder: str | PathLike[str] | Encoder,
        *,
        wait: Literal[True] = True,
        progress: Callable[[int, int], Any] | None = None,
        show_progress: bool | None = None,
    ) -> dict[str, int]: ...
    @overload
    def reembed(
        self,
        embedder: str | PathLike[str] | Encoder,
        *,
        wait: Literal[False],
        progress: Callable[[int, int], Any] | None = None,
    ) -> Reembedding: ...
    def reembed(
        self,
        embedder: str | PathLike[str] | Encoder,
        *,
        wait: bool = True,
        progress: Callable[[int, int], Any] | None = None,
        show_progress: bool | None = None,
    ) -> dict[str, int] | Reembedding:
        """Embeds all chunks with another embedder, which the engine then has; the old vectors serve until then.

        Searches and writes go on meanwhile, from other threads, or with ``wait=False`` from this one: that gives a Reembedding at
        once. ``progress`` is told (done, total) documents, and stops it by returning False. One transaction exchanges all at the end:
        after Ctrl-C before it, a failure or a kill nothing was changed, and the next call with the same model takes over the documents
        that are done; Ctrl-C after it leaves the engine with its new embedder. Gives counts: documents, chunks, embedded, taken_over, cut_anew, cut_short (see docs/training.md).
        """
        model = embedder if isinstance(embedder, Encoder) else Encoder(embedder)

        def work(heard: Callable[[int, int], Any]) -> str:
            report: list[str] = []
            try:
                self._core.reembed(model._core, heard, report)
            finally:
                if report:  # also where Ctrl-C came after the exchange
                    self._embedder = model
            return report[0]

        if not wait:
            return Reembedding(work, progress)
        with Bar(show_progress, "re-embedding", "doc") as bar:

            def heard(done: int, total: int) -> bool:
                if bar.callback is not None:
                    bar.callback(done, total)
                return progress is None or progress(done, total) is not False

            report: dict[str, int] = json.loads(work(heard))
        return report

    def add(
        self,
        docs: DocumentLike | Iterable[DocumentLike],
        *,
        ids: Iterable[str] | None = None,
        metadata: Mapping[str, Any] | Iterable[Mapping[str, Any] | None] | None = None,
        vectors: Any = None,
        show_progress: bool | None = None,
    ) -> list[str]:
        """Adds documents and gives their ids; when it returns they are durable and found.

        ``docs``: str, dict(id, text, title, metadata, source, language, kind, vector) or Document, one or many. ``ids``, ``metadata`` and ``vectors`` go beside
        them, one each (``metadata`` may be one dict for all). A list is checked as a whole before anything is stored: AlreadyExists
        or InvalidArgument name the document and add nothing. An iterator streams: it is stored batch by batch, and batches before
        a failure or Ctrl-C stay.
        """
        return self._write(docs, ids, metadata, vectors, show_progress, upsert=False)

    def upsert(
        self,
        docs: DocumentLike | Iterable[DocumentLike],
        *,
        ids: Iterable[str] | None = None,
        metadata: Mapping[str, Any] | Iterable[Mapping[str, Any] | None] | None = None,
        vectors: Any = None,
        show_progress: bool | None = None,
    ) -> list[str]:
        """As add(), but a document whose id exists replaces the stored one.

        Chunks whose text and title did not change are neither embedded nor indexed again; a document that is equal in everything
        costs nothing.
        """
        return self._write(docs, ids, metadata, vectors, show_progress, upsert=True)

    def _write(
        self,
        docs: DocumentLike | Iterable[DocumentLike],
        ids: Iterable[str] | None,
        metadata: Mapping[str, Any] | Iterable[Mapping[str, Any] | None] | None,
        vectors: Any,
        show_progress: bool | None,
        *,
        upsert: bool,
    ) -> list[str]:
        many: Iterable[DocumentLike]
        if isinstance(docs, str | Mapping | Document):
            many = [docs]
            ids = [ids] if isinstance(ids, str) else ids
            if vectors is not None and len(vectors) and not hasattr(vectors[0], "__len__"):
                vectors = [vectors]
        elif isinstance(docs, Iterable) and not isinstance(docs, bytes | bytearray):
            many = docs
            if isinstance(ids, str):
                raise TypeError("ids must be a list of str, one for each document, not one str")
        else:
            raise TypeError(f"docs must be str, dict, Document or an iterable of them, not {type(docs).__name__}")
        rows = _rows(many, ids, metadata, vectors)
        total = len(many) if isinstance(many, Sequence) else None
        stored: list[str] = []
        with Bar(show_progress, "indexing", "doc", total) as bar:
            if total is not None:
                return self._core.write(list(rows), upsert, 0, bar.callback)
            while batch := list(itertools.islice(rows, _STREAM_BATCH)):
                stored += self._core.write(batch, upsert, 0, bar.callback)
                bar.advance(len(batch))
        return stored

    def delete(
        self, ids: str | Iterable[str] | None = None, where: Where | None = None, *, show_progress: bool | None = None
    ) -> int:
        """Deletes by id, by filter, or where both hold; how many there were. Neither is an InvalidArgument.

        One transaction: Ctrl-C deletes nothing.
        """
        wanted = [ids] if isinstance(ids, str) else ids
        if wanted is not None and not isinstance(wanted, Iterable):
            raise TypeError(f"ids must be str or an iterable of str, not {type(ids).__name__}")
        with Bar(show_progress, "deleting", "doc", late=True) as bar:
            return self._core.delete(wanted, None if where is None else _dump(where, "where"), bar.callback)

    @overload
    def get(self, ids: str) -> Document | None: ...
    @overload
    def get(self, ids: list[str] | tuple[str, ...]) -> list[Document | None]: ...
    def get(self, ids: str | list[str] | tuple[str, ...]) -> Document | list[Document | None] | None:
        """The stored documents in the order of ``ids``, None where one is unknown; of one str, one."""
        if isinstance(ids, str):
            return self.get([ids])[0]
        if not isinstance(ids, Iterable):
            raise TypeError(f"ids must be str or an iterable of str, not {type(ids).__name__}")
        return [
            None
            if d is None
            else Document(
                d.text, d.id, d.title, json.loads(d.metadata), d.created_ms, d.updated_ms, d.chunks, d.source, d.language
            )
            for d in self._core.get(ids, None)
        ]

    def count(self) -> int:
        """How many documents there are."""
        return self._core.count()

    @overload
    def search(
        self,
        query: str | None = None,
        *,
        vector: Any = None,
        k: int = 10,
        mode: Mode | None = None,
        where: Where | None = None,
        explain: bool = False,
        **options: Unpack[SearchOptions],
    ) -> Hits: ...
    @overload
    def search(
        self,
        query: list[str],
        *,
        vector: Any = None,
        k: int = 10,
        mode: Mode | None = None,
        where: Where | None = None,
        explain: bool = False,
        **options: Unpack[SearchOptions],
    ) -> list[Hits]: ...
    def search(
        self,
        query: str | list[str] | None = None,
        *,
        vector: Any = None,
        k: int = 10,
        mode: Mode | None = None,
        where: Where | None = None,
        explain: bool = False,
        **options: Unpack[SearchOptions],
    ) -> Hits | list[Hits]:
        """The k best chunks for a text, a vector, or both; a list of hits for each of a list of queries.

        ``mode`` None is hybrid where there are vectors, else bm25. ``where`` filters by metadata: {"lang": "en", "year": {"$gte":
        2020}, "$or": [...]} with $eq $ne $gt $gte $lt $lte $in $nin $and $or $not $exists $contains. ``explain`` fills Hit.explain.
        Further options (docs/searching.md shows them at work):

        - ``offset``: the first hit wanted, for pages. offset + k is at most 100,000.
        - ``candidates``: how many each scorer gives to what follows; pages with the same number are cut from one ranking.
        - ``fusion``: "weighted" (scores) or "rrf" (ranks); ``vector_weight``: [0, 1] of the vector's score, BM25 has the rest; None
          is 0.5, less where the embedder does not know the words of the query.
        - ``diversity``: [0, 1], how much a hit loses by being like an earlier one.
        - ``group_by="document"``: k counts documents, each with its ``group_hits`` (1) best chunks, which stand together.
        - ``expand``: Hit.context is the chunk with its ``neighbours`` (1) on each side ("neighbours") or its section ("section").
        - ``links``: [0, 1], what links (see link()) count for in the score; ``link_damping``: the chance that the walk goes on.
        - ``rerank``: the engine's reranker reads the 100 best chunks (or as many as the number says, at most 1,000) beside the query;
          the hits are those, by its score.
        - ``min_score``: hits below are left out.
        - ``operators=True``: the query is read as BM25Index.search tells: "a phrase", pre*, +must, -not, AND, OR, NOT, ( ). Hits are
          those that it allows, in hybrid search too; a plain query is never read so.
        - ``highlight=True``: Hit.highlights says where the chunk's text has what the query looks for.

        A list of queries (``vector`` then has one row each) is embedded at once and searched on ``threads``; ``show_progress``.
        """
        filter_text = None if where is None else _dump(where, "where")
        settings = query_of(k, mode, filter_text, explain, options)
        if not isinstance(query, list):
            return _hits(self._core.search(query, vector, settings))
        threads = optional("threads", options.get("threads"))
        with Bar(options.get("show_progress"), "searching", "query", len(query)) as bar:
            found = self._core.search_batch(query, vector, settings, threads, bar.callback)
        return [_hits(hits) for hits in found]

    def link(
        self,
        source: str | Link | Iterable[Link | tuple[Any, ...]],
        target: str | None = None,
        *,
        type: str = "",
        weight: float = 1.0,
    ) -> None:
        """Links documents (by id) or chunks (by Hit.id), for searches with ``links``.

        One link by its ends, or many as Link or tuples (source, target, type, weight); all or none. One with the same ends and type
        gets the new weight. Links go with their documents.
        """
        self._core.link(links_of(source, target, type, weight))

    def unlink(
        self,
        source: str | Link | Iterable[Link | tuple[Any, ...]],
        target: str | None = None,
        *,
        type: str = "",
    ) -> int:
        """Removes links, named as in link(); without a type those of every type. How many there were."""
        return self._core.unlink(links_of(source, target, type, 1.0))

    def links(self, ids: str | Iterable[str] | None = None) -> list[Link]:
        """The links that begin or end at these documents or at their chunks; of None, all."""
        wanted = [ids] if isinstance(ids, str) else ([] if ids is None else list(ids))
        if ids is not None and not wanted:
            return []
        return [Link(*one) for one in self._core.links(wanted)]

    @overload
    def ask(
        self,
        question: str,
        *,
        k: int = 5,
        mode: Mode | None = None,
        where: Where | None = None,
        stream: Literal[False] = False,
        **generation: Any,
    ) -> Answer: ...
    @overload
    def ask(
        self,
        question: str,
        *,
        k: int = 5,
        mode: Mode | None = None,
        where: Where | None = None,
        stream: Literal[True],
        **generation: Any,
    ) -> AnswerStream: ...
    def ask(
        self,
        question: str,
        *,
        k: int = 5,
        mode: Mode | None = None,
        where: Where | None = None,
        stream: bool = False,
        **generation: Any,
    ) -> Answer | AnswerStream:
        """Answers from the knowledge base; each sentence is cited or shown as unsupported.

        ``stream=True`` gives an iterator of Token whose ``.answer`` is the whole. ``generation``: see Generator.generate.
        """
        k = whole("k", k, 1)
        options = generation_options(generation)
        filter_text = None if where is None else _dump(where, "where")

        def run(on_token: TokenFunction | None) -> Answer:
            arguments = options if on_token is None else {**options, "on_token": on_token}
            return _answer(self._core.ask(question, k, mode, filter_text, arguments))

        return AnswerStream(run) if stream else run(None)

    def close(self) -> None:
        """Writes the derived index files and closes. Twice is fine."""
        self._core.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __len__(self) -> int:
        return self.count()

    def __contains__(self, id: object) -> bool:
        return isinstance(id, str) and self.get(id) is not None

    def __repr__(self) -> str:
        where = "in memory" if self._path is None else repr(self._path)
        return f"Engine({where})"


def _dump(value: Any, what: str) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{what} cannot be written as JSON: {error}") from error


def _rows(
    docs: Iterable[DocumentLike],
    ids: Iterable[str] | None,
    metadata: Mapping[str, Any] | Iterable[Mapping[str, Any] | None] | None,
    vectors: Any,
) -> Iterator[_Row]:
    """Documents with what goes beside them, as the core takes them; a shorter or longer companion is a ValueError."""
    companions: dict[str, Iterator[Any]] = {}
    if ids is not None:
        companions["ids"] = iter(ids)
    if metadata is not None:
        companions["metadata"] = itertools.repeat(metadata) if isinstance(metadata, Mapping) else iter(metadata)
    if vectors is not None:
        companions["vectors"] = iter(vectors)
    end = object()
    count = 0
    for count, doc in enumerate(docs, 1):
        beside: dict[str, Any] = {}
        for name, values in companions.items():
            beside[name] = next(values, end)
            if beside[name] is end:
                raise ValueError(f"there are more docs than {name}: only {count - 1}")
        yield _row(doc, beside)
    for name, values in companions.items():
        if not isinstance(values, itertools.repeat) and next(values, end) is not end:
            raise ValueError(f"there are more {name} than docs: only {count} docs")


def _row(doc: DocumentLike, beside: dict[str, Any]) -> _Row:
    vector = beside.get("vectors")
    if isinstance(doc, str):
        document = Document(doc)
    elif isinstance(doc, Document):
        document = doc
    elif isinstance(doc, Mapping):
        unknown = set(doc) - set(_KEYS)
        if unknown:
            raise TypeError(f"a document has unknown keys {sorted(unknown)}; known are {', '.join(_KEYS)}")
        if "text" not in doc:
            raise TypeError("a document has no text")
        metadata = doc.get("metadata")
        document = Document(
            doc["text"],
            doc.get("id"),
            doc.get("title") or "",
            {} if metadata is None else metadata,
            source=doc.get("source") or "",
            language=doc.get("language") or "",
            kind=doc.get("kind") or "text",
        )
        vector = doc.get("vector") if vector is None else vector
    else:
        raise TypeError(f"a document must be str, dict or Document, not {type(doc).__name__}")
    metadata = document.metadata if beside.get("metadata") is None else beside["metadata"]
    if not isinstance(metadata, Mapping):
        raise TypeError(f"metadata must be a dict, not {type(metadata).__name__}")
    id = beside.get("ids")
    return (
        document.id if id is None else id,
        document.text,
        document.title or None,
        _dump(metadata, "metadata") if metadata else None,
        vector,
        document.source or None,
        document.language or None,
        place_in("kind", document.kind, KINDS),
    )


def _hits(found: Sequence[_librag.Hit]) -> Hits:
    return Hits(_hit(hit) for hit in found)


def _hit(hit: _librag.Hit) -> Hit:
    scores = {"vector": hit.vector_score, "bm25": hit.bm25_score}
    return Hit(
        hit.id,
        hit.doc_id,
        hit.text,
        hit.score,
        json.loads(hit.metadata) if hit.metadata else {},
        hit.start,
        hit.end,
        {name: score for name, score in scores.items() if not math.isnan(score)},
        hit.title,
        json.loads(hit.explain) if hit.explain else None,
        hit.title_path,
        hit.context or None,
        hit.context_start,
        hit.context_end,
        hit.highlights,
    )


def _answer(core: _librag.Answer) -> Answer:
    hits = _hits(core.hits)
    citations = [
        Citation(
            start,
            end,
            hit,
            hit_start,
            hit_end,
            score,
            core.text[start:end],
            hits[hit].text[hit_start:hit_end],
            hits[hit].doc_id,
        )
        for start, end, hit, hit_start, hit_end, score in core.citations
    ]
    return Answer(core.text, citations, core.unsupported, hits, usage_of(core.usage), timings_of(core.usage))
