// BertProcessing: [CLS] first [SEP], and for a pair second [SEP] with type id 1. RobertaProcessing: <s> first </s>, for a pair
// </s> second </s>, all of type 0, and it trims offsets like ByteLevel.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "tokenizer/post_processors/post_processor.hpp"

namespace rag::core {

struct NamedToken {
    std::string text;
    std::int32_t id = 0;
};

class BertProcessing final : public PostProcessor {
  public:
    BertProcessing(NamedToken cls, NamedToken sep) : cls_(std::move(cls)), sep_(std::move(sep)) {}
    std::size_t added_tokens(bool pair) const override { return pair ? 3 : 2; }
    void process(std::vector<EncodedPart>& parts, bool add_special_tokens, const TokenText& text_of) const override;

  private:
    NamedToken cls_, sep_;
};

class RobertaProcessing final : public PostProcessor {
  public:
    RobertaProcessing(NamedToken cls, NamedToken sep, bool trim_offsets, bool add_prefix_space)
        : cls_(std::move(cls)), sep_(std::move(sep)), trim_offsets_(trim_offsets), add_prefix_space_(add_prefix_space) {}
    bool trims() const override { return trim_offsets_; }
    std::size_t added_tokens(bool pair) const override { return pair ? 4 : 2; }
    void process(std::vector<EncodedPart>& parts, bool add_special_tokens, const TokenText& text_of) const override;

  private:
    NamedToken cls_, sep_;
    bool trim_offsets_, add_prefix_space_;
};

}  // namespace rag::core
