// Scanners written by hand against the patterns that they stand for: over random text of every kind of character and over every
// code point, alone and among the characters that decide.
#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

#include "core/utf8.hpp"
#include "tokenizer/normalizers/plan.hpp"
#include "tokenizer/pre_tokenizers/cl100k_scanner.hpp"
#include "tokenizer/pre_tokenizers/split.hpp"
#include "tokenizer/pre_tokenizers/split_classes.hpp"
#include "tokenizer/pre_tokenizers/whitespace.hpp"

using namespace rag::core;

namespace {

const std::string kThreeDigits =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
const std::string kOneDigit =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

std::vector<Span> cut(const PreTokenizer& stage, const std::string& text, Span piece) {
    NormalizedText normalized;
    const NormalizerPlan plan(nullptr);
    normalized.assign(text, 0, static_cast<std::uint32_t>(text.size()), plan, true);
    std::vector<Span> pieces = {piece}, scratch;
    stage.split(normalized, pieces, scratch);
    return pieces;
}

struct Twins {
    explicit Twins(const std::string& pattern)
        : slow(Regex(pattern), SplitBehavior::kIsolated, false), quick(Cl100kSplit::digits_of(pattern).value()) {}
    Split slow;
    Cl100kSplit quick;

    bool agree(const std::string& text) const {
        const Span all{0, static_cast<std::uint32_t>(text.size())};
        return cut(slow, text, all) == cut(quick, text, all);
    }
};

bool is_scalar(char32_t value) {
    return value < 0xD800 || value > 0xDFFF;
}

}  // namespace

TEST_CASE("only the two patterns are taken for them") {
    CHECK(Cl100kSplit::digits_of(kThreeDigits) == 3);
    CHECK(Cl100kSplit::digits_of(kOneDigit) == 1);
    CHECK_FALSE(Cl100kSplit::digits_of(kOneDigit + " ").has_value());
    CHECK_FALSE(Cl100kSplit::digits_of("").has_value());
}

TEST_CASE("cl100k's scanner cuts as its pattern does") {
    const Twins twins[] = {Twins(kThreeDigits), Twins(kOneDigit)};
    const std::vector<std::string> parts = {"'",
                                            "'s",
                                            "'S",
                                            "'\xc5\xbf",
                                            "'re",
                                            "'RE",
                                            "'Ve",
                                            "'lL",
                                            "'l",
                                            "'d",
                                            "'m",
                                            "'T",
                                            "s",
                                            "E",
                                            " ",
                                            "  ",
                                            "\t",
                                            "\n",
                                            "\r",
                                            "\r\n",
                                            "\x0b",
                                            "\xc2\xa0",
                                            "\xe3\x80\x80",
                                            "\xc2\x85",
                                            "1",
                                            "23",
                                            "4567",
                                            "\xc2\xb2",
                                            "\xe2\x85\xa7",
                                            "a",
                                            "Word",
                                            "abcdefghijklmnopqrstuvwxyz",
                                            "@AZ[`az{",
                                            "straight\xc3\xa9t",
                                            "\xc3\xa9",
                                            "\xe4\xb8\xad",
                                            "\xe6\x96\x87\xe5\xad\x97",
                                            "\xcc\x81",
                                            "\xf0\x9f\x99\x82",
                                            ".",
                                            ",!",
                                            "/",
                                            "_",
                                            "\xe3\x80\x82"};
    std::mt19937 random(13);
    for (int round = 0; round < 40'000; ++round) {
        std::string text;
        for (std::size_t i = random() % 12 + 1; i > 0; --i) text += parts[random() % parts.size()];
        for (const Twins& pair : twins) {
            if (!pair.agree(text)) FAIL(text);
        }
    }
}

TEST_CASE("cl100k's scanner takes every code point as its pattern does") {
    const Twins twins(kThreeDigits);
    for (char32_t value = 0; value <= 0x10FFFF; ++value) {
        if (!is_scalar(value)) continue;
        std::string one;
        append_utf8(one, value);
        const std::string text =
            one + "a" + one + one + "1" + one + " " + one + "\n'" + one + " \t" + one + "'l" + one + "." + one;
        if (!twins.agree(text)) FAIL(std::uint32_t(value));
    }
}

TEST_CASE("a scanner looks at its piece and no further") {
    const Twins twins(kThreeDigits);
    const std::string text = "it's 123456  \n x'll";
    for (std::uint32_t start = 0; start < text.size(); ++start) {
        for (std::uint32_t end = start + 1; end <= text.size(); ++end) {
            CHECK(cut(twins.quick, text, {start, end}) == cut(twins.slow, text, {start, end}));
        }
    }
}

TEST_CASE("a character's properties are the table's for every code point") {
    for (char32_t value = 0; value <= 0x10FFFF; ++value) {
        if (!is_scalar(value)) continue;
        std::string text;
        append_utf8(text, value);
        const Character character = character_at(text, 0);
        if (character.length != text.size() || character.properties != unicode::properties(value)) FAIL(std::uint32_t(value));
    }
}

TEST_CASE("eight bytes at a time are what one at a time gives") {
    std::mt19937 random(14);
    for (int round = 0; round < 100'000; ++round) {
        std::string bytes;
        for (int i = 0; i < 8; ++i) bytes += static_cast<char>(random() % 4 == 0 ? random() % 256 : 'A' + random() % 60);
        const auto count = [&](auto holds) {
            return static_cast<std::uint32_t>(std::find_if_not(bytes.begin(), bytes.end(), holds) - bytes.begin());
        };
        const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
        REQUIRE(ascii_letters(bytes.data()) == count(is_letter));
        REQUIRE(ascii_prefix(bytes.data()) == count(is_ascii));
    }
}

TEST_CASE("split classes are the table's for every code point") {
    for (char32_t value = 0; value <= 0x10FFFF; ++value) {
        if (!is_scalar(value)) continue;
        std::string text;
        append_utf8(text, value);
        const Character character = split_class_at(text, 0);
        if (character.length != text.size() || character.properties != (unicode::properties(value) & kSplitClasses)) {
            FAIL(std::uint32_t(value));
        }
    }
}

TEST_CASE("WhitespaceSplit cuts at white space wherever it stands") {
    const Split slow(Regex(R"(\s)"), SplitBehavior::kRemoved, false);
    const WhitespaceSplit quick;
    const auto agree = [&](const std::string& text, std::uint32_t start) {
        const Span piece{start, static_cast<std::uint32_t>(text.size())};
        return cut(slow, text, piece) == cut(quick, text, piece);
    };
    const std::string han = "\xe4\xb8\xad", full_stop = "\xe3\x80\x82";
    for (char32_t value = 0; value <= 0x10FFFF; ++value) {
        if (!is_scalar(value)) continue;
        std::string text = han + han + "abcdefg" + full_stop + han;  // longer than what is looked at in one step
        append_utf8(text, value);
        text += han + "xy";
        if (!agree(text, 0)) FAIL_CHECK("U+" << std::hex << static_cast<std::uint32_t>(value));
    }
    for (const char32_t white : {U' ', U'\n', U'\u0085', U'\u00A0', U'\u1680', U'\u2003', U'\u3000'}) {
        for (std::size_t before = 0; before < 40; ++before) {
            for (std::size_t behind = 0; behind < 40; behind += 3) {
                std::string text(before, 'a');
                append_utf8(text, white);
                append_utf8(text, white);
                for (std::size_t i = 0; i < behind; ++i) text += i % 4 == 3 ? full_stop : han;
                CHECK(agree(text, 0));
                if (before > 0) CHECK(agree(text, 1));
            }
        }
    }
}
