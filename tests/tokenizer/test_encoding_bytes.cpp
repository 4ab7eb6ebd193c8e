// Encodings as bytes: they come back as they were, and bytes that are no encoding's are refused.
#include <catch2/catch.hpp>
#include <cstring>
#include <string>

#include "core/error.hpp"
#include "tokenizer/encoding_bytes.hpp"

using namespace rag::core;

namespace {

OverflowingEncoding sample() {
    OverflowingEncoding out;
    out.encoding.push_special(1, 0);
    out.encoding.push(7, {0, 3}, 0, 0);
    out.encoding.push(9, {3, 9}, 1, 1);
    out.encoding.words[1] = 0;
    out.encoding.words[2] = 4;
    out.encoding.attention_mask[0] = 0;
    out.encoding.texts.emplace_back(0, "<s>");
    out.encoding.texts.emplace_back(1, "");
    out.encoding.texts.emplace_back(2, "\xe4\xb8\xad");
    OverflowingEncoding more;
    more.encoding.push(2, {9, 9}, 0, 0);
    more.encoding.texts.emplace_back(0, "x");
    out.overflowing = {more, OverflowingEncoding{}};
    out.overflowing[0].overflowing = {more};
    return out;
}

Code refusal(std::string_view bytes) {
    try {
        encoding_from_bytes(bytes);
    } catch (const Error& error) {
        CHECK(std::string(error.what()).find("an encoding") != std::string::npos);
        return error.code();
    }
    return Code::kOk;
}

}  // namespace

TEST_CASE("an encoding comes back from its bytes with all columns and all that overflows") {
    const std::string bytes = encoding_to_bytes(sample());
    const OverflowingEncoding back = encoding_from_bytes(bytes);
    CHECK(encoding_to_bytes(back) == bytes);
    const Encoding expected = sample().encoding;
    CHECK(back.encoding.ids == expected.ids);
    CHECK(back.encoding.offsets == expected.offsets);
    CHECK(back.encoding.type_ids == expected.type_ids);
    CHECK(back.encoding.attention_mask == expected.attention_mask);
    CHECK(back.encoding.special_tokens_mask == expected.special_tokens_mask);
    CHECK(back.encoding.sequence_ids == expected.sequence_ids);
    CHECK(back.encoding.words == expected.words);
    REQUIRE(back.encoding.texts.size() == 3);
    for (std::size_t i = 0; i < 3; ++i) CHECK(back.encoding.texts[i] == expected.texts[i]);
    REQUIRE(back.overflowing.size() == 2);
    CHECK(back.overflowing[0].overflowing.size() == 1);
    CHECK(back.overflowing[1].encoding.size() == 0);
}

TEST_CASE("bytes that are no encoding's are refused") {
    const std::string good = encoding_to_bytes(sample());
    for (std::size_t size = 0; size < good.size(); ++size) CHECK(refusal(good.substr(0, size)) == Code::kCorrupt);
    CHECK(refusal(good + "x") == Code::kCorrupt);
    const auto changed = [&](std::size_t at, std::uint32_t value) {
        std::string bytes = good;
        std::memcpy(bytes.data() + at, &value, sizeof value);
        return refusal(bytes);
    };
    constexpr std::size_t kCount = 8, kIds = kCount + 4, kOffsets = kIds + 3 * 4;
    CHECK(changed(0, 0) == Code::kCorrupt);
    CHECK(changed(4, 2) == Code::kVersion);
    CHECK(changed(kCount, 0xFFFFFFFF) == Code::kCorrupt);
    CHECK(changed(kIds, 0xFFFFFFFF) == Code::kCorrupt);
    CHECK(changed(kOffsets, 5) == Code::kCorrupt);
    OverflowingEncoding deep;
    for (int level = 0; level < 7; ++level) {
        CHECK(refusal(encoding_to_bytes(deep)) == Code::kOk);
        OverflowingEncoding outer;
        outer.overflowing.push_back(std::move(deep));
        deep = std::move(outer);
    }
    CHECK(refusal(encoding_to_bytes(deep)) == Code::kOk);
    OverflowingEncoding outer;
    outer.overflowing.push_back(std::move(deep));
    CHECK(refusal(encoding_to_bytes(outer)) == Code::kCorrupt);
}
