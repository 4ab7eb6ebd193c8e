// The stages but the model, from their description as tokenizer.json writes it: that of the file, or one that a loader of another
// format makes. Since the stages are built from the very text that saving/ writes out, a saved tokenizer cannot differ.
#pragma once

#include "tokenizer/loading/stage_fields.hpp"
#include "tokenizer/tokenizer_parts.hpp"

namespace rag::core {

/// `document`: an object with normalizer, pre_tokenizer, post_processor and decoder, each of which may be null or absent.
/// `bytes`: the model can take bytes (read_pre_tokenizer). Throws as the readers in stages.hpp.
void build_stages(const StageFields& document, TokenizerParts& parts, bool bytes = true);

}  // namespace rag::core
