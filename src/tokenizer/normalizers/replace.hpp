// Replace: every match of a pattern becomes a fixed text, which shares the place of the last character of the match (of the one
// before it when the match is empty).
#pragma once

#include <string>
#include <utility>

#include "tokenizer/normalizers/normalizer.hpp"
#include "tokenizer/regex.hpp"

namespace rag::core {

class Replace final : public Normalizer {
  public:
    Replace(Regex pattern, std::string content) : pattern_(std::move(pattern)), content_(std::move(content)) {}
    void normalize(NormalizedText& text) const override;
    bool may_insert() const override { return !content_.empty() && pattern_.may_match_nothing(); }

  private:
    void replace_character(NormalizedText& text, char wanted) const;

    Regex pattern_;
    std::string content_;
};

}  // namespace rag::core
