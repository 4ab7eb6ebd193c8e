// Bm25Index::find_different: whether an index says of documents what their texts say. A segment is made of the texts, as add()
// would, and read beside the one that has the documents; checksums and the rules of the file cannot tell that.
#include <algorithm>

#include "core/error.hpp"
#include "index/bm25/bm25_index.hpp"
#include "index/bm25/segment_writer.hpp"
#include "index/bm25/snapshot.hpp"

namespace rag::core {
namespace {

/// The frequency of the document's term `number`; 0 where the postings do not have it.
std::uint64_t frequency_of(const Segment& segment, std::uint32_t number, std::uint32_t doc) {
    const auto posting = segment.find_posting(segment.postings_of(number), doc);
    return posting ? segment.frequency(*posting) : 0;
}

/// One document of each of two segments.
class Comparison {
  public:
    bool equal(const Segment& a, std::uint32_t doc_a, const Segment& b, std::uint32_t doc_b) {
        if (a.lengths()[doc_a] != b.lengths()[doc_b]) return false;
        a.terms_of(doc_a, terms_a_);
        b.terms_of(doc_b, terms_b_);
        if (terms_a_.size() != terms_b_.size()) return false;
        for (std::size_t i = 0; i < terms_a_.size(); ++i) {
            if (a.term(terms_a_[i]) != b.term(terms_b_[i])) return false;
            const std::uint64_t frequency = frequency_of(a, terms_a_[i], doc_a);
            if (frequency == 0 || frequency != frequency_of(b, terms_b_[i], doc_b)) return false;
        }
        if (a.positions().exist() != b.positions().exist()) return false;
        return !a.positions().exist() || std::ranges::equal(a.positions().of(doc_a), b.positions().of(doc_b));
    }

  private:
    std::vector<std::uint32_t> terms_a_, terms_b_;
};

}  // namespace

std::vector<std::int64_t> Bm25Index::find_different(std::span<const std::int64_t> ids, std::span<const std::string_view> titles,
                                                    std::span<const std::string_view> texts, const Progress& progress) const {
    if (ids.size() != texts.size() || titles.size() != texts.size())
        fail(Code::kInvalidArgument, "{} ids, {} titles and {} texts to compare", ids.size(), titles.size(), texts.size());
    const std::shared_ptr<const Snapshot> now = snapshot();
    Snapshot made;
    build(ids, titles, texts, progress, made);
    std::vector<std::int64_t> different;
    Comparison comparison;
    for (const SegmentState& state : made.segments) {
        const Segment& fresh = *state.segment;
        for (std::uint32_t doc = 0; doc < fresh.documents(); ++doc) {
            report(progress, doc, fresh.documents());
            const std::int64_t id = fresh.ids()[doc];
            const auto place = now->find(id);
            if (place && !comparison.equal(*now->segments[place->segment].segment, place->doc, fresh, doc))
                different.push_back(id);
        }
    }
    return different;
}

}  // namespace rag::core
