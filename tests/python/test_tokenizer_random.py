"""Random small tokenizers, any stage with any option, beside Hugging Face tokenizers on random texts: what nobody thought of testing.
A difference is printed with the smallest file and text that show it, and with the seed that makes them again."""

import pathlib

import fuzz_tokenizers
import pytest

SEED = 20261125
FILES, MANY_FILES = 500, 25_000  # fuzz_tokenizers.TEXTS_EACH texts on each
PATTERNS, MANY_PATTERNS = 400, 40_000


def check(first: int, last: int, scratch: pathlib.Path) -> None:
    texts = refused = 0
    for index in range(first, last):
        outcome = fuzz_tokenizers.check_random_tokenizer(f"{SEED}-{index}", scratch)
        texts += outcome.texts
        refused += outcome.refused
        if outcome.report is not None:
            pytest.fail(outcome.report, pytrace=False)
    print(f"{last - first} files, {refused} of them left out, {texts} texts, seed {SEED}")
    assert refused <= (last - first) // 4, "too many random files have no answer to compare with"


def test_random_tokenizers(tmp_path: pathlib.Path) -> None:
    check(0, FILES, tmp_path)


@pytest.mark.long
def test_many_random_tokenizers(tmp_path: pathlib.Path) -> None:
    check(FILES, MANY_FILES, tmp_path)


def check_patterns(first: int, last: int, scratch: pathlib.Path) -> None:
    compared = gave_up = 0
    for index in range(first, last):
        outcome = fuzz_tokenizers.check_random_pattern(f"{SEED}-{index}", scratch)
        compared += not outcome.refused
        gave_up += outcome.gave_up
        if outcome.report is not None:
            pytest.fail(outcome.report, pytrace=False)
    assert compared > 0.7 * (last - first)
    assert gave_up < 0.05 * (last - first)


def test_random_patterns(tmp_path: pathlib.Path) -> None:
    check_patterns(0, PATTERNS, tmp_path)


@pytest.mark.long
def test_many_random_patterns(tmp_path: pathlib.Path) -> None:
    check_patterns(PATTERNS, MANY_PATTERNS, tmp_path)
