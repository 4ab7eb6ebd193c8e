// The query language of BM25, read only where the caller asks for it (Bm25Syntax::kLanguage); a plain query is never parsed.
//
//   word            documents with that word (its stem, as always); Chinese: with all its bigrams
//   "some words"    these words in this order, one behind the other
//   pre*            words that begin so
//   a b             any of them; the more, the better the score
//   +a  -a          must have, must not have
//   a AND b, a OR b, NOT a     capitals; NOT binds before AND, AND before OR, OR before words that just follow each other
//   ( ... )         as one
//   \x              the character x without its meaning
//
// + and - mean something only at the beginning of a word, so "covid-19" and "C++" are words. Stop words are passed over.
// Scores come from the words that are looked for, as in a plain query; those behind - and NOT have no share.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rag::core {

struct QueryNode {
    enum Kind : std::uint8_t { kWord, kPrefix, kPhrase, kGroup };
    Kind kind = kGroup;
    std::string text;  // of a leaf
    // Of a group: a document has to meet all of `must` and none of `must_not`, and if `must` is empty one of `should`.
    std::vector<QueryNode> must;
    std::vector<QueryNode> should;
    std::vector<QueryNode> must_not;
};

/// Longest query in bytes, most words and phrases, deepest nesting.
inline constexpr std::size_t kMaxLanguageBytes = std::size_t{1} << 16;
inline constexpr std::size_t kMaxLanguageLeaves = 1024;
inline constexpr std::size_t kMaxLanguageDepth = 32;

/// kInvalidArgument: not of the language, or beyond a limit; says what was expected at which byte.
QueryNode parse_query(std::string_view text);

/// The words, prefixes and phrases that are looked for (not those behind - and NOT), in order, with spaces between them: what
/// such a query says to a reader who does not know the language.
std::string asked_words(const QueryNode& query);

}  // namespace rag::core
