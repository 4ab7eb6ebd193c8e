// ByteLevel as a post-processor: takes the white space at both ends of a token out of its offsets.
#pragma once

#include "tokenizer/post_processors/post_processor.hpp"

namespace rag::core {

/// Of the part and of its windows. A single leading space at the beginning of the text stays when `add_prefix_space`: it may be
/// the one that was put in.
void trim_offsets(EncodedPart& part, bool add_prefix_space, const TokenText& text_of);

class ByteLevelProcessing final : public PostProcessor {
  public:
    ByteLevelProcessing(bool trim_offsets, bool add_prefix_space)
        : trim_offsets_(trim_offsets), add_prefix_space_(add_prefix_space) {}
    bool trims() const override { return trim_offsets_; }
    std::size_t added_tokens(bool) const override { return 0; }
    void process(std::vector<EncodedPart>& parts, bool add_special_tokens, const TokenText& text_of) const override;

  private:
    bool trim_offsets_, add_prefix_space_;
};

}  // namespace rag::core
