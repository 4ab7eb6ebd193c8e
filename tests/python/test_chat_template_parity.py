"""librag.Tokenizer.apply_chat_template against transformers' own: published templates, the one in the real model's GGUF file and
those of tests/chat_template, on all conversations of chat_conversations.py. Both give the same text, or both refuse. Snippets of
the language are compared in C++ (tests/chat_template), random templates in test_chat_template_fuzz.py."""

from __future__ import annotations

import dataclasses
import enum
import json
import pathlib
from typing import Any

import librag
import pytest
from chat_conversations import CONVERSATIONS, DOCUMENTS, TIME, WEATHER, assistant, system, user

pytest.importorskip("jinja2")
tokenizers = pytest.importorskip("tokenizers")
transformers = pytest.importorskip("transformers")

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TEMPLATES = sorted((ROOT / "tests" / "chat_template" / "templates").glob("*.jinja"))
# Of the published tokenizers those that have a template; scripts/get_tokenizers.py knows what there is.
PUBLISHED = ("deepseek_v3", "gemini", "gemma3", "llama3", "llama3_1", "qwen3")
SPECIAL_TOKENS = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}


def folder_with(path: pathlib.Path, configuration: str) -> librag.Tokenizer:
    """A small tokenizer with this tokenizer_config.json: only templates are compared here."""
    first = sorted((ROOT / "tests" / "tokenizer" / "fixtures").glob("*.jsonl"))[0].read_text(encoding="utf-8").split("\n")[0]
    (path / "tokenizer.json").write_text(first, encoding="utf-8")
    (path / "tokenizer_config.json").write_text(configuration, encoding="utf-8")
    return librag.Tokenizer.from_pretrained(path)


def reference(chat_template: Any, special_tokens: dict[str, str]) -> Any:
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({"a": 0}, unk_token="a"))
    return transformers.PreTrainedTokenizerFast(tokenizer_object=words, chat_template=chat_template, **special_tokens)


def expected(theirs: Any, arguments: dict[str, Any]) -> str | None:
    """The text, or None where transformers refuses."""
    try:
        return str(theirs.apply_chat_template(**arguments, tokenize=False))
    except Exception:
        return None


def compare(ours: librag.Tokenizer, theirs: Any, arguments: dict[str, Any]) -> bool:
    """Whether there was a text."""
    own = dict(arguments)
    messages = own.pop("conversation")
    own.setdefault("add_generation_prompt", False)
    text = expected(theirs, arguments)
    if text is None:
        with pytest.raises((librag.InvalidArgument, librag.NotFound)):
            ours.apply_chat_template(messages, **own)
    else:
        assert ours.apply_chat_template(messages, **own) == text
    return text is not None


def compare_all(ours: librag.Tokenizer, theirs: Any, more: dict[str, Any]) -> int:
    assert len(CONVERSATIONS) >= 40
    return sum(compare(ours, theirs, {**more, **arguments}) for arguments in CONVERSATIONS.values())


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_own_templates(path: pathlib.Path, tmp_path: pathlib.Path) -> None:
    template = path.read_text(encoding="utf-8")
    ours = folder_with(tmp_path, json.dumps({"chat_template": template, **TOKENS}))
    # The clock's date is the same on both sides unless a day begins in between.
    more = {"date_string": "2 Feb 2026"} if "strftime_now" in template else {}
    assert compare_all(ours, reference(template, TOKENS), more) > len(CONVERSATIONS) // 4


@pytest.mark.full
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_templates(name: str, tokenizers_dir: pathlib.Path, tmp_path: pathlib.Path) -> None:
    text = (tokenizers_dir / name / "tokenizer_config.json").read_text(encoding="utf-8")
    configuration = json.loads(text)
    special = {key: configuration[key] for key in SPECIAL_TOKENS if configuration.get(key) is not None}
    tokens = {key: value["content"] if isinstance(value, dict) else value for key, value in special.items()}
    ours = folder_with(tmp_path, text)
    assert compare_all(ours, reference(configuration["chat_template"], tokens), {}) > len(CONVERSATIONS) // 4


@pytest.mark.full
def test_no_published_template_is_left_out(tokenizers_dir: pathlib.Path) -> None:
    found = [
        path.parent.name
        for path in sorted(tokenizers_dir.glob("*/tokenizer_config.json"))
        if json.loads(path.read_text(encoding="utf-8")).get("chat_template") is not None
    ]
    assert found == sorted(PUBLISHED)


@pytest.mark.full
def test_the_real_model(generator_path: pathlib.Path) -> None:
    gguf = pytest.importorskip("gguf")
    fields = gguf.GGUFReader(generator_path).fields
    names = fields["tokenizer.ggml.tokens"].contents()
    tokens = {
        f"{short}_token": names[fields[f"tokenizer.ggml.{long}_token_id"].contents()]
        for short, long in (("bos", "bos"), ("eos", "eos"), ("unk", "unknown"), ("pad", "padding"))
        if f"tokenizer.ggml.{long}_token_id" in fields
    }
    ours = librag.Tokenizer.from_pretrained(generator_path)
    assert compare_all(ours, reference(fields["tokenizer.chat_template"].contents(), tokens), {}) > len(CONVERSATIONS) // 2


# --- which template -------------------------------------------------------------------------------------------------------------

NAMED = [
    {"name": "default", "template": "default {{ messages|length }}"},
    {"name": "tool_use", "template": "tools {{ tools|length }}"},
    {"name": "rag", "template": "rag {{ documents|map(attribute='title')|join }}"},
]


def test_named_templates(tmp_path: pathlib.Path) -> None:
    ours = folder_with(tmp_path, json.dumps({"chat_template": NAMED}))
    theirs = reference(NAMED, {})
    for arguments in (
        {},
        {"tools": [WEATHER, TIME]},
        {"tools": []},
        {"chat_template": "default", "tools": [TIME]},
        {"chat_template": "rag", "documents": DOCUMENTS},
        {"chat_template": "{{ messages[0].content }} of its own"},
    ):
        assert compare(ours, theirs, {"conversation": [user("A")], **arguments})


def test_named_templates_without_a_default(tmp_path: pathlib.Path) -> None:
    ours = folder_with(tmp_path, json.dumps({"chat_template": NAMED[1:]}))
    with pytest.raises(librag.NotFound, match="name one of rag, tool_use"):
        ours.apply_chat_template([user("A")])
    assert ours.apply_chat_template([user("A")], tools=[TIME]) == "tools 1"


def test_templates_in_files_of_their_own(tmp_path: pathlib.Path) -> None:
    (tmp_path / "chat_template.jinja").write_text("file {{ messages|length }}", encoding="utf-8")
    (tmp_path / "additional_chat_templates").mkdir()
    (tmp_path / "additional_chat_templates" / "tool_use.jinja").write_text("tools {{ tools|length }}", encoding="utf-8")
    ours = folder_with(tmp_path, json.dumps({"chat_template": NAMED}))

    assert ours.apply_chat_template([user("A")]) == "file 1"
    assert ours.apply_chat_template([user("A")], tools=[TIME]) == "tools 1"
    # They replace all of the configuration: its "rag" is then no name, but a template that is just that text.
    assert ours.apply_chat_template([user("A")], chat_template="rag") == "rag"


def test_no_template_at_all(tmp_path: pathlib.Path) -> None:
    ours = folder_with(tmp_path, "{}")
    with pytest.raises(librag.NotFound, match="has no chat template"):
        ours.apply_chat_template([user("A")])
    assert ours.apply_chat_template([user("A")], chat_template="{{ messages[0].role }}") == "user"


# --- the other arguments --------------------------------------------------------------------------------------------------------


def test_a_final_message_that_goes_on(tmp_path: pathlib.Path) -> None:
    lines = "{% for m in messages %}<{{ m.role }}>{{ m.content }}</{{ m.role }}>{% endfor %}"
    trimmed = lines.replace("m.content", "m.content|trim")
    parts = lines.replace("{{ m.content }}", "{% for p in m.content %}{{ p.text or p.type }}{% endfor %}")
    thoughts = lines.replace("{{ m.content }}", "({{ m.thinking }}){{ m.content }}")
    for template in (lines, trimmed, parts, thoughts, "{{ messages|length }} content", "nothing"):
        ours = folder_with(tmp_path, json.dumps({"chat_template": template}))
        theirs = reference(template, {})
        for last in (
            assistant("The answer is "),
            assistant(""),
            assistant("  "),
            assistant(None),
            assistant(5),
            assistant([{"type": "text", "text": "first"}, {"type": "text", "text": "last "}, {"type": "image"}]),
            assistant([{"type": "image"}]),
            assistant("done", reasoning="hm, "),
            assistant("done", thinking="hm, ", reasoning_content="other"),
        ):
            for field in (True, "content", "thinking", "reasoning", "reasoning_content", "nope"):
                compare(ours, theirs, {"conversation": [user("Q"), last], "continue_final_message": field})
        compare(ours, theirs, {"conversation": [], "continue_final_message": True})
        compare(ours, theirs, {"conversation": [user("a")], "continue_final_message": True, "add_generation_prompt": True})


class Color(str, enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Turn:
    role: str
    content: Any


def test_rich_objects_become_plain_data(tmp_path: pathlib.Path) -> None:
    numpy = pytest.importorskip("numpy")
    template = "{{ messages }} {{ documents }} {{ x }}"
    ours = folder_with(tmp_path, json.dumps({"chat_template": template}))
    theirs = reference(template, {})
    for value in (
        Color.RED,
        numpy.float32(1.5),
        numpy.int64(3),
        numpy.bool_(False),
        numpy.zeros(3),
        object(),
        Turn("a", [Color.RED]),
        1e300,
        2**62,
    ):
        assert compare(ours, theirs, {"conversation": [user(value)], "documents": [{"text": value}], "x": [value]})


def test_arguments_that_are_not_what_they_should_be(tmp_path: pathlib.Path) -> None:
    ours = folder_with(tmp_path, json.dumps({"chat_template": "{{ messages }}"}))

    def multiply(a: int, b: int) -> int:
        """Multiplies."""
        return a * b

    with pytest.raises(librag.InvalidArgument, match=r"tools\[1\] is 'multiply', not a dict: pass the JSON schema"):
        ours.apply_chat_template([user("A")], tools=[TIME, multiply])  # type: ignore[list-item]
    with pytest.raises(librag.InvalidArgument, match="document 0 must be a JSON object"):
        ours.apply_chat_template([user("A")], documents=["text"])  # type: ignore[list-item]
    with pytest.raises(librag.InvalidArgument, match="message 0 must be a JSON object"):
        ours.apply_chat_template([[user("A")]])  # type: ignore[list-item]
    with pytest.raises(librag.InvalidArgument, match="at least one message"):
        ours.apply_chat_template([])
    with pytest.raises(librag.InvalidArgument, match="exclude each other"):
        ours.apply_chat_template([user("A")], add_generation_prompt=True, continue_final_message=True)
    with pytest.raises(librag.InvalidArgument, match="a key of dict is 1"):
        ours.apply_chat_template([user({1: 2})])
    with pytest.raises(librag.InvalidArgument, match="messages"):
        ours.apply_chat_template([user(float("nan"))])
    with pytest.raises(librag.InvalidArgument, match="64 bits"):
        ours.apply_chat_template([user(2**64)])
    with pytest.raises(TypeError, match="return_tensors"):
        ours.apply_chat_template([user("A")], return_tensors="pt")
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(librag.InvalidArgument, match="nested"):
        ours.apply_chat_template([user(loop)])


def test_ids_instead_of_a_text(generator_path: pathlib.Path) -> None:
    ours = librag.Tokenizer.from_pretrained(generator_path)
    messages = [system("S"), user("Hi \u4e2d")]
    text = ours.apply_chat_template(messages)
    assert ours.apply_chat_template(messages, tokenize=True) == ours.encode(text, add_special_tokens=False).ids
