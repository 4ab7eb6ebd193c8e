// The tokens of short pieces that were met before: 24 of 25 words of English text (one place a piece would lose twice as many;
// who is lost is searched for in half a microsecond). A piece has two places side by side, and a new one takes the place that was
// written less often: 2 * kPairs places of 64 bytes, 4 MiB a model and never more, of which only what is used is memory. Pairs
// lie far apart, so a caller that knows its next pieces makes their keys first and has them fetched (expect()) while it works on
// others. Any number of threads: each place has a version, odd while it is being written; who reads one that changes meanwhile
// finds nothing, who cannot write at once leaves it (Boehm 2012, "Can seqlocks get along with programming language memory
// models?").
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
    static constexpr std::size_t kPairs = 1U << 15;
    static constexpr std::size_t kMaxBytes = 24;  // of a piece
    static constexpr std::size_t kMaxTokens = 8;
    using Tokens = std::array<Symbol, kMaxTokens>;

    /// A piece as the cache keeps it: filled up with zeros, and its length.
    class Key {
      public:
        Key() = default;
        explicit Key(std::string_view piece) noexcept { assign(piece); }
        /// A piece that is too long has a key that nothing is found for. In place: to copy a key that was just written means to
        /// wait for it.
        void assign(std::string_view piece) noexcept;

      private:
        friend class PieceCache;
        std::array<std::uint64_t, kMaxBytes / 8> words{};
        std::uint32_t size = 0;  // 0: empty or too long
        std::uint32_t pair = 0;
    };

    PieceCache();
    /// Has the memory at hand when find() comes for the piece.
    void expect(const Key& piece) const noexcept {
        __builtin_prefetch(&pairs_[piece.pair].places[0]);
        __builtin_prefetch(&pairs_[piece.pair].places[1]);
    }
    /// Fills `tokens` and returns how many; 0 if the piece is not known.
    std::size_t find(const Key& piece, Tokens& tokens) const noexcept;
    std::size_t find(std::string_view piece, Tokens& tokens) const noexcept { return find(Key(piece), tokens); }
    /// Pieces or results that are too long are not kept.
    void put(const Key& piece, std::span<const Symbol> tokens) noexcept;
    void put(std::string_view piece, std::span<const Symbol> tokens) noexcept { put(Key(piece), tokens); }

  private:
    static constexpr std::size_t kKeyWords = kMaxBytes / 8;
    static constexpr std::size_t kTokenWords = kMaxTokens / 2;
    // Plain numbers, read and written through std::atomic_ref only: so memory that the system has cleared is an empty cache, and
    // none of it is touched before it is used.
    struct alignas(64) Place {
        std::uint64_t version;  // above the lower 16 bits, which are the sizes of key and result
        std::array<std::uint64_t, kKeyWords> key;
        std::array<std::uint64_t, kTokenWords> tokens;
    };
    struct alignas(128) Pair {
        std::array<Place, 2> places;
    };
    struct Free {
        void operator()(void* memory) const noexcept;
    };
    static std::size_t find_in(Place& place, const Key& piece, Tokens& tokens) noexcept;

    std::unique_ptr<void, Free> memory_;
    Pair* pairs_;  // in memory_
};

}  // namespace rag::core
