// Answers, labels and significance on cases worked out by hand; tests/python/test_evaluate.py compares with the packages that
// others use.
#include <catch2/catch.hpp>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "evaluate/labels.hpp"
#include "evaluate/rouge.hpp"
#include "evaluate/significance.hpp"
#include "evaluate/text_scores.hpp"

using namespace rag::core;
using Catch::Matchers::Contains;
using Texts = std::vector<std::string_view>;

TEST_CASE("answers are compared as SQuAD and CMRC do") {
    CHECK(answer_tokens("The Cat's  a-b, an (end).") == std::vector<std::string>{"cats", "ab", "end"});
    // Characters of Chinese are tokens, its punctuation is none.
    CHECK(answer_tokens("\u5317\u4eac\uff0cCPU\u3002") == std::vector<std::string>{"\u5317", "\u4eac", "cpu"});
    CHECK(answer_tokens("\xff x").size() == 2);  // ill-formed bytes are U+FFFD
    const Texts references = {"thirty days", "30 days"};
    CHECK(exact_match("The 30 days!", references) == 1);
    CHECK(exact_match("30 day", references) == 0);
    CHECK(token_f1("30 days of delivery", references) == Approx(2 * 0.5 * 1 / 1.5));
    CHECK(token_f1("30 30 days", references) ==
          Approx(2 * (2.0 / 3) / (2.0 / 3 + 1)));  // a token counts as often as it is wanted
    CHECK(token_f1("nothing", references) == 0);
    CHECK(token_f1("the", Texts{"a"}) == 1);
    CHECK(token_f1("the", Texts{"x"}) == 0);
    CHECK_THROWS_WITH(exact_match("x", {}), Contains("no reference"));
    CHECK_THROWS_WITH(token_f1("x", {}), Contains("no reference"));
}

TEST_CASE("ROUGE counts words, pairs and the longest common subsequence") {
    const RougeScores scores = rouge("the cat sat on the mat", "the cat lay on a mat");
    CHECK(scores.rouge1 == Approx(4.0 / 6));   // the cat on mat
    CHECK(scores.rouge2 == Approx(1.0 / 5));   // the cat
    CHECK(scores.rouge_l == Approx(4.0 / 6));  // the cat on mat
    CHECK(rouge("\u5317\u4eac\u5e02", "\u5317\u4eac").rouge1 == Approx(0.8));
    CHECK(rouge("", "x").rouge_l == 0);
    CHECK(rouge("same words here", "Same, words: HERE").rouge_l == 1);
    std::string longer;
    for (std::size_t i = 0; i <= kMaxRougeTokens; ++i) longer += "w ";
    CHECK_THROWS_WITH(rouge(longer, "w"), Contains("20000 tokens"));
}

TEST_CASE("labels: accuracy, macro F1, confusion") {
    const std::vector<std::uint32_t> truth = {0, 0, 1, 1, 2}, predicted = {0, 1, 1, 1, 0};
    const LabelReport report = evaluate_labels(truth, predicted, 4);  // label 3 never occurs and does not count
    CHECK(report.accuracy == Approx(0.6));
    CHECK(report.macro_f1 == Approx((0.5 + 0.8 + 0) / 3));
    CHECK(report.confusion == std::vector<std::uint64_t>{1, 1, 0, 0, 0, 2, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0});
    CHECK_THROWS_WITH(evaluate_labels(truth, std::vector<std::uint32_t>{1}, 3), Contains("1 predicted") && Contains("5 true"));
    CHECK_THROWS_WITH(evaluate_labels({}, {}, 3), Contains("no labels"));
    CHECK_THROWS_WITH(evaluate_labels(truth, predicted, 2), Contains("item 4") && Contains("below 2"));
    CHECK_THROWS_WITH(evaluate_labels(truth, predicted, 5000), Contains("5000"));
}

TEST_CASE("significance: exact for few pairs, repeatable for many") {
    // All 5 differences point the same way: 2 of 32 sign changes are as extreme.
    const std::vector<double> a = {0, 0, 0, 0, 0, 0.3}, b = {0.1, 0.2, 0.1, 0.4, 0.2, 0.3};
    const Significance better = paired_randomization(a, b, 10, 1);
    CHECK(better.difference == Approx(1.0 / 6));
    CHECK(better.p_value == Approx(2.0 / 32));
    CHECK(paired_randomization(a, a, 10, 1).p_value == 1);
    std::vector<double> many(100, 0.5), same(100, 0.5), better_by_far(100, 0.6);
    for (std::size_t i = 0; i < same.size(); ++i) same[i] += i % 2 == 0 ? 0.1 : -0.1;
    CHECK(paired_randomization(many, same, 1000, 7).p_value > 0.9);
    CHECK(paired_randomization(many, better_by_far, 1000, 7).p_value == Approx(1.0 / 1001));
    CHECK(paired_randomization(many, same, 1000, 7).p_value == paired_randomization(many, same, 1000, 7).p_value);
    CHECK_THROWS_WITH(paired_randomization(a, many, 10, 1), Contains("6 scores stand beside 100"));
    CHECK_THROWS_WITH(paired_randomization({}, {}, 10, 1), Contains("no scores"));
    CHECK_THROWS_WITH(paired_randomization(a, b, 0, 1), Contains("trials"));
    const std::vector<double> one = {std::numeric_limits<double>::infinity()}, zero = {0};
    CHECK_THROWS_WITH(paired_randomization(one, zero, 10, 1), Contains("not finite"));
}
