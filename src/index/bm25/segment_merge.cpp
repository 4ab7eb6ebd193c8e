#include "index/bm25/segment_merge.hpp"

#include <algorithm>
#include <queue>

#include "core/error.hpp"

namespace rag::core {
namespace {

constexpr std::uint32_t kGone = 0xFFFFFFFFU;
constexpr std::uint64_t kPostingsPerReport = 1024;
constexpr std::size_t kDocumentsPerReport = 4096;

struct Posting {
    std::uint32_t doc = 0;
    std::uint64_t frequency = 0;
};

/// A segment's next term in the merge of all dictionaries.
struct Cursor {
    std::string_view text;
    std::size_t input = 0;
    std::uint32_t term = 0;
};
struct Later {
    bool operator()(const Cursor& a, const Cursor& b) const noexcept {
        return a.text != b.text ? a.text > b.text : a.input > b.input;
    }
};

class Merger {
  public:
    Merger(std::span<const SegmentState> states, const Progress& progress)
        : progress_(progress), states_(states.begin(), states.end()) {
        for (const SegmentState& state : states_) all_ += state.segment->postings();
        // In the order of their ids, so that postings of segments that do not overlap come out sorted.
        std::sort(states_.begin(), states_.end(), [](const SegmentState& a, const SegmentState& b) {
            return a.segment->ids().front() < b.segment->ids().front();
        });
    }

    SegmentParts run() {
        place_documents();
        merge_terms();
        return std::move(parts_);
    }

  private:
    /// New document numbers, in the order of ids.
    void place_documents() {
        struct Source {
            std::int64_t id;
            std::uint32_t input;
            std::uint32_t doc;
        };
        std::vector<Source> sources;
        std::uint64_t documents = 0;
        for (const SegmentState& state : states_) documents += state.live();
        // Without copies of what has grown, which nobody could interrupt.
        sources.reserve(documents);
        parts_.ids.reserve(documents);
        parts_.lengths.reserve(documents);
        parts_.docs.reserve(all_);
        parts_.frequencies.reserve(all_);
        for (std::size_t input = 0; input < states_.size(); ++input) {
            const Segment& segment = *states_[input].segment;
            places_.emplace_back(segment.documents(), kGone);
            for (std::uint32_t doc = 0; doc < segment.documents(); ++doc) {
                if (doc % kDocumentsPerReport == 0) report(progress_, 0, all_);
                if (states_[input].is_live(doc)) sources.push_back({segment.ids()[doc], static_cast<std::uint32_t>(input), doc});
            }
        }
        if (sources.size() > kMaxSegmentDocuments) {
            fail(Code::kInvalidArgument, "{} documents are more than one segment holds, {}", sources.size(),
                 kMaxSegmentDocuments);
        }
        const auto by_id = [](const Source& a, const Source& b) { return a.id < b.id; };
        if (!std::is_sorted(sources.begin(), sources.end(), by_id)) std::sort(sources.begin(), sources.end(), by_id);
        for (const Source& source : sources) {
            if (parts_.ids.size() % kDocumentsPerReport == 0) report(progress_, 0, all_);
            places_[source.input][source.doc] = static_cast<std::uint32_t>(parts_.ids.size());
            parts_.ids.push_back(source.id);
            const Segment& segment = *states_[source.input].segment;
            parts_.lengths.push_back(segment.lengths()[source.doc]);
            if (!segment.positions().exist()) continue;
            const auto positions = segment.positions().of(source.doc);
            parts_.positions.insert(parts_.positions.end(), positions.begin(), positions.end());
            parts_.position_ends.push_back(parts_.positions.size());
        }
    }

    void merge_terms() {
        std::priority_queue<Cursor, std::vector<Cursor>, Later> queue;
        for (std::size_t input = 0; input < states_.size(); ++input) {
            if (states_[input].segment->terms() > 0) queue.push({states_[input].segment->term(0), input, 0});
        }
        while (!queue.empty()) {
            const std::string_view text = queue.top().text;
            postings_.clear();
            while (!queue.empty() && queue.top().text == text) {
                const Cursor cursor = queue.top();
                queue.pop();
                gather(cursor);
                const Segment& segment = *states_[cursor.input].segment;
                if (cursor.term + 1 < segment.terms()) queue.push({segment.term(cursor.term + 1), cursor.input, cursor.term + 1});
            }
            give(text);
        }
    }

    void gather(const Cursor& cursor) {
        const Segment& segment = *states_[cursor.input].segment;
        const Segment::Postings range = segment.postings_of(cursor.term);
        const std::vector<std::uint32_t>& places = places_[cursor.input];
        for (std::uint64_t at = range.first; at < range.last; ++at) {
            if (++read_ % kPostingsPerReport == 0) report(progress_, read_, all_);
            const std::uint32_t doc = places[segment.docs()[at]];
            if (doc != kGone) postings_.push_back({doc, segment.frequency(at)});
        }
    }

    void give(std::string_view text) {
        if (postings_.empty()) return;
        const auto by_doc = [](const Posting& a, const Posting& b) { return a.doc < b.doc; };
        if (!std::is_sorted(postings_.begin(), postings_.end(), by_doc)) std::sort(postings_.begin(), postings_.end(), by_doc);
        for (const Posting& posting : postings_) {
            if (posting.frequency >= kLongFrequency) parts_.long_frequencies.push_back({parts_.docs.size(), posting.frequency});
            parts_.docs.push_back(posting.doc);
            parts_.frequencies.push_back(static_cast<std::uint8_t>(std::min<std::uint64_t>(posting.frequency, kLongFrequency)));
        }
        parts_.posting_ends.push_back(parts_.docs.size());
        parts_.strings += text;
        if (parts_.strings.size() > kMaxSegmentStrings) {
            fail(Code::kInvalidArgument, "the terms of the segments to merge take more than {} bytes", kMaxSegmentStrings);
        }
        parts_.term_ends.push_back(static_cast<std::uint32_t>(parts_.strings.size()));
    }

    const Progress& progress_;
    std::uint64_t read_ = 0;  // postings
    std::uint64_t all_ = 0;
    std::vector<SegmentState> states_;
    std::vector<std::vector<std::uint32_t>> places_;
    std::vector<Posting> postings_;
    SegmentParts parts_;
};

}  // namespace

SegmentParts merge_segments(std::span<const SegmentState> states, const Progress& progress) {
    return Merger(states, progress).run();
}

}  // namespace rag::core
