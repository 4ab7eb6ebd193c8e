#include "index/bm25/segment_writer.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <span>

#include "core/error.hpp"
#include "index/bm25/term_hash.hpp"
#include "index/bm25/varint.hpp"

namespace rag::core {
namespace {

constexpr std::uint64_t kPostingsPerReport = 4096;
constexpr std::size_t kTermsPerReport = 1024;
constexpr std::size_t kBytesPerReport = std::size_t{1} << 17;

/// A vector of zeros, made in steps: new memory costs more than what is written to it.
template <typename T>
std::vector<T> make_zeros(std::size_t count, const Progress& progress) {
    std::vector<T> out;
    out.reserve(count);
    for (std::size_t size = 0; size < count;) {
        report(progress, 0, 0);
        size = std::min(count, size + kBytesPerReport / sizeof(T));
        out.resize(size);
    }
    return out;
}

/// Term numbers of each document, by turning the postings over: terms come in ascending order, so each list ascends.
std::vector<std::uint32_t> invert(const SegmentParts& parts, std::vector<std::uint64_t>& ends, const Progress& progress) {
    std::vector<std::uint64_t> next(parts.ids.size(), 0);
    for (std::size_t at = 0; at < parts.docs.size(); ++at) {
        if (at % kPostingsPerReport == 0) report(progress, 0, parts.docs.size());
        ++next[parts.docs[at]];
    }
    std::uint64_t sum = 0;
    for (std::uint64_t& count : next) {
        const std::uint64_t size = count;
        count = sum;
        sum += size;
    }
    auto terms = make_zeros<std::uint32_t>(parts.docs.size(), progress);
    std::uint64_t first = 0;
    for (std::size_t term = 0; term < parts.posting_ends.size(); ++term) {
        for (std::uint64_t at = first; at < parts.posting_ends[term]; ++at) {
            if (at % kPostingsPerReport == 0) report(progress, at, parts.docs.size());
            terms[static_cast<std::size_t>(next[parts.docs[at]]++)] = static_cast<std::uint32_t>(term);
        }
        first = parts.posting_ends[term];
    }
    ends = std::move(next);  // each document's cursor stopped at its end
    return terms;
}

std::vector<std::uint8_t> encode_forward(const SegmentParts& parts, std::vector<std::uint64_t>& ends, const Progress& progress) {
    const std::vector<std::uint32_t> terms = invert(parts, ends, progress);
    std::vector<std::uint8_t> bytes;
    bytes.reserve(terms.size() * 2);
    std::uint64_t at = 0;
    for (std::uint64_t& end : ends) {
        std::uint32_t least = 0;
        for (; at < end; ++at) {
            if (at % kPostingsPerReport == 0) report(progress, at, terms.size());
            put_varint(bytes, terms[static_cast<std::size_t>(at)] - least);
            least = terms[static_cast<std::size_t>(at)] + 1;
        }
        end = bytes.size();
    }
    return bytes;
}

void fill_slots(const SegmentParts& parts, std::uint32_t* slots, std::uint64_t count, const Progress& progress) {
    std::fill_n(slots, count, kEmptySlot);
    std::uint32_t start = 0;
    for (std::size_t term = 0; term < parts.term_ends.size(); ++term) {
        if (term % kTermsPerReport == 0) report(progress, 0, 0);
        const std::string_view text(parts.strings.data() + start, parts.term_ends[term] - start);
        start = parts.term_ends[term];
        std::uint64_t slot = hash_term(text) & (count - 1);
        while (slots[slot] != kEmptySlot) slot = (slot + 1) & (count - 1);
        slots[slot] = static_cast<std::uint32_t>(term);
    }
}

void fill_bounds(const SegmentParts& parts, double k1, double b, double average, float* term_bounds, float* block_bounds,
                 const Progress& progress) {
    std::fill_n(block_bounds, (parts.docs.size() + kBlockPostings - 1) / kBlockPostings, 0.0F);
    std::vector<double> norms(parts.lengths.size());
    for (std::size_t doc = 0; doc < norms.size(); ++doc) norms[doc] = saturation_norm(k1, b, average, parts.lengths[doc]);
    std::size_t at = 0;
    std::size_t next_long = 0;
    for (std::size_t term = 0; term < parts.posting_ends.size(); ++term) {
        float largest = 0;
        for (; at < parts.posting_ends[term]; ++at) {
            if (at % kPostingsPerReport == 0) report(progress, at, parts.docs.size());
            std::uint64_t frequency = parts.frequencies[at];
            if (frequency == kLongFrequency) frequency = parts.long_frequencies[next_long++].frequency;
            const float value = saturation(frequency, norms[parts.docs[at]]);
            float& block = block_bounds[at / kBlockPostings];
            block = std::max(block, value);
            largest = std::max(largest, value);
        }
        term_bounds[term] = largest;
    }
}

}  // namespace

std::vector<std::byte> write_segment(const SegmentParts& parts, double k1, double b, const Progress& progress) {
    std::vector<std::uint64_t> forward_ends;
    const std::vector<std::uint8_t> forward = encode_forward(parts, forward_ends, progress);
    SegmentHeader header;
    header.documents = static_cast<std::uint32_t>(parts.ids.size());
    header.terms = static_cast<std::uint32_t>(parts.term_ends.size());
    header.postings = parts.docs.size();
    for (const std::uint32_t length : parts.lengths) header.total_length += length;
    header.long_frequencies = parts.long_frequencies.size();
    header.string_bytes = parts.strings.size();
    header.forward_bytes = forward.size();
    header.slots = std::bit_ceil(std::uint64_t{header.terms} * 2 + 1);
    const SegmentLayout layout(header);
    auto block = make_zeros<std::byte>(layout.size, progress);
    const auto put = [&](std::size_t offset, const auto& values) {
        const auto bytes = std::as_bytes(std::span(values.data(), values.size()));
        for (std::size_t at = 0; at < bytes.size(); at += kBytesPerReport) {
            report(progress, 0, 0);
            std::memcpy(block.data() + offset + at, bytes.data() + at, std::min(kBytesPerReport, bytes.size() - at));
        }
    };
    std::memcpy(block.data(), &header, sizeof header);
    put(layout.ids, parts.ids);
    put(layout.lengths, parts.lengths);
    put(layout.forward_ends, forward_ends);
    put(layout.term_ends, parts.term_ends);
    put(layout.posting_ends, parts.posting_ends);
    put(layout.docs, parts.docs);
    put(layout.frequencies, parts.frequencies);
    put(layout.long_frequencies, parts.long_frequencies);
    put(layout.strings, parts.strings);
    put(layout.forward, forward);
    fill_slots(parts, reinterpret_cast<std::uint32_t*>(block.data() + layout.slots), header.slots, progress);
    const double average = static_cast<double>(header.total_length) / std::max<double>(1.0, header.documents);
    fill_bounds(parts, k1, b, average, reinterpret_cast<float*>(block.data() + layout.term_bounds),
                reinterpret_cast<float*>(block.data() + layout.block_bounds), progress);
    return block;
}

std::shared_ptr<const Segment> make_segment(const SegmentParts& parts, double k1, double b, const Progress& progress) {
    std::vector<std::byte> positions;
    if (!parts.position_ends.empty()) {
        const std::size_t table = parts.position_ends.size() * sizeof(parts.position_ends[0]);
        positions.resize(table + parts.positions.size());
        std::memcpy(positions.data(), parts.position_ends.data(), table);
        if (!parts.positions.empty()) std::memcpy(positions.data() + table, parts.positions.data(), parts.positions.size());
    }
    return Segment::own(write_segment(parts, k1, b, progress), std::move(positions));
}

}  // namespace rag::core
