"""librag.data: what was planted is found, what is clean stays, and equal seeds give equal results."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import random
from pathlib import Path
from typing import Any

import librag
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from librag import data
from librag.data.neighbours import Signatures
from librag.data.rows import folded, shingles

ENGLISH = [
    {"text": "My card has not arrived yet, what can I do?", "label": "card_arrival"},
    {"text": "How do I change my PIN at a cash machine?", "label": "change_pin"},
    {"text": "The exchange rate of my payment looks wrong to me.", "label": "exchange_rate"},
    {"text": "Please tell me why my transfer was declined today.", "label": "declined_transfer"},
]
CHINESE = [
    {
        "text": "\u6211\u7684\u94f6\u884c\u5361\u8fd8\u6ca1\u6709\u5bc4\u5230\uff0c\u5e94\u8be5\u600e\u4e48\u529e\uff1f",
        "label": "card_arrival",
    },
    {"text": "\u600e\u6837\u5728\u53d6\u6b3e\u673a\u4e0a\u4fee\u6539\u5bc6\u7801\uff1f", "label": "change_pin"},
    {"text": "\u9ad8\u8840\u538b\u60a3\u8005\u80fd\u5403\u515a\u53c2\u5417\uff1f", "label": "diet"},
]


def banking77() -> list[dict[str, str]]:
    folder = Path(os.environ["RAG_SHARED_DATA"]) / "en_cls_banking77"
    return [json.loads(line) for line in (folder / "train.jsonl").read_text("utf-8").splitlines()]


def text_of(rows: list[dict[str, str]], places: list[int]) -> list[str]:
    return [rows[place]["text"] for place in places]


def _varied_rows(count: int) -> tuple[list[dict[str, Any]], list[str]]:
    """Sentences, some of them again as they are, in capitals, or with a word changed."""
    chance = random.Random(11)
    words = ["".join(chance.choices("abcdefghijklmnop", k=chance.randrange(3, 9))) for _ in range(400)]
    texts: list[str] = []
    while len(texts) < count:
        kind = chance.randrange(5) if texts else 4
        old = chance.choice(texts) if texts else ""
        changed = old.split()
        if kind == 1:
            old = old.upper() + "!"
        elif kind == 2:
            changed[chance.randrange(len(changed))] = chance.choice(words)
            old = " ".join(changed)
        elif kind >= 3:
            old = " ".join(chance.choices(words, k=chance.randrange(4, 14)))
        texts.append(old)
    rows = [{"text": text, "label": chance.choice(["one", "other"])} for text in texts]
    return rows, [row["label"] for row in rows]


class TestRead:
    def test_reads_rows_with_their_lines_and_labels(self, tmp_path: Path) -> None:
        file = tmp_path / "r.jsonl"
        file.write_text('{"text": "a", "label": "x"}\n\n{"text": "b", "label": "y", "id": 7}\n', "utf-8")
        rows = data.read(file)
        assert rows == [{"text": "a", "label": "x"}, {"text": "b", "label": "y"}]
        assert (rows.kind, rows.lines, rows.labels, rows.skipped_count) == ("labelled", [1, 3], ["x", "y"], 0)
        packed = tmp_path / "r.jsonl.gz"
        packed.write_bytes(gzip.compress(file.read_bytes()))
        assert data.read(packed) == rows
        packed.write_bytes(packed.read_bytes()[:-12])
        with pytest.raises(librag.InvalidArgument, match="no whole gzip file"):
            data.read(packed)

    def test_columns_labels_and_bad_rows(self, tmp_path: Path) -> None:
        file = tmp_path / "r.csv"
        file.write_text("question,intent\na,x\n,x\nb,z\nc,y\n", "utf-8")
        columns = {"text": "question", "label": "intent"}
        with pytest.raises(librag.InvalidArgument, match=r"r\.csv.*line 3"):
            data.read(file, columns=columns)
        rows = data.read(file, columns=columns, labels=["x", "y"], on_bad_row="skip")
        assert rows == [{"text": "a", "label": "x"}, {"text": "c", "label": "y"}]
        assert [line for line, _ in rows.skipped] == [3, 4]
        assert "none of the 2 that were given" in rows.skipped[1][1]
        for wrong, message in (
            ({"columns": {"txt": "a"}}, "'txt'"),
            ({"kind": "chats"}, "'chats'"),
            ({"on_bad_row": "ask"}, "'ask'"),
        ):
            with pytest.raises(librag.InvalidArgument, match=message):
                data.read(file, **wrong)  # type: ignore[arg-type]
        with pytest.raises(librag.NotFound, match="nowhere"):
            data.read(tmp_path / "nowhere.jsonl")

    @pytest.mark.full
    def test_real_files_of_instructions_and_conversations(self) -> None:
        folder = Path(os.environ["RAG_SHARED_DATA"]) / "sft_llamafactory_demo"
        counts = {}
        for file in sorted(folder.glob("*.jsonl.gz")):
            if not file.name.startswith("dpo"):
                rows = data.read(file, on_bad_row="skip")
                counts[file.name.split(".")[0]] = (rows.kind, len(rows), rows.skipped_count)
        assert counts == {
            "alpaca_en_demo": ("chat", 999, 0),
            "alpaca_zh_demo": ("chat", 1000, 0),
            "glaive_toolcall_en_demo": ("chat", 300, 0),
            "glaive_toolcall_zh_demo": ("chat", 300, 0),
            "identity": ("chat", 91, 0),
        }
        with pytest.raises(librag.InvalidArgument, match="preference data"):
            data.read(folder / "dpo_en_demo.jsonl.gz")


class TestRowText:
    def test_takes_what_rows_of_each_task_hold(self) -> None:
        assert data.row_text({"text": "a", "label": "b", "id": "c"}) == "a"
        assert data.row_text({"query": "a", "positive": "b", "negatives": ["c", "d"]}) == "a\nb\nc\nd"
        assert data.row_text({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}) == "a\nb"
        assert data.row_text({"conversations": [{"from": "human", "value": "a"}], "tools": "x"}) == "a"
        assert data.row_text({"instruction": "a", "input": "", "output": "b"}) == "a\n\nb"
        assert data.row_text({"text": "a", "other": "b"}, fields=["other"]) == "b"
        # What training reads under other names.
        assert data.row_text({"text": "a", "text_pair": "b", "label": "c"}) == "a\nb"
        assert data.row_text({"sentence1": "a", "sentence2": "b"}) == "a\nb"
        assert data.row_text({"anchor": "a", "pos": "b", "neg": ["c"]}) == "a\nb\nc"
        assert data.row_text({"prompt": "a", "completion": "b"}) == "a\nb"
        assert data.row_text({"instruction": "b", "output": "c", "history": [["x", "y"]]}) == "x\ny\nb\nc"

    def test_a_row_without_text_is_an_error_that_names_its_members(self) -> None:
        with pytest.raises(librag.InvalidArgument, match=r"members are \['label'\]"):
            data.row_text({"label": "x"})
        with pytest.raises(librag.InvalidArgument, match="must be a dict, not str"):
            data.row_text("text")  # type: ignore[arg-type]


class TestDuplicates:
    def test_case_width_punctuation_and_spaces_do_not_make_a_text_another(self) -> None:
        rows = [
            *ENGLISH,
            *CHINESE,
            {"text": "my  CARD has not arrived yet: what can I do"},
            {"text": "\u600e\u6837\u5728\u53d6\u6b3e\u673a\u4e0a\u4fee\u6539\u5bc6\u7801"},
        ]
        assert data.duplicate_groups(rows, near=None) == [[0, 7], [5, 8]]
        kept, report = data.deduplicate(rows, near=None)
        assert kept == rows[:7]
        assert (report.exact, report.near, report.removed) == (2, 0, [(7, 0), (8, 5)])

    def test_a_changed_word_makes_a_near_duplicate_and_another_text_none(self) -> None:
        rows = [
            {"text": "I am still waiting on my new card, it was ordered two weeks ago and has not arrived"},
            {"text": "I am still waiting on my new card, it was ordered two weeks ago and has not come"},
            {
                "text": "\u60a3\u8005\u957f\u671f\u670d\u7528\u964d\u538b\u836f\u7269\uff0c\u8fd1\u65e5\u51fa\u73b0\u5934\u6655\u3001\u4e4f\u529b\u3001\u5fc3\u60b8\u7b49\u75c7\u72b6\uff0c\u662f\u5426\u9700\u8981\u66f4\u6362\u836f\u7269"
            },
            {
                "text": "\u60a3\u8005\u957f\u671f\u670d\u7528\u964d\u538b\u836f\u7269\uff0c\u8fd1\u65e5\u51fa\u73b0\u5934\u6655\u3001\u4e4f\u529b\u3001\u5fc3\u60b8\u7b49\u75c7\u72b6\uff0c\u662f\u5426\u9700\u8981\u505c\u7528\u836f\u7269"
            },
            {"text": "How do I top up with a card?"},
        ]
        assert data.duplicate_groups(rows, near=0.7) == [[0, 1], [2, 3]]
        assert data.duplicate_groups(rows, near=None) == []

    def test_within_compares_rows_of_one_label_only(self) -> None:
        rows = [{"text": "same text", "label": "a"}, {"text": "same text", "label": "b"}, {"text": "same text", "label": "a"}]
        kept, report = data.deduplicate(rows, within="label")
        assert kept == rows[:2]
        assert report.removed == [(2, 0)]

    @given(st.lists(st.text(alphabet="ab \u4e2d\u6587\u3002", max_size=12), max_size=12), st.sampled_from([None, 0.5, 0.8, 1.0]))
    @settings(max_examples=60, deadline=None)
    def test_what_is_removed_has_a_row_that_stays(self, texts: list[str], near: float | None) -> None:
        rows = [{"text": text} for text in texts]
        kept, report = data.deduplicate(rows, near=near)
        removed = dict(report.removed)
        assert len(kept) == report.kept == len(rows) - len(removed)
        assert all(stays not in removed and stays < gone for gone, stays in removed.items())
        again, second = data.deduplicate(kept, near=None)
        assert again == kept
        assert second.removed == []

    @pytest.mark.parametrize("near", [0.7, 0.8])
    def test_the_result_is_that_of_comparing_all_pairs(self, near: float) -> None:
        """With every row, whatever stays of those before it: the slow twin of duplicates.py."""
        rows, values = _varied_rows(400)
        sets = [shingles(row["text"]) for row in rows]

        def similar(a: int, b: int) -> bool:
            return folded(rows[a]["text"]) == folded(rows[b]["text"]) or len(sets[a] & sets[b]) >= near * len(sets[a] | sets[b])

        for within in (None, "label"):
            kept: list[int] = []
            removed = []
            for place in range(len(rows)):
                stays = [other for other in kept if similar(other, place) and (within is None or values[other] == values[place])]
                equal = [other for other in stays if folded(rows[other]["text"]) == folded(rows[place]["text"])]
                if stays:
                    removed.append((place, (equal or stays)[0]))
                else:
                    kept.append(place)
            assert 20 < len(removed) < 300
            clean, report = data.deduplicate(rows, near=near, within=within)
            assert (clean, report.removed) == ([rows[place] for place in kept], removed)
        groups = [{place} for place in range(len(rows))]
        for a, b in itertools.combinations(range(len(rows)), 2):
            one, other = (next(group for group in groups if place in group) for place in (a, b))
            if one is not other and similar(a, b):
                groups.remove(other)
                one |= other
        expected = sorted(sorted(group) for group in groups if len(group) > 1)
        assert data.duplicate_groups(rows, near=near) == expected
        first, second = rows[:200], rows[200:]
        leaks = data.find_leaks(first, second, near=near)
        assert [leak.test for leak in leaks] == [b for b in range(200) if any(similar(a, 200 + b) for a in range(200))]
        for leak in leaks:
            shared = [len(sets[a] & sets[200 + leak.test]) / len(sets[a] | sets[200 + leak.test]) for a in range(200)]
            assert leak.similarity == max(shared)
            assert leak.train == shared.index(max(shared))

    @pytest.mark.parametrize("count", [2000, pytest.param(100_000, marks=pytest.mark.long)])
    def test_rows_that_share_a_pattern_take_no_square_of_their_number(self, count: int) -> None:
        """Counted in comparisons, which do not depend on the machine."""
        chance = random.Random(5)
        words = ["".join(chance.choices("abcdefghijklmnop", k=6)) for _ in range(3000)]
        prefix = "Please summarise for a busy reader in one short sentence what follows here:"
        patterns = {
            "alike": [{"text": f"{prefix} {prefix} order {number}."} for number in range(count)],  # all near duplicates
            "unlike": [{"text": f"{prefix} {' '.join(chance.choices(words, k=6))}"} for _ in range(count)],  # none
            "equal": [{"text": "the same"} for _ in range(count)],
        }
        compared = 0
        similarity = Signatures.similarity

        def counted(self: Signatures, one: int, other: int, near: float) -> float:
            nonlocal compared
            compared += 1
            return similarity(self, one, other, near)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Signatures, "similarity", counted)
            kept = {name: len(data.deduplicate(rows)[0]) for name, rows in patterns.items()}
            assert kept == {"alike": 1, "unlike": count, "equal": 1}
            assert len(data.split(patterns["alike"])["train"]) == count
            assert min(len(part) for part in data.split(patterns["unlike"]).values()) >= count // 11
            assert len(data.find_leaks(patterns["alike"][::2], patterns["alike"][1::2])) == count // 2
            assert data.find_leaks(patterns["unlike"][::2], patterns["unlike"][1::2]) == []
        assert compared < 1000 * count  # all pairs of 2,000 rows that are alike would be three times as many

    def test_a_pattern_of_few_rows_hides_no_pair(self) -> None:
        """Each row meets hundreds of others, in many bands each."""
        chance = random.Random(800)
        words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(3, 8))) for _ in range(3000)]
        pattern = chance.choices(words, k=20)
        rows = [{"text": " ".join(pattern[:10] + chance.choices(words, k=3) + pattern[10:])} for _ in range(800)]
        sets = [shingles(row["text"]) for row in rows]
        train, test = sets[:400], sets[400:]
        best = [max(len(one & other) / len(one | other) for other in train) for one in test]
        expected = {at: similarity for at, similarity in enumerate(best) if similarity >= 0.8}
        assert len(expected) > 20
        found = data.find_leaks(rows[:400], rows[400:], near=0.8)
        assert {leak.test: leak.similarity for leak in found} == expected

    def test_near_out_of_range_is_an_error(self) -> None:
        with pytest.raises(librag.InvalidArgument, match=r"near is 0\.2"):
            data.deduplicate(ENGLISH, near=0.2)


class TestLeaks:
    def test_names_the_row_of_training_that_is_most_similar(self) -> None:
        test = [{"text": "What is the weather?"}, {"text": "how do i change my pin at a cash machine"}]
        (leak,) = data.find_leaks([*ENGLISH, *CHINESE], test)
        assert (leak.train, leak.test, leak.similarity) == (1, 1, 1.0)

    def test_a_split_leaks_nothing_keeps_shares_and_repeats(self) -> None:
        chance = random.Random(3)
        rows = [{"text": f"{base['text']} {i // 2}", "label": base["label"]} for base in ENGLISH + CHINESE for i in range(100)]
        chance.shuffle(rows)
        parts = data.split(rows, {"train": 3, "test": 1}, stratify="label", near=None)
        assert data.find_leaks(parts["train"], parts["test"], near=None) == []
        assert sum(map(len, parts.values())) == len(rows)
        assert abs(len(parts["test"]) - 175) <= 1  # pairs stay together
        for base in ENGLISH + CHINESE:
            assert sum(row["label"] == base["label"] for row in parts["test"]) in (24, 26, 48, 50, 52)
        assert data.split(rows, {"train": 3, "test": 1}, stratify="label", near=None) == parts
        assert data.split(rows, {"train": 3, "test": 1}, stratify="label", near=None, seed=2) != parts

    def test_a_query_with_several_documents_stays_in_one_part(self) -> None:
        rows = [
            {"query": f"what is the {thing} of room {n}?", "positive": f"document {n * 7 + i} about {thing} number {i}"}
            for n in range(20)
            for thing in ("lamp", "door")
            for i in range(1 + n % 4)
        ]
        chats = [
            {"messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": f"Tell me of {n}"},
                          {"role": "assistant", "content": f"Answer {i} of {n}: {'word ' * i}"}]}
            for n in ("rivers", "boats", "mills", "lamps", "letters", "doors", "rooms", "towns")
            for i in range(5)
        ]  # fmt: skip
        alpaca = [
            {"instruction": "Translate", "input": f"{word} house", "output": f"{i} {word}"}
            for word in ("red", "green", "blue", "white", "grey") for i in range(4)
        ]  # fmt: skip
        for chosen in (rows, chats, alpaca):
            for near in (None, 0.8):
                parts = data.split(chosen, {"train": 2, "test": 1}, near=near, seed=3)
                assert parts["train"]
                assert parts["test"]
                assert data.find_leaks(parts["train"], parts["test"], near=near) == []
                assert sum(map(len, parts.values())) == len(chosen)
        # Parts that were cut in another way: the query alone tells.
        (leak,) = data.find_leaks(rows[:1], [{"query": rows[0]["query"].upper(), "positive": "something else altogether"}])
        assert (leak.train, leak.test, leak.similarity, leak.part) == (0, 0, 1.0, "query")
        assert data.find_leaks(rows[:1], [{"query": rows[0]["query"], "positive": "something else"}], fields=["positive"]) == []
        # Another answer to the same question is no duplicate.
        assert len(data.deduplicate(chats, near=None)[0]) == len(chats)

    def test_bad_shares_are_errors(self) -> None:
        for shares in ({}, {"train": 0.0}, {"train": -1, "test": 2}):
            with pytest.raises(librag.InvalidArgument, match="above 0"):
                data.split(ENGLISH, shares)
        with pytest.raises(librag.InvalidArgument, match="cannot be cut"):
            data.split(ENGLISH[:1], {"train": 1, "test": 1})
        with pytest.raises(librag.InvalidArgument, match="'topic'"):
            data.split(ENGLISH, stratify="topic")


def test_balance_makes_classes_equal_without_inventing_rows() -> None:
    rows = [{"text": str(i), "label": "ab"[i % 5 == 0]} for i in range(50)]
    down, up = data.balance(rows), data.balance(rows, method="up")
    assert [sum(row["label"] == name for row in down) for name in "ab"] == [10, 10]
    assert [sum(row["label"] == name for row in up) for name in "ab"] == [40, 40]
    assert up[:50] == rows
    assert all(up.count(row) in (3, 4) or row["label"] == "a" for row in up)
    with pytest.raises(librag.InvalidArgument, match="row 0 has no 'label'"):
        data.balance([{"text": "x"}])


class TestPersonalData:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("Call me at (415) 555-2671 or +44 20 7946 0958.", "Call me at [PHONE] or [PHONE]."),
            (
                "\u6211\u7684\u7535\u8bdd\u662f13912345678\uff0c\u8bf7\u56de\u7535\u3002",
                "\u6211\u7684\u7535\u8bdd\u662f[PHONE]\uff0c\u8bf7\u56de\u7535\u3002",
            ),
            (
                "\u7535\u8bdd\uff1a\uff10\uff11\uff10\uff0d\uff16\uff12\uff17\uff18\uff11\uff12\uff13\uff14",
                "\u7535\u8bdd\uff1a[PHONE]",
            ),
            (
                "\u8eab\u4efd\u8bc1\u53f711010519491231002X\u5df2\u767b\u8bb0",
                "\u8eab\u4efd\u8bc1\u53f7[IDENTITY]\u5df2\u767b\u8bb0",
            ),
            ("My SSN is 536-90-4399", "My SSN is [IDENTITY]"),
            ("card 4111 1111 1111 1111, thanks", "card [CARD], thanks"),
            ("\u5361\u53f76222021234567890128\u4e22\u4e86", "\u5361\u53f7[CARD]\u4e22\u4e86"),
            ("mail to anna.smith@example.co.uk!", "mail to [EMAIL]!"),
            ("\u90ae\u7bb1\u662fwang_li@163.com\uff0c\u8c22\u8c22", "\u90ae\u7bb1\u662f[EMAIL]\uff0c\u8c22\u8c22"),
            ("IBAN GB82 WEST 1234 5698 7654 32 PLEASE", "IBAN [ACCOUNT] PLEASE"),
        ],
    )
    def test_is_replaced(self, text: str, expected: str) -> None:
        redacted, finds = data.redact(text)
        assert redacted == expected
        assert all(text[find.start : find.end] == find.text for find in finds)

    @pytest.mark.parametrize(
        "text",
        [
            "Order 20261126 of 9000 pieces, version 1.2.3.4",
            "4111 1111 1111 1112 fails its check digit",
            "11010519491231002 is one digit short, 110105194912310021 has a wrong check digit",
            "\u8ba2\u5355\u53f7202611260001\uff0c\u51713\u4ef6\uff0c\u4ef7\u683c1999\u5143",
            "write @home or a@b, see section 3.14",
        ],
    )
    def test_what_only_looks_like_it_stays(self, text: str) -> None:
        assert data.redact(text) == (text, [])

    def test_names_come_from_the_callers_model(self) -> None:
        def names(text: str) -> list[tuple[int, int]]:
            return [(at, at + 2) for at in [text.find("\u738b\u4e3d")] if at >= 0]

        assert data.redact("\u738b\u4e3d\u7684\u7535\u8bdd13912345678", names=names)[0] == "[NAME]\u7684\u7535\u8bdd[PHONE]"
        with pytest.raises(librag.InvalidArgument, match="pass names="):
            data.redact("x", ["name"])
        with pytest.raises(librag.InvalidArgument, match=r"names gave \(0, 9\)"):
            data.redact("x", names=lambda text: [(0, 9)])

    def test_all_texts_of_a_row_are_looked_into_and_the_row_given_stays(self) -> None:
        row = {
            "messages": [{"role": "user", "content": "I am a@example.com"}],
            "negatives": ["ring 13912345678"],
            "label": "mail a@example.com",
            "n": 3,
        }
        copy = json.loads(json.dumps(row))
        (new,), report = data.redact_rows([row])
        assert row == copy
        assert new["messages"][0]["content"] == "I am [EMAIL]"
        assert new["negatives"] == ["ring [PHONE]"]
        assert new["label"] == row["label"]
        assert (report.rows, report.changed, report.counts) == (1, 1, {"email": 1, "phone": 1})

    def test_unknown_kinds_and_regions_are_errors(self) -> None:
        with pytest.raises(librag.InvalidArgument, match="no kind 'fax'"):
            data.find_personal_data("x", ["fax"])
        with pytest.raises(librag.InvalidArgument, match="regions has 'China'"):
            data.find_personal_data("x", regions=["China"])

    @given(st.text(max_size=60))
    @settings(max_examples=150, deadline=None)
    def test_any_text_can_be_looked_at(self, text: str) -> None:
        redacted, finds = data.redact(text)
        assert bool(finds) == (redacted != text)
        assert all(one.end <= other.start for one, other in itertools.pairwise(finds))


class TestDescribe:
    def test_coverage_names_what_is_missing(self) -> None:
        domain = [*ENGLISH, {"text": "mortgage mortgage advice"}, {"text": "\u7cd6\u5c3f\u75c5\u60a3\u8005\u7684\u996e\u98df"}]
        found = data.coverage(ENGLISH, domain)
        assert found.documents == pytest.approx(4 / 6)
        assert set(found.far) == {4, 5}
        assert "mortgage" in found.missing
        assert "\u7cd6\u5c3f" in found.missing
        full = data.coverage(domain, domain)
        assert (full.terms, full.documents, full.missing) == (1.0, 1.0, [])
        assert full.similarity == pytest.approx(1.0)
        with pytest.raises(librag.InvalidArgument, match="hold no word"):
            data.coverage([{"text": "?!"}], domain)

    def test_one_thing_said_again_is_less_diverse_than_many_things(self) -> None:
        again = [{"text": f"my card has not arrived {i}"} for i in range(36)]
        again += [
            {"text": word}
            for word in ("mortgage advice", "\u7cd6\u5c3f\u75c5\u60a3\u8005\u7684\u996e\u98df", "weather today", "exchange rate")
        ]
        many = [{"text": f"{row['text']} {i}"} for row in ENGLISH + CHINESE for i in range(6)]
        one, other = data.diversity(again, clusters=5), data.diversity(many, clusters=5)
        assert one.evenness < other.evenness
        assert sum(one.sizes) == len(again)
        assert one.sizes == sorted(one.sizes, reverse=True)
        assert all(one.clusters[place] == cluster for cluster, place in enumerate(one.examples))
        assert data.diversity(many, clusters=5) == other
        with pytest.raises(librag.InvalidArgument, match="cannot make 5 clusters"):
            data.diversity(ENGLISH, clusters=5)

    def test_agreement_is_cohens_and_warns_below_0_8(self) -> None:
        # The worked example of the definition: 50 items, 35 agreements, kappa 0.4.
        first = ["yes"] * 25 + ["no"] * 25
        second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
        with pytest.warns(data.LowAgreementWarning, match=r"kappa is 0\.40"):
            found = data.agreement(first, second)
        assert found.kappa == pytest.approx(0.4)
        assert (found.observed, found.items) == (0.7, 50)
        assert found.disagreements == [("no", "yes", 10), ("yes", "no", 5)]
        assert data.agreement(first, first).kappa == 1.0
        assert data.agreement(["a"], ["a"]).kappa == 1.0
        with pytest.raises(librag.InvalidArgument, match="1 labels stand beside 0"):
            data.agreement(["a"], [])

    def test_token_statistics_count_what_a_tokenizer_gives(self) -> None:
        tokenizer = librag.Tokenizer.from_pretrained(Path(os.environ["RAG_FIXTURES"]) / "tiny_bert")
        rows = [*ENGLISH, *CHINESE, {"text": " "}]
        lengths = [
            len(tokenizer.encode(row["text"], add_special_tokens=False, truncation=False, padding=False).ids) for row in rows
        ]
        found = data.token_statistics(rows, tokenizer, max_tokens=max(lengths) - 1)
        assert (found.rows, found.total, found.longest, found.empty) == (8, sum(lengths), max(lengths), 1)
        assert found.over == [place for place, length in enumerate(lengths) if length == max(lengths)]
        assert data.token_statistics([], tokenizer).total == 0


@pytest.mark.full
class TestPlantedInBanking77:
    """Recall and precision of each finder on a copy of banking77 with planted errors; docs/training-data.md shows them."""

    def test_duplicates_and_leaks(self, capsys: pytest.CaptureFixture[str]) -> None:
        chance = random.Random(77)
        clean, _ = data.deduplicate(banking77(), near=0.6)
        clean = [row for row in clean if len(row["text"]) >= 40][:4000]
        lines = []
        for kind, change, near in (("exact", _other_spelling, None), ("near", _other_word, 0.7)):
            sources = chance.sample(range(len(clean)), 300)
            planted = [{**clean[place], "text": change(clean[place]["text"], chance)} for place in sources]
            _, report = data.deduplicate([*clean, *planted], near=near)
            right = {(len(clean) + i, place) for i, place in enumerate(sources)}
            found = set(report.removed)
            lines.append(_line(f"{kind} duplicates", len(right & found), len(right), len(found)))
            assert len(right & found) >= {"exact": 300, "near": 285}[kind]
            assert len(right & found) >= 0.99 * len(found)
            leaks = {(leak.test, leak.train) for leak in data.find_leaks(clean, planted, near=near)}
            right = set(enumerate(sources))
            lines.append(_line(f"{kind} leaks", len(right & leaks), len(right), len(leaks)))
            assert len(right & leaks) >= {"exact": 300, "near": 285}[kind]
            assert len(right & leaks) >= 0.99 * len(leaks)
        with capsys.disabled():
            print("\n" + "\n".join(lines))

    def test_personal_data(self, capsys: pytest.CaptureFixture[str]) -> None:
        chance = random.Random(78)
        rows = [row for row in banking77() if not data.find_personal_data(row["text"])][:5000]
        assert len(rows) == 5000  # nothing in clean texts looks like personal data
        planted: dict[int, tuple[str, str]] = {}
        for place in chance.sample(range(len(rows)), 1500):
            kind = chance.choice(["identity", "card", "account", "email", "phone"])
            value = _personal(kind, chance)
            frame = chance.choice(
                [
                    "{text} {value}",
                    "{value}, {text}",
                    "{text}\uff0c\u8bf7\u8054\u7cfb{value}\u3002",
                    "\u6211\u7684\u53f7\u7801\u662f{value}\uff1a{text}",
                ]
            )
            rows[place] = {**rows[place], "text": frame.format(text=rows[place]["text"], value=value)}
            planted[place] = (kind, value)
        for place in chance.sample([place for place in range(len(rows)) if place not in planted], 500):
            rows[place] = {**rows[place], "text": f"{rows[place]['text']} {_decoy(chance)}"}
        counts = {kind: [0, 0, 0] for kind in ("identity", "card", "account", "email", "phone")}
        for place, row in enumerate(rows):
            for find in data.find_personal_data(row["text"]):
                counts[find.kind][2] += 1
                counts[find.kind][0] += planted.get(place) == (find.kind, find.text)
        for kind, _ in planted.values():
            counts[kind][1] += 1
        with capsys.disabled():
            print("\n" + "\n".join(_line(kind, *row) for kind, row in counts.items()))
        for right, wanted, found in counts.values():
            assert right >= 0.95 * wanted
            assert right >= 0.95 * found


def _line(name: str, right: int, wanted: int, found: int) -> str:
    return (
        f"{name:18} recall {right / wanted:.3f} ({right} of {wanted})  precision {right / max(found, 1):.3f} ({right} of {found})"
    )


def _other_spelling(text: str, chance: random.Random) -> str:
    changed = chance.choice([text.upper(), text.lower(), text.title()])
    return (
        chance.choice(["  ", "... ", ""]) + changed.replace(" ", chance.choice([" ", "  "])) + chance.choice(["", "!", "\u3002"])
    )


def _other_word(text: str, chance: random.Random) -> str:
    words = text.split()
    place = chance.randrange(len(words))
    change = chance.choice(["drop", "double", "letter"])
    if change == "drop":
        short = min(range(len(words)), key=lambda at: len(words[at]))
        del words[short]
    elif change == "double":
        words.insert(place, words[place])
    else:
        words[place] += chance.choice("sxe")
    return " ".join(words)


def _personal(kind: str, chance: random.Random) -> str:
    from stdnum import iban, luhn
    from stdnum.cn import ric

    digits = "".join(chance.choice("0123456789") for _ in range(20))
    if kind == "email":
        return f"{chance.choice(['anna', 'li.wei', 'j_doe'])}{digits[:2]}@{chance.choice(['example.com', 'mail.example.org', '163.com'])}"
    if kind == "phone":
        return chance.choice(
            [f"139{digits[:8]}", f"+86 138 {digits[:4]} {digits[4:8]}", f"(212) 555-{digits[:4]}", f"+44 7911 12{digits[:4]}"]
        )
    if kind == "card":
        start = chance.choice(["4", "51", "622202"]) + digits
        body = start[:15]
        number = body + luhn.calc_check_digit(body)
        return chance.choice([number, " ".join(number[i : i + 4] for i in range(0, 16, 4))])
    if kind == "account":
        body = f"DE00{digits[:18]}"
        return body[:2] + iban.calc_check_digits(body) + body[4:]
    body = f"1101051949{chance.randrange(1, 13):02}{chance.randrange(1, 29):02}{digits[:3]}"
    return (
        body + ric.calc_check_digit(body + "0")
        if chance.random() < 0.7
        else f"536-{chance.randrange(10, 99)}-{chance.randrange(1000, 9999)}"
    )


def _decoy(chance: random.Random) -> str:
    number = "".join(chance.choice("0123456789") for _ in range(6))
    return chance.choice(
        [
            f"ref {number}",
            f"v{number[:1]}.{number[1:3]}.{number[3:]}",
            f"\u00a3{number}.00",
            f"\u8ba2\u5355{number}\u53f7",
            "me @ home",
            f"2026-11-{number[:1]}1",
        ]
    )
