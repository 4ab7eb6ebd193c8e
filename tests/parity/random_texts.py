"""Random texts over all of Unicode for differential tests: a seed gives the same texts everywhere.

    texts = RandomTexts(seed, real=["some real text", ...], fragments=["<|endoftext|>", ...])
    texts.next()        # usually 1 to 60 characters, sometimes some hundred

The kinds are those that tokenizers trip over: see KINDS. RUNS are the long runs of one or two characters that find quadratic time."""

import random
import unicodedata
from collections.abc import Callable, Sequence

# Every code point of Python's own table by general category; unassigned ones (Cn) are drawn from all code points instead.
_by_category: dict[str, list[str]] = {}


def by_category() -> dict[str, list[str]]:
    if not _by_category:
        for code in range(0x110000):
            if not 0xD800 <= code < 0xE000:
                _by_category.setdefault(unicodedata.category(chr(code)), []).append(chr(code))
    return _by_category


def characters(*ranges: tuple[int, int]) -> list[str]:
    return [chr(code) for first, last in ranges for code in range(first, last + 1)]


ASCII = characters((0x20, 0x7E))
LETTERS = list("etaoinshrdluetaoin    ")
SPACES = list(" \t\n\r\v\f\u0085\u00a0\u1680\u180e\u2000\u2003\u2009\u2028\u2029\u202f\u205f\u3000\u200b\ufeff")
LINE_ENDS = ["\r\n", "\n", "\r", "\n\n", "\r\r\n", " \n", "\n ", "\t\n", "\u2028"]
CONTROLS = characters((0, 0x1F), (0x7F, 0x9F)) + list("\u00ad\u200e\u200f\u202a\u202e\u2060\u2066\u2069")
NONCHARACTERS = characters((0xFDD0, 0xFDEF)) + [chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF)]
PRIVATE_USE = characters((0xE000, 0xE010), (0xF8F0, 0xF8FF), (0xF0000, 0xF0010), (0x10FFF0, 0x10FFFD))
MARKS = characters(
    (0x300, 0x345),
    (0x346, 0x36F),
    (0x483, 0x489),
    (0x591, 0x5BD),
    (0x64B, 0x65F),
    (0x93C, 0x94D),
    (0x1DC0, 0x1DFF),
    (0x20D0, 0x20F0),
    (0xE31, 0xE31),
    (0xE34, 0xE3A),
    (0x302A, 0x302F),
    (0x3099, 0x309A),
    (0x1D165, 0x1D169),
)
JAMO = characters((0x1100, 0x1112), (0x1161, 0x1175), (0x11A8, 0x11C2), (0xA960, 0xA97C), (0xD7B0, 0xD7C6))
HANGUL = characters((0xAC00, 0xAC40), (0xD780, 0xD7A3))
CHINESE = characters((0x4E00, 0x4F00), (0x3400, 0x3410), (0x20000, 0x20010), (0xF900, 0xFA2F)) + list(
    "\u3002\uff0c\u3001\u201c\u201d\uff01\uff1f\u300a\u300b"
)
JAPANESE = characters((0x3041, 0x30FF), (0xFF66, 0xFF9F))
RIGHT_TO_LEFT = characters(
    (0x5D0, 0x5EA), (0x620, 0x64A), (0x660, 0x669), (0x6F0, 0x6F9), (0x7C0, 0x7EA), (0xFB1D, 0xFB4E), (0xFE70, 0xFEFC)
)
INDIC = characters((0x900, 0x97F), (0xE01, 0xE3A), (0xF40, 0xF7E), (0x1000, 0x1030))
LATIN = characters((0xA0, 0x24F), (0x1E00, 0x1EFF), (0xFB00, 0xFB06)) + list("\u0130\u0131\u1e9e\u00df\u01c5\u212a\u2126")
GREEK_AND_CYRILLIC = characters((0x370, 0x377), (0x384, 0x3FF), (0x400, 0x52F), (0x1F00, 0x1FFE))
DIGITS = list("0123456789") * 3 + list("\u0660\u06f5\u0967\u00b2\u00b9\u00bd\u2167\u2460\u3007\uff11\U0001d7d8")
PUNCTUATION = list("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~\u00a1\u00ab\u2010\u2014\u2026\u3008\uff5e\u2018\u2019\u30fb")
SYMBOLS = list("$+<=>^`|~\u00a2\u00a9\u20ac\u2122\u2190\u2200\u2500\u25a0\u2602\u00b4\u02dc")
COMPATIBILITY = characters(
    (0x2460, 0x24FF), (0x3200, 0x33FF), (0xFF01, 0xFFEE), (0x1D400, 0x1D4FF), (0x2F00, 0x2FD5), (0xFB50, 0xFC10)
)
CONTRACTIONS = [
    "'s",
    "'S",
    "'t",
    "'re",
    "'RE",
    "'ve",
    "'m",
    "'ll",
    "'LL",
    "'d",
    "don't",
    "we'll",
    "'\u017f",
    "can't've",
    " 's",
    "\u2019s",
]
EMOJI = [
    "\U0001f600",
    "\U0001f44d\U0001f3fd",
    "\U0001f469\u200d\U0001f4bb",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
    "\U0001f3f3\ufe0f\u200d\U0001f308",
    "\u2764\ufe0f",
    "\u2764\ufe0e",
    "\U0001f1e9\U0001f1ea",
    "\U0001f1e9",
    "1\ufe0f\u20e3",
    "\u200d",
    "\ufe0f",
    "\U0001f3fb",
    "\U0001f3f4\U000e0067\U000e0062\U000e007f",
]
MARKERS = ["\u2581", "\u2581\u2581", "##", "</w>", "<0x41>", "<0xE4>", "<unk>", "[UNK]", "\u0120", "\u010a", "\ufffd", "\u00c4"]
POOLS = [
    ASCII,
    LETTERS,
    SPACES,
    LINE_ENDS,
    CONTROLS,
    NONCHARACTERS,
    PRIVATE_USE,
    MARKS,
    JAMO,
    HANGUL,
    CHINESE,
    JAPANESE,
    RIGHT_TO_LEFT,
    INDIC,
    LATIN,
    GREEK_AND_CYRILLIC,
    DIGITS,
    PUNCTUATION,
    SYMBOLS,
    COMPATIBILITY,
    CONTRACTIONS,
    EMOJI,
    MARKERS,
]

# name: the repeated unit
RUNS = {
    "letter": "a",
    "two letters": "ab",
    "space": " ",
    "word": "word ",
    "punctuation": "!",
    "newline": "\n",
    "carriage return and newline": "\r\n",
    "digit": "7",
    "chinese": "\u4e2d",
    "mark": "\u0301",
    "letter and mark": "e\u0301",
    "emoji": "\U0001f600",
    "joined emoji": "\U0001f469\u200d",
    "jamo": "\u1112\u1161\u11ab",
    "nul": "\0",
    "byte order mark": "\ufeff",
    "marker": "\u2581",
    "apostrophe": "'",
    "less than": "<",
    "unassigned": "\U0003ffff",
}


def long_run(unit: str, size: int) -> str:
    """`size` bytes of UTF-8, at most one unit less."""
    return unit * (size // len(unit.encode()))


class RandomTexts:
    def __init__(self, seed: int | str, real: Sequence[str] = (), fragments: Sequence[str] = ()) -> None:
        self._rng = random.Random(seed)
        self._real = [text for text in real if text]
        self._fragments = [text for text in fragments if text]
        kinds: list[tuple[int, Callable[[], str]]] = [
            (10, self._from_pools),
            (4, self._any_code_points),
            (3, self._any_category),
            (2, self._combining_run),
            (1, self._repeated),
        ]
        if self._real:
            kinds.append((5, self._mutated))
        if self._fragments:
            kinds.append((4, self._with_fragments))
        self._weights = [weight for weight, _ in kinds]
        self._kinds = [kind for _, kind in kinds]

    def next(self) -> str:
        return self._rng.choices(self._kinds, self._weights)[0]()

    def _length(self) -> int:
        # Mostly short, where differences show best; one in twenty is long enough for buffers and caches.
        return self._rng.randrange(100, 500) if self._rng.random() < 0.05 else self._rng.randrange(1, 40)

    def _from_pools(self) -> str:
        pools = self._rng.sample(POOLS, self._rng.randrange(1, 5))
        return "".join(self._rng.choice(self._rng.choice(pools)) for _ in range(self._length()))

    def _any_code_points(self) -> str:
        codes = (self._rng.randrange(0x110000) for _ in range(self._length()))
        return "".join(chr(code) for code in codes if not 0xD800 <= code < 0xE000)

    def _any_category(self) -> str:
        table = by_category()
        names = self._rng.sample(sorted(table), self._rng.randrange(1, 6))
        return "".join(self._rng.choice(table[self._rng.choice(names)]) for _ in range(self._length()))

    def _combining_run(self) -> str:
        base = self._rng.choice(["", "a", "E", "\u4e2d", "\uac00", " ", "\u05d0"])
        marks = "".join(self._rng.choices(MARKS, k=self._rng.choice([1, 2, 5, 40, 200])))
        return base + marks + self._rng.choice(["", " ", "b", "\n"])

    def _repeated(self) -> str:
        unit = "".join(self._rng.choice(self._rng.choice(POOLS)) for _ in range(self._rng.randrange(1, 4)))
        return unit * self._rng.choice([2, 3, 10, 99, 100, 101, 300])

    def _mutated(self) -> str:
        text = self._rng.choice(self._real)
        start = self._rng.randrange(len(text))
        piece = list(text[start : start + self._rng.randrange(1, 120)])
        for _ in range(self._rng.randrange(4)):
            where = self._rng.randrange(len(piece) + 1)
            action = self._rng.randrange(4)
            if action == 0:
                piece.insert(where, self._rng.choice(self._rng.choice(POOLS)))
            elif action == 1:
                del piece[where : where + 1]
            elif action == 2:
                piece[where:where] = piece[max(0, where - 3) : where]
            else:
                piece[where : where + 3] = "".join(piece[where : where + 3]).swapcase()
        return "".join(piece)

    def _with_fragments(self) -> str:
        parts = []
        for _ in range(self._rng.randrange(1, 6)):
            fragment = self._rng.choice(self._fragments)
            if self._rng.random() < 0.3:  # a piece of it
                cut = self._rng.randrange(len(fragment))
                fragment = fragment[:cut] if self._rng.random() < 0.5 else fragment[cut:]
            parts.append(fragment)
            pool = self._rng.choice(POOLS)
            parts.append("".join(self._rng.choices(pool, k=self._rng.randrange(4))))
        return "".join(parts)
