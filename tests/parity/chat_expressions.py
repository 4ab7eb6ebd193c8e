"""Random expressions for chat_template_generator.py. Most are made of parts that go together, so that they render; some are not,
so that errors are compared too. Sizes stay small: the reference has no limits, and must not run for ever. What librag says it
does not know is not made here."""

from __future__ import annotations

import random

# What the templates may name beside their own variables; `missing` is defined nowhere.
VARIABLES: dict[str, object] = {
    "n": 3,
    "neg": -7,
    "big": 9007199254740993,
    "real": -2.75,
    "s": "Hello, W\u00f6rld \U0001f600!",
    "lines": " a\nb\r\n\n  c\u2028d ",
    "words": ["b", "A", "a", "\u00e9", "", "B c"],
    "numbers": [3, -1, 2, 2.5, 0],
    "mixed": [1, "1", None, True, [2], {"k": "v"}, 1.0],
    "d": {"b": 1, "a": [1, 2], "items": "shadow", "C": {"x": "y"}, "\u4e2d": None},
    "rows": [{"k": "x", "v": 2, "w": {"z": "Q"}}, {"k": "X", "v": 1, "w": {"z": "p"}}, {"k": "y", "v": 2}],
    "deep": [[1, [2, [3]]], [], ["a"]],
    "flag": True,
    "nothing": None,
}
MESSAGES = [
    {"role": "system", "content": " Be\nbrief. "},
    {"role": "user", "content": "Hi <b>\u4e2d\u6587</b> 'q' \"z\""},
    {
        "role": "assistant",
        "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": {"x": 1, "y": [1.5, None]}}}],
    },
    {"role": "tool", "content": [{"type": "text", "text": "res"}]},
]

TEXTS = [
    "''", "'abc'", "'Ab cD'", "' x\\n'", "'\u00dfa'", "'\u0130i'", "'\u0391\u03a3 \u03a3'", "'\u01c6x'", "'\u65e5\u672c\u8a9e'", "'\U0001f600b'",
    "'a,b,,c'", "'12'", "' -7 '", "'1.5'", "'1e3'", "'0x1F'", "'1_0'", "'x\\ty z'", "'<b>&\\'\"'", '"it\'s"', "'\u00a0q\u3000'", "'\ufb01x'",
    "'e\\u0301'", "'\u05e9\u05dc\u05d5\u05dd'", "'a-b_c d'", "'\\x00\\x7f'", "'\u00b2\u00bd\u0663'", "'aaa'", "'None'", "'k'", "','", "'a'", "' '", "'\\n'",
]  # fmt: skip
NUMBERS = ["0", "1", "2", "3", "-1", "-2", "7", "10", "100", "n", "neg", "0b11", "1_000"]
REALS = ["0.0", "1.5", "-0.5", "2.5", "1e3", "1e16", "0.1", "real", "1e-7", "123456.789", "3.0"]
LISTS = [
    "[]",
    "words",
    "numbers",
    "mixed",
    "deep",
    "rows",
    "messages",
    "[1, 2, 3]",
    "['b', 'a']",
    "(1, 2)",
    "()",
    "('x',)",
    "range(4)",
    "[none]",
]
MAPS = ["{}", "d", "rows[0]", "{'a': 1, 'b': none}", "{1: 'x', 2.5: 'y', none: 0}", "messages[0]", "dict(a=1, b='z')"]
OTHERS = ["none", "true", "false", "missing", "nothing", "flag", "missing.x", "d.nope", "loop", "namespace(a=1).a"]


class Expressions:
    """Expressions from one source of random numbers. `depth` is how much nesting is left."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.names: list[str] = []

    def pick(self, choices: list[str]) -> str:
        """One of them; a back quote in it stands for a double quote."""
        return self.random.choice(choices).replace("`", '"')

    # --- expressions by what they are -----------------------------------------------------------------------------------------

    def any(self, depth: int) -> str:
        if self.names and self.random.random() < 0.15:
            return self.pick(self.names)
        make = self.random.choice(
            [self.text, self.text, self.number, self.real, self.sequence, self.mapping, self.truth, self.other]
        )
        return make(depth)

    def other(self, depth: int) -> str:
        if depth <= 0 or self.random.random() < 0.5:
            return self.pick(OTHERS)
        return self.random.choice([self.conditional, self.subscript, self.operation, self.fallback])(depth - 1)

    def text(self, depth: int) -> str:
        if depth <= 0 or self.random.random() < 0.3:
            return self.pick([*TEXTS, "s", "lines"])
        d = depth - 1
        match self.random.randrange(10):
            case 0:
                return f"({self.text(d)}).{self.text_method(d)}"
            case 8:
                return self.format(d)
            case 1:
                return f"({self.text(d)})|{self.text_filter(d)}"
            case 2:
                return f"({self.any(d)})|{self.pick(['string', 'tojson', 'upper', 'lower', 'trim', 'capitalize', 'title', 'e'])}"
            case 3:
                return f"({self.text(d)})[{self.slice(d)}]"
            case 4:
                return f"({self.text(d)} {self.pick(['~', '+'])} {self.any(d) if self.random.random() < 0.3 else self.text(d)})"
            case 5:
                return f"({self.sequence(d)})|join({self.text(0)})"
            case 6:
                return f"({self.text(d)} * {self.pick(['0', '1', '2', '3', '-1', 'true'])})"
            case 7:
                return self.percent(d)
            case _:
                return f"({self.any(d)})|tojson({self.json_options()})"

    def number(self, depth: int) -> str:
        if depth <= 0 or self.random.random() < 0.3:
            return self.pick(NUMBERS)
        d = depth - 1
        match self.random.randrange(8):
            case 0 | 1:
                return f"({self.number(d)} {self.pick(['+', '-', '*', '//', '%'])} {self.number(d)})"
            case 2:
                return f"({self.any(d)})|length"
            case 3:
                return f"({self.pick([self.text(d), self.real(d), self.any(d)])})|int{self.pick(['', '(5)', '(0, 16)', '(base=0)', '(default=none)'])}"
            case 4:
                return f"-{self.number(d)}"
            case 5:
                return f"({self.text(d)}).{self.pick(['find', 'rfind', 'count', 'index', 'rindex'])}({self.text(0)}{self.pick(['', '', ', 1', ', -3', ', 1, -1', ', none, 2'])})"
            case 6:
                return f"({self.number(d)})|abs"
            case _:
                return f"({self.number(d)} ** {self.pick(['0', '1', '2', '3', '-1'])})"

    def real(self, depth: int) -> str:
        if depth <= 0 or self.random.random() < 0.4:
            return self.pick(REALS)
        d = depth - 1
        match self.random.randrange(5):
            case 0:
                return f"({self.number(d)} / {self.number(d)})"
            case 1:
                return (
                    f"({self.real(d)} {self.pick(['+', '-', '*', '/', '//', '%'])} {self.pick([self.real(d), self.number(d)])})"
                )
            case 2:
                return f"({self.pick([self.text(d), self.number(d), self.any(d)])})|float{self.pick(['', '(2.5)', '(none)'])}"
            case 3:
                return (
                    f"({self.real(d)})|round{self.pick(['', '(1)', '(2)', '(0, `floor`)', '(1, `ceil`)', '(method=`common`)'])}"
                )
            case _:
                return f"({self.real(d)})|abs"

    def truth(self, depth: int) -> str:
        if depth <= 0:
            return self.pick(["true", "false", "flag", "missing is defined"])
        d = depth - 1
        match self.random.randrange(7):
            case 0 | 1:
                comparison = " ".join(
                    f"{self.pick(['<', '<=', '>', '>=', '==', '!='])} {self.any(d)}" for _ in range(self.random.randint(1, 2))
                )
                return f"({self.any(d)} {comparison})"
            case 2:
                return f"({self.any(d)} {self.pick(['in', 'not in'])} {self.any(d)})"
            case 3:
                return f"(not {self.any(d)})"
            case 4:
                return f"({self.any(d)} is {self.pick(['', 'not '])}{self.test(d)})"
            case 5:
                return f"({self.text(d)}).{self.pick(['isdigit', 'isalpha', 'isalnum', 'isspace', 'islower', 'isupper', 'isnumeric', 'isdecimal', 'istitle', 'isascii', 'isidentifier', 'isprintable'])}()"
            case _:
                return f"({self.text(d)}).{self.pick(['startswith', 'endswith'])}({self.pick([self.text(0), '(`a`, `x`)'])}{self.pick(['', '', ', 1', ', -2, 9'])})"

    def sequence(self, depth: int) -> str:
        if depth <= 0 or self.random.random() < 0.3:
            return self.pick(LISTS)
        d = depth - 1
        match self.random.randrange(10):
            case 0:
                return f"[{', '.join(self.any(d) for _ in range(self.random.randint(0, 3)))}]"
            case 1:
                return f"({self.text(d)}).{self.pick(['split', 'rsplit'])}({self.pick(['', self.text(0), 'none, 1', self.text(0) + ', 1', self.text(0) + ', 0', 'maxsplit=1'])})"
            case 2:
                return f"({self.text(d)}).{self.pick(['splitlines()', 'splitlines(true)', 'partition(`,`)', 'rpartition(` `)'])}"
            case 3:
                # Of a constant generator jinja2's optimizer makes an undefined value; the slice itself is an error.
                return (
                    f"(({self.sequence(d)})|list)[{self.slice(d)}]"
                    if self.random.random() < 0.7
                    else f"({self.pick(LISTS)})[{self.slice(d)}]"
                )
            case 4 | 5:
                return f"({self.sequence(d)})|{self.sequence_filter(d)}"
            case 6:
                return f"({self.sequence(d)} + {self.sequence(d)})"
            case 7:
                return f"({self.mapping(d)}){self.pick(['.items()', '.keys()', '.values()', '|items', '|dictsort', '|dictsort(by=`value`)', '|dictsort(true, reverse=true)', '|list'])}"
            case 8:
                return f"range({self.number(0)}{self.pick(['', ', 9', ', -3, -1', ', 20, 6'])})"
            case _:
                return f"({self.text(d)})|list"

    def mapping(self, depth: int) -> str:
        if depth <= 0 or self.random.random() < 0.5:
            return self.pick(MAPS)
        d = depth - 1
        entries = ", ".join(
            f"{self.pick([self.text(0), self.number(0), 'true', 'none', '(1, 2)'])}: {self.any(d)}"
            for _ in range(self.random.randint(0, 3))
        )
        return f"{{{entries}}}"

    def conditional(self, depth: int) -> str:
        other = f" else {self.any(depth)}" if self.random.random() < 0.8 else ""
        return f"({self.any(depth)} if {self.any(depth)}{other})"

    def subscript(self, depth: int) -> str:
        what = self.random.choice([self.sequence, self.mapping, self.text, self.any])(depth)
        return f"({what}){self.pick(['[0]', '[-1]', '[1]', '.k', '[`k`]', '[`a`]', '.content', '.get(`a`)', '.get(`q`, 5)', '.0', '[none]', '.upper()', '.items()', '.role', '.w.z'])}"

    def operation(self, depth: int) -> str:
        operator = self.pick(["+", "-", "*", "/", "//", "%", "and", "or", "~", "in", "=="])
        if operator == "*":  # a long text times a large number would never end
            return f"({self.pick([self.any(depth), self.text(0)])} * {self.pick(['0', '2', '-1', '1.5', 'none', '`x`'])})"
        return f"({self.any(depth)} {operator} {self.any(depth)})"

    def fallback(self, depth: int) -> str:
        return f"({self.any(depth)})|default({self.any(depth)}{self.pick(['', ', true', ', boolean=false'])})"

    def slice(self, depth: int) -> str:
        def bound() -> str:
            return self.pick(["", "", "1", "-1", "2", "-3", "0", "10", "-10", "none", "n"])

        step = self.pick(["", "", ":", ":2", ":-1", ":-2", ":none"])
        return f"{bound()}:{bound()}{step}"

    # --- calls ----------------------------------------------------------------------------------------------------------------

    def text_method(self, depth: int) -> str:
        t = self.text
        return self.random.choice(
            [
                lambda: self.pick(
                    ["upper()", "lower()", "title()", "capitalize()", "swapcase()", "casefold()", "expandtabs()", "expandtabs(3)"]
                ),
                lambda: f"{self.pick(['strip', 'lstrip', 'rstrip'])}({self.pick(['', t(0), 'none'])})",
                lambda: f"replace({t(0)}, {t(0)}{self.pick(['', ', 1', ', -1'])})",
                lambda: f"join({self.sequence(depth)})",
                lambda: f"{self.pick(['removeprefix', 'removesuffix'])}({t(0)})",
                lambda: (
                    f"{self.pick(['ljust', 'rjust', 'center'])}({self.pick(['0', '5', '8'])}{self.pick(['', ', `*`', ', `_`'])})"
                ),
                lambda: f"zfill({self.pick(['0', '3', '6'])})",
                lambda: f"format({self.any(depth)}, {self.any(depth)}, k={self.any(0)})",
            ]
        )()

    def text_filter(self, depth: int) -> str:
        t = self.text
        return self.random.choice(
            [
                lambda: self.pick(
                    [
                        "upper",
                        "lower",
                        "title",
                        "capitalize",
                        "trim",
                        "wordcount",
                        "reverse",
                        "first",
                        "last",
                        "string",
                        "list",
                        "safe",
                        "e",
                        "forceescape",
                    ]
                ),
                lambda: f"trim({t(0)})",
                lambda: f"replace({self.pick([t(0), self.number(0)])}, {t(0)}{self.pick(['', ', 1'])})",
                lambda: f"indent({self.pick(['', '2', '2, true', '1, blank=true', 'first=true', '`> `'])})",
                lambda: f"truncate({self.pick(['5', '9, true', '6, true, `..`', '7, false, `-`, 0'])})",
                lambda: f"center({self.pick(['', '9', '12'])})",
                lambda: f"format({self.any(depth)})",
            ]
        )()

    def sequence_filter(self, depth: int) -> str:
        attribute = self.pick(["'k'", "'v'", "'w.z'", "'role'", "0", "'0'", "'missing'"])
        return self.random.choice(
            [
                lambda: self.pick(["list", "first", "last", "reverse", "sort", "unique", "sum", "min", "max", "length"]),
                lambda: (
                    f"sort({self.pick(['reverse=true', 'true, true', 'case_sensitive=true', 'attribute=' + attribute, 'attribute=`v,k`'])})"
                ),
                lambda: (
                    f"map({self.pick(['attribute=' + attribute, 'attribute=' + attribute + ', default=`-`', '`upper`', '`length`', '`string`', '`default`, `z`', '`replace`, `a`, `b`'])})"
                ),
                lambda: (
                    f"{self.pick(['select', 'reject'])}({self.pick(['', '`string`', '`defined`', '`odd`', '`equalto`, 2', '`in`, [1, `a`]'])})"
                ),
                lambda: (
                    f"{self.pick(['selectattr', 'rejectattr'])}({attribute}{self.pick(['', ', `equalto`, `x`', ', `gt`, 1', ', `defined`', ', `none`'])})"
                ),
                lambda: f"unique({self.pick(['case_sensitive=true', 'attribute=' + attribute])})",
                lambda: f"groupby({self.pick([attribute, attribute + ', default=0', 'attribute=`k`, case_sensitive=true'])})",
                lambda: f"batch({self.pick(['2', '3, `-`'])})|list",
                lambda: f"slice({self.pick(['2', '3, `-`'])})|list",
                lambda: f"sum({self.pick(['attribute=`v`', 'start=10', '`v`, 5'])})",
                lambda: f"{self.pick(['min', 'max'])}({self.pick(['true', 'attribute=' + attribute])})",
                lambda: f"join({self.pick([self.text(0), self.text(0) + ', attribute=' + attribute, '', '1'])})",
                lambda: f"tojson({self.json_options()})",
            ]
        )()

    def json_options(self) -> str:
        return self.pick(
            [
                "",
                "",
                "indent=2",
                "true",
                "ensure_ascii=true",
                "separators=(',', ':')",
                "indent=1, sort_keys=true",
                "indent=none",
                "false, 4",
                "sort_keys=true",
                "indent='\\t'",
                "indent=0",
            ]
        )

    def test(self, depth: int) -> str:
        if self.random.random() < 0.3:
            return self.pick(
                [
                    f"eq({self.any(depth)})",
                    f"in({self.any(depth)})",
                    f"gt {self.number(0)}",
                    f"divisibleby({self.number(0)})",
                    "sameas none",
                    "sameas(true)",
                    f"ne({self.any(0)})",
                    "lt(5)",
                    "equalto 'a'",
                ]
            )
        return self.pick(
            ["defined", "undefined", "none", "string", "number", "integer", "float", "boolean", "true", "false", "mapping", "iterable", "sequence", "callable", "odd", "even", "lower", "upper", "escaped", "filter", "test"]
        )  # fmt: skip

    def percent(self, depth: int) -> str:
        conversions = [
            "%s",
            "%r",
            "%d",
            "%5s",
            "%-5s|",
            "%05d",
            "%+d",
            "%.2f",
            "%x",
            "%%",
            "%i",
            "%e",
            "%g",
            "%c",
            "%o",
            "%X",
            "%.3s",
            "%8.3f",
            "%#x",
            "% d",
        ]
        count = self.random.randint(1, 2)
        form = "".join(self.pick(conversions) for _ in range(count))
        arguments = ", ".join(
            self.pick([self.any(depth), self.number(0), self.text(0)]) for _ in range(form.replace("%%", "").count("%"))
        )
        return f"('{form}' % ({arguments},))" if arguments else f"('{form}' % ())"

    def format(self, depth: int) -> str:
        fields = ["{}", "{0}", "{1}", "{k}", "{:>8}", "{:08.3f}", "{:,}", "{:+d}", "{:#x}", "{!r:.5}", "{0[0]}", "{0.k}", "{:{1}}", "{:^9}", "{{}}", "{:e}", "{:g}",
                  "{:.2%}", "{:_b}", "{:*<10}", "{:=+9}", "{:.3}", "{:c}", "{:010,}", "{!s}", "{k!r:>6}", "{: }", "{:<5d}", "{:G}", "{:08}", "{:_x}", "{:-^7.2}", "{", "}"]  # fmt: skip
        form = "".join(self.pick(fields) for _ in range(self.random.randint(1, 2)))
        values = ", ".join(self.random.choice([self.any, self.number, self.real, self.text])(depth) for _ in range(2))
        return f"'{form}'.format({values}, k={self.any(0)})"
