"""librag.Tokenizer.apply_chat_template against transformers' renderer: the template of the real model, and the templates of
tests/chat_template with and without a generation prompt. The wide comparison, snippet by snippet, is tests/chat_template."""

import json
import pathlib

import librag
import pytest

pytest.importorskip("jinja2")
chat_template_utils = pytest.importorskip("transformers.utils.chat_template_utils")

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TEMPLATES = sorted((ROOT / "tests" / "chat_template" / "templates").glob("*.jinja"))
CONVERSATIONS = json.loads((ROOT / "tests" / "chat_template" / "conversations.json").read_text(encoding="utf-8"))
# A tokenizer has no way to take tools or further variables yet.
PLAIN = {name: one["messages"] for name, one in CONVERSATIONS.items() if not {"tools", "variables"} & one.keys()}


def expected(template: str, messages: list[dict], prompt: bool, special_tokens: dict[str, str]) -> str | None:
    try:
        rendered, _ = chat_template_utils.render_jinja_template(
            [messages], chat_template=template, add_generation_prompt=prompt, **special_tokens
        )
    except Exception:
        return None
    return rendered[0]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_templates_of_a_folder(path: pathlib.Path, tmp_path: pathlib.Path) -> None:
    template = path.read_text(encoding="utf-8")
    if "strftime_now" in template:
        template = '{% set date_string = "1 Jan 2026" %}' + template
    tokenizer = (ROOT / "tests" / "tokenizer" / "fixtures").glob("*.jsonl")
    first = sorted(tokenizer)[0].read_text(encoding="utf-8").split("\n")[0]
    (tmp_path / "tokenizer.json").write_text(first, encoding="utf-8")
    special_tokens = {"bos_token": "<s>", "eos_token": "</s>"}
    configuration = {"chat_template": template, **special_tokens}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(configuration), encoding="utf-8")
    ours = librag.Tokenizer.from_pretrained(tmp_path)
    for messages in PLAIN.values():
        for prompt in (True, False):
            text = expected(template, messages, prompt, special_tokens)
            if text is None:
                with pytest.raises(librag.RagError, match="chat template line"):
                    ours.apply_chat_template(messages, add_generation_prompt=prompt)
            else:
                assert ours.apply_chat_template(messages, add_generation_prompt=prompt) == text


def test_the_real_model(generator_path: pathlib.Path) -> None:
    gguf = pytest.importorskip("gguf")
    fields = gguf.GGUFReader(generator_path).fields
    template = fields["tokenizer.chat_template"].contents()
    ours = librag.Tokenizer.from_pretrained(generator_path)
    for name in ("plain", "system", "no_prompt", "not_alternating", "empty"):
        for prompt in (True, False):
            text = expected(template, CONVERSATIONS[name]["messages"], prompt, {})
            assert text is not None
            assert ours.apply_chat_template(CONVERSATIONS[name]["messages"], add_generation_prompt=prompt) == text
