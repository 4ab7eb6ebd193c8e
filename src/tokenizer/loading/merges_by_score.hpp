// Merges for a SentencePiece vocabulary, which has scores instead: every two tokens that join into a third, the highest score of
// the third first. Of equal scores the longer left part is first, then the longer right one, as transformers' converter orders
// them. Pure function.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/models/bpe.hpp"

namespace rag::core {

struct ScoredToken {
    std::string_view text;  // well-formed UTF-8
    double score = 0;
};

/// Views into the tokens' texts. Tokens of more than kMaxMergedBytes are not taken apart: the time is the bytes of all tokens
/// times the longest one taken.
MergeList merges_by_score(const std::vector<ScoredToken>& tokens, const Vocabulary& vocabulary);

inline constexpr std::size_t kMaxMergedBytes = 1024;

}  // namespace rag::core
