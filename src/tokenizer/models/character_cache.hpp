// The tokens of single characters of Chinese and Japanese text (U+3000 to U+9FFF) where no merge joins them to a neighbour: most
// of what such a text is cut into. One number a character, filled when it is first met, 224 KiB a model, so that what a language
// uses of it stays near. Any number of threads: a place is written once, with the only value that it can have.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/zeroed_array.hpp"
#include "tokenizer/models/merge_table.hpp"
#include "tokenizer/models/model.hpp"

namespace rag::core {

class CharacterCache {
  public:
    static constexpr std::uint32_t kBytes = 3;    // of each of these characters
    static constexpr std::size_t kMaxTokens = 2;  // three, one a byte, are left to others

    CharacterCache() : places_(kLimit - kFirst) {}
    static bool holds(char32_t value) noexcept { return value >= kFirst && value < kLimit; }

    /// Fills `tokens`, ends counted from the start of the character, and returns how many; 0: not known. `value` is held.
    std::size_t find(char32_t value, Symbol* tokens) const noexcept {
        const std::uint64_t known = place(value).load(std::memory_order_relaxed);
        if (known == 0) return 0;
        const std::uint64_t first_end = known >> kIdBits & 3U;
        tokens[0] = {static_cast<std::int32_t>(known & kIdMask), static_cast<std::uint32_t>(first_end)};
        if (first_end == kBytes) return 1;
        tokens[1] = {static_cast<std::int32_t>(known >> (kIdBits + 2)), kBytes};
        return 2;
    }
    void put(char32_t value, std::span<const Symbol> tokens) noexcept {
        if (tokens.empty() || tokens.size() > kMaxTokens || tokens.back().end != kBytes) return;
        std::uint64_t known = static_cast<std::uint64_t>(tokens[0].id) | (static_cast<std::uint64_t>(tokens[0].end) << kIdBits);
        if (tokens.size() == 2) known |= static_cast<std::uint64_t>(tokens[1].id) << (kIdBits + 2);
        place(value).store(known, std::memory_order_relaxed);
    }

  private:
    static constexpr char32_t kFirst = 0x3000, kLimit = 0xA000;
    static constexpr unsigned kIdBits = 22;
    static constexpr std::uint64_t kIdMask = (std::uint64_t{1} << kIdBits) - 1;
    static_assert(kMaxTokenId <= (std::int64_t{1} << kIdBits));

    std::atomic_ref<std::uint64_t> place(char32_t value) const noexcept { return std::atomic_ref(places_[value - kFirst]); }

    ZeroedArray<std::uint64_t> places_;  // 0: not known, which no tokens are: an end is not 0
};

}  // namespace rag::core
