// Sequence: one pre-tokenizer after the other, each on the pieces of the one before.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "tokenizer/pre_tokenizers/pre_tokenizer.hpp"

namespace rag::core {

class PreTokenizerSequence final : public PreTokenizer {
  public:
    /// No stage but the last may make bytes (the loader sees to it).
    explicit PreTokenizerSequence(std::vector<std::unique_ptr<PreTokenizer>> stages) : stages_(std::move(stages)) {}
    void split(NormalizedText& text, std::vector<Span>& pieces, std::vector<Span>& scratch) const override {
        for (const auto& stage : stages_) stage->split(text, pieces, scratch);
    }
    bool makes_bytes() const override { return !stages_.empty() && stages_.back()->makes_bytes(); }
    bool is_byte_level() const override {
        return std::any_of(stages_.begin(), stages_.end(), [](const auto& stage) { return stage->is_byte_level(); });
    }
    bool needs_places() const override {
        return std::any_of(stages_.begin(), stages_.end(), [](const auto& stage) { return stage->needs_places(); });
    }

  private:
    std::vector<std::unique_ptr<PreTokenizer>> stages_;
};

}  // namespace rag::core
