// FixedLength: pieces of so many characters; the last may be shorter.
#pragma once

#include <cstdint>

#include "tokenizer/pre_tokenizers/pre_tokenizer.hpp"

namespace rag::core {

class FixedLength final : public PreTokenizer {
  public:
    /// `length` is not 0.
    explicit FixedLength(std::uint32_t length) : length_(length) {}
    void split(NormalizedText& text, std::vector<Span>& pieces, std::vector<Span>& scratch) const override;

  private:
    std::uint32_t length_;
};

}  // namespace rag::core
