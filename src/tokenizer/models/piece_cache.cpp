#include "tokenizer/models/piece_cache.hpp"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>

#include "tokenizer/models/model.hpp"

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

template <std::size_t kCount>
std::atomic_ref<std::uint64_t> word(std::array<std::uint64_t, kCount>& words, std::size_t i) {
    return std::atomic_ref(words[i]);
}

}  // namespace

// calloc() leaves large memory to the system, which clears it when it is touched.
PieceCache::PieceCache() : memory_(std::calloc(kPairs + 1, sizeof(Pair))) {
    if (memory_ == nullptr) throw std::bad_alloc();
    const auto address = reinterpret_cast<std::uintptr_t>(memory_.get());
    pairs_ = reinterpret_cast<Pair*>((address + alignof(Pair) - 1) / alignof(Pair) * alignof(Pair));
}

void PieceCache::Free::operator()(void* memory) const noexcept {
    std::free(memory);
}

// The last bytes are read once more with those before them, and moved: no loop and no call for the sizes that words have.
void PieceCache::Key::assign(std::string_view piece) noexcept {
    const std::size_t count = piece.size();
    size = 0;
    pair = 0;
    if (count - 1 >= kMaxBytes) return;  // 0 too
    const auto load = [&]<typename Word>(Word, std::size_t at) {
        Word word;
        std::memcpy(&word, piece.data() + at, sizeof word);
        return static_cast<std::uint64_t>(word);
    };
    const auto last = [&](std::size_t behind) {  // the bytes from `behind`, one to eight, the only ones left
        return load(std::uint64_t{}, count - 8) >> (8 * (8 - (count - behind)));
    };
    std::uint64_t first = 0, second = 0, third = 0;
    if (count > 16) {
        first = load(std::uint64_t{}, 0);
        second = load(std::uint64_t{}, 8);
        third = last(16);
    } else if (count > 8) {
        first = load(std::uint64_t{}, 0);
        second = last(8);
    } else if (count >= 4) {
        first = load(std::uint32_t{}, 0) | (load(std::uint32_t{}, count - 4) << (8 * (count - 4)));
    } else {
        for (std::size_t i = 0; i < count; ++i) first |= load(std::uint8_t{}, i) << (8 * i);
    }
    words = {first, second, third};
    size = static_cast<std::uint32_t>(count);
    constexpr std::uint64_t kMultiplier = 0x9E3779B97F4A7C15U;
    std::uint64_t hash = (first ^ (second >> 29) ^ (third << 7) ^ count) * kMultiplier;
    hash = (hash ^ (hash >> 32) ^ second ^ (third >> 17)) * kMultiplier;
    pair = static_cast<std::uint32_t>(hash >> 32) % kPairs;
}

std::size_t PieceCache::find_in(Place& place, const Key& piece, Tokens& tokens) noexcept {
    const std::atomic_ref place_version(place.version);
    const std::uint64_t version = place_version.load(std::memory_order_acquire);
    if ((version & 0xFF) != piece.size || (version & kOdd) != 0) return 0;
    std::uint64_t different = 0;
    for (std::size_t i = 0; i < kKeyWords; ++i) different |= word(place.key, i).load(std::memory_order_acquire) ^ piece.words[i];
    if (different != 0) return 0;
    const std::size_t count = (version & kSizes) >> 8;
    for (std::size_t i = 0; i < count; i += 2) {
        const std::uint64_t both = word(place.tokens, i / 2).load(std::memory_order_acquire);
        tokens[i] = unpacked(both);
        tokens[i + 1] = unpacked(both >> 32);
    }
    return place_version.load(std::memory_order_relaxed) == version ? count : 0;
}

std::size_t PieceCache::find(const Key& piece, Tokens& tokens) const noexcept {
    if (piece.size == 0) return 0;
    auto& [first, second] = pairs_[piece.pair].places;
    const std::size_t count = find_in(first, piece, tokens);
    return count > 0 ? count : find_in(second, piece, tokens);
}

void PieceCache::put(const Key& piece, std::span<const Symbol> tokens) noexcept {
    if (piece.size == 0 || tokens.empty() || tokens.size() > kMaxTokens) return;
    auto& [first, second] = pairs_[piece.pair].places;
    const auto writes = [](Place& place) { return std::atomic_ref(place.version).load(std::memory_order_relaxed) / kNext; };
    Place& place = writes(first) <= writes(second) ? first : second;
    const std::atomic_ref place_version(place.version);
    std::uint64_t version = place_version.load(std::memory_order_relaxed);
    if ((version & kOdd) != 0) return;
    if (!place_version.compare_exchange_strong(version, version | kOdd, std::memory_order_acq_rel)) return;
    for (std::size_t i = 0; i < kKeyWords; ++i) word(place.key, i).store(piece.words[i], std::memory_order_release);
    for (std::size_t i = 0; i < tokens.size(); i += 2) {
        const std::uint64_t behind = i + 1 < tokens.size() ? packed(tokens[i + 1]) : 0;
        word(place.tokens, i / 2).store(packed(tokens[i]) | (behind << 32), std::memory_order_release);
    }
    const std::uint64_t next = (version & ~kSizes) + kNext;
    place_version.store(next | sizes_of(piece.size, tokens.size()), std::memory_order_release);
}

}  // namespace rag::core
