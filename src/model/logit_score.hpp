// The score of a reranker that is a language model (sentence-transformers' LogitScore): the logit of one token behind the text,
// less that of another one, as a linear layer of one output made of those rows of the output layer. Stateless, any thread.
#pragma once

#include <string>
#include <vector>

#include "formats/safetensors.hpp"
#include "formats/sentence_folder.hpp"
#include "model/backend.hpp"

namespace rag::core {

/// The layer's weights, [1, hidden_size]. `prefix`: what the file puts in front of the body's names. Throws kCorrupt (no output
/// layer, or of another shape; a token outside the vocabulary), kUnsupported (its element type; logits that are capped, for which
/// the difference of two is no linear layer), naming file and tensor.
std::vector<float> logit_score_weights(const SafetensorsFile& file, const std::string& prefix, const DecoderConfig& config,
                                       const LogitScoreConfig& score);

}  // namespace rag::core
