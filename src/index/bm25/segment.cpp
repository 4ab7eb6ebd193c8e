#include "index/bm25/segment.hpp"

#include <algorithm>
#include <bit>

#include "core/byte_reader.hpp"
#include "core/error.hpp"
#include "index/bm25/term_hash.hpp"
#include "index/bm25/varint.hpp"

namespace rag::core {
namespace {

template <typename T>
std::span<const T> section(std::span<const std::byte> block, std::size_t offset, std::uint64_t count) noexcept {
    return {reinterpret_cast<const T*>(block.data() + offset), static_cast<std::size_t>(count)};
}

[[noreturn]] void corrupt(const std::string& name, const std::string& what) {
    fail(Code::kCorrupt, "{}: {}", name, what);
}

}  // namespace

SegmentLayout::SegmentLayout(const SegmentHeader& header, std::string_view name) {
    std::uint64_t at = sizeof(SegmentHeader);
    const auto place = [&](std::uint64_t count, std::uint64_t width) {
        const std::uint64_t start = at;
        const std::uint64_t bytes = checked_multiply(count, width, name);
        if (bytes > (std::uint64_t{1} << 62) - at)
            fail(Code::kCorrupt, "{}: {} elements of {} bytes overflow", name, count, width);
        at = (at + bytes + 7) / 8 * 8;
        return static_cast<std::size_t>(start);
    };
    ids = place(header.documents, 8);
    lengths = place(header.documents, 4);
    forward_ends = place(header.documents, 8);
    term_ends = place(header.terms, 4);
    posting_ends = place(header.terms, 8);
    term_bounds = place(header.terms, 4);
    slots = place(header.slots, 4);
    docs = place(header.postings, 4);
    frequencies = place(header.postings, 1);
    block_bounds = place(header.postings / kBlockPostings + (header.postings % kBlockPostings != 0), 4);
    long_frequencies = place(header.long_frequencies, sizeof(LongFrequency));
    strings = place(header.string_bytes, 1);
    forward = place(header.forward_bytes, 1);
    size = static_cast<std::size_t>(at);
}

Segment::Segment(std::span<const std::byte> block, std::shared_ptr<const void> owner, const std::string& name)
    : owner_(std::move(owner)), block_(block), name_(name) {
    if (block.size() < sizeof(SegmentHeader)) {
        fail(Code::kCorrupt, "{}: {} bytes are too few for a segment's header", name, block.size());
    }
    std::memcpy(&header_, block.data(), sizeof header_);
    const SegmentLayout layout(header_, name);
    if (layout.size != block.size()) {
        fail(Code::kCorrupt, "{}: {} bytes, its header asks for {}", name, block.size(), layout.size);
    }
    ids_ = section<std::int64_t>(block, layout.ids, header_.documents);
    lengths_ = section<std::uint32_t>(block, layout.lengths, header_.documents);
    forward_ends_ = section<std::uint64_t>(block, layout.forward_ends, header_.documents);
    term_ends_ = section<std::uint32_t>(block, layout.term_ends, header_.terms);
    posting_ends_ = section<std::uint64_t>(block, layout.posting_ends, header_.terms);
    term_bounds_ = section<float>(block, layout.term_bounds, header_.terms);
    slots_ = section<std::uint32_t>(block, layout.slots, header_.slots);
    docs_ = section<std::uint32_t>(block, layout.docs, header_.postings);
    frequencies_ = section<std::uint8_t>(block, layout.frequencies, header_.postings);
    block_bounds_ = section<float>(block, layout.block_bounds, (header_.postings + kBlockPostings - 1) / kBlockPostings);
    long_frequencies_ = section<LongFrequency>(block, layout.long_frequencies, header_.long_frequencies);
    strings_ = section<char>(block, layout.strings, header_.string_bytes);
    forward_ = section<std::uint8_t>(block, layout.forward, header_.forward_bytes);
}

std::shared_ptr<const Segment> Segment::own(std::vector<std::byte> block, std::vector<std::byte> positions) {
    std::shared_ptr<Segment> segment(new Segment(block, nullptr, "new segment"));
    segment->own_ = std::move(block);  // moving a vector keeps its bytes where they are
    segment->own_positions_ = std::move(positions);
    if (!segment->own_positions_.empty()) {
        segment->positions_ = Positions(segment->own_positions_, segment->documents(), segment->name_);
    }
    return segment;
}

std::shared_ptr<const Segment> Segment::open(std::span<const std::byte> block, std::shared_ptr<const void> owner,
                                             const std::string& name, std::span<const std::byte> positions) {
    if (reinterpret_cast<std::uintptr_t>(block.data()) % 8 != 0) fail(Code::kInternal, "{}: not on a multiple of 8 bytes", name);
    std::shared_ptr<Segment> segment(new Segment(block, std::move(owner), name));
    segment->check();
    if (!positions.empty()) segment->positions_ = Positions(positions, segment->documents(), name);
    return segment;
}

void Segment::check() const {
    if (header_.documents == 0 || header_.documents > kMaxSegmentDocuments) {
        corrupt(name_, fmt::format("{} documents", header_.documents));
    }
    if (!std::has_single_bit(header_.slots) || header_.slots <= header_.terms) {
        corrupt(name_, fmt::format("{} hash slots for {} terms", header_.slots, header_.terms));
    }
    check_documents();
    check_terms();
    check_postings();
}

void Segment::check_documents() const {
    std::uint64_t total = 0;
    std::uint64_t end = 0;
    for (std::uint32_t doc = 0; doc < header_.documents; ++doc) {
        if (doc > 0 && ids_[doc] <= ids_[doc - 1]) corrupt(name_, fmt::format("id {} follows id {}", ids_[doc], ids_[doc - 1]));
        if (forward_ends_[doc] < end) corrupt(name_, fmt::format("terms of document {} end before they begin", ids_[doc]));
        total += lengths_[doc];
        end = forward_ends_[doc];
    }
    if (total != header_.total_length) corrupt(name_, fmt::format("lengths add up to {}, not {}", total, header_.total_length));
    if (end != forward_.size()) corrupt(name_, fmt::format("terms of documents end at {} of {}", end, forward_.size()));
}

void Segment::check_terms() const {
    std::uint64_t text_end = 0;
    std::uint64_t posting_end = 0;
    for (std::uint32_t i = 0; i < header_.terms; ++i) {
        if (term_ends_[i] <= text_end || term_ends_[i] > strings_.size()) {
            corrupt(name_, fmt::format("term {} ends at byte {} of {}", i, term_ends_[i], strings_.size()));
        }
        if (posting_ends_[i] <= posting_end || posting_ends_[i] > header_.postings) {
            corrupt(name_, fmt::format("postings of term {} end at {} of {}", i, posting_ends_[i], header_.postings));
        }
        text_end = term_ends_[i];
        posting_end = posting_ends_[i];
        if (i > 0 && term(i) <= term(i - 1)) corrupt(name_, fmt::format("term {} is not above the one before it", i));
    }
    if (text_end != strings_.size() || posting_end != header_.postings) {
        corrupt(name_, fmt::format("terms end at byte {} of {}, posting {} of {}", text_end, strings_.size(), posting_end,
                                   header_.postings));
    }
    std::uint64_t used = 0;
    for (const std::uint32_t slot : slots_) {
        if (slot != kEmptySlot && slot >= header_.terms) corrupt(name_, fmt::format("a hash slot holds term {}", slot));
        used += slot != kEmptySlot;
    }
    if (used != header_.terms) corrupt(name_, fmt::format("{} hash slots are used for {} terms", used, header_.terms));
    for (std::uint32_t i = 0; i < header_.terms; ++i) {
        const std::string_view text = term(i);
        if (find_term(text, hash_term(text)) != i) corrupt(name_, fmt::format("the hash table does not find term {}", i));
    }
}

void Segment::check_postings() const {
    std::uint64_t long_count = 0;
    std::uint64_t first = 0;
    for (std::uint32_t i = 0; i < header_.terms; ++i) {
        const std::uint64_t last = posting_ends_[i];
        bool ascending = true;  // without a branch, so that the loop is done in vectors
        for (std::uint64_t at = first + 1; at < last; ++at) ascending &= docs_[at] > docs_[at - 1];
        if (!ascending || docs_[last - 1] >= header_.documents) {
            corrupt(name_, fmt::format("documents of term {} are out of order or beyond {}", i, header_.documents));
        }
        first = last;
    }
    bool zero = false;
    for (std::uint64_t at = 0; at < header_.postings; ++at) {
        zero |= frequencies_[at] == 0;
        long_count += frequencies_[at] == kLongFrequency;
    }
    if (zero) corrupt(name_, "a posting has frequency 0");
    if (long_count != long_frequencies_.size()) {
        corrupt(name_, fmt::format("{} long frequencies for {} postings", long_frequencies_.size(), long_count));
    }
    // As many as there should be, ascending, each where one belongs: then each posting that needs one has it.
    std::uint64_t least = 0;
    for (const LongFrequency& entry : long_frequencies_) {
        if (entry.posting < least || entry.posting >= header_.postings || frequencies_[entry.posting] != kLongFrequency ||
            entry.frequency < kLongFrequency || entry.frequency >> 32 != 0) {
            corrupt(name_, fmt::format("long frequency {} of posting {}", entry.frequency, entry.posting));
        }
        least = entry.posting + 1;
    }
}

double Segment::average_length() const noexcept {
    return static_cast<double>(header_.total_length) / std::max<double>(1.0, header_.documents);
}

std::optional<std::uint32_t> Segment::find_document(std::int64_t id) const noexcept {
    if (ids_.empty() || id < ids_.front() || id > ids_.back()) return std::nullopt;
    const auto found = std::lower_bound(ids_.begin(), ids_.end(), id);
    if (*found != id) return std::nullopt;
    return static_cast<std::uint32_t>(found - ids_.begin());
}

std::string_view Segment::term(std::uint32_t number) const noexcept {
    const std::uint32_t start = number == 0 ? 0 : term_ends_[number - 1];
    return {strings_.data() + start, term_ends_[number] - start};
}

std::optional<std::uint32_t> Segment::find_term(std::string_view text, std::uint64_t hash) const noexcept {
    const std::uint64_t mask = header_.slots - 1;
    for (std::uint64_t at = hash & mask;; at = (at + 1) & mask) {  // ends: a slot is empty
        const std::uint32_t number = slots_[at];
        if (number == kEmptySlot) return std::nullopt;
        if (term(number) == text) return number;
    }
}

std::uint32_t Segment::first_term_from(std::string_view text) const noexcept {
    std::uint32_t first = 0;
    std::uint32_t last = header_.terms;
    while (first < last) {
        const std::uint32_t middle = first + (last - first) / 2;
        if (term(middle) < text) {
            first = middle + 1;
        } else {
            last = middle;
        }
    }
    return first;
}

Segment::Postings Segment::postings_of(std::uint32_t number) const noexcept {
    return {number == 0 ? 0 : posting_ends_[number - 1], posting_ends_[number]};
}

std::optional<std::uint64_t> Segment::find_posting(Postings range, std::uint32_t doc) const noexcept {
    const std::uint32_t* end = docs_.data() + range.last;
    const std::uint32_t* found = std::lower_bound(docs_.data() + range.first, end, doc);
    if (found == end || *found != doc) return std::nullopt;
    return static_cast<std::uint64_t>(found - docs_.data());
}

std::uint64_t Segment::long_frequency(std::uint64_t posting) const noexcept {
    const auto found = std::lower_bound(long_frequencies_.begin(), long_frequencies_.end(), posting,
                                        [](const LongFrequency& entry, std::uint64_t key) { return entry.posting < key; });
    return found->frequency;
}

void Segment::terms_of(std::uint32_t doc, std::vector<std::uint32_t>& out) const {
    out.clear();
    const auto start = static_cast<std::size_t>(doc == 0 ? 0 : forward_ends_[doc - 1]);
    const auto bytes = forward_.subspan(start, static_cast<std::size_t>(forward_ends_[doc]) - start);
    std::uint64_t next = 0;  // least number that may follow
    for (std::size_t at = 0; at < bytes.size(); ++next) {
        std::uint32_t difference = 0;
        if (!read_varint(bytes, at, difference)) corrupt(name_, fmt::format("the terms of document {} are cut off", ids_[doc]));
        next += difference;
        if (next >= header_.terms) corrupt(name_, fmt::format("document {} has term {} of {}", ids_[doc], next, header_.terms));
        out.push_back(static_cast<std::uint32_t>(next));
    }
}

bool Segment::verify(double k1, double b, std::string& why, const Progress& progress) const {
    constexpr std::size_t kPostingsPerReport = 1U << 14U;
    std::vector<std::uint32_t> numbers;
    std::size_t looked = 0;
    for (std::uint32_t doc = 0; doc < header_.documents; ++doc) {
        try {
            terms_of(doc, numbers);
        } catch (const Error& error) {
            why = error.what();
            return false;
        }
        std::uint64_t length = 0;
        for (const std::uint32_t number : numbers) {
            if (looked++ % kPostingsPerReport == 0) report(progress, 0, 0);
            const auto posting = find_posting(postings_of(number), doc);
            if (!posting) {
                why = fmt::format("document {} lists term {}, whose postings do not have it", ids_[doc], number);
                return false;
            }
            const float value = saturation(frequency(*posting), saturation_norm(k1, b, average_length(), lengths_[doc]));
            if (!(value <= block_bounds_[*posting / kBlockPostings]) || !(value <= term_bounds_[number])) {
                why = fmt::format("posting {} exceeds the bound of its block or term", *posting);
                return false;
            }
            length += frequency(*posting);
        }
        if (length != lengths_[doc]) {
            why = fmt::format("document {} has length {}, its postings add up to {}", ids_[doc], lengths_[doc], length);
            return false;
        }
    }
    return true;
}

float bound_for_average(float bound, double own_average, double average) noexcept {
    const double ratio = own_average / average;
    // A little more than the bound, because scores are rounded to float in another order than here.
    constexpr double kSlack = 1.00001;
    if (ratio >= 1) return static_cast<float>(bound * kSlack);
    return static_cast<float>(kSlack / (1 + ratio * (1 / static_cast<double>(bound) - 1)));
}

}  // namespace rag::core
