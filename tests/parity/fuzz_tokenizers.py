#!/usr/bin/env python3
"""Differential fuzzing of librag's tokenizers against Hugging Face's, for hours or minutes.

    fuzz_tokenizers.py --published 500000 --random 25000 --patterns 100000 [--seed 1] [--names llama3 qwen3]

--published: random texts in all, over the published tokenizers; --random: random small tokenizer.json files, 20 texts each;
--patterns: random regular expressions to split at, 10 texts each. Every
difference is shrunk and printed with the seed that makes it again; the exit status is 1 if there was one. The tests
(tests/python/test_tokenizer_random.py) call the same functions with smaller numbers."""

import argparse
import dataclasses
import json
import os
import pathlib
import random
import sys
import tempfile
import time

import compare
import librag
import published
import random_patterns
import random_texts
import random_tokenizers
import real_texts
import tokenizers

TEXTS_EACH = 20
TEXTS_EACH_PATTERN = 10
PATTERN_PIECES = [*random_patterns.LITERALS, "ss", "S", "fi", "\u00df", "\ufb01"]  # of its texts
PATTERN_TEXT = 40  # characters at most: a random pattern may take exponential time
# Combinations that no published file has and that librag refuses to open, by these words; they are counted, and few.
NOT_TAKEN = (
    "post-processors that add tokens",
    "offsets trimmed behind",
    "TemplateProcessing behind another post-processor",
    "byte_fallback together with prefixes or suffixes",
    "which is not supported",  # of a pattern, and
    "cannot be compiled",
)


@dataclasses.dataclass
class Outcome:
    texts: int = 0
    refused: int = 0  # files that are not compared: see check_random_tokenizer
    gave_up: int = 0  # texts on which the match limit of a pattern was hit
    report: str | None = None


def open_spec(spec: random_tokenizers.Json, file: pathlib.Path) -> tuple[object, object]:
    """Both sides' tokenizer of a file, or a compare.Refused."""
    text = json.dumps(spec)
    file.write_text(text, encoding="utf-8")
    ours = compare.attempt(lambda: librag.Tokenizer.from_pretrained(file))
    return ours, compare.attempt(lambda: tokenizers.Tokenizer.from_str(text))


def is_not_taken(ours: object) -> bool:
    return isinstance(ours, compare.Refused) and any(words in ours.reason for words in NOT_TAKEN)


def ignored(spec: random_tokenizers.Json) -> tuple[str, ...]:
    return ("sequence_ids",) if random_tokenizers.numbers_pieces(spec) else ()


def differs(spec: random_tokenizers.Json, file: pathlib.Path, case: tuple[str, str | None, bool]) -> bool:
    ours, theirs = open_spec(spec, file)
    if isinstance(theirs, compare.Refused) or is_not_taken(ours) or is_ambiguous(spec, theirs):
        return False
    return isinstance(ours, compare.Refused) or compare.difference(ours, theirs, *case, ignore=ignored(spec)) is not None


def shrink_spec(
    spec: random_tokenizers.Json, file: pathlib.Path, case: tuple[str, str | None, bool], trials: int = 400
) -> random_tokenizers.Json:
    """Leaves out stages and merges as long as the two still differ."""
    smaller = True
    while smaller and trials > 0:
        smaller = False
        for candidate in random_tokenizers.simpler(spec):
            trials -= 1
            if trials <= 0:
                break
            if differs(candidate, file, case):
                spec, smaller = candidate, True
                break
    return spec


def is_ambiguous(spec: random_tokenizers.Json, theirs: tokenizers.Tokenizer) -> bool:
    """Two added tokens that normalization makes equal (which one the package then finds differs from process to process), or one of
    which it leaves nothing (the package then panics or takes all memory)."""
    contents = [token["content"] for token in spec["added_tokens"] if token["normalized"]]
    if theirs.normalizer is None:
        return False
    normalized = [compare.attempt(lambda text=text: theirs.normalizer.normalize_str(text)) for text in contents]
    return "" in normalized or len(set(normalized)) < len(contents)


def without_vocabulary(spec: random_tokenizers.Json) -> str:
    shown = {key: value for key, value in spec.items() if value is not None and key != "version"}
    shown["model"] = {key: value for key, value in spec["model"].items() if key != "vocab"}
    return json.dumps(shown)


def check_random_tokenizer(seed: str, scratch: pathlib.Path, texts: int = TEXTS_EACH) -> Outcome:
    """One random file and `texts` random texts on it. Left out are files that the package refuses or that have no one answer, and
    the combinations of NOT_TAKEN."""
    spec = random_tokenizers.random_tokenizer(seed)
    file = scratch / "tokenizer.json"
    ours, theirs = open_spec(spec, file)
    outcome = Outcome()
    if isinstance(theirs, compare.Refused) or is_not_taken(ours) or is_ambiguous(spec, theirs):
        outcome.refused = 1
        return outcome
    known = random_tokenizers.texts_for(spec)
    maker = random_texts.RandomTexts(seed, fragments=known, real=["".join(known[:40])])
    for index in range(texts):
        case = (maker.next(), maker.next() if index % 6 == 0 else None, index % 4 != 0)
        outcome.texts += 1
        if not isinstance(ours, compare.Refused) and compare.difference(ours, theirs, *case, ignore=ignored(spec)) is None:
            continue
        spec = shrink_spec(spec, file, case)
        ours, theirs = open_spec(spec, file)
        if isinstance(ours, compare.Refused):
            found = f"  ours refuses the file: {ours.reason}"
        else:
            found = compare.report("", ours, theirs, *case, ignore=ignored(spec))
        outcome.report = f"random tokenizer {seed!r}: {without_vocabulary(spec)}\n{found}"
        break
    return outcome


def fuzz_random(count: int, seed: int, scratch: pathlib.Path) -> tuple[Outcome, int]:
    total, reports = Outcome(), 0
    for index in range(count):
        outcome = check_random_tokenizer(f"{seed}-{index}", scratch)
        total.texts += outcome.texts
        total.refused += outcome.refused
        if outcome.report is not None:
            reports += 1
            print(outcome.report, flush=True)
    return total, reports


def pattern_spec(pattern: str) -> random_tokenizers.Json:
    """A tokenizer whose offsets are the pattern's matches and what lies between them."""
    spec = dict.fromkeys(("truncation", "padding", "normalizer", "post_processor", "decoder"))
    split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    model = {"type": "WordLevel", "vocab": {"<unk>": 0}, "unk_token": "<unk>"}
    return {"version": "1.0", **spec, "added_tokens": [], "pre_tokenizer": split, "model": model}


def check_random_pattern(seed: str, scratch: pathlib.Path) -> Outcome:
    """One random pattern, by the offsets of what it cuts. Left out are those that one side refuses, and texts on which either gives
    up: how many steps a match takes is each engine's own."""
    rng = random.Random(seed)
    pattern = random_patterns.random_pattern(rng)
    ours, theirs = open_spec(pattern_spec(pattern), scratch / "tokenizer.json")
    outcome = Outcome()
    if isinstance(theirs, compare.Refused) or is_not_taken(ours):
        outcome.refused = 1
        return outcome
    if isinstance(ours, compare.Refused):
        outcome.report = f"pattern {pattern!r}: ours refuses the file: {ours.reason}"
        return outcome
    maker = random_texts.RandomTexts(seed, fragments=random_patterns.LITERALS, real=["aabbaabb a1b2", "AaBb\n\tcC 12", "ssst'st"])
    for _ in range(TEXTS_EACH_PATTERN):
        text = "".join(rng.choices(PATTERN_PIECES, k=rng.randint(0, 12))) if rng.random() < 0.5 else maker.next()
        text = text[:PATTERN_TEXT]
        mine = compare.attempt(lambda text=text: [tuple(pair) for pair in ours.encode(text).offsets])
        other = compare.attempt(lambda text=text: theirs.encode(text).offsets)
        outcome.texts += 1
        if isinstance(mine, compare.Refused) and "cannot be matched" in mine.reason:
            outcome.gave_up += 1
        elif mine != other and not isinstance(other, compare.Refused):
            outcome.report = f"pattern {pattern!r}, text {text!r}, seed {seed!r}:\n  ours {mine}\n  theirs {other}"
            break
    return outcome


def fuzz_patterns(count: int, seed: int, scratch: pathlib.Path) -> tuple[Outcome, int]:
    total, reports = Outcome(), 0
    for index in range(count):
        outcome = check_random_pattern(f"{seed}-{index}", scratch)
        total.texts += outcome.texts
        total.refused += outcome.refused
        total.gave_up += outcome.gave_up
        if outcome.report is not None:
            reports += 1
            print(outcome.report, flush=True)
    return total, reports


def fuzz_published(names: list[str], count: int, seed: int, scratch: pathlib.Path) -> tuple[int, int]:
    golden = real_texts.golden_texts(pathlib.Path(os.environ["RAG_SHARED_DATA"]))
    done = reports = 0
    for name in names:
        both = published.open_both(name, scratch)
        maker = random_texts.RandomTexts(f"{seed} {name}", real=golden, fragments=both.added)
        found = 0
        for index in range(count // len(names)):
            case = (maker.next(), maker.next() if index % 8 == 0 else None, index % 3 != 0)
            done += 1
            if compare.difference(both.ours, both.theirs, *case) is None:
                continue
            reports += 1
            found += 1
            if found <= 10:
                print(compare.report(f"seed {seed}, text {index}, {name}", both.ours, both.theirs, *case), flush=True)
        print(f"{name}: {count // len(names)} texts, {found} differences", flush=True)
    return done, reports


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--published", type=int, default=0, metavar="TEXTS")
    parser.add_argument("--random", type=int, default=0, metavar="FILES")
    parser.add_argument("--patterns", type=int, default=0, metavar="PATTERNS")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--names", nargs="*", default=list(published.ALL), choices=published.ALL)
    options = parser.parse_args()
    reports = 0
    with tempfile.TemporaryDirectory() as folder:
        scratch = pathlib.Path(folder)
        if options.published:
            started = time.monotonic()
            texts, found = fuzz_published(options.names, options.published, options.seed, scratch)
            reports += found
            print(f"published: {texts} texts, {found} differences, {time.monotonic() - started:.0f} s, seed {options.seed}")
        if options.random:
            started = time.monotonic()
            total, found = fuzz_random(options.random, options.seed, scratch)
            reports += found
            print(
                f"random: {options.random} files ({total.refused} of them left out), {total.texts} texts, "
                f"{found} differences, {time.monotonic() - started:.0f} s, seed {options.seed}"
            )
        if options.patterns:
            started = time.monotonic()
            total, found = fuzz_patterns(options.patterns, options.seed, scratch)
            reports += found
            print(
                f"patterns: {options.patterns} ({total.refused} of them left out), {total.texts} texts, {total.gave_up} given up, "
                f"{found} differences, {time.monotonic() - started:.0f} s, seed {options.seed}"
            )
    return 1 if reports else 0


if __name__ == "__main__":
    sys.exit(main())
