// NFC, NFD, NFKC and NFKD (Unicode Standard Annex 15) on the tables that Hugging Face tokenizers uses.
#pragma once

#include "tokenizer/normalizers/normalizer.hpp"

namespace rag::core {

/// NFD, or NFKD when `compatible`.
void decompose(CharText& text, bool compatible);

enum class NormalForm { kNfc, kNfd, kNfkc, kNfkd };

class NormalFormNormalizer final : public LocalNormalizer {
  public:
    explicit NormalFormNormalizer(NormalForm form) : form_(form) {}
    void normalize_run(CharText& text) const override;
    void map_ascii(AsciiMap&) const override {}  // ASCII is normal in every form
    /// For NFC by its quick check (Unicode Standard Annex 15, section 9): most text is in it already.
    bool keeps(std::string_view text) const override;

  private:
    NormalForm form_;
};

}  // namespace rag::core
