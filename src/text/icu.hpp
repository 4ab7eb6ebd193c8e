// What this folder needs of ICU, for its own files only: text as UTF-16 with the way back to byte offsets, and one break
// iterator a thread. ICU iterators are not thread-safe and cost a millisecond to open, so each thread keeps its own; the break
// rules are those of the root locale, so that a host's locale does not change terms.
#pragma once

#include <unicode/ubrk.h>
#include <unicode/utypes.h>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace rag::core {

/// Largest piece that is handed to ICU at once. Longer text is cut at white space, or, where there is none in the last half of
/// the piece, between two code points.
inline constexpr std::size_t kIcuPieceBytes = std::size_t{1} << 18;

/// UTF-16 units of a piece of text; ill-formed bytes become U+FFFD. offsets[i] is the byte at which unit i begins, relative to
/// the piece, and offsets[units.size()] is the piece's length in bytes.
struct Utf16Text {
    std::vector<char16_t> units;
    std::vector<std::uint32_t> offsets;

    void assign(std::string_view utf8);
    std::int32_t size() const noexcept { return static_cast<std::int32_t>(units.size()); }
};

/// Throws kInternal naming the call when ICU reports a failure (its data file is missing or damaged).
void check_icu(UErrorCode code, const char* call);

/// This thread's iterators, set to no text.
UBreakIterator* word_iterator();
UBreakIterator* sentence_iterator();

/// This thread's buffer for Utf16Text; nobody keeps it across a call into another function of this folder.
Utf16Text& utf16_buffer();

/// End of the piece that begins at `start`: text.size(), or a place at most kIcuPieceBytes further where text may be cut.
std::size_t piece_end(std::string_view text, std::size_t start) noexcept;

}  // namespace rag::core
