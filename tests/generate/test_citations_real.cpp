// Citations on real text: sentences of XQuAD's Wikipedia paragraphs, English and Chinese, as they are (to be cited) and made
// wrong in one place (never to be cited): a number changed, an answer span replaced by another one, a negation put in, a passage
// that was not in the prompt. Prints the rates.
#include <zlib.h>
#include <algorithm>
#include <catch2/catch.hpp>
#include <cctype>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "generate/citations.hpp"
#include "test_files.hpp"

using nlohmann::json;
using namespace rag::core;

namespace {

struct Document {
    std::string id, text;
    std::set<std::string> answers;
};

std::vector<std::string> gzip_lines(const std::filesystem::path& path) {
    gzFile file = gzopen(path.c_str(), "rb");
    REQUIRE(file != nullptr);
    std::string all;
    std::vector<char> buffer(1U << 20);
    for (int size = gzread(file, buffer.data(), static_cast<unsigned>(buffer.size())); size > 0;
         size = gzread(file, buffer.data(), static_cast<unsigned>(buffer.size())))
        all.append(buffer.data(), static_cast<std::size_t>(size));
    gzclose(file);
    std::vector<std::string> out;
    for (std::size_t at = 0; at < all.size();) {
        const std::size_t end = std::min(all.find('\n', at), all.size());
        if (end > at) out.push_back(all.substr(at, end - at));
        at = end + 1;
    }
    return out;
}

std::vector<Document> load(const std::filesystem::path& folder) {
    std::vector<Document> out;
    std::map<std::string, std::size_t> at;
    for (const std::string& line : gzip_lines(folder / "corpus.jsonl.gz")) {
        const json row = json::parse(line);
        at[row["id"].get<std::string>()] = out.size();
        out.push_back({row["id"].get<std::string>(), row["text"].get<std::string>(), {}});
    }
    for (const std::string& line : gzip_lines(folder / "qa.jsonl.gz")) {
        const json row = json::parse(line);
        const json& answers = row["answers"];
        for (const auto& answer : answers.is_array() ? answers : json::array({answers})) {
            const std::string text = answer.is_object() ? answer["text"].get<std::string>() : answer.get<std::string>();
            if (const auto found = at.find(row["doc_id"].get<std::string>()); found != at.end())
                out[found->second].answers.insert(text);
        }
    }
    return out;
}

/// Whether every sentence of the text is cited from these passages.
bool all_cited(const std::string& text, const std::vector<std::string_view>& passages) {
    std::vector<PromptSpan> spans;
    for (std::size_t i = 0; i < passages.size(); ++i) spans.push_back({i, 0, passages[i].size()});
    const CitationReport report = cite(text, passages, spans);
    return !report.citations.empty() && report.unsupported.empty();
}

std::string other_number(std::string text) {
    const auto digit = std::find_if(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
    if (digit == text.end()) return {};
    *digit = *digit == '9' ? '1' : static_cast<char>(*digit + 1);
    return text;
}

std::string replaced(std::string text, const std::string& old, const std::string& fresh) {
    const std::size_t at = text.find(old);
    if (at == std::string::npos) return {};
    return text.replace(at, old.size(), fresh);
}

struct Rate {
    int cited = 0;
    int all = 0;
};

void count(std::map<std::string, Rate>& rates, const std::string& kind, const std::string& answer,
           const std::vector<std::string_view>& passages, bool wrong) {
    if (answer.empty()) return;
    // What stands in the passages all the same is not wrong.
    if (wrong && std::any_of(passages.begin(), passages.end(),
                             [&](std::string_view p) { return p.find(answer) != std::string_view::npos; }))
        return;
    Rate& rate = rates[kind];
    ++rate.all;
    if (!all_cited(answer, passages)) return;
    ++rate.cited;
    if (wrong) UNSCOPED_INFO(kind << ": " << answer);
}

/// An answer span of another document: a name where a name was (capital or Han), never part of the sentence.
std::string foreign_span(const std::vector<Document>& documents, std::size_t at, const std::string& old,
                         const std::string& sentence) {
    const auto first = static_cast<unsigned char>(old.front());
    for (std::size_t step = 7; step < 60; ++step) {
        for (const std::string& other : documents[(at + step) % documents.size()].answers) {
            const auto begin = static_cast<unsigned char>(other.front());
            const bool same_kind = (std::isupper(first) != 0 && std::isupper(begin) != 0) || (first >= 0xe4 && begin >= 0xe4);
            if (same_kind && other.size() < 40 && sentence.find(other) == std::string::npos) return other;
        }
    }
    return {};
}

std::map<std::string, Rate> measure(const std::vector<Document>& documents, bool chinese) {
    std::map<std::string, Rate> rates;
    for (std::size_t i = 0; i < documents.size(); i += 3) {
        const std::string& text = documents[i].text;
        const std::vector<std::string_view> passages = {documents[(i + 1) % documents.size()].text, text};
        const std::vector<std::string_view> others = {documents[(i + 1) % documents.size()].text,
                                                      documents[(i + 2) % documents.size()].text};
        for (const Range& range : split_sentences(text)) {
            const std::string sentence = text.substr(range.start, range.end - range.start);
            if (sentence.size() < 30 || sentence.size() > 400) continue;
            count(rates, "as it is", sentence, passages, false);
            count(rates, "not in the prompt", sentence, others, true);
            count(rates, "number", other_number(sentence), passages, true);
            const std::pair<std::string, std::string> negation =
                chinese ? std::pair<std::string, std::string>("\u662f", "\u4e0d\u662f")
                        : std::pair<std::string, std::string>(" was ", " was not ");
            count(rates, "negated", replaced(sentence, negation.first, negation.second), passages, true);
            for (const std::string& answer : documents[i].answers) {
                if (answer.size() < 4 || answer.size() > 40 || sentence.find(answer) == std::string::npos) continue;
                const std::string other = foreign_span(documents, i, answer, sentence);
                if (!other.empty()) count(rates, "name", replaced(sentence, answer, other), passages, true);
            }
        }
    }
    return rates;
}

}  // namespace

TEST_CASE("real sentences are cited, and none that was made wrong") {
    for (const std::string language : {"en", "zh"}) {
        const auto folder = rag::test::shared_data("multi_qa_xquad/" + language);
        RAG_NEEDS(folder);
        const auto documents = load(folder.path);
        REQUIRE(documents.size() == 240);
        const auto rates = measure(documents, language == "zh");
        for (const auto& [kind, rate] : rates) {
            std::printf("citations %s, %s: %d of %d cited\n", language.c_str(), kind.c_str(), rate.cited, rate.all);
            if (kind == "as it is") {
                CHECK(rate.all > 300);
                CHECK(rate.cited >= rate.all * 98 / 100);
            } else {
                CHECK(rate.all > 20);
                CHECK(rate.cited == 0);
            }
        }
        CHECK(rates.size() == 5);
    }
}
