#include "tokenizer/models/merge_table.hpp"

#include <algorithm>
#include <functional>

namespace rag::core {
namespace {

// Up to here a scan for the lowest rank beats a heap (measured on English and Chinese text).
constexpr std::size_t kShort = 40;
constexpr std::uint32_t kEnd = 0xFFFFFFFFU;
constexpr std::size_t kKeptSymbols = 1U << 16;

std::uint64_t heap_entry(std::uint32_t rank, std::uint32_t at) {
    return (static_cast<std::uint64_t>(rank) << 32) | at;
}

}  // namespace

void MergeScratch::shrink() {
    if (symbols.capacity() > kKeptSymbols) *this = MergeScratch();
}

void MergeTable::reserve(std::size_t count) {
    unsigned bits = 64 - shift_;
    while ((std::size_t{1} << bits) / 2 < count) ++bits;
    if (bits > 64 - shift_) grow(bits);
    pairs_.reserve(count);
    merged_.reserve(count);
}

void MergeTable::grow(unsigned bits) {
    const std::size_t size = std::size_t{1} << bits;
    places_.assign(size, kNone);
    mask_ = size - 1;
    shift_ = 64 - bits;
    filter_.assign((size << kFilterBits) / 64, 0);
    for (std::uint32_t number = 0; number < pairs_.size(); ++number) {
        const std::uint64_t key = pair_key(pairs_[number].left, pairs_[number].right);
        std::size_t at = place(key);
        while (places_[at] != kNone) at = (at + 1) & mask_;
        places_[at] = number;
        set_filter(key);
    }
}

void MergeTable::add(std::int32_t left, std::int32_t right, std::int32_t merged) {
    merged_.push_back(merged);
    put(left, right, static_cast<std::uint32_t>(merged_.size() - 1));
}

void MergeTable::put(std::int32_t left, std::int32_t right, std::uint32_t rank) {
    if (pairs_.size() + 1 > places_.size() / 2) grow(64 - shift_ + 1);
    const std::uint64_t key = pair_key(left, right);
    std::size_t at = place(key);
    for (; places_[at] != kNone; at = (at + 1) & mask_) {
        Pair& pair = pairs_[places_[at]];
        if (pair.left != left || pair.right != right) continue;
        pair.rank = rank;
        return;
    }
    places_[at] = static_cast<std::uint32_t>(pairs_.size());
    pairs_.push_back({left, right, rank});
    set_filter(key);
}

void MergeTable::merge(MergeScratch& scratch) const {
    if (scratch.symbols.size() < 2) return;
    if (scratch.symbols.size() <= kShort) {
        merge_short(scratch, nullptr);
    } else {
        merge_long(scratch, nullptr);
    }
}

void MergeTable::merge(MergeScratch& scratch, std::vector<Merge>& done) const {
    if (scratch.symbols.empty()) return;
    if (scratch.symbols.size() <= kShort) {
        merge_short(scratch, &done);
    } else {
        merge_long(scratch, &done);
    }
}

void MergeTable::merge_short(MergeScratch& scratch, std::vector<Merge>* done) const {
    Symbol* const symbols = scratch.symbols.data();
    std::uint32_t ranks[kShort];
    std::size_t pairs = scratch.symbols.size() - 1;
    for (std::size_t i = 0; i < pairs; ++i) expect(symbols[i].id, symbols[i + 1].id);
    for (std::size_t i = 0; i < pairs; ++i) ranks[i] = rank(symbols[i].id, symbols[i + 1].id);
    while (pairs > 0) {
        std::size_t best = 0;
        for (std::size_t i = 1; i < pairs; ++i) best = ranks[i] < ranks[best] ? i : best;
        if (ranks[best] == kNoRank) break;
        const std::int32_t merged = merged_[ranks[best]];
        if (done != nullptr) done->push_back({symbols[best].id, symbols[best + 1].id, merged, ranks[best]});
        symbols[best] = {merged, symbols[best + 1].end};
        for (std::size_t i = best + 1; i < pairs; ++i) {
            symbols[i] = symbols[i + 1];
            ranks[i - 1] = ranks[i];
        }
        --pairs;
        if (best > 0) ranks[best - 1] = rank(symbols[best - 1].id, symbols[best].id);
        if (best < pairs) ranks[best] = rank(symbols[best].id, symbols[best + 1].id);
    }
    scratch.symbols.resize(pairs + 1);
}

void MergeTable::merge_long(MergeScratch& scratch, std::vector<Merge>* done) const {
    auto& [symbols, ranks, next, previous, heap] = scratch;
    const auto count = static_cast<std::uint32_t>(symbols.size());
    ranks.assign(count, kNoRank);
    next.resize(count);
    previous.resize(count);
    heap.clear();
    for (std::uint32_t i = 0; i < count; ++i) {
        next[i] = i + 1 < count ? i + 1 : kEnd;
        previous[i] = i > 0 ? i - 1 : kEnd;
        if (i + 1 == count) break;
        ranks[i] = rank(symbols[i].id, symbols[i + 1].id);
        if (ranks[i] != kNoRank) heap.push_back(heap_entry(ranks[i], i));
    }
    const auto later = std::greater<>();
    std::make_heap(heap.begin(), heap.end(), later);
    const auto update = [&](std::uint32_t at) {
        ranks[at] = next[at] == kEnd ? kNoRank : rank(symbols[at].id, symbols[next[at]].id);
        if (ranks[at] == kNoRank) return;
        heap.push_back(heap_entry(ranks[at], at));
        std::push_heap(heap.begin(), heap.end(), later);
    };
    while (!heap.empty()) {
        const std::uint64_t top = heap.front();
        std::pop_heap(heap.begin(), heap.end(), later);
        heap.pop_back();
        const auto at = static_cast<std::uint32_t>(top);
        if (ranks[at] != static_cast<std::uint32_t>(top >> 32)) continue;  // the pair has changed since
        const std::uint32_t right = next[at];
        const std::int32_t merged = merged_[ranks[at]];
        if (done != nullptr) done->push_back({symbols[at].id, symbols[right].id, merged, ranks[at]});
        symbols[at] = {merged, symbols[right].end};
        ranks[right] = kNoRank;
        next[at] = next[right];
        if (next[at] != kEnd) previous[next[at]] = at;
        update(at);
        if (previous[at] != kEnd) update(previous[at]);
    }
    std::size_t kept = 0;
    for (std::uint32_t at = 0; at != kEnd; at = next[at]) symbols[kept++] = symbols[at];
    symbols.resize(kept);
}

}  // namespace rag::core
