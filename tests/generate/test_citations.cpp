// Right answers are cited, wrong ones never: a table of cases in English and Chinese (citation_cases.json: verbatim, shortened,
// reordered, passive; wrong entity, number, negation, hedge, quantifier, swapped roles, mixed facts), text that was not in the
// prompt, markers that the model made up, and offsets.
#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "generate/citations.hpp"

using nlohmann::ordered_json;
using namespace rag::core;

namespace {

std::vector<PromptSpan> whole(const std::vector<std::string_view>& passages) {
    std::vector<PromptSpan> out;
    for (std::size_t i = 0; i < passages.size(); ++i) out.push_back({i, 0, passages[i].size()});
    return out;
}

const std::string kPassage = "Acme makes ropes. Acme acquired Beta in 2019 for 35 million dollars. It has 40 offices.";

}  // namespace

TEST_CASE("right sentences are cited and wrong ones are not") {
    std::ifstream in(CITATION_CASES);
    const ordered_json cases = ordered_json::parse(in);
    REQUIRE(cases.size() > 150);
    std::map<std::string, int> kinds;
    for (const auto& one : cases) {
        const auto texts = one["passages"].get<std::vector<std::string>>();
        const std::vector<std::string_view> passages(texts.begin(), texts.end());
        const auto answer = one["answer"].get<std::string>();
        const CitationReport report = cite(answer, passages, whole(passages));
        // The last sentence is the one in question; those before it set the scene.
        const bool cited = !report.citations.empty() &&
                           (report.unsupported.empty() || report.unsupported.back().start < report.citations.back().answer_start);
        INFO(one["lang"] << " " << one["kind"] << ": " << answer << "\n" << texts.front());
        CHECK(cited == one["supported"].get<bool>());
        ++kinds[one["lang"].get<std::string>() + one["kind"].get<std::string>()];
    }
    CHECK(kinds.size() > 25);
}

TEST_CASE("a citation says which bytes hold up which bytes") {
    const std::vector<std::string_view> passages = {"Nothing here.", kPassage};
    const std::string answer = "Sure! In 2019, Acme acquired Beta [9]. It rains.";
    const CitationReport report = cite(answer, passages, whole(passages));
    REQUIRE(report.citations.size() == 1);
    const Citation& citation = report.citations.front();
    CHECK(answer.substr(citation.answer_start, citation.answer_end - citation.answer_start) ==
          "In 2019, Acme acquired Beta [9].");
    CHECK(citation.passage == 1);
    CHECK(kPassage.substr(citation.passage_start, citation.passage_end - citation.passage_start) == "Acme acquired Beta in 2019");
    CHECK(citation.score == Approx(1.0));
    REQUIRE(report.unsupported.size() == 2);
    CHECK(answer.substr(report.unsupported[1].start, report.unsupported[1].end - report.unsupported[1].start) == "It rains.");
}

TEST_CASE("only what was in the prompt can be cited") {
    const std::vector<std::string_view> passages = {kPassage, kPassage};
    const std::string answer = "Acme acquired Beta in 2019.";
    CHECK(cite(answer, passages, {}).citations.empty());
    CHECK(cite(answer, passages, std::vector<PromptSpan>{{0, 0, 17}}).citations.empty());
    CHECK(cite(answer, passages, std::vector<PromptSpan>{{0, 0, 40}}).citations.empty());  // cut inside the sentence
    const auto found = cite(answer, passages, std::vector<PromptSpan>{{0, 0, 17}, {1, 18, kPassage.size()}}).citations;
    REQUIRE(found.size() == 1);
    CHECK(found[0].passage == 1);
    CHECK(found[0].passage_start == 18);
}

TEST_CASE("of several passages the one that says it most directly is cited") {
    const std::vector<std::string_view> passages = {"Acme, which makes ropes and knots in Ulm, acquired Beta in 2019.",
                                                    "Acme acquired Beta."};
    const auto found = cite("Acme acquired Beta.", passages, whole(passages)).citations;
    REQUIRE(found.size() == 1);
    CHECK(found[0].passage == 1);
}

TEST_CASE("a question is not supported, whatever the passages say") {
    const std::vector<std::string_view> passages = {
        "Goods can be returned within 30 days of delivery.",
        "\xe5\x95\x86\xe5\x93\x81\xe5\x8f\xaf\xe4\xbb\xa5\xe9\x80\x80\xe8\xb4\xa7\xe3\x80\x82"};
    CHECK(cite("Goods can be returned within 30 days of delivery.", passages, whole(passages)).citations.size() == 1);
    CHECK(cite("Goods can be returned within 30 days of delivery?", passages, whole(passages)).citations.empty());
    CHECK(cite("\"Goods can be returned within 30 days of delivery?\"", passages, whole(passages)).citations.empty());
    CHECK(cite("\xe5\x95\x86\xe5\x93\x81\xe5\x8f\xaf\xe4\xbb\xa5\xe9\x80\x80\xe8\xb4\xa7\xef\xbc\x9f", passages, whole(passages))
              .citations.empty());
}

TEST_CASE("markers are no citations") {
    const std::vector<std::string_view> passages = {kPassage};
    CHECK(cite("Gamma acquired Beta in 2019 [1].", passages, whole(passages)).citations.empty());
    CHECK(cite("[1] [1] [1]", passages, whole(passages)).citations.empty());
}

TEST_CASE("an empty answer has no sentences, and bad input is refused") {
    const std::vector<std::string_view> passages = {kPassage};
    const CitationReport report = cite(" \n ", passages, whole(passages));
    CHECK(report.citations.empty());
    CHECK(report.unsupported.empty());
    CHECK_THROWS_WITH(cite("a", passages, std::vector<PromptSpan>{{1, 0, 1}}), Catch::Contains("passage 1"));
    CHECK_THROWS_WITH(cite("a", passages, std::vector<PromptSpan>{{0, 0, 1000}}), Catch::Contains("1000"));
    CHECK_THROWS_WITH(cite("a", passages, std::vector<PromptSpan>{{0, 5, 4}}), Catch::Contains("5 to 4"));
    CHECK_THROWS_WITH(cite("\xff", passages, whole(passages)), Catch::Contains("answer"));
}

TEST_CASE("very long and odd answers are compared in reasonable time") {
    std::string lot;
    for (int i = 0; i < 20000; ++i) lot += "Acme acquired ";
    const std::vector<std::string_view> passages = {lot, kPassage};
    CHECK(cite(lot, passages, whole(passages)).citations.empty());
    std::string commas(50000, ',');
    CHECK(cite(commas + "Acme acquired Beta", passages, whole(passages)).citations.size() <= 1);
}
