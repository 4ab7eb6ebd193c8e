#include "evaluate/rouge.hpp"

#include <unicode/uchar.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "evaluate/text_scores.hpp"
#include "text/scripts.hpp"

namespace rag::core {
namespace {

using Tokens = std::vector<std::uint32_t>;
using Numbers = std::unordered_map<std::string, std::uint32_t>;

bool is_wordy(char32_t value) {
    if (value < 0x80) return (value >= '0' && value <= '9') || ((value | 0x20) >= 'a' && (value | 0x20) <= 'z');
    return u_isalnum(static_cast<UChar32>(value)) != 0;
}

/// Tokens as numbers, equal ones the same in both texts.
Tokens tokens_of(std::string_view text, Numbers& numbers) {
    Tokens tokens;
    std::string word;
    const auto end_word = [&] {
        if (word.empty()) return;
        if (tokens.size() == kMaxRougeTokens)
            fail(Code::kInvalidArgument, "a text of {} bytes has more than {} tokens: ROUGE is for shorter ones", text.size(),
                 kMaxRougeTokens);
        tokens.push_back(numbers.emplace(word, static_cast<std::uint32_t>(numbers.size())).first->second);
        word.clear();
    };
    for (std::size_t at = 0; at < text.size();) {
        const Utf8Step step = decode_utf8(text, at);
        at += step.length;
        const bool alone = is_cjk(step.value);
        if (alone || !is_wordy(step.value)) end_word();
        if (alone || is_wordy(step.value)) append_utf8(word, static_cast<char32_t>(u_tolower(static_cast<UChar32>(step.value))));
        if (alone) end_word();
    }
    end_word();
    return tokens;
}

/// F1 of the bags of `n` neighbouring tokens, n 1 or 2.
double bag_f1(const Tokens& text, const Tokens& reference, std::size_t n) {
    if (text.size() < n || reference.size() < n) return 0;
    const auto gram = [n](const Tokens& tokens, std::size_t i) {
        return n == 1 ? std::uint64_t{tokens[i]} : std::uint64_t{tokens[i]} << 32 | tokens[i + 1];
    };
    std::unordered_map<std::uint64_t, std::int64_t> left;
    for (std::size_t i = 0; i + n <= reference.size(); ++i) ++left[gram(reference, i)];
    double matches = 0;
    for (std::size_t i = 0; i + n <= text.size(); ++i)
        if (const auto place = left.find(gram(text, i)); place != left.end() && place->second-- > 0) matches += 1;
    return f_measure(matches, static_cast<double>(text.size() - n + 1), static_cast<double>(reference.size() - n + 1));
}

/// Length of the longest common subsequence; memory of one row.
std::size_t common_subsequence(const Tokens& a, const Tokens& b) {
    std::vector<std::uint32_t> row(b.size() + 1);
    for (const std::uint32_t token : a) {
        std::uint32_t diagonal = 0;
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::uint32_t above = row[j + 1];
            row[j + 1] = token == b[j] ? diagonal + 1 : std::max(above, row[j]);
            diagonal = above;
        }
    }
    return row.back();
}

}  // namespace

RougeScores rouge(std::string_view text, std::string_view reference) {
    Numbers numbers;
    const Tokens ours = tokens_of(text, numbers), theirs = tokens_of(reference, numbers);
    RougeScores scores;
    scores.rouge1 = bag_f1(ours, theirs, 1);
    scores.rouge2 = bag_f1(ours, theirs, 2);
    scores.rouge_l = f_measure(static_cast<double>(common_subsequence(ours, theirs)), static_cast<double>(ours.size()),
                               static_cast<double>(theirs.size()));
    return scores;
}

}  // namespace rag::core
