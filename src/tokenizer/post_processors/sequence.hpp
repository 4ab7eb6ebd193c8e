// Sequence: one post-processor after the other.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "tokenizer/post_processors/post_processor.hpp"

namespace rag::core {

class PostProcessorSequence final : public PostProcessor {
  public:
    explicit PostProcessorSequence(std::vector<std::unique_ptr<PostProcessor>> stages) : stages_(std::move(stages)) {}
    bool trims() const override {
        return std::any_of(stages_.begin(), stages_.end(), [](const auto& stage) { return stage->trims(); });
    }
    std::size_t added_tokens(bool pair) const override {
        std::size_t count = 0;
        for (const auto& stage : stages_) count += stage->added_tokens(pair);
        return count;
    }
    void process(std::vector<EncodedPart>& parts, bool add_special_tokens, const TokenText& text_of) const override {
        for (const auto& stage : stages_) stage->process(parts, add_special_tokens, text_of);
    }

  private:
    std::vector<std::unique_ptr<PostProcessor>> stages_;
};

}  // namespace rag::core
