// Which code points the pre-tokenizer UnicodeScripts of Hugging Face tokenizers takes for one script. The numbers mean nothing
// else; tables made by scripts/make_unicode_tables.py from that package. Pure functions on constant tables: any thread.
#pragma once

#include <cstdint>

namespace rag::core::unicode {

namespace detail {
extern const std::uint16_t kScriptStage1[];
extern const std::uint8_t kScriptStage2[];
}  // namespace detail

/// Spaces and unassigned code points.
inline constexpr unsigned kNoScript = 0;

inline unsigned script(char32_t value) noexcept {
    const std::uint32_t block = detail::kScriptStage1[value >> 7];
    return detail::kScriptStage2[(block << 7) | (value & 127)];
}

}  // namespace rag::core::unicode
