"""Training: rows and settings in, a trained model in a folder out.

    result = librag.Trainer("models/minilm", "classification", {"method": "full", "epochs": 2}).fit("train.jsonl", eval="test.jsonl")
    print(result.metrics["accuracy"], result.path)

The loop, the data and the checkpoints are librag's core; LibTorch computes (the extra ``librag[torch]``). Nothing here imports torch.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import os
import platform
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from . import _librag
from ._progress import Bar
from ._progress import wanted as bar_wanted
from ._train_config import TrainConfig, config_of
from .errors import InvalidArgument

if TYPE_CHECKING:
    from os import PathLike

Task: TypeAlias = Literal["causal_lm", "classification", "contrastive", "rerank", "distill", "masked_lm"]
Data: TypeAlias = "str | PathLike[str] | Iterable[Mapping[str, Any]]"

_ROW_KINDS = {"classification": 2, "contrastive": 4, "rerank": 4, "masked_lm": 1}
_COLUMNS = ("text", "pair", "label", "query", "positive", "negatives", "messages")
_MAX_ROW_BYTES = 1 << 20


@dataclass(frozen=True)
class TrainStep:
    """What callbacks hear: a step, or an evaluation behind it."""

    step: int
    """Done; 0 is before the first."""
    steps: int
    epoch: float
    loss: float
    """Mean of the step, nats; 0 in an evaluation, as are the next three."""
    learning_rate: float
    gradient_norm: float
    """Before clipping."""
    tokens_per_second: float
    seconds: float
    """Of the run so far, those before a resume included."""
    rss_mb: float
    """Memory of the process, MiB."""
    metrics: dict[str, float] | None = None
    """Of an evaluation; None for a step."""


class Callback(Protocol):
    """What an object may have to be a callback: one of both suffices. False ends the run as Ctrl-C does, with a checkpoint."""

    def on_step(self, step: TrainStep) -> bool | None: ...

    def on_evaluate(self, step: TrainStep) -> bool | None: ...


@dataclass
class TrainResult:
    """What a run ended with."""

    path: str
    """The trained model: the whole one where it was written, else the adapter's folder."""
    best_path: str
    """The checkpoint that ``path`` was made from."""
    manifest: str
    """manifest.json, from which ``librag train --manifest`` repeats the run."""
    metrics: dict[str, float]
    """Of ``path`` over the held-out rows; empty without them."""
    before: dict[str, float]
    """The same before the first step; empty for a run that was resumed."""
    history: list[dict[str, Any]]
    """A dict for each step (step, epoch, loss, lr, grad_norm, tokens_per_second, seconds, rss_mb) and each evaluation (its metrics)."""
    steps: int
    best_step: int
    ended: str
    """"done", "max_minutes" or "patience"."""
    seconds: float
    tokens: int
    skipped_count: int
    skipped: list[tuple[int, str]]
    """(line, reason) of the first rows that were not trained on."""
    cut_count: int
    """Texts that were cut to ``max_tokens``."""
    resumed_step: int
    """0: the run began anew."""
    warnings: list[str] = field(default_factory=list)
    """Such as a checkpoint that is damaged, so that the run went on from an older one, or a setting of a manifest that its task does not use."""

    def __str__(self) -> str:
        numbers = ", ".join(f"{name} {value:.4g}" for name, value in self.metrics.items())
        return f"{self.steps} steps in {self.seconds:.0f} s ({self.ended}){': ' + numbers if numbers else ''}; {self.path}"


class Trainer:
    """Trains ``model`` for a ``task``.

    ``model``: a folder (or a GGUF file, for adapters), or an Encoder, CrossEncoder, Classifier or Generator, whose folder is meant; it is not
    changed. ``config``: a TrainConfig or a dict of its fields; further keyword arguments change single ones. A wrong setting is an
    InvalidArgument at once.

    ``causal_lm`` learns answers in conversations, or plain texts; ``classification`` labels; ``contrastive`` vectors of queries and their
    documents; ``rerank`` how well documents fit queries; ``distill`` what ``config.teacher`` says; ``masked_lm`` texts.
    """

    def __init__(self, model: object, task: Task, config: TrainConfig | Mapping[str, Any] | None = None, **settings: Any) -> None:
        self.model = _path_of(model)
        self.task: Task = task
        given = dict(asdict(config) if isinstance(config, TrainConfig) else config or {})
        asked = settings if isinstance(config, TrainConfig) else {**given, **settings}
        if asked.get("learning_rate") == 0:
            raise InvalidArgument("learning_rate is 0, by which nothing is learned; leave it out for the usual one")
        self.config = config_of({**given, **settings})
        _librag.train_config(task, _json(self.config))

    def fit(
        self,
        train: Data,
        eval: Data | None = None,
        callbacks: Iterable[Callback | Callable[[TrainStep], bool | None]] = (),
        *,
        columns: Mapping[str, str] | None = None,
        on_bad_row: Literal["error", "skip"] = "error",
        encoding: str | None = None,
        show_progress: bool | None = None,
    ) -> TrainResult:
        """Trains on rows and writes the folder ``config.output``.

        ``train`` and ``eval``: a file or BEIR folder, as ``librag.data.read`` reads them, or rows: {"text", "label"}, {"messages"}, {"query",
        "positive", "negatives"}, {"text"}. ``columns``, ``on_bad_row`` and ``encoding`` are for files, as there.

        ``callbacks``: functions that hear each TrainStep, or objects with ``on_step`` and ``on_evaluate``. An answer that is false, but
        not None, ends the run.

        Ctrl-C, and what a callback raises, ends the run once the last whole step is in a checkpoint, and goes on to the caller; a run that a
        callback ended raises Stopped. ``resume=True`` goes on from there. Bad rows and settings are an InvalidArgument before the first step,
        with file and line; a loss that is no number, runs away, or gives no gradient for twenty steps is an InvalidState that names the step and
        its rows.
        """
        labels = self.config.labels if self.task == "classification" else []
        options = {**_read_options(self.task, columns, on_bad_row, labels), "encoding": encoding}
        data = _data(train, options, "train")
        held_out = None if eval is None else _data(eval, {**options, "split": "test"}, "eval")
        return self._run(data, held_out, callbacks, show_progress, {"train": train, "eval": eval})

    def _run(
        self,
        data: _librag.TrainingData,
        held_out: _librag.TrainingData | None,
        callbacks: Iterable[Callback | Callable[[TrainStep], bool | None]],
        show_progress: bool | None,
        given: Mapping[str, Data | None],
        drop_unused: bool = False,
    ) -> TrainResult:
        config = self.config
        if config.resume and not config.output:
            raise InvalidArgument("resume goes on in the folder of a run: name it (output)")
        if not config.output:
            config = config_of({**asdict(config), "output": _new_folder(self.model, self.task)})
        listeners = [_listener(callback) for callback in callbacks]
        with Bar(show_progress, "training", "step") as bar:
            if bar_wanted(show_progress):
                listeners.append(_bar_listener(bar))
                if curve := _live_curve():
                    listeners.append(curve)

            def on_step(*numbers: Any) -> bool:
                step = _step_of(*numbers)
                answers = [listener(step) for listener in listeners]  # each hears it, whatever another says
                return all(answer is None or bool(answer) for answer in answers)

            caller = {**_versions(), "unpacked": _unpacked_places(given, config.output)}
            text = _librag.train(self.model, self.task, data, held_out, _json(config), on_step, json.dumps(caller), drop_unused)
        return _result_of(json.loads(text))

    def _read(self, path: str, said: Mapping[str, Any], part: str) -> _librag.TrainingData:
        """Rows of a file, as a manifest says that they were read."""
        labels = self.config.labels if self.task == "classification" else []
        options = _read_options(self.task, said.get("columns"), said["on_bad_row"], labels)
        beside = {name: said[name] for name in ("format", "encoding", "max_row_bytes") if name in said}
        return _data(path, {**options, **beside, "split": said.get("split", "train" if part == "train" else "test")}, part)

    def __repr__(self) -> str:
        return f"Trainer({self.model!r}, {self.task!r}, method={self.config.method!r})"


def repeat(
    manifest: str | PathLike[str],
    *,
    output: str | PathLike[str] = "",
    callbacks: Iterable[Callback | Callable[[TrainStep], bool | None]] = (),
    show_progress: bool | None = None,
) -> TrainResult:
    """The run of a manifest.json once more, in a new folder.

    Model and data must be where they were, and the same by their SHA-256: what is missing or changed is an InvalidArgument that names it.
    Rows are read as they were, with the same columns. Rows that came from memory cannot be repeated. Settings that the run did not use,
    which older versions took in silence, are left out: ``warnings`` of the result name them.
    """
    said = _manifest(Path(manifest))
    model = _unchanged(manifest, said["model"])
    config = {**said["config"], "output": os.fspath(output), "resume": False}
    if said.get("teacher"):
        config["teacher"] = str(_unchanged(manifest, said["teacher"]))
    trainer = Trainer.__new__(Trainer)  # the run itself looks for settings that are not used
    trainer.model, trainer.task, trainer.config = _path_of(model), said["task"], config_of(config)
    data: dict[str, _librag.TrainingData] = {}
    given: dict[str, Data | None] = {}
    for part in ("train", "eval"):
        if (rows := said[part]) is None:
            continue
        unpacked = _unpacked_place(said, part)
        if rows.get("in_memory") and unpacked is None:
            raise InvalidArgument(
                f"{str(manifest)!r}: the rows of {part} were given from memory ({rows['source']!r}), which a manifest does not keep: "
                "call fit() with them again, or write them to a file first"
            )
        place = _place(manifest, rows if unpacked is None else unpacked, rows["source"])
        if not place.exists():
            raise InvalidArgument(f"{str(manifest)!r}: the rows of {part} came from {str(place)!r}, which is not there")
        # Older manifests say no more than whether rows were skipped.
        how = rows.get("read") or {"on_bad_row": "skip" if rows["skipped"] else "error"}
        read = trainer._read(os.fspath(place), how, part)
        if read.sha256() != rows["sha256"]:
            raise InvalidArgument(f"{str(manifest)!r}: the rows of {str(place)!r} have changed since")
        data[part] = read
        given[part] = place
    return trainer._run(data["train"], data.get("eval"), callbacks, show_progress, given, drop_unused=True)


def _is_packed(data: Data | None) -> bool:
    return isinstance(data, str | os.PathLike) and Path(data).suffix.lower() == ".gz" and not Path(data).is_dir()


def _unpacked_places(given: Mapping[str, Data | None], output: str) -> dict[str, dict[str, str]]:
    """Of the rows that were unpacked from a file: the core has them from memory, so the manifest says here that a file holds them, and where
    it lies from the manifest if a relative path was given."""
    places: dict[str, dict[str, str]] = {}
    for part, data in given.items():
        if isinstance(data, str | os.PathLike) and _is_packed(data):
            relative = os.path.relpath(os.path.realpath(data), os.path.realpath(output))
            places[part] = {} if Path(data).is_absolute() else {"from_manifest": Path(relative).as_posix()}
    return places


def _unpacked_place(said: Mapping[str, Any], part: str) -> Mapping[str, Any] | None:
    """What a manifest says of the file that rows were unpacked from; None: from none."""
    caller = said.get("caller")
    places = caller.get("unpacked") if isinstance(caller, Mapping) else None
    place = places.get(part) if isinstance(places, Mapping) else None
    return place if isinstance(place, Mapping) else None


def _place(manifest: str | PathLike[str], said: Mapping[str, Any], given: str) -> Path:
    """Where a file or folder of a run is: a relative path leads from the manifest, so that both may move together."""
    if (found := said.get("from_manifest")) is not None:
        place = Path(manifest).absolute().parent / str(found)
        if place.exists():
            return place
    return Path(given)


def _unchanged(manifest: str | PathLike[str], said: Mapping[str, Any]) -> Path:
    """The model of a manifest; InvalidArgument names a file that is missing or not the same."""
    model = _place(manifest, said, said["path"])
    for name, digest in said["files"].items():
        file = model / name if model.is_dir() else model
        if not file.is_file():
            raise InvalidArgument(f"{str(manifest)!r}: {str(file)!r} is missing")
        if _sha256(file) != digest:
            raise InvalidArgument(f"{str(manifest)!r}: {str(file)!r} has changed since")
    return model


def _versions() -> dict[str, str]:
    """Of Python and of the packages that a run may depend on, those that are there; nothing is imported for it."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for name in ("librag", "torch", "numpy"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def _manifest(path: Path) -> dict[str, Any]:
    """What a run wrote of itself; InvalidArgument for anything else."""
    try:
        said = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise InvalidArgument(f"{str(path)!r} is no manifest of a run: {error}") from None
    missing = [name for name in ("model", "task", "config", "train", "eval") if not isinstance(said, dict) or name not in said]
    if missing:
        raise InvalidArgument(f"{str(path)!r} is no manifest of a run: it has no {missing[0]!r}")
    return dict(said)


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _json(config: TrainConfig) -> str:
    try:
        return json.dumps(asdict(config), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidArgument(f"a setting is no JSON: {error}") from None


def _path_of(model: object) -> str:
    path = getattr(model, "_path", model)
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"model must be a path or a model, not {type(model).__name__}")
    return os.fspath(path)


def _new_folder(model: str, task: str) -> str:
    name = re.sub(r"[^\w.-]+", "-", Path(model).resolve().name) or "model"
    number = 1
    while (folder := Path("librag_runs") / f"{name}-{task}-{number}").exists():
        number += 1
    return str(folder)


def _read_options(task: str, columns: Mapping[str, str] | None, on_bad_row: str, labels: Sequence[str]) -> dict[str, Any]:
    if on_bad_row not in ("error", "skip"):
        raise InvalidArgument(f"on_bad_row is {on_bad_row!r}, it must be 'error' or 'skip'")
    given = dict(columns or {})
    if unknown := [name for name in given if name not in _COLUMNS]:
        raise InvalidArgument(f"columns has {unknown[0]!r}, it may have {', '.join(_COLUMNS)}")
    return {
        **given,
        "kind": _ROW_KINDS.get(task, 0),
        "labels": list(labels),
        "skip_bad_rows": on_bad_row == "skip",
        "split": "train",
        "max_row_bytes": _MAX_ROW_BYTES,
    }


def _data(data: Data, options: dict[str, Any], name: str) -> _librag.TrainingData:
    if isinstance(data, str | os.PathLike):
        file = Path(data)
        if _is_packed(data):
            from .data.read import unpacked

            inner = {**options, "format": options.get("format") or file.with_suffix("").suffix[1:]}
            return _librag.TrainingData.read_bytes(unpacked(file), os.fsencode(file), inner)
        return _librag.TrainingData.read(os.fsencode(data), options)
    if isinstance(data, Mapping):
        raise TypeError(f"{name} must be a path or rows, not one row")
    if not isinstance(data, Iterable):
        raise TypeError(f"{name} must be a path or rows, not {type(data).__name__}")
    lines = "\n".join(_line(row, number, name) for number, row in enumerate(data, 1))
    return _librag.TrainingData.read_bytes(lines.encode(), name, {**options, "format": "jsonl"})


def _line(row: Any, number: int, name: str) -> str:
    try:
        return json.dumps(row)
    except (TypeError, ValueError) as error:
        raise InvalidArgument(f"{name}, line {number}: {error}") from None


def _listener(callback: Any) -> Callable[[TrainStep], bool | None]:
    on_step, on_evaluate = getattr(callback, "on_step", None), getattr(callback, "on_evaluate", None)
    if on_step is None and on_evaluate is None:
        if not callable(callback):
            raise TypeError(
                f"a callback must be callable, or have on_step or on_evaluate; {type(callback).__name__} is not and has not"
            )
        called: Callable[[TrainStep], bool | None] = callback
        return called

    def listen(step: TrainStep) -> bool | None:
        wanted = on_step if step.metrics is None else on_evaluate
        return None if wanted is None else wanted(step)

    return listen


def _bar_listener(bar: Bar) -> Callable[[TrainStep], None]:
    shown: dict[str, str] = {}

    def listen(step: TrainStep) -> None:
        if step.metrics is None:
            shown["loss"] = f"{step.loss:.4f}"
            shown["tok/s"] = f"{step.tokens_per_second:.0f}"
        else:
            shown.update({name: f"{value:.4f}" for name, value in step.metrics.items()})
        bar.show(step.step, step.steps, shown)

    return listen


def _live_curve() -> Callable[[TrainStep], None] | None:
    import sys

    if "ipykernel" not in sys.modules:
        return None
    from ._curve import LiveCurve

    return LiveCurve()


def _step_of(
    evaluated: bool,
    step: int,
    steps: int,
    epoch: float,
    loss: float,
    rate: float,
    norm: float,
    speed: float,
    seconds: float,
    rss_bytes: int,
    metrics: str | None,
) -> TrainStep:
    found = json.loads(metrics) if evaluated and metrics is not None else None
    return TrainStep(step, steps, epoch, loss, rate, norm, speed, seconds, rss_bytes / 2**20, found)


def _result_of(report: dict[str, Any]) -> TrainResult:
    return TrainResult(
        path=report["path"],
        best_path=report["best_path"],
        manifest=report["manifest"],
        metrics=report["metrics"],
        before=report["before"],
        history=report["history"],
        steps=report["step"],
        best_step=report["best_step"],
        ended=report["ended"],
        seconds=report["seconds"],
        tokens=report["tokens"],
        skipped_count=report["skipped_count"],
        skipped=[(row["line"], row["reason"]) for row in report["skipped"]],
        cut_count=report["cut_count"],
        resumed_step=report["resumed_step"],
        warnings=list(report["warnings"]),
    )
