#include "index/bm25/bm25_index.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "index/bm25/segment_merge.hpp"

namespace rag::core {
namespace {

/// Segments are merged while they are smaller than this; larger ones only by compact(), so that no addition waits for long.
constexpr std::uint64_t kMergeLimit = std::uint64_t{1} << 17;
constexpr std::size_t kMergeCount = 4;
constexpr std::uint64_t kSealLimit = 16384;
constexpr std::size_t kProgressStep = 8;

void check_number(const char* name, double value, double least, double most) {
    if (!(value >= least && value <= most))
        fail(Code::kInvalidArgument, "{} is {}; it must be from {} to {}", name, value, least, most);
}

Bm25Options checked(Bm25Options options) {
    if (!std::isfinite(options.k1) || options.k1 < 0) {
        fail(Code::kInvalidArgument, "k1 is {}; it must be a finite number from 0", options.k1);
    }
    check_number("b", options.b, 0, 1);
    if (static_cast<std::uint32_t>(options.variant) > static_cast<std::uint32_t>(Bm25Variant::kL)) {
        fail(Code::kInvalidArgument, "there is no BM25 variant {}", static_cast<std::uint32_t>(options.variant));
    }
    if (options.delta < 0) options.delta = options.variant == Bm25Variant::kL ? 0.5 : 1.0;
    check_number("delta", options.delta, 0, 1000);
    check_number("k3", options.k3, 0, std::numeric_limits<double>::infinity());
    check_number("title_weight", options.title_weight, 0, 100);
    if (options.title_weight * 8 != std::floor(options.title_weight * 8)) {
        fail(Code::kInvalidArgument, "title_weight is {}; it must be a multiple of 1/8", options.title_weight);
    }
    return options;
}

/// Frequencies are whole numbers, so an occurrence in a text counts as many units as make the weight of one in a title whole.
SegmentBuilder::Settings settings_of(const Bm25Options& options) {
    SegmentBuilder::Settings settings;
    settings.positions = options.positions;
    while (options.title_weight * settings.text_units != std::floor(options.title_weight * settings.text_units)) {
        settings.text_units *= 2;
    }
    settings.title_units = static_cast<std::uint32_t>(options.title_weight * settings.text_units);
    return settings;
}

Bm25Parameters parameters_of(const Bm25Options& options, double unit) {
    return {options.variant, options.k1, options.b, options.delta, options.k3, unit};
}

/// Segments of one level have live documents in [4^level, 4^(level + 1)).
std::size_t level_of(std::uint64_t documents) noexcept {
    return static_cast<std::size_t>(std::bit_width(documents) - 1) / 2;
}

}  // namespace

Bm25Index::Bm25Index(const Bm25Options& options) : Bm25Index(options, AnalyzerOptions{}.rules) {}

Bm25Index::Bm25Index(const Bm25Options& options, int analyzer_rules)
    : options_(checked(options)),
      settings_(settings_of(options_)),
      analyzer_(AnalyzerOptions{options.language, analyzer_rules}),
      snapshot_(std::make_shared<Snapshot>()) {
    options_.language = analyzer_.language();
    parameters_ = parameters_of(options_, settings_.text_units);
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

namespace {

void check_sizes(std::size_t ids, std::size_t titles, std::size_t texts) {
    if (ids != texts) fail(Code::kInvalidArgument, "{} ids for {} texts", ids, texts);
    if (titles != 0 && titles != texts) fail(Code::kInvalidArgument, "{} titles for {} texts", titles, texts);
}

void check_distinct(std::span<const std::int64_t> ids) {
    std::vector<std::int64_t> sorted(ids.begin(), ids.end());
    std::sort(sorted.begin(), sorted.end());
    const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
    if (twice != sorted.end()) fail(Code::kAlreadyExists, "document {} comes twice among those to add", *twice);
}

/// For the merging that follows an addition: a look at whether to stop, which counts no documents.
Progress all_counted(const Progress& progress, std::uint64_t documents) {
    if (!progress) return {};
    return [&progress, documents](std::uint64_t, std::uint64_t) { return progress(documents, documents); };
}

void require_document(std::string_view text, const char* part, std::int64_t id) {
    if (find_invalid_utf8(text) != std::string_view::npos) require_utf8(text, fmt::format("{}{}", part, id));
}

}  // namespace

void Bm25Index::build(std::span<const std::int64_t> ids, std::span<const std::string_view> titles,
                      std::span<const std::string_view> texts, const Progress& progress, Snapshot& next) const {
    std::size_t at = 0;
    const Progress within = [&](std::uint64_t, std::uint64_t) { return !progress || progress(at, ids.size()); };
    while (at < ids.size()) {
        SegmentBuilder builder(analyzer_, settings_);
        for (; at < ids.size() && !builder.full(); ++at) {
            if (at % kProgressStep == 0) report(progress, at, ids.size());
            const std::string_view title = titles.empty() ? std::string_view() : titles[at];
            require_document(title, "the title of document ", ids[at]);
            require_document(texts[at], "document ", ids[at]);
            // A document may take as long as thousands of others.
            builder.add(ids[at], title, texts[at], within);
        }
        next.segments.push_back({make_segment(builder.finish(), segment_k1(), options_.b), nullptr});
    }
    report(progress, ids.size(), ids.size());
}

void Bm25Index::add(std::span<const std::int64_t> ids, std::span<const std::string_view> texts, const Progress& progress) {
    add(ids, {}, texts, progress);
}

void Bm25Index::add(std::span<const std::int64_t> ids, std::span<const std::string_view> titles,
                    std::span<const std::string_view> texts, const Progress& progress) {
    check_sizes(ids.size(), titles.size(), texts.size());
    if (ids.empty()) return;
    const std::lock_guard lock(writer_);
    const std::shared_ptr<const Snapshot> now = snapshot();
    for (const std::int64_t id : ids) {
        if (now->find(id)) fail(Code::kAlreadyExists, "document {} is in the index already", id);
    }
    check_distinct(ids);
    Snapshot next = *now;
    build(ids, titles, texts, progress, next);
    merge_levels(next, all_counted(progress, ids.size()));
    publish(std::move(next));
}

std::size_t Bm25Index::upsert(std::span<const std::int64_t> ids, std::span<const std::string_view> titles,
                              std::span<const std::string_view> texts, const Progress& progress) {
    check_sizes(ids.size(), titles.size(), texts.size());
    if (ids.empty()) return 0;
    const std::lock_guard lock(writer_);
    const std::shared_ptr<const Snapshot> now = snapshot();
    check_distinct(ids);
    Snapshot next = *now;
    const std::size_t replaced = remove_from(*now, ids, next);
    build(ids, titles, texts, progress, next);
    const Progress merging = all_counted(progress, ids.size());
    rewrite_half_dead(next, merging);
    merge_levels(next, merging);
    publish(std::move(next));
    return replaced;
}

/// Marks those of `ids` that live in `now` as removed in `next`, whose first segments are those of `now`.
std::size_t Bm25Index::remove_from(const Snapshot& now, std::span<const std::int64_t> ids, Snapshot& next) {
    std::vector<std::vector<std::uint32_t>> docs(now.segments.size());
    for (const std::int64_t id : ids) {
        if (const auto place = now.find(id)) docs[place->segment].push_back(place->doc);
    }
    std::size_t count = 0;
    for (std::size_t i = 0; i < docs.size(); ++i) {
        if (docs[i].empty()) continue;
        std::sort(docs[i].begin(), docs[i].end());
        docs[i].erase(std::unique(docs[i].begin(), docs[i].end()), docs[i].end());
        SegmentState& state = next.segments[i];
        state.removed = Tombstones::with(*state.segment, state.removed, docs[i]);
        count += docs[i].size();
    }
    return count;
}

/// A segment that is half dead is written anew; each document pays for at most one other.
void Bm25Index::rewrite_half_dead(Snapshot& next, const Progress& progress) const {
    for (std::size_t i = 0; i < next.segments.size(); ++i) {
        const SegmentState& state = next.segments[i];
        const std::size_t self[] = {i};
        if (state.live() > 0 && state.live() < state.segment->documents() / 2) merge_into_one(next, self, progress);
    }
}

std::size_t Bm25Index::remove(std::span<const std::int64_t> ids) {
    const std::lock_guard lock(writer_);
    const std::shared_ptr<const Snapshot> now = snapshot();
    Snapshot next = *now;
    const std::size_t count = remove_from(*now, ids, next);
    if (count == 0) return 0;
    rewrite_half_dead(next, {});
    publish(std::move(next));
    return count;
}

/// Replaces the members by one segment at the place of the first; the others are left empty for settle() to drop.
void Bm25Index::merge_into_one(Snapshot& next, std::span<const std::size_t> members, const Progress& progress) const {
    std::vector<SegmentState> states;
    for (const std::size_t i : members) states.push_back(next.segments[i]);
    SegmentState merged{make_segment(merge_segments(states, progress), segment_k1(), options_.b, progress), nullptr};
    next.segments[members[0]] = std::move(merged);
    for (std::size_t i = members.size(); i-- > 1;) {
        next.segments.erase(next.segments.begin() + static_cast<std::ptrdiff_t>(members[i]));
    }
}

void Bm25Index::merge_levels(Snapshot& next, const Progress& progress) const {
    std::erase_if(next.segments, [](const SegmentState& state) { return state.live() == 0; });
    for (bool merged = true; merged;) {
        merged = false;
        std::vector<std::vector<std::size_t>> levels(33);
        for (std::size_t i = 0; i < next.segments.size() && !merged; ++i) {
            if (next.segments[i].live() >= kMergeLimit) continue;
            auto& level = levels[level_of(next.segments[i].live())];
            level.push_back(i);
            if (level.size() == kMergeCount) {
                merge_into_one(next, level, progress);
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
    merge_into_one(next, small, {});
    publish(std::move(next));
}

void Bm25Index::compact(const Progress& progress) {
    const std::lock_guard lock(writer_);
    Snapshot next = *snapshot();
    if (next.segments.empty() || (next.segments.size() == 1 && !next.segments[0].removed)) return;
    std::vector<std::size_t> all(next.segments.size());
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
    merge_into_one(next, all, progress);
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

Bm25Query Bm25Index::prepare(const Snapshot& snapshot, std::string_view query, Bm25Syntax syntax,
                             const Progress& progress) const {
    return make_query(analyzer_, snapshot, query, parameters_, syntax, progress);
}

std::vector<Bm25Index::Hit> Bm25Index::search(std::string_view query, std::size_t k, const IdSet* filter, Bm25Syntax syntax,
                                              const Progress& progress) const {
    const std::shared_ptr<const Snapshot> now = snapshot();
    return search_snapshot(*now, prepare(*now, query, syntax, progress), k, filter, progress);
}

std::vector<Bm25Index::Hit> Bm25Index::search_exhaustive(std::string_view query, std::size_t k, const IdSet* filter,
                                                         Bm25Syntax syntax) const {
    const std::shared_ptr<const Snapshot> now = snapshot();
    return search_snapshot_exhaustive(*now, prepare(*now, query, syntax, {}), k, filter);
}

std::vector<float> Bm25Index::score(std::string_view query, std::span<const std::int64_t> ids, Bm25Syntax syntax,
                                    const Progress& progress) const {
    const std::shared_ptr<const Snapshot> now = snapshot();
    return score_documents(*now, prepare(*now, query, syntax, progress), ids, progress);
}

Bm25Index::Stats Bm25Index::stats() const {
    const std::shared_ptr<const Snapshot> now = snapshot();
    Stats stats;
    stats.documents = now->documents;
    stats.segments = now->segments.size();
    stats.average_length = now->average_length() / settings_.text_units;
    stats.sequence = sequence_;
    stats.analyzer = analyzer_.version();
    for (const SegmentState& state : now->segments) {
        stats.removed += state.segment->documents() - state.live();
        stats.postings += state.segment->postings();
        stats.terms += state.segment->terms();
        stats.bytes += state.segment->block().size() + state.segment->positions().block().size();
    }
    return stats;
}

bool Bm25Index::verify(std::string& why, const Progress& progress) const {
    const std::shared_ptr<const Snapshot> now = snapshot();
    for (const SegmentState& state : now->segments) {
        if (!state.segment->verify(segment_k1(), options_.b, why, progress)) return false;
    }
    const std::vector<std::int64_t> all = ids();
    const auto twice = std::adjacent_find(all.begin(), all.end());
    if (twice != all.end()) why = fmt::format("document {} lives in two segments", *twice);
    return twice == all.end();
}

}  // namespace rag::core
