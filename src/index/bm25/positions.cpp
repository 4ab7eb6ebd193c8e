#include "index/bm25/positions.hpp"

#include <algorithm>
#include <utility>

#include "core/error.hpp"
#include "index/bm25/segment.hpp"
#include "index/bm25/varint.hpp"

namespace rag::core {
namespace {

constexpr std::size_t kTermsPerPoll = 4096;

}  // namespace

Positions::Positions(std::span<const std::byte> block, std::uint32_t documents, const std::string& name) : block_(block) {
    if (block.size() / sizeof(std::uint64_t) < documents) {
        fail(Code::kCorrupt, "{}: {} bytes of positions for {} documents", name, block.size(), documents);
    }
    const std::size_t table = documents * sizeof(std::uint64_t);
    ends_ = {reinterpret_cast<const std::uint64_t*>(block.data()), documents};
    bytes_ = {reinterpret_cast<const std::uint8_t*>(block.data()) + table, block.size() - table};
    if (!std::is_sorted(ends_.begin(), ends_.end()) || (documents > 0 && ends_.back() != bytes_.size())) {
        fail(Code::kCorrupt, "{}: positions of documents do not end at {}", name, bytes_.size());
    }
}

std::span<const std::uint8_t> Positions::of(std::uint32_t doc) const noexcept {
    const std::uint64_t start = doc == 0 ? 0 : ends_[doc - 1];
    return bytes_.subspan(static_cast<std::size_t>(start), static_cast<std::size_t>(ends_[doc] - start));
}

PhraseFinder::PhraseFinder(const Segment& segment, std::vector<PhraseTerm> phrase, const Progress& progress)
    : segment_(segment), phrase_(std::move(phrase)), places_(phrase_.size()), progress_(progress) {
    for (std::size_t k = 0; k < phrase_.size(); ++k) by_term_[phrase_[k].term].push_back(k);
}

bool PhraseFinder::read_places(std::uint32_t doc) {
    for (auto& places : places_) places.clear();
    segment_.terms_of(doc, terms_);
    const std::span<const std::uint8_t> bytes = segment_.positions().of(doc);
    std::size_t at = 0;
    for (std::size_t i = 0; i < terms_.size(); ++i) {
        if (i % kTermsPerPoll == kTermsPerPoll - 1) report(progress_, 0, 0);
        const auto wanted = by_term_.find(terms_[i]);
        std::uint32_t count = 0;
        std::uint32_t position = 0;
        bool whole = read_varint(bytes, at, count);
        for (std::uint32_t left = count; left > 0 && whole; --left) {
            std::uint32_t difference = 0;
            whole = read_varint(bytes, at, difference);
            position += difference;
            if (wanted == by_term_.end()) continue;
            for (const std::size_t k : wanted->second) places_[k].push_back(position);
        }
        if (!whole) fail(Code::kCorrupt, "{}: the positions of document {} are cut off", segment_.name(), segment_.ids()[doc]);
    }
    return std::none_of(places_.begin(), places_.end(), [](const auto& places) { return places.empty(); });
}

bool PhraseFinder::matches(std::uint32_t doc) {
    report(progress_, 0, 0);
    if (phrase_.empty() || !read_places(doc)) return false;
    std::size_t looked = 0;
    return std::any_of(places_[0].begin(), places_[0].end(), [&](std::uint32_t first) {
        if (++looked % kTermsPerPoll == 0) report(progress_, 0, 0);
        for (std::size_t k = 1; k < phrase_.size(); ++k) {
            const auto& places = places_[k];
            // Ascending but in a forged block, where nothing has to be found.
            if (!std::binary_search(places.begin(), places.end(), first + phrase_[k].offset)) return false;
        }
        return true;
    });
}

void append_positions(std::span<const std::pair<std::uint32_t, std::uint32_t>> occurrences, std::vector<std::uint8_t>& bytes) {
    for (std::size_t first = 0; first < occurrences.size();) {
        std::size_t last = first;
        while (last < occurrences.size() && occurrences[last].first == occurrences[first].first) ++last;
        put_varint(bytes, static_cast<std::uint32_t>(last - first));
        std::uint32_t before = 0;
        for (; first < last; ++first) {
            put_varint(bytes, occurrences[first].second - before);
            before = occurrences[first].second;
        }
    }
}

}  // namespace rag::core
