// NFC's quick check against NFC: what it lets pass comes out as it went in, and it lets most text pass.
#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

#include "core/utf8.hpp"
#include "tokenizer/normalizers/normal_form.hpp"
#include "tokenizer/unicode/properties.hpp"

using namespace rag::core;

namespace {

std::string write(const std::vector<char32_t>& values) {
    std::string out;
    for (const char32_t value : values) append_utf8(out, value);
    return out;
}

bool is_changed(const NormalFormNormalizer& nfc, const std::vector<char32_t>& values) {
    CharText text;
    text.clear({});
    std::uint32_t at = 0;
    for (const char32_t value : values) {
        text.push(value, {at, at + 1});
        ++at;
    }
    const CharText before = text;
    nfc.normalize_run(text);
    return text.values != before.values || text.places != before.places;
}

}  // namespace

TEST_CASE("NFC's quick check passes no text that NFC changes") {
    const NormalFormNormalizer nfc(NormalForm::kNfc);
    std::vector<char32_t> starters = {U'a', U'e', 0x1100, 0xAC00, 0x4E2D, 0x915, 0x304B, 0x1025, 0xC6, 0x11099};
    for (char32_t value = 0x80; value <= 0x10FFFF; ++value) {
        if (value >= 0xD800 && value < 0xE000) continue;
        const std::vector<char32_t> alone = {value};
        const bool kept = nfc.keeps(write(alone));
        if (kept && is_changed(nfc, alone)) FAIL(std::uint32_t(value));
        for (const char32_t starter : starters) {
            const std::vector<char32_t> pair = {starter, value};
            if (nfc.keeps(write(pair)) && is_changed(nfc, pair)) FAIL(std::uint32_t(value));
        }
    }
    // Every pair that composes, and any company it may have.
    std::mt19937 random(17);
    const auto pairs = rag::core::unicode::composition_pairs();
    for (const std::uint64_t pair : pairs) {
        CHECK_FALSE(nfc.keeps(write({static_cast<char32_t>(pair >> 32), static_cast<char32_t>(pair & 0xFFFFFFFFU)})));
    }
    for (int round = 0; round < 50'000; ++round) {
        std::vector<char32_t> values;
        for (std::size_t i = random() % 6 + 1; i > 0; --i) {
            const std::uint64_t pair = pairs[random() % pairs.size()];
            values.push_back(static_cast<char32_t>(random() % 2 == 0 ? pair >> 32 : pair & 0xFFFFFFFFU));
        }
        if (nfc.keeps(write(values)) && is_changed(nfc, values)) FAIL(write(values));
    }
}

TEST_CASE("NFC's quick check passes ordinary text") {
    const NormalFormNormalizer nfc(NormalForm::kNfc);
    CHECK(nfc.keeps("plain"));
    CHECK(nfc.keeps("\xe4\xb8\xad\xe6\x96\x87\xe3\x80\x82\xef\xbc\x8c caf\xc3\xa9 \xed\x95\x9c\xea\xb8\x80 \xf0\x9f\x99\x82"));
    CHECK_FALSE(nfc.keeps("cafe\xcc\x81"));
    CHECK_FALSE(NormalFormNormalizer(NormalForm::kNfd).keeps("caf\xc3\xa9"));
}
