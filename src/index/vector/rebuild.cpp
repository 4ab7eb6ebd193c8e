#include "index/vector/rebuild.hpp"

#include <algorithm>
#include <bit>

namespace rag::core {
namespace {

// A quarter of a millisecond, with the page faults of new memory.
constexpr std::size_t kRowsPerReport = 64;

struct LiveRow {
    std::int64_t id;
    std::uint32_t source;
    std::uint32_t row;
};

}  // namespace

Rebuild::Rebuild(const MergePlan& plan)
    : sources_(plan.sources), has_base_(plan.base), noted_(sources_.begin(), sources_.end()), copies_(sources_.size()) {}

void Rebuild::copy_row(std::size_t source, std::size_t row) noexcept {
    copies_[source][row] = static_cast<std::uint32_t>(rows_->size());
    rows_->append_copy(*sources_[source].rows, row);
}

void Rebuild::copy(std::size_t dimension, RowCodes codes, const Progress& progress) {
    const Rows& first = *sources_.front().rows;
    if (sources_.size() == 1 && first.size() == first.capacity() && first.dead_count() == 0) {
        rows_ = sources_.front().rows;
        noted_.clear();
        return;
    }
    std::vector<LiveRow> live;
    for (std::size_t number = 0; number < sources_.size(); ++number) {
        const FrozenSegment& source = noted_[number];
        copies_[number].assign(source.rows, kNoRow);
        if (number == 0 && has_base_) continue;
        for (std::uint32_t row = 0; row < source.rows; ++row) {
            if (source.alive(row)) live.push_back({sources_[number].rows->id(row), static_cast<std::uint32_t>(number), row});
        }
    }
    report(progress, 0, live.size());
    const auto by_id = [](const LiveRow& a, const LiveRow& b) { return a.id < b.id; };
    if (!std::is_sorted(live.begin(), live.end(), by_id)) std::sort(live.begin(), live.end(), by_id);
    const std::size_t kept = has_base_ ? noted_.front().rows : 0;
    const bool ascending = kept == 0 || (first.ascending() && (live.empty() || live.front().id > first.greatest_id()));
    const IdOrder order = ascending ? IdOrder::kAscending : IdOrder::kAny;
    if (kept > 0) {
        rows_ = std::make_shared<Rows>(first, kept + live.size(), order, codes);
    } else {
        rows_ = std::make_shared<Rows>(dimension, live.size(), order, codes);
    }
    for (std::size_t row = 0; row < kept; ++row) {
        if (row % kRowsPerReport == 0) report(progress, 0, live.size());
        copy_row(0, row);
        if (!noted_.front().alive(row)) rows_->kill(row);
    }
    for (std::size_t i = 0; i < live.size(); ++i) {
        if (i % kRowsPerReport == 0) report(progress, 0, live.size());
        copy_row(live[i].source, live[i].row);
    }
}

void Rebuild::repeat_removals() noexcept {
    for (std::size_t number = 0; number < noted_.size(); ++number) {
        const FrozenSegment& source = noted_[number];
        for (std::size_t word = 0; word < source.dead.size(); ++word) {
            std::uint64_t fresh = sources_[number].rows->dead_word(word) & ~source.dead[word];
            for (; fresh != 0; fresh &= fresh - 1) {
                rows_->kill(copies_[number][word * 64 + static_cast<std::size_t>(std::countr_zero(fresh))]);
            }
        }
    }
}

}  // namespace rag::core
