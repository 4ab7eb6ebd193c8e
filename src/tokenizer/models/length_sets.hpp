// Which lengths the tokens have that begin with certain bytes: who looks for the longest token that a text begins with asks a
// vocabulary's table for these lengths only. Of published WordPiece vocabularies that is two to three look-ups a token, and this
// is made in a tenth of the time of a trie. An answer may name a length too many (beginnings are hashed), never one too few.
// Built by one thread, then immutable.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace rag::core {

class LengthSets {
  public:
    static constexpr std::size_t kMostBytes = 64;  // of a token

    LengthSets() : sets_(std::size_t{1} << kBits) {}

    /// A token of 1 to kMostBytes bytes.
    void add(std::string_view token) noexcept {
        const std::uint64_t bit = std::uint64_t{1} << (token.size() - 1);
        if (token.size() < kStart) {
            short_[static_cast<unsigned char>(token[0])] |= static_cast<std::uint8_t>(bit);
        } else {
            sets_[place(token)] |= bit;
        }
    }
    /// Bit n - 1 is set: `text`, which is not empty, may begin with a token of n bytes.
    std::uint64_t lengths(std::string_view text) const noexcept {
        std::uint64_t set = short_[static_cast<unsigned char>(text[0])];
        if (text.size() >= kStart) set |= sets_[place(text)];
        return text.size() >= kMostBytes ? set : set & ((std::uint64_t{1} << text.size()) - 1);
    }

  private:
    static constexpr std::size_t kStart = 3;  // bytes that tell beginnings apart
    static constexpr unsigned kBits = 12;
    static std::size_t place(std::string_view text) noexcept {
        const auto byte = [&](std::size_t at) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[at])); };
        return ((byte(0) << 16 | byte(1) << 8 | byte(2)) * 0x9E3779B1U) >> (32 - kBits);
    }

    std::array<std::uint8_t, 256> short_{};  // tokens of less than kStart bytes, by the first
    std::vector<std::uint64_t> sets_;        // the others, by the hash of kStart bytes
};

}  // namespace rag::core
