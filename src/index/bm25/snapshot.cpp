#include "index/bm25/snapshot.hpp"

#include <algorithm>

namespace rag::core {
namespace {

/// Length of the list of recent removals beyond which it is merged into the counts.
constexpr std::size_t kRecentLimit = 4096;

}  // namespace

std::shared_ptr<const Tombstones> Tombstones::with(const Segment& segment, const std::shared_ptr<const Tombstones>& before,
                                                   std::span<const std::uint32_t> docs) {
    auto after = before ? std::make_shared<Tombstones>(*before) : std::make_shared<Tombstones>();
    after->bits_.resize((std::size_t{segment.documents()} + 63) / 64);
    std::vector<std::uint32_t> all;
    std::vector<std::uint32_t> terms;
    for (const std::uint32_t doc : docs) {
        after->bits_[doc / 64] |= std::uint64_t{1} << (doc % 64);
        after->length_ += segment.lengths()[doc];
        ++after->count_;
        segment.terms_of(doc, terms);
        all.insert(all.end(), terms.begin(), terms.end());
    }
    after->add_terms(segment, all);
    return after;
}

void Tombstones::add_terms(const Segment& segment, const std::vector<std::uint32_t>& terms) {
    if (recent_.size() + terms.size() > kRecentLimit) {
        auto counts = counts_ ? std::make_shared<std::vector<std::uint32_t>>(*counts_)
                              : std::make_shared<std::vector<std::uint32_t>>(segment.terms());
        for (const auto& [term, count] : recent_) (*counts)[term] += count;
        for (const std::uint32_t term : terms) ++(*counts)[term];
        counts_ = std::move(counts);
        recent_.clear();
        return;
    }
    for (const std::uint32_t term : terms) recent_.emplace_back(term, 1);
    std::sort(recent_.begin(), recent_.end());
    std::size_t kept = 0;
    for (std::size_t i = 0; i < recent_.size(); ++i) {
        if (kept > 0 && recent_[kept - 1].first == recent_[i].first) {
            recent_[kept - 1].second += recent_[i].second;
        } else {
            recent_[kept++] = recent_[i];
        }
    }
    recent_.resize(kept);
}

std::uint32_t Tombstones::documents_with(std::uint32_t term) const noexcept {
    const std::uint32_t base = counts_ ? (*counts_)[term] : 0;
    const auto found = std::lower_bound(recent_.begin(), recent_.end(), term,
                                        [](const auto& entry, std::uint32_t key) { return entry.first < key; });
    return base + (found != recent_.end() && found->first == term ? found->second : 0);
}

std::uint64_t SegmentState::frequency_of(std::uint32_t term) const noexcept {
    const std::uint64_t all = segment->postings_of(term).size();
    // A file whose forward lists contradict its postings must not make this wrap around.
    return removed ? all - std::min<std::uint64_t>(all, removed->documents_with(term)) : all;
}

std::optional<Snapshot::Place> Snapshot::find(std::int64_t id) const noexcept {
    for (std::size_t i = 0; i < segments.size(); ++i) {
        const auto doc = segments[i].segment->find_document(id);
        if (doc && segments[i].is_live(*doc)) return Place{i, *doc};
    }
    return std::nullopt;
}

std::uint64_t Snapshot::document_frequency(std::string_view term, std::uint64_t hash) const noexcept {
    std::uint64_t sum = 0;
    for (const SegmentState& state : segments) {
        if (const auto number = state.segment->find_term(term, hash)) sum += state.frequency_of(*number);
    }
    return sum;
}

void Snapshot::settle() {
    std::erase_if(segments, [](const SegmentState& state) { return state.live() == 0; });
    documents = 0;
    total_length = 0;
    for (const SegmentState& state : segments) {
        documents += state.live();
        total_length += state.live_length();
    }
}

}  // namespace rag::core
