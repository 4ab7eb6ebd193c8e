#include "index/bm25/bm25_index.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "index/bm25/segment_builder.hpp"
#include "index/bm25/segment_merge.hpp"

namespace rag::core {
namespace {

/// Segments are merged while they are smaller than this; larger ones only by compact(), so that no addition waits for long.
constexpr std::uint64_t kMergeLimit = std::uint64_t{1} << 17;
constexpr std::size_t kMergeCount = 4;
constexpr std::uint64_t kSealLimit = 16384;
constexpr std::size_t kProgressStep = 64;

Bm25Options checked(Bm25Options options) {
    if (!std::isfinite(options.k1) || options.k1 < 0) {
        fail(Code::kInvalidArgument, "k1 is {}; it must be a finite number from 0", options.k1);
    }
    if (!(options.b >= 0 && options.b <= 1)) fail(Code::kInvalidArgument, "b is {}; it must be from 0 to 1", options.b);
    return options;
}

/// Segments of one level have live documents in [4^level, 4^(level + 1)).
std::size_t level_of(std::uint64_t documents) noexcept {
    return static_cast<std::size_t>(std::bit_width(documents) - 1) / 2;
}

}  // namespace

Bm25Index::Bm25Index(const Bm25Options& options)
    : options_(checked(options)), analyzer_(options.language), snapshot_(std::make_shared<Snapshot>()) {
    options_.language = analyzer_.language();
}

Bm25Index::~Bm25Index() = default;

std::shared_ptr<const Snapshot> Bm25Index::snapshot() const {
    const std::lock_guard lock(snapshot_mutex_);
    return snapshot_;
}

void Bm25Index::publish(Snapshot next) {
    next.settle();
    std::shared_ptr<const Snapshot> fresh = std::make_shared<Snapshot>(std::move(next));
    const std::lock_guard lock(snapshot_mutex_);
    snapshot_.swap(fresh);  // the old one is released after the lock, by `fresh`
}

void Bm25Index::check_new(const Snapshot& now, std::span<const std::int64_t> ids) const {
    for (const std::int64_t id : ids) {
        if (now.find(id)) fail(Code::kAlreadyExists, "document {} is in the index already", id);
    }
    std::vector<std::int64_t> sorted(ids.begin(), ids.end());
    std::sort(sorted.begin(), sorted.end());
    const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
    if (twice != sorted.end()) fail(Code::kAlreadyExists, "document {} comes twice among those to add", *twice);
}

void Bm25Index::add(std::span<const std::int64_t> ids, std::span<const std::string_view> texts, const Progress& progress) {
    if (ids.size() != texts.size()) fail(Code::kInvalidArgument, "{} ids for {} texts", ids.size(), texts.size());
    if (ids.empty()) return;
    const std::lock_guard lock(writer_);
    const std::shared_ptr<const Snapshot> now = snapshot();
    check_new(*now, ids);
    Snapshot next = *now;
    for (std::size_t at = 0; at < ids.size();) {
        SegmentBuilder builder(analyzer_);
        for (; at < ids.size() && !builder.full(); ++at) {
            if (at % kProgressStep == 0) report(progress, at, ids.size());
            if (find_invalid_utf8(texts[at]) != std::string_view::npos)
                require_utf8(texts[at], fmt::format("document {}", ids[at]));
            builder.add(ids[at], texts[at]);
        }
        next.segments.push_back({Segment::own(write_segment(builder.finish(), options_.k1, options_.b)), nullptr});
    }
    report(progress, ids.size(), ids.size());
    merge_levels(next);
    publish(std::move(next));
}

std::size_t Bm25Index::remove(std::span<const std::int64_t> ids) {
    const std::lock_guard lock(writer_);
    const std::shared_ptr<const Snapshot> now = snapshot();
    std::vector<std::vector<std::uint32_t>> docs(now->segments.size());
    for (const std::int64_t id : ids) {
        if (const auto place = now->find(id)) docs[place->segment].push_back(place->doc);
    }
    Snapshot next = *now;
    std::size_t count = 0;
    for (std::size_t i = 0; i < docs.size(); ++i) {
        if (docs[i].empty()) continue;
        std::sort(docs[i].begin(), docs[i].end());
        docs[i].erase(std::unique(docs[i].begin(), docs[i].end()), docs[i].end());
        SegmentState& state = next.segments[i];
        state.removed = Tombstones::with(*state.segment, state.removed, docs[i]);
        count += docs[i].size();
        // A segment that is half dead is written anew; each document pays for at most one other.
        const std::size_t self[] = {i};
        if (state.live() > 0 && state.live() < state.segment->documents() / 2) merge_into_one(next, self);
    }
    if (count == 0) return 0;
    publish(std::move(next));
    return count;
}

/// Replaces the members by one segment at the place of the first; the others are left empty for settle() to drop.
void Bm25Index::merge_into_one(Snapshot& next, std::span<const std::size_t> members) const {
    std::vector<SegmentState> states;
    for (const std::size_t i : members) states.push_back(next.segments[i]);
    SegmentState merged{Segment::own(write_segment(merge_segments(states), options_.k1, options_.b)), nullptr};
    next.segments[members[0]] = std::move(merged);
    for (std::size_t i = members.size(); i-- > 1;) {
        next.segments.erase(next.segments.begin() + static_cast<std::ptrdiff_t>(members[i]));
    }
}

void Bm25Index::merge_levels(Snapshot& next) const {
    std::erase_if(next.segments, [](const SegmentState& state) { return state.live() == 0; });
    for (bool merged = true; merged;) {
        merged = false;
        std::vector<std::vector<std::size_t>> levels(33);
        for (std::size_t i = 0; i < next.segments.size() && !merged; ++i) {
            if (next.segments[i].live() >= kMergeLimit) continue;
            auto& level = levels[level_of(next.segments[i].live())];
            level.push_back(i);
            if (level.size() == kMergeCount) {
                merge_into_one(next, level);
                merged = true;
            }
        }
    }
}

void Bm25Index::seal() {
    const std::lock_guard lock(writer_);
    Snapshot next = *snapshot();
    std::vector<std::size_t> small;
    for (std::size_t i = 0; i < next.segments.size(); ++i) {
        if (next.segments[i].live() < kSealLimit) small.push_back(i);
    }
    if (small.size() < 2) return;
    merge_into_one(next, small);
    publish(std::move(next));
}

void Bm25Index::compact() {
    const std::lock_guard lock(writer_);
    Snapshot next = *snapshot();
    if (next.segments.empty() || (next.segments.size() == 1 && !next.segments[0].removed)) return;
    std::vector<std::size_t> all(next.segments.size());
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
    merge_into_one(next, all);
    publish(std::move(next));
}

std::size_t Bm25Index::size() const {
    return snapshot()->documents;
}

bool Bm25Index::contains(std::int64_t id) const {
    return snapshot()->find(id).has_value();
}

std::vector<std::int64_t> Bm25Index::ids() const {
    const std::shared_ptr<const Snapshot> now = snapshot();
    std::vector<std::int64_t> all;
    all.reserve(now->documents);
    for (const SegmentState& state : now->segments) {
        for (std::uint32_t doc = 0; doc < state.segment->documents(); ++doc) {
            if (state.is_live(doc)) all.push_back(state.segment->ids()[doc]);
        }
    }
    std::sort(all.begin(), all.end());
    return all;
}

std::vector<Bm25Index::Hit> Bm25Index::search(std::string_view query, std::size_t k, const Filter* filter) const {
    const std::shared_ptr<const Snapshot> now = snapshot();
    return search_snapshot(*now, make_query(analyzer_, *now, query, options_.k1, options_.b), k, filter);
}

std::vector<Bm25Index::Hit> Bm25Index::search_exhaustive(std::string_view query, std::size_t k, const Filter* filter) const {
    const std::shared_ptr<const Snapshot> now = snapshot();
    return search_snapshot_exhaustive(*now, make_query(analyzer_, *now, query, options_.k1, options_.b), k, filter);
}

std::vector<float> Bm25Index::score(std::string_view query, std::span<const std::int64_t> ids) const {
    const std::shared_ptr<const Snapshot> now = snapshot();
    return score_documents(*now, make_query(analyzer_, *now, query, options_.k1, options_.b), ids);
}

Bm25Index::Explanation Bm25Index::explain(std::string_view query, std::int64_t id) const {
    const std::shared_ptr<const Snapshot> now = snapshot();
    const auto place = now->find(id);
    if (!place) fail(Code::kNotFound, "no document {} in the index", id);
    const Segment& segment = *now->segments[place->segment].segment;
    const Bm25Query prepared = make_query(analyzer_, *now, query, options_.k1, options_.b);
    Explanation out;
    out.id = id;
    out.documents = now->documents;
    out.average_length = prepared.average_length;
    out.length = segment.lengths()[place->doc];
    out.norm = static_cast<double>(prepared.norm_constant) + static_cast<double>(prepared.norm_slope) * out.length;
    for (const Bm25QueryTerm& term : prepared.terms) {
        TermExplanation part{term.text, term.count, term.documents, term.idf, 0, 0};
        const auto number = segment.find_term(term.text, term.hash);
        const auto posting = number ? segment.find_posting(segment.postings_of(*number), place->doc) : std::nullopt;
        if (posting) {
            part.frequency = segment.frequency(*posting);
            part.score = prepared.posting_score(term.weight, static_cast<float>(part.frequency), out.length);
            out.score += part.score;
        }
        out.terms.push_back(std::move(part));
    }
    return out;
}

std::string Bm25Index::Explanation::text() const {
    std::string out =
        fmt::format("{:.6f} document {}: sum of its terms; {} terms long, {:.2f} on average over {} documents, norm {:.4f}\n",
                    score, id, length, average_length, documents, norm);
    for (const TermExplanation& term : terms) {
        out +=
            fmt::format("  {:.6f} {}: {} x idf {:.4f} (in {} documents) x {} / ({} + {:.4f})\n", term.score, quote(term.term, 60),
                        term.query_count, term.idf, term.documents, term.frequency, term.frequency, norm);
    }
    return out;
}

Bm25Index::Stats Bm25Index::stats() const {
    const std::shared_ptr<const Snapshot> now = snapshot();
    Stats stats;
    stats.documents = now->documents;
    stats.segments = now->segments.size();
    stats.average_length = now->average_length();
    stats.sequence = sequence_;
    stats.analyzer = analyzer_.version();
    for (const SegmentState& state : now->segments) {
        stats.removed += state.segment->documents() - state.live();
        stats.postings += state.segment->postings();
        stats.terms += state.segment->terms();
        stats.bytes += state.segment->block().size();
    }
    return stats;
}

bool Bm25Index::verify(std::string& why) const {
    const std::shared_ptr<const Snapshot> now = snapshot();
    for (const SegmentState& state : now->segments) {
        if (!state.segment->verify(options_.k1, options_.b, why)) return false;
    }
    const std::vector<std::int64_t> all = ids();
    const auto twice = std::adjacent_find(all.begin(), all.end());
    if (twice != all.end()) why = fmt::format("document {} lives in two segments", *twice);
    return twice == all.end();
}

}  // namespace rag::core
