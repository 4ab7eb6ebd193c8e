// Strip: removes white space at the beginning (left), at the end (right), or both.
#pragma once

#include "tokenizer/normalizers/normalizer.hpp"

namespace rag::core {

class StripSpaces final : public Normalizer {
  public:
    StripSpaces(bool left, bool right) : left_(left), right_(right) {}
    void normalize(NormalizedText& text) const override;

  private:
    bool left_, right_;
};

}  // namespace rag::core
