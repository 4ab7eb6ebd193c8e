// Between which two characters of a text a BPE merge can join anything at all. Where none can, the text may be cut and its parts
// encoded alone (merge_search.hpp says why). Measured on Chinese text: in byte-level vocabularies of 128 to 151 thousand tokens
// no merge crosses 63 to 86 of 100 borders between two Han characters, so that a part is 1.1 to 1.6 characters, nearly always
// one that was met before. In sentences of languages with spaces the cuts lie at the spaces.
// An answer may be yes where it could be no (bits are hashed), never the other way round. Built by one thread, then immutable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tokenizer/models/hashed_bits.hpp"

namespace rag::core {

class CharacterBorders {
  public:
    /// What a token shows at one end: a character; part of one (bytes only); or nothing that stands at a border this knows of.
    using End = std::uint32_t;

    /// `bytes`: symbols are bytes, and only borders of two characters of three bytes (U+0800 to U+FFFF) are known: the others may
    /// be crossed. Else symbols are characters. `merges`: how many will be added.
    CharacterBorders(bool bytes, std::size_t merges);

    /// The last and the first character of a token that is not empty.
    End end_of(std::string_view token) const;
    End begin_of(std::string_view token) const;
    /// A merge of a token that ends so with one that begins so.
    void add(End left, End right);
    /// Behind the last add().
    void finish() { pairs_.fold(); }

    /// False: no merge joins anything across the border of these two characters.
    bool may_cross(char32_t before, char32_t behind) const noexcept {
        if (bytes_) {
            if (!has_three_bytes(before) || !has_three_bytes(behind)) return true;
            if (bit(open_behind_, before) || bit(open_before_, behind)) return true;
        }
        return pairs_.may_have(hash(before, behind));
    }

  private:
    // An End is a code point, kNone, or kPart and the one or two bytes of a character, the last one lowest, of two with
    // kTwoBytes.
    static constexpr End kNone = 0xFFFFFFFF, kPart = 0x80000000, kTwoBytes = 0x10000;
    using Bits = std::vector<std::uint64_t>;

    static End part_of(std::string_view bytes);
    static bool has_three_bytes(char32_t value) noexcept { return value >= 0x800 && value < 0x10000; }
    static bool bit(const Bits& bits, std::uint64_t at) noexcept { return (bits[at / 64] >> (at % 64) & 1U) != 0; }
    static void set(Bits& bits, std::uint64_t at) noexcept { bits[at / 64] |= std::uint64_t{1} << (at % 64); }
    static std::uint64_t hash(char32_t before, char32_t behind) noexcept {
        constexpr unsigned kCharacterBits = 21;
        return ((static_cast<std::uint64_t>(before) << kCharacterBits) | behind) * 0x9E3779B97F4A7C15U;
    }
    void open_all_that_end_in(End part);

    bool bytes_;
    HashedBits pairs_;  // by both characters
    // By code point, for characters that only part of takes part in a merge: rare, so all borders on that side count as crossed.
    Bits open_behind_, open_before_;
    Bits opened_;  // parts that open_all_that_end_in() has seen
};

}  // namespace rag::core
