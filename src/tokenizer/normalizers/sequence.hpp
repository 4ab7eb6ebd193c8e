// Sequence: one normalizer after the other.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "tokenizer/normalizers/normalizer.hpp"

namespace rag::core {

class NormalizerSequence final : public Normalizer {
  public:
    explicit NormalizerSequence(std::vector<std::unique_ptr<Normalizer>> stages) : stages_(std::move(stages)) {}
    void normalize(NormalizedText& text) const override {
        for (const auto& stage : stages_) stage->normalize(text);
    }
    void add_to(NormalizerPlan& plan) const override {
        for (const auto& stage : stages_) stage->add_to(plan);
    }
    bool may_insert() const override {
        return std::any_of(stages_.begin(), stages_.end(), [](const auto& stage) { return stage->may_insert(); });
    }

  private:
    std::vector<std::unique_ptr<Normalizer>> stages_;
};

}  // namespace rag::core
