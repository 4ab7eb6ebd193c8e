// Unigram's Viterbi search against the definition: of all ways to cut a piece the one with the highest sum, tried out one by one.
#include <fmt/format.h>
#include <catch2/catch.hpp>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "require_error.hpp"
#include "tokenizer/loading/score_text.hpp"
#include "tokenizer/models/unigram.hpp"

using namespace rag::core;

namespace {

using Pieces = std::map<std::string, double>;
constexpr double kPenalty = 10;

Unigram make_model(const Pieces& pieces, bool with_unknown, bool sentence_piece = false, bool fallback = false) {
    Vocabulary vocabulary;
    vocabulary.add("<unk>", 0);
    std::vector<UnigramPiece> list;
    double lowest = 0;
    for (const auto& [text, score] : pieces) {
        const auto id = static_cast<std::int32_t>(vocabulary.size());
        vocabulary.add(text, id);
        list.push_back({text, id, score});
        lowest = std::min(lowest, score);
    }
    UnigramOptions options;
    if (with_unknown) options.unk_id = 0;
    options.unk_score = lowest - kPenalty;
    options.sentence_piece = sentence_piece;
    options.byte_fallback = fallback;
    return Unigram(std::move(vocabulary), pieces.size() + 1, list, options);
}

std::vector<ModelToken> tokenize(const Unigram& model, const std::string& text) {
    std::vector<ModelToken> out;
    const Span whole{0, static_cast<std::uint32_t>(text.size())};
    model.tokenize(text, {&whole, 1}, out);
    return out;
}

// The best sum over all ways to cut text[at..], trying every token at every place. Exponential.
double best_sum(const Pieces& pieces, double unknown, const std::string& text, std::size_t at = 0) {
    if (at == text.size()) return 0;
    double best = -1e300;
    for (std::size_t size = 1; at + size <= text.size(); ++size) {
        const auto found = pieces.find(text.substr(at, size));
        if (found != pieces.end()) best = std::max(best, found->second + best_sum(pieces, unknown, text, at + size));
    }
    if (!pieces.contains(text.substr(at, 1))) best = std::max(best, unknown + best_sum(pieces, unknown, text, at + 1));
    return best;
}

}  // namespace

TEST_CASE("the path that Unigram takes has the highest sum of all paths") {
    std::mt19937 random(17);
    for (int round = 0; round < 300; ++round) {
        Pieces pieces;
        for (int i = 0; i < 12; ++i) {
            std::string piece(1 + random() % 4, 'a');
            for (char& c : piece) c = static_cast<char>('a' + random() % 4);
            pieces[piece] = -static_cast<double>(random() % 4000) / 128;  // sums of these are exact
        }
        double unknown = 0;
        for (const auto& [text, score] : pieces) unknown = std::min(unknown, score);
        unknown -= kPenalty;
        for (const bool single : {false, true}) {
            const Unigram model = make_model(pieces, true, single);
            for (int i = 0; i < 5; ++i) {
                std::string text(1 + random() % 10, 'a');
                for (char& c : text) c = static_cast<char>('a' + random() % 5);
                double sum = 0;
                std::uint32_t end = 0;
                for (const ModelToken& token : tokenize(model, text)) {
                    REQUIRE(token.span.start == end);
                    end = token.span.end;
                    const std::string piece = text.substr(token.span.start, end - token.span.start);
                    if (token.id == 0) {
                        sum += unknown * static_cast<double>(piece.size());
                    } else {
                        REQUIRE(model.id_to_token(token.id) == piece);
                        sum += pieces.at(piece);
                    }
                }
                INFO(text);
                CHECK(end == text.size());
                CHECK(sum == best_sum(pieces, unknown, text));
            }
        }
    }
}

// Each text stands behind another, so that the pieces that are known lie elsewhere than when they were met.
TEST_CASE("a piece that was met before gets the tokens of one that was not") {
    std::mt19937 random(19);
    Pieces pieces = {{"a", -3}, {"b", -4}, {"ab", -5}, {"ba", -5.5}, {"aab", -6}, {"\xe4\xb8\xad", -7}, {"bbb", -8}};
    for (unsigned byte = 0; byte < 256; ++byte) pieces[fmt::format("<0x{:02X}>", byte)] = -9;
    for (const bool fallback : {false, true}) {
        const Unigram known = make_model(pieces, true, false, fallback);
        std::size_t unknown = 0;
        for (int round = 0; round < 3000; ++round) {
            std::string text;
            std::vector<Span> spans;
            for (int i = 0; i < 3; ++i) {
                const auto start = static_cast<std::uint32_t>(text.size());
                for (std::size_t left = random() % (i == 0 ? 30 : 6); left > 0; --left) {
                    text += std::vector<std::string>{"a", "b", "\xe4\xb8\xad", "\xc3\xa9"}[random() % 8 == 0 ? 3 : random() % 3];
                }
                spans.push_back({start, static_cast<std::uint32_t>(text.size())});
            }
            std::vector<ModelToken> quick, slow;
            known.tokenize(text, spans, quick);
            if (round % 50 == 0) {
                for (const Span& span : spans) make_model(pieces, true, false, fallback).tokenize(text, {&span, 1}, slow);
                REQUIRE(quick.size() == slow.size());
                for (std::size_t i = 0; i < quick.size(); ++i) {
                    CHECK(quick[i].id == slow[i].id);
                    CHECK(quick[i].span == slow[i].span);
                    unknown += i > 0 && quick[i].span == quick[i - 1].span;
                }
            }
        }
        CHECK((unknown > 0) == fallback);
    }
}

TEST_CASE("without an unknown token Unigram names what it cannot cover") {
    const Unigram model = make_model({{"a", -1}, {"b", -1}}, false);
    CHECK(tokenize(model, "abba").size() == 4);
    rag::test::require_error(Code::kInvalidArgument, {"\"c\""}, [&] { tokenize(model, "abc"); });
}

TEST_CASE("Unigram takes a piece of a megabyte in time") {
    Pieces pieces;
    for (std::size_t size = 1; size <= 40; ++size) pieces[std::string(size, 'a')] = -1 - 1.0 / static_cast<double>(size);
    const Unigram model = make_model(pieces, true);
    const auto start = std::chrono::steady_clock::now();
    CHECK(tokenize(model, std::string(1'000'000, 'a')).size() == 25'000);
    CHECK(tokenize(model, std::string(1'000'000, 'x')).size() == 1);
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(20));  // a quadratic one takes hours
}

TEST_CASE("scores are what serde_json reads, the last bit included") {
    CHECK(score_by_serde_json(-2.5) == -2.5);
    CHECK(score_by_serde_json(0) == 0);
    CHECK(score_by_serde_json(-0.0) == 0);  // published files write it
    CHECK(std::signbit(score_by_serde_json(-0.0)));
    CHECK(score_by_serde_json(-12345) == -12345);
    CHECK(score_by_serde_json(-5.129043102264404) == -5.129043102264404);  // 16 digits are exact
    CHECK(score_by_serde_json(-12.130167007446289) == -12130167007446289.0 / 1e15);
    CHECK(score_by_serde_json(-12.130167007446289) != -12.130167007446289);
    CHECK(score_by_serde_json(-1.5e-20) == -15 / 1e21);
    CHECK(score_by_serde_json(1e30) == 1e30);
}

TEST_CASE("every score that was read can be written so that it is read again") {
    std::mt19937 random(17);
    std::uniform_real_distribution<double> digits(-20, 0);
    std::size_t moved = 0;
    for (int i = 0; i < 20'000; ++i) {
        const double score = score_by_serde_json(digits(random) * std::pow(10, static_cast<int>(random() % 40) - 30));
        const auto written = score_for_serde_json(score);
        REQUIRE(written);
        REQUIRE(score_by_serde_json(*written) == score);
        moved += *written != score;
    }
    CHECK(moved > 1000);
    CHECK(score_for_serde_json(0) == 0);
    CHECK_FALSE(score_for_serde_json(std::numeric_limits<double>::infinity()));
    CHECK_FALSE(score_for_serde_json(std::numeric_limits<double>::quiet_NaN()));
}
