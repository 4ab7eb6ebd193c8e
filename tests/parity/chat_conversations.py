"""The conversations that chat templates are compared on: name -> keyword arguments of apply_chat_template with "conversation" for
the messages. Systems or none, tools with calls and results, documents, nothing, null, parts, every script, long ones, names,
reasoning, an assistant last, roles that templates refuse."""

from __future__ import annotations

from typing import Any

Message = dict[str, Any]


def user(content: Any, **more: Any) -> Message:
    return {"role": "user", "content": content, **more}


def assistant(content: Any, **more: Any) -> Message:
    return {"role": "assistant", "content": content, **more}


def system(content: Any) -> Message:
    return {"role": "system", "content": content}


def call(name: str, arguments: Any, **more: Any) -> Message:
    return {"type": "function", "function": {"name": name, "arguments": arguments}, **more}


WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": 'The "weather" of a city.\nIn <b>degrees</b> & more: caf\u00e9 \u4e2d\u6587',
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "Its name"},
                "days": {"type": ["integer", "null"], "default": 1.5},
                "tags": {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}},
                "more": {"type": "object", "properties": {"x": {"type": "number"}}, "additionalProperties": False},
            },
            "required": ["days", "city"],
        },
        "return": {"type": "string"},
    },
}
TIME = {"type": "function", "function": {"name": "time", "parameters": {"type": "object", "properties": {}}}}
DOCUMENTS = [
    {"title": "Danube", "text": "It is 2850 km long.\n", "id": "d1"},
    {"title": "\u957f\u6c5f", "text": "6300 \u516c\u91cc", "meta": {"year": 2020, "ok": True, "x": None}},
]
ARGUMENTS = {"city": "Wi\u00ebn \u2014 'x' \"y\"", "days": 3, "f": 1.5, "big": 1e22, "none": None, "list": [True, {}, []]}
LONG = "The quick brown fox jumps over the lazy dog. " * 400


def many(turns: int) -> list[Message]:
    return [(assistant if turn % 2 else user)(f" turn {turn}: {'word ' * (turn % 7)}\n") for turn in range(turns)]


def tool_turns(content: Any, arguments: Any) -> list[Message]:
    return [
        user("Weather in Wien?"),
        assistant(content, tool_calls=[call("weather", arguments, id="abcdefghi"), call("time", {}, id="123456789")]),
        {"role": "tool", "content": "sunny", "tool_call_id": "abcdefghi", "name": "weather"},
        {"role": "tool", "content": '{"now": "12:00"}', "tool_call_id": "123456789", "name": "time"},
    ]


CONVERSATIONS: dict[str, dict[str, Any]] = {
    "one question": {"conversation": [user("Hi")], "add_generation_prompt": True},
    "one question, closed": {"conversation": [user("Hi")]},
    "spaces around": {"conversation": [user("  Where is\n\n the Danube?\n")], "add_generation_prompt": True},
    "system": {"conversation": [system(" Be brief. "), user("Hi")], "add_generation_prompt": True},
    "system alone": {"conversation": [system("Be brief.")], "add_generation_prompt": True},
    "two systems": {"conversation": [system("A"), system("B"), user("C")], "add_generation_prompt": True},
    "system late": {"conversation": [user("A"), system("B"), user("C")], "add_generation_prompt": True},
    "turns": {"conversation": [system("S"), *many(5)], "add_generation_prompt": True},
    "assistant last": {"conversation": [user("A"), assistant("B.\n")]},
    "assistant last, prompt": {"conversation": [user("A"), assistant("B")], "add_generation_prompt": True},
    "assistant first": {"conversation": [assistant("A"), user("B")]},
    "two users": {"conversation": [user("A"), user("B")], "add_generation_prompt": True},
    "nobody": {"conversation": [], "add_generation_prompt": True},
    "empty content": {"conversation": [system(""), user(""), assistant("")], "add_generation_prompt": True},
    "null content": {"conversation": [user(None), assistant(None)], "add_generation_prompt": True},
    "no content": {"conversation": [{"role": "user"}], "add_generation_prompt": True},
    "no role": {"conversation": [{"content": "A"}], "add_generation_prompt": True},
    "empty parts": {"conversation": [user([])], "add_generation_prompt": True},
    "parts": {"conversation": [user([{"type": "image"}, {"type": "text", "text": " What? "}])], "add_generation_prompt": True},
    "system of parts": {"conversation": [system([{"type": "text", "text": "S"}]), user([{"type": "text", "text": "A"}])]},
    "wrong content": {"conversation": [user(5), assistant({"a": 1})]},
    "odd role": {"conversation": [user("A"), {"role": "critic", "content": "B"}], "add_generation_prompt": True},
    "role of another case": {"conversation": [{"role": "User", "content": "A"}]},
    "names": {"conversation": [user("A", name="Ann"), assistant("B", name="Bob", weight=0)], "add_generation_prompt": True},
    "markup": {"conversation": [user("<b>\"you\"</b> & 'me' {{ 1 }} {% x %} <|im_end|> </s>")], "add_generation_prompt": True},
    "chinese": {"conversation": [system("\u7b80\u77ed"), user("\u4f60\u597d\uff0c\u4e16\u754c\u3002")], "add_generation_prompt": True},
    "emoji": {"conversation": [user("\U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea e\u0301 \u00a0x\u2028y\u0085z\u3000")]},
    "right to left": {"conversation": [user("\u05e9\u05dc\u05d5\u05dd \u200f\u0645\u0631\u062d\u0628\u0627\u200e 123"), assistant("\u0130\u0131\u00df\u01c6\u03a3")]},
    "control characters": {"conversation": [user("a\x00b\x1b[0m\x7f\r\n\tc\x1c\ufeff\ufffd\ue000")]},
    "long": {"conversation": [user(LONG), assistant(LONG), user("?")], "add_generation_prompt": True},
    "many turns": {"conversation": many(60), "add_generation_prompt": True},
    "tools offered": {"conversation": [system("Use tools."), user("Weather?")], "tools": [WEATHER, TIME], "add_generation_prompt": True},
    "tools called": {"conversation": tool_turns(None, ARGUMENTS), "tools": [WEATHER, TIME], "add_generation_prompt": True},
    "tools called, arguments as text": {
        "conversation": [system("S"), *tool_turns("", '{"city": "Wien"}'), assistant("Sunny."), user("Thanks")],
        "tools": [WEATHER],
        "add_generation_prompt": True,
    },
    "tools called with words": {"conversation": [*tool_turns("I look.", {}), assistant("Sunny.")], "tools": [WEATHER]},
    "no tools": {"conversation": [user("A")], "tools": [], "add_generation_prompt": True},
    "documents": {"conversation": [system("S"), user("How long?")], "documents": DOCUMENTS, "add_generation_prompt": True},
    "documents and tools": {"conversation": tool_turns(None, ARGUMENTS), "documents": DOCUMENTS, "tools": [TIME]},
    "reasoning": {
        "conversation": [user("1+1?"), assistant("2", reasoning_content="sum\n"), user("2+2?"), assistant("4", reasoning="more")],
        "add_generation_prompt": True,
    },
    "thinking in the text": {
        "conversation": [user("a"), assistant("<think>\nwhy\n</think>\n\nb"), user("c"), assistant("<think>d</think>e", thinking="f")]
    },
    "no thinking": {"conversation": [user("a")], "enable_thinking": False, "add_generation_prompt": True},
    "variables": {
        "conversation": [user("a")],
        "date_string": "1 Jan 2026",
        "bos_token": "<other>",
        "custom": {"x": [1, None]},
        "add_generation_prompt": True,
    },
}  # fmt: skip
