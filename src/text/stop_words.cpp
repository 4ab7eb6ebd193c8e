// The function words of English, sorted within each group for the reader; looked up in a hash set that is built once.
#include <string_view>
#include <unordered_set>

#include "text/stem.hpp"

namespace rag::core {
namespace {

// Closed word classes, complete as far as they are frequent. Left out on purpose although they are function words: "no", "not"
// and "without" (they change what a sentence claims), "us" (the country), "may" (the month) and "it" folded from "IT" cannot be
// told apart and go. Negated auxiliaries appear without their "'t", as the analyzer cuts them.
constexpr std::string_view kStopWords[] = {
    // articles and determiners
    "a", "an", "any", "both", "each", "either", "every", "such", "that", "the", "these", "this", "those",
    // pronouns
    "he", "her", "hers", "herself", "him", "himself", "his", "i", "it", "its", "itself", "me", "mine", "my", "myself", "our",
    "ours", "ourselves", "she", "their", "theirs", "them", "themselves", "they", "we", "you", "your", "yours", "yourself",
    "yourselves",
    // question words
    "how", "what", "when", "where", "which", "who", "whom", "whose", "why",
    // prepositions
    "about", "as", "at", "by", "for", "from", "in", "into", "of", "on", "onto", "to", "upon", "with",
    // conjunctions and adverbs of structure
    "also", "although", "and", "because", "but", "hence", "however", "if", "nor", "or", "so", "than", "then", "there",
    "therefore", "though", "thus", "whether", "while",
    // auxiliaries
    "am", "are", "aren", "be", "been", "being", "can", "could", "couldn", "did", "didn", "do", "does", "doesn", "doing", "don",
    "had", "hadn", "has", "hasn", "have", "haven", "having", "is", "isn", "might", "must", "ought", "shall", "should", "shouldn",
    "was", "wasn", "were", "weren", "will", "would", "wouldn"};

}  // namespace

bool is_english_stop_word(std::string_view word) noexcept {
    static const std::unordered_set<std::string_view> words(std::begin(kStopWords), std::end(kStopWords));
    return word.size() <= 10 && words.contains(word);
}

}  // namespace rag::core
