// Cuts a document into chunks of at most so many tokens: at paragraphs where they fit, else at sentences, else at words, and only
// a word that is longer than a chunk between its code points. Byte offsets, so that text.substr(start, end - start) is the chunk.
// Tokens are counted by the caller's function (the embedder's tokenizer, or count_words). Thread-safe as far as that function is.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>
#include <vector>

#include "text/sentences.hpp"

namespace rag::core {

using TokenCounter = std::function<std::size_t(std::string_view)>;

struct ChunkOptions {
    std::size_t max_tokens = 200;
    std::size_t overlap_tokens = 0;  // tokens of the chunk before that a chunk repeats, at most; less than max_tokens
};

/// Chunks in order, without white space at their ends; together they hold every character that is not white space. Without
/// overlap they are disjoint. A chunk has more than max_tokens only if it is a single code point. The counter sees each part of
/// the text a fixed number of times. kInvalidArgument: max_tokens 0, overlap_tokens >= max_tokens.
std::vector<Range> chunk_text(std::string_view text, const ChunkOptions& options, const TokenCounter& count);

}  // namespace rag::core
