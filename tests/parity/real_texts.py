"""Real texts for comparisons: everything that lies in $RAG_SHARED_DATA, and samples of it that are the same every time."""

import gzip
import json
import pathlib
import random
import typing
from collections.abc import Iterator


def strings(value: typing.Any) -> Iterator[str]:
    """All texts in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


def file_texts(path: pathlib.Path) -> Iterator[str]:
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    text = data.decode("utf-8")
    kind = path.name.removesuffix(".gz").rsplit(".", 1)[-1]
    if kind == "json":
        yield from strings(json.loads(text))
    elif kind == "jsonl":
        for line in text.split("\n"):
            if line:
                yield from strings(json.loads(line))
    else:
        yield from text.splitlines(keepends=True)


def corpora(root: pathlib.Path) -> list[pathlib.Path]:
    """Every file of every data set; the tokenizers' own folder has texts.jsonl.gz and the vocabularies, which are no texts."""
    return [path for path in sorted(root.rglob("*")) if path.is_file() and "tokenizers" not in path.relative_to(root).parts]


def rows(path: pathlib.Path) -> list[dict[str, typing.Any]]:
    """The objects of a jsonl.gz file."""
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as lines:
        return [json.loads(line) for line in lines]


def golden_texts(root: pathlib.Path) -> list[str]:
    """The 1023 texts of all kinds that the goldens are made of."""
    return [row["text"] for row in rows(root / "tokenizers" / "texts.jsonl.gz")]


def all_texts(root: pathlib.Path) -> Iterator[str]:
    """Every different text, once."""
    seen: set[str] = set()
    for path in corpora(root):
        for text in file_texts(path):
            if text not in seen:
                seen.add(text)
                yield text


def sample(root: pathlib.Path, size: int, seed: int) -> list[str]:
    """About `size` bytes of texts, as many from each file."""
    rng = random.Random(seed)
    paths = corpora(root)
    out: list[str] = []
    for path in paths:
        texts = list(dict.fromkeys(file_texts(path)))
        rng.shuffle(texts)
        left = size // len(paths)
        for text in texts:
            left -= len(text.encode())
            if left < 0:
                break
            out.append(text)
    return out
