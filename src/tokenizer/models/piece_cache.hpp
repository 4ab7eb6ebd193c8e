// The tokens of short pieces that were met before: nine of ten words of English text. One place a piece, so what came last stays:
// kPlaces places of 64 bytes, 1 MiB a model, and never more. Any number of threads: each place has a version, odd while it is
// being written; who reads one that changes meanwhile finds nothing, who cannot write at once leaves it (Boehm 2012, "Can
// seqlocks get along with programming language memory models?").
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "tokenizer/models/merge_table.hpp"

namespace rag::core {

class PieceCache {
  public:
    static constexpr std::size_t kPlaces = 1U << 14;
    static constexpr std::size_t kMaxBytes = 24;  // of a piece
    static constexpr std::size_t kMaxTokens = 8;
    using Tokens = std::array<Symbol, kMaxTokens>;

    PieceCache() : places_(std::make_unique<Place[]>(kPlaces)) {}
    /// Fills `tokens` and returns how many; 0 if the piece is not known or is longer than kMaxBytes.
    std::size_t find(std::string_view piece, Tokens& tokens) const noexcept;
    /// Pieces or results that are too long are not kept.
    void put(std::string_view piece, std::span<const Symbol> tokens) noexcept;

  private:
    static constexpr std::size_t kKeyWords = kMaxBytes / 8;
    static constexpr std::size_t kTokenWords = kMaxTokens / 2;
    using Key = std::array<std::uint64_t, kKeyWords>;
    struct alignas(64) Place {
        std::atomic<std::uint64_t> version{0};  // above the lower 16 bits, which are the sizes of key and result
        std::array<std::atomic<std::uint64_t>, kKeyWords> key{};
        std::array<std::atomic<std::uint64_t>, kTokenWords> tokens{};
    };
    static Key key_of(std::string_view piece) noexcept;

    std::unique_ptr<Place[]> places_;
};

}  // namespace rag::core
