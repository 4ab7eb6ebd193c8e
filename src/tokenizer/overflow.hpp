// What truncation cut off, as encodings: each window of a text between the special tokens of the whole, and for a pair the
// windows of both combined, in the order and with the nesting of Hugging Face's Encoding.merge_with().
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "tokenizer/encode_options.hpp"
#include "tokenizer/post_processors/post_processor.hpp"
#include "tokenizer/source_text.hpp"

namespace rag::core {

/// More tokens than this, in all encodings together, are refused: windows that share almost everything, or those of a pair, are
/// as many as the square of the text.
inline constexpr std::size_t kMaxOverflowTokens = std::size_t{1} << 26;

/// What Tokenizer::overflowing() works from. Written by the call that encodes, then only read.
struct CutTexts {
    std::vector<EncodedPart> texts;  // whole, before any post-processor; `source` points into `sources`
    std::vector<SourceSequence> sources;
    std::vector<std::size_t> kept;  // tokens of each text
    Truncation truncation;
    bool add_special_tokens = true;
    std::optional<Padding> padding;
    std::size_t padded = 0;  // to this length
};

/// Which window of every part an encoding is made of, 0 being the one that stayed; and what overflows from it in turn.
struct WindowChoice {
    std::vector<std::uint32_t> windows;
    std::vector<WindowChoice> overflowing;
};

/// The choices for parts with so many windows beside the first. Throws kInvalidArgument for more than `limit` choices.
WindowChoice combine_windows(const std::vector<std::size_t>& windows, std::size_t limit);

/// Which parts say that their tokens are of their text. In Hugging Face post-processors do so for all windows; without one the
/// texts of a pair are told apart, their further windows are not, and a single text is everything there is.
enum class Told { kAll, kFirstWindows, kNone };

/// The parts joined, the windows being those that `windows` names. Offsets stay as they are.
Encoding join_parts(const std::vector<EncodedPart>& parts, const std::vector<std::uint32_t>& windows, Told told);

}  // namespace rag::core
