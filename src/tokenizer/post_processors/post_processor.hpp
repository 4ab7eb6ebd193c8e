// The fourth stage: puts the special tokens around one text or a pair, sets type ids, may trim offsets. Works on a list of parts
// that are joined at the end: first the text (or the two texts), later special tokens between them.
// Immutable, any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "tokenizer/encoding.hpp"
#include "tokenizer/source_text.hpp"

namespace rag::core {

struct EncodedPart {
    Encoding encoding;
    const SourceSequence* source = nullptr;  // what the offsets point into; nullptr for special tokens
    int sequence = -1;                       // which of the texts; -1 for special tokens
    // The other windows into which truncation cut the text; filled only when they are wanted. They follow the rules of the part
    // but for what process() says.
    std::vector<EncodedPart> overflowing = {};
};

/// The text of token `index` of an encoding.
using TokenText = std::function<std::string_view(const Encoding&, std::size_t index)>;

class PostProcessor {
  public:
    virtual ~PostProcessor() = default;
    /// Whether process() changes offsets.
    virtual bool trims() const { return false; }
    /// Special tokens that process() puts in.
    virtual std::size_t added_tokens(bool pair) const = 0;
    /// `parts` are one or two texts, or what an earlier post-processor made of them. Offsets of the windows in `overflowing` are
    /// trimmed like those of a part; their type ids stay those of their text (0 and 1), as in Hugging Face, except where a
    /// post-processor sets them for all.
    virtual void process(std::vector<EncodedPart>& parts, bool add_special_tokens, const TokenText& text_of) const = 0;
};

}  // namespace rag::core
