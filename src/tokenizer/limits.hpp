// Truncation and padding, as tokenizer.json sets them or a caller. Pure functions.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "tokenizer/encode_options.hpp"
#include "tokenizer/post_processors/post_processor.hpp"

namespace rag::core {

/// How many tokens of each of the one or two texts stay, so that with `added` special tokens they fit. Throws kInvalidArgument
/// when that cannot be: max_length below `added`, OnlySecond without a second text, the text to cut is too short, or a stride
/// that is not below what a window holds.
std::vector<std::size_t> kept_tokens(const std::vector<EncodedPart>& parts, const Truncation& truncation, std::size_t added);

/// The window [first, first + count) of `size` tokens that stays when `kept` of them do. Throws as kept_tokens() for the stride.
std::pair<std::size_t, std::size_t> first_window(std::size_t size, std::size_t kept, const Truncation& truncation);

/// The windows into which `size` tokens are cut when `kept` of them stay, the first one leading.
std::vector<std::pair<std::size_t, std::size_t>> windows_of(std::size_t size, std::size_t kept, const Truncation& truncation);

/// Up to which length encodings are padded, the longest of them having `longest` tokens.
std::size_t padded_length(const Padding& padding, std::size_t longest) noexcept;

/// Fills up to `length`. `name_tokens`: the padding's text is not that of its id.
void pad(Encoding& encoding, const Padding& padding, std::size_t length, bool name_tokens);

}  // namespace rag::core
