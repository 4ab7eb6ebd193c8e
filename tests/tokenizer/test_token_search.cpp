// The search for added tokens against one that tries every content at every place, and that long contents do not make it slow.
#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

#include "tokenizer/token_search.hpp"

using rag::core::Span;
using rag::core::TokenSearch;

namespace {

TokenSearch::Match slow_next(const std::vector<std::string>& contents, std::string_view text, std::uint32_t from) {
    const auto size = static_cast<std::uint32_t>(text.size());
    TokenSearch::Match best{{size, size}, -1};
    for (std::uint32_t at = from; at < size && best.value < 0; ++at) {
        for (std::size_t i = 0; i < contents.size(); ++i) {
            const auto length = static_cast<std::uint32_t>(contents[i].size());
            if (text.substr(at, length) != contents[i]) continue;
            if (best.value < 0 || length > best.span.end - best.span.start)
                best = {{at, at + length}, static_cast<std::int32_t>(i)};
        }
    }
    return best;
}

TokenSearch search_of(const std::vector<std::string>& contents) {
    std::vector<std::pair<std::string_view, std::int32_t>> keys;
    for (std::size_t i = 0; i < contents.size(); ++i) keys.emplace_back(contents[i], static_cast<std::int32_t>(i));
    return TokenSearch(keys);
}

}  // namespace

TEST_CASE("added tokens are found leftmost, there the longest") {
    std::mt19937 random(11);
    const auto some = [&](std::size_t least, std::size_t most, int letters) {
        std::string out(least + random() % (most - least + 1), 'a');
        for (char& c : out) c = static_cast<char>('a' + random() % static_cast<unsigned>(letters));
        return out;
    };
    int found = 0;
    for (int round = 0; round < 4000; ++round) {
        const int letters = 1 + round % 3;
        std::vector<std::string> contents;
        for (std::size_t i = 0, count = random() % 6; i < count; ++i)
            contents.push_back(some(1, round % 5 == 0 ? 12 : 4, letters));
        const std::string text = some(0, 60, letters + round % 2);
        const TokenSearch search = search_of(contents);
        REQUIRE(search.empty() == contents.empty());
        if (contents.empty()) continue;
        for (std::uint32_t at = 0; at <= text.size(); ++at) {
            const auto expected = slow_next(contents, text, at);
            const auto match = search.next(text, at);
            INFO(text << " from " << at);
            REQUIRE(match.value == expected.value);
            REQUIRE(match.span == expected.span);
            found += match.value >= 0 ? 1 : 0;
        }
    }
    CHECK(found > 10'000);
}

// Beginning anew at each place takes the product of both lengths: hours.
TEST_CASE("an added token is looked for in linear time, whatever its length") {
    const std::string text(4'000'000, 'a');
    const TokenSearch search = search_of({std::string(1'000'000, 'a') + 'b', std::string(500'000, 'a') + "c"});
    CHECK(search.next(text, 0).value == -1);
    CHECK(search.next(text + 'c', 0).span == Span{3'500'000, 4'000'001});
}
