// Error texts stay one readable line whatever the input was.
#include "core/error.hpp"

#include <string>

#include "core/cancel.hpp"
#include "core/utf8.hpp"
#include "expect_error.hpp"

using namespace rag::core;

TEST_CASE("quote escapes what would break or hide part of a line") {
    CHECK(quote("plain") == "\"plain\"");
    CHECK(quote("") == "\"\"");
    CHECK(quote("a\"b\\c") == "\"a\\\"b\\\\c\"");
    CHECK(quote("a\nb\rc\td") == "\"a\\x0ab\\x0dc\\x09d\"");
    CHECK(quote(std::string_view("a\0b\x7f", 4)) == "\"a\\x00b\\x7f\"");
    CHECK(quote("\xE4\xB8\xAD") == "\"\xE4\xB8\xAD\"");
    CHECK(quote("\xC2\x85\xE2\x80\xA8") == "\"\\u0085\\u2028\"");
    CHECK(quote("\xE2\x80\xAE\xE2\x81\xA6") == "\"\\u202e\\u2066\"");  // overrides of the writing direction
    CHECK(quote("a\xFFz\xE4\xB8") == "\"a\\xffz\\xe4\\xb8\"");
}

TEST_CASE("quote cuts long text between characters and says so") {
    CHECK(quote("abcdef", 3) == "\"abc\"...");
    CHECK(quote("abc", 3) == "\"abc\"");
    for (std::size_t limit = 0; limit < 9; ++limit) {
        const std::string text = quote("\xE4\xB8\xAD\xE6\x96\x87\xE5\xAD\x97", limit);
        CHECK(find_invalid_utf8(text) == std::string_view::npos);
    }
    CHECK(quote(std::string(1 << 20, '\n')).size() < 600);
}

TEST_CASE("every invalid or hostile text gives one line of valid UTF-8") {
    for (int first = 0; first < 256; ++first) {
        for (int second = 0; second < 256; ++second) {
            const std::string text = quote(std::string{static_cast<char>(first), static_cast<char>(second)});
            if (find_invalid_utf8(text) != std::string_view::npos || text.find('\n') != std::string::npos) FAIL(text);
        }
    }
}

TEST_CASE("fail carries code and values; braces in values stay as they are") {
    rag::test::expect_error(Code::kNotFound, {"no document \"{}{0}\" among 3"},
                            [] { fail(Code::kNotFound, "no document {} among {}", quote("{}{0}"), 3); });
}

TEST_CASE("a progress function that returns false stops the call") {
    report({}, 1, 2);
    report([](std::uint64_t, std::uint64_t) { return true; }, 1, 2);
    rag::test::expect_error(Code::kStopped, {"stopped"},
                            [] { report([](std::uint64_t, std::uint64_t) { return false; }, 1, 2); });
}
