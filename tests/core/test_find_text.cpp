// Linear search against the library's, over texts of few letters, and that no text makes it slow.
#include <catch2/catch.hpp>
#include <random>
#include <string>

#include "core/find_text.hpp"

using rag::core::find_last_text;
using rag::core::find_text;

TEST_CASE("texts are found where the library finds them") {
    std::mt19937 random(7);
    const auto some = [&](std::size_t most) {
        std::string out(random() % (most + 1), 'a');
        for (char& c : out) c = random() % 8 == 0 ? 'b' : 'a';
        return out;
    };
    int found = 0;
    for (int round = 0; round < 3000; ++round) {
        const std::string text = some(600);
        std::string part = some(round % 2 == 0 ? 200 : 3);
        if (round % 3 == 0 && text.size() > 150) part = text.substr(random() % (text.size() - 150), 65 + random() % 85);
        const std::size_t from = random() % (text.size() + 3);
        INFO(text << " / " << part << " / " << from);
        REQUIRE(find_text(text, part, from) == text.find(part, from));
        REQUIRE(find_last_text(text, part) == text.rfind(part));
        found += part.size() > 64 && text.find(part) != std::string::npos ? 1 : 0;
    }
    CHECK(found > 500);
}

// The library's own search takes hours here.
TEST_CASE("a text is looked for in linear time") {
    const std::string text(40'000'000, 'a');
    const std::string half(20'000'000, 'a');
    CHECK(find_text(text, half + 'b') == std::string::npos);
    CHECK(find_last_text(text, 'b' + half) == std::string::npos);
    CHECK(find_last_text(text, half) == 20'000'000);
    CHECK(find_text(text, half, 7) == 7);
}
