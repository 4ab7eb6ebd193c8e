// The function words of English, sorted within each group for the reader, and the look-up of every language's list. All sets are
// built once, at the first use, and kept.
#include "text/stop_words.hpp"

#include <algorithm>
#include <map>
#include <string_view>

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

/// Calls visit(word) for the words of `text`, apart by a space.
template <typename Visit>
void for_each_word(std::string_view text, const Visit& visit) {
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(' '), text.size());
        if (end > 0) visit(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
}

std::map<std::string_view, StopWords> make_all() {
    std::map<std::string_view, StopWords> all;
    const StopWords english(std::begin(kStopWords), std::end(kStopWords));
    for (const std::string_view name : {"english", "en", "eng"}) all.emplace(name, english);
    for (const StopWordList& list : foreign_stop_words()) {
        StopWords words;
        for_each_word(list.words, [&](std::string_view word) { words.insert(word); });
        for_each_word(list.names, [&](std::string_view name) { all.emplace(name, words); });
    }
    return all;
}

}  // namespace

const StopWords* stop_words_of(std::string_view language) {
    static const std::map<std::string_view, StopWords> all = make_all();
    const auto found = all.find(language);
    return found == all.end() ? nullptr : &found->second;
}

}  // namespace rag::core
