// Cleaning: what goes, what stays, and that doing it twice does nothing more, with every choice of options.
#include <catch2/catch.hpp>
#include <random>
#include <string>

#include "core/utf8.hpp"
#include "text/clean.hpp"

using namespace rag::core;

TEST_CASE("what cleaning does") {
    using namespace std::string_literals;
    CHECK(clean_text("a\0b\x01\x7f c\u0085d\u0080\ufeff!"s) == "ab c\nd!");
    CHECK(clean_text("\r\n \n  a \t\r\nb\rc\u2028d\fe\vf \n\n\n\n\n\ng\n\n") == "  a\nb\nc\nd\ne\nf\n\n\ng");
    CHECK(clean_text("a\u00a0b\u3000c") == "a b\u3000c");
    CHECK(clean_text("e\u0301 \u1112\u1161\u11ab \u2126") == "\u00e9 \ud55c \u03a9");
    CHECK(clean_text("e\x01\u0301") == "\u00e9");
    CHECK(clean_text("\u5168\u89d2\uff21 \u4e2d\u6587") == "\u5168\u89d2\uff21 \u4e2d\u6587");  // compatibility forms stay
    CHECK(clean_text("") == "");
    CHECK(clean_text(" \n\t\n") == "");
    CHECK(clean_text("e\u0301 \x01\r\n", {false, false, false}) == "e\u0301 \x01\r\n");
    CHECK_THROWS_WITH(clean_text("ab\xff"), Catch::Contains("at offset 2"));
}

TEST_CASE("a text of megabytes is cleaned as its lines are, and the caller is asked every quarter of one") {
    const std::vector<std::string> pieces{"e\u0301", "a",    " ", "\u1112\u1161\u11ab", "\u0344", "\u0f71\u0f72",
                                          "\u4e2d",  "\x01", "\t"};
    std::mt19937 random(13);
    std::string text;
    std::string expected;
    while (text.size() < 4'000'000) {
        std::string line;
        for (std::size_t i = random() % 40; i > 0; --i) line += pieces[random() % pieces.size()];
        line += "z";
        text += line + "\n";
        expected += (expected.empty() ? "" : "\n") + clean_text(line);
    }
    std::size_t times = 0;
    const auto count = [&times](std::uint64_t done, std::uint64_t total) {
        CHECK(done <= total);
        ++times;
        return true;
    };
    CHECK(clean_text(text, {}, count) == expected);
    CHECK(times >= 3 * 12);
    for (const CleanOptions& options : {CleanOptions{true, false, false}, {false, true, false}, {false, false, true}})
        CHECK_THROWS_AS(clean_text(text, options, [](std::uint64_t, std::uint64_t) { return false; }), Stopped);
}

TEST_CASE("cleaning what is clean changes nothing") {
    std::mt19937 random(7);
    const std::vector<char32_t> often{' ',    '\n',   '\r',   '\t',   0,      1,      0x0B,   0x0C,   0x85,   0xA0,
                                      0x2028, 0x2029, 0xFEFF, 0x0301, 0x0323, 0x2000, 0x2126, 0x1112, 0x1161, 0x11AB,
                                      'e',    'a',    0x3000, 0x212B, 0x0340, 0x0344, 0x4E2D, 0xF900, 0x200B, 0x7F};
    for (int round = 0; round < 20000; ++round) {
        std::string text;
        const std::size_t size = random() % 24;
        for (std::size_t i = 0; i < size; ++i)
            append_utf8(text, random() % 4 == 0 ? static_cast<char32_t>(random() % 0x30000) : often[random() % often.size()]);
        const CleanOptions options{random() % 2 == 0, random() % 2 == 0, random() % 2 == 0};
        const std::string once = clean_text(text, options);
        INFO(text);
        REQUIRE(find_invalid_utf8(once) == std::string::npos);
        REQUIRE(clean_text(once, options) == once);
    }
}
