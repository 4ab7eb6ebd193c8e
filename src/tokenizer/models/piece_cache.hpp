// The tokens of short pieces that were met before: nine of ten words of English text. One place a piece, so what came last stays:
// kPlaces places of 64 bytes, 2 MiB a model, and never more. Places lie far apart, so a caller that knows its next pieces makes
// their keys first and has their places fetched (expect()) while it works on others. Any number of threads: each place has a
// version, odd while it is being written; who reads one that changes meanwhile finds nothing, who cannot write at once leaves it
// (Boehm 2012, "Can seqlocks get along with programming language memory models?").
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
    static constexpr std::size_t kPlaces = 1U << 15;
    static constexpr std::size_t kMaxBytes = 24;  // of a piece
    static constexpr std::size_t kMaxTokens = 8;
    using Tokens = std::array<Symbol, kMaxTokens>;

    /// A piece as the cache keeps it: filled up with zeros, and its length.
    class Key {
      public:
        Key() = default;
        /// A piece that is too long has a key that nothing is found for.
        explicit Key(std::string_view piece) noexcept;

      private:
        friend class PieceCache;
        std::array<std::uint64_t, kMaxBytes / 8> words{};
        std::uint32_t size = 0;  // 0: empty or too long
        std::uint32_t place = 0;
    };

    PieceCache() : places_(std::make_unique<Place[]>(kPlaces)) {}
    /// Has the memory at hand when find() comes for the piece.
    void expect(const Key& piece) const noexcept { __builtin_prefetch(&places_[piece.place]); }
    /// Fills `tokens` and returns how many; 0 if the piece is not known.
    std::size_t find(const Key& piece, Tokens& tokens) const noexcept;
    std::size_t find(std::string_view piece, Tokens& tokens) const noexcept { return find(Key(piece), tokens); }
    /// Pieces or results that are too long are not kept.
    void put(const Key& piece, std::span<const Symbol> tokens) noexcept;
    void put(std::string_view piece, std::span<const Symbol> tokens) noexcept { put(Key(piece), tokens); }

  private:
    static constexpr std::size_t kKeyWords = kMaxBytes / 8;
    static constexpr std::size_t kTokenWords = kMaxTokens / 2;
    struct alignas(64) Place {
        std::atomic<std::uint64_t> version{0};  // above the lower 16 bits, which are the sizes of key and result
        std::array<std::atomic<std::uint64_t>, kKeyWords> key{};
        std::array<std::atomic<std::uint64_t>, kTokenWords> tokens{};
    };

    std::unique_ptr<Place[]> places_;
};

}  // namespace rag::core
