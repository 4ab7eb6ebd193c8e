// Which rows of the embedding tables the tokens of packed texts take: positions within each text, and token types.
// Thread rule: pure functions.
#pragma once

#include "libtorch/arch/encoder_core.hpp"

namespace rag::core::libtorch {

/// 0, 1, 2, ... within each text.
std::vector<std::int32_t> positions_from_zero(const TextGroup& group);

/// As RoBERTa counts: padding_id + 1, padding_id + 2, ... within each text, over the tokens other than padding_id; those have the
/// position padding_id.
std::vector<std::int32_t> positions_behind_padding(const TextGroup& group, std::int64_t padding_id);

/// Tokens of the longest text.
std::int64_t longest_text(const TextGroup& group);

/// The type ids of the group, or zeros.
std::vector<std::int32_t> token_types(const TextGroup& group);

}  // namespace rag::core::libtorch
