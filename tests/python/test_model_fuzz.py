"""Broken and malicious models, GGUF files and adapters: an error of one line or a computation, never a crash, output or a large
allocation (tests/parity/fuzz_models.py, which also runs for hours)."""

import pathlib

import fuzz_models
import pytest

SEED = 20261126
CASES, MANY_CASES = 250, 20_000


def check(first: int, last: int, fixtures: pathlib.Path, scratch: pathlib.Path) -> None:
    counts, found = fuzz_models.run(first, last, SEED, fixtures, scratch)
    print(f"{last - first} cases, seed {SEED}: {dict(counts.most_common())}")
    assert not found, "\n".join(found)
    # Faults that change nothing, and faults that are noticed: both kinds must be among them.
    assert counts["computed"] > (last - first) // 20
    assert counts["Corrupt"] > (last - first) // 5


@pytest.mark.full
def test_broken_models_are_refused_or_computed(fixtures_dir: pathlib.Path, tmp_path: pathlib.Path) -> None:
    check(0, CASES, fixtures_dir, tmp_path)


@pytest.mark.long
def test_many_broken_models(fixtures_dir: pathlib.Path, tmp_path: pathlib.Path) -> None:
    check(CASES, MANY_CASES, fixtures_dir, tmp_path)


def test_what_counts_as_a_fault() -> None:
    assert fuzz_models.fault_of(("Corrupt: one line", 5, 0.1), 0) is None
    assert fuzz_models.fault_of(("computed", 5, 0.1), 0) is None
    for answer in [
        ("!died with -11", 0, 0.0),
        ("!ValueError: x", 1, 0.1),
        ("Corrupt: two\nlines", 1, 0.1),
        ("computed", 5000, 0.1),
    ]:
        assert fuzz_models.fault_of(answer, 0) is not None
    assert fuzz_models.fault_of(("computed", 5, 99.0), 0) is not None
    assert fuzz_models.fault_of(("computed", 5, 0.1), 3) is not None
