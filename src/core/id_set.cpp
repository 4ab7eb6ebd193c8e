#include "core/id_set.hpp"

#include <roaring/roaring.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "core/error.hpp"

namespace rag::core {
namespace {

constexpr std::uint64_t kSign = std::uint64_t{1} << 63;
constexpr std::uint64_t kLow = 0xffffffffU;
constexpr std::uint64_t kLargestRange = std::uint64_t{1} << 40;

/// Unsigned numbers in the order of the ids.
std::uint64_t ordered(std::int64_t id) noexcept {
    return static_cast<std::uint64_t>(id) ^ kSign;
}
std::int64_t id_of(std::uint64_t value) noexcept {
    return static_cast<std::int64_t>(value ^ kSign);
}

struct Free {
    void operator()(roaring_bitmap_t* bitmap) const noexcept { roaring_bitmap_free(bitmap); }
};
using Bitmap = std::unique_ptr<roaring_bitmap_t, Free>;

Bitmap owned(roaring_bitmap_t* bitmap) {
    if (bitmap == nullptr) fail(Code::kOutOfMemory, "a set of ids needs more memory than there is");
    return Bitmap(bitmap);
}

}  // namespace

struct IdSet::Part {
    std::uint64_t high;
    Bitmap bitmap;
};

IdSet::IdSet() = default;
IdSet::~IdSet() = default;
IdSet::IdSet(IdSet&&) noexcept = default;
IdSet& IdSet::operator=(IdSet&&) noexcept = default;

IdSet::IdSet(std::span<const std::int64_t> ids) {
    std::vector<std::uint64_t> values;
    values.reserve(ids.size());
    for (const std::int64_t id : ids) values.push_back(ordered(id));
    if (!std::is_sorted(values.begin(), values.end())) std::sort(values.begin(), values.end());
    std::vector<std::uint32_t> low;
    for (std::size_t at = 0; at < values.size();) {
        const std::uint64_t high = values[at] >> 32;
        low.clear();
        for (; at < values.size() && values[at] >> 32 == high; ++at) low.push_back(static_cast<std::uint32_t>(values[at] & kLow));
        parts_.push_back({high, owned(roaring_bitmap_of_ptr(low.size(), low.data()))});
    }
    settle();
}

IdSet IdSet::range(std::int64_t first, std::int64_t last) {
    IdSet set;
    if (last < first) return set;
    const std::uint64_t begin = ordered(first);
    const std::uint64_t end = ordered(last);
    if (end - begin >= kLargestRange) fail(Code::kInvalidArgument, "a range of ids from {} to {} is too long", first, last);
    for (std::uint64_t high = begin >> 32; high <= end >> 32; ++high) {
        const std::uint64_t from = high == begin >> 32 ? begin & kLow : 0;
        const std::uint64_t to = high == end >> 32 ? end & kLow : kLow;
        set.parts_.push_back({high, owned(roaring_bitmap_from_range(from, to + 1, 1))});
    }
    set.settle();
    return set;
}

IdSet IdSet::intersection(const IdSet& a, const IdSet& b) {
    IdSet set;
    auto right = b.parts_.begin();
    for (const Part& left : a.parts_) {
        while (right != b.parts_.end() && right->high < left.high) ++right;
        if (right == b.parts_.end()) break;
        if (right->high != left.high) continue;
        set.parts_.push_back({left.high, owned(roaring_bitmap_and(left.bitmap.get(), right->bitmap.get()))});
    }
    set.settle();
    return set;
}

IdSet IdSet::difference(const IdSet& a, const IdSet& b) {
    IdSet set;
    auto right = b.parts_.begin();
    for (const Part& left : a.parts_) {
        while (right != b.parts_.end() && right->high < left.high) ++right;
        const bool both = right != b.parts_.end() && right->high == left.high;
        set.parts_.push_back({left.high, owned(both ? roaring_bitmap_andnot(left.bitmap.get(), right->bitmap.get())
                                                    : roaring_bitmap_copy(left.bitmap.get()))});
    }
    set.settle();
    return set;
}

/// Counts, drops what is empty, and lays the bits out flat where that takes at most 64 bits an id.
void IdSet::settle() {
    std::erase_if(parts_, [](const Part& part) { return roaring_bitmap_is_empty(part.bitmap.get()); });
    for (const Part& part : parts_) {
        roaring_bitmap_run_optimize(part.bitmap.get());
        size_ += roaring_bitmap_get_cardinality(part.bitmap.get());
        bytes_ += sizeof(Part) + roaring_bitmap_size_in_bytes(part.bitmap.get());
    }
    if (parts_.empty()) return;
    const std::uint64_t least = parts_.front().high << 32 | roaring_bitmap_minimum(parts_.front().bitmap.get());
    const std::uint64_t most = parts_.back().high << 32 | roaring_bitmap_maximum(parts_.back().bitmap.get());
    first_ = id_of(least);
    if ((most - least) / 64 >= size_) return;
    bits_.resize((most - least) / 64 + 1);
    bytes_ += bits_.size() * sizeof(std::uint64_t);
    struct Target {
        std::uint64_t* bits;
        std::uint64_t offset;  // of the part's first possible id from the least one; wraps for the first part
    };
    for (const Part& part : parts_) {
        Target target{bits_.data(), (part.high << 32) - least};
        roaring_iterate(
            part.bitmap.get(),
            [](std::uint32_t low, void* data) {
                const auto& to = *static_cast<const Target*>(data);
                const std::uint64_t at = to.offset + low;
                to.bits[at / 64] |= std::uint64_t{1} << (at % 64);
                return true;
            },
            &target);
    }
}

bool IdSet::contains_sparse(std::int64_t id) const noexcept {
    const std::uint64_t value = ordered(id);
    const auto part = std::lower_bound(parts_.begin(), parts_.end(), value >> 32,
                                       [](const Part& p, std::uint64_t high) { return p.high < high; });
    return part != parts_.end() && part->high == value >> 32 &&
           roaring_bitmap_contains(part->bitmap.get(), static_cast<std::uint32_t>(value & kLow));
}

std::size_t IdSet::count(std::int64_t first, std::int64_t last) const noexcept {
    if (last < first) return 0;
    const std::uint64_t begin = ordered(first);
    const std::uint64_t end = ordered(last);
    std::size_t found = 0;
    for (const Part& part : parts_) {
        if (part.high < begin >> 32 || part.high > end >> 32) continue;
        const std::uint64_t from = part.high == begin >> 32 ? begin & kLow : 0;
        const std::uint64_t to = part.high == end >> 32 ? end & kLow : kLow;
        found += roaring_bitmap_rank(part.bitmap.get(), static_cast<std::uint32_t>(to));
        if (from > 0) found -= roaring_bitmap_rank(part.bitmap.get(), static_cast<std::uint32_t>(from - 1));
    }
    return found;
}

std::vector<std::int64_t> IdSet::ids() const {
    std::vector<std::int64_t> out;
    out.reserve(size_);
    std::vector<std::uint32_t> low;
    for (const Part& part : parts_) {
        low.resize(roaring_bitmap_get_cardinality(part.bitmap.get()));
        roaring_bitmap_to_uint32_array(part.bitmap.get(), low.data());
        for (const std::uint32_t value : low) out.push_back(id_of(part.high << 32 | value));
    }
    return out;
}

std::vector<std::int64_t> IdSet::ids(std::int64_t first, std::int64_t last) const {
    std::vector<std::int64_t> out;
    if (last < first) return out;
    out.reserve(count(first, last));
    const std::uint64_t begin = ordered(first);
    const std::uint64_t end = ordered(last);
    for (const Part& part : parts_) {
        if (part.high < begin >> 32 || part.high > end >> 32) continue;
        const std::uint64_t to = part.high == end >> 32 ? end & kLow : kLow;
        roaring_uint32_iterator_t at;
        roaring_init_iterator(part.bitmap.get(), &at);
        if (part.high == begin >> 32) roaring_move_uint32_iterator_equalorlarger(&at, static_cast<std::uint32_t>(begin & kLow));
        std::array<std::uint32_t, 256> values;
        while (at.has_value) {
            const std::uint32_t taken = roaring_read_uint32_iterator(&at, values.data(), values.size());
            for (std::uint32_t i = 0; i < taken && values[i] <= to; ++i) out.push_back(id_of(part.high << 32 | values[i]));
            if (taken > 0 && values[taken - 1] > to) break;
        }
    }
    return out;
}

}  // namespace rag::core
