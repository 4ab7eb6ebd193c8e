"""Writes goldens.json: what transformers renders for every template, conversation and snippet of this folder.

python tests/chat_template/make_goldens.py    (needs transformers and jinja2; the versions are recorded in the file)
A case that transformers refuses has "expected": null, and librag has to refuse it too.
"""

from __future__ import annotations

import json
import pathlib
from typing import Any

import jinja2
import transformers
from transformers.utils.chat_template_utils import render_jinja_template

HERE = pathlib.Path(__file__).parent
SPECIAL_TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}
SNIPPET_CONVERSATION = {
    "messages": [
        {"role": "system", "content": " You are\nhelpful. "},
        {"role": "user", "content": "Hi <b>\u4e2d\u6587</b> 'q' \"z\"", "k": 1},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": {"x": 1, "y": [1.5, None, True]}}}],
        },
        {"role": "tool", "content": "res"},
    ],
    "add_generation_prompt": False,
}


def render(template: str, conversation: dict[str, Any], special_tokens: dict[str, str]) -> str | None:
    # As apply_chat_template does before it renders.
    messages = [{key: value for key, value in message.items() if value is not None} for message in conversation["messages"]]
    try:
        rendered, _ = render_jinja_template(
            [messages],
            tools=conversation.get("tools"),
            chat_template=template,
            add_generation_prompt=conversation["add_generation_prompt"],
            **special_tokens,
            **conversation.get("variables", {}),
        )
    except Exception:
        return None
    return str(rendered[0])


def main() -> None:
    conversations = json.loads((HERE / "conversations.json").read_text())
    cases = []
    templates = {}
    for path in sorted((HERE / "templates").glob("*.jinja")):
        template = templates[path.stem] = path.read_text()
        for name, conversation in conversations.items():
            # strftime_now follows the clock; test_chat_template.cpp tests it with a clock that stands.
            if "strftime_now" in template and "date_string" not in conversation.get("variables", {}):
                conversation = {**conversation, "variables": {"date_string": "2 Feb 2026"}}
            cases.append(
                {
                    "name": f"{path.stem} {name}",
                    "template": path.stem,
                    "conversation": conversation,
                    "special_tokens": SPECIAL_TOKENS,
                    "expected": render(template, conversation, SPECIAL_TOKENS),
                }
            )
    snippets = [line for line in (HERE / "snippets.txt").read_text().split("\n") if line]
    rendered = [[snippet, render(snippet, SNIPPET_CONVERSATION, {})] for snippet in snippets]
    goldens = {
        "made_with": {"transformers": transformers.__version__, "jinja2": jinja2.__version__},
        "templates": templates,
        "cases": cases,
        "snippet_conversation": SNIPPET_CONVERSATION,
        "snippets": rendered,
    }
    (HERE / "goldens.json").write_text(json.dumps(goldens, indent=1) + "\n")
    print(f"{len(cases)} cases and {len(snippets)} snippets, {sum(c['expected'] is None for c in cases)} refused")


if __name__ == "__main__":
    main()
