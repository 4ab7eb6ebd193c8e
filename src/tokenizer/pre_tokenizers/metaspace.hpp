// Metaspace: every space becomes a visible character (the replacement), one more is put before a piece (prepend_scheme: before
// each, before what begins the text, never), and with `split` a piece begins at each of them.
#pragma once

#include <string>
#include <utility>

#include "tokenizer/pre_tokenizers/pre_tokenizer.hpp"

namespace rag::core {

enum class PrependScheme { kAlways, kFirst, kNever };

class Metaspace final : public PreTokenizer {
  public:
    /// `replacement` is one character.
    Metaspace(std::string replacement, PrependScheme scheme, bool split)
        : replacement_(std::move(replacement)), scheme_(scheme), split_(split) {}
    void split(NormalizedText& text, std::vector<Span>& pieces, std::vector<Span>& scratch) const override;
    bool needs_places() const override { return scheme_ == PrependScheme::kFirst; }

  private:
    void replace_spaces(NormalizedText& text, std::vector<Span>& pieces) const;
    bool is_prefixed(const NormalizedText& text, Span piece) const;

    std::string replacement_;
    PrependScheme scheme_;
    bool split_;
};

}  // namespace rag::core
