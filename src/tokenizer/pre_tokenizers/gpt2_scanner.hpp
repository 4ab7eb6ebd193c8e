// The split pattern of GPT-2, by hand because it is the hot loop of every byte-level tokenizer:
//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
// Radford et al. 2019, encoder.py of the published code. Its slow twin is Split with this pattern (tests compare them).
#pragma once

#include <string_view>
#include <vector>

#include "tokenizer/normalized_text.hpp"

namespace rag::core {

/// Appends the matches inside `piece`; together they cover it.
void scan_gpt2(std::string_view text, Span piece, std::vector<Span>& out);

}  // namespace rag::core
