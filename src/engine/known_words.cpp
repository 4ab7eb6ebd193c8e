#include "engine/known_words.hpp"

#include <algorithm>
#include <cstdint>
#include <unordered_set>
#include <vector>

#include "core/utf8.hpp"
#include "text/scripts.hpp"

namespace rag::core {
namespace {

// China's list of characters in common use has 2,500, and 1,000 that are met less; with fewer than the first thousand a text
// cannot be read.
constexpr float kHanNeeded = 2500;
constexpr float kHanUseless = 1000;
// Letters a token: English has some four, a language that is spelled out has one.
constexpr float kLettersNeeded = 1.5F;

std::string_view without_mark(std::string_view token) {
    for (const std::string_view mark : {"##", "\xe2\x96\x81"}) {
        if (token.size() > mark.size() && token.starts_with(mark)) return token.substr(mark.size());
    }
    return token;
}

bool is_letter(char32_t value) {
    if (value >= 0x80) return value < 0x2000 || value > 0x206F;  // not general punctuation
    return (value >= 'a' && value <= 'z') || (value >= 'A' && value <= 'Z') || (value >= '0' && value <= '9');
}

}  // namespace

KnownWords::KnownWords(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {
    if (!tokenizer.token_to_id(tokenizer.unk_token())) return;
    std::unordered_set<char32_t> han;
    for (std::int64_t id = 0; id < tokenizer.id_limit(); ++id) {
        const auto token = tokenizer.find_token(static_cast<std::int32_t>(id));
        if (!token) continue;
        const std::string_view text = without_mark(*token);
        const Utf8Step step = decode_utf8(text, 0);
        if (step.valid && step.length == text.size() && is_han(step.value)) han.insert(step.value);
    }
    han_ = std::clamp((static_cast<float>(han.size()) - kHanUseless) / (kHanNeeded - kHanUseless), 0.0F, 1.0F);
}

float KnownWords::share(std::string_view text) const {
    const auto unknown = tokenizer_.token_to_id(tokenizer_.unk_token());
    if (!unknown) return 1.0F;  // bytes: nothing is unknown, and nothing shows what is strange to it
    std::vector<std::int32_t> ids;
    tokenizer_.encode_ids(text, false, ids);
    if (ids.empty()) return 0.0F;
    const auto missing = static_cast<float>(std::count(ids.begin(), ids.end(), *unknown));
    float han = 0;
    float letters = 0;
    float others = 0;  // signs, each a token of its own
    for (std::size_t at = 0; at < text.size();) {
        const Utf8Step step = decode_utf8(text, at);
        at += std::max<std::uint32_t>(step.length, 1);
        if (is_han(step.value)) {
            ++han;
        } else if (is_letter(step.value)) {
            ++letters;
        } else if (step.value > ' ') {
            ++others;
        }
    }
    if (han + letters == 0) return 1.0F - missing / static_cast<float>(ids.size());
    const float tokens = std::max(1.0F, static_cast<float>(ids.size()) - han - others);
    const float spelled = std::clamp((letters / tokens - 1.0F) / (kLettersNeeded - 1.0F), 0.0F, 1.0F);
    const float known = (han * han_ + letters * spelled) / (han + letters);
    return known * (1.0F - missing / static_cast<float>(ids.size()));
}

}  // namespace rag::core
