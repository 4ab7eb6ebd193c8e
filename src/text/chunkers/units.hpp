// The pieces that chunks are put together from, in order: sentences, words of a sentence that is too long, lines of code. Each
// knows how many tokens it has and what begins with it. Thread-safe as far as the counter is.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "text/chunk.hpp"
#include "text/chunkers/section_table.hpp"

namespace rag::core {

struct Unit {
    Range range;  // without white space at its ends; a line of code keeps its indentation
    std::size_t tokens = 0;
    std::uint32_t section = 0;  // the deepest one around it, as SectionTable numbers them
    enum Opens : std::uint8_t { kNothing, kSentence, kParagraph, kSection } opens = kNothing;
};

enum class UnitKind : std::uint8_t { kSentences, kWords, kLines };

/// Tokens that a chunk may have that begins in this section.
std::size_t limit_in(const ChunkOptions& options, const SectionTable& sections, std::uint32_t section);

/// Every character that is not white space is in exactly one unit. A unit has more tokens than the limit in its section only if
/// it is a single code point. With overlap, sentences longer than it are given word by word, so that they can be repeated. The
/// tokens of the units are put into `sections`.
std::vector<Unit> collect_units(std::string_view text, SectionTable& sections, UnitKind kind, const ChunkOptions& options,
                                const TokenCounter& count);

}  // namespace rag::core
