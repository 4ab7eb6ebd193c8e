#include "tokenizer/normalizers/strip.hpp"

#include <cstdint>
#include <string_view>

#include "tokenizer/normalized_text.hpp"
#include "tokenizer/unicode/code_points.hpp"
#include "tokenizer/unicode/properties.hpp"

namespace rag::core {
namespace {

bool is_white_at(std::string_view text, std::uint32_t at) {
    return (unicode::properties(code_point_at(text, at).value) & unicode::kWhite) != 0;
}

}  // namespace

void StripSpaces::normalize(NormalizedText& text) const {
    const std::string_view old = text.text();
    std::uint32_t begin = 0;
    auto end = static_cast<std::uint32_t>(old.size());
    while (left_ && begin < end && is_white_at(old, begin)) begin += code_point_at(old, begin).length;
    while (right_ && end > begin && is_white_at(old, character_before(old, end))) end = character_before(old, end);
    if (begin == 0 && end == old.size()) return;
    TextRewrite rewrite(text);
    rewrite.skip_to(begin);
    rewrite.keep_to(end);
    rewrite.finish();
}

}  // namespace rag::core
