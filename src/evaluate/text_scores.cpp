#include "evaluate/text_scores.hpp"

#include <unicode/uchar.h>

#include <algorithm>
#include <cstdint>
#include <unordered_map>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "text/scripts.hpp"

namespace rag::core {
namespace {

/// ASCII's as Python's string.punctuation, which holds symbols too; beyond ASCII what Unicode calls punctuation.
bool is_punctuation(char32_t value) {
    if (value < 0x80)
        return (value > 0x20 && value < 0x7F) && !(value >= '0' && value <= '9') &&
               !((value | 0x20) >= 'a' && (value | 0x20) <= 'z');
    return u_ispunct(static_cast<UChar32>(value)) != 0;
}

void require_references(std::span<const std::string_view> references) {
    if (references.empty()) fail(Code::kInvalidArgument, "there is no reference to compare the answer with");
}

}  // namespace

std::vector<std::string> answer_tokens(std::string_view text) {
    std::vector<std::string> tokens;
    std::string word;
    const auto end_word = [&] {
        if (!word.empty() && word != "a" && word != "an" && word != "the") tokens.push_back(word);
        word.clear();
    };
    for (std::size_t at = 0; at < text.size();) {
        const Utf8Step step = decode_utf8(text, at);
        at += step.length;
        if (u_isUWhiteSpace(static_cast<UChar32>(step.value)) != 0) {
            end_word();
        } else if (is_cjk(step.value)) {
            end_word();
            append_utf8(word, step.value);
            end_word();
        } else if (!is_punctuation(step.value)) {
            append_utf8(word, static_cast<char32_t>(u_tolower(static_cast<UChar32>(step.value))));
        }
    }
    end_word();
    return tokens;
}

double exact_match(std::string_view answer, std::span<const std::string_view> references) {
    require_references(references);
    const auto tokens = answer_tokens(answer);
    return std::ranges::any_of(references, [&](std::string_view reference) { return answer_tokens(reference) == tokens; }) ? 1
                                                                                                                           : 0;
}

double f_measure(double matches, double found, double wanted) {
    if (matches == 0) return 0;
    const double precision = matches / found, recall = matches / wanted;
    return 2 * precision * recall / (precision + recall);
}

double token_f1(std::string_view answer, std::span<const std::string_view> references) {
    require_references(references);
    const auto tokens = answer_tokens(answer);
    double best = 0;
    for (const std::string_view reference : references) {
        const auto wanted = answer_tokens(reference);
        if (tokens.empty() && wanted.empty()) return 1;
        std::unordered_map<std::string_view, std::int64_t> left;
        for (const std::string& token : wanted) ++left[token];
        double matches = 0;
        for (const std::string& token : tokens)
            if (const auto place = left.find(token); place != left.end() && place->second-- > 0) matches += 1;
        best = std::max(best, f_measure(matches, static_cast<double>(tokens.size()), static_cast<double>(wanted.size())));
    }
    return best;
}

}  // namespace rag::core
