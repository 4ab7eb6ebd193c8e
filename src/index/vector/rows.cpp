#include "index/vector/rows.hpp"

#include <algorithm>
#include <bit>
#include <functional>
#include <limits>

#include "index/vector/kernels.hpp"

namespace rag::core {

Rows::Rows(std::size_t dimension, std::size_t capacity, IdOrder order, RowCodes codes)
    : dimension_(dimension),
      stride_(padded_floats(dimension)),
      ids_(capacity),
      lengths_(capacity),
      dead_((capacity + 63) / 64),
      own_(capacity * stride_),
      vectors_(own_.data()) {
    if (order == IdOrder::kAny) table_.emplace(capacity);
    if (codes == RowCodes::kKept) codes_.emplace(dimension, capacity);
}

Rows::Rows(const Rows& base, std::size_t capacity, IdOrder order, RowCodes codes)
    : dimension_(base.dimension_),
      stride_(base.stride_),
      ids_(capacity),
      lengths_(capacity),
      dead_((capacity + 63) / 64),
      own_(base.own_, base.size() * base.stride_, capacity * base.stride_),
      vectors_(own_.data()) {
    if (order == IdOrder::kAny) table_.emplace(capacity);
    if (codes == RowCodes::kNone) return;
    if (base.codes_) {
        codes_.emplace(*base.codes_, base.size(), capacity);
    } else {
        codes_.emplace(base.dimension_, capacity);
    }
}

Rows::Rows(std::size_t dimension, std::vector<std::int64_t> ids, std::vector<float> lengths, std::span<const std::uint64_t> dead,
           const float* vectors, std::shared_ptr<const void> owner)
    : dimension_(dimension),
      stride_(padded_floats(dimension)),
      ids_(std::move(ids)),
      lengths_(std::move(lengths)),
      dead_(dead.size()),
      vectors_(vectors),
      owner_(std::move(owner)),
      size_(ids_.size()) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < dead.size(); ++i) {
        dead_[i].store(dead[i], std::memory_order_relaxed);
        count += static_cast<std::size_t>(std::popcount(dead[i]));
    }
    dead_count_.store(count, std::memory_order_relaxed);
    if (ids_.empty()) return;
    const auto [least, greatest] = std::minmax_element(ids_.begin(), ids_.end());
    least_id_.store(*least, std::memory_order_relaxed);
    greatest_id_.store(*greatest, std::memory_order_relaxed);
    // Strictly: an id that was removed and came back stands here twice.
    if (std::adjacent_find(ids_.begin(), ids_.end(), std::greater_equal<>()) == ids_.end()) return;
    table_.emplace(ids_.size());
    for (std::size_t row = 0; row < ids_.size(); ++row) table_->insert(ids_[row], static_cast<std::uint32_t>(row));
}

std::uint32_t Rows::find(std::int64_t id) const noexcept {
    const std::size_t count = size();
    if (count == 0 || id < least_id() || id > greatest_id()) return kNoRow;
    if (table_) return table_->find(id, [&](std::uint32_t row) { return ids_[row] == id && !dead(row); });
    const auto end = ids_.begin() + static_cast<std::ptrdiff_t>(count);
    const auto place = std::lower_bound(ids_.begin(), end, id);
    if (place == end || *place != id) return kNoRow;
    const auto row = static_cast<std::uint32_t>(place - ids_.begin());
    return dead(row) ? kNoRow : row;
}

void Rows::find_all(std::span<const std::int64_t> ids, std::vector<std::uint32_t>& rows) const {
    rows.clear();
    if (table_) {
        for (const std::int64_t id : ids) {
            if (const std::uint32_t row = find(id); row != kNoRow) rows.push_back(row);
        }
        return;
    }
    // Both ascend, and no id is passed over twice: an id is at most as many rows ahead as it is larger.
    auto place = ids_.begin();
    const auto end = ids_.begin() + static_cast<std::ptrdiff_t>(size());
    for (const std::int64_t id : ids) {
        if (place == end) return;
        if (id < *place) continue;
        const std::uint64_t larger = static_cast<std::uint64_t>(id) - static_cast<std::uint64_t>(*place);
        const auto ahead = static_cast<std::uint64_t>(end - place);
        const auto limit = larger < ahead ? place + static_cast<std::ptrdiff_t>(larger) : end;
        place = limit != end && *limit == id ? limit : std::lower_bound(place, limit, id);
        if (place == end || *place != id) continue;
        const auto row = static_cast<std::uint32_t>(place - ids_.begin());
        if (!dead(row)) rows.push_back(row);
    }
}

/// Lets readers see the row that was just written behind the last.
void Rows::publish(std::int64_t id) noexcept {
    const std::size_t row = size_.load(std::memory_order_relaxed);
    if (id < least_id()) least_id_.store(id, std::memory_order_relaxed);
    if (id > greatest_id()) greatest_id_.store(id, std::memory_order_relaxed);
    if (table_) table_->insert(id, static_cast<std::uint32_t>(row));
    size_.store(row + 1, std::memory_order_release);
}

void Rows::append(std::int64_t id, const float* values, double factor, float length) noexcept {
    const std::size_t row = size_.load(std::memory_order_relaxed);
    float* to = own_.data() + row * stride_;
    for (std::size_t i = 0; i < dimension_; ++i) to[i] = static_cast<float>(static_cast<double>(values[i]) * factor);
    std::fill(to + dimension_, to + stride_, 0.0F);
    if (codes_) codes_->set(row, to);
    ids_[row] = id;
    lengths_[row] = length;
    publish(id);
}

void Rows::append_copy(const Rows& from, std::size_t row) noexcept {
    const std::size_t at = size_.load(std::memory_order_relaxed);
    if (at * stride_ >= own_.kept()) std::copy_n(from.vector(row), stride_, own_.data() + at * stride_);
    if (codes_ && at >= codes_->kept()) codes_->set(at, from.vector(row));
    ids_[at] = from.id(row);
    lengths_[at] = from.length(row);
    publish(from.id(row));
}

void Rows::make_codes() {
    codes_.emplace(dimension_, capacity());
    for (std::size_t row = 0; row < size(); ++row) codes_->set(row, vector(row));
}

void Rows::kill(std::size_t row) noexcept {
    const std::uint64_t bit = std::uint64_t{1} << (row % 64);
    const std::uint64_t before = dead_[row / 64].fetch_or(bit, std::memory_order_relaxed);
    if ((before & bit) == 0) dead_count_.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace rag::core
