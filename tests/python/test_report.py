"""librag.Report: its figures are those of librag.evaluate and compare, its pages hold them, and texts from outside stay texts."""

import html.parser
import pathlib
import re
import xml.etree.ElementTree

import librag
import pytest
from librag._plots import differences_svg, line_svg, pairs_svg

QRELS = {f"q{i}": {f"d{i}": 1, f"e{i}": 1} for i in range(30)}
BEFORE = {query: ["x", "y", *judged] if i % 3 else list(judged) for i, (query, judged) in enumerate(QRELS.items())}
AFTER = {query: list(judged) if i % 7 else ["x", *judged] for i, (query, judged) in enumerate(QRELS.items())}
EVIL = "<script>alert(1)</script> | *a* [b](c) \x00\ud83d & `d`\nnew line"
RESULT = librag.TrainResult(
    path="run/model",
    best_path="run/checkpoints/step-60",
    manifest="run/manifest.json",
    metrics={"accuracy": 0.9, "eval_loss": 0.2},
    before={"accuracy": 0.1, "eval_loss": 2.0},
    history=[{"step": i, "loss": 2 / i} for i in range(1, 121)]
    + [{"step": step, "accuracy": step / 150, "eval_loss": 2 - step / 100} for step in (0, 60, 120)],
    steps=120,
    best_step=120,
    ended="done",
    seconds=90.0,
    tokens=12_345,
    skipped_count=0,
    skipped=[],
    cut_count=0,
    resumed_step=0,
)


class Page(html.parser.HTMLParser):
    """Tags and texts; every tag that is opened is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_figures_are_those_of_compare(tmp_path: pathlib.Path) -> None:
    report = librag.Report("Search")
    report.add_retrieval("vectors", BEFORE, AFTER, QRELS, ("ndcg@10", "mrr@10"))
    expected = librag.compare(BEFORE, AFTER, QRELS, ("ndcg@10", "mrr@10"))
    for change in report.changes:
        figures = expected[change.metric]
        assert (change.before, change.after) == (pytest.approx(figures["a"]), pytest.approx(figures["b"]))
        assert change.p_value == figures["p_value"]
    assert [change.verdict for change in report.changes] == ["better", "better"]
    page = report.write(tmp_path / "a" / "report")
    assert page == tmp_path / "a" / "report" / "report.html"
    for name in ("report.html", "report.md"):
        text = (page.parent / name).read_text("utf-8")
        assert f"{report.changes[0].before:.4f}" in text
        assert f"{report.changes[1].after - report.changes[1].before:+.4f}" in text
        assert "queries that gained most" in text
        assert "queries that lost most" in text


def test_what_chance_does_is_no_verdict() -> None:
    report = librag.Report("Search")
    swapped = dict(BEFORE, q0=["x", *QRELS["q0"]])
    report.add_retrieval("one query differs", BEFORE, swapped, QRELS, ("ndcg@10",))
    assert report.changes[0].p_value == 1.0
    assert report.changes[0].verdict == "no more than chance"


def test_labels(tmp_path: pathlib.Path) -> None:
    truth = ["a", "b", "c"] * 20
    before, after = ["a"] * 60, ["a", "b", "b"] * 20
    report = librag.Report("Labels")
    report.add_labels("intents", truth, before, after)
    accuracy, macro_f1 = report.changes
    assert (accuracy.before, accuracy.after, accuracy.verdict) == (pytest.approx(1 / 3), pytest.approx(2 / 3), "better")
    assert macro_f1.after == librag.evaluate_labels(truth, after)["macro_f1"]
    assert (macro_f1.p_value, macro_f1.verdict) == (None, "higher")
    text = report.write(tmp_path).with_suffix(".md").read_text("utf-8")
    assert "| c | b | 20 |" in text
    assert "item 2 | 0.000 | 1.000" in text


def test_answers() -> None:
    report = librag.Report("Answers")
    references = ["thirty days", ["two", "2"]] * 10
    report.add_answers("answers", references, ["no idea"] * 20, ["thirty days", "2"] * 10)
    assert [(change.metric, change.before, change.after) for change in report.changes] == [
        ("token_f1", 0.0, 1.0),
        ("exact_match", 0.0, 1.0),
        ("rouge_l", 0.0, 1.0),
    ]


def test_pages_are_whole_and_plots_are_svg(tmp_path: pathlib.Path) -> None:
    report = librag.Report("All")
    report.add_text("What follows is random.")
    report.add_training(RESULT)
    report.add_retrieval("vectors", BEFORE, AFTER, QRELS)
    page = report.write(tmp_path)
    tags = Page(page.read_text("utf-8"))
    assert tags.open == []
    plots = sorted(tmp_path.glob("*.svg"))
    # Loss, two metrics, figures, differences.
    assert len(plots) == tags.tags.count("svg") == 5
    assert tags.tags.count("img") == tags.tags.count("link") == tags.tags.count("script") == 0
    for plot in plots:
        assert xml.etree.ElementTree.fromstring(plot.read_text("utf-8")).tag.endswith("svg")
    markdown = page.with_suffix(".md").read_text("utf-8")
    assert re.findall(r"\]\((.*?)\)", markdown) == [plot.name for plot in plots]
    assert "12,345 tokens" in markdown
    # The same again replaces the files.
    first = page.read_bytes()
    assert report.write(tmp_path).read_bytes() == first
    shown = report._repr_html_()
    assert shown.startswith("<h1>All</h1>")
    assert Page(shown).open == []


def test_texts_from_outside_stay_texts(tmp_path: pathlib.Path) -> None:
    report = librag.Report(EVIL.replace("\ud83d", ""))
    evil = EVIL.replace("\ud83d", "")
    report.add_labels(evil, [evil, "b"] * 10, ["b"] * 20, [evil, "a"] * 10, texts=[evil] * 20)
    page = report.write(tmp_path)
    parsed = Page(page.read_text("utf-8"))
    assert "script" not in parsed.tags
    assert any("<script>alert(1)</script>" in text for text in parsed.texts)
    for line in page.with_suffix(".md").read_text("utf-8").split("\n"):
        assert not re.search(r"(?<!\\)<script", line)
        if line.startswith("|"):
            columns = len(re.findall(r"(?<!\\)\|", line)) - 1
            assert columns in (3, 7)
    for plot in tmp_path.glob("*.svg"):
        xml.etree.ElementTree.fromstring(plot.read_text("utf-8"))


@pytest.mark.parametrize(
    "svg",
    [
        line_svg([], 0, "nothing"),
        line_svg([(1, float("nan")), (2, float("inf"))], 2, "no numbers"),
        line_svg([(1, 3.0), (2, 3.0)], 2, "the same"),
        line_svg([(i, 1e-9 * i) for i in range(3000)], 3000, EVIL, smooth=True),
        pairs_svg([], "none"),
        pairs_svg([("zero", 0.0, 0.0), ("a name that is far too long for its place beside the bars", 3.0, 7e9)], EVIL),
        differences_svg([], "none"),
        differences_svg([0.0, 0.0], "no difference"),
        differences_svg([-1.0, 0.5, 0.0], EVIL),
    ],
)
def test_plots_of_anything_are_svg(svg: str) -> None:
    root = xml.etree.ElementTree.fromstring(svg)
    assert root.tag.endswith("svg")
    assert "nan" not in svg
    assert "inf" not in svg


def test_lengths_that_differ_are_named() -> None:
    report = librag.Report("Wrong")
    with pytest.raises(librag.InvalidArgument, match="2 labels stand beside 1 before and 2 after"):
        report.add_labels("x", ["a", "b"], ["a"], ["a", "b"])
    with pytest.raises(librag.InvalidArgument, match="no labels"):
        report.add_labels("x", [], [], [])
    with pytest.raises(librag.InvalidArgument, match="1 references"):
        report.add_answers("x", ["a"], [], ["a"])
    with pytest.raises(librag.InvalidArgument, match="metrics is empty"):
        report.add_retrieval("x", BEFORE, AFTER, QRELS, ())
    assert report.changes == []
