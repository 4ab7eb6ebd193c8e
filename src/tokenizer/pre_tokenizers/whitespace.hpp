// Whitespace: pieces are runs of word characters and runs of what is neither a word character nor white, \w+|[^\w\s]+.
// WhitespaceSplit: pieces are what stands between white characters. CharDelimiterSplit: between occurrences of one character.
#pragma once

#include <string>
#include <utility>

#include "tokenizer/pre_tokenizers/pre_tokenizer.hpp"

namespace rag::core {

class Whitespace final : public PreTokenizer {
  public:
    void split(NormalizedText& text, std::vector<Span>& pieces, std::vector<Span>& scratch) const override;
};

class WhitespaceSplit final : public PreTokenizer {
  public:
    void split(NormalizedText& text, std::vector<Span>& pieces, std::vector<Span>& scratch) const override;
};

class CharDelimiterSplit final : public PreTokenizer {
  public:
    /// `delimiter` is one character.
    explicit CharDelimiterSplit(std::string delimiter) : delimiter_(std::move(delimiter)) {}
    void split(NormalizedText& text, std::vector<Span>& pieces, std::vector<Span>& scratch) const override;

  private:
    std::string delimiter_;
};

}  // namespace rag::core
