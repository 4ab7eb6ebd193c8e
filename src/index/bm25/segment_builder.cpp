#include "index/bm25/segment_builder.hpp"

#include <algorithm>
#include <bit>
#include <limits>
#include <numeric>

#include "core/error.hpp"
#include "index/bm25/term_hash.hpp"

namespace rag::core {
namespace {

constexpr std::size_t kFullDocuments = std::size_t{1} << 17;
constexpr std::size_t kFullOccurrences = std::size_t{1} << 25;
constexpr std::size_t kFullPairs = std::size_t{1} << 24;
/// Positions between a title and its text, so that no phrase spans both.
constexpr std::uint32_t kFieldGap = 1000;
constexpr std::size_t kFullStrings = std::size_t{1} << 28;

/// The first eight bytes, zeros behind a shorter text.
std::uint64_t head_of(const char* at, std::size_t size) noexcept {
    return size < 8 ? load_short(at, size) : load_bytes<std::uint64_t>(at);
}

/// The first eight bytes as a number that orders as the bytes do.
std::uint64_t prefix_of(std::string_view text) noexcept {
    return __builtin_bswap64(head_of(text.data(), text.size()));
}

constexpr std::size_t kTermsPerPoll = std::size_t{1} << 16;

}  // namespace

SegmentBuilder::SegmentBuilder(const Analyzer& analyzer, const Settings& settings)
    : analyzer_(analyzer), settings_(settings), slots_(1024) {}

bool SegmentBuilder::full() const noexcept {
    return ids_.size() >= kFullDocuments || pairs_.size() >= kFullPairs || occurrences_.size() >= kFullOccurrences ||
           strings_.size() >= kFullStrings;
}

void SegmentBuilder::analyze(std::string_view text, std::uint32_t units, const Progress& progress) {
    if (units == 0 || text.empty()) return;
    units_ = units;
    position_base_ = next_position_;
    progress_ = &progress;
    analyzer_.analyze(text, *this);
    progress_ = nullptr;
    take_waiting();
    next_position_ += kFieldGap;
}

void SegmentBuilder::add(std::int64_t id, std::string_view title, std::string_view text, const Progress& progress) {
    length_ = 0;
    next_position_ = 0;
    analyze(title, settings_.title_units, progress);
    analyze(text, settings_.text_units, progress);
    if (length_ > std::numeric_limits<std::uint32_t>::max()) {
        fail(Code::kInvalidArgument, "document {} is {} terms long, an index counts to {}", id, length_,
             std::numeric_limits<std::uint32_t>::max());
    }
    ids_.push_back(id);
    lengths_.push_back(static_cast<std::uint32_t>(length_));
    pair_ends_.push_back(pairs_.size());
    if (settings_.positions) occurrence_ends_.push_back(occurrences_.size());
}

void SegmentBuilder::term(std::string_view text, const TermPlace& place) {
    Waiting& waiting = waiting_[waiting_count_++];
    waiting.hash = hash_term(text);
    waiting.head = head_of(text.data(), text.size());
    waiting.text_start = static_cast<std::uint32_t>(waiting_text_.size());
    waiting.text_size = static_cast<std::uint32_t>(text.size());
    waiting.position = place.position;
    if (text.size() > sizeof waiting.head) waiting_text_.append(text);
    __builtin_prefetch(&slots_[waiting.hash & (slots_.size() - 1)]);
    if (waiting_count_ == kWaiting) take_waiting();
    if (++taken_ % kTermsPerPoll == 0) report(*progress_, 0, 0);
}

void SegmentBuilder::take_waiting() {
    for (std::size_t i = 0; i < waiting_count_; ++i) {
        waiting_[i].number = number_of(waiting_[i]);
        __builtin_prefetch(&seen_[waiting_[i].number]);
    }
    const auto doc = static_cast<std::uint32_t>(ids_.size());
    const std::size_t first = pair_ends_.empty() ? 0 : pair_ends_.back();
    for (std::size_t i = 0; i < waiting_count_; ++i) {
        const std::uint32_t number = waiting_[i].number;
        if (settings_.positions) {
            next_position_ = position_base_ + waiting_[i].position + 1;
            occurrences_.emplace_back(number, position_base_ + waiting_[i].position);
        }
        Seen& seen = seen_[number];
        if (seen.doc == doc) {
            pairs_[first + seen.pair].frequency += units_;
        } else {
            seen = {doc, static_cast<std::uint32_t>(pairs_.size() - first)};
            pairs_.push_back({number, units_});
        }
    }
    length_ += waiting_count_ * std::uint64_t{units_};
    waiting_count_ = 0;
    waiting_text_.clear();
}

std::uint32_t SegmentBuilder::number_of(const Waiting& term) {
    const std::string_view text = text_of(term);
    const std::uint64_t mask = slots_.size() - 1;
    std::uint64_t at = term.hash & mask;
    for (; slots_[at].term != kEmptySlot; at = (at + 1) & mask) {
        const Slot& slot = slots_[at];
        if (slot.head == term.head && slot.size == term.text_size &&
            (term.text_size <= sizeof term.head ||
             equal_bytes(strings_.data() + terms_[slot.term].text_start, text.data(), text.size()))) {
            return slot.term;
        }
    }
    const auto number = static_cast<std::uint32_t>(terms_.size());
    terms_.push_back({static_cast<std::uint32_t>(strings_.size()), term.text_size});
    seen_.emplace_back();
    strings_.append(text);
    slots_[at] = {term.head, term.text_size, number};
    if (terms_.size() * 2 > slots_.size()) grow();
    return number;
}

void SegmentBuilder::grow() {
    std::vector<Slot> slots(slots_.size() * 4);
    const std::uint64_t mask = slots.size() - 1;
    for (std::uint32_t number = 0; number < terms_.size(); ++number) {
        const std::string_view text = text_of(number);
        std::uint64_t at = hash_term(text) & mask;
        while (slots[at].term != kEmptySlot) at = (at + 1) & mask;
        slots[at] = {head_of(text.data(), text.size()), terms_[number].text_size, number};
    }
    slots_ = std::move(slots);
}

std::vector<std::uint32_t> SegmentBuilder::sorted_documents() const {
    std::vector<std::uint32_t> order(ids_.size());
    std::iota(order.begin(), order.end(), 0U);
    if (!std::is_sorted(ids_.begin(), ids_.end())) {
        std::sort(order.begin(), order.end(), [this](std::uint32_t a, std::uint32_t b) { return ids_[a] < ids_[b]; });
    }
    return order;
}

std::vector<std::uint32_t> SegmentBuilder::sorted_terms() const {
    struct Key {
        std::uint64_t prefix;
        std::uint32_t term;
    };
    std::vector<Key> keys(terms_.size());
    for (std::uint32_t term = 0; term < terms_.size(); ++term) keys[term] = {prefix_of(text_of(term)), term};
    std::sort(keys.begin(), keys.end(), [this](const Key& a, const Key& b) {
        return a.prefix != b.prefix ? a.prefix < b.prefix : text_of(a.term) < text_of(b.term);
    });
    std::vector<std::uint32_t> order(keys.size());
    std::transform(keys.begin(), keys.end(), order.begin(), [](const Key& key) { return key.term; });
    return order;
}

SegmentParts SegmentBuilder::finish() const {
    SegmentParts parts;
    const std::vector<std::uint32_t> terms = sorted_terms();
    std::vector<std::uint64_t> next(terms_.size());
    for (const Pair& pair : pairs_) ++next[pair.term];
    std::uint64_t sum = 0;
    parts.strings.reserve(strings_.size());
    for (const std::uint32_t term : terms) {
        const std::uint64_t documents = next[term];
        next[term] = sum;
        sum += documents;
        parts.posting_ends.push_back(sum);
        parts.strings += text_of(term);
        parts.term_ends.push_back(static_cast<std::uint32_t>(parts.strings.size()));
    }
    parts.docs.resize(pairs_.size());
    parts.frequencies.resize(pairs_.size());
    std::uint32_t doc = 0;
    const std::vector<std::uint32_t> documents = sorted_documents();
    for (const std::uint32_t from : documents) {
        for (std::size_t at = from == 0 ? 0 : pair_ends_[from - 1]; at < pair_ends_[from]; ++at) {
            const std::uint64_t posting = next[pairs_[at].term]++;
            parts.docs[posting] = doc;
            parts.frequencies[posting] = static_cast<std::uint8_t>(std::min<std::uint32_t>(pairs_[at].frequency, kLongFrequency));
            if (pairs_[at].frequency >= kLongFrequency) parts.long_frequencies.push_back({posting, pairs_[at].frequency});
        }
        parts.ids.push_back(ids_[from]);
        parts.lengths.push_back(lengths_[from]);
        ++doc;
    }
    std::sort(parts.long_frequencies.begin(), parts.long_frequencies.end(),
              [](const LongFrequency& a, const LongFrequency& b) { return a.posting < b.posting; });
    if (settings_.positions) finish_positions(documents, terms, parts);
    return parts;
}

void SegmentBuilder::finish_positions(const std::vector<std::uint32_t>& documents, const std::vector<std::uint32_t>& terms,
                                      SegmentParts& parts) const {
    std::vector<std::uint32_t> renumbered(terms.size());
    for (std::uint32_t i = 0; i < terms.size(); ++i) renumbered[terms[i]] = i;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> sorted;
    for (const std::uint32_t from : documents) {
        sorted.clear();
        for (std::size_t at = from == 0 ? 0 : occurrence_ends_[from - 1]; at < occurrence_ends_[from]; ++at) {
            sorted.emplace_back(renumbered[occurrences_[at].first], occurrences_[at].second);
        }
        std::sort(sorted.begin(), sorted.end());
        append_positions(sorted, parts.positions);
        parts.position_ends.push_back(parts.positions.size());
    }
}

}  // namespace rag::core
