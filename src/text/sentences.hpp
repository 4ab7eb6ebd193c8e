// Sentence boundaries (UAX #29 with CLDR's English abbreviations) for English and Chinese prose as it comes: hard-wrapped lines
// are joined, blank lines, list items and headings separate. Byte offsets. Thread-safe.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace rag::core {

/// Bytes [start, end).
struct Range {
    std::size_t start = 0;
    std::size_t end = 0;
    friend bool operator==(const Range&, const Range&) = default;
};

/// Stretches between blank lines, without white space at their ends; none is empty.
std::vector<Range> split_paragraphs(std::string_view utf8);

/// Sentences in order, without white space at their ends; together they hold every character that is not white space.
std::vector<Range> split_sentences(std::string_view utf8);

/// White space of ASCII, and U+3000 and U+00A0, removed from both ends.
Range trim_range(std::string_view utf8, Range range) noexcept;

}  // namespace rag::core
