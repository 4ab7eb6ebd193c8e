"""Random chat templates, rendered by librag and by transformers' jinja2: the same text, or both refuse. What may differ is
counted and bounded: librag says of rare things that it does not know them (Unsupported), and of integers beyond 64 bits that it
does not compute them; the reference writes addresses, its compiler fails on some templates, and it never sees what is wrong with a
lazy sequence that nobody walks over (librag makes it at once)."""

from __future__ import annotations

import collections
import pathlib
import re

import librag
import pytest
from chat_template_generator import MESSAGES, VARIABLES, template

pytest.importorskip("jinja2")
chat_template_utils = pytest.importorskip("transformers.utils.chat_template_utils")

LAZY = re.compile(r"\|\s*(map|select|reject|selectattr|rejectattr|unique)\b")
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> librag.Tokenizer:
    """Any: the templates come with the calls."""
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    fixture = sorted((ROOT / "tests" / "tokenizer" / "fixtures").glob("*.jsonl"))[0]
    path.write_text(fixture.read_text(encoding="utf-8").split("\n")[0], encoding="utf-8")
    return librag.Tokenizer.from_pretrained(path)


def reference(source: str) -> str | Exception:
    try:
        rendered, _ = chat_template_utils.render_jinja_template(
            [MESSAGES], chat_template=source, add_generation_prompt=False, **VARIABLES
        )
    except Exception as error:
        return error
    return str(rendered[0])


def own(tokenizer: librag.Tokenizer, source: str) -> str | librag.RagError:
    try:
        return tokenizer.apply_chat_template(MESSAGES, chat_template=source, add_generation_prompt=False, **VARIABLES)
    except librag.RagError as error:
        return error


def outcome(source: str, theirs: str | Exception, ours: str | librag.RagError) -> str:
    if isinstance(theirs, AssertionError | SyntaxError | RecursionError):
        return "the reference fails to compile it"
    if isinstance(theirs, str) and " at 0x" in theirs:
        return "the reference writes an address"
    if isinstance(theirs, Exception):
        return "both refuse" if isinstance(ours, librag.RagError) else "different"
    if isinstance(ours, librag.Unsupported):
        return "not known to librag"
    if isinstance(ours, librag.RagError):
        if "64 bits" in str(ours):
            return "beyond 64 bits"
        return "different" if LAZY.search(source) is None else "librag is not lazy"
    return "the same" if ours == theirs else "different"


def compare(tokenizer: librag.Tokenizer, seeds: range) -> None:
    outcomes: collections.Counter[str] = collections.Counter()
    for seed in seeds:
        source = template(seed)
        theirs, ours = reference(source), own(tokenizer, source)
        what = outcome(source, theirs, ours)
        outcomes[what] += 1
        assert what != "different", f"seed {seed}\n{source}\n  transformers: {theirs!r}\n  librag:       {ours!r}"
    print(dict(outcomes))
    assert outcomes["the same"] > 0.6 * len(seeds), outcomes
    assert outcomes["not known to librag"] < 0.02 * len(seeds), outcomes
    assert outcomes["librag is not lazy"] <= 0.001 * len(seeds), outcomes
    assert outcomes["the reference fails to compile it"] < 0.01 * len(seeds), outcomes


def test_random_templates(tokenizer: librag.Tokenizer) -> None:
    compare(tokenizer, range(3000))


@pytest.mark.long
@pytest.mark.parametrize("begin", range(1_000_000, 1_300_000, 20_000))
def test_many_random_templates(tokenizer: librag.Tokenizer, begin: int) -> None:
    compare(tokenizer, range(begin, begin + 20_000))
