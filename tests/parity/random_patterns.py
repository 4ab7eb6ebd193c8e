"""Random regular expressions in Oniguruma's dialect, of the syntax that tokenizer files may use.

    pattern = random_pattern(rng)   # usually 1 to 40 characters

Every construct that src/tokenizer/regex_pattern.cpp translates is drawn, alone and in the others: literals, escapes, classes in
classes, options, groups, look-around, references, quantifiers behind quantifiers. Some patterns are refused by one side or both.

Not drawn, because Oniguruma has its own way there: a group repeated a counted number of times, which it leaves when one round
matches nothing, and (see has_skipped_starts) an anchor before .* or .+, which it looks for at the starts of lines only."""

import random
import re

LITERALS = ["a", "b", "c", "A", "s", "t", "1", "2", " ", "-", "'", "_", "\u00e9", "\u4e2d", "\n", "#", "!"]
CLASS_ESCAPES = [r"\s", r"\S", r"\d", r"\D", r"\w", r"\W", r"\h", r"\H"]
PROPERTIES = [
    "L",
    "Lu",
    "Ll",
    "N",
    "Nd",
    "P",
    "S",
    "M",
    "Z",
    "Zs",
    "Han",
    "Latin",
    "Greek",
    "Letter",
    "Cc",
    "alpha",
    "punct",
    "graph",
]
POSIX = [
    "alnum",
    "alpha",
    "ascii",
    "blank",
    "cntrl",
    "digit",
    "graph",
    "lower",
    "print",
    "punct",
    "space",
    "upper",
    "word",
    "xdigit",
]
ESCAPES = [r"\n", r"\t", r"\r", r"\x41", r"\x{4e2d}", r"\u0062", r"\.", r"\\", r"\-", r"\[", r"\v", r"\R", r"\061"]
ANCHORS = ["^", "$", r"\b", r"\B", r"\A", r"\z", r"\Z"]
QUANTIFIERS = [
    "*",
    "+",
    "?",
    "*?",
    "+?",
    "??",
    "*+",
    "++",
    "?+",
    "{2}",
    "{1,2}",
    "{,2}",
    "{1,}",
    "{0,}",
    "{0,1}",
    "{2}?",
    "{1,3}?",
]
UNCOUNTED = [text for text in QUANTIFIERS if "{" not in text]
OPTIONS = ["i", "m", "x", "-i", "mi", "x-m", "ix"]
MAX_DEPTH = 3


class _Maker:
    def __init__(self, rng: random.Random, stacked: int) -> None:
        self.rng = rng
        self.stacked = stacked
        self.captures = 0

    def flag(self, chance: float) -> bool:
        return self.rng.random() < chance

    def property(self) -> str:
        name = self.rng.choice(PROPERTIES)
        return self.rng.choice((f"\\p{{{name}}}", f"\\P{{{name}}}", f"\\p{{^{name}}}"))

    def class_item(self, depth: int) -> str:
        kind = self.rng.randrange(8)
        if kind == 0:
            return self.rng.choice(CLASS_ESCAPES)
        if kind == 1:
            return self.property()
        if kind == 2:
            name = self.rng.choice(POSIX)
            return f"[:{'^' if self.flag(0.5) and name != 'ascii' else ''}{name}:]"
        if kind == 3:
            return self.rng.choice(["a-c", "A-Z", "0-9", "\u4e00-\u9fa5", " -~", r"\x41-\x{5a}", r"\x00-\u0105", r"\x01-\u0105"])
        if kind == 4 and depth < MAX_DEPTH:
            return self.bracket(depth + 1)
        if kind == 5:
            return self.rng.choice([r"\n", r"\t", r"\]", r"\\", r"\-", r"\^", r"\x{e9}"])
        return self.rng.choice([text for text in LITERALS if text != "-"])

    def bracket(self, depth: int = 0) -> str:
        items = "".join(self.class_item(depth) for _ in range(self.rng.randint(1, 3)))
        if self.flag(0.15):
            items += "&&" + "".join(self.class_item(depth) for _ in range(self.rng.randint(1, 2)))
        return f"[{'^' if self.flag(0.3) else ''}{items}]"

    def group(self, depth: int) -> str:
        kind = self.rng.randrange(9)
        if kind == 0:
            self.captures += 1
            return f"({self.alternatives(depth)})"
        if kind == 1:
            return f"(?={self.alternatives(depth)})"
        if kind == 2:
            return f"(?!{self.alternatives(depth)})"
        if kind == 3:
            return f"(?{self.rng.choice(['<=', '<!'])}{self.rng.choice([*LITERALS[:9], *CLASS_ESCAPES[:6], self.bracket()])})"
        if kind == 4:
            return f"(?>{self.alternatives(depth)})"
        if kind == 5:
            return f"(?{self.rng.choice(OPTIONS)}:{self.alternatives(depth)})"
        return f"(?:{self.alternatives(depth)})"

    def atom(self, depth: int) -> str:
        kind = self.rng.randrange(14)
        if kind < 5:
            return self.rng.choice(LITERALS)
        if kind < 6:
            return self.rng.choice(ESCAPES)
        if kind < 7:
            return self.rng.choice(CLASS_ESCAPES)
        if kind < 8:
            return self.property()
        if kind < 9:
            return "."
        if kind < 11:
            return self.bracket()
        if kind < 12 and self.captures and self.flag(0.3):
            return f"\\{self.rng.randint(1, self.captures)}"
        return self.group(depth + 1) if depth < MAX_DEPTH else self.rng.choice(LITERALS)

    def sequence(self, depth: int) -> str:
        out = ""
        for _ in range(self.rng.randint(1, 3)):
            if self.flag(0.06):
                out += self.rng.choice(ANCHORS)
            if self.flag(0.02):
                out += self.rng.choice(("(?i)", "(?x)", "(?#c)", "(?m)"))
            atom = self.atom(depth)
            out += atom
            for _ in range(self.stacked):
                if self.flag(0.35):
                    out += self.rng.choice(QUANTIFIERS if not atom.endswith(")") else UNCOUNTED)
        return out

    def alternatives(self, depth: int) -> str:
        return "|".join(self.sequence(depth) for _ in range(1 if self.flag(0.7) else self.rng.randint(2, 3)))


def has_skipped_starts(pattern: str) -> bool:
    """Whether Oniguruma may take a pattern for one that begins with .* although an anchor stands before it."""
    return re.search(r"\\[bBAzZ]|[$^]", pattern) is not None and re.search(r"\.\)*(\*|\+|\{\d*,\})", pattern) is not None


def random_pattern(rng: random.Random, stacked: int = 2) -> str:
    """`stacked`: quantifiers one behind the other, at most."""
    while True:
        pattern = _Maker(rng, stacked).alternatives(0)
        if not has_skipped_starts(pattern):
            return pattern
