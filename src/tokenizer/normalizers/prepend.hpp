// Prepend: puts a text before what is not empty; it shares the place of the first character.
#pragma once

#include <string>
#include <utility>

#include "tokenizer/normalizers/normalizer.hpp"

namespace rag::core {

class Prepend final : public Normalizer {
  public:
    explicit Prepend(std::string what) : what_(std::move(what)) {}
    void normalize(NormalizedText& text) const override;

  private:
    std::string what_;
};

}  // namespace rag::core
