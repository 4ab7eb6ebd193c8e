// The stages of a tokenizer.json that does what a SentencePiece model does, for the models whose steps it can say: byte pairs
// over bytes and text as it stands, which are those of the Llama family. Stateless, any thread.
#pragma once

#include <string>

#include "formats/sentencepiece_file.hpp"
#include "tokenizer/loading/stage_fields.hpp"

namespace rag::core {

/// What tokenizer.json cannot say of this model, as the end of a sentence; empty: it can say all of it.
std::string unsayable_part(const SentencePieceFile& file);

/// normalizer and decoder of a model without an unsayable part.
Json sentencepiece_stages(const SentencePieceFile& file);

}  // namespace rag::core
