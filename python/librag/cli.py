"""The command line: librag index | search | ask | stats | verify | compact | reembed | backup | export | import | changes |
inspect | quantize | train.

It needs the extra ``librag[cli]`` (typer and rich). ``index`` remembers the models in the knowledge base's folder, so that the other
commands need only the folder.
"""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, cast

try:
    import typer
    from rich.console import Console
    from rich.table import Table
except ImportError as missing:
    sys.exit(f"librag: the command line needs {missing.name}: pip install 'librag[cli]'")

import librag
from librag.models import Dtype
from librag.readers import read_documents, readable
from librag.types import ChunkerName, Document, Metric, Mode, shorten

app = typer.Typer(
    help="A private knowledge base with local language models: documents in, cited answers out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
out = Console(soft_wrap=True, highlight=False)
_SETTINGS = "models.json"
_ENCODERS = ("bert", "roberta", "xlm-roberta", "distilbert", "mpnet", "modernbert")

Base = Annotated[Path, typer.Argument(help="Folder of the knowledge base.", metavar="KNOWLEDGE")]
EmbedderOption = Annotated[
    Path | None,
    typer.Option("--embedder", envvar="LIBRAG_EMBEDDER", help="A sentence-transformers folder. Default: the one used last."),
]
GeneratorOption = Annotated[
    Path | None,
    typer.Option("--generator", envvar="LIBRAG_GENERATOR", help="A GGUF file or model folder. Default: the one used last."),
]
RerankerOption = Annotated[
    Path | None,
    typer.Option("--reranker", envvar="LIBRAG_RERANKER", help="A CrossEncoder's folder. Default: the one used last."),
]
DtypeOption = Annotated[str, typer.Option("--dtype", help="float32, bfloat16, float16, int8, int4 or auto.")]
ModeOption = Annotated[
    str | None, typer.Option("--mode", help="hybrid, vector or bm25. Default: hybrid where there are vectors.")
]
MetricOption = Annotated[
    str | None, typer.Option("--metric", help="Of vectors: cosine, ip or l2, kept from the first one on. Default: as it is.")
]
WhereOption = Annotated[str | None, typer.Option("--where", help='Filter over metadata, JSON: \'{"format": "md"}\'.')]


def _settings(base: Path) -> dict[str, str]:
    try:
        loaded = json.loads((base / _SETTINGS).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return {key: value for key, value in loaded.items() if isinstance(value, str)} if isinstance(loaded, dict) else {}


def remember_models(base: Path, **models: Path | None) -> None:
    """Notes in the knowledge base which models belong to it, so that later commands need only the folder."""
    known = _settings(base)
    known.update({name: str(path.resolve()) for name, path in models.items() if path is not None})
    temporary = base / (_SETTINGS + ".new")
    temporary.write_text(json.dumps(known, indent=2) + "\n", "utf-8")
    os.replace(temporary, base / _SETTINGS)


def _where(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        value = json.loads(text)
    except ValueError as error:
        raise librag.InvalidArgument(f"--where is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise librag.InvalidArgument("--where must be a JSON object")
    return value


def _existing(base: Path) -> Path:
    if not base.is_dir():
        raise librag.NotFound(f"there is no knowledge base {str(base)!r}; 'librag index {base} FOLDER' makes one")
    return base


def _embedder(base: Path, path: Path | None, dtype: str) -> librag.Encoder | None:
    chosen = path or _settings(base).get("embedder")
    return librag.Encoder(chosen, dtype=cast(Dtype, dtype)) if chosen else None


def _reranker(base: Path, path: Path | None, dtype: str) -> librag.CrossEncoder:
    chosen = path or _settings(base).get("reranker")
    if not chosen:
        raise librag.InvalidArgument("no reranker is known for this knowledge base; give --reranker FOLDER once")
    return librag.CrossEncoder(chosen, dtype=cast(Dtype, dtype))


def _typed(text: str) -> str:
    """What a person typed, also where the locale is not UTF-8 and Python made surrogates of it."""
    return os.fsencode(text).decode("utf-8", "replace")


class Skipped:
    """What was not indexed and why: one line each on stderr, and all in one sentence at the end."""

    def __init__(self) -> None:
        self._reasons: Counter[str] = Counter()
        self._ids: set[str] = set()

    def error(self, path: Path, error: Exception) -> None:
        """A file, or a row of one, that cannot be read."""
        self._reasons["cannot be read"] += 1
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        print(f"librag: skipped {readable(path)!r}: {reason}", file=sys.stderr)

    def blank(self, path: Path, count: int) -> None:
        """Documents without text."""
        self._reasons["without text"] += count
        print(f"librag: skipped {readable(path)!r}: {count} without text", file=sys.stderr)

    def without_doubles(self, documents: Iterable[Document]) -> Iterator[Document]:
        """Leaves out what has the id of a document before it: a table may have the same id twice."""
        for document in documents:
            if document.id in self._ids:
                self._reasons["with an id that stood before"] += 1
                print(f"librag: skipped a second document {document.id!r}", file=sys.stderr)
                continue
            self._ids.add(str(document.id))
            yield document

    def __str__(self) -> str:
        return "".join(f"; skipped {count} {reason}" for reason, count in self._reasons.items())


@contextmanager
def _errors() -> Iterator[None]:
    """One line on stderr and exit code 1 for what librag refuses; 130 for Ctrl-C."""
    try:
        yield
    except (librag.RagError, TypeError, OSError) as error:
        print(f"librag: {error}", file=sys.stderr)
        raise typer.Exit(1) from error
    except KeyboardInterrupt as error:
        print("librag: interrupted; what was stored before stays", file=sys.stderr)
        raise typer.Exit(130) from error


@app.command()
def index(
    base: Base,
    folder: Annotated[
        Path, typer.Argument(help="Folder or file: text, Markdown, HTML, tables, JSON, source code, PDF, DOCX ...")
    ],
    embedder: EmbedderOption = None,
    dtype: DtypeOption = "float32",
    chunk_tokens: Annotated[int, typer.Option(help="Longest chunk in tokens; 0: the embedder's limit, or 200 words.")] = 0,
    chunk_overlap: Annotated[int, typer.Option(help="Tokens that neighbouring chunks share.")] = 0,
    chunker: Annotated[str, typer.Option(help="auto, tokens or sentences.")] = "auto",
    metric: MetricOption = None,
    encoding: Annotated[str | None, typer.Option(help="Of the files; default: found.")] = None,
    text: Annotated[str | None, typer.Option(help="Column of tables and member of JSON that is the text.")] = None,
    title: Annotated[str | None, typer.Option(help="The one that is the title.")] = None,
    id: Annotated[str | None, typer.Option(help="The one that is the id.")] = None,
) -> None:
    """Put the files of a folder into a knowledge base; files that did not change cost nothing."""
    with _errors():
        started = time.perf_counter()
        skipped = Skipped()
        model = _embedder(base, embedder, dtype)
        settings: dict[str, Any] = {
            "chunk_tokens": chunk_tokens,
            "chunk_overlap": chunk_overlap,
            "chunker": cast(ChunkerName, chunker),
            "metric": cast(Metric | None, metric),
        }
        with librag.Engine(base, model, **settings) as engine:
            documents = read_documents(
                folder, encoding=encoding, text=text, title=title, id=id, on_error=skipped.error, on_blank=skipped.blank
            )
            ids = engine.upsert(skipped.without_doubles(documents))
            remember_models(base, embedder=embedder)
            stats = engine.stats()
        out.print(
            f"{len(ids)} documents in {time.perf_counter() - started:.1f} s; the knowledge base has {stats['documents']} "
            f"documents and {stats['chunks']} chunks{skipped}"
        )


@app.command()
def search(
    base: Base,
    query: Annotated[str, typer.Argument(help="What to look for.")],
    k: Annotated[int, typer.Option("-k", help="Hits wanted.", min=1)] = 5,
    mode: ModeOption = None,
    where: WhereOption = None,
    offset: Annotated[int, typer.Option(help="The first hit wanted, for pages.", min=0)] = 0,
    group: Annotated[int, typer.Option(help="At most so many hits of a document; -k then counts documents.", min=0)] = 0,
    diversity: Annotated[float, typer.Option(help="How much a hit loses by being like an earlier one.", min=0, max=1)] = 0.0,
    links: Annotated[float, typer.Option(help="What links count for in the score.", min=0, max=1)] = 0.0,
    fusion: Annotated[str, typer.Option(help="Of hybrid: weighted or rrf.")] = "weighted",
    expand: Annotated[str | None, typer.Option(help="Text around a hit: neighbours or section.")] = None,
    operators: Annotated[
        bool, typer.Option("--operators", help='Read "a phrase", pre*, +must, -not, AND, OR, NOT, ( ) in the query.')
    ] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Say how each score came about.")] = False,
    rerank: Annotated[int, typer.Option(help="Chunks that the reranker reads; 0: it is not asked.", min=0, max=1000)] = 0,
    reranker: RerankerOption = None,
    embedder: EmbedderOption = None,
    dtype: DtypeOption = "float32",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Show the chunks that fit best."""
    with _errors():
        wanted = _where(where)
        model = None if mode == "bm25" else _embedder(_existing(base), embedder, dtype)
        second = _reranker(_existing(base), reranker, dtype) if rerank or reranker else None
        with librag.Engine(_existing(base), model, second, read_only=True) as engine:
            started = time.perf_counter()
            options: dict[str, Any] = {
                "offset": offset,
                "diversity": diversity,
                "links": links,
                "fusion": fusion,
                "expand": expand,
                "rerank": rerank or second is not None,
                "operators": operators,
            }
            if group:
                options.update(group_by="document", group_hits=group)
            hits = engine.search(_typed(query), k=k, mode=cast(Mode | None, mode), where=wanted, explain=explain, **options)
            took = (time.perf_counter() - started) * 1000
        if reranker is not None and os.access(base, os.W_OK):
            remember_models(base, reranker=reranker)
        if as_json:
            for hit in hits:
                row = {"id": hit.id, "score": hit.score, "title": hit.title, "text": hit.text, "metadata": hit.metadata}
                if hit.context is not None:
                    row["context"] = hit.context
                if hit.explain is not None:
                    row["explain"] = hit.explain
                print(json.dumps(row, ensure_ascii=False))
            return
        table = Table(show_header=True, header_style="bold", caption=f"{len(hits)} hits in {took:.1f} ms")
        table.add_column("score", justify="right")
        table.add_column("chunk", overflow="fold")
        table.add_column("text", overflow="fold")
        for hit in hits:
            shown = shorten(hit.context or hit.text, 220)
            if hit.explain is not None:
                parts = {
                    name: value["part"] for name, value in hit.explain.items() if isinstance(value, dict) and "part" in value
                }
                shown += "\n" + ", ".join(f"{name} {part:.3f}" for name, part in parts.items())
            table.add_row(f"{hit.score:.3f}", hit.id, shown)
        Console(highlight=False, markup=False).print(table)


@app.command()
def ask(
    base: Base,
    question: Annotated[str, typer.Argument(help="The question.")],
    k: Annotated[int, typer.Option("-k", help="Passages in the prompt.", min=1)] = 5,
    mode: ModeOption = None,
    where: WhereOption = None,
    max_tokens: Annotated[int, typer.Option(help="Longest answer.", min=1)] = 256,
    embedder: EmbedderOption = None,
    generator: GeneratorOption = None,
    dtype: DtypeOption = "float32",
) -> None:
    """Answer from the knowledge base, with checked citations."""
    with _errors():
        wanted = _where(where)
        chosen = generator or _settings(_existing(base)).get("generator")
        if not chosen:
            raise librag.InvalidArgument("no generator is known for this knowledge base; give --generator FILE.gguf once")
        model = None if mode == "bm25" else _embedder(base, embedder, dtype)
        with librag.Engine(base, model, generator=librag.Generator(chosen, dtype=cast(Dtype, dtype)), read_only=True) as engine:
            stream = engine.ask(
                _typed(question), k=k, mode=cast(Mode | None, mode), where=wanted, max_tokens=max_tokens, stream=True
            )
            with stream:
                for token in stream:
                    print(token.text, end="", flush=True)
                answer = stream.answer
        if generator is not None and os.access(base, os.W_OK):
            remember_models(base, generator=generator)
        print()
        show_citations(answer)


def show_citations(answer: librag.Answer) -> None:
    """What supports which sentence, what nothing supports, and where the time went."""
    for citation in answer.citations:
        print(f"  [{citation.hit + 1}] {citation.doc_id}: {shorten(citation.quote, 160)}")
    for start, end in answer.unsupported:
        print(f"  [?] no passage supports: {shorten(answer.text[start:end], 160)}")
    parts = ", ".join(f"{name} {ms:.0f} ms" for name, ms in answer.timings.items())
    print(f"  {answer.usage.prompt_tokens} prompt and {answer.usage.new_tokens} new tokens; {parts}")


@app.command()
def stats(base: Base, as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> None:
    """Counts, sizes and settings."""
    with _errors(), librag.Engine(_existing(base), read_only=True) as engine:
        report = engine.stats()
        if as_json:
            print(json.dumps(report, ensure_ascii=False))
            return
        for key, value in report.items():
            print(f"{key:24} {json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value}")


@app.command()
def verify(base: Base) -> None:
    """Check everything stored against everything else; exit code 1 when something is wrong."""
    with _errors(), librag.Engine(_existing(base), read_only=True) as engine:
        report = engine.verify()
        for problem in report.problems:
            print(problem)
        print("ok" if report else f"{len(report.problems)} problems")
        if not report:
            raise typer.Exit(1)


@app.command()
def compact(base: Base) -> None:
    """Give back the space of deleted documents."""
    with _errors(), librag.Engine(_existing(base)) as engine:
        before = engine.stats()["bytes"]
        engine.compact()
        print(f"{before / 1e6:.1f} MB before, {engine.stats()['bytes'] / 1e6:.1f} MB now")


@app.command()
def reembed(
    base: Base,
    embedder: Annotated[Path, typer.Argument(help="A sentence-transformers folder: the embedder from then on.")],
    dtype: DtypeOption = "float32",
) -> None:
    """Embed a knowledge base with another embedder; readers find by the old one meanwhile, and Ctrl-C keeps what is done."""
    with _errors(), librag.Engine(_existing(base)) as engine:
        model = librag.Encoder(embedder, dtype=cast(Dtype, dtype))
        try:
            report = engine.reembed(model)
        except KeyboardInterrupt:
            if engine.embedder is model:
                remember_models(base, embedder=embedder)
                print("librag: interrupted when all was embedded: the new embedder serves", file=sys.stderr)
                raise typer.Exit(130) from None
            print("librag: interrupted; nothing was changed, and the same command goes on where it was", file=sys.stderr)
            raise typer.Exit(130) from None
        remember_models(base, embedder=embedder)
        print(f"{report['chunks']} chunks of {report['documents']} documents, {report['embedded']} of them embedded now")
        if report["cut_short"]:
            print(f"of {report['cut_short']} chunks the embedder reads the beginning only", file=sys.stderr)


@app.command()
def backup(base: Base, target: Annotated[Path, typer.Argument(help="A folder that does not exist yet.")]) -> None:
    """Copy a knowledge base, also while others use it."""
    with _errors(), librag.Engine(_existing(base), read_only=True) as engine:
        engine.backup(target)
        if (base / _SETTINGS).exists():
            (target / _SETTINGS).write_bytes((base / _SETTINGS).read_bytes())
        print(f"{engine.count()} documents in {readable(target)}")


@app.command()
def export(
    base: Base,
    target: Annotated[Path | None, typer.Argument(help="A file; without one, standard output.")] = None,
    vectors: Annotated[bool, typer.Option(help="With vectors and how texts were cut.")] = True,
    skip_damaged: Annotated[
        bool, typer.Option("--skip-damaged", help="Leave damaged documents out, and name them, where they would end the export.")
    ] = False,
) -> None:
    """Write all documents as lines of JSON."""

    def left_out(id: str | None, problem: str) -> None:
        print(f"librag: left out {'links' if id is None else repr(id)}: {problem}", file=sys.stderr)

    with _errors(), librag.Engine(_existing(base), read_only=True) as engine:
        on_damaged = left_out if skip_damaged else None
        if target is None:
            engine.export(sys.stdout.buffer, vectors=vectors, on_damaged=on_damaged)
        else:
            count = engine.export(target, vectors=vectors, on_damaged=on_damaged)
            print(f"{count} documents in {readable(target)}")


@app.command(name="import")
def import_lines(
    base: Base,
    source: Annotated[Path, typer.Argument(help="A file with lines of JSON, such as export writes.")],
    embedder: EmbedderOption = None,
    dtype: DtypeOption = "float32",
    metric: MetricOption = None,
) -> None:
    """Add or replace the documents of a file with lines of JSON."""
    with _errors(), librag.Engine(base, _embedder(base, embedder, dtype), metric=cast(Metric | None, metric)) as engine:
        count = engine.import_(source)
        remember_models(base, embedder=embedder)
        print(f"{count} documents read; the knowledge base has {engine.count()}")


@app.command()
def changes(
    base: Base,
    since: Annotated[int, typer.Option(help="The state of the copy that follows.", min=0)] = 0,
) -> None:
    """What was added, updated and removed since a change, one JSON object a line; the last line says where to go on."""
    with _errors(), librag.Engine(_existing(base), read_only=True) as engine:
        while True:
            found = engine.changes(since)
            for change in found:
                print(json.dumps({"kind": change.kind, "sequence": change.sequence, "id": change.id}, ensure_ascii=False))
            since = found.next
            if not found.more:
                break
        print(json.dumps({"next": since}))


@app.command()
def inspect(
    path: Annotated[Path, typer.Argument(help="A .gguf or .safetensors file, or a model's folder.")],
    sums: Annotated[bool, typer.Option("--sums", help="With the SHA-256 of every file.")] = False,
    verify_sums: Annotated[bool, typer.Option("--verify", help="Compare with SHA256SUMS; exit code 1 when it differs.")] = False,
    tensors: Annotated[bool, typer.Option("--tensors", help="With every tensor.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, tensors included.")] = False,
) -> None:
    """What a model holds: architecture, parameters, types, sizes, checksums."""
    with _errors():
        report = librag.inspect(path, sums=sums, verify=verify_sums, show_progress=None)
    if as_json:
        print(json.dumps(report, ensure_ascii=False, indent=2))
    else:
        types = Counter(tensor["type"] for tensor in report["tensors"])
        print(f"format        {report['format']}")
        print(f"architecture  {report['architecture'] or 'not said'}")
        print(f"parameters    {report['parameters']:,}")
        print(f"tensors       {len(report['tensors'])}: " + ", ".join(f"{count} {name}" for name, count in types.most_common()))
        print(f"weights       {report['tensor_bytes']:,} bytes")
        print(f"tokenizer     {report['tokenizer'] or 'none'}")
        print(f"chat template {'yes' if report['chat_template'] else 'no'}")
        for tensor in report["tensors"] if tensors else ():
            print(f"tensor        {tensor['name']} {tensor['type']} {tensor['shape']} {tensor['bytes']:,} bytes")
        for file in report["files"]:
            print(
                " ".join(
                    ["file         ", file["name"], f"{file['bytes']:,} bytes", file.get("sha256", ""), file.get("state", "")]
                ).rstrip()
            )
    if verify_sums and not report["verified"]:
        raise typer.Exit(1)


@app.command()
def quantize(
    model: Annotated[Path, typer.Argument(help="A GGUF file or a model's folder.")],
    target: Annotated[Path, typer.Argument(help="A folder that does not exist yet.")],
    dtype: Annotated[str, typer.Option("--dtype", help="int4, int8, or a plain type.")] = "int4",
    calibration: Annotated[
        Path | None, typer.Option(help="Texts, as index takes them: rounding errors of int4 are compensated.")
    ] = None,
) -> None:
    """Write a model in another dtype, calibrated on a sample of texts."""
    with _errors():
        opened = _model_of_any_kind(model)
        if calibration is not None:
            if dtype != "int4":
                raise typer.BadParameter(
                    f"--calibration is for --dtype int4, not for {dtype}: only int4 compensates its rounding"
                )
            if isinstance(opened, librag.Classifier):
                raise typer.BadParameter("--calibration is for embedders and language models, not for classifiers and rerankers")
            opened.calibrate([document.text for document in read_documents(calibration)])
        opened.save(target, dtype=cast(Dtype, dtype))
        size = sum(file.stat().st_size for file in target.rglob("*") if file.is_file())
        print(f"{target}: {size:,} bytes")


def _model_of_any_kind(path: Path) -> librag.Encoder | librag.Classifier | librag.Generator:
    """What the folder says that it is: a classifier or cross-encoder, a sentence encoder, the body of one, or a language model."""
    config = _json_of(path / "config.json")
    modules = _json_of(path / "modules.json")
    kinds = str(config.get("architectures")) if isinstance(config, dict) else ""
    if "ForSequenceClassification" in kinds or "LogitScore" in str(modules):
        return librag.Classifier(path)
    if modules is not None or (isinstance(config, dict) and config.get("model_type") in _ENCODERS):
        return librag.Encoder(path)
    return librag.Generator(path)


def _json_of(path: Path) -> Any:
    """None for what cannot be read: opening the model says what is the matter."""
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None


def _training_settings(config: Path | None, changes: list[str]) -> dict[str, Any]:
    """Of a file in TOML or JSON, and of KEY=VALUE, whose values are JSON where they can be and texts else."""
    settings: dict[str, Any] = {}
    if config is not None:
        text = config.read_text("utf-8")
        if config.suffix.lower() == ".toml":
            if sys.version_info >= (3, 11):
                import tomllib

                settings = tomllib.loads(text)
            else:
                raise typer.BadParameter("settings in TOML need Python 3.11; write them in JSON")
        else:
            settings = json.loads(text)
        if not isinstance(settings, dict):
            raise typer.BadParameter(f"{config} holds no table of settings")
    for change in changes:
        name, separator, value = change.partition("=")
        if not separator:
            raise typer.BadParameter(f"--set {change}: KEY=VALUE is expected")
        try:
            settings[name] = json.loads(value)
        except ValueError:
            settings[name] = value
    return settings


@app.command()
def train(
    model: Annotated[Path | None, typer.Argument(help="A model's folder, or a GGUF file.")] = None,
    task: Annotated[
        str | None, typer.Argument(help="causal_lm, classification, contrastive, rerank, distill or masked_lm.")
    ] = None,
    data: Annotated[Path | None, typer.Argument(metavar="TRAIN", help=".jsonl, .json, .csv, .tsv or a BEIR folder.")] = None,
    evaluation: Annotated[Path | None, typer.Option("--eval", help="Rows held out, in the same shapes.")] = None,
    config: Annotated[Path | None, typer.Option("--config", help="Settings in TOML or JSON, see docs/training.md.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="One setting; may be repeated.")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", help="Folder of the run. Default: a new one in librag_runs.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the newest checkpoint in --output.")] = False,
    skip_bad_rows: Annotated[
        bool, typer.Option("--skip-bad-rows", help="Count and name bad rows instead of refusing them.")
    ] = False,
    manifest: Annotated[Path | None, typer.Option("--manifest", help="Repeat the run of this manifest.json instead.")] = None,
) -> None:
    """Train a model on rows: an adapter or a whole model in a folder. Ctrl-C leaves a checkpoint to --resume from."""
    from librag.training import repeat

    with _errors():
        if manifest is not None:
            if model or task or data or evaluation or config or settings or resume:
                raise typer.BadParameter("--manifest says all but --output")
            result = repeat(manifest, output=output or "")
        elif model is None or task is None or data is None:
            raise typer.BadParameter("MODEL, TASK and TRAIN are needed, or --manifest")
        else:
            given = _training_settings(config, settings or [])
            if output is not None:
                given["output"] = str(output)
            if resume and not given.get("output"):
                raise typer.BadParameter("--resume goes on in the folder of a run: give it with --output")
            trainer = librag.Trainer(model, cast(Any, task), given, **({"resume": True} if resume else {}))
            result = trainer.fit(data, evaluation, on_bad_row="skip" if skip_bad_rows else "error")
        table = Table(box=None)
        for title in ("metric", "before", "after"):
            table.add_column(title, justify="left" if title == "metric" else "right")
        for name, value in result.metrics.items():
            before = result.before.get(name)
            table.add_row(name, "" if before is None else f"{before:.4f}", f"{value:.4f}")
        if result.metrics:
            out.print(table)
        for warning in result.warnings:
            print(f"librag: {warning}", file=sys.stderr)
        for line, reason in result.skipped[:10]:
            out.print(f"line {line} was skipped: {reason}", markup=False)
        if result.skipped_count > 10:
            out.print(f"{result.skipped_count} rows were skipped in all")
        out.print(f"{result.steps} steps in {result.seconds:.0f} s ({result.ended}), {result.tokens} tokens", markup=False)
        out.print(result.path, markup=False)


def main() -> None:
    """The entry point of the console script."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that cannot show a character shows another
    app()


if __name__ == "__main__":
    main()
