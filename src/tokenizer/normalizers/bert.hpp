// BertNormalizer: removes control characters and makes every white character a space (clean_text), puts spaces around Chinese
// characters, takes accents away (NFD, then marks that take no space), makes lower case; in this order.
// Devlin et al. 2018, BasicTokenizer of the published code.
#pragma once

#include "tokenizer/normalizers/normalizer.hpp"

namespace rag::core {

struct BertNormalizerOptions {
    bool clean_text = true;
    bool handle_chinese_chars = true;
    bool strip_accents = true;  // tokenizer.json's null means: as lowercase says
    bool lowercase = true;
};

class BertNormalizer final : public LocalNormalizer {
  public:
    explicit BertNormalizer(BertNormalizerOptions options) : options_(options) {}
    void normalize_run(CharText& text) const override;
    void map_ascii(AsciiMap& map) const override;

  private:
    BertNormalizerOptions options_;
};

}  // namespace rag::core
