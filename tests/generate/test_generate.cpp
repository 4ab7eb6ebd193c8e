// The loop on a fake model that writes a given text byte by byte: stop strings across pieces, whole characters, limits, ends,
// cancellation, and that what is streamed is exactly the text of the result.
#include <catch2/catch.hpp>
#include <random>

#include "core/cancel.hpp"
#include "core/error.hpp"
#include "core/utf8.hpp"
#include "generate/generate.hpp"
#include "generate/stop_strings.hpp"

using namespace rag::core;

namespace {

constexpr std::int32_t kEnd = 256;

/// Token = byte; after the text comes kEnd for ever.
struct FakeModel {
    explicit FakeModel(std::string the_text) : text(std::move(the_text)) {}

    GenerationModel model() {
        GenerationModel out;
        out.vocab_size = 257;
        out.context_left = context;
        out.end_ids = {kEnd};
        out.forward = [this](std::span<const std::int32_t> ids, std::span<float> logits, const std::function<bool()>& stop) {
            if (stop && stop()) throw Stopped();
            fed.insert(fed.end(), ids.begin(), ids.end());
            std::fill(logits.begin(), logits.end(), 0.0F);
            logits[at < text.size() ? static_cast<unsigned char>(text[at]) : static_cast<std::size_t>(kEnd)] = 9.0F;
            ++at;
        };
        out.push = [this](std::int32_t id) {
            pending += static_cast<char>(id);
            const std::size_t bad = find_invalid_utf8(pending);
            std::string whole = pending.substr(0, bad);
            pending.erase(0, whole.size());
            return whole;
        };
        out.finish = [this] { return pending.empty() ? std::string() : std::string("\xef\xbf\xbd"); };
        return out;
    }

    std::string text;
    std::int64_t context = 1000;
    std::size_t at = 0;
    std::string pending;
    std::vector<std::int32_t> fed;
};

const std::vector<std::int32_t> kPrompt = {1, 2, 3};

Generation run(FakeModel& fake, GenerateOptions options, std::string& streamed) {
    options.on_token = [&](std::int32_t, std::string_view piece) {
        REQUIRE(find_invalid_utf8(piece) == std::string::npos);
        streamed += piece;
        return true;
    };
    const GenerationModel model = fake.model();
    Generation out = generate(model, kPrompt, options);
    CHECK(streamed == out.text);
    return out;
}

}  // namespace

TEST_CASE("a text ends at the end id, with usage and times") {
    FakeModel fake("Hi \xe4\xbd\xa0\xe5\xa5\xbd.");
    std::string streamed;
    const Generation out = run(fake, {}, streamed);
    CHECK(out.text == fake.text);
    CHECK(out.finish == FinishReason::kStop);
    CHECK(finish_name(out.finish) == "stop");
    CHECK(out.prompt_tokens == 3);
    CHECK(out.new_tokens == fake.text.size());
    CHECK(out.ids.size() == fake.text.size());
    CHECK(out.prefill_ms >= 0);
    CHECK(out.decode_ms > 0);
    CHECK(out.stop_string.empty());
}

TEST_CASE("max_tokens and a full context end it with length") {
    FakeModel fake("abcdef");
    std::string streamed;
    GenerateOptions options;
    options.max_tokens = 4;
    CHECK(run(fake, options, streamed).text == "abcd");
    CHECK(fake.fed.size() == 3 + 3);  // the last token is not computed: nobody asks what comes behind it

    FakeModel small("abcdef");
    small.context = 5;
    streamed.clear();
    const Generation out = run(small, {}, streamed);
    CHECK(out.text == "ab");
    CHECK(out.finish == FinishReason::kLength);
    CHECK(static_cast<std::int64_t>(small.fed.size()) <= small.context);

    FakeModel half("a\xe4\xbd");  // cut in the middle of a character
    options.max_tokens = 3;
    streamed.clear();
    CHECK(run(half, options, streamed).text == "a\xef\xbf\xbd");
}

TEST_CASE("nothing of a stop string is streamed, wherever tokens end") {
    FakeModel fake("one\nQuestion: two");
    std::string streamed;
    GenerateOptions options;
    options.stop = {"\nQuestion:", "###"};
    const Generation out = run(fake, options, streamed);
    CHECK(out.text == "one");
    CHECK(out.stop_string == "\nQuestion:");
    CHECK(out.finish == FinishReason::kStop);

    FakeModel almost("one\nQuest");  // what was held back comes after all
    streamed.clear();
    CHECK(run(almost, options, streamed).text == "one\nQuest");

    FakeModel chinese("\xe7\xad\x94\xe6\xa1\x88\xe3\x80\x82\xe9\x97\xae\xe9\xa2\x98");
    options.stop = {"\xe3\x80\x82\xe9\x97\xae"};
    streamed.clear();
    CHECK(run(chinese, options, streamed).text == "\xe7\xad\x94\xe6\xa1\x88");
}

TEST_CASE("stop strings do not depend on where the pieces are cut") {
    std::mt19937 random(11);
    for (int round = 0; round < 3000; ++round) {
        std::string text;
        for (std::size_t i = random() % 14; i > 0; --i) text += static_cast<char>('a' + random() % 3);
        std::vector<std::string> stops;
        for (std::size_t i = 1 + random() % 3; i > 0; --i) {
            std::string stop;
            for (std::size_t n = 1 + random() % 4; n > 0; --n) stop += static_cast<char>('a' + random() % 3);
            stops.push_back(stop);
        }
        const auto streamed_in = [&](auto next_size) {
            StopStrings matcher(stops);
            std::string out;
            for (std::size_t at = 0; at < text.size() && !matcher.found();) {
                const std::size_t size = next_size();
                out += matcher.push(std::string_view(text).substr(at, size));
                at += size;
            }
            return out + matcher.finish();
        };
        const std::string by_one = streamed_in([] { return std::size_t{1}; });
        INFO(text);
        REQUIRE(streamed_in([&] { return 1 + random() % 5; }) == by_one);
        REQUIRE(streamed_in([&] { return text.size(); }) == by_one);
        for (const auto& stop : stops) REQUIRE(by_one.find(stop) == std::string::npos);
    }
}

TEST_CASE("a caller stops it by the text or by the flag, and keeps what was streamed") {
    FakeModel fake("abcdef");
    GenerateOptions options;
    std::string streamed;
    options.on_token = [&](std::int32_t, std::string_view piece) {
        streamed += piece;
        return streamed.size() < 3;
    };
    Generation out = generate(fake.model(), kPrompt, options);
    CHECK(out.finish == FinishReason::kCancelled);
    CHECK(out.text == "abc");
    CHECK(streamed == "abc");
    CHECK(finish_name(out.finish) == "cancelled");

    FakeModel again("abcdef");
    options = {};
    int polls = 0;
    options.cancelled = [&] { return ++polls > 6; };
    out = generate(again.model(), kPrompt, options);
    CHECK(out.finish == FinishReason::kCancelled);
    CHECK(out.text.size() < 6);

    FakeModel never("abcdef");
    options.cancelled = [] { return true; };
    out = generate(never.model(), kPrompt, options);
    CHECK(out.finish == FinishReason::kCancelled);
    CHECK(out.text.empty());
    CHECK(out.new_tokens == 0);
}

TEST_CASE("what cannot be generated is refused with the values") {
    FakeModel fake("a");
    fake.context = 3;
    CHECK_THROWS_WITH(generate(fake.model(), kPrompt, {}), Catch::Contains("3 tokens") && Catch::Contains("room for 3"));
    CHECK_THROWS_WITH(generate(fake.model(), {}, {}), Catch::Contains("no tokens"));
    FakeModel wide("a");
    const std::vector<std::int32_t> bad = {1, 257};
    CHECK_THROWS_WITH(generate(wide.model(), bad, {}), Catch::Contains("token 1") && Catch::Contains("257"));
    GenerateOptions options;
    options.max_tokens = 0;
    CHECK_THROWS_WITH(generate(wide.model(), kPrompt, options), Catch::Contains("max_tokens"));
    options = {};
    options.stop = {""};
    CHECK_THROWS_WITH(generate(wide.model(), kPrompt, options), Catch::Contains("stop string is empty"));
    options.stop = {std::string(2000, 'x')};
    CHECK_THROWS_WITH(generate(wide.model(), kPrompt, options), Catch::Contains("2000 bytes"));
    CHECK(wide.fed.empty());
}
