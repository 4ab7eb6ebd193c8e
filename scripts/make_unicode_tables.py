#!/usr/bin/env python3
"""Writes src/tokenizer/unicode/*.inc: what Hugging Face tokenizers believes about every code point.

The oracle is the installed package `tokenizers` itself, asked about all 1,112,064 code points through its public stages, so
that neither the Unicode version of the host's ICU nor Python's can change an id. Run it again only to follow a new release
of that package:

    python scripts/make_unicode_tables.py [FILE.inc ...]

(with a Python whose unicodedata is version 14, which is what the oldest supported PCRE2 has).
"""

import contextlib
import pathlib
import struct
import sys
import unicodedata

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer
from tokenizers import models as M
from tokenizers import normalizers as N
from tokenizers import pre_tokenizers as P

SCALARS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
BLOCK = 128
HANGUL = range(0xAC00, 0xAC00 + 11172)

# The order is the order of the bits; unicode/properties.hpp names them.
FLAGS = [
    "letter",
    "number",
    "space",
    "white",
    "numeric",
    "control",
    "mark_nonspacing",
    "mark",
    "punctuation",
    "cjk",
    "word",
    "has_lower",
    "has_nfd",
    "has_nfkd",
    "has_ccc",
]


def matched(pattern):
    """Code points that Oniguruma matches with `pattern`."""
    split = P.Split(Regex(f"{pattern}+"), behavior="removed", invert=True)
    found = set()
    for begin in range(0, len(SCALARS), 50000):
        part = SCALARS[begin : begin + 50000]
        for _, (start, end) in split.pre_tokenize_str("".join(map(chr, part))):
            found.update(part[start:end])
    return found


def isolated(pre_tokenizer):
    """Code points that `pre_tokenizer` cuts out when they stand between two letters."""
    found = set()
    for begin in range(0, len(SCALARS), 50000):
        part = SCALARS[begin : begin + 50000]
        text = "a" + "".join(chr(c) + "a" for c in part)
        for _, (start, end) in pre_tokenizer.pre_tokenize_str(text):
            if start % 2 == 1 and end == start + 1:
                found.add(part[start // 2])
    return found


def word_characters():
    """Code points that keep an added token with single_word from matching, on either side."""
    tokenizer = Tokenizer(M.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.add_tokens([AddedToken("<m>", single_word=True, normalized=False)])
    sides = []
    for template in ("{}<m> ", " <m>{}"):  # five characters each, the token is the second to the fourth
        word = set()
        for begin in range(0, len(SCALARS), 20000):
            part = SCALARS[begin : begin + 20000]
            encoding = tokenizer.encode("".join(template.format(chr(c)) for c in part))
            starts = {start for (start, _), i in zip(encoding.offsets, encoding.ids) if i == 1}
            word.update(c for k, c in enumerate(part) if 5 * k + 1 not in starts)
        sides.append(word)
    assert sides[0] == sides[1], "a word character on one side only"
    return sides[0]


def combining_classes():
    """Canonical combining class of each code point, found by the order into which NFD puts it beside known marks."""
    nfd = N.NFD()
    lowest, highest = "\u0334", "\u0345"  # classes 1 and 240 in every version of Unicode

    def swaps(first, second):
        return first != second and nfd.normalize_str("a" + first + second) == "a" + second + first

    ladder = {1: ord(lowest), 240: ord(highest)}
    for c in SCALARS:
        value = unicodedata.combining(chr(c))
        if value not in (0, 1, 240) and swaps(highest, chr(c)) and swaps(chr(c), lowest):
            ladder.setdefault(value, c)
    classes = {}
    for c in SCALARS:
        ch = chr(c)
        if c in HANGUL or nfd.normalize_str(ch) != ch or not (swaps(highest, ch) or swaps(ch, lowest)):
            continue
        exact = [v for v in ladder if not swaps(chr(ladder[v]), ch) and not swaps(ch, chr(ladder[v]))]
        assert len(exact) == 1, hex(c)
        classes[c] = exact[0]
    return classes


def mapping(normalizer, skip=()):
    result = {}
    for c in SCALARS:
        if c in skip:
            continue
        text = normalizer.normalize_str(chr(c))
        if text != chr(c):
            result[c] = [ord(x) for x in text]
    return result


def bert(**options):
    return N.BertNormalizer(
        **{**dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False), **options}
    )


def emit(kind, name, values, form=str):
    print(f"constexpr {kind} {name}[] = {{")
    line = ""
    for value in values:
        item = f"{form(value)},"
        if len(line) + len(item) > 128:
            print(line)
            line = ""
        line += item
    print(line)
    print("};")


def emit_mapping(name, table):
    keys = sorted(table)
    starts, pool = [0], []
    for key in keys:
        pool += table[key]
        starts.append(len(pool))
    assert len(pool) < 65536
    emit("std::uint32_t", f"k{name}Keys", keys, hex)
    emit("std::uint16_t", f"k{name}Starts", starts)
    emit("std::uint32_t", f"k{name}Pool", pool, hex)


def write_properties():
    lower, nfd, nfkd = mapping(N.Lowercase()), mapping(N.NFD(), HANGUL), mapping(N.NFKD(), HANGUL)
    nfkd_only = {c: v for c, v in nfkd.items() if nfd.get(c) != v}
    assert all(c in nfkd for c in nfd)
    ccc = combining_classes()
    clean, strip, accents, chinese = (
        bert(clean_text=True),
        bert(strip_accents=True),
        N.StripAccents(),
        bert(handle_chinese_chars=True),
    )
    white = matched_white()
    sets = {
        "letter": matched(r"\p{L}"),
        "number": matched(r"\p{N}"),
        "space": matched(r"\s"),
        "white": white,
        "numeric": isolated(P.Digits(individual_digits=True)),
        "control": {c for c in SCALARS if clean.normalize_str(chr(c)) == ""},
        "mark_nonspacing": {c for c in SCALARS if c not in nfd and strip.normalize_str(chr(c)) == ""},
        "mark": {c for c in SCALARS if accents.normalize_str(chr(c)) == ""},
        "punctuation": isolated(P.BertPreTokenizer()),
        "cjk": {c for c in SCALARS if chinese.normalize_str(chr(c)) != chr(c)},
        "word": word_characters(),
        "has_lower": set(lower),
        "has_nfd": set(nfd) | set(HANGUL),
        "has_nfkd": set(nfkd) | set(HANGUL),
        "has_ccc": set(ccc),
    }
    spaced = {c for c in SCALARS if clean.normalize_str(chr(c)) == " "}
    assert spaced == white - sets["control"], "BertNormalizer cleans control characters first, then makes spaces of white ones"
    assert all(lower[c] == mapping_of(bert(lowercase=True), c) for c in lower)

    nfc = N.NFC()
    pairs = {}
    for c, parts in nfd.items():
        if len(parts) >= 2 and nfc.normalize_str(chr(c)) == chr(c):
            first = nfc.normalize_str("".join(map(chr, parts[:-1])))
            assert len(first) == 1
            pairs[(ord(first) << 32) | parts[-1]] = c

    flags = [0] * 0x110000
    for bit, name in enumerate(FLAGS):
        for c in sets[name]:
            flags[c] |= 1 << bit
    classes = sorted(set(flags))
    number = {value: i for i, value in enumerate(classes)}
    assert len(classes) < 256
    blocks, index, stage1 = [], {}, []
    for begin in range(0, 0x110000, BLOCK):
        block = tuple(number[f] for f in flags[begin : begin + BLOCK])
        if block not in index:
            index[block] = len(blocks)
            blocks.append(block)
        stage1.append(index[block])
    emit("std::uint16_t", "kClassFlags", classes)
    emit("std::uint16_t", "kStage1", stage1)
    emit("std::uint8_t", "kStage2", [x for b in blocks for x in b])
    emit_mapping("Lower", lower)
    emit_mapping("Nfd", nfd)
    emit_mapping("Nfkd", nfkd_only)
    emit("std::uint32_t", "kCccKeys", sorted(ccc), hex)
    emit("std::uint8_t", "kCccValues", [ccc[c] for c in sorted(ccc)])
    emit("std::uint64_t", "kComposeKeys", sorted(pairs), hex)
    emit("std::uint32_t", "kComposeValues", [pairs[k] for k in sorted(pairs)], hex)
    for name in FLAGS:
        print(name, len(sets[name]), file=sys.stderr)
    print("classes", len(classes), "blocks", len(blocks), file=sys.stderr)


def mapping_of(normalizer, c):
    return [ord(x) for x in normalizer.normalize_str(chr(c))]


def matched_white():
    """What WhitespaceSplit removes: Rust's char::is_whitespace."""
    found = set()
    split = P.WhitespaceSplit()
    for begin in range(0, len(SCALARS), 50000):
        part = SCALARS[begin : begin + 50000]
        kept = set()
        for _, (start, end) in split.pre_tokenize_str("".join(map(chr, part))):
            kept.update(range(start, end))
        found.update(c for k, c in enumerate(part) if k not in kept)
    return found


# ---- grapheme clusters ----------------------------------------------------------------------------------------------------------
# Only the normalizer Precompiled sees grapheme clusters. Its charsmap is made here so that it turns every cluster of less than six
# bytes that begins with "a" or a character outside ASCII into one X, and longer ones into an X for each such character: from the
# number of characters that come out follows where the clusters end. What that cannot tell apart changes no result either.

GRAPHEME_CLASSES = (
    "other control cr lf extend linker zwnj zwj spacing_mark prepend l v t lv lvt pictographic consonant regional_indicator"
).split()
EXTEND = "\u0301"


def counting_charsmap():
    units = [0] * 1024
    units[0] = 256 << 10  # the root: the unit of a first byte b is 256 + b
    for byte in [*range(0xC2, 0xF5), ord("a")]:
        units[256 + byte] = (512 << 10) | (1 << 8) | byte
        units[768 + byte] = 1 << 31  # a leaf: the string at 0
    return struct.pack("<1025I", 4096, *units) + b"X\0"


def clusters(template, count, among):
    """Those of `among` for which `template`, @ being the code point, comes out as `count` characters."""
    normalizer = N.Precompiled(counting_charsmap())
    among = sorted(among)
    found = set()
    for begin in range(0, len(among), 50000):
        part = among[begin : begin + 50000]
        lines = normalizer.normalize_str("\n".join(template.replace("@", chr(c)) for c in part)).split("\n")
        assert len(lines) == len(part)
        found.update(c for c, line in zip(part, lines) if len(line) == count)
    return found


def grapheme_classes():
    everything = set(SCALARS) - {0x0A, 0x0D}
    wide = {c for c in everything if 0x80 <= c < 0x10000}  # two or three bytes
    joining = clusters("a@", 1, everything)
    control = clusters("@" + EXTEND * 2, 2, everything)
    prepend = clusters("@a", 1, everything)
    others = everything - joining - control - prepend
    pictographic = clusters("\u00a9\u200d@", 3, others)
    extend = clusters("\u00a9@\u200d\u00a9" + EXTEND, 5, joining)
    linker = clusters("\u0915@\u0915" + EXTEND, 4, joining)
    assert linker <= extend
    assert 0x200D not in extend
    assert clusters("\u0915\u094d@\u0915" + EXTEND, 5, joining) == extend ^ {0x200C, 0x200D}, "Indic_Conjunct_Break=Extend"
    consonant = clusters("\u0915\u094d@" + EXTEND, 4, wide & others)
    before_l, before_v, before_t = (clusters(f"@{c}{EXTEND}", 3, others) for c in "\u1100\u1160\u11a8")
    v = clusters("\u1160@" + EXTEND, 3, (before_v - before_l) & wide) | {c for c in before_v - before_l if c > 0xFFFF}
    t = clusters("\u11a8@" + EXTEND, 3, (before_t - before_v) & wide)
    sets = {
        "control": control,
        "cr": {0x0D},
        "lf": {0x0A},
        "extend": extend - linker - {0x200C},
        "linker": linker,
        "zwnj": {0x200C},
        "zwj": {0x200D},
        "spacing_mark": joining - extend - {0x200D},
        "prepend": prepend,
        "l": before_l,
        "v": v,
        "t": t,
        "lv": before_v - before_l - v,
        "lvt": before_t - before_v - t,
        "pictographic": pictographic,
        "consonant": consonant,
        "regional_indicator": set(range(0x1F1E6, 0x1F200)),  # at four bytes they cannot be told apart, and need not be
    }
    values = [0] * 0x110000
    for name, members in sets.items():
        print("grapheme", name, len(members), file=sys.stderr)
        for c in members:
            assert values[c] == 0, hex(c)
            values[c] = GRAPHEME_CLASSES.index(name)
    return values


# ---- scripts --------------------------------------------------------------------------------------------------------------------


def begins_piece(pre_tokenizer, before, among):
    """Those of `among` that begin a piece behind `before`."""
    among = sorted(among)
    found = set()
    for begin in range(0, len(among), 50000):
        part = among[begin : begin + 50000]
        pieces = pre_tokenizer.pre_tokenize_str("".join(before + chr(c) for c in part))
        found.update(part[start // 2] for _, (start, _) in pieces if start % 2 == 1)
    return found


def script_classes():
    """What UnicodeScripts takes for one script: 0 never begins a piece, the others are numbered as they are met."""
    scripts = P.UnicodeScripts()
    sided = begins_piece(scripts, "a", SCALARS) | begins_piece(scripts, "\u0431", SCALARS)
    ordered = sorted(sided)
    starts = {start for _, (start, _) in scripts.pre_tokenize_str("".join(map(chr, ordered)))}
    values = [0] * 0x110000
    known = []  # one code point of each script
    number = 0
    for i, c in enumerate(ordered):
        if i in starts:
            pieces = scripts.pre_tokenize_str("".join(chr(c) + chr(k) for k in known))
            cuts = {start for _, (start, _) in pieces}
            same = [n for n in range(len(known)) if 2 * n + 1 not in cuts]
            assert len(same) <= 1, hex(c)
            if not same:
                known.append(c)
            number = same[0] + 1 if same else len(known)
        values[c] = number
    print("scripts", len(known), file=sys.stderr)
    return values


def emit_stages(name, values):
    """A table of bytes for all code points, in blocks that are stored once."""
    blocks, index, stage1 = [], {}, []
    for begin in range(0, 0x110000, BLOCK):
        block = tuple(values[begin : begin + BLOCK])
        if block not in index:
            index[block] = len(blocks)
            blocks.append(block)
        stage1.append(index[block])
    assert len(blocks) < 65536
    assert max(values) < 256
    emit("std::uint16_t", f"k{name}Stage1", stage1)
    emit("std::uint8_t", f"k{name}Stage2", [x for b in blocks for x in b])


CATEGORIES = ("Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Co").split()


# What else \\p{..} and [:..:] may name. Those that the oracle does not know are left out of the table.
NAMED_SETS = (
    "alpha alphabetic alnum ascii any assigned emoji ideographic lower lowercase punct upper uppercase whitespace xdigit "
    "adlam aghwan ahom arabic armenian avestan balinese bamum bassavah batak bengali bhaiksuki bopomofo brahmi braille buginese "
    "buhid canadianaboriginal carian caucasianalbanian chakma cham cherokee chorasmian common coptic cuneiform cypriot cyrillic "
    "deseret devanagari dogra duployan egyptianhieroglyphs elbasan elymaic ethiopic georgian glagolitic gothic grantha greek "
    "gujarati gunjalagondi gurmukhi han hangul hanifirohingya hanunoo hatran hebrew hiragana imperialaramaic inherited "
    "inscriptionalpahlavi inscriptionalparthian javanese kaithi kannada katakana kayahli kharoshthi khmer khojki khudawadi lao "
    "latin lepcha limbu lineara linearb lisu lycian lydian mahajani makasar malayalam mandaic manichaean marchen masaramgondi "
    "medefaidrin meeteimayek mendekikakui meroiticcursive meroitichieroglyphs miao modi mongolian mro multani myanmar nabataean "
    "nandinagari newa newtailue nko nushu nyiakengpuachuehmong ogham olchiki oldhungarian olditalic oldnortharabian oldpermic "
    "oldpersian oldsogdian oldsoutharabian oldturkic oriya osage osmanya pahawhhmong palmyrene paucinhau phagspa phoenician "
    "psalterpahlavi rejang runic samaritan saurashtra sharada shavian siddham signwriting sinhala sogdian sorasompeng soyombo "
    "sundanese sylotinagri syriac tagalog tagbanwa taile taitham taiviet takri tamil tangut telugu thaana thai tibetan tifinagh "
    "tirhuta ugaritic vai wancho warangciti yezidi yi zanabazarsquare hani hira kana hang latn cyrl grek arab hebr thai deva"
).split()


def ranges_of(members):
    """[[first, last], ...] of a set of code points. Surrogates, which no text has, do not end a range."""
    out = []
    for c in sorted(members):
        if out and (c == out[-1][1] + 1 or (c == 0xE000 and out[-1][1] == 0xD7FF)):
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def emit_ranges(kind, name, ranges):
    emit(kind, name, ranges, lambda fields: "{" + ",".join(fields) + "}")


def write_categories():
    """Where the classes of Oniguruma differ from Unicode 14, for regex_class.cpp."""
    assert unicodedata.unidata_version == "14.0.0", unicodedata.unidata_version
    newer, rewritten = [], []
    for name in CATEGORIES:
        pinned = matched(rf"\p{{{name}}}")
        older = {c for c in SCALARS if unicodedata.category(chr(c)) == name}
        left = older - pinned
        target, members = (rewritten, pinned) if left else (newer, pinned - older)
        if left:
            print("left", name, sorted(map(hex, left)), file=sys.stderr)
        target += [(f"'{name[0]}'", f"'{name[1]}'", hex(first), hex(last)) for first, last in ranges_of(members)]
        if left:  # the major category still takes what is newer
            newer += [(f"'{name[0]}'", f"'{name[1]}'", hex(first), hex(last)) for first, last in ranges_of(pinned - older)]
    emit_ranges("CategoryRange", "kNewerCategories", newer)
    emit_ranges("CategoryRange", "kRewrittenCategories", rewritten)
    word = matched(r"\w") - matched(r"[\p{L}\p{M}\p{Nd}\p{Pc}]")
    emit_ranges("CodeRange", "kOtherWordCharacters", [(hex(first), hex(last)) for first, last in ranges_of(word)])
    sets, pool = [], []
    for name in sorted(set(NAMED_SETS)):
        try:
            ranges = ranges_of(matched(rf"\p{{{name}}}"))
        except Exception as error:  # the package raises nothing more exact
            print(name, error, file=sys.stderr)
            continue
        sets.append((f'"{name}"', str(len(pool)), str(len(pool) + len(ranges))))
        pool += [(hex(first), hex(last)) for first, last in ranges]
    emit_ranges("NamedSet", "kNamedSets", sets)
    emit_ranges("CodeRange", "kNamedRanges", pool)


def write_folds():
    """Characters whose full case folding (Unicode, CaseFolding.txt, status F, which never changes) is more than one, for regex.cpp."""
    emit("char32_t", "kFoldsToSequences", [hex(c) for c in SCALARS if len(chr(c).casefold()) > 1])


def main():
    folder = pathlib.Path(__file__).resolve().parent.parent / "src" / "tokenizer" / "unicode"
    files = {
        "tables.inc": write_properties,
        "categories.inc": write_categories,
        "folds.inc": write_folds,
        "graphemes.inc": lambda: emit_stages("Grapheme", grapheme_classes()),
        "scripts.inc": lambda: emit_stages("Script", script_classes()),
    }
    for name, write in files.items():
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        with open(folder / name, "w", encoding="ascii") as file, contextlib.redirect_stdout(file):
            print(f"// Made by scripts/make_unicode_tables.py from tokenizers {tokenizers.__version__}; not written by hand.")
            print("// clang-format off")
            write()
            print("// clang-format on")


if __name__ == "__main__":
    main()
