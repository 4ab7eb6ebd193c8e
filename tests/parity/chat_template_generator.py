"""Random chat templates for the differential fuzz (test_chat_template_fuzz.py): statements around the expressions of
chat_expressions.py. A seed always gives the same template."""

from __future__ import annotations

from collections.abc import Callable

from chat_expressions import MESSAGES, VARIABLES, Expressions

__all__ = ["MESSAGES", "VARIABLES", "template"]

NEWLINE = "\n"


class Maker(Expressions):
    """Whole templates; `depth` is how much nesting is left."""

    def template(self) -> str:
        depth = self.random.randint(1, 3)
        if self.random.random() < 0.6:
            return f"{{{{ {self.any(depth)} }}}}"
        return "".join(self.statement(depth) for _ in range(self.random.randint(1, 3)))

    def statement(self, depth: int) -> str:
        begin, end = self.pick(["{%", "{%", "{%-", "{%+"]), self.pick(["%}", "%}", "-%}", "+%}"])

        def tag(text: str) -> str:
            return f"{begin} {text} {end}"

        def body() -> str:
            pad = self.pick(["", "", " ", "\n", "  \n  ", "x\n"])
            inner = (
                self.statement(depth - 1) if depth > 0 and self.random.random() < 0.5 else f"{{{{ {self.any(min(depth, 2))} }}}}"
            )
            return pad + inner + self.pick(["", " ", "\n"])

        kinds = [self.output, self.for_loop, self.branch, self.assignment, self.block, self.macro, self.scoped, self.raw]
        return self.random.choice(kinds)(depth, tag, body)

    def output(self, depth: int, tag: Callable[[str], str], body: Callable[[], str]) -> str:
        return f"{self.pick(['', ' ', NEWLINE])}{self.pick(['{{', '{{-'])} {self.any(depth)} {self.pick(['}}', '-}}'])}"

    def for_loop(self, depth: int, tag: Callable[[str], str], body: Callable[[], str]) -> str:
        target = self.pick(["x", "x", "x", "k, v", "(a, b), c", "messages"])
        condition = f" if {self.pick([self.truth(1), 'x', 'x is string'])}" if self.random.random() < 0.25 else ""
        attribute = self.pick(
            [
                "index",
                "index0",
                "revindex",
                "revindex0",
                "first",
                "last",
                "length",
                "depth",
                "previtem",
                "nextitem",
                "cycle(1, 'b')",
                "changed(x)",
                "nope",
            ]
        )
        self.names.append("x")
        leave = ""
        if self.random.random() < 0.25:
            leave = f"{{% if {self.pick(['loop.index == 2', 'x', 'loop.last'])} %}}{{% {self.pick(['break', 'continue'])} %}}{{% endif %}}"
        recursion = ""
        recursive = self.random.random() < 0.1
        if recursive:
            recursion = "{{ loop(x) if x is iterable and x is not string and x is not mapping else x }}"
        inner = f"{{{{ loop.{attribute} }}}}{leave}{recursion}{body()}"
        self.names.pop()
        other = f"{tag('else')}{body()}" if self.random.random() < 0.3 else ""
        what = "deep" if recursive else self.pick([self.sequence(depth - 1), self.mapping(depth - 1), self.text(0), self.any(0)])
        return f"{tag(f'for {target} in {what}{condition}' + (' recursive' if recursive else ''))}{inner}{other}{tag('endfor')}"

    def branch(self, depth: int, tag: Callable[[str], str], body: Callable[[], str]) -> str:
        middle = f"{tag(f'elif {self.any(1)}')}{body()}" if self.random.random() < 0.4 else ""
        other = f"{tag('else')}{body()}" if self.random.random() < 0.5 else ""
        return f"{tag(f'if {self.any(1)}')}{body()}{middle}{other}{tag('endif')}"

    def assignment(self, depth: int, tag: Callable[[str], str], body: Callable[[], str]) -> str:
        name = self.pick(["y", "z", "n", "x"])
        kind = self.random.randrange(4)
        if kind == 0:
            name = self.pick(
                ["y", "z"]
            )  # a variable of the caller would be undefined inside, by an accident of jinja2's compiler
            text = f"{tag(f'set {name}')}{body()}{tag('endset')}"
        elif kind == 1:
            text = f"{tag(f'set {name}, q = {self.any(depth)}, {self.any(0)}')}"
        elif kind == 2:
            text = f"{{% set ns = namespace(v=0, {name}={self.any(0)}) %}}{{% for x in {self.sequence(0)} %}}{{% set ns.v = ns.v + loop.index %}}{body()}{{% endfor %}}{{{{ ns.v }}}}{{{{ ns.{name} }}}}"
        else:
            text = f"{tag(f'set {name} = {self.any(depth)}')}"
        self.names.append(name)
        return text + f"{{{{ {name} }}}}"

    def block(self, depth: int, tag: Callable[[str], str], body: Callable[[], str]) -> str:
        match self.random.randrange(3):
            case 0:
                return f"{tag(f'filter {self.text_filter(0)}')}{body()}{tag('endfilter')}"
            case 1:
                return f"{tag('generation')}{body()}{tag('endgeneration')}"
            case _:
                return f"{tag(f'set y | {self.text_filter(0)}')}{body()}{tag('endset')}[{{{{ y }}}}]"

    def macro(self, depth: int, tag: Callable[[str], str], body: Callable[[], str]) -> str:
        self.names += ["p", "q"]
        inner = body() + self.pick(["", "{{ varargs }}", "{{ kwargs }}", "{{ caller() }}", "{{ caller(p) if caller else 'no' }}"])
        self.names = self.names[:-2]
        arguments = self.pick(
            ["1", "1, 2", "q=1", "p='a', q='b'", "1, 2, 3", "1, z=4", "", "'a', p=2", "*[1, 2]", "**{'p': 1}", "0, *words"]
        )
        call = f"{{{{ m({arguments}) }}}}"
        if self.random.random() < 0.4:
            call = f"{tag(self.pick(['call', 'call(y)', 'call(y=1)']) + f' m({arguments})')}{body()}{tag('endcall')}"
        return f"{tag('macro m(' + self.pick(['p, q=2', 'p', '', 'p=n, q=p', 'p=[]']) + ')')}{inner}{tag('endmacro')}{call}"

    def scoped(self, depth: int, tag: Callable[[str], str], body: Callable[[], str]) -> str:
        self.names += ["a", "b"]
        text = f"{tag(f'with a = {self.any(1)}, b = {self.any(0)}')}{body()}{tag('endwith')}"
        self.names = self.names[:-2]
        return text + "{{ a }}"

    def raw(self, depth: int, tag: Callable[[str], str], body: Callable[[], str]) -> str:
        return self.pick(
            [
                "{# c #}",
                " {#- c -#} ",
                "{% raw %}{{ x }}{% endraw %}",
                "{%- raw -%} {% if %} {%- endraw -%} ",
                "  {# a\nb #}\n",
                "\n  ",
                "t",
            ]
        )


def template(seed: int) -> str:
    return Maker(seed).template()
