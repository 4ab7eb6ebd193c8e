#include "tokenizer/models/piece_cache.hpp"

#include <cstring>

#include "tokenizer/models/model.hpp"
#include "tokenizer/models/vocabulary.hpp"

namespace rag::core {
namespace {

constexpr std::uint64_t kOdd = 1U << 16;    // being written
constexpr std::uint64_t kSizes = kOdd - 1;  // bytes of the piece in the lower 8 bits, tokens above
constexpr std::uint64_t kNext = 2 * kOdd;   // from one version to the next
constexpr unsigned kEndBits = 5;            // of a token: id, and where it ends in the piece
static_assert(PieceCache::kMaxBytes < (1U << kEndBits) && (kMaxTokenId << kEndBits) <= (std::int64_t{1} << 32));

std::uint64_t sizes_of(std::size_t bytes, std::size_t tokens) {
    return bytes | (tokens << 8);
}
std::uint64_t packed(const Symbol& token) {
    return (static_cast<std::uint64_t>(token.id) << kEndBits) | token.end;
}
Symbol unpacked(std::uint64_t half) {
    const auto value = static_cast<std::uint32_t>(half);
    return {static_cast<std::int32_t>(value >> kEndBits), value & ((1U << kEndBits) - 1)};
}

}  // namespace

PieceCache::Key PieceCache::key_of(std::string_view piece) noexcept {
    Key key{};
    std::memcpy(key.data(), piece.data(), piece.size());
    return key;
}

std::size_t PieceCache::find(std::string_view piece, Tokens& tokens) const noexcept {
    if (piece.size() > kMaxBytes) return 0;
    const Place& place = places_[hash_bytes(piece) % kPlaces];
    const std::uint64_t version = place.version.load(std::memory_order_acquire);
    if ((version & 0xFF) != piece.size() || (version & kOdd) != 0) return 0;
    const Key key = key_of(piece);
    bool equal = true;
    for (std::size_t i = 0; i < kKeyWords; ++i) equal = equal && place.key[i].load(std::memory_order_acquire) == key[i];
    if (!equal) return 0;
    const std::size_t count = (version & kSizes) >> 8;
    for (std::size_t i = 0; i < count; i += 2) {
        const std::uint64_t pair = place.tokens[i / 2].load(std::memory_order_acquire);
        tokens[i] = unpacked(pair);
        tokens[i + 1] = unpacked(pair >> 32);
    }
    return place.version.load(std::memory_order_relaxed) == version ? count : 0;
}

void PieceCache::put(std::string_view piece, std::span<const Symbol> tokens) noexcept {
    if (piece.empty() || piece.size() > kMaxBytes || tokens.empty() || tokens.size() > kMaxTokens) return;
    Place& place = places_[hash_bytes(piece) % kPlaces];
    std::uint64_t version = place.version.load(std::memory_order_relaxed);
    if ((version & kOdd) != 0) return;
    if (!place.version.compare_exchange_strong(version, version | kOdd, std::memory_order_acq_rel)) return;
    const Key key = key_of(piece);
    for (std::size_t i = 0; i < kKeyWords; ++i) place.key[i].store(key[i], std::memory_order_release);
    for (std::size_t i = 0; i < tokens.size(); i += 2) {
        const std::uint64_t second = i + 1 < tokens.size() ? packed(tokens[i + 1]) : 0;
        place.tokens[i / 2].store(packed(tokens[i]) | (second << 32), std::memory_order_release);
    }
    const std::uint64_t next = (version & ~kSizes) + kNext;
    place.version.store(next | sizes_of(piece.size(), tokens.size()), std::memory_order_release);
}

}  // namespace rag::core
