#include "index/bm25/scorer.hpp"

#include <algorithm>
#include <bit>
#include <limits>
#include <optional>

#include "index/bm25/sums.hpp"

namespace rag::core {
namespace {

/// Documents whose scores are added up at once: 32 KiB of floats, or, where the query's terms are rare, 64 KiB, so that going
/// from window to window does not cost more than their few postings.
constexpr std::uint32_t kLeastWindow = 8192;
constexpr std::uint32_t kLargestWindow = Sums::kSize;
constexpr std::uint64_t kWindowPostings = 4096;
/// Below one posting for so many documents of a window, its sums are found by the postings, not by looking at all of them.
constexpr std::uint32_t kSparse = 8;
/// Fewer postings in a window are all scored: finding out which could be spared takes as long.
constexpr std::uint64_t kLeastPruned = 512;
/// A document that is looked up in the lists that were spared costs as much as adding up so many postings.
constexpr std::uint64_t kSparedForEach = 8;
/// Scores are compared with a margin for the rounding of sums in another order.
constexpr float kMargin = 1e-5F;
/// Documents that are scored one by one between two looks at the caller, and terms of a query that is looked at for each.
constexpr std::size_t kManyTerms = 1024;

bool better(const Bm25Hit& a, const Bm25Hit& b) noexcept {
    return a.score != b.score ? a.score > b.score : a.id < b.id;
}

/// The best k so far, as a heap with the worst in front.
class TopHits {
  public:
    TopHits(std::size_t k, const IdSet* filter, const QueryMatch* match) : k_(k), filter_(filter), match_(match) {
        hits_.reserve(k);
    }
    /// What is offered from now on comes from this segment of the snapshot.
    void enter(std::size_t segment) noexcept { segment_ = segment; }

    bool full() const noexcept { return hits_.size() == k_; }
    /// A document needs at least this score.
    float threshold() const noexcept { return full() ? hits_.front().score : 0.0F; }

    void offer(const SegmentState& state, std::uint32_t doc, float score) {
        const Bm25Hit hit{state.segment->ids()[doc], score};
        if (full() && !better(hit, hits_.front())) return;
        if (!state.is_live(doc) || (match_ != nullptr && !match_->matches(segment_, doc)) ||
            (filter_ != nullptr && !filter_->contains(hit.id)))
            return;
        if (full()) {
            std::pop_heap(hits_.begin(), hits_.end(), better);
            hits_.back() = hit;
        } else {
            hits_.push_back(hit);
        }
        std::push_heap(hits_.begin(), hits_.end(), better);
    }

    std::vector<Bm25Hit> take() {
        std::sort_heap(hits_.begin(), hits_.end(), better);
        return std::move(hits_);
    }

  private:
    std::size_t k_;
    const IdSet* filter_;
    const QueryMatch* match_;
    std::size_t segment_ = 0;
    std::vector<Bm25Hit> hits_;
};

/// A query term in one segment, and its postings in the window at hand.
struct TermList {
    float weight = 0;
    float bound = 0;          // of its scores in the segment
    float window_bound = 0;   // of its scores in the window
    std::uint64_t first = 0;  // of the window
    std::uint64_t last = 0;   // of the window
    std::uint64_t end = 0;    // of the term
    std::uint64_t probe = 0;  // where the last look-up in the window ended
};

class SegmentSearch {
  public:
    SegmentSearch(const SegmentState& state, const Bm25Query& query, TopHits& top, float* sums)
        : state_(state), segment_(*state.segment), query_(query), top_(top), sums_(sums) {
        const double own = segment_.average_length();
        for (const Bm25QueryTerm& term : query.terms) {
            const auto number = term.weight > 0 ? segment_.find_term(term.text, term.hash) : std::nullopt;
            if (!number) continue;
            const Segment::Postings range = segment_.postings_of(*number);
            TermList list;
            list.weight = term.weight;
            list.bound =
                query.formula.bound(term.weight, bound_for_average(segment_.term_bound(*number), own, query.average_length));
            list.last = range.first;
            list.end = range.last;
            lists_.push_back(list);
            total_ += range.size();
        }
        while (window_ < kLargestWindow && total_ * window_ < kWindowPostings * segment_.documents()) window_ *= 2;
    }

    void run(const Progress& progress) {
        float bound = 0;
        for (const TermList& list : lists_) bound += list.bound;
        if (top_.full() && bound * (1 + kMargin) < top_.threshold()) return;
        // Between windows all sums are 0: what `progress` calls may search on this thread.
        for (; next_window(); report(progress, 0, 0)) {
            if (!top_.full() || total_ < kLeastPruned || !prune()) {
                score_all();
            }
        }
    }

  private:
    /// Moves all lists to the next window that has a posting; false at the end.
    bool next_window() {
        std::uint32_t least = std::numeric_limits<std::uint32_t>::max();
        bool any = false;
        for (TermList& list : lists_) {
            list.first = list.last;
            if (list.first == list.end) continue;
            least = std::min(least, segment_.docs()[list.first]);
            any = true;
        }
        if (!any) return false;
        base_ = least / window_ * window_;
        size_ = std::min(window_, segment_.documents() - base_);
        total_ = 0;
        for (TermList& list : lists_) {
            list.last = seek(list.first, list.end, std::uint64_t{base_} + window_);
            total_ += list.last - list.first;
        }
        return true;
    }

    /// First posting in [from, end) whose document is at least `doc`.
    std::uint64_t seek(std::uint64_t from, std::uint64_t end, std::uint64_t doc) const noexcept {
        const std::uint32_t* docs = segment_.docs();
        std::uint64_t step = 1;
        while (from + step < end && docs[from + step] < doc) {
            from += step;
            step *= 2;
        }
        return static_cast<std::uint64_t>(std::lower_bound(docs + from, docs + std::min(end, from + step + 1), doc) - docs);
    }

    /// Adds the list's scores of the window to the sums. With a limit, the documents whose sums come to it
    /// are appended to risen_.
    void accumulate(const TermList& list) noexcept { accumulate<false>(list, 0); }
    void accumulate(const TermList& list, float limit) { accumulate<true>(list, limit); }

    template <bool kRisen>
    void accumulate(const TermList& list, float limit) {
        switch (query_.formula.variant) {
            case Bm25Variant::kL:
                return accumulate_as<Bm25Variant::kL, kRisen>(list, limit);
            case Bm25Variant::kPlus:
                return accumulate_as<Bm25Variant::kPlus, kRisen>(list, limit);
            default:
                return accumulate_as<Bm25Variant::kLucene, kRisen>(list, limit);
        }
    }
    template <Bm25Variant kVariant, bool kRisen>
    void accumulate_as(const TermList& list, float limit) {
        const Bm25Formula formula = query_.formula;
        const std::uint32_t* docs = segment_.docs();
        const std::uint8_t* frequencies = segment_.frequencies();
        const std::uint32_t* lengths = segment_.lengths().data();
        float* const sums = sums_;
        const std::uint32_t base = base_;
        for (std::uint64_t at = list.first; at < list.last; ++at) {
            const std::uint32_t doc = docs[at];
            const float frequency = frequencies[at] != kLongFrequency ? static_cast<float>(frequencies[at])
                                                                      : static_cast<float>(segment_.frequency(at));
            const float before = sums[doc - base];
            const float after = before + formula.score_as<kVariant>(list.weight, frequency, lengths[doc]);
            sums[doc - base] = after;
            if constexpr (kRisen) {
                if (after >= limit && !(before >= limit)) risen_.push_back(doc);
            }
        }
    }

    void clear_sums(const TermList& list) noexcept {
        for (std::uint64_t at = list.first; at < list.last; ++at) sums_[segment_.docs()[at] - base_] = 0;
    }

    /// Calls give(doc, sum) for every sum of the window that is at least limit(), and leaves the sums 0.
    template <typename Limit, typename Give>
    void drain(const Limit& limit, const Give& give) {
        constexpr std::uint32_t kStep = 32;
        // Floats of 0 or more are in the order of their bits, and whole numbers are compared in vectors.
        std::int32_t least = least_bits(limit());
        for (std::uint32_t at = 0; at < size_; at += kStep) {
            float* sums = sums_ + at;
            std::uint32_t any = 0;
            for (std::uint32_t i = 0; i < kStep; ++i) any |= std::bit_cast<std::int32_t>(sums[i]) >= least ? 1U : 0U;
            if (any != 0) {
                for (std::uint32_t i = 0; i < kStep; ++i) {
                    if (std::bit_cast<std::int32_t>(sums[i]) >= least) give(base_ + at + i, sums[i]);
                }
                least = least_bits(limit());
            }
            std::fill_n(sums, kStep, 0.0F);
        }
    }
    static std::int32_t least_bits(float limit) noexcept {
        return std::bit_cast<std::int32_t>(std::max(limit, std::numeric_limits<float>::denorm_min()));
    }

    /// Handles the window by all terms.
    void score_all() {
        if (total_ >= size_ / kSparse) {
            for (const TermList& list : lists_) accumulate(list);
            drain([this] { return top_.threshold(); }, [this](std::uint32_t doc, float sum) { top_.offer(state_, doc, sum); });
            return;
        }
        const float limit = std::max(top_.threshold(), std::numeric_limits<float>::denorm_min());
        risen_.clear();
        for (const TermList& list : lists_) accumulate(list, limit);
        for (const std::uint32_t doc : risen_) top_.offer(state_, doc, sums_[doc - base_]);
        for (const TermList& list : lists_) clear_sums(list);
    }

    /// Handles the window by its essential terms, if that saves work; false: nothing done.
    bool prune() {
        const double own = segment_.average_length();
        for (TermList& list : lists_) {
            list.window_bound = 0;
            list.probe = list.first;
            if (list.first == list.last) continue;
            float bound = 0;
            for (std::uint64_t block = list.first / kBlockPostings; block <= (list.last - 1) / kBlockPostings; ++block) {
                bound = std::max(bound, segment_.block_bounds()[block]);
            }
            list.window_bound =
                std::min(list.bound, query_.formula.bound(list.weight, bound_for_average(bound, own, query_.average_length)));
        }
        order_.clear();
        for (std::size_t i = 0; i < lists_.size(); ++i) order_.push_back(i);
        std::sort(order_.begin(), order_.end(),
                  [this](std::size_t a, std::size_t b) { return lists_[a].window_bound < lists_[b].window_bound; });
        // The first `optional` terms together stay below the threshold.
        std::size_t optional = 0;
        float rest = 0;
        std::uint64_t spared = 0;
        for (; optional < order_.size(); ++optional) {
            const TermList& list = lists_[order_[optional]];
            if ((rest + list.window_bound) * (1 + kMargin) >= top_.threshold()) break;
            rest += list.window_bound;
            spared += list.last - list.first;
        }
        if (optional == order_.size()) return true;
        if (spared < kSparedForEach * (total_ - spared)) return false;
        const float limit = (top_.threshold() - rest) * (1 - kMargin);
        const auto look = [&](std::uint32_t doc, float sum) {
            if (may_enter(doc, sum, rest, optional)) top_.offer(state_, doc, probe(doc));
        };
        if (total_ - spared >= size_ / kSparse) {
            for (std::size_t i = optional; i < order_.size(); ++i) accumulate(lists_[order_[i]]);
            drain([this, rest] { return (top_.threshold() - rest) * (1 - kMargin); }, look);
            return true;
        }
        risen_.clear();
        for (std::size_t i = optional; i < order_.size(); ++i) accumulate(lists_[order_[i]], limit);
        std::sort(risen_.begin(), risen_.end());
        for (const std::uint32_t doc : risen_) look(doc, sums_[doc - base_]);
        for (std::size_t i = optional; i < order_.size(); ++i) clear_sums(lists_[order_[i]]);
        return true;
    }

    /// Looks `doc` up in the optional terms, the weightiest first, for as long as it can still reach the threshold. `sum`: of the
    /// essential terms; `rest`: bound of the optional ones together.
    bool may_enter(std::uint32_t doc, float sum, float rest, std::size_t optional) {
        for (std::size_t i = optional; i-- > 0;) {
            if ((sum + rest) * (1 + kMargin) < top_.threshold()) return false;
            TermList& list = lists_[order_[i]];
            rest = std::max(0.0F, rest - list.window_bound);
            list.probe = seek(list.probe, list.last, doc);
            if (list.probe != list.last && segment_.docs()[list.probe] == doc) sum += score_of(list, list.probe, doc);
        }
        return (sum + rest) * (1 + kMargin) >= top_.threshold();
    }
    float score_of(const TermList& list, std::uint64_t posting, std::uint32_t doc) const noexcept {
        return query_.formula.score(list.weight, static_cast<float>(segment_.frequency(posting)), segment_.lengths()[doc]);
    }

    /// The document's whole score; documents come in ascending order within a window.
    float probe(std::uint32_t doc) {
        float sum = 0;
        for (TermList& list : lists_) {
            list.probe = seek(list.probe, list.last, doc);
            if (list.probe == list.last || segment_.docs()[list.probe] != doc) continue;
            sum += score_of(list, list.probe, doc);
        }
        return sum;
    }

    const SegmentState& state_;
    const Segment& segment_;
    const Bm25Query& query_;
    TopHits& top_;
    float* sums_;  // [kLargestWindow], zeros between windows
    std::vector<TermList> lists_;
    std::vector<std::size_t> order_;
    std::vector<std::uint32_t> risen_;  // documents of a sparse window whose sums came to the limit
    std::uint32_t window_ = kLeastWindow;
    std::uint32_t base_ = 0;   // the window at hand: its first document,
    std::uint32_t size_ = 0;   // how many it has,
    std::uint64_t total_ = 0;  // and their postings
};

/// Scores single documents of one segment: the plain formula, term by term.
class DocumentScorer {
  public:
    DocumentScorer(const Segment& segment, const Bm25Query& query) : segment_(segment), query_(query) {
        for (const Bm25QueryTerm& term : query.terms) {
            if (term.weight <= 0) continue;
            if (const auto number = segment.find_term(term.text, term.hash)) {
                lists_.emplace_back(segment.postings_of(*number), term.weight);
            }
        }
    }
    float score(std::uint32_t doc) const {
        float sum = 0;
        for (const auto& [range, weight] : lists_) {
            const auto posting = segment_.find_posting(range, doc);
            if (!posting) continue;
            sum += query_.formula.score(weight, static_cast<float>(segment_.frequency(*posting)), segment_.lengths()[doc]);
        }
        return sum;
    }

  private:
    const Segment& segment_;
    const Bm25Query& query_;
    std::vector<std::pair<Segment::Postings, float>> lists_;
};

}  // namespace

std::vector<Bm25Hit> search_snapshot(const Snapshot& snapshot, const Bm25Query& query, std::size_t k, const IdSet* filter,
                                     const Progress& progress) {
    k = std::min<std::size_t>(k, snapshot.documents);
    if (k == 0 || query.terms.empty()) return {};
    thread_local Sums sums;
    const Sums::Use use(sums);
    TopHits top(k, filter, query.match.get());
    for (std::size_t i = 0; i < snapshot.segments.size(); ++i) {
        top.enter(i);
        SegmentSearch(snapshot.segments[i], query, top, use.values()).run(progress);
    }
    return top.take();
}

std::vector<float> score_documents(const Snapshot& snapshot, const Bm25Query& query, std::span<const std::int64_t> ids,
                                   const Progress& progress) {
    std::vector<std::optional<DocumentScorer>> scorers(snapshot.segments.size());
    std::vector<float> scores;
    scores.reserve(ids.size());
    for (const std::int64_t id : ids) {
        if (query.terms.size() > kManyTerms || scores.size() % kManyTerms == 0) report(progress, 0, 0);
        const auto place = snapshot.find(id);
        if (!place || (query.match && !query.match->matches(place->segment, place->doc))) {
            scores.push_back(0);
            continue;
        }
        auto& scorer = scorers[place->segment];
        if (!scorer) scorer.emplace(*snapshot.segments[place->segment].segment, query);
        scores.push_back(scorer->score(place->doc));
    }
    return scores;
}

std::vector<Bm25Hit> search_snapshot_exhaustive(const Snapshot& snapshot, const Bm25Query& query, std::size_t k,
                                                const IdSet* filter) {
    std::vector<Bm25Hit> hits;
    for (std::size_t i = 0; i < snapshot.segments.size(); ++i) {
        const SegmentState& state = snapshot.segments[i];
        const DocumentScorer scorer(*state.segment, query);
        for (std::uint32_t doc = 0; doc < state.segment->documents(); ++doc) {
            if (!state.is_live(doc) || (query.match && !query.match->matches(i, doc))) continue;
            const Bm25Hit hit{state.segment->ids()[doc], scorer.score(doc)};
            if (hit.score > 0 && (filter == nullptr || filter->contains(hit.id))) hits.push_back(hit);
        }
    }
    std::sort(hits.begin(), hits.end(), better);
    if (hits.size() > k) hits.resize(k);
    return hits;
}

}  // namespace rag::core
