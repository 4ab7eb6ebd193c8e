#include "tokenizer/post_processors/byte_level.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/utf8.hpp"
#include "tokenizer/unicode/properties.hpp"

namespace rag::core {
namespace {

constexpr char32_t kSpaceInAlphabet = 0x120;  // how byte-level vocabularies write a space

bool is_space(char32_t value) {
    return value == kSpaceInAlphabet || (unicode::properties(value) & unicode::kWhite) != 0;
}

bool is_continuation(char byte) {
    return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
}

struct Spaces {
    std::size_t leading = 0, trailing = 0;  // characters
};

Spaces count_spaces(std::string_view token) {
    Spaces spaces;
    bool only_spaces = true;
    for (std::size_t at = 0; at < token.size();) {
        const Utf8Step step = decode_utf8(token, at);
        at += step.length;
        if (is_space(step.value)) {
            spaces.leading += only_spaces;
            ++spaces.trailing;
        } else {
            only_spaces = false;
            spaces.trailing = 0;
        }
    }
    return spaces;
}

std::uint32_t forward(std::string_view text, std::uint32_t at, std::size_t characters) {
    for (; characters > 0 && at < text.size(); --characters) {
        ++at;
        while (at < text.size() && is_continuation(text[at])) ++at;
    }
    return at;
}

// False when there are not as many characters before `at`.
bool backward(std::string_view text, std::uint32_t& at, std::size_t characters) {
    for (; characters > 0; --characters) {
        if (at == 0) return false;
        --at;
        while (at > 0 && is_continuation(text[at])) --at;
    }
    return true;
}

}  // namespace

void trim_offsets(EncodedPart& part, bool add_prefix_space, const TokenText& text_of) {
    for (std::size_t i = 0; i < part.encoding.size(); ++i) {
        if (part.source == nullptr) break;
        auto& [start, end] = part.encoding.offsets[i];
        const std::string_view source = part.source->text_of(part.encoding.words[i]);
        Spaces spaces = count_spaces(text_of(part.encoding, i));
        if (spaces.leading > 0) {
            const bool first = i == 0 || start == 0;
            if (!(first && add_prefix_space && spaces.leading == 1)) {
                start = std::min(forward(source, start, spaces.leading), end);
            }
        }
        if (std::uint32_t trimmed = end; spaces.trailing > 0 && backward(source, trimmed, spaces.trailing)) {
            end = std::max(trimmed, start);
        }
    }
    for (EncodedPart& window : part.overflowing) trim_offsets(window, add_prefix_space, text_of);
}

void ByteLevelProcessing::process(std::vector<EncodedPart>& parts, bool, const TokenText& text_of) const {
    if (!trim_offsets_) return;
    for (EncodedPart& part : parts) trim_offsets(part, add_prefix_space_, text_of);
}

}  // namespace rag::core
