// The split pattern of cl100k_base, which Llama 3 has, and Qwen 2 and 3 with numbers one character at a time:
//   (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
// by hand, because a pattern machine takes as long as all the rest. From the tokenizer.json files of these models; its slow twin
// is Split with the pattern (tests compare them over random text and every code point).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "tokenizer/normalized_text.hpp"
#include "tokenizer/pre_tokenizers/pre_tokenizer.hpp"

namespace rag::core {

class Cl100kSplit final : public PreTokenizer {
  public:
    /// The patterns that this can stand for, as files write them, and `digits`, the characters of a number that stay together.
    static std::optional<std::uint32_t> digits_of(std::string_view pattern);

    explicit Cl100kSplit(std::uint32_t digits) : digits_(digits) {}
    /// As Split with behavior Isolated: the matches cover all of a piece.
    void split(NormalizedText& text, std::vector<Span>& pieces, std::vector<Span>& scratch) const override;

  private:
    std::uint32_t digits_;
};

}  // namespace rag::core
