// UTF-8 against an oracle written from the definition: every code point, every sequence of two bytes, and the examples of
// Unicode 15, section 3.9 (maximal ill-formed subparts).
#include "core/utf8.hpp"

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "expect_error.hpp"

using namespace rag::core;

namespace {

bool is_scalar(std::uint32_t value) {
    return value <= 0x10FFFF && (value < 0xD800 || value >= 0xE000);
}

/// From the definition, not from the table: a sequence is well-formed if encoding what it would decode to gives it back.
std::size_t well_formed_length(const std::string& text, std::size_t at) {
    for (std::size_t length = 1; length <= 4 && at + length <= text.size(); ++length) {
        const auto first = static_cast<unsigned char>(text[at]);
        const std::uint32_t masks[] = {0x7F, 0x1F, 0x0F, 0x07};
        std::uint32_t value = first & masks[length - 1];
        for (std::size_t i = 1; i < length; ++i) value = (value << 6) | (static_cast<unsigned char>(text[at + i]) & 0x3FU);
        if (!is_scalar(value)) continue;
        std::string again;
        append_utf8(again, value);
        if (again == text.substr(at, length)) return length;
    }
    return 0;
}

std::vector<std::uint32_t> lengths(const std::string& text) {
    std::vector<std::uint32_t> result;
    for (std::size_t at = 0; at < text.size();) {
        const Utf8Step step = decode_utf8(text, at);
        REQUIRE(step.length > 0);
        result.push_back(step.length);
        at += step.length;
    }
    return result;
}

}  // namespace

TEST_CASE("every scalar value survives encoding and decoding") {
    for (std::uint32_t value = 0; value <= 0x10FFFF; ++value) {
        if (!is_scalar(value)) continue;
        std::string text;
        append_utf8(text, value);
        const Utf8Step step = decode_utf8(text, 0);
        if (!step.valid || step.value != value || step.length != text.size()) FAIL("code point " << value);
    }
}

TEST_CASE("what is no scalar value is appended as U+FFFD") {
    for (const std::uint32_t value : {0xD800U, 0xDBFFU, 0xDC00U, 0xDFFFU, 0x110000U, 0xFFFFFFFFU}) {
        std::string text;
        append_utf8(text, value);
        CHECK(text == "\xEF\xBF\xBD");
    }
}

TEST_CASE("all pairs of bytes, and random bytes, agree with the definition") {
    std::string text;
    std::mt19937 random(7);
    const auto check = [&] {
        const Utf8Step step = decode_utf8(text, 0);
        const std::size_t expected = well_formed_length(text, 0);
        INFO("bytes " << quote(text));
        CHECK(step.valid == (expected > 0));
        if (step.valid) CHECK(step.length == expected);
        if (!step.valid) {
            CHECK(step.value == 0xFFFD);
            CHECK(step.length >= 1);
            CHECK(step.length <= 3);
        }
    };
    for (int first = 0; first < 256; ++first) {
        for (int second = 0; second < 256; ++second) {
            text = {static_cast<char>(first), static_cast<char>(second)};
            const Utf8Step step = decode_utf8(text, 0);
            if (step.valid != (well_formed_length(text, 0) > 0)) check();
        }
    }
    for (int i = 0; i < 20000; ++i) {
        text.clear();
        for (auto length = 1 + random() % 5; length > 0; --length) {
            text += static_cast<char>(random() % 3 == 0 ? random() : 0x80 + random() % 0x78);
        }
        const Utf8Step step = decode_utf8(text, 0);
        const std::size_t expected = well_formed_length(text, 0);
        if (step.valid != (expected > 0) || (step.valid && step.length != expected)) check();
    }
}

TEST_CASE("ill-formed parts are cut as Unicode's tables 3-8 to 3-11 show") {
    CHECK(lengths("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41") == std::vector<std::uint32_t>(9, 1));           // non-shortest forms
    CHECK(lengths("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41") == std::vector<std::uint32_t>(9, 1));           // surrogates
    CHECK(lengths("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42") == std::vector<std::uint32_t>(9, 1));           // above the range
    CHECK(lengths("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41") == std::vector<std::uint32_t>{2, 1, 3, 2, 1});  // truncated
    CHECK(replace_invalid_utf8("a\xE1\x80\xE2z") == "a\xEF\xBF\xBD\xEF\xBF\xBDz");
}

TEST_CASE("the end, and behind the end, is length 0") {
    CHECK(decode_utf8("", 0).length == 0);
    CHECK(decode_utf8("abc", 3).length == 0);
    CHECK(decode_utf8("abc", 99).length == 0);
    CHECK(decode_utf8(std::string_view("\xE4\xB8\xAD", 2), 0).length == 2);  // does not look behind the end of the view
}

TEST_CASE("finding, requiring, counting") {
    CHECK(find_invalid_utf8("plain \xE4\xB8\xAD\xE6\x96\x87") == std::string_view::npos);
    CHECK(find_invalid_utf8("plain \xE4\xB8") == 6);
    CHECK(count_code_points("a\xE4\xB8\xAD\xF0\x9F\x98\x80") == 3);
    CHECK(find_invalid_utf8(std::string_view("\0a\0", 3)) == std::string_view::npos);
    require_utf8("fine", "the title");
    rag::test::expect_error(Code::kInvalidArgument, {"the title", "0xff", "offset 2"},
                            [] { require_utf8("ab\xFF", "the title"); });
}
