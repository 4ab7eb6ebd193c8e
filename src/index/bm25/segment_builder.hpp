// Builds a segment from texts: analysis, one hash table of terms, and a flat list of (term, frequency) per document that a
// counting sort turns into postings. One thread; as fast as terms can be counted (no allocation per term or per document).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "core/cancel.hpp"
#include "index/bm25/segment_writer.hpp"
#include "text/analyze.hpp"

namespace rag::core {

class SegmentBuilder final : private TermSink {
  public:
    /// What of an index's options shapes its segments.
    struct Settings {
        std::uint32_t title_units = 1;  // what one occurrence in a title, or in a text, counts
        std::uint32_t text_units = 1;
        bool positions = false;
    };
    SegmentBuilder(const Analyzer& analyzer, const Settings& settings);

    /// `id` has not been added before. Title and text are analyzed at once and not kept. kInvalidArgument: more terms than 32
    /// bits count.
    void add(std::int64_t id, std::string_view title, std::string_view text, const Progress& progress = {});
    std::size_t documents() const noexcept { return ids_.size(); }
    std::size_t postings() const noexcept { return pairs_.size(); }
    /// True when the segment should be closed: what is built fits in memory several times over, and its numbers in 32 bits.
    bool full() const noexcept;

    /// The parts of a segment, ready for write_segment().
    SegmentParts finish() const;

  private:
    struct TermInfo {
        std::uint32_t text_start = 0;
        std::uint32_t text_size = 0;
    };
    /// A term's last document, and its pair there, counted from the document's first: what each occurrence asks for.
    struct Seen {
        std::uint32_t doc = 0xFFFFFFFFU;
        std::uint32_t pair = 0;
    };
    /// Most terms are told apart without a look at their text, short ones altogether.
    struct Slot {
        std::uint64_t head = 0;  // of the text: its first eight bytes, zeros behind a shorter one
        std::uint32_t size = 0;  // of the text
        std::uint32_t term = kEmptySlot;
    };
    struct Pair {
        std::uint32_t term = 0;
        std::uint32_t frequency = 0;
    };
    /// Occurrences wait for a few others, so that the memory that they need comes in meanwhile.
    struct Waiting {
        std::uint64_t hash = 0;
        std::uint64_t head = 0;
        std::uint32_t text_start = 0;  // in waiting_text_, if the text is longer than its head
        std::uint32_t text_size = 0;
        std::uint32_t position = 0;
        std::uint32_t number = 0;
    };
    static constexpr std::size_t kWaiting = 16;

    void term(std::string_view text, const TermPlace& place) override;
    void analyze(std::string_view text, std::uint32_t units, const Progress& progress);
    void finish_positions(const std::vector<std::uint32_t>& documents, const std::vector<std::uint32_t>& terms,
                          SegmentParts& parts) const;
    void take_waiting();
    std::uint32_t number_of(const Waiting& term);
    void grow();
    std::vector<std::uint32_t> sorted_documents() const;
    std::vector<std::uint32_t> sorted_terms() const;
    std::string_view text_of(const Waiting& term) const noexcept {
        if (term.text_size <= sizeof term.head) return {reinterpret_cast<const char*>(&term.head), term.text_size};
        return {waiting_text_.data() + term.text_start, term.text_size};
    }
    std::string_view text_of(std::uint32_t term) const noexcept {
        return {strings_.data() + terms_[term].text_start, terms_[term].text_size};
    }

    const Analyzer& analyzer_;
    const Progress* progress_ = nullptr;  // of the document at hand
    std::size_t taken_ = 0;               // terms
    Settings settings_;
    std::vector<Slot> slots_;
    std::vector<TermInfo> terms_;
    std::vector<Seen> seen_;  // of the terms
    std::string strings_;
    std::vector<Pair> pairs_;
    std::vector<std::size_t> pair_ends_;  // of the documents
    std::vector<std::int64_t> ids_;
    std::vector<std::uint32_t> lengths_;
    // Only with positions: of each document (term, position), and where each document's end.
    std::vector<std::pair<std::uint32_t, std::uint32_t>> occurrences_;
    std::vector<std::size_t> occurrence_ends_;
    // Of the document being added.
    std::uint64_t length_ = 0;
    std::uint32_t units_ = 1;
    std::uint32_t position_base_ = 0;
    std::uint32_t next_position_ = 0;
    std::array<Waiting, kWaiting> waiting_;
    std::size_t waiting_count_ = 0;
    std::string waiting_text_;
};

}  // namespace rag::core
