"""Evaluation against the packages that others compute it with: trec_eval, SQuAD's normalisation, rouge_score, scikit-learn, scipy."""

from __future__ import annotations

import math
import random
import re
import string
from collections import Counter

import librag
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st


def random_case(seed: int) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, int]]]:
    """A run and judgments with ties, silent queries, unjudged queries and queries without relevant ones."""
    rng = random.Random(seed)
    documents = [f"d{i}" for i in range(30)]
    qrels = {f"q{i}": {d: rng.randint(0, 3) for d in rng.sample(documents, rng.randint(1, 12))} for i in range(12)}
    run = {
        f"q{i}": {d: float(rng.randint(0, 8)) for d in rng.sample(documents, rng.randint(1, 25))}
        for i in range(14)
        if rng.random() < 0.9
    }
    return run, qrels


@pytest.mark.parametrize("seed", range(40))
def test_retrieval_equals_trec_eval(seed: int) -> None:
    import pytrec_eval

    run, qrels = random_case(seed)
    names = {
        "ndcg": "ndcg", "ndcg@5": "ndcg_cut_5", "ndcg@10": "ndcg_cut_10", "recall@5": "recall_5", "recall@10": "recall_10",
        "precision@5": "P_5", "precision@10": "P_10", "map": "map", "map@5": "map_cut_5", "map@10": "map_cut_10",
        "mrr": "recip_rank", "hit@1": "success_1", "hit@5": "success_5",
    }  # fmt: skip
    measures = {re.sub(r"_(\d+)$", r".\1", name) for name in names.values()}
    oracle = pytrec_eval.RelevanceEvaluator(qrels, measures).evaluate(run)
    ours = librag.evaluate(run, qrels, list(names), per_query=True)
    means = librag.evaluate(run, qrels, list(names))
    for name, theirs in names.items():
        assert set(ours[name]) == set(qrels)
        for query in qrels:
            expected = oracle.get(query, {}).get(theirs, 0.0)
            assert ours[name][query] == pytest.approx(expected, abs=1e-9), (name, query)
        assert means[name] == pytest.approx(sum(ours[name].values()) / len(qrels))


def test_runs_may_be_lists_and_hits() -> None:
    with librag.Engine() as engine:
        engine.add(["a red fox", "a blue fish", "a red fish"], ids=["1", "2", "3"])
        run = {"q": engine.search("red fox", k=3)}
    qrels = {"q": {"1": 1}}
    assert librag.evaluate(run, qrels, "mrr") == {"mrr": 1.0}
    assert librag.evaluate({"q": ["2", "1", "2"]}, qrels, ["mrr"]) == {"mrr": 0.5}
    assert librag.evaluate({}, qrels) == {"ndcg@10": 0.0, "recall@10": 0.0, "mrr@10": 0.0}


def test_what_is_refused_is_named() -> None:
    with pytest.raises(librag.InvalidArgument, match="ndcg, recall"):
        librag.evaluate({}, {"q": {"d": 1}}, ["nDCG@10"])
    with pytest.raises(librag.InvalidArgument, match="no judgments"):
        librag.evaluate({}, {})
    with pytest.raises(librag.InvalidArgument, match="not a number"):
        librag.evaluate({"q": {"d": math.nan}}, {"q": {"d": 1}})
    with pytest.raises(TypeError, match="run must map"):
        librag.evaluate(["d"], {"q": {"d": 1}})  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="scores by document or a list"):
        librag.evaluate({"q": "d"}, {"q": {"d": 1}})
    with pytest.raises(TypeError, match="a relevance of qrels"):
        librag.evaluate({}, {"q": {"d": 0.5}})  # type: ignore[dict-item]
    with pytest.raises(librag.InvalidArgument, match="2 answers stand beside 1"):
        librag.evaluate_answers(["a", "b"], ["a"])
    with pytest.raises(librag.InvalidArgument, match="no reference"):
        librag.evaluate_answers(["a"], [[]])
    with pytest.raises(librag.InvalidArgument, match="no labels"):
        librag.evaluate_labels([], [])


def test_compare_says_what_chance_could_do() -> None:
    from scipy.stats import permutation_test

    rng = random.Random(5)
    qrels = {f"q{i}": {f"d{rng.randint(0, 9)}": 1} for i in range(14)}
    documents = [f"d{i}" for i in range(10)]
    run_a = {query: {d: rng.random() for d in documents} for query in qrels}
    run_b = {query: {d: rng.random() + 0.5 * (d in qrels[query]) for d in documents} for query in qrels}
    found = librag.compare(run_a, run_b, qrels, ["ndcg@10"])["ndcg@10"]
    a = list(librag.evaluate(run_a, qrels, ["ndcg@10"], per_query=True)["ndcg@10"].values())
    b = list(librag.evaluate(run_b, qrels, ["ndcg@10"], per_query=True)["ndcg@10"].values())
    exact = permutation_test(
        (b, a), lambda x, y, axis: (x - y).mean(axis=axis), permutation_type="samples", vectorized=True, n_resamples=10**6
    )
    assert found["p_value"] == pytest.approx(exact.pvalue, abs=1e-9)
    assert found["difference"] == pytest.approx(found["b"] - found["a"])
    assert librag.compare(run_a, run_a, qrels)["mrr@10"]["p_value"] == 1.0


def squad_tokens(text: str) -> list[str]:
    """SQuAD 1.1's normalisation, as its evaluation script describes it."""
    text = "".join(char for char in text.lower() if char not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", text).split()


WORDS = st.lists(
    st.sampled_from(["the", "a", "An", "cat", "Cat's", "30", "3.5", "days,", "e-mail", "(x)", "theme", "$5"]), max_size=12
).map(" ".join)


@settings(deadline=None)
@given(WORDS, WORDS)
def test_answers_equal_squad_and_rouge_score(answer: str, reference: str) -> None:
    from rouge_score.rouge_scorer import RougeScorer

    ours = librag.evaluate_answers([answer], [reference])
    said, wanted = squad_tokens(answer), squad_tokens(reference)
    same = sum((Counter(said) & Counter(wanted)).values())
    f1 = float(said == wanted) if not said or not wanted else 2 * same / (len(said) + len(wanted))
    assert ours["exact_match"] == float(said == wanted)
    assert ours["token_f1"] == pytest.approx(f1)
    theirs = RougeScorer(["rouge1", "rouge2", "rougeL"]).score(reference, answer)
    assert ours["rouge1"] == pytest.approx(theirs["rouge1"].fmeasure)
    assert ours["rouge2"] == pytest.approx(theirs["rouge2"].fmeasure)
    assert ours["rouge_l"] == pytest.approx(theirs["rougeL"].fmeasure)


def test_chinese_answers_are_compared_by_characters() -> None:
    scores = librag.evaluate_answers(["\u5317\u4eac\u5e02\u3002"], [["\u4e0a\u6d77", "\u5317\u4eac"]], bleu=True)
    assert scores["exact_match"] == 0
    assert scores["token_f1"] == pytest.approx(0.8)
    assert scores["rouge1"] == pytest.approx(0.8)
    assert librag.evaluate_answers(
        ["\u4eca\u5929\u5929\u6c14\u5f88\u597d\u554a"], ["\u4eca\u5929\u5929\u6c14\u5f88\u597d\u554a"], bleu=True
    )["bleu"] == pytest.approx(100)


def test_bleu_is_sacrebleus() -> None:
    import sacrebleu

    answers = ["the cat sat on the mat today", "a dog barked"]
    references = [["the cat sat on a mat today", "a cat sat on the mat"], ["the dog barked"]]
    expected = sacrebleu.corpus_bleu(answers, [[references[0][0], references[1][0]], [references[0][1], None]]).score
    assert librag.evaluate_answers(answers, references, bleu=True)["bleu"] == pytest.approx(expected)


@pytest.mark.filterwarnings("ignore:A single label was found")
@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=60))
def test_labels_equal_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

    truth, predicted = [f"label {a}" for a, _ in pairs], [f"label {b}" for _, b in pairs]
    ours = librag.evaluate_labels(truth, predicted)
    assert ours["accuracy"] == pytest.approx(accuracy_score(truth, predicted))
    assert ours["macro_f1"] == pytest.approx(f1_score(truth, predicted, average="macro", zero_division=0))
    assert ours["confusion"] == confusion_matrix(truth, predicted, labels=ours["labels"]).tolist()
