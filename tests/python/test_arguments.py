"""Whole numbers that Python passes to the core: the message names the argument, whatever is wrong with it."""

from __future__ import annotations

from typing import Any

import librag
import pytest


def searches() -> dict[str, Any]:
    engine = librag.Engine()
    engine.add("a text", ids="a")
    vectors = librag.VectorIndex(2)
    vectors.add([1], [[1.0, 0.0]])
    words = librag.BM25Index()
    words.add([1], ["a text"])
    return {
        "engine": lambda k: engine.search("text", k=k),
        "vectors": lambda k: vectors.search([[1.0, 0.0]], k),
        "words": lambda k: words.search("text", k),
    }


@pytest.mark.parametrize("kind", ["engine", "vectors", "words"])
@pytest.mark.parametrize(
    ("k", "error", "message"),
    [
        (-1, librag.InvalidArgument, "k is -1, it must be 1 to 4294967295"),
        (0, librag.InvalidArgument, "k is 0, it must be 1"),
        (2**40, librag.InvalidArgument, "k is 1099511627776"),
        ("5", TypeError, "k must be an int, not str"),
        (2.5, TypeError, "k must be an int, not float"),
        (None, TypeError, "k must be an int, not NoneType"),
    ],
)
def test_k(kind: str, k: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        searches()[kind](k)


@pytest.mark.parametrize("kind", ["vectors", "words"])
def test_more_results_than_memory_are_refused_before_they_are_allocated(kind: str) -> None:
    with pytest.raises(librag.InvalidArgument, match="k is 2147483648 for 1 queries, that is more than 268435456 results"):
        searches()[kind](2**31)


def test_options() -> None:
    with pytest.raises(librag.InvalidArgument, match="dim is -3, it must be 1"):
        librag.VectorIndex(-3)
    with pytest.raises(TypeError, match="chunk_overlap must be an int, not str"):
        librag.Engine(chunk_overlap="4")  # type: ignore[arg-type]
    with pytest.raises(librag.InvalidArgument, match="chunk_tokens is -1"):
        librag.Engine(chunk_tokens=-1)


def test_an_empty_path_or_id_is_not_taken_for_none() -> None:
    with pytest.raises(librag.InvalidArgument, match="path is empty"):
        librag.Engine("")
    with librag.Engine() as engine, pytest.raises(librag.InvalidArgument, match="id"):
        engine.add("text", ids="")
