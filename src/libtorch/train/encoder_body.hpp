// The bodies of encoders with gradients; trained_body.hpp's make_encoder_body chooses.
#pragma once

#include "libtorch/train/trained_body.hpp"

namespace rag::core::libtorch {

/// BERT, RoBERTa, DistilBERT, MPNet.
std::unique_ptr<TrainedBody> make_post_norm_body(const EncoderConfig& config, ParameterSet& set);
std::unique_ptr<TrainedBody> make_modernbert_body(const EncoderConfig& config, ParameterSet& set);

}  // namespace rag::core::libtorch
