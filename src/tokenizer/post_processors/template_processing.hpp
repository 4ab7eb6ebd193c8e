// TemplateProcessing: lists, for one text and for a pair, which special tokens stand where and the type id of each part.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tokenizer/post_processors/post_processor.hpp"

namespace rag::core {

struct TemplatePiece {
    int sequence = -1;  // 0: the first text, 1: the second; -1: special tokens
    std::uint32_t type_id = 0;
    std::vector<std::int32_t> ids;    // of special tokens
    std::vector<std::string> tokens;  // as many: their texts
};

class TemplateProcessing final : public PostProcessor {
  public:
    TemplateProcessing(std::vector<TemplatePiece> single, std::vector<TemplatePiece> pair)
        : single_(std::move(single)), pair_(std::move(pair)) {}
    std::size_t added_tokens(bool pair) const override;
    void process(std::vector<EncodedPart>& parts, bool add_special_tokens, const TokenText& text_of) const override;

  private:
    std::vector<TemplatePiece> single_;
    std::vector<TemplatePiece> pair_;
};

}  // namespace rag::core
