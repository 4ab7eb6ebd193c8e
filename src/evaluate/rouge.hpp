// ROUGE: how much of a reference's wording a text has (Lin, 2004), as F1. English tokens as in Google's rouge_score without
// stemming (runs of ASCII letters and digits in lower case); characters of Chinese, Japanese and letters of other scripts, which
// that package drops, are tokens too: CJK one a character, others by runs. Pure; any thread.
#pragma once

#include <cstddef>
#include <string_view>

namespace rag::core {

struct RougeScores {
    double rouge1 = 0;   // bag of tokens
    double rouge2 = 0;   // bag of neighbouring pairs
    double rouge_l = 0;  // longest common subsequence of tokens
};

inline constexpr std::size_t kMaxRougeTokens = 20'000;  // a subsequence takes the product of both lengths in time

/// kInvalidArgument for a text of more than kMaxRougeTokens tokens.
RougeScores rouge(std::string_view text, std::string_view reference);

}  // namespace rag::core
