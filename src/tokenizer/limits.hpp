// Truncation and padding as tokenizer.json sets them. Values; pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tokenizer/post_processors/post_processor.hpp"

namespace rag::core {

enum class TruncationStrategy { kLongestFirst, kOnlyFirst, kOnlySecond };

struct Truncation {
    std::size_t max_length = 512;  // with the special tokens
    TruncationStrategy strategy = TruncationStrategy::kLongestFirst;
    bool keep_last = false;  // direction Left
};

struct Padding {
    std::size_t fixed_length = 0;  // 0: as long as the longest of the batch
    std::size_t multiple_of = 0;   // 0: any length
    bool left = false;
    std::int32_t id = 0;
    std::uint32_t type_id = 0;
    std::string token = "[PAD]";
};

/// Cuts the one or two texts so that with `added` special tokens they fit. Throws kInvalidArgument when they cannot: max_length
/// below `added`, OnlySecond without a second text, or the text to cut is too short.
void truncate(std::vector<EncodedPart>& parts, const Truncation& truncation, std::size_t added);

/// Fills up to `length`, rounded up to a multiple as set. `name_tokens`: the padding's text is not that of its id.
void pad(Encoding& encoding, const Padding& padding, std::size_t length, bool name_tokens);

}  // namespace rag::core
