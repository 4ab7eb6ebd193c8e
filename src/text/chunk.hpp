// Cuts a document into chunks of at most so many tokens, at the places that its kind of text offers: sections, then paragraphs,
// then sentences, then words, and only a word that is longer than a chunk between its code points; source code at its
// definitions, then blank lines, then lines. Byte offsets into the document, the headings above, and the section around.
//
// Tokens are counted by the caller's function (the embedder's tokenizer, or count_words). Linear time: the counter sees each part
// of the text a fixed number of times. Thread-safe as far as that function is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "text/sentences.hpp"
#include "text/text_kind.hpp"

namespace rag::core {

using TokenCounter = std::function<std::size_t(std::string_view)>;

/// How chunks are cut. The numbers are those of rag_chunker.
enum class ChunkerKind : std::uint32_t {
    kAuto = 0,       // by the kind of text: sections of Markdown, reStructuredText, pages and code; sentences of prose
    kTokens = 1,     // as full as words allow, wherever sentences end
    kSentences = 2,  // whole sentences and paragraphs, whatever the kind of text
};
inline constexpr std::uint32_t kChunkerKinds = 3;
/// The chunker of that number; kInvalidArgument if there is none.
ChunkerKind chunker_of(std::uint32_t number);

struct ChunkOptions {
    std::size_t max_tokens = 200;
    std::size_t overlap_tokens = 0;  // tokens of the chunk before that a chunk repeats, at most; less than max_tokens
    ChunkerKind chunker = ChunkerKind::kAuto;
    /// Tokens that a chunk may have under these headings, where those are embedded with it; null: max_tokens. More than
    /// max_tokens counts as max_tokens, 0 as 1.
    std::function<std::size_t(std::string_view title_path)> limit = nullptr;
};

inline constexpr std::string_view kTitlePathSeparator = " > ";
inline constexpr std::size_t kMaxTitlePathBytes = 1024;  // of a longer path the outer headings are left out

struct Chunk {
    std::size_t start = 0;  // the chunk is text.substr(start, stop - start)
    std::size_t stop = 0;
    std::size_t parent_start = 0;  // the smallest section that holds more than the chunk; else as the chunk
    std::size_t parent_stop = 0;
    std::string title_path;  // headings around all of the chunk, outermost first, joined by kTitlePathSeparator
};

/// Chunks in order, without white space at their ends (but before the first line of code); together they hold every character
/// that is not white space. Without overlap they are disjoint. A chunk has more tokens than it may only if it is a single code
/// point. kInvalidArgument: max_tokens 0, overlap_tokens >= max_tokens.
std::vector<Chunk> chunk_text(std::string_view text, TextKind kind, const ChunkOptions& options, const TokenCounter& count);

}  // namespace rag::core
