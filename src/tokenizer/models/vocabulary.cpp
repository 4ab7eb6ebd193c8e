#include "tokenizer/models/vocabulary.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "tokenizer/models/model.hpp"

namespace rag::core {
namespace {
constexpr std::size_t kMaxArena = std::size_t{1} << 30;
}

void Vocabulary::reserve(std::size_t count) {
    std::size_t capacity = slots_.size();
    while (capacity / 4 * 3 < count) capacity *= 2;
    if (capacity > slots_.size()) grow(capacity);
    by_id_.reserve(std::min<std::size_t>(count, kMaxTokenId));
}

void Vocabulary::grow(std::size_t capacity) {
    std::vector<Slot> old(capacity);
    old.swap(slots_);
    mask_ = capacity - 1;
    for (const Slot& slot : old) {
        if (slot.id < 0) continue;
        std::size_t at = slot.hash & mask_;
        while (slots_[at].id >= 0) at = (at + 1) & mask_;
        slots_[at] = slot;
    }
}

void Vocabulary::add(std::string_view token, std::int64_t id, std::uint32_t hash) {
    if (id < 0 || id >= kMaxTokenId) {
        fail(Code::kCorrupt, "token {} has id {}, outside 0 to {}", quote(token), id, kMaxTokenId - 1);
    }
    if (token.size() > kMaxArena - arena_.size()) fail(Code::kCorrupt, "a vocabulary of more than {} bytes", kMaxArena);
    if (size_ + 1 > slots_.size() / 4 * 3) grow(slots_.size() * 2);
    std::size_t at = hash & mask_;
    while (slots_[at].id >= 0) {
        const Slot& slot = slots_[at];
        if (slot.hash == hash && slot.length == token.size() && equals(slot, token)) break;
        at = (at + 1) & mask_;
    }
    Slot& slot = slots_[at];
    if (slot.id < 0) {
        slot = {hash, 0, static_cast<std::uint32_t>(arena_.size()), static_cast<std::uint32_t>(token.size())};
        arena_ += token;
        ++size_;
    } else {
        unique_ = false;
    }
    slot.id = static_cast<std::int32_t>(id);
    const auto index = static_cast<std::size_t>(id);
    if (index >= by_id_.size()) by_id_.resize(index + 1);
    unique_ = unique_ && by_id_[index].length == kNoToken;
    longest_ = std::max(longest_, token.size());
    by_id_[index] = {slot.offset, slot.length};
}

std::optional<std::string_view> Vocabulary::token(std::int32_t id) const noexcept {
    if (id < 0 || static_cast<std::size_t>(id) >= by_id_.size()) return std::nullopt;
    const Place& place = by_id_[static_cast<std::size_t>(id)];
    if (place.length == kNoToken) return std::nullopt;
    return std::string_view(arena_).substr(place.offset, place.length);
}

}  // namespace rag::core
